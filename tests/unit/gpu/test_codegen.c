/* The kernel generator: what the text of a kernel is, and what its arguments are. */
#include "backends/gpu/codegen/kernel_gen.h"
#include "runtime/base/alloc.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

static const uint32_t local[3] = {8, 1, 1};

static struct drift_gpu_tensor_desc buffer_desc(uint32_t b, uint32_t w, uint32_t c)
{
    return (struct drift_gpu_tensor_desc){.storage = DRIFT_GPU_STORAGE_BUFFER,
                                          .dtype = DRIFT_DTYPE_F32,
                                          .b = b,
                                          .h = 1,
                                          .w = w,
                                          .d = 1,
                                          .c = c};
}

static const struct drift_gpu_binding in_arena = {.slot = DRIFT_GPU_SLOT_ARENA,
                                                  .offset_bytes = 1024};

/* A generator with tensors src and dst of one shape. */
static void begin(struct drift_gpu_gen *gen, const char *text,
                  const struct drift_gpu_tensor_desc *desc)
{
    drift_gpu_gen_init_text(gen, &drift_gpu_language_opencl_c, text);
    drift_gpu_gen_add_rt(gen);
    drift_gpu_gen_add_tensor(gen, "src", desc, &in_arena, DRIFT_GPU_COUNT_TOKENS);
    drift_gpu_gen_add_tensor(gen, "dst", desc, &in_arena, DRIFT_GPU_COUNT_TOKENS);
}

static struct drift_gpu_kernel_source finish(struct drift_gpu_gen *gen)
{
    struct drift_gpu_kernel_source source;
    struct drift_error err = {0};
    if (drift_gpu_gen_finish(gen, local, &source, &err) != DRIFT_STATUS_OK)
        fail_msg("%s", err.msg);
    drift_gpu_gen_fini(gen);
    return source;
}

static const struct drift_gpu_arg *find_arg(const struct drift_gpu_kernel_source *source,
                                            const char *name)
{
    for (uint32_t i = 0; i < source->n_args; i++)
        if (strcmp(source->args[i].name, name) == 0)
            return &source->args[i];
    return NULL;
}

/* From the signature on: the prologue may contain anything. */
static const char *kernel_of(const struct drift_gpu_kernel_source *source)
{
    const char *kernel = strstr(source->text, "__kernel");
    assert_non_null(kernel);
    return kernel;
}

static void assert_has(const struct drift_gpu_kernel_source *source, const char *text)
{
    if (!strstr(kernel_of(source), text))
        fail_msg("\"%s\" is not in: %s", text, kernel_of(source));
}

static void assert_lacks(const struct drift_gpu_kernel_source *source, const char *text)
{
    if (strstr(kernel_of(source), text))
        fail_msg("\"%s\" is in: %s", text, kernel_of(source));
}

static const char copy_text[] = "@kernel\n"
                                "    int b = 0, x = GROUP_ID_1, s = GLOBAL_ID_0;\n"
                                "    args.dst.Write(args.src.Read(b, x, 0, s), b, x, 0, s);\n";

static void test_codegen__translation__leaves_no_lookup(void **state)
{
    (void)state;
    struct drift_gpu_gen gen;
    struct drift_gpu_tensor_desc desc = buffer_desc(1, 16, 64);
    begin(&gen, copy_text, &desc);
    struct drift_gpu_kernel_source source = finish(&gen);
    assert_lacks(&source, "args.");
    assert_has(&source, "src_FLT4[src_offset4 + (x) * src_row4 + (s)]");
    /* Values are arguments: another offset or row length is the same kernel. */
    assert_int_equal(find_arg(&source, "src_offset4")->i, 1024 / 16);
    assert_int_equal(find_arg(&source, "src_row4")->i, 16);
    assert_true(find_arg(&source, "dst_FLT4")->is_written);
    assert_false(find_arg(&source, "src_FLT4")->is_written);
    uint64_t hash = source.hash;
    drift_gpu_kernel_source_fini(&source);
    desc.c = 128;
    begin(&gen, copy_text, &desc);
    source = finish(&gen);
    assert_true(source.hash == hash);
    assert_int_equal(find_arg(&source, "src_row4")->i, 32);
    drift_gpu_kernel_source_fini(&source);
}

static void test_codegen__batch_of_one__elides_its_term(void **state)
{
    (void)state;
    static const enum drift_gpu_layout layouts[] = {DRIFT_GPU_LAYOUT_ROWS, DRIFT_GPU_LAYOUT_SLICES};
    for (size_t i = 0; i < DRIFT_COUNT_OF(layouts); i++) {
        for (uint32_t b = 1; b <= 2; b++) {
            struct drift_gpu_gen gen;
            struct drift_gpu_tensor_desc desc = buffer_desc(b, 16, 64);
            desc.layout = layouts[i];
            begin(&gen, copy_text, &desc);
            struct drift_gpu_kernel_source source = finish(&gen);
            assert_int_equal(strstr(kernel_of(&source), "batch") != NULL, b > 1);
            assert_int_equal(strstr(kernel_of(&source), "(b)") != NULL, b > 1);
            drift_gpu_kernel_source_fini(&source);
        }
    }
}

/* Table 1 of the paper: ((s * H + y) * W + x) * B + b. */
static void test_codegen__slices_layout__is_the_papers(void **state)
{
    (void)state;
    struct drift_gpu_gen gen;
    struct drift_gpu_tensor_desc desc = buffer_desc(2, 5, 12);
    desc.layout = DRIFT_GPU_LAYOUT_SLICES;
    desc.h = 3;
    begin(&gen, "@kernel\n    FLT4 v = args.src.Read(b, x, y, s);\n", &desc);
    struct drift_gpu_kernel_source source = finish(&gen);
    assert_has(&source,
               "[src_offset4 + (((s) * src_height + (y)) * src_width + (x)) * src_batch + (b)]");
    drift_gpu_kernel_source_fini(&source);
}

static void test_codegen__unused__is_no_argument(void **state)
{
    (void)state;
    struct drift_gpu_gen gen;
    struct drift_gpu_tensor_desc desc = buffer_desc(1, 16, 64);
    begin(&gen, "@kernel\n    FLT4 v = args.src.Read(0, 1, 0, 2) * args.factor;\n", &desc);
    drift_gpu_gen_add_float(&gen, "factor", 2.5f);
    drift_gpu_gen_add_float(&gen, "unused", 1.0f);
    struct drift_gpu_kernel_source source = finish(&gen);
    assert_lacks(&source, "unused");
    assert_lacks(&source, "dst");
    assert_lacks(&source, "rt_");
    assert_int_equal(source.n_args, 4); /* pointer, offset, row stride, factor */
    assert_true(find_arg(&source, "factor")->f == 2.5f);
    drift_gpu_kernel_source_fini(&source);
}

static void test_codegen__nested_calls__are_expanded_first(void **state)
{
    (void)state;
    struct drift_gpu_gen gen;
    struct drift_gpu_tensor_desc desc = buffer_desc(1, 16, 64);
    struct drift_gpu_tensor_desc ids = buffer_desc(1, 16, 1);
    ids.dtype = DRIFT_DTYPE_I32;
    begin(&gen, "@kernel\n    FLT4 v = args.src.Read(0, args.ids.Int(f(1, 2)), 0, g[3, 4]);\n",
          &desc);
    const struct drift_gpu_binding inputs = {.slot = DRIFT_GPU_SLOT_INPUTS, .offset_bytes = 64};
    drift_gpu_gen_add_tensor(&gen, "ids", &ids, &inputs, DRIFT_GPU_COUNT_TOKENS);
    struct drift_gpu_kernel_source source = finish(&gen);
    assert_has(&source, "(ids_INT[ids_offset1 + (f(1, 2))]) * src_row4 + (g[3, 4])");
    drift_gpu_kernel_source_fini(&source);
}

static void test_codegen__links__join_the_write(void **state)
{
    (void)state;
    struct drift_gpu_gen gen;
    struct drift_gpu_tensor_desc desc = buffer_desc(1, 16, 64);
    begin(&gen, copy_text, &desc);
    drift_gpu_gen_add_tensor(&gen, "residual", &desc, &in_arena, DRIFT_GPU_COUNT_TOKENS);
    drift_gpu_gen_add_float(&gen, "factor", 0.5f);
    drift_gpu_gen_link(&gen, "dst", "add", "residual");
    drift_gpu_gen_link(&gen, "dst", "scale", "factor");
    struct drift_gpu_kernel_source source = finish(&gen);
    const char *add = strstr(kernel_of(&source), "value_ = value_ + residual_FLT4[");
    const char *scale = strstr(kernel_of(&source), "value_ = value_ * factor;");
    const char *store = strstr(kernel_of(&source), "] = value_;");
    assert_true(add && scale && store && add < scale && scale < store);
    drift_gpu_kernel_source_fini(&source);
}

static void test_codegen__constants__have_their_class(void **state)
{
    (void)state;
    struct drift_gpu_gen gen;
    struct drift_gpu_tensor_desc desc = buffer_desc(1, 16, 64);
    begin(&gen,
          "@shared FLT partial[PARTIALS];\n@shared FLT absent[NONE];\n@kernel\n    int i = N;\n",
          &desc);
    drift_gpu_gen_set_literal(&gen, "PARTIALS", 32);
    drift_gpu_gen_set_literal(&gen, "NONE", 0);
    drift_gpu_gen_set_specialised(&gen, "N", 7);
    struct drift_gpu_kernel_source source = finish(&gen);
    assert_non_null(strstr(source.text, "#define PARTIALS 32\n"));
    assert_null(strstr(source.text, "#define N 7"));
    assert_string_equal(source.options, " -DN=7");
    assert_has(&source, "__local FLT partial[PARTIALS];");
    assert_lacks(&source, "absent");
    drift_gpu_kernel_source_fini(&source);
}

static void test_codegen__odd_channels__are_read_one_by_one(void **state)
{
    (void)state;
    struct drift_gpu_gen gen;
    struct drift_gpu_tensor_desc desc = buffer_desc(1, 16, 33);
    begin(&gen, "@kernel\n    args.dst.Write(args.src.Read(0, 1, 0, 8), 0, 1, 0, 8);\n", &desc);
    struct drift_gpu_kernel_source source = finish(&gen);
    assert_has(&source, "LOAD_TAIL4(src_FLT, src_offset1 + (1) * src_row1 + ((8) * 4)");
    assert_has(&source, "STORE_TAIL4(dst_FLT");
    assert_int_equal(find_arg(&source, "src_row1")->i, 33);
    drift_gpu_kernel_source_fini(&source);
}

static void test_codegen__paged__goes_through_the_table(void **state)
{
    (void)state;
    struct drift_gpu_gen gen;
    struct drift_gpu_tensor_desc desc = buffer_desc(1, 64, 32), table = buffer_desc(1, 2, 8);
    desc.storage = DRIFT_GPU_STORAGE_PAGED;
    desc.dtype = DRIFT_DTYPE_F16;
    desc.h = 3;
    desc.page_tokens = 16;
    desc.max_pages = 8;
    table.dtype = DRIFT_DTYPE_I32;
    const struct drift_gpu_binding cache = {.slot = DRIFT_GPU_SLOT_BUFFER};
    drift_gpu_gen_init_text(&gen, &drift_gpu_language_opencl_c,
                            "@kernel\n    FLT4 v = args.k.Read(q, p, h, s);\n");
    drift_gpu_gen_set_specialised(&gen, "PAGE_TOKENS", 16);
    drift_gpu_gen_add_tensor(&gen, "k", &desc, &cache, DRIFT_GPU_COUNT_FIXED);
    drift_gpu_gen_add_tensor(&gen, "page_table", &table, &cache, DRIFT_GPU_COUNT_FIXED);
    struct drift_gpu_kernel_source source = finish(&gen);
    assert_has(&source, "LOAD_HALF4(k_HALF, (((page_table_INT[((q) * k_max_pages + (p) / "
                        "PAGE_TOKENS)]) * k_height + (h)) * PAGE_TOKENS + (p) % PAGE_TOKENS) * "
                        "k_slices4 + (s))");
    assert_int_equal(find_arg(&source, "k_max_pages")->i, 8);
    assert_int_equal(find_arg(&source, "k_slices4")->i, 8);
    drift_gpu_kernel_source_fini(&source);
}

static void test_codegen__malformed__is_an_error(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum drift_status status;
        const char *says;
    } cases[] = {
        {"int x;\n",                                  DRIFT_STATUS_INVALID, "@kernel"    },
        {"@kernel\nargs.nobody.Read(0, 0, 0, 0);",    DRIFT_STATUS_INVALID, "args.nobody"},
        {"@kernel\nargs.src.Paint(0);",               DRIFT_STATUS_INVALID, "Paint"      },
        {"@kernel\nargs.src.Read(0, 0, 0);",          DRIFT_STATUS_INVALID, "3 arguments"},
        {"@kernel\nargs.src.Read(0, 0, 0, 0",         DRIFT_STATUS_INVALID, "args.src"   },
        {"@kernel\nargs.src.Read(0, (0, 0, 0)",       DRIFT_STATUS_INVALID, "args.src"   },
        {"@kernel\nargs.src.Read<3>(0, 0, 0, 0)",     DRIFT_STATUS_INVALID, "args.src"   },
        {"@kernel\nargs.src.Read<WHAT>(0, 0, 0, 0)",  DRIFT_STATUS_INVALID, "args.src"   },
        {"@kernel\nargs.src.Read(0,0,0,0,0,0,0,0,0)", DRIFT_STATUS_INVALID, "args.src"   },
        {"@kernel\nargs.src;",                        DRIFT_STATUS_INVALID, "args.src"   },
        {"@kernel\nargs.;",                           DRIFT_STATUS_INVALID, "name"       },
        {"@kernel\nargs",                             DRIFT_STATUS_OK,      ""           },
        {"@shared FLT a\n@kernel\n",                  DRIFT_STATUS_INVALID, "@shared"    },
        {"@kernel\nargs.src.Int(0);",                 DRIFT_STATUS_INVALID, "Int"        },
    };
    for (size_t i = 0; i < DRIFT_COUNT_OF(cases); i++) {
        struct drift_gpu_gen gen;
        struct drift_gpu_kernel_source source = {0};
        struct drift_error err = {0};
        struct drift_gpu_tensor_desc desc = buffer_desc(1, 16, 64);
        begin(&gen, cases[i].text, &desc);
        enum drift_status status = drift_gpu_gen_finish(&gen, local, &source, &err);
        if (status != cases[i].status || !strstr(err.msg, cases[i].says))
            fail_msg("case %zu: %s: %s", i, drift_status_name(status), err.msg);
        drift_gpu_kernel_source_fini(&source);
        drift_gpu_gen_fini(&gen);
    }
}

static void test_codegen__deep_nesting__is_bounded(void **state)
{
    (void)state;
    struct drift_gpu_gen gen;
    struct drift_gpu_kernel_source source;
    struct drift_error err = {0};
    struct drift_gpu_tensor_desc desc = buffer_desc(1, 16, 64);
    char text[4096] = "@kernel\n";
    for (int i = 0; i < 100; i++)
        strcat(text, "args.src.Read(0, 0, 0, ");
    strcat(text, "0");
    for (int i = 0; i < 100; i++)
        strcat(text, ")");
    begin(&gen, text, &desc);
    assert_int_equal(drift_gpu_gen_finish(&gen, local, &source, &err), DRIFT_STATUS_LIMIT);
    drift_gpu_gen_fini(&gen);
}

static void test_codegen__descriptors__refuse_what_has_no_translation(void **state)
{
    (void)state;
    static const struct {
        enum drift_gpu_storage storage;
        enum drift_dtype dtype;
        uint32_t w, d;
        enum drift_status status;
        const char *says;
    } cases[] = {
        {DRIFT_GPU_STORAGE_BUFFER,         DRIFT_DTYPE_F32,  4,        1, DRIFT_STATUS_OK,          ""        },
        {DRIFT_GPU_STORAGE_IMAGE_BUFFER,   DRIFT_DTYPE_F32,  4,        1, DRIFT_STATUS_UNSUPPORTED,
         "image buffer"                                                                                       },
        {DRIFT_GPU_STORAGE_IMAGE_2D,       DRIFT_DTYPE_F32,  4,        1, DRIFT_STATUS_UNSUPPORTED, "2D image"},
        {DRIFT_GPU_STORAGE_IMAGE_2D_ARRAY, DRIFT_DTYPE_F32,  4,        1, DRIFT_STATUS_UNSUPPORTED,
         "2D image array"                                                                                     },
        {DRIFT_GPU_STORAGE_IMAGE_3D,       DRIFT_DTYPE_F32,  4,        1, DRIFT_STATUS_UNSUPPORTED, "3D image"},
        {DRIFT_GPU_STORAGE_BUFFER,         DRIFT_DTYPE_Q4_0, 4,        1, DRIFT_STATUS_UNSUPPORTED, "Q4_0"    },
        {DRIFT_GPU_STORAGE_BUFFER,         DRIFT_DTYPE_F32,  4,        2, DRIFT_STATUS_UNSUPPORTED, "depth"   },
        {DRIFT_GPU_STORAGE_BUFFER,         DRIFT_DTYPE_F32,  0,        1, DRIFT_STATUS_INVALID,     "size 0"  },
        {DRIFT_GPU_STORAGE_BUFFER,         DRIFT_DTYPE_F32,  1u << 30, 1, DRIFT_STATUS_LIMIT,       "2^31"    },
    };
    for (size_t i = 0; i < DRIFT_COUNT_OF(cases); i++) {
        struct drift_error err = {0};
        struct drift_gpu_tensor_desc desc = buffer_desc(1, cases[i].w, 64);
        desc.storage = cases[i].storage;
        desc.dtype = cases[i].dtype;
        desc.d = cases[i].d;
        enum drift_status status = drift_gpu_tensor_desc_check(&desc, "t", &err);
        if (status != cases[i].status || !strstr(err.msg, cases[i].says))
            fail_msg("case %zu: %s: %s", i, drift_status_name(status), err.msg);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codegen__translation__leaves_no_lookup),
        cmocka_unit_test(test_codegen__batch_of_one__elides_its_term),
        cmocka_unit_test(test_codegen__slices_layout__is_the_papers),
        cmocka_unit_test(test_codegen__unused__is_no_argument),
        cmocka_unit_test(test_codegen__nested_calls__are_expanded_first),
        cmocka_unit_test(test_codegen__links__join_the_write),
        cmocka_unit_test(test_codegen__constants__have_their_class),
        cmocka_unit_test(test_codegen__odd_channels__are_read_one_by_one),
        cmocka_unit_test(test_codegen__paged__goes_through_the_table),
        cmocka_unit_test(test_codegen__malformed__is_an_error),
        cmocka_unit_test(test_codegen__deep_nesting__is_bounded),
        cmocka_unit_test(test_codegen__descriptors__refuse_what_has_no_translation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

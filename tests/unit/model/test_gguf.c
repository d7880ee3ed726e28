/* gguf.h: what a good file says, and that no bad file gets further than an error. */
#include "runtime/base/error.h"
#include "runtime/model/gguf.h"
#include "tests/unit/model/gguf_writer.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The linker sends every call of drift_alloc here (--wrap), so that the largest request is known.
 */
void *__real_drift_alloc(enum drift_tag tag, size_t n, size_t size);
void *__wrap_drift_alloc(enum drift_tag tag, size_t n, size_t size);
static size_t largest_request;

void *__wrap_drift_alloc(enum drift_tag tag, size_t n, size_t size)
{
    if (size && n > SIZE_MAX / size)
        largest_request = SIZE_MAX;
    else if (n * size > largest_request)
        largest_request = n * size;
    return __real_drift_alloc(tag, n, size);
}

/* More than this for a file of n bytes would be the file's word taken for its size. */
static uint64_t justified_bytes(uint64_t n)
{
    return 16 * n + 16384;
}

static void write_sample(struct gguf_writer *w)
{
    static const char *const words[] = {"a", "", "zwei", "\xe4\xb8\x89"};
    static const int32_t numbers[] = {-1, 0, 2147483647};
    static const float reals[] = {0.5f, -2.0f};
    gguf_writer_init(w);
    gguf_writer_string(w, "general.architecture", "llama");
    gguf_writer_u32(w, "general.alignment", 64);
    gguf_writer_integer(w, "u8", GGUF_U8, 200);
    gguf_writer_integer(w, "i8", GGUF_I8, (uint64_t)-3);
    gguf_writer_integer(w, "u16", GGUF_U16, 60000);
    gguf_writer_integer(w, "i16", GGUF_I16, (uint64_t)-30000);
    gguf_writer_integer(w, "i32", GGUF_I32, (uint64_t)-70000);
    gguf_writer_integer(w, "u64", GGUF_U64, UINT64_MAX);
    gguf_writer_integer(w, "i64", GGUF_I64, (uint64_t)INT64_MIN);
    gguf_writer_integer(w, "big", GGUF_U64, 5000000000u);
    gguf_writer_f32(w, "f32", 0.25f);
    gguf_writer_integer(w, "f64", GGUF_F64, 0x3fd0000000000000u); /* 0.25 */
    gguf_writer_integer(w, "nan", GGUF_F32, 0x7fc00000u);
    gguf_writer_bool(w, "yes", 1);
    gguf_writer_bool(w, "no", 0);
    gguf_writer_strings(w, "words", words, 4);
    gguf_writer_i32s(w, "numbers", numbers, 3);
    gguf_writer_f32s(w, "reals", reals, 2);
    gguf_writer_array(w, "bools", GGUF_BOOL, 2);
    gguf_put(&w->kv, 0x0100, 2);
    gguf_writer_array(w, "empty", GGUF_STRING, 0);
    w->alignment = 64;
    gguf_writer_random_tensor(w, "w.f32", DRIFT_DTYPE_F32, 3, 2, 1.0f);
    gguf_writer_random_tensor(w, "w.q8", DRIFT_DTYPE_Q8_0, 64, 3, 1.0f);
    gguf_writer_constant_vector(w, "norm", 5, 1.0f);
}

static void finish(struct gguf_writer *w, struct drift_buf *out)
{
    drift_buf_init(out, DRIFT_TAG_BASE, SIZE_MAX / 4);
    gguf_writer_finish(w, out);
    assert_false(out->failed);
    gguf_writer_fini(w);
}

/* Open exactly these bytes (in a block of exactly that size, for the sanitizer) and release them
 * with close_copy. */
struct copy {
    char *bytes;
    struct drift_gguf *gguf;
    struct drift_error err;
};

static enum drift_status open_copy(struct copy *c, const char *data, size_t len)
{
    *c = (struct copy){.bytes = malloc(len ? len : 1)};
    if (len)
        memcpy(c->bytes, data, len);
    largest_request = 0;
    enum drift_status status = drift_gguf_open_memory(c->bytes, len, &c->gguf, &c->err);
    assert_in_range(largest_request, 0, justified_bytes(len));
    assert_int_equal(status == DRIFT_STATUS_OK, c->gguf != NULL);
    return status;
}

static void close_copy(struct copy *c)
{
    drift_gguf_close(c->gguf);
    free(c->bytes);
}

static void open_sample(struct copy *c)
{
    struct gguf_writer w;
    struct drift_buf file;
    write_sample(&w);
    finish(&w, &file);
    assert_int_equal(open_copy(c, file.data, file.len), DRIFT_STATUS_OK);
    drift_buf_fini(&file);
}

static void test_gguf__good_file__header_is_reported(void **state)
{
    (void)state;
    struct copy c;
    open_sample(&c);
    struct drift_gguf_info info;
    drift_gguf_get_info(c.gguf, &info);
    assert_int_equal(info.version, 3);
    assert_int_equal(info.alignment_bytes, 64);
    assert_int_equal(info.n_kv, 20);
    assert_int_equal(info.n_tensors, 3);
    assert_int_equal(info.data_offset_bytes % 64, 0);
    assert_string_equal(drift_gguf_kv_at(c.gguf, 2)->key, "u8");
    assert_int_equal(drift_gguf_kv_at(c.gguf, 2)->type, DRIFT_GGUF_TYPE_U8);
    close_copy(&c);
}

static void test_gguf__integers__any_width_with_range_check(void **state)
{
    (void)state;
    struct copy c;
    open_sample(&c);
    struct drift_error err;
    uint64_t u = 0;
    uint32_t u32 = 0;
    int64_t i = 0;
    assert_int_equal(drift_gguf_get_u64(c.gguf, "u8", &u, &err), DRIFT_STATUS_OK);
    assert_int_equal(u, 200);
    assert_int_equal(drift_gguf_get_u64(c.gguf, "u16", &u, &err), DRIFT_STATUS_OK);
    assert_int_equal(u, 60000);
    assert_int_equal(drift_gguf_get_u64(c.gguf, "u64", &u, &err), DRIFT_STATUS_OK);
    assert_true(u == UINT64_MAX);
    assert_int_equal(drift_gguf_get_i64(c.gguf, "i8", &i, &err), DRIFT_STATUS_OK);
    assert_int_equal(i, -3);
    assert_int_equal(drift_gguf_get_i64(c.gguf, "i16", &i, &err), DRIFT_STATUS_OK);
    assert_int_equal(i, -30000);
    assert_int_equal(drift_gguf_get_i64(c.gguf, "i32", &i, &err), DRIFT_STATUS_OK);
    assert_int_equal(i, -70000);
    assert_int_equal(drift_gguf_get_i64(c.gguf, "i64", &i, &err), DRIFT_STATUS_OK);
    assert_true(i == INT64_MIN);
    assert_int_equal(drift_gguf_get_u32(c.gguf, "general.alignment", &u32, &err), DRIFT_STATUS_OK);
    assert_int_equal(u32, 64);
    /* refused: negative, too large */
    assert_int_equal(drift_gguf_get_u64(c.gguf, "i8", &u, &err), DRIFT_STATUS_CORRUPT);
    assert_non_null(strstr(err.msg, "'i8' is -3"));
    assert_int_equal(drift_gguf_get_u32(c.gguf, "big", &u32, &err), DRIFT_STATUS_CORRUPT);
    assert_non_null(strstr(err.msg, "5000000000"));
    assert_int_equal(drift_gguf_get_i64(c.gguf, "u64", &i, &err), DRIFT_STATUS_CORRUPT);
    close_copy(&c);
}

static void test_gguf__other_scalars__read(void **state)
{
    (void)state;
    struct copy c;
    open_sample(&c);
    struct drift_error err;
    struct drift_gguf_string s;
    float f = 0;
    bool b = false;
    assert_int_equal(drift_gguf_get_f32(c.gguf, "f32", &f, &err), DRIFT_STATUS_OK);
    assert_true(f == 0.25f);
    f = 0;
    assert_int_equal(drift_gguf_get_f32(c.gguf, "f64", &f, &err), DRIFT_STATUS_OK);
    assert_true(f == 0.25f);
    assert_int_equal(drift_gguf_get_f32(c.gguf, "nan", &f, &err), DRIFT_STATUS_CORRUPT);
    assert_int_equal(drift_gguf_get_bool(c.gguf, "yes", &b, &err), DRIFT_STATUS_OK);
    assert_true(b);
    assert_int_equal(drift_gguf_get_bool(c.gguf, "no", &b, &err), DRIFT_STATUS_OK);
    assert_false(b);
    assert_int_equal(drift_gguf_get_string(c.gguf, "general.architecture", &s, &err),
                     DRIFT_STATUS_OK);
    assert_int_equal(s.len, 5);
    assert_memory_equal(s.data, "llama", 5);
    close_copy(&c);
}

static void test_gguf__absent_and_wrong_types__named(void **state)
{
    (void)state;
    struct copy c;
    open_sample(&c);
    struct drift_error err;
    struct drift_gguf_array a;
    uint64_t u = 77;
    float f;
    bool b;
    assert_int_equal(drift_gguf_get_u64(c.gguf, "llama.block_count", &u, &err),
                     DRIFT_STATUS_NOT_FOUND);
    assert_non_null(strstr(err.msg, "llama.block_count"));
    assert_int_equal(u, 77);
    assert_int_equal(drift_gguf_get_u64(c.gguf, "f32", &u, &err), DRIFT_STATUS_CORRUPT);
    assert_string_equal(err.msg, "key 'f32' is of type f32, expected one integer");
    assert_int_equal(drift_gguf_get_f32(c.gguf, "u8", &f, &err), DRIFT_STATUS_CORRUPT);
    assert_int_equal(drift_gguf_get_bool(c.gguf, "u8", &b, &err), DRIFT_STATUS_CORRUPT);
    assert_int_equal(drift_gguf_get_u64(c.gguf, "numbers", &u, &err), DRIFT_STATUS_CORRUPT);
    assert_string_equal(err.msg, "key 'numbers' is an array of i32, expected one integer");
    assert_int_equal(drift_gguf_get_array(c.gguf, "words", DRIFT_GGUF_KIND_INTEGER, &a, &err),
                     DRIFT_STATUS_CORRUPT);
    assert_string_equal(err.msg, "key 'words' is an array of string, expected an array of integer");
    assert_int_equal(drift_gguf_get_array(c.gguf, "u8", DRIFT_GGUF_KIND_INTEGER, &a, NULL),
                     DRIFT_STATUS_CORRUPT);
    close_copy(&c);
}

static void test_gguf__arrays__elements_and_ends(void **state)
{
    (void)state;
    struct copy c;
    open_sample(&c);
    struct drift_gguf_array a;
    struct drift_gguf_strings it;
    struct drift_gguf_string s;
    int64_t i;
    float f;
    bool b;
    assert_int_equal(drift_gguf_get_array(c.gguf, "numbers", DRIFT_GGUF_KIND_INTEGER, &a, NULL), 0);
    assert_int_equal(a.count, 3);
    assert_true(drift_gguf_array_i64(&a, 0, &i) && i == -1);
    assert_true(drift_gguf_array_i64(&a, 2, &i) && i == INT32_MAX);
    assert_false(drift_gguf_array_i64(&a, 3, &i));
    assert_int_equal(drift_gguf_get_array(c.gguf, "reals", DRIFT_GGUF_KIND_FLOAT, &a, NULL), 0);
    assert_true(drift_gguf_array_f32(&a, 1, &f) && f == -2.0f);
    assert_false(drift_gguf_array_f32(&a, 2, &f));
    assert_int_equal(drift_gguf_get_array(c.gguf, "bools", DRIFT_GGUF_KIND_BOOL, &a, NULL), 0);
    assert_true(drift_gguf_array_bool(&a, 0, &b) && !b);
    assert_true(drift_gguf_array_bool(&a, 1, &b) && b);
    assert_int_equal(drift_gguf_get_array(c.gguf, "words", DRIFT_GGUF_KIND_STRING, &a, NULL), 0);
    static const char *const words[] = {"a", "", "zwei", "\xe4\xb8\x89"};
    drift_gguf_strings_init(&it, &a);
    for (int n = 0; n < 4; n++) {
        assert_true(drift_gguf_strings_next(&it, &s));
        assert_int_equal(s.len, strlen(words[n]));
        assert_memory_equal(s.data, words[n], s.len);
    }
    assert_false(drift_gguf_strings_next(&it, &s));
    assert_int_equal(drift_gguf_get_array(c.gguf, "empty", DRIFT_GGUF_KIND_STRING, &a, NULL), 0);
    drift_gguf_strings_init(&it, &a);
    assert_false(drift_gguf_strings_next(&it, &s));
    close_copy(&c);
}

static void test_gguf__tensors__found_with_their_bytes(void **state)
{
    (void)state;
    struct copy c;
    open_sample(&c);
    const struct drift_gguf_tensor *t = drift_gguf_find_tensor(c.gguf, "w.q8");
    assert_non_null(t);
    assert_ptr_equal(t, drift_gguf_tensor_at(c.gguf, 1));
    assert_true(t->known_type);
    assert_int_equal(t->dtype, DRIFT_DTYPE_Q8_0);
    assert_string_equal(t->type_name, "Q8_0");
    assert_int_equal(t->n_dims, 2);
    assert_int_equal(t->dims[0], 64);
    assert_int_equal(t->dims[1], 3);
    assert_int_equal(t->dims[2], 1);
    assert_int_equal(t->size_bytes, 6 * 34);
    assert_ptr_equal(t->data, c.bytes + t->offset_bytes);
    t = drift_gguf_find_tensor(c.gguf, "norm");
    float ones[5];
    memcpy(ones, t->data, sizeof(ones));
    for (int i = 0; i < 5; i++)
        assert_true(ones[i] == 1.0f);
    assert_null(drift_gguf_find_tensor(c.gguf, "w.q"));
    assert_null(drift_gguf_find_tensor(c.gguf, ""));
    close_copy(&c);
}

static void test_gguf__file_on_disk__mapped_like_memory(void **state)
{
    (void)state;
    char path[] = "/tmp/drift_gguf_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    struct gguf_writer w;
    write_sample(&w);
    assert_int_equal(gguf_writer_save(&w, path), 0);
    gguf_writer_fini(&w);
    struct drift_gguf *g = NULL;
    struct drift_error err;
    assert_int_equal(drift_gguf_open(path, &g, &err), DRIFT_STATUS_OK);
    const struct drift_gguf_tensor *t = drift_gguf_find_tensor(g, "norm");
    assert_int_equal((uintptr_t)t->data % 64, 0);
    drift_gguf_close(g);
    g = NULL;
    assert_int_equal(drift_file_replace(path, "GGUF", 4, NULL), DRIFT_STATUS_OK);
    assert_int_equal(drift_gguf_open(path, &g, &err), DRIFT_STATUS_CORRUPT);
    assert_non_null(strstr(err.msg, path));
    assert_int_equal(drift_file_replace(path, "", 0, NULL), DRIFT_STATUS_OK);
    assert_int_equal(drift_gguf_open(path, &g, &err), DRIFT_STATUS_CORRUPT);
    unlink(path);
    assert_int_equal(drift_gguf_open(path, &g, &err), DRIFT_STATUS_NOT_FOUND);
    assert_null(g);
}

static void test_gguf__truncated_anywhere__refused(void **state)
{
    (void)state;
    struct gguf_writer w;
    struct drift_buf file;
    write_sample(&w);
    finish(&w, &file);
    for (size_t len = 0; len < file.len; len++) {
        struct copy c;
        assert_int_equal(open_copy(&c, file.data, len), DRIFT_STATUS_CORRUPT);
        assert_true(c.err.msg[0] != '\0');
        close_copy(&c);
    }
    drift_buf_fini(&file);
}

/* Any byte may have any value: an error or a file whose every value can be read. */
static void test_gguf__every_byte_changed__no_harm(void **state)
{
    (void)state;
    static const unsigned char values[] = {0x00, 0x01, 0x7f, 0x80, 0xff};
    struct gguf_writer w;
    struct drift_buf file, text;
    write_sample(&w);
    finish(&w, &file);
    drift_buf_init(&text, DRIFT_TAG_BASE, 1 << 20);
    for (size_t at = 0; at < file.len; at++) {
        char was = file.data[at];
        for (size_t v = 0; v < sizeof(values); v++) {
            struct copy c;
            file.data[at] = (char)values[v];
            if (open_copy(&c, file.data, file.len) == DRIFT_STATUS_OK) {
                drift_gguf_print(c.gguf, &text);
                assert_false(text.failed);
                drift_buf_reset(&text);
            }
            close_copy(&c);
        }
        file.data[at] = was;
    }
    drift_buf_fini(&text);
    drift_buf_fini(&file);
}

typedef void (*write_fn)(struct gguf_writer *w);

struct bad {
    const char *name;
    write_fn write;
    enum drift_status status;
    const char *message; /* a part of it */
};

static const uint64_t dims_8[] = {8, 8, 8, 8, 8};

static void bad_version_1(struct gguf_writer *w)
{
    w->version = 1;
}
static void bad_version_4(struct gguf_writer *w)
{
    w->version = 4;
}
static void bad_big_endian(struct gguf_writer *w)
{
    w->version = 0x03000000;
}
static void bad_kv_count(struct gguf_writer *w)
{
    w->n_kv = UINT64_MAX;
}
static void bad_kv_count_plausible(struct gguf_writer *w)
{
    w->n_kv = 1000;
}
static void bad_tensor_count(struct gguf_writer *w)
{
    w->n_tensors = UINT64_MAX / 8;
}

static void bad_string_length(struct gguf_writer *w)
{
    gguf_writer_key(w, "s", GGUF_STRING);
    gguf_put(&w->kv, UINT64_MAX - 4, 8);
}

static void bad_key_length(struct gguf_writer *w)
{
    gguf_put(&w->kv, UINT64_MAX, 8);
    gguf_put(&w->kv, 0, 8);
    w->n_kv++;
}

static void bad_key_long(struct gguf_writer *w)
{
    static char key[70001];
    memset(key, 'k', 70000);
    gguf_writer_u32(w, key, 1);
}

static void bad_key_empty(struct gguf_writer *w)
{
    gguf_writer_u32(w, "", 1);
}
static void bad_key_utf8(struct gguf_writer *w)
{
    gguf_writer_u32(w, "a\xff", 1);
}

static void bad_key_nul(struct gguf_writer *w)
{
    gguf_put_bytes(&w->kv, "a\0b", 3);
    gguf_put(&w->kv, GGUF_U8, 4);
    gguf_put(&w->kv, 1, 1);
    w->n_kv++;
}

static void bad_key_twice(struct gguf_writer *w)
{
    gguf_writer_u32(w, "same", 1);
    gguf_writer_bool(w, "same", 1);
}

static void bad_value_type(struct gguf_writer *w)
{
    gguf_writer_key(w, "odd", 13);
    gguf_put(&w->kv, 0, 8);
}

static void bad_element_type(struct gguf_writer *w)
{
    gguf_writer_array(w, "odd", 99, 0);
}
static void bad_bool(struct gguf_writer *w)
{
    gguf_writer_bool(w, "perhaps", 2);
}

static void bad_bool_array(struct gguf_writer *w)
{
    gguf_writer_array(w, "perhaps", GGUF_BOOL, 2);
    gguf_put(&w->kv, 0x0201, 2);
}

static void bad_array_count(struct gguf_writer *w)
{
    gguf_writer_array(w, "many", GGUF_F64, UINT64_MAX / 8 + 2);
}

static void bad_string_count(struct gguf_writer *w)
{
    gguf_writer_array(w, "many", GGUF_STRING, UINT64_MAX / 2);
}

static void bad_nested(struct gguf_writer *w)
{
    gguf_writer_array(w, "deep", GGUF_ARRAY, 1);
    gguf_put(&w->kv, GGUF_U8, 4);
    gguf_put(&w->kv, 0, 8);
}

static void bad_alignment_zero(struct gguf_writer *w)
{
    gguf_writer_u32(w, "general.alignment", 0);
}

static void bad_alignment_odd(struct gguf_writer *w)
{
    gguf_writer_u32(w, "general.alignment", 48);
}

static void bad_alignment_huge(struct gguf_writer *w)
{
    gguf_writer_integer(w, "general.alignment", GGUF_U64, (uint64_t)1 << 63);
}

static void bad_alignment_type(struct gguf_writer *w)
{
    gguf_writer_string(w, "general.alignment", "32");
}

static void bad_dims_none(struct gguf_writer *w)
{
    gguf_writer_tensor_entry(w, "t", 0, dims_8, 0, 0);
    drift_buf_append(&w->data, "12345678", 8);
}

static void bad_dims_many(struct gguf_writer *w)
{
    gguf_writer_tensor_entry(w, "t", 5, dims_8, 0, 0);
}

static void bad_dim_zero(struct gguf_writer *w)
{
    uint64_t dims[] = {8, 0};
    gguf_writer_tensor_entry(w, "t", 2, dims, 0, 0);
}

static void bad_dims_product(struct gguf_writer *w)
{
    uint64_t dims[] = {(uint64_t)1 << 32, (uint64_t)1 << 32, 1};
    gguf_writer_tensor_entry(w, "t", 3, dims, 0, 0);
}

static void bad_size_product(struct gguf_writer *w)
{
    uint64_t dims[] = {(uint64_t)1 << 62};
    gguf_writer_tensor_entry(w, "t", 1, dims, 28, 0);
}

static void bad_broken_block(struct gguf_writer *w)
{
    uint64_t dims[] = {33};
    gguf_writer_tensor_entry(w, "t", 1, dims, 8, 0);
}

static void bad_offset_overflow(struct gguf_writer *w)
{
    gguf_writer_tensor_entry(w, "t", 1, dims_8, 0, UINT64_MAX - 31);
}

static void bad_offset_beyond(struct gguf_writer *w)
{
    gguf_writer_tensor_entry(w, "t", 1, dims_8, 0, 4096);
}

static void bad_offset_unaligned(struct gguf_writer *w)
{
    gguf_writer_tensor_entry(w, "t", 1, dims_8, 0, 8);
}

static void bad_offset_of_unknown_type(struct gguf_writer *w)
{
    gguf_writer_tensor_entry(w, "t", 1, dims_8, 777, 1 << 20);
}

static void bad_overlap(struct gguf_writer *w)
{
    uint64_t dims[] = {9};
    float data[16] = {0};
    gguf_writer_tensor_entry(w, "one", 1, dims, 0, 0);
    gguf_writer_tensor_entry(w, "two", 1, dims, 0, 32);
    drift_buf_append(&w->data, data, 64);
    drift_buf_append(&w->data, data, 64);
}

static void bad_same_place(struct gguf_writer *w)
{
    float data[8] = {0};
    gguf_writer_tensor_entry(w, "one", 1, dims_8, 0, 0);
    gguf_writer_tensor_entry(w, "two", 1, dims_8, 0, 0);
    drift_buf_append(&w->data, data, 32);
}

static void bad_tensor_twice(struct gguf_writer *w)
{
    gguf_writer_constant_vector(w, "t", 8, 0);
    gguf_writer_constant_vector(w, "t", 8, 0);
}

static void bad_tensor_name_long(struct gguf_writer *w)
{
    static char name[1026];
    memset(name, 'n', 1025);
    gguf_writer_constant_vector(w, name, 8, 0);
}

static void bad_tensor_name_utf8(struct gguf_writer *w)
{
    gguf_writer_constant_vector(w, "\xc0\x80", 8, 0);
}

#define CORRUPT     DRIFT_STATUS_CORRUPT
#define UNSUPPORTED DRIFT_STATUS_UNSUPPORTED
#define LIMIT       DRIFT_STATUS_LIMIT

static const struct bad bads[] = {
    {"version 1", bad_version_1, UNSUPPORTED, "version 1"},
    {"version 4", bad_version_4, UNSUPPORTED, "version 4"},
    {"big-endian", bad_big_endian, UNSUPPORTED, "big-endian"},
    {"oversized kv count", bad_kv_count, CORRUPT, "metadata entries"},
    {"kv count beyond the entries", bad_kv_count_plausible, CORRUPT, ""},
    {"oversized tensor count", bad_tensor_count, CORRUPT, "tensors"},
    {"string length wraps", bad_string_length, CORRUPT, "key 's'"},
    {"key length wraps", bad_key_length, CORRUPT, "a key"},
    {"key too long", bad_key_long, LIMIT, "65535"},
    {"empty key", bad_key_empty, CORRUPT, "is empty"},
    {"key is not UTF-8", bad_key_utf8, CORRUPT, "UTF-8"},
    {"key with a NUL", bad_key_nul, CORRUPT, "UTF-8"},
    {"key twice", bad_key_twice, CORRUPT, "key 'same' occurs twice"},
    {"unknown value type", bad_value_type, CORRUPT, "unknown type 13"},
    {"unknown element type", bad_element_type, CORRUPT, "unknown type 99"},
    {"boolean 2", bad_bool, CORRUPT, "boolean 2"},
    {"boolean 2 in an array", bad_bool_array, CORRUPT, "boolean 2"},
    {"array count wraps", bad_array_count, CORRUPT, "'many'"},
    {"string count beyond the file", bad_string_count, CORRUPT, "'many'"},
    {"nested array", bad_nested, UNSUPPORTED, "array of arrays"},
    {"alignment 0", bad_alignment_zero, CORRUPT, "general.alignment"},
    {"alignment 48", bad_alignment_odd, CORRUPT, "power of two"},
    {"alignment 2^63", bad_alignment_huge, CORRUPT, "power of two"},
    {"alignment is a string", bad_alignment_type, CORRUPT, "general.alignment"},
    {"no dimensions", bad_dims_none, CORRUPT, "0 dimensions"},
    {"5 dimensions", bad_dims_many, CORRUPT, "5 dimensions"},
    {"zero dimension", bad_dim_zero, CORRUPT, "positive"},
    {"dimensions overflow", bad_dims_product, CORRUPT, "overflows"},
    {"size overflows", bad_size_product, CORRUPT, "overflows"},
    {"row of a broken block", bad_broken_block, CORRUPT, "blocks of 32"},
    {"offset overflows", bad_offset_overflow, CORRUPT, "beyond the end"},
    {"offset beyond the file", bad_offset_beyond, CORRUPT, "beyond the end"},
    {"offset not aligned", bad_offset_unaligned, CORRUPT, "aligned to 32"},
    {"unknown type beyond the file", bad_offset_of_unknown_type, CORRUPT, "beyond the end"},
    {"tensors overlap", bad_overlap, CORRUPT, "'one' and 'two' overlap"},
    {"tensors at one place", bad_same_place, CORRUPT, "overlap"},
    {"tensor twice", bad_tensor_twice, CORRUPT, "tensor 't' occurs twice"},
    {"tensor name too long", bad_tensor_name_long, LIMIT, "1024"},
    {"tensor name is not UTF-8", bad_tensor_name_utf8, CORRUPT, "UTF-8"},
};

static void test_gguf__bad_files__refused_with_the_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < DRIFT_COUNT_OF(bads); i++) {
        struct gguf_writer w;
        struct drift_buf file;
        struct copy c;
        gguf_writer_init(&w);
        gguf_writer_string(&w, "general.architecture", "llama");
        bads[i].write(&w);
        finish(&w, &file);
        enum drift_status status = open_copy(&c, file.data, file.len);
        if (status != bads[i].status || !strstr(c.err.msg, bads[i].message))
            fail_msg("%s: %s, \"%s\"", bads[i].name, drift_status_name(status), c.err.msg);
        close_copy(&c);
        drift_buf_fini(&file);
    }
}

static void test_gguf__not_gguf__refused(void **state)
{
    (void)state;
    struct copy c;
    assert_int_equal(open_copy(&c, "PK\3\4 and so on and so on", 24), DRIFT_STATUS_CORRUPT);
    assert_non_null(strstr(c.err.msg, "not a GGUF file"));
    close_copy(&c);
}

static void test_gguf__unknown_tensor_type__listed_not_refused(void **state)
{
    (void)state;
    struct gguf_writer w;
    struct drift_buf file, text;
    struct copy c;
    gguf_writer_init(&w);
    gguf_writer_tensor_entry(&w, "future", 1, dims_8, 4242, 0);
    gguf_writer_tensor_entry(&w, "small", 1, (const uint64_t[]){256}, 16, 0);
    for (int i = 0; i < 66; i++)
        gguf_put(&w.data, 0, 1);
    finish(&w, &file);
    assert_int_equal(open_copy(&c, file.data, file.len), DRIFT_STATUS_OK);
    const struct drift_gguf_tensor *t = drift_gguf_find_tensor(c.gguf, "future");
    assert_false(t->known_type);
    assert_int_equal(t->gguf_type, 4242);
    assert_int_equal(t->size_bytes, 0);
    t = drift_gguf_find_tensor(c.gguf, "small");
    assert_false(t->known_type);
    assert_string_equal(t->type_name, "IQ2_XXS");
    assert_int_equal(t->size_bytes, 66);
    drift_buf_init(&text, DRIFT_TAG_BASE, 1 << 16);
    drift_gguf_print(c.gguf, &text);
    assert_non_null(strstr(drift_buf_cstr(&text), "type 4242"));
    assert_non_null(strstr(drift_buf_cstr(&text), "IQ2_XXS"));
    drift_buf_fini(&text);
    close_copy(&c);
    drift_buf_fini(&file);
}

static void test_gguf__version_2__read(void **state)
{
    (void)state;
    struct gguf_writer w;
    struct drift_buf file;
    struct copy c;
    write_sample(&w);
    w.version = 2;
    finish(&w, &file);
    assert_int_equal(open_copy(&c, file.data, file.len), DRIFT_STATUS_OK);
    close_copy(&c);
    drift_buf_fini(&file);
}

static void test_gguf__print__aligned_and_escaped(void **state)
{
    (void)state;
    struct gguf_writer w;
    struct drift_buf file, text;
    struct copy c;
    gguf_writer_init(&w);
    gguf_writer_string(&w, "general.name", "tab\there\x1b[2J \xff \xc3\xa9");
    gguf_writer_f32(&w, "eps", 1e-5f);
    gguf_writer_array(&w, "numbers", GGUF_U8, 8);
    gguf_put(&w.kv, 0x0807060504030201u, 8);
    gguf_writer_random_tensor(&w, "a", DRIFT_DTYPE_F32, 2, 3, 1);
    gguf_writer_random_tensor(&w, "longer\nname", DRIFT_DTYPE_Q8_0, 32, 0, 1);
    finish(&w, &file);
    assert_int_equal(open_copy(&c, file.data, file.len), DRIFT_STATUS_OK);
    drift_buf_init(&text, DRIFT_TAG_BASE, 1 << 16);
    drift_gguf_print(c.gguf, &text);
    static const char *const lines[] = {
        "general.name  string          \"tab\\there\\x1b[2J \\xff \xc3\xa9\"\n",
        "eps           f32             1e-05\n",
        "numbers       u8[8]           [1, 2, 3, 4, 5, 6, ...]\n",
        "a             2 x 3  F32                24 bytes at ",
        "longer\\nname  32     Q8_0               34 bytes at ",
        "F32           1 tensors              24 bytes\n",
        "Q8_0          1 tensors              34 bytes\n",
    };
    for (size_t i = 0; i < DRIFT_COUNT_OF(lines); i++) {
        if (!strstr(drift_buf_cstr(&text), lines[i]))
            fail_msg("no line \"%s\" in:\n%s", lines[i], drift_buf_cstr(&text));
    }
    drift_buf_fini(&text);
    close_copy(&c);
    drift_buf_fini(&file);
}

static void test_gguf__many_names__memory_in_proportion(void **state)
{
    (void)state;
    struct gguf_writer w;
    struct drift_buf file;
    struct copy c;
    char key[16];
    gguf_writer_init(&w);
    for (uint32_t i = 0; i < 20000; i++) {
        snprintf(key, sizeof(key), "%" PRIu32, i);
        gguf_writer_integer(&w, key, GGUF_U8, i & 255);
    }
    finish(&w, &file);
    uint64_t before = drift_alloc_live_bytes(DRIFT_TAG_MODEL);
    assert_int_equal(open_copy(&c, file.data, file.len), DRIFT_STATUS_OK);
    assert_in_range(drift_alloc_live_bytes(DRIFT_TAG_MODEL) - before, 0, justified_bytes(file.len));
    uint64_t value = 0;
    assert_int_equal(drift_gguf_get_u64(c.gguf, "19999", &value, NULL), DRIFT_STATUS_OK);
    assert_int_equal(value, 19999 & 255);
    close_copy(&c);
    assert_int_equal(drift_alloc_live_bytes(DRIFT_TAG_MODEL), before);
    drift_buf_fini(&file);
}

static void test_gguf__allocations_fail__error_and_nothing_kept(void **state)
{
    (void)state;
    struct gguf_writer w;
    struct drift_buf file;
    write_sample(&w);
    finish(&w, &file);
    uint64_t before = drift_alloc_live_bytes(DRIFT_TAG_COUNT);
    for (uint64_t n = 1;; n++) {
        struct copy c;
        drift_alloc_fail_nth(n, 0);
        enum drift_status status = open_copy(&c, file.data, file.len);
        int happened = drift_alloc_fail_happened();
        drift_alloc_fail_nth(0, 0);
        assert_int_equal(status, happened ? DRIFT_STATUS_NO_MEMORY : DRIFT_STATUS_OK);
        close_copy(&c);
        assert_int_equal(drift_alloc_live_bytes(DRIFT_TAG_COUNT), before);
        if (!happened)
            break;
    }
    drift_buf_fini(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gguf__good_file__header_is_reported),
        cmocka_unit_test(test_gguf__integers__any_width_with_range_check),
        cmocka_unit_test(test_gguf__other_scalars__read),
        cmocka_unit_test(test_gguf__absent_and_wrong_types__named),
        cmocka_unit_test(test_gguf__arrays__elements_and_ends),
        cmocka_unit_test(test_gguf__tensors__found_with_their_bytes),
        cmocka_unit_test(test_gguf__file_on_disk__mapped_like_memory),
        cmocka_unit_test(test_gguf__truncated_anywhere__refused),
        cmocka_unit_test(test_gguf__every_byte_changed__no_harm),
        cmocka_unit_test(test_gguf__bad_files__refused_with_the_reason),
        cmocka_unit_test(test_gguf__not_gguf__refused),
        cmocka_unit_test(test_gguf__unknown_tensor_type__listed_not_refused),
        cmocka_unit_test(test_gguf__version_2__read),
        cmocka_unit_test(test_gguf__print__aligned_and_escaped),
        cmocka_unit_test(test_gguf__many_names__memory_in_proportion),
        cmocka_unit_test(test_gguf__allocations_fail__error_and_nothing_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

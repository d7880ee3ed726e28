/*
 * plan.h: a small valid plan, and a table of ways to break it. Each must be refused as INVALID with
 * a reason.
 *
 * The plan is one layer's worth of ops; edits change one field of a copy of it.
 */
#include "backends/backend_impl.h"
#include "tests/unit/unit.h"

#include <math.h>
#include <string.h>

enum tensor_name {
    TOKENS,
    POSITIONS,
    SEQUENCES,
    SLOTS,
    PAGE_TABLE,
    OUTPUT_ROWS,
    TABLE,
    NORM,
    FREQS,
    BIAS,
    K_CACHE,
    V_CACHE,
    X, /* [tokens, 32] */
    H, /* norm of X */
    Q, /* rope of H */
    A, /* attention */
    S, /* X + A, in place of A */
    G, /* gathered */
    LOGITS,
    N_TENSORS
};

enum op_name {
    OP_EMBED,
    OP_NORM,
    OP_ROPE,
    OP_WRITE,
    OP_ATTEND,
    OP_ADD,
    OP_GATHER,
    OP_HEAD,
    OP_CAP,
    N_OPS
};

#define NONE DRIFT_TENSOR_NONE

struct fixture {
    struct drift_weight table, norm, freqs, bias;
    struct drift_cache cache;
    struct drift_tensor tensors[N_TENSORS];
    struct drift_op ops[N_OPS];
    struct drift_plan plan;
};

static struct drift_tensor value(const char *name, enum drift_rows rows, uint32_t n_rows,
                                 uint32_t n_cols, uint64_t offset)
{
    return (struct drift_tensor){.name = name,
                                 .role = DRIFT_TENSOR_ACTIVATION,
                                 .dtype = DRIFT_DTYPE_F32,
                                 .rows = rows,
                                 .n_rows = n_rows,
                                 .n_cols = n_cols,
                                 .u.arena_offset = offset};
}

static struct drift_tensor input(enum drift_input input, enum drift_rows rows, uint32_t n_rows,
                                 uint32_t n_cols)
{
    return (struct drift_tensor){.name = "input",
                                 .role = DRIFT_TENSOR_INPUT,
                                 .dtype = DRIFT_DTYPE_I32,
                                 .rows = rows,
                                 .n_rows = n_rows,
                                 .n_cols = n_cols,
                                 .u.input = input};
}

static struct drift_tensor constant(const char *name, const struct drift_weight *w)
{
    return (struct drift_tensor){.name = name,
                                 .role = DRIFT_TENSOR_WEIGHT,
                                 .dtype = w->dtype,
                                 .rows = DRIFT_ROWS_FIXED,
                                 .n_rows = w->n_rows,
                                 .n_cols = w->n_cols,
                                 .u.weight = w};
}

static struct drift_tensor cache(struct drift_cache *c, bool is_v)
{
    return (struct drift_tensor){
        .name = is_v ? "v_cache" : "k_cache",
        .role = DRIFT_TENSOR_CACHE,
        .dtype = c->desc.dtype,
        .rows = DRIFT_ROWS_FIXED,
        .n_rows = c->desc.n_pages * c->desc.page_tokens,
        .n_cols = c->desc.n_kv_heads * c->desc.head_dim,
        .u.kv = {c, 1, is_v}
    };
}

static void fill_tensors(struct fixture *f)
{
    struct drift_tensor *t = f->tensors;
    t[TOKENS] = input(DRIFT_INPUT_TOKENS, DRIFT_ROWS_TOKENS, 8, 1);
    t[POSITIONS] = input(DRIFT_INPUT_POSITIONS, DRIFT_ROWS_TOKENS, 8, 1);
    t[SEQUENCES] = input(DRIFT_INPUT_SEQUENCES, DRIFT_ROWS_TOKENS, 8, 1);
    t[SLOTS] = input(DRIFT_INPUT_SLOTS, DRIFT_ROWS_TOKENS, 8, 1);
    t[PAGE_TABLE] = input(DRIFT_INPUT_PAGE_TABLE, DRIFT_ROWS_FIXED, 4, 3);
    t[OUTPUT_ROWS] = input(DRIFT_INPUT_OUTPUT_ROWS, DRIFT_ROWS_OUTPUTS, 2, 1);
    t[TABLE] = constant("table", &f->table);
    t[NORM] = constant("norm", &f->norm);
    t[FREQS] = constant("freqs", &f->freqs);
    t[BIAS] = constant("bias", &f->bias);
    t[K_CACHE] = cache(&f->cache, false);
    t[V_CACHE] = cache(&f->cache, true);
    t[X] = value("x", DRIFT_ROWS_TOKENS, 8, 32, 0);
    t[H] = value("h", DRIFT_ROWS_TOKENS, 8, 32, 1024);
    t[Q] = value("q", DRIFT_ROWS_TOKENS, 8, 32, 2048);
    t[A] = value("a", DRIFT_ROWS_TOKENS, 8, 32, 1024);
    t[S] = value("s", DRIFT_ROWS_TOKENS, 8, 32, 1024);
    t[G] = value("g", DRIFT_ROWS_OUTPUTS, 2, 32, 2048);
    t[LOGITS] = value("logits", DRIFT_ROWS_OUTPUTS, 2, 50, 2304);
    t[LOGITS].role = DRIFT_TENSOR_OUTPUT;
}

static void fill_ops(struct fixture *f)
{
    f->ops[OP_EMBED] = (struct drift_op){
        DRIFT_OP_EMBED,
        {TABLE, TOKENS, NONE, NONE, NONE, NONE},
        {X, NONE  },
        .attr.scale.factor = 1.0f
    };
    f->ops[OP_NORM] = (struct drift_op){
        DRIFT_OP_RMS_NORM, {X,     NORM, NONE, NONE, NONE, NONE},
         {H, NONE},
         .attr.norm = {1e-5f,     16        }
    };
    f->ops[OP_ROPE] = (struct drift_op){
        DRIFT_OP_ROPE,
        {H,                 POSITIONS, FREQS, NONE, NONE, NONE},
        {Q,             NONE                     },
        .attr.rope = {DRIFT_ROPE_HALVES, 16,        8,                           1.0f              }
    };
    f->ops[OP_WRITE] = (struct drift_op){
        DRIFT_OP_CACHE_WRITE, {Q,        H, SLOTS, K_CACHE, V_CACHE, NONE},
         {NONE,   NONE},
         .attr = {{0}}
    };
    f->ops[OP_ATTEND] = (struct drift_op){
        DRIFT_OP_ATTENTION,
        {Q,      K_CACHE, V_CACHE, POSITIONS, SEQUENCES, PAGE_TABLE},
        {A,      NONE   },
        .attr.attention = {2, 2,    16,        0,                 0.25f,                         0.0f                             }
    };
    f->ops[OP_ADD] = (struct drift_op){
        DRIFT_OP_ADD, {X,     A, NONE, NONE, NONE, NONE},
         {S, NONE},
         .attr = {{0}}
    };
    f->ops[OP_GATHER] = (struct drift_op){
        DRIFT_OP_GATHER_ROWS, {S,     OUTPUT_ROWS, NONE, NONE, NONE, NONE},
         {G, NONE},
         .attr = {{0}}
    };
    f->ops[OP_HEAD] = (struct drift_op){
        DRIFT_OP_MATMUL, {G,     TABLE, BIAS, NONE, NONE, NONE},
         {LOGITS, NONE},
         .attr = {{0}}
    };
    f->ops[OP_CAP] = (struct drift_op){
        DRIFT_OP_SOFTCAP,
        {LOGITS, NONE, NONE, NONE, NONE, NONE},
        {LOGITS,  NONE },
        .attr.softcap.cap = 30.0f
    };
}

static void make_plan(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    f->table = (struct drift_weight){.dtype = DRIFT_DTYPE_Q8_0,
                                     .n_rows = 50,
                                     .n_cols = 32,
                                     .use = DRIFT_WEIGHT_LOOKUP | DRIFT_WEIGHT_MATMUL};
    f->norm = (struct drift_weight){
        .dtype = DRIFT_DTYPE_F32, .n_rows = 1, .n_cols = 16, .use = DRIFT_WEIGHT_VECTOR};
    f->freqs = (struct drift_weight){
        .dtype = DRIFT_DTYPE_F32, .n_rows = 1, .n_cols = 4, .use = DRIFT_WEIGHT_VECTOR};
    f->bias = (struct drift_weight){
        .dtype = DRIFT_DTYPE_F32, .n_rows = 1, .n_cols = 50, .use = DRIFT_WEIGHT_VECTOR};
    f->cache.desc = (struct drift_cache_desc){2, 12, 16, 2, 16, DRIFT_DTYPE_F16};
    f->plan = (struct drift_plan){.name = "test",
                                  .stage = DRIFT_STAGE_THIN,
                                  .max_tokens = 8,
                                  .max_outputs = 2,
                                  .max_sequences = 4,
                                  .max_pages = 3,
                                  .tensors = f->tensors,
                                  .n_tensors = N_TENSORS,
                                  .ops = f->ops,
                                  .n_ops = N_OPS,
                                  .arena_bytes = 4096};
    fill_tensors(f);
    fill_ops(f);
}

static void test_plan__valid__accepted(void **state)
{
    (void)state;
    struct fixture f;
    struct drift_error err = {0};
    make_plan(&f);
    enum drift_status status = drift_plan_validate(&f.plan, &err);
    assert_string_equal(err.msg, "");
    assert_int_equal(status, DRIFT_STATUS_OK);
}

/* One edit of the valid plan each; `says` must be in the message. */
#define BREAKS(CASE_)                                                                              \
    CASE_(f->plan.stage = DRIFT_STAGE_COUNT, "unknown stage")                                      \
    CASE_(f->plan.max_tokens = 0, "no tokens")                                                     \
    CASE_(f->plan.max_tokens = 17, "thin stage")                                                   \
    CASE_(f->plan.ops = NULL, "table is missing")                                                  \
    CASE_(f->plan.n_ops = 0, "no tokens")                                                          \
    CASE_(f->tensors[X].role = DRIFT_TENSOR_ROLE_COUNT, "unknown role")                            \
    CASE_(f->tensors[X].dtype = DRIFT_DTYPE_F16, "are F32")                                        \
    CASE_(f->tensors[X].rows = DRIFT_ROWS_COUNT, "unknown role")                                   \
    CASE_(f->tensors[X].n_cols = 0, "empty")                                                       \
    CASE_(f->tensors[X].n_rows = 7, "maximum")                                                     \
    CASE_(f->tensors[X].n_cols = 64, "plan \"test\"")                                              \
    CASE_(f->tensors[X].u.arena_offset = 128, "aligned")                                           \
    CASE_(f->tensors[X].u.arena_offset = 3328, "outside the arena")                                \
    CASE_(f->tensors[X].u.arena_offset = UINT64_MAX - 255, "outside the arena")                    \
    CASE_(f->plan.arena_bytes = 2688, "outside the arena")                                         \
    CASE_(f->tensors[X].u.arena_offset = 1024, "overlaps")                                         \
    CASE_(f->tensors[Q].u.arena_offset = 1280, "overlaps")                                         \
    CASE_(f->tensors[S].u.arena_offset = 1280, "overlaps")                                         \
    CASE_(f->tensors[LOGITS].rows = DRIFT_ROWS_TOKENS, "maximum")                                  \
    CASE_(f->tensors[G].role = DRIFT_TENSOR_OUTPUT, "second output")                               \
    CASE_(f->tensors[TOKENS].dtype = DRIFT_DTYPE_F32, "I32")                                       \
    CASE_(f->tensors[TOKENS].u.input = DRIFT_INPUT_COUNT, "unknown input")                         \
    CASE_(f->tensors[TOKENS].n_cols = 2, "shape is not the input's")                               \
    CASE_(f->tensors[PAGE_TABLE].n_cols = 4, "shape is not the input's")                           \
    CASE_(f->tensors[PAGE_TABLE].n_rows = 3, "shape is not the input's")                           \
    CASE_(f->tensors[TABLE].u.weight = NULL, "no weight")                                          \
    CASE_(f->tensors[TABLE].n_rows = 51, "differs from the weight's")                              \
    CASE_(f->tensors[TABLE].dtype = DRIFT_DTYPE_Q4_0, "differs from the weight's")                 \
    CASE_(f->tensors[NORM].rows = DRIFT_ROWS_TOKENS, "maximum")                                    \
    CASE_(f->tensors[K_CACHE].u.kv.cache = NULL, "no cache")                                       \
    CASE_(f->tensors[K_CACHE].u.kv.layer = 2, "no such layer")                                     \
    CASE_(f->tensors[K_CACHE].n_cols = 31, "differs from the cache's")                             \
    CASE_(f->tensors[V_CACHE].u.kv.layer = 0, "different caches or layers")                        \
    CASE_(f->tensors[V_CACHE].u.kv.is_v = false, "does not fit")                                   \
    CASE_(f->table.use = DRIFT_WEIGHT_MATMUL, "does not fit")                                      \
    CASE_(f->table.use = DRIFT_WEIGHT_LOOKUP, "does not fit")                                      \
    CASE_(f->norm.use = DRIFT_WEIGHT_MATMUL, "does not fit")                                       \
    CASE_(f->ops[OP_EMBED].kind = DRIFT_OP_COUNT, "unknown op")                                    \
    CASE_(f->ops[OP_EMBED].src[0] = N_TENSORS, "out of range")                                     \
    CASE_(f->ops[OP_EMBED].src[1] = NONE, "missing")                                               \
    CASE_(f->ops[OP_EMBED].src[1] = POSITIONS, "does not fit")                                     \
    CASE_(f->ops[OP_EMBED].src[2] = X, "does not fit")                                             \
    CASE_(f->ops[OP_EMBED].dst[0] = NONE, "result is missing")                                     \
    CASE_(f->ops[OP_EMBED].dst[0] = N_TENSORS, "out of range")                                     \
    CASE_(f->ops[OP_EMBED].dst[0] = TABLE, "not an activation")                                    \
    CASE_(f->ops[OP_EMBED].dst[0] = G, "rows are not")                                             \
    CASE_(f->ops[OP_EMBED].dst[1] = H, "a result too many")                                        \
    CASE_(f->ops[OP_EMBED].attr.scale.factor = NAN, "not finite")                                  \
    CASE_(f->ops[OP_ROPE].src[0] = A, "before it is written")                                      \
    CASE_(f->ops[OP_NORM].attr.norm.group = 0, "whole groups")                                     \
    CASE_(f->ops[OP_NORM].attr.norm.group = 32, "length is not")                                   \
    CASE_(f->ops[OP_NORM].attr.norm.eps = -1.0f, "eps")                                            \
    CASE_(f->ops[OP_ROPE].attr.rope.head_dim = 24, "whole heads")                                  \
    CASE_(f->ops[OP_ROPE].attr.rope.head_dim = 1024, "whole heads")                                \
    CASE_(f->ops[OP_ROPE].attr.rope.n_rot = 7, "n_rot")                                            \
    CASE_(f->ops[OP_ROPE].attr.rope.n_rot = 18, "n_rot")                                           \
    CASE_(f->ops[OP_ROPE].attr.rope.n_rot = 6, "length is not")                                    \
    CASE_(f->ops[OP_ROPE].attr.rope.pairs = DRIFT_ROPE_COUNT, "rope pairs")                        \
    CASE_(f->ops[OP_ROPE].attr.rope.magnitude = 0.0f, "magnitude")                                 \
    CASE_(f->ops[OP_WRITE].dst[0] = H, "a result too many")                                        \
    CASE_(f->ops[OP_WRITE].src[2] = POSITIONS, "does not fit")                                     \
    CASE_(f->ops[OP_WRITE].src[3] = V_CACHE, "does not fit")                                       \
    CASE_(f->ops[OP_ATTEND].attr.attention.n_heads = 3, "n_kv_heads")                              \
    CASE_(f->ops[OP_ATTEND].attr.attention.n_heads = 4, "n_heads * head_dim")                      \
    CASE_(f->ops[OP_ATTEND].attr.attention.n_kv_heads = 1, "n_kv_heads")                           \
    CASE_(f->ops[OP_ATTEND].attr.attention.n_kv_heads = 0, "n_kv_heads")                           \
    CASE_(f->ops[OP_ATTEND].attr.attention.head_dim = 8, "head_dim")                               \
    CASE_(f->ops[OP_ATTEND].attr.attention.scale = INFINITY, "scale")                              \
    CASE_(f->ops[OP_ATTEND].attr.attention.softcap = -1.0f, "softcap")                             \
    CASE_(f->ops[OP_ATTEND].dst[0] = Q, "overlaps")                                                \
    CASE_(f->ops[OP_ADD].src[1] = G, "shape differs")                                              \
    CASE_(f->ops[OP_ADD].dst[0] = G, "shape differs")                                              \
    CASE_(f->ops[OP_GATHER].src[0] = G, "rows are not")                                            \
    CASE_(f->ops[OP_GATHER].dst[0] = S, "rows are not")                                            \
    CASE_(f->ops[OP_HEAD].src[0] = X, "rows differ")                                               \
    CASE_(f->ops[OP_HEAD].src[2] = NORM, "length differs")                                         \
    CASE_(f->ops[OP_HEAD].dst[0] = G, "columns differ")                                            \
    CASE_(f->ops[OP_CAP].attr.softcap.cap = 0.0f, "cap is not")

static void test_plan__broken__refused_with_the_reason(void **state)
{
    (void)state;
#define CASE(edit, says)                                                                           \
    do {                                                                                           \
        struct fixture fixture, *f = &fixture;                                                     \
        struct drift_error err = {0};                                                              \
        make_plan(f);                                                                              \
        edit;                                                                                      \
        enum drift_status status = drift_plan_validate(&f->plan, &err);                            \
        if (status != DRIFT_STATUS_INVALID || !strstr(err.msg, says))                              \
            fail_msg("%s: status %s, message \"%s\"", #edit, drift_status_name(status), err.msg);  \
    } while (0);
    BREAKS(CASE)
}

static void test_plan__op_names__are_the_table_s(void **state)
{
    (void)state;
    assert_string_equal(drift_op_name(DRIFT_OP_EMBED), "embed");
    assert_string_equal(drift_op_name(DRIFT_OP_GATHER_ROWS), "gather_rows");
    assert_string_equal(drift_op_name(DRIFT_OP_COUNT), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plan__valid__accepted),
        cmocka_unit_test(test_plan__broken__refused_with_the_reason),
        cmocka_unit_test(test_plan__op_names__are_the_table_s),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * A plan of three or so ops per problem: EMBED from F32 tables brings the sources in, the op under
 * test, GATHER_ROWS takes its rows to the output.
 */
#include "tests/conformance/runner.h"

#include "runtime/base/alloc.h"

#include <string.h>

#define MAX_TENSORS 24
#define MAX_OPS     10
#define MAX_WEIGHTS 6

struct runner {
    struct drift_device *device;
    const struct conf_problem *p;
    struct drift_error *err;
    enum drift_status status; /* the first failure */
    struct drift_tensor tensors[MAX_TENSORS];
    struct drift_op ops[MAX_OPS];
    struct drift_plan plan;
    struct drift_weight *weights[MAX_WEIGHTS];
    uint32_t n_weights;
    struct drift_cache *cache;
    struct drift_program *program;
    int32_t *numbers; /* tokens, positions, sequences, slots, output rows: max_tokens each */
    int32_t *page_table;
};

static uint32_t add_tensor(struct runner *r, struct drift_tensor tensor)
{
    DRIFT_ASSERT(r->plan.n_tensors < MAX_TENSORS);
    r->tensors[r->plan.n_tensors] = tensor;
    return r->plan.n_tensors++;
}

static uint32_t add_value(struct runner *r, uint32_t n_cols, bool is_output)
{
    uint32_t n_rows = is_output ? r->plan.max_outputs : r->plan.max_tokens;
    uint64_t bytes = (uint64_t)n_rows * n_cols * sizeof(float);
    uint64_t offset = r->plan.arena_bytes;
    r->plan.arena_bytes += (bytes + DRIFT_ARENA_ALIGN - 1) / DRIFT_ARENA_ALIGN * DRIFT_ARENA_ALIGN;
    return add_tensor(r, (struct drift_tensor){
                             .name = is_output ? "output" : "value",
                             .role = is_output ? DRIFT_TENSOR_OUTPUT : DRIFT_TENSOR_ACTIVATION,
                             .dtype = DRIFT_DTYPE_F32,
                             .rows = is_output ? DRIFT_ROWS_OUTPUTS : DRIFT_ROWS_TOKENS,
                             .n_rows = n_rows,
                             .n_cols = n_cols,
                             .u.arena_offset = offset,
                         });
}

static uint32_t add_input(struct runner *r, enum drift_input input)
{
    bool is_table = input == DRIFT_INPUT_PAGE_TABLE, is_rows = input == DRIFT_INPUT_OUTPUT_ROWS;
    return add_tensor(r, (struct drift_tensor){
                             .name = "input",
                             .role = DRIFT_TENSOR_INPUT,
                             .dtype = DRIFT_DTYPE_I32,
                             .rows = is_table  ? DRIFT_ROWS_FIXED
                                     : is_rows ? DRIFT_ROWS_OUTPUTS
                                               : DRIFT_ROWS_TOKENS,
                             .n_rows = is_table  ? r->plan.max_sequences
                                       : is_rows ? r->plan.max_outputs
                                                 : r->plan.max_tokens,
                             .n_cols = is_table ? r->plan.max_pages : 1,
                             .u.input = input,
                         });
}

static uint32_t add_weight(struct runner *r, const struct conf_table *table, uint32_t use)
{
    struct drift_weight_desc desc = {
        .name = "weight",
        .dtype = table->dtype,
        .n_rows = table->n_rows,
        .n_cols = table->n_cols,
        .use = use,
        .data = table->bytes,
    };
    struct drift_weight *weight = NULL;
    if (r->status == DRIFT_STATUS_OK)
        r->status = drift_weight_create(r->device, &desc, &weight, r->err);
    if (weight) {
        DRIFT_ASSERT(r->n_weights < MAX_WEIGHTS);
        r->weights[r->n_weights++] = weight;
    }
    return add_tensor(r, (struct drift_tensor){
                             .name = "weight",
                             .role = DRIFT_TENSOR_WEIGHT,
                             .dtype = table->dtype,
                             .rows = DRIFT_ROWS_FIXED,
                             .n_rows = table->n_rows,
                             .n_cols = table->n_cols,
                             .u.weight = weight,
                         });
}

static uint32_t add_cache(struct runner *r, bool is_v)
{
    const struct drift_op *op = &r->p->c->attr;
    uint32_t n_pages = r->plan.max_pages * r->plan.max_sequences;
    struct drift_cache_desc desc = {
        .n_layers = 2,
        .n_pages = n_pages,
        .page_tokens = r->p->c->page_tokens,
        .n_kv_heads = op->attr.attention.n_kv_heads,
        .head_dim = op->attr.attention.head_dim,
        .dtype = r->p->c->dtype,
    };
    if (r->status == DRIFT_STATUS_OK && !r->cache)
        r->status = drift_cache_create(r->device, &desc, &r->cache, r->err);
    return add_tensor(r, (struct drift_tensor){
                             .name = is_v ? "v" : "k",
                             .role = DRIFT_TENSOR_CACHE,
                             .dtype = desc.dtype,
                             .rows = DRIFT_ROWS_FIXED,
                             .n_rows = n_pages * desc.page_tokens,
                             .n_cols = desc.n_kv_heads * desc.head_dim,
                             .u.kv = {r->cache, 1, is_v},
    });
}

static void add_op(struct runner *r, enum drift_op_kind kind, const struct drift_op *attr,
                   uint32_t dst, const uint32_t *src, uint32_t n_src)
{
    DRIFT_ASSERT(r->plan.n_ops < MAX_OPS);
    struct drift_op *op = &r->ops[r->plan.n_ops++];
    *op = *attr;
    op->kind = kind;
    for (uint32_t i = 0; i < DRIFT_OP_MAX_SRC; i++)
        op->src[i] = i < n_src ? src[i] : DRIFT_TENSOR_NONE;
    for (uint32_t i = 0; i < DRIFT_OP_MAX_DST; i++)
        op->dst[i] = i == 0 ? dst : DRIFT_TENSOR_NONE;
}

static uint32_t add_source(struct runner *r, const struct conf_table *table, uint32_t tokens)
{
    static const struct drift_op copy = {.attr.scale.factor = 1.0f};
    uint32_t weight = add_weight(r, table, DRIFT_WEIGHT_LOOKUP);
    uint32_t dst = add_value(r, table->n_cols, false);
    add_op(r, DRIFT_OP_EMBED, &copy, dst, (uint32_t[]){weight, tokens}, 2);
    return dst;
}

static void add_attention(struct runner *r, uint32_t positions, uint32_t tokens, uint32_t dst)
{
    uint32_t q = add_source(r, &r->p->source[0], tokens);
    uint32_t k = add_source(r, &r->p->source[1], tokens);
    uint32_t v = add_source(r, &r->p->source[2], tokens);
    uint32_t k_cache = add_cache(r, false), v_cache = add_cache(r, true);
    uint32_t slots = add_input(r, DRIFT_INPUT_SLOTS);
    uint32_t sequences = add_input(r, DRIFT_INPUT_SEQUENCES);
    uint32_t pages = add_input(r, DRIFT_INPUT_PAGE_TABLE);
    add_op(r, DRIFT_OP_CACHE_WRITE, &r->p->c->attr, DRIFT_TENSOR_NONE,
           (uint32_t[]){k, v, slots, k_cache, v_cache}, 5);
    add_op(r, DRIFT_OP_ATTENTION, &r->p->c->attr, dst,
           (uint32_t[]){q, k_cache, v_cache, positions, sequences, pages}, 6);
}

static void add_tested_op(struct runner *r, uint32_t dst)
{
    const struct conf_problem *p = r->p;
    uint32_t tokens = add_input(r, DRIFT_INPUT_TOKENS);
    uint32_t positions = add_input(r, DRIFT_INPUT_POSITIONS);
    uint32_t src[3] = {DRIFT_TENSOR_NONE, DRIFT_TENSOR_NONE, DRIFT_TENSOR_NONE};
    if (p->c->kind == DRIFT_OP_ATTENTION) {
        add_attention(r, positions, tokens, dst);
        return;
    }
    if (p->c->kind == DRIFT_OP_EMBED) {
        src[0] = add_weight(r, &p->weight, DRIFT_WEIGHT_LOOKUP);
        src[1] = tokens;
    } else {
        for (uint32_t i = 0; i < p->n_sources; i++)
            src[i] = add_source(r, &p->source[i], tokens);
    }
    if (p->c->kind == DRIFT_OP_MATMUL) {
        src[1] = add_weight(r, &p->weight, DRIFT_WEIGHT_MATMUL);
        if (p->c->has_bias)
            src[2] = add_weight(r, &p->bias, DRIFT_WEIGHT_VECTOR);
    } else if (p->c->kind == DRIFT_OP_RMS_NORM) {
        src[1] = add_weight(r, &p->weight, DRIFT_WEIGHT_VECTOR);
    } else if (p->c->kind == DRIFT_OP_ROPE) {
        src[1] = positions;
        src[2] = add_weight(r, &p->weight, DRIFT_WEIGHT_VECTOR);
    }
    add_op(r, p->c->kind, &p->c->attr, dst, src, 3);
}

static void build(struct runner *r, enum drift_stage stage)
{
    const struct conf_problem *p = r->p;
    uint32_t n = p->n_tokens;
    if (stage == DRIFT_STAGE_THIN && n > DRIFT_THIN_MAX_TOKENS)
        n = DRIFT_THIN_MAX_TOKENS;
    r->plan = (struct drift_plan){
        .name = p->c->name,
        .stage = stage,
        .max_tokens = n,
        .max_outputs = n,
        .max_sequences = p->n_sequences,
        .tensors = r->tensors,
        .ops = r->ops,
    };
    if (p->c->kind == DRIFT_OP_ATTENTION)
        r->plan.max_pages = (p->sequence_rows + p->c->page_tokens - 1) / p->c->page_tokens;
    uint32_t value = add_value(r, p->n_out_cols, false);
    add_tested_op(r, value);
    uint32_t output = add_value(r, p->n_out_cols, true);
    uint32_t rows = add_input(r, DRIFT_INPUT_OUTPUT_ROWS);
    static const struct drift_op none = {0};
    add_op(r, DRIFT_OP_GATHER_ROWS, &none, output, (uint32_t[]){value, rows}, 2);
    if (r->status == DRIFT_STATUS_OK)
        r->status = drift_program_create(r->device, &r->plan, &r->program, r->err);
    if (r->status == DRIFT_STATUS_OK)
        r->status = drift_device_reserve_arena(r->device, r->plan.arena_bytes, r->err);
    r->numbers = drift_alloc(DRIFT_TAG_BASE, (size_t)n * 5, sizeof(int32_t));
    r->page_table = drift_alloc(DRIFT_TAG_BASE, (size_t)r->plan.max_sequences * r->plan.max_pages,
                                sizeof(int32_t));
    DRIFT_ASSERT(r->numbers && r->page_table);
    /* Pages of the sequences interleaved and backwards, so that no page is where its number says.
     */
    uint32_t n_pages = r->plan.max_sequences * r->plan.max_pages;
    for (uint32_t s = 0; s < r->plan.max_sequences; s++) {
        for (uint32_t i = 0; i < r->plan.max_pages; i++)
            r->page_table[s * r->plan.max_pages + i] =
                (int32_t)(n_pages - 1 - (i * r->plan.max_sequences + s));
    }
}

/* A token of the batch: a source row at a position of a sequence. */
static void put_token(struct runner *r, uint32_t t, int32_t row, int32_t position, int32_t sequence)
{
    uint32_t n = r->plan.max_tokens;
    r->numbers[t] = row;
    r->numbers[n + t] = position;
    r->numbers[2 * n + t] = sequence;
    r->numbers[4 * n + t] = (int32_t)t;
    if (r->cache) {
        int32_t page_tokens = (int32_t)r->p->c->page_tokens;
        int32_t page = r->page_table[(uint32_t)sequence * r->plan.max_pages +
                                     (uint32_t)(position / page_tokens)];
        r->numbers[3 * n + t] = page * page_tokens + position % page_tokens;
    }
}

static void run_batch(struct runner *r, uint32_t n_tokens, float *out)
{
    uint32_t n = r->plan.max_tokens;
    struct drift_batch batch = {
        .n_tokens = n_tokens,
        .n_outputs = out ? n_tokens : 0,
        .n_sequences = r->plan.max_sequences,
        .tokens = r->numbers,
        .positions = r->numbers + n,
        .sequences = r->numbers + 2 * (size_t)n,
        .slots = r->numbers + 3 * (size_t)n,
        .output_rows = r->numbers + 4 * (size_t)n,
        .page_table = r->page_table,
        .outputs = out,
    };
    if (r->status == DRIFT_STATUS_OK)
        r->status = drift_program_run(r->program, &batch, r->err);
}

/* Write K and V of a sequence's positions before `end`. */
static void fill_cache(struct runner *r, int32_t sequence, int32_t end)
{
    int32_t base = sequence * (int32_t)r->p->sequence_rows;
    for (int32_t position = 0; position < end;) {
        uint32_t n = 0;
        for (; n < r->plan.max_tokens && position < end; n++, position++)
            put_token(r, n, base + position, position, sequence);
        run_batch(r, n, NULL);
    }
}

static void run_tokens(struct runner *r, uint32_t first, uint32_t count, float *out)
{
    const struct conf_problem *p = r->p;
    for (uint32_t i = 0; r->cache && i < count; i++) {
        if (i == 0 || p->sequences[first + i] != p->sequences[first + i - 1])
            fill_cache(r, p->sequences[first + i], p->positions[first + i]);
    }
    for (uint32_t i = 0; i < count; i++)
        put_token(r, i, p->rows[first + i], p->positions[first + i], p->sequences[first + i]);
    run_batch(r, count, out);
}

enum drift_status conf_run(struct drift_device *device, const struct conf_problem *p,
                           enum drift_stage stage, uint32_t first, uint32_t count, float *out,
                           struct drift_error *err)
{
    struct runner r = {.device = device, .p = p, .err = err, .status = DRIFT_STATUS_OK};
    build(&r, stage);
    if (r.status == DRIFT_STATUS_OK)
        run_tokens(&r, first, count, out);
    drift_program_destroy(r.program);
    for (uint32_t i = 0; i < r.n_weights; i++)
        drift_weight_destroy(r.weights[i]);
    drift_cache_destroy(r.cache);
    drift_free(r.numbers);
    drift_free(r.page_table);
    return r.status;
}

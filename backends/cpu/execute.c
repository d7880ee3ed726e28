/*
 * Running a program's steps: how they are cut into chunks, and what each op does with its rows.
 *
 * Chunk counts depend on the batch and the number of threads, results do not: every kernel computes
 * whole rows or groups of columns. Called by the pool's threads; nothing here allocates or waits.
 */
#include "backends/cpu/cpu.h"
#include "backends/cpu/dequant.h"

#include <math.h>
#include <string.h>

/* Steps below this cost (columns touched) run on one thread. */
#define SERIAL_COST 32768u
/* Chunks per thread: enough to even out, few enough to be cheap. */
#define CHUNKS_PER_THREAD 8u
/* Tokens whose quantized rows stay in a core's cache while weights stream by. */
#define MATMUL_TOKENS 128u

static const struct drift_cpu_device *device_of(const struct drift_cpu_program *p)
{
    return (const struct drift_cpu_device *)p->base.device;
}

static const float *vector_of(const struct drift_cpu_program *p, uint32_t tensor)
{
    if (tensor == DRIFT_TENSOR_NONE)
        return NULL;
    return ((const struct drift_cpu_weight *)p->tensors[tensor].u.weight)->vector;
}

/* Row r of a value tensor. */
static float *row_of(const struct drift_cpu_program *p, uint32_t tensor, uint32_t r)
{
    return p->values[tensor] + (size_t)r * p->tensors[tensor].n_cols;
}

static void run_embed(const struct drift_cpu_program *p, const struct drift_cpu_op *o, uint32_t r)
{
    const struct drift_cpu_weight *w =
        (const struct drift_cpu_weight *)p->tensors[o->op.src[0]].u.weight;
    float *dst = row_of(p, o->op.dst[0], r);
    const uint8_t *row = w->rows + (size_t)p->batch.tokens[r] * w->row_bytes;
    drift_dequantize(w->base.dtype, row, dst, w->base.n_cols);
    if (o->op.attr.scale.factor != 1.0f)
        device_of(p)->kernels->scale(dst, dst, w->base.n_cols, o->op.attr.scale.factor);
}

static void run_rms_norm(const struct drift_cpu_program *p, const struct drift_cpu_op *o,
                         uint32_t r)
{
    const float *x = row_of(p, o->op.src[0], r), *weight = vector_of(p, o->op.src[1]);
    float *dst = row_of(p, o->op.dst[0], r);
    uint32_t group = o->op.attr.norm.group;
    for (uint32_t c = 0; c < p->tensors[o->op.dst[0]].n_cols; c += group)
        device_of(p)->kernels->rms_norm(dst + c, x + c, weight, group, o->op.attr.norm.eps);
}

static void run_rope_table(const struct drift_cpu_program *p, const struct drift_cpu_op *o,
                           uint32_t r)
{
    const struct drift_cpu_rope_table *table = &p->rope_tables[o->i_table];
    const float *inv_freq = ((const struct drift_cpu_weight *)table->inv_freq)->vector;
    uint32_t half = table->n_rot / 2;
    float *cosines = table->values + (size_t)r * table->n_rot;
    for (uint32_t i = 0; i < half; i++) {
        double angle = (double)p->batch.positions[r] * (double)inv_freq[i];
        cosines[i] = (float)(cos(angle) * (double)table->magnitude);
        cosines[half + i] = (float)(sin(angle) * (double)table->magnitude);
    }
}

static void run_rope(const struct drift_cpu_program *p, const struct drift_cpu_op *o, uint32_t r)
{
    const struct drift_cpu_rope_table *table = &p->rope_tables[o->i_table];
    uint32_t head_dim = o->op.attr.rope.head_dim;
    device_of(p)->kernels->rope[o->op.attr.rope.pairs](
        row_of(p, o->op.dst[0], r), row_of(p, o->op.src[0], r),
        table->values + (size_t)r * table->n_rot, p->tensors[o->op.dst[0]].n_cols / head_dim,
        head_dim, table->n_rot);
}

static void run_cache_write(const struct drift_cpu_program *p, const struct drift_cpu_op *o,
                            uint32_t r)
{
    const struct drift_tensor *k = &p->tensors[o->op.src[3]];
    struct drift_cpu_kv_layer kv =
        drift_cpu_cache_layer((const struct drift_cpu_cache *)k->u.kv.cache, k->u.kv.layer);
    device_of(p)->kernels->cache_write(&kv, (uint32_t)p->batch.slots[r], row_of(p, o->op.src[0], r),
                                       row_of(p, o->op.src[1], r));
}

static void run_add(const struct drift_cpu_program *p, const struct drift_cpu_op *o, uint32_t r)
{
    device_of(p)->kernels->add(row_of(p, o->op.dst[0], r), row_of(p, o->op.src[0], r),
                               row_of(p, o->op.src[1], r), p->tensors[o->op.dst[0]].n_cols);
}

static void run_mul(const struct drift_cpu_program *p, const struct drift_cpu_op *o, uint32_t r)
{
    device_of(p)->kernels->mul(row_of(p, o->op.dst[0], r), row_of(p, o->op.src[0], r),
                               row_of(p, o->op.src[1], r), p->tensors[o->op.dst[0]].n_cols);
}

static void run_glu(const struct drift_cpu_program *p, const struct drift_cpu_op *o, uint32_t r)
{
    device_of(p)->kernels->glu[o->op.attr.activation.kind](
        row_of(p, o->op.dst[0], r), row_of(p, o->op.src[0], r), row_of(p, o->op.src[1], r),
        p->tensors[o->op.dst[0]].n_cols);
}

static void run_activate(const struct drift_cpu_program *p, const struct drift_cpu_op *o,
                         uint32_t r)
{
    device_of(p)->kernels->activate[o->op.attr.activation.kind](
        row_of(p, o->op.dst[0], r), row_of(p, o->op.src[0], r), p->tensors[o->op.dst[0]].n_cols);
}

static void run_scale(const struct drift_cpu_program *p, const struct drift_cpu_op *o, uint32_t r)
{
    device_of(p)->kernels->scale(row_of(p, o->op.dst[0], r), row_of(p, o->op.src[0], r),
                                 p->tensors[o->op.dst[0]].n_cols, o->op.attr.scale.factor);
}

static void run_softcap(const struct drift_cpu_program *p, const struct drift_cpu_op *o, uint32_t r)
{
    device_of(p)->kernels->softcap(row_of(p, o->op.dst[0], r), row_of(p, o->op.src[0], r),
                                   p->tensors[o->op.dst[0]].n_cols, o->op.attr.softcap.cap);
}

static void run_gather_rows(const struct drift_cpu_program *p, const struct drift_cpu_op *o,
                            uint32_t r)
{
    memcpy(row_of(p, o->op.dst[0], r), row_of(p, o->op.src[0], (uint32_t)p->batch.output_rows[r]),
           p->tensors[o->op.dst[0]].n_cols * sizeof(float));
}

static void run_quantize(const struct drift_cpu_program *p, const struct drift_cpu_op *o,
                         uint32_t r)
{
    uint32_t n_cols = p->tensors[o->op.src[0]].n_cols;
    device_of(p)->kernels->quantize(row_of(p, o->op.src[0], r), n_cols, p->q + (size_t)r * n_cols,
                                    p->meta + (size_t)r * (n_cols / DRIFT_CPU_BLOCK));
}

typedef void (*run_row_fn)(const struct drift_cpu_program *p, const struct drift_cpu_op *o,
                           uint32_t r);

static const run_row_fn row_fns[DRIFT_CPU_OP_ROPE_TABLE + 1] = {
    [DRIFT_OP_EMBED] = run_embed,
    [DRIFT_OP_RMS_NORM] = run_rms_norm,
    [DRIFT_OP_ROPE] = run_rope,
    [DRIFT_OP_CACHE_WRITE] = run_cache_write,
    [DRIFT_OP_ADD] = run_add,
    [DRIFT_OP_MUL] = run_mul,
    [DRIFT_OP_GLU] = run_glu,
    [DRIFT_OP_ACTIVATE] = run_activate,
    [DRIFT_OP_SCALE] = run_scale,
    [DRIFT_OP_SOFTCAP] = run_softcap,
    [DRIFT_CPU_OP_QUANTIZE] = run_quantize,
    [DRIFT_OP_GATHER_ROWS] = run_gather_rows,
    [DRIFT_CPU_OP_ROPE_TABLE] = run_rope_table,
};

/* The i-th of n even parts of total. */
static uint32_t part_begin(uint32_t total, uint32_t i, uint32_t n)
{
    return (uint32_t)((uint64_t)total * i / n);
}

static void run_rows(const struct drift_cpu_program *p, const struct drift_cpu_step *step,
                     uint32_t chunk, uint32_t n_chunks)
{
    uint32_t n_rows = p->n_rows[step->rows];
    uint32_t end = part_begin(n_rows, chunk + 1, n_chunks);
    for (uint32_t r = part_begin(n_rows, chunk, n_chunks); r < end; r++) {
        for (uint32_t i = 0; i < step->n_ops; i++) {
            const struct drift_cpu_op *op = &p->ops[step->first_op + i];
            row_fns[op->kind](p, op, r);
        }
    }
}

/* Groups [begin, end) of one op for tokens [token, token_end). */
static void run_groups(const struct drift_cpu_program *p, const struct drift_cpu_op *o,
                       uint32_t begin, uint32_t end, uint32_t token, uint32_t token_end)
{
    const struct drift_cpu_device *device = device_of(p);
    const struct drift_cpu_weight *w =
        (const struct drift_cpu_weight *)p->tensors[o->op.src[1]].u.weight;
    struct drift_cpu_matmul m = {
        .w = &w->packed,
        .bias = vector_of(p, o->op.src[2]),
        .x = p->values[o->op.src[0]],
        .q = p->q,
        .meta = p->meta,
        .dst = p->values[o->op.dst[0]],
    };
    drift_cpu_matmul_fn fn = device->kernels->matmul_q8[w->base.dtype];
    if (!fn || device->float_activations)
        fn = device->kernels->matmul_f32[w->base.dtype];
    fn(&m, begin, end, token, token_end);
}

static uint32_t n_groups_of(const struct drift_cpu_program *p, const struct drift_cpu_op *o)
{
    return (p->tensors[o->op.src[1]].n_rows + DRIFT_CPU_GROUP_ROWS - 1) / DRIFT_CPU_GROUP_ROWS;
}

/* Units are (tile of tokens, group of any op), groups running faster. */
static uint32_t n_matmul_units(const struct drift_cpu_program *p, const struct drift_cpu_step *step)
{
    uint32_t n_tiles = (p->n_rows[step->rows] + MATMUL_TOKENS - 1) / MATMUL_TOKENS;
    uint64_t units = (uint64_t)n_tiles * step->n_groups;
    return units > UINT32_MAX ? UINT32_MAX : (uint32_t)units;
}

static void run_matmul(const struct drift_cpu_program *p, const struct drift_cpu_step *step,
                       uint32_t chunk, uint32_t n_chunks)
{
    uint32_t n_units = n_matmul_units(p, step);
    uint32_t unit = part_begin(n_units, chunk, n_chunks);
    uint32_t unit_end = part_begin(n_units, chunk + 1, n_chunks);
    while (unit < unit_end) {
        uint32_t tile = unit / step->n_groups, group = unit % step->n_groups, i = 0;
        while (group >= n_groups_of(p, &p->ops[step->first_op + i]))
            group -= n_groups_of(p, &p->ops[step->first_op + i++]);
        const struct drift_cpu_op *o = &p->ops[step->first_op + i];
        uint32_t n = n_groups_of(p, o) - group;
        if (n > unit_end - unit)
            n = unit_end - unit;
        uint32_t token = tile * MATMUL_TOKENS, token_end = token + MATMUL_TOKENS;
        if (token_end > p->n_rows[step->rows])
            token_end = p->n_rows[step->rows];
        run_groups(p, o, group, group + n, token, token_end);
        unit += n;
    }
}

static void run_attention(const struct drift_cpu_program *p, const struct drift_cpu_step *step,
                          uint32_t chunk, uint32_t n_chunks)
{
    const struct drift_cpu_op *o = &p->ops[step->first_op];
    const struct drift_tensor *k = &p->tensors[o->op.src[1]];
    struct drift_cpu_attention a = {
        .kv = drift_cpu_cache_layer((const struct drift_cpu_cache *)k->u.kv.cache, k->u.kv.layer),
        .q = p->values[o->op.src[0]],
        .dst = p->values[o->op.dst[0]],
        .positions = p->batch.positions,
        .sequences = p->batch.sequences,
        .page_table = p->batch.page_table,
        .max_pages = p->base.max_pages,
        .n_heads = o->op.attr.attention.n_heads,
        .window = o->op.attr.attention.window,
        .scale = o->op.attr.attention.scale,
        .softcap = o->op.attr.attention.softcap,
    };
    uint32_t n_kv_heads = a.kv.n_kv_heads;
    uint32_t n_units = p->n_runs * n_kv_heads;
    uint32_t end = part_begin(n_units, chunk + 1, n_chunks);
    for (uint32_t i = part_begin(n_units, chunk, n_chunks); i < end; i++) {
        const struct drift_cpu_run *run = &p->runs[i / n_kv_heads];
        device_of(p)->kernels->attention(&a, i % n_kv_heads, run->begin, run->end);
    }
}

/* Cut the batch's tokens into runs of one sequence; return the positions all of them see together.
 */
static uint64_t find_runs(struct drift_cpu_program *p)
{
    const struct drift_batch *b = &p->batch;
    uint64_t n_positions = 0;
    p->n_runs = 0;
    for (uint32_t t = 0; t < b->n_tokens; t++) {
        struct drift_cpu_run *run = p->n_runs ? &p->runs[p->n_runs - 1] : NULL;
        if (run && b->sequences[t] == b->sequences[run->begin] &&
            t - run->begin < DRIFT_CPU_RUN_TOKENS)
            run->end = t + 1;
        else
            p->runs[p->n_runs++] = (struct drift_cpu_run){t, t + 1};
        n_positions += (uint64_t)b->positions[t] + 1;
    }
    return n_positions;
}

static uint32_t smaller(uint64_t a, uint64_t b)
{
    return (uint32_t)(a < b ? a : b);
}

static uint32_t count_chunks(const struct drift_cpu_program *p, const struct drift_cpu_step *step,
                             uint64_t n_positions)
{
    uint32_t n_rows = p->n_rows[step->rows];
    uint32_t most = device_of(p)->n_threads * CHUNKS_PER_THREAD;
    const struct drift_cpu_op *o = &p->ops[step->first_op];
    if (n_rows == 0)
        return 0;
    if (device_of(p)->n_threads == 1)
        return 1;
    switch (step->kind) {
    case DRIFT_CPU_STEP_ROWS:
        return (uint64_t)n_rows * step->row_cost < SERIAL_COST ? 1 : smaller(n_rows, most);
    case DRIFT_CPU_STEP_MATMUL:
        return smaller(n_matmul_units(p, step), most);
    case DRIFT_CPU_STEP_ATTENTION:
        if (n_positions * p->tensors[o->op.src[0]].n_cols < SERIAL_COST)
            return 1;
        return smaller((uint64_t)p->n_runs * o->op.attr.attention.n_kv_heads, most * 4);
    }
    return 1;
}

static void execute_start(const struct drift_cpu_job *job, const uint32_t **ret_n_chunks,
                          uint32_t *ret_n_steps)
{
    struct drift_cpu_program *p = job->program;
    const struct drift_cpu_device *device = device_of(p);
    p->batch = job->batch;
    p->n_rows[DRIFT_ROWS_FIXED] = 0;
    p->n_rows[DRIFT_ROWS_TOKENS] = p->batch.n_tokens;
    p->n_rows[DRIFT_ROWS_OUTPUTS] = p->batch.n_outputs;
    for (uint32_t i = 0; i < p->n_tensors; i++) {
        const struct drift_tensor *t = &p->tensors[i];
        if (t->role == DRIFT_TENSOR_ACTIVATION)
            p->values[i] = (float *)(void *)(device->arena + t->u.arena_offset);
        else if (t->role == DRIFT_TENSOR_OUTPUT)
            p->values[i] = p->batch.outputs; /* written in place, no copy at the end */
    }
    uint64_t n_positions = find_runs(p);
    for (uint32_t i = 0; i < p->n_steps; i++)
        p->n_chunks[i] = count_chunks(p, &p->steps[i], n_positions);
    *ret_n_chunks = p->n_chunks;
    *ret_n_steps = p->n_steps;
}

static void execute_run(const struct drift_cpu_job *job, uint32_t i_step, uint32_t chunk)
{
    const struct drift_cpu_program *p = job->program;
    const struct drift_cpu_step *step = &p->steps[i_step];
    uint32_t n_chunks = p->n_chunks[i_step];
    switch (step->kind) {
    case DRIFT_CPU_STEP_ROWS:
        run_rows(p, step, chunk, n_chunks);
        break;
    case DRIFT_CPU_STEP_MATMUL:
        run_matmul(p, step, chunk, n_chunks);
        break;
    case DRIFT_CPU_STEP_ATTENTION:
        run_attention(p, step, chunk, n_chunks);
        break;
    }
}

static void execute_finish(const struct drift_cpu_job *job)
{
    job->done(job->done_ctx, DRIFT_STATUS_OK, NULL);
}

const struct drift_cpu_job_ops drift_cpu_execute_ops = {
    .start = execute_start,
    .run = execute_run,
    .finish = execute_finish,
};

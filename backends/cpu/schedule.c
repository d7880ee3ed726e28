/*
 * From a plan to steps: which ops run together without waiting in between.
 *
 * Ops over single rows are chained as long as no two of them touch the same memory in different
 * rows: the arena is reused, so "different tensors" is not enough and ranges are compared. Matmuls
 * of the same source share a step and one quantization of it. Nothing is reordered except a matmul
 * past a chain that it does not depend on.
 */
#include "backends/cpu/cpu.h"
#include "backends/cpu/packing.h"

#include <string.h>

/* What a program may hold beside its plan, against absurd plans: 4 GiB. */
#define PROGRAM_CAP_BYTES ((size_t)4 << 30)

struct builder {
    struct drift_cpu_program *program;
    const struct drift_plan *plan;
    bool float_activations;
    uint32_t quantized; /* tensor whose q8 rows the buffer holds, or NONE */
};

static bool is_value(const struct drift_cpu_program *p, uint32_t tensor)
{
    if (tensor == DRIFT_TENSOR_NONE)
        return false;
    enum drift_tensor_role role = p->tensors[tensor].role;
    return role == DRIFT_TENSOR_ACTIVATION || role == DRIFT_TENSOR_OUTPUT;
}

static bool overlaps(const struct drift_cpu_program *p, uint32_t i, uint32_t j)
{
    if (!is_value(p, i) || !is_value(p, j))
        return false;
    const struct drift_tensor *a = &p->tensors[i], *b = &p->tensors[j];
    uint64_t a_end = a->u.arena_offset + (uint64_t)a->n_rows * a->n_cols * sizeof(float);
    uint64_t b_end = b->u.arena_offset + (uint64_t)b->n_rows * b->n_cols * sizeof(float);
    return a->u.arena_offset < b_end && b->u.arena_offset < a_end;
}

/* Row r of one tensor can only meet row r of the other. */
static bool same_row_memory(const struct drift_cpu_program *p, uint32_t i, uint32_t j)
{
    const struct drift_tensor *a = &p->tensors[i], *b = &p->tensors[j];
    return a->u.arena_offset == b->u.arena_offset && a->n_cols == b->n_cols && a->rows == b->rows &&
           a->role == b->role;
}

/* GATHER_ROWS reads rows of its own choice. */
static bool reads_other_rows(const struct drift_cpu_op *op)
{
    return op->kind == DRIFT_OP_GATHER_ROWS;
}

static bool clash(const struct drift_cpu_program *p, uint32_t written, uint32_t other,
                  bool other_rows)
{
    return overlaps(p, written, other) && (other_rows || !same_row_memory(p, written, other));
}

/* Whether b may follow a within a chain: no write of one meets an access of the other in another
 * row. */
static bool can_chain(const struct drift_cpu_program *p, const struct drift_cpu_op *a,
                      const struct drift_cpu_op *b)
{
    if (clash(p, a->op.dst[0], b->op.dst[0], false))
        return false;
    for (int i = 0; i < DRIFT_OP_MAX_SRC; i++) {
        if (clash(p, a->op.dst[0], b->op.src[i], reads_other_rows(b)) ||
            clash(p, b->op.dst[0], a->op.src[i], reads_other_rows(a)))
            return false;
    }
    return true;
}

/* Whether two ops touch nothing in common that one of them writes. */
static bool are_independent(const struct drift_cpu_program *p, const struct drift_cpu_op *a,
                            const struct drift_cpu_op *b)
{
    if (overlaps(p, a->op.dst[0], b->op.dst[0]))
        return false;
    for (int i = 0; i < DRIFT_OP_MAX_SRC; i++) {
        if (overlaps(p, a->op.dst[0], b->op.src[i]) || overlaps(p, b->op.dst[0], a->op.src[i]))
            return false;
    }
    return true;
}

static struct drift_cpu_step *last_step(struct drift_cpu_program *p, uint32_t back)
{
    return p->n_steps > back ? &p->steps[p->n_steps - 1 - back] : NULL;
}

static bool independent_of_step(const struct drift_cpu_program *p,
                                const struct drift_cpu_step *step, const struct drift_cpu_op *op)
{
    for (uint32_t i = 0; i < step->n_ops; i++) {
        if (!are_independent(p, &p->ops[step->first_op + i], op))
            return false;
    }
    return true;
}

/* Columns that the op touches in a row, weighted by what they cost. */
static uint32_t op_row_cost(const struct drift_cpu_program *p, const struct drift_cpu_op *op)
{
    uint32_t tensor = op->op.dst[0] != DRIFT_TENSOR_NONE ? op->op.dst[0] : op->op.src[0];
    uint32_t n_cols = p->tensors[tensor].n_cols;
    switch (op->kind) {
    case DRIFT_CPU_OP_ROPE_TABLE:
        return op->op.attr.rope.n_rot * 32;
    case DRIFT_OP_EMBED:
    case DRIFT_OP_CACHE_WRITE:
    case DRIFT_OP_GLU:
    case DRIFT_OP_ACTIVATE:
    case DRIFT_OP_SOFTCAP:
        return n_cols > UINT32_MAX / 8 ? UINT32_MAX / 8 : n_cols * 4;
    default:
        return n_cols;
    }
}

static enum drift_rows op_rows(const struct drift_cpu_program *p, const struct drift_cpu_op *op)
{
    uint32_t tensor = op->op.dst[0] != DRIFT_TENSOR_NONE ? op->op.dst[0] : op->op.src[0];
    return p->tensors[tensor].rows;
}

static void append_step(struct drift_cpu_program *p, enum drift_cpu_step_kind kind,
                        enum drift_rows rows)
{
    p->steps[p->n_steps++] =
        (struct drift_cpu_step){.kind = kind, .rows = rows, .first_op = p->n_ops};
}

static void append_op(struct drift_cpu_program *p, const struct drift_cpu_op *op)
{
    struct drift_cpu_step *step = last_step(p, 0);
    p->ops[p->n_ops++] = *op;
    step->n_ops++;
}

static void add_row_op(struct drift_cpu_program *p, const struct drift_cpu_op *op)
{
    struct drift_cpu_step *step = last_step(p, 0);
    enum drift_rows rows = op_rows(p, op);
    bool joins = step && step->kind == DRIFT_CPU_STEP_ROWS && step->rows == rows;
    for (uint32_t i = 0; joins && i < step->n_ops; i++)
        joins = can_chain(p, &p->ops[step->first_op + i], op);
    if (!joins)
        append_step(p, DRIFT_CPU_STEP_ROWS, rows);
    append_op(p, op);
    step = last_step(p, 0);
    uint32_t cost = op_row_cost(p, op);
    step->row_cost = step->row_cost > UINT32_MAX - cost ? UINT32_MAX : step->row_cost + cost;
}

/* Insert op at the end of the step before the last one. */
static void append_to_previous(struct drift_cpu_program *p, const struct drift_cpu_op *op)
{
    struct drift_cpu_step *last = last_step(p, 0);
    memmove(&p->ops[last->first_op + 1], &p->ops[last->first_op], last->n_ops * sizeof *p->ops);
    p->ops[last->first_op] = *op;
    last->first_op++;
    p->n_ops++;
    last_step(p, 1)->n_ops++;
}

static void add_matmul(struct builder *b, const struct drift_cpu_op *op)
{
    struct drift_cpu_program *p = b->program;
    const struct drift_weight *w = p->tensors[op->op.src[1]].u.weight;
    uint32_t n_groups = (w->n_rows + DRIFT_CPU_GROUP_ROWS - 1) / DRIFT_CPU_GROUP_ROWS;
    bool needs_q8 = !b->float_activations && drift_dtype_info(w->dtype)->n_elements > 1;
    bool has_q8 = !needs_q8 || b->quantized == op->op.src[0];
    struct drift_cpu_step *last = last_step(p, 0), *previous = last_step(p, 1);
    if (has_q8 && last && last->kind == DRIFT_CPU_STEP_MATMUL && last->rows == op_rows(p, op) &&
        independent_of_step(p, last, op)) {
        append_op(p, op);
        last->n_groups += n_groups;
        return;
    }
    if (has_q8 && previous && previous->kind == DRIFT_CPU_STEP_MATMUL &&
        last->kind == DRIFT_CPU_STEP_ROWS && previous->rows == op_rows(p, op) &&
        independent_of_step(p, last, op) && independent_of_step(p, previous, op)) {
        append_to_previous(p, op);
        previous->n_groups += n_groups;
        return;
    }
    if (!has_q8) {
        struct drift_cpu_op quantize = {.kind = DRIFT_CPU_OP_QUANTIZE, .op = op->op};
        for (int i = 1; i < DRIFT_OP_MAX_SRC; i++)
            quantize.op.src[i] = DRIFT_TENSOR_NONE;
        quantize.op.dst[0] = DRIFT_TENSOR_NONE;
        add_row_op(p, &quantize);
        b->quantized = op->op.src[0];
    }
    append_step(p, DRIFT_CPU_STEP_MATMUL, op_rows(p, op));
    append_op(p, op);
    last_step(p, 0)->n_groups = n_groups;
}

static uint32_t find_rope_table(const struct drift_cpu_program *p, const struct drift_op *op)
{
    const struct drift_weight *inv_freq = p->tensors[op->src[2]].u.weight;
    uint32_t i = 0;
    while (i < p->n_rope_tables && (p->rope_tables[i].inv_freq != inv_freq ||
                                    p->rope_tables[i].magnitude != op->attr.rope.magnitude))
        i++;
    return i;
}

/* The tables of all ROPE ops are the first thing a program computes. */
static void add_rope_tables(struct builder *b)
{
    struct drift_cpu_program *p = b->program;
    for (uint32_t i = 0; i < b->plan->n_ops; i++) {
        const struct drift_op *op = &b->plan->ops[i];
        if (op->kind != DRIFT_OP_ROPE)
            continue;
        uint32_t i_table = find_rope_table(p, op);
        if (i_table < p->n_rope_tables)
            continue;
        p->rope_tables[p->n_rope_tables++] = (struct drift_cpu_rope_table){
            .inv_freq = p->tensors[op->src[2]].u.weight,
            .magnitude = op->attr.rope.magnitude,
            .n_rot = op->attr.rope.n_rot,
            .values = drift_arena_alloc(
                &p->memory, (size_t)b->plan->max_tokens * op->attr.rope.n_rot, sizeof(float)),
        };
        struct drift_cpu_op table = {
            .kind = DRIFT_CPU_OP_ROPE_TABLE, .i_table = i_table, .op = *op};
        table.op.dst[0] = DRIFT_TENSOR_NONE;
        if (p->n_steps == 0)
            append_step(p, DRIFT_CPU_STEP_ROWS, DRIFT_ROWS_TOKENS);
        append_op(p, &table);
        last_step(p, 0)->row_cost += op_row_cost(p, &table);
    }
}

static void add_op(struct builder *b, const struct drift_op *op)
{
    struct drift_cpu_program *p = b->program;
    struct drift_cpu_op o = {.kind = (int)op->kind, .op = *op};
    switch (op->kind) {
    case DRIFT_OP_MATMUL:
        add_matmul(b, &o);
        break;
    case DRIFT_OP_ATTENTION:
        append_step(p, DRIFT_CPU_STEP_ATTENTION, DRIFT_ROWS_TOKENS);
        append_op(p, &o);
        break;
    case DRIFT_OP_ROPE:
        o.i_table = find_rope_table(p, op);
        add_row_op(p, &o);
        break;
    default:
        add_row_op(p, &o);
        break;
    }
    if (b->quantized != DRIFT_TENSOR_NONE && overlaps(p, op->dst[0], b->quantized))
        b->quantized = DRIFT_TENSOR_NONE;
}

/* Room for q8 rows of the widest source of a block-quantized matmul. */
static void allocate_q8(struct builder *b)
{
    struct drift_cpu_program *p = b->program;
    size_t n = 0;
    for (uint32_t i = 0; i < b->plan->n_ops; i++) {
        const struct drift_op *op = &b->plan->ops[i];
        if (op->kind != DRIFT_OP_MATMUL)
            continue;
        const struct drift_tensor *x = &b->plan->tensors[op->src[0]];
        bool plain = drift_dtype_info(b->plan->tensors[op->src[1]].dtype)->n_elements == 1;
        if (!plain && (size_t)x->n_rows * x->n_cols > n)
            n = (size_t)x->n_rows * x->n_cols;
    }
    if (n == 0 || b->float_activations)
        return;
    p->q = drift_arena_alloc(&p->memory, n, 1);
    p->meta = drift_arena_alloc(&p->memory, n / DRIFT_CPU_BLOCK, sizeof *p->meta);
}

static void allocate_tables(struct builder *b)
{
    struct drift_cpu_program *p = b->program;
    const struct drift_plan *plan = b->plan;
    struct drift_arena *m = &p->memory;
    /* At most a quantization and a rope table with every op. */
    size_t max_ops = (size_t)plan->n_ops * 2;
    p->tensors = drift_arena_alloc(m, plan->n_tensors, sizeof *p->tensors);
    p->ops = drift_arena_alloc(m, max_ops, sizeof *p->ops);
    p->steps = drift_arena_alloc(m, max_ops, sizeof *p->steps);
    p->n_chunks = drift_arena_alloc(m, max_ops, sizeof *p->n_chunks);
    p->rope_tables = drift_arena_alloc(m, plan->n_ops, sizeof *p->rope_tables);
    p->values = drift_arena_alloc(m, plan->n_tensors, sizeof *p->values);
    p->runs = drift_arena_alloc(m, plan->max_tokens, sizeof *p->runs);
    allocate_q8(b);
}

enum drift_status drift_cpu_program_create(struct drift_device *base, const struct drift_plan *plan,
                                           struct drift_program **ret_program,
                                           struct drift_error *err)
{
    struct drift_cpu_device *device = (struct drift_cpu_device *)base;
    struct drift_cpu_program *p = drift_alloc(DRIFT_TAG_BACKEND, 1, sizeof *p);
    if (!p)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a program");
    struct builder b = {p, plan, device->float_activations, DRIFT_TENSOR_NONE};
    p->base.device = base;
    drift_arena_init(&p->memory, DRIFT_TAG_BACKEND, PROGRAM_CAP_BYTES);
    allocate_tables(&b);
    if (!p->memory.failed) {
        p->n_tensors = plan->n_tensors;
        memcpy(p->tensors, plan->tensors, plan->n_tensors * sizeof *p->tensors);
        add_rope_tables(&b);
    }
    if (p->memory.failed) {
        drift_arena_fini(&p->memory);
        drift_free(p);
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for plan \"%s\"",
                               plan->name ? plan->name : "");
    }
    for (uint32_t i = 0; i < plan->n_ops; i++)
        add_op(&b, &plan->ops[i]);
    p->base.info.n_dispatches = p->n_steps;
    p->base.info.bytes = p->memory.used_bytes + sizeof *p;
    atomic_fetch_add(&device->programs_bytes, p->base.info.bytes);
    *ret_program = &p->base;
    return DRIFT_STATUS_OK;
}

void drift_cpu_program_destroy(struct drift_program *base)
{
    struct drift_cpu_program *p = (struct drift_cpu_program *)base;
    struct drift_cpu_device *device = (struct drift_cpu_device *)base->device;
    atomic_fetch_sub(&device->programs_bytes, base->info.bytes);
    drift_arena_fini(&p->memory);
    drift_free(p);
}

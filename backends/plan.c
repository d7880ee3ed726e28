/*
 * Plans: names, and the check that every backend relies on.
 *
 * The check is one table of ops (which roles each source may have) and one function per op for
 * shapes and attributes. It does not judge the memory plan beyond bounds and the overlap of an op's
 * own tensors.
 */
#include "backends/plan.h"

#include "backends/backend_impl.h"
#include "runtime/base/checked.h"

#include <math.h>

static const char *const op_names[DRIFT_OP_COUNT] = {
#define X(id, name) [DRIFT_OP_##id] = name,
    DRIFT_OP_MAP(X)
#undef X
};

const char *drift_op_name(enum drift_op_kind kind)
{
    return (unsigned)kind < DRIFT_OP_COUNT ? op_names[kind] : "?";
}

/* What a source slot takes. */
enum slot_kind {
    SLOT_NONE,  /* must be absent */
    SLOT_VALUE, /* activation or output, f32 */
    SLOT_TABLE, /* weight read by rows */
    SLOT_MATRIX,
    SLOT_VECTOR,
    SLOT_VECTOR_OR_NONE,
    SLOT_K,
    SLOT_V,
    SLOT_TOKENS, /* from here: inputs, in the order of enum drift_input */
    SLOT_POSITIONS,
    SLOT_SEQUENCES,
    SLOT_SLOTS,
    SLOT_PAGE_TABLE,
    SLOT_OUTPUT_ROWS,
};

struct check {
    const struct drift_plan *plan;
    const struct drift_op *op;
    uint32_t i_op;
    struct drift_error *err;
    const struct drift_tensor *src[DRIFT_OP_MAX_SRC]; /* NULL when absent */
    const struct drift_tensor *dst;                   /* NULL when absent */
};

static const char *tensor_name(const struct drift_tensor *t)
{
    return t->name ? t->name : "(unnamed)";
}

static enum drift_status bad_op(const struct check *c, const struct drift_tensor *t,
                                const char *what)
{
    return drift_error_set(c->err, DRIFT_STATUS_INVALID, 0, "plan \"%s\": op %u (%s)%s%s: %s",
                           c->plan->name ? c->plan->name : "", c->i_op, drift_op_name(c->op->kind),
                           t ? ", tensor " : "", t ? tensor_name(t) : "", what);
}

static bool is_positive_finite(float x)
{
    return isfinite(x) && x > 0.0f;
}

static bool same_shape(const struct drift_tensor *a, const struct drift_tensor *b)
{
    return a->rows == b->rows && a->n_rows == b->n_rows && a->n_cols == b->n_cols;
}

static bool same_rows(const struct drift_tensor *a, const struct drift_tensor *b)
{
    return a->rows == b->rows && a->n_rows == b->n_rows;
}

static enum drift_status check_embed(const struct check *c)
{
    if (c->dst->rows != DRIFT_ROWS_TOKENS)
        return bad_op(c, c->dst, "rows are not the batch's tokens");
    if (c->dst->n_cols != c->src[0]->n_cols)
        return bad_op(c, c->dst, "columns differ from the table's");
    if (!isfinite(c->op->attr.scale.factor))
        return bad_op(c, NULL, "scale is not finite");
    return DRIFT_STATUS_OK;
}

static enum drift_status check_rms_norm(const struct check *c)
{
    uint32_t group = c->op->attr.norm.group;
    if (!same_shape(c->dst, c->src[0]))
        return bad_op(c, c->dst, "shape differs from the source's");
    if (group == 0 || c->src[0]->n_cols % group != 0)
        return bad_op(c, c->src[0], "columns are not whole groups");
    if (c->src[1]->n_cols != group)
        return bad_op(c, c->src[1], "length is not the group's");
    if (!isfinite(c->op->attr.norm.eps) || c->op->attr.norm.eps < 0.0f)
        return bad_op(c, NULL, "eps is negative or not finite");
    return DRIFT_STATUS_OK;
}

static enum drift_status check_matmul(const struct check *c)
{
    if (!same_rows(c->dst, c->src[0]))
        return bad_op(c, c->dst, "rows differ from the source's");
    if (c->src[0]->n_cols != c->src[1]->n_cols)
        return bad_op(c, c->src[1], "columns differ from the source's");
    if (c->dst->n_cols != c->src[1]->n_rows)
        return bad_op(c, c->dst, "columns differ from the weight's rows");
    if (c->src[2] && c->src[2]->n_cols != c->dst->n_cols)
        return bad_op(c, c->src[2], "length differs from the result's columns");
    return DRIFT_STATUS_OK;
}

static enum drift_status check_rope(const struct check *c)
{
    uint32_t head_dim = c->op->attr.rope.head_dim, n_rot = c->op->attr.rope.n_rot;
    if (!same_shape(c->dst, c->src[0]))
        return bad_op(c, c->dst, "shape differs from the source's");
    if (c->src[0]->rows != DRIFT_ROWS_TOKENS)
        return bad_op(c, c->src[0], "rows are not the batch's tokens");
    if (head_dim == 0 || head_dim > DRIFT_MAX_HEAD_DIM || c->src[0]->n_cols % head_dim != 0)
        return bad_op(c, c->src[0], "columns are not whole heads");
    if (n_rot == 0 || n_rot % 2 != 0 || n_rot > head_dim)
        return bad_op(c, NULL, "n_rot is odd, zero or larger than a head");
    if (c->src[2]->n_cols != n_rot / 2)
        return bad_op(c, c->src[2], "length is not n_rot / 2");
    if ((unsigned)c->op->attr.rope.pairs >= DRIFT_ROPE_COUNT)
        return bad_op(c, NULL, "unknown rope pairs");
    if (!is_positive_finite(c->op->attr.rope.magnitude))
        return bad_op(c, NULL, "magnitude is not a positive number");
    return DRIFT_STATUS_OK;
}

static enum drift_status check_kv_pair(const struct check *c, const struct drift_tensor *k,
                                       const struct drift_tensor *v)
{
    if (k->u.kv.cache != v->u.kv.cache || k->u.kv.layer != v->u.kv.layer)
        return bad_op(c, v, "K and V are of different caches or layers");
    return DRIFT_STATUS_OK;
}

static enum drift_status check_cache_write(const struct check *c)
{
    for (int i = 0; i < 2; i++) {
        if (c->src[i]->rows != DRIFT_ROWS_TOKENS)
            return bad_op(c, c->src[i], "rows are not the batch's tokens");
        if (c->src[i]->n_cols != c->src[3 + i]->n_cols)
            return bad_op(c, c->src[i], "columns differ from the cache's");
    }
    return check_kv_pair(c, c->src[3], c->src[4]);
}

static enum drift_status check_attention(const struct check *c)
{
    const struct drift_cache_desc *desc = &c->src[1]->u.kv.cache->desc;
    uint32_t n_heads = c->op->attr.attention.n_heads;
    uint32_t n_kv_heads = c->op->attr.attention.n_kv_heads;
    uint32_t head_dim = c->op->attr.attention.head_dim;
    if (!same_shape(c->dst, c->src[0]))
        return bad_op(c, c->dst, "shape differs from the query's");
    if (c->src[0]->rows != DRIFT_ROWS_TOKENS)
        return bad_op(c, c->src[0], "rows are not the batch's tokens");
    if (head_dim == 0 || head_dim > DRIFT_MAX_HEAD_DIM || head_dim != desc->head_dim)
        return bad_op(c, NULL, "head_dim is zero, too large or not the cache's");
    if (n_kv_heads == 0 || n_kv_heads != desc->n_kv_heads || n_heads % n_kv_heads != 0)
        return bad_op(c, NULL, "n_kv_heads is not the cache's or does not divide n_heads");
    if ((uint64_t)n_heads * head_dim != c->src[0]->n_cols)
        return bad_op(c, c->src[0], "columns are not n_heads * head_dim");
    if (!is_positive_finite(c->op->attr.attention.scale))
        return bad_op(c, NULL, "scale is not a positive number");
    if (!isfinite(c->op->attr.attention.softcap) || c->op->attr.attention.softcap < 0.0f)
        return bad_op(c, NULL, "softcap is negative or not finite");
    return check_kv_pair(c, c->src[1], c->src[2]);
}

static enum drift_status check_elementwise(const struct check *c)
{
    if (!same_shape(c->dst, c->src[0]))
        return bad_op(c, c->dst, "shape differs from the source's");
    if (c->src[1] && !same_shape(c->dst, c->src[1]))
        return bad_op(c, c->src[1], "shape differs from the result's");
    return DRIFT_STATUS_OK;
}

static enum drift_status check_activation(const struct check *c)
{
    if ((unsigned)c->op->attr.activation.kind >= DRIFT_ACTIVATION_COUNT)
        return bad_op(c, NULL, "unknown activation");
    return check_elementwise(c);
}

static enum drift_status check_scale(const struct check *c)
{
    if (!isfinite(c->op->attr.scale.factor))
        return bad_op(c, NULL, "scale is not finite");
    return check_elementwise(c);
}

static enum drift_status check_softcap(const struct check *c)
{
    if (!is_positive_finite(c->op->attr.softcap.cap))
        return bad_op(c, NULL, "cap is not a positive number");
    return check_elementwise(c);
}

static enum drift_status check_gather_rows(const struct check *c)
{
    if (c->src[0]->rows != DRIFT_ROWS_TOKENS)
        return bad_op(c, c->src[0], "rows are not the batch's tokens");
    if (c->dst->rows != DRIFT_ROWS_OUTPUTS)
        return bad_op(c, c->dst, "rows are not the batch's outputs");
    if (c->dst->n_cols != c->src[0]->n_cols)
        return bad_op(c, c->dst, "columns differ from the source's");
    return DRIFT_STATUS_OK;
}

struct op_rule {
    enum slot_kind src[DRIFT_OP_MAX_SRC];
    bool has_dst;
    bool may_be_in_place; /* element i of the result needs only element i of the sources */
    enum drift_status (*check)(const struct check *c);
};

static const struct op_rule rules[DRIFT_OP_COUNT] = {
    [DRIFT_OP_EMBED] = {{SLOT_TABLE, SLOT_TOKENS},                            true, false, check_embed      },
    [DRIFT_OP_RMS_NORM] = {{SLOT_VALUE, SLOT_VECTOR},                            true, false, check_rms_norm   },
    [DRIFT_OP_MATMUL] = {{SLOT_VALUE, SLOT_MATRIX, SLOT_VECTOR_OR_NONE},       true, false, check_matmul     },
    [DRIFT_OP_ROPE] = {{SLOT_VALUE, SLOT_POSITIONS, SLOT_VECTOR},            true, false, check_rope       },
    [DRIFT_OP_CACHE_WRITE] = {{SLOT_VALUE, SLOT_VALUE, SLOT_SLOTS, SLOT_K, SLOT_V},
                        false,                                                      false,
                        check_cache_write                                                                   },
    [DRIFT_OP_ATTENTION] = {{SLOT_VALUE, SLOT_K, SLOT_V, SLOT_POSITIONS, SLOT_SEQUENCES,
                             SLOT_PAGE_TABLE},
                        true,                                                       false,
                        check_attention                                                                     },
    [DRIFT_OP_ADD] = {{SLOT_VALUE, SLOT_VALUE},                             true, true,  check_elementwise},
    [DRIFT_OP_MUL] = {{SLOT_VALUE, SLOT_VALUE},                             true, true,  check_elementwise},
    [DRIFT_OP_GLU] = {{SLOT_VALUE, SLOT_VALUE},                             true, true,  check_activation },
    [DRIFT_OP_ACTIVATE] = {{SLOT_VALUE},                                         true, true,  check_activation },
    [DRIFT_OP_SCALE] = {{SLOT_VALUE},                                         true, true,  check_scale      },
    [DRIFT_OP_SOFTCAP] = {{SLOT_VALUE},                                         true, true,  check_softcap    },
    [DRIFT_OP_GATHER_ROWS] = {{SLOT_VALUE, SLOT_OUTPUT_ROWS},                       true, false, check_gather_rows},
};

/* Bytes of a tensor in the arena; validated not to overflow. */
static uint64_t value_bytes(const struct drift_tensor *t)
{
    return (uint64_t)t->n_rows * t->n_cols * sizeof(float);
}

static bool is_value(const struct drift_tensor *t)
{
    return t->role == DRIFT_TENSOR_ACTIVATION || t->role == DRIFT_TENSOR_OUTPUT;
}

static bool weight_fits(const struct drift_tensor *t, enum slot_kind kind)
{
    uint32_t use = kind == SLOT_TABLE    ? DRIFT_WEIGHT_LOOKUP
                   : kind == SLOT_MATRIX ? DRIFT_WEIGHT_MATMUL
                                         : DRIFT_WEIGHT_VECTOR;
    return t->role == DRIFT_TENSOR_WEIGHT && (t->u.weight->use & use) != 0 &&
           (use != DRIFT_WEIGHT_VECTOR || (t->dtype == DRIFT_DTYPE_F32 && t->n_rows == 1));
}

static bool slot_fits(const struct drift_tensor *t, enum slot_kind kind)
{
    switch (kind) {
    case SLOT_NONE:
        return false;
    case SLOT_VALUE:
        return is_value(t);
    case SLOT_TABLE:
    case SLOT_MATRIX:
    case SLOT_VECTOR:
    case SLOT_VECTOR_OR_NONE:
        return weight_fits(t, kind);
    case SLOT_K:
    case SLOT_V:
        return t->role == DRIFT_TENSOR_CACHE && t->u.kv.is_v == (kind == SLOT_V);
    default:
        return t->role == DRIFT_TENSOR_INPUT &&
               (unsigned)t->u.input == (unsigned)kind - SLOT_TOKENS;
    }
}

static enum drift_status resolve_slots(struct check *c, const struct op_rule *rule)
{
    for (int i = 0; i < DRIFT_OP_MAX_SRC; i++) {
        uint32_t index = c->op->src[i];
        bool optional = rule->src[i] == SLOT_NONE || rule->src[i] == SLOT_VECTOR_OR_NONE;
        c->src[i] = NULL;
        if (index == DRIFT_TENSOR_NONE) {
            if (!optional)
                return bad_op(c, NULL, "a source is missing");
            continue;
        }
        if (index >= c->plan->n_tensors)
            return bad_op(c, NULL, "a source's index is out of range");
        c->src[i] = &c->plan->tensors[index];
        if (!slot_fits(c->src[i], rule->src[i]))
            return bad_op(c, c->src[i], "role, type or use does not fit the source");
    }
    for (int i = 0; i < DRIFT_OP_MAX_DST; i++) {
        uint32_t index = c->op->dst[i];
        bool wanted = i == 0 && rule->has_dst;
        if ((index != DRIFT_TENSOR_NONE) != wanted)
            return bad_op(c, NULL, wanted ? "the result is missing" : "a result too many");
        if (!wanted)
            continue;
        if (index >= c->plan->n_tensors)
            return bad_op(c, NULL, "the result's index is out of range");
        c->dst = &c->plan->tensors[index];
        if (!is_value(c->dst))
            return bad_op(c, c->dst, "not an activation or output");
    }
    return DRIFT_STATUS_OK;
}

/* The result may share memory with a source only if both are the same bytes in the same shape,
 * element by element. */
static enum drift_status check_overlap(const struct check *c, const struct op_rule *rule)
{
    if (!c->dst)
        return DRIFT_STATUS_OK;
    for (int i = 0; i < DRIFT_OP_MAX_SRC; i++) {
        const struct drift_tensor *s = c->src[i];
        if (!s || !is_value(s))
            continue;
        uint64_t a = c->dst->u.arena_offset, b = s->u.arena_offset;
        if (a + value_bytes(c->dst) <= b || b + value_bytes(s) <= a)
            continue;
        if (!rule->may_be_in_place || a != b || !same_shape(c->dst, s))
            return bad_op(c, s, "overlaps the result in the arena");
    }
    return DRIFT_STATUS_OK;
}

/* Sources must have been written by an earlier op. */
static enum drift_status check_written(const struct check *c)
{
    for (int i = 0; i < DRIFT_OP_MAX_SRC; i++) {
        if (!c->src[i] || !is_value(c->src[i]))
            continue;
        bool written = false;
        for (uint32_t j = c->i_op; j-- > 0 && !written;)
            written = c->plan->ops[j].dst[0] == c->op->src[i];
        if (!written)
            return bad_op(c, c->src[i], "read before it is written");
    }
    return DRIFT_STATUS_OK;
}

static enum drift_status bad_tensor(const struct drift_plan *plan, const struct drift_tensor *t,
                                    struct drift_error *err, const char *what)
{
    return drift_error_set(err, DRIFT_STATUS_INVALID, 0, "plan \"%s\": tensor %s: %s",
                           plan->name ? plan->name : "", tensor_name(t), what);
}

static enum drift_status check_value(const struct drift_plan *plan, const struct drift_tensor *t,
                                     struct drift_error *err)
{
    uint64_t bytes, end;
    if (t->dtype != DRIFT_DTYPE_F32)
        return bad_tensor(plan, t, err, "activations and outputs are F32");
    if (t->u.arena_offset % DRIFT_ARENA_ALIGN != 0)
        return bad_tensor(plan, t, err, "arena offset is not aligned");
    if (!drift_mul_u64((uint64_t)t->n_rows * t->n_cols, sizeof(float), &bytes) ||
        !drift_add_u64(t->u.arena_offset, bytes, &end) || end > plan->arena_bytes)
        return bad_tensor(plan, t, err, "lies outside the arena");
    if (t->role == DRIFT_TENSOR_OUTPUT && t->rows != DRIFT_ROWS_OUTPUTS)
        return bad_tensor(plan, t, err, "rows of the output are not the batch's outputs");
    return DRIFT_STATUS_OK;
}

static enum drift_status check_constant(const struct drift_plan *plan, const struct drift_tensor *t,
                                        struct drift_error *err)
{
    if (t->rows != DRIFT_ROWS_FIXED)
        return bad_tensor(plan, t, err, "rows of a weight or cache are fixed");
    if (t->role == DRIFT_TENSOR_WEIGHT) {
        const struct drift_weight *w = t->u.weight;
        if (!w)
            return bad_tensor(plan, t, err, "no weight");
        if (w->dtype != t->dtype || w->n_rows != t->n_rows || w->n_cols != t->n_cols)
            return bad_tensor(plan, t, err, "shape or type differs from the weight's");
        return DRIFT_STATUS_OK;
    }
    if (!t->u.kv.cache)
        return bad_tensor(plan, t, err, "no cache");
    const struct drift_cache_desc *d = &t->u.kv.cache->desc;
    if (t->u.kv.layer >= d->n_layers)
        return bad_tensor(plan, t, err, "the cache has no such layer");
    if (d->dtype != t->dtype || (uint64_t)d->n_pages * d->page_tokens != t->n_rows ||
        (uint64_t)d->n_kv_heads * d->head_dim != t->n_cols)
        return bad_tensor(plan, t, err, "shape or type differs from the cache's");
    return DRIFT_STATUS_OK;
}

static enum drift_status check_input(const struct drift_plan *plan, const struct drift_tensor *t,
                                     struct drift_error *err)
{
    static const enum drift_rows rows[DRIFT_INPUT_COUNT] = {
        [DRIFT_INPUT_TOKENS] = DRIFT_ROWS_TOKENS,    [DRIFT_INPUT_POSITIONS] = DRIFT_ROWS_TOKENS,
        [DRIFT_INPUT_SEQUENCES] = DRIFT_ROWS_TOKENS, [DRIFT_INPUT_SLOTS] = DRIFT_ROWS_TOKENS,
        [DRIFT_INPUT_PAGE_TABLE] = DRIFT_ROWS_FIXED, [DRIFT_INPUT_OUTPUT_ROWS] = DRIFT_ROWS_OUTPUTS,
    };
    if ((unsigned)t->u.input >= DRIFT_INPUT_COUNT)
        return bad_tensor(plan, t, err, "unknown input");
    bool is_table = t->u.input == DRIFT_INPUT_PAGE_TABLE;
    if (t->dtype != DRIFT_DTYPE_I32)
        return bad_tensor(plan, t, err, "inputs are I32");
    if (t->rows != rows[t->u.input] || (is_table && t->n_rows != plan->max_sequences) ||
        t->n_cols != (is_table ? plan->max_pages : 1))
        return bad_tensor(plan, t, err, "shape is not the input's");
    return DRIFT_STATUS_OK;
}

static enum drift_status check_tensor(const struct drift_plan *plan, const struct drift_tensor *t,
                                      struct drift_error *err)
{
    if ((unsigned)t->role >= DRIFT_TENSOR_ROLE_COUNT || (unsigned)t->dtype >= DRIFT_DTYPE_COUNT ||
        (unsigned)t->rows >= DRIFT_ROWS_COUNT)
        return bad_tensor(plan, t, err, "unknown role, type or rows");
    if (t->n_rows == 0 || t->n_cols == 0)
        return bad_tensor(plan, t, err, "is empty");
    if ((t->rows == DRIFT_ROWS_TOKENS && t->n_rows != plan->max_tokens) ||
        (t->rows == DRIFT_ROWS_OUTPUTS && t->n_rows != plan->max_outputs))
        return bad_tensor(plan, t, err, "rows differ from the plan's maximum");
    switch (t->role) {
    case DRIFT_TENSOR_INPUT:
        return check_input(plan, t, err);
    case DRIFT_TENSOR_WEIGHT:
    case DRIFT_TENSOR_CACHE:
        return check_constant(plan, t, err);
    default:
        return check_value(plan, t, err);
    }
}

static enum drift_status check_tensors(const struct drift_plan *plan, struct drift_error *err)
{
    const struct drift_tensor *output = NULL;
    const struct drift_cache_desc *cache = NULL;
    for (uint32_t i = 0; i < plan->n_tensors; i++) {
        const struct drift_tensor *t = &plan->tensors[i];
        enum drift_status status = check_tensor(plan, t, err);
        if (status != DRIFT_STATUS_OK)
            return status;
        if (t->role == DRIFT_TENSOR_OUTPUT) {
            if (output)
                return bad_tensor(plan, t, err, "a second output");
            output = t;
        }
        if (t->role == DRIFT_TENSOR_CACHE) {
            const struct drift_cache_desc *d = &t->u.kv.cache->desc;
            if (cache && (d->n_pages != cache->n_pages || d->page_tokens != cache->page_tokens))
                return bad_tensor(plan, t, err, "caches of one plan have the same pages");
            cache = d;
        }
    }
    return DRIFT_STATUS_OK;
}

static enum drift_status check_op(const struct drift_plan *plan, uint32_t i,
                                  struct drift_error *err)
{
    struct check c = {.plan = plan, .op = &plan->ops[i], .i_op = i, .err = err};
    if ((unsigned)c.op->kind >= DRIFT_OP_COUNT)
        return bad_op(&c, NULL, "unknown op");
    const struct op_rule *rule = &rules[c.op->kind];
    enum drift_status status = resolve_slots(&c, rule);
    if (status == DRIFT_STATUS_OK)
        status = rule->check(&c);
    if (status == DRIFT_STATUS_OK)
        status = check_overlap(&c, rule);
    return status == DRIFT_STATUS_OK ? check_written(&c) : status;
}

enum drift_status drift_plan_validate(const struct drift_plan *plan, struct drift_error *err)
{
    const char *what = NULL;
    if (!plan || (plan->n_tensors > 0 && !plan->tensors) || (plan->n_ops > 0 && !plan->ops))
        what = "a table is missing";
    else if ((unsigned)plan->stage >= DRIFT_STAGE_COUNT)
        what = "unknown stage";
    else if (plan->max_tokens == 0 || plan->max_sequences == 0 || plan->n_ops == 0)
        what = "no tokens, sequences or ops";
    else if (plan->stage == DRIFT_STAGE_THIN && plan->max_tokens > DRIFT_THIN_MAX_TOKENS)
        what = "more tokens than the thin stage takes";
    if (what)
        return drift_error_set(err, DRIFT_STATUS_INVALID, 0, "plan \"%s\": %s",
                               plan && plan->name ? plan->name : "", what);
    enum drift_status status = check_tensors(plan, err);
    for (uint32_t i = 0; status == DRIFT_STATUS_OK && i < plan->n_ops; i++)
        status = check_op(plan, i, err);
    return status;
}

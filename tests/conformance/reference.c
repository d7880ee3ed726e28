/*
 * What every op means, in double precision and as plainly as possible, and how far a backend may be
 * from it.
 *
 * Bounds. Everything that is computed in f32: some ulps of the largest intermediate value. MATMUL
 * of block-quantized weights: a backend may round each activation to 8 bits per 32 columns, an
 * error uniform within +-a/254 where a is the largest of the 32; eight standard deviations of the
 * resulting sum are allowed. Caches store what their type can hold; the reference rounds K and V
 * the same way.
 */
#include "tests/conformance/blocks.h"
#include "tests/conformance/problem.h"

#include <math.h>

#define F32_BOUND 2e-6

static const double *row(const struct conf_table *t, int32_t i)
{
    return t->values + (size_t)i * t->n_cols;
}

static void put(struct conf_problem *p, uint32_t t, uint32_t col, double value, double bound)
{
    p->expected[(size_t)t * p->n_out_cols + col] = value;
    p->bound[(size_t)t * p->n_out_cols + col] = bound;
}

static void embed(struct conf_problem *p, uint32_t t)
{
    const double *x = row(&p->weight, p->rows[t]);
    for (uint32_t i = 0; i < p->n_out_cols; i++) {
        double y = x[i] * (double)p->c->attr.attr.scale.factor;
        put(p, t, i, y, F32_BOUND * (fabs(y) + 0.1 * fabs((double)p->c->attr.attr.scale.factor)));
    }
}

static void rms_norm(struct conf_problem *p, uint32_t t)
{
    const double *x = row(&p->source[0], p->rows[t]);
    uint32_t group = p->c->attr.attr.norm.group;
    for (uint32_t begin = 0; begin < p->n_out_cols; begin += group) {
        double sum = 0.0;
        for (uint32_t i = 0; i < group; i++)
            sum += x[begin + i] * x[begin + i];
        double root = sqrt(sum / group + (double)p->c->attr.attr.norm.eps);
        for (uint32_t i = 0; i < group; i++) {
            double y = x[begin + i] / root * p->weight.values[i];
            put(p, t, begin + i, y, 4 * F32_BOUND * fabs(y) + 1e-9);
        }
    }
}

/* The square of the largest rounding step of the block of 32 that column i is in. */
static double step_squared(const double *x, uint32_t i)
{
    double max = 0.0;
    for (uint32_t j = i & ~31u; j < (i & ~31u) + 32; j++)
        max = fabs(x[j]) > max ? fabs(x[j]) : max;
    return max * max / (127.0 * 127.0);
}

static void matmul(struct conf_problem *p, uint32_t t)
{
    const double *x = row(&p->source[0], p->rows[t]);
    bool is_quantized = drift_dtype_info(p->c->dtype)->n_elements > 1 && !p->float_activations;
    for (uint32_t n = 0; n < p->n_out_cols; n++) {
        const double *w = row(&p->weight, (int32_t)n);
        double sum = 0.0, magnitude = 0.0, variance = 0.0;
        for (uint32_t i = 0; i < p->c->n_cols; i++) {
            sum += x[i] * w[i];
            magnitude += fabs(x[i] * w[i]);
            if (is_quantized)
                variance += w[i] * w[i] * step_squared(x, i) / 12.0;
        }
        if (p->c->has_bias) {
            sum += p->bias.values[n];
            magnitude += fabs(p->bias.values[n]);
        }
        put(p, t, n, sum, 8.0 * sqrt(variance) + F32_BOUND * magnitude);
    }
}

static void rope(struct conf_problem *p, uint32_t t)
{
    const double *x = row(&p->source[0], p->rows[t]);
    uint32_t dim = p->c->attr.attr.rope.head_dim, n_rot = p->c->attr.attr.rope.n_rot;
    bool is_adjacent = p->c->attr.attr.rope.pairs == DRIFT_ROPE_ADJACENT;
    double magnitude = (double)p->c->attr.attr.rope.magnitude;
    for (uint32_t head = 0; head < p->n_out_cols; head += dim) {
        for (uint32_t i = n_rot; i < dim; i++)
            put(p, t, head + i, x[head + i], 0.0);
        for (uint32_t i = 0; i < n_rot / 2; i++) {
            uint32_t a = head + (is_adjacent ? 2 * i : i);
            uint32_t b = head + (is_adjacent ? 2 * i + 1 : i + n_rot / 2);
            double angle = p->positions[t] * p->weight.values[i];
            double c = cos(angle) * magnitude, s = sin(angle) * magnitude;
            /* the angle itself may be rounded to f32 */
            double bound = (fabs(x[a]) + fabs(x[b])) * magnitude * (F32_BOUND + 1.2e-7 * angle);
            put(p, t, a, x[a] * c - x[b] * s, bound);
            put(p, t, b, x[a] * s + x[b] * c, bound);
        }
    }
}

static double activation(enum drift_activation kind, double x)
{
    if (kind == DRIFT_ACTIVATION_SILU)
        return x / (1.0 + exp(-x));
    return 0.5 * x * (1.0 + tanh(sqrt(2.0 / acos(-1.0)) * (x + 0.044715 * x * x * x)));
}

static void elementwise(struct conf_problem *p, uint32_t t)
{
    const double *a = row(&p->source[0], p->rows[t]);
    const double *b = p->n_sources > 1 ? row(&p->source[1], p->rows[t]) : a;
    for (uint32_t i = 0; i < p->n_out_cols; i++) {
        double y = 0.0, cap = (double)p->c->attr.attr.softcap.cap;
        switch (p->c->kind) {
        case DRIFT_OP_ADD:
            y = a[i] + b[i];
            break;
        case DRIFT_OP_MUL:
            y = a[i] * b[i];
            break;
        case DRIFT_OP_GLU:
            y = activation(p->c->attr.attr.activation.kind, a[i]) * b[i];
            break;
        case DRIFT_OP_ACTIVATE:
            y = activation(p->c->attr.attr.activation.kind, a[i]);
            break;
        case DRIFT_OP_SCALE:
            y = a[i] * (double)p->c->attr.attr.scale.factor;
            break;
        default:
            y = cap * tanh(a[i] / cap);
            break;
        }
        put(p, t, i, y, 4 * F32_BOUND * (fabs(y) + 0.1));
    }
}

static double stored(const struct conf_problem *p, double value)
{
    return p->c->dtype == DRIFT_DTYPE_F16 ? half_value(half_bits(value)) : value;
}

/* One query head over one sequence's positions first ... last; k and v begin at the sequence's
 * first row. */
static void attend(struct conf_problem *p, uint32_t t, uint32_t head, uint32_t first, uint32_t last)
{
    uint32_t dim = p->c->attr.attr.attention.head_dim;
    uint32_t n_heads = p->c->attr.attr.attention.n_heads;
    uint32_t kv_head = head / (n_heads / p->c->attr.attr.attention.n_kv_heads);
    double cap = (double)p->c->attr.attr.attention.softcap, max = -INFINITY, sum = 0.0;
    const double *q = row(&p->source[0], p->rows[t]) + (size_t)head * dim;
    int32_t base = p->sequences[t] * (int32_t)p->sequence_rows;
    double scores[1024], out[DRIFT_MAX_HEAD_DIM] = {0}, largest = 0.0;
    for (uint32_t j = first; j <= last; j++) {
        const double *k = row(&p->source[1], base + (int32_t)j) + (size_t)kv_head * dim;
        double s = 0.0;
        for (uint32_t d = 0; d < dim; d++)
            s += q[d] * stored(p, k[d]);
        s *= (double)p->c->attr.attr.attention.scale;
        scores[j - first] = cap > 0.0 ? cap * tanh(s / cap) : s;
        max = scores[j - first] > max ? scores[j - first] : max;
    }
    for (uint32_t j = first; j <= last; j++) {
        const double *v = row(&p->source[2], base + (int32_t)j) + (size_t)kv_head * dim;
        double weight = exp(scores[j - first] - max);
        sum += weight;
        for (uint32_t d = 0; d < dim; d++) {
            out[d] += weight * stored(p, v[d]);
            largest = fabs(v[d]) > largest ? fabs(v[d]) : largest;
        }
    }
    for (uint32_t d = 0; d < dim; d++)
        put(p, t, head * dim + d, out[d] / sum, 3e-5 * largest);
}

static void attention(struct conf_problem *p, uint32_t t)
{
    uint32_t window = p->c->attr.attr.attention.window, last = (uint32_t)p->positions[t];
    uint32_t first = window > 0 && last >= window ? last - window + 1 : 0;
    for (uint32_t h = 0; h < p->c->attr.attr.attention.n_heads; h++)
        attend(p, t, h, first, last);
}

void conf_reference(struct conf_problem *p)
{
    for (uint32_t t = 0; t < p->n_tokens; t++) {
        switch (p->c->kind) {
        case DRIFT_OP_EMBED:
            embed(p, t);
            break;
        case DRIFT_OP_RMS_NORM:
            rms_norm(p, t);
            break;
        case DRIFT_OP_MATMUL:
            matmul(p, t);
            break;
        case DRIFT_OP_ROPE:
            rope(p, t);
            break;
        case DRIFT_OP_ATTENTION:
            attention(p, t);
            break;
        default:
            elementwise(p, t);
        }
    }
}

/* The table of cases. Odd sizes are deliberate: partial groups of rows, tails of vectors, heads
 * that are no power of two. */
#include "tests/conformance/cases.h"

#define EMBED(type, cols, factor_)                                                                 \
    {                                                                                              \
        .name = "embed " #type " " #cols, .kind = DRIFT_OP_EMBED, .dtype = DRIFT_DTYPE_##type,     \
        .n_cols = cols, .attr.attr.scale.factor = factor_                                          \
    }
#define MATMUL(type, rows, cols, bias)                                                             \
    {                                                                                              \
        .name = "matmul " #type " [" #rows ", " #cols "]" bias, .kind = DRIFT_OP_MATMUL,           \
        .dtype = DRIFT_DTYPE_##type, .n_cols = cols, .n_out = rows, .has_bias = sizeof bias > 1    \
    }
#define MATMULS(type, small, large)                                                                \
    MATMUL(type, 1, small, ""), MATMUL(type, 16, small, " bias"), MATMUL(type, 37, large, ""),     \
        MATMUL(type, 96, large, " bias"), MATMUL(type, 257, small, "")
#define NORM(cols, group_)                                                                         \
    {                                                                                              \
        .name = "rms_norm " #cols " group " #group_, .kind = DRIFT_OP_RMS_NORM, .n_cols = cols,    \
        .attr.attr.norm = {                                                                        \
            1e-5f,                                                                                 \
            group_                                                                                 \
        }                                                                                          \
    }
#define ROPE(kind_, heads, dim, rot, magnitude_)                                                   \
    {                                                                                              \
        .name = "rope " #kind_ " " #heads " x " #dim " n_rot " #rot, .kind = DRIFT_OP_ROPE,        \
        .n_cols = (heads) * (dim), .attr.attr.rope = {                                             \
            DRIFT_ROPE_##kind_,                                                                    \
            dim,                                                                                   \
            rot,                                                                                   \
            magnitude_                                                                             \
        }                                                                                          \
    }
#define ELEMENTWISE(kind_, cols)                                                                   \
    {                                                                                              \
        .name = #kind_ " " #cols, .kind = DRIFT_OP_##kind_, .n_cols = cols                         \
    }
#define ACTIVATION(kind_, activation_, cols)                                                       \
    {                                                                                              \
        .name = #kind_ " " #activation_ " " #cols, .kind = DRIFT_OP_##kind_, .n_cols = cols,       \
        .attr.attr.activation.kind = DRIFT_ACTIVATION_##activation_                                \
    }
#define ATTENTION(type, heads, kv_heads, dim, window_, cap, context_, sequences, page)             \
    {                                                                                              \
        .name = "attention " #type " " #heads "/" #kv_heads " x " #dim " window " #window_         \
                " cap " #cap " context " #context_ " page " #page,                                 \
        .kind = DRIFT_OP_ATTENTION, .dtype = DRIFT_DTYPE_##type, .n_cols = (heads) * (dim),        \
        .attr.attr.attention = {heads, kv_heads, dim, window_, 0.125f, cap}, .context = context_,  \
        .n_sequences = sequences, .page_tokens = page                                              \
    }

const struct conf_case conf_cases[] = {
    EMBED(F32, 40, 1.0f),
    EMBED(F16, 33, 2.5f),
    EMBED(BF16, 33, 1.0f),
    EMBED(Q4_0, 96, 1.0f),
    EMBED(Q4_1, 96, 25.3f),
    EMBED(Q5_0, 96, 1.0f),
    EMBED(Q5_1, 96, 1.0f),
    EMBED(Q8_0, 96, 25.3f),
    EMBED(Q4_K, 512, 1.0f),
    EMBED(Q5_K, 512, 1.0f),
    EMBED(Q6_K, 512, 25.3f),

    MATMULS(F32, 33, 100),
    MATMULS(F16, 33, 100),
    MATMULS(BF16, 33, 100),
    MATMULS(Q4_0, 32, 224),
    MATMULS(Q4_1, 32, 224),
    MATMULS(Q5_0, 32, 224),
    MATMULS(Q5_1, 32, 224),
    MATMULS(Q8_0, 32, 224),
    MATMULS(Q4_K, 256, 768),
    MATMULS(Q5_K, 256, 768),
    MATMULS(Q6_K, 256, 768),

    NORM(576, 576),
    NORM(33, 33),
    NORM(1, 1),
    NORM(256, 64),
    NORM(120, 40),

    ROPE(ADJACENT, 3, 64, 64, 1.0f),
    ROPE(HALVES, 3, 64, 64, 1.0f),
    ROPE(ADJACENT, 2, 40, 20, 1.25f),
    ROPE(HALVES, 2, 40, 20, 1.25f),
    ROPE(HALVES, 1, 256, 256, 1.0f),

    ELEMENTWISE(ADD, 576),
    ELEMENTWISE(ADD, 33),
    ELEMENTWISE(MUL, 33),
    ACTIVATION(GLU, SILU, 1536),
    ACTIVATION(GLU, SILU, 33),
    ACTIVATION(GLU, GELU_TANH, 33),
    ACTIVATION(ACTIVATE, SILU, 33),
    ACTIVATION(ACTIVATE, GELU_TANH, 33),
    {.name = "scale 33",   .kind = DRIFT_OP_SCALE,   .n_cols = 33, .attr.attr.scale.factor = -1.75f},
    {.name = "softcap 33", .kind = DRIFT_OP_SOFTCAP, .n_cols = 33, .attr.attr.softcap.cap = 3.0f   },

    ATTENTION(F16, 9, 3, 64, 0, 0.0f, 0, 1, 16),
    ATTENTION(F16, 9, 3, 64, 0, 0.0f, 100, 3, 16),
    ATTENTION(F16, 4, 1, 256, 0, 0.0f, 50, 2, 32),
    ATTENTION(F16, 4, 1, 256, 20, 0.0f, 90, 2, 32),
    ATTENTION(F32, 2, 2, 33, 0, 0.0f, 70, 3, 7),
    ATTENTION(F16, 2, 2, 33, 5, 0.0f, 70, 3, 20),
    ATTENTION(F16, 4, 2, 40, 0, 2.0f, 40, 3, 1),
    ATTENTION(F32, 12, 1, 80, 17, 4.0f, 300, 4, 64),
};
const size_t conf_n_cases = DRIFT_COUNT_OF(conf_cases);

const uint32_t conf_token_counts[] = {1, 2, 7, 16, 17, 64};
const size_t conf_n_token_counts = DRIFT_COUNT_OF(conf_token_counts);

/* The table of one level, from the static functions that the including kernels_*.c has; included
 * last. */
#define MATMULS(prefix)                                                                            \
    [DRIFT_DTYPE_Q4_0] = prefix##_Q4_0, [DRIFT_DTYPE_Q4_1] = prefix##_Q4_1,                        \
    [DRIFT_DTYPE_Q5_0] = prefix##_Q5_0, [DRIFT_DTYPE_Q5_1] = prefix##_Q5_1,                        \
    [DRIFT_DTYPE_Q8_0] = prefix##_Q8_0, [DRIFT_DTYPE_Q4_K] = prefix##_Q4_K,                        \
    [DRIFT_DTYPE_Q5_K] = prefix##_Q5_K, [DRIFT_DTYPE_Q6_K] = prefix##_Q6_K

#define KERNELS_TABLE(level)                                                                       \
    {                                                                                              \
        .name = level, .quantize = float_quantize, .matmul_q8 = {MATMULS(matmul_q8)},              \
        .matmul_f32 =                                                                              \
            {MATMULS(matmul_f32), [DRIFT_DTYPE_F32] = matmul_f32_plain,                            \
             [DRIFT_DTYPE_F16] = matmul_f16_plain, [DRIFT_DTYPE_BF16] = matmul_bf16_plain},        \
        .rms_norm = float_rms_norm, .add = float_add, .mul = float_mul, .scale = float_scale,      \
        .softcap = float_softcap,                                                                  \
        .activate = {[DRIFT_ACTIVATION_SILU] = float_silu,                                         \
                     [DRIFT_ACTIVATION_GELU_TANH] = float_gelu_tanh},                              \
        .glu = {[DRIFT_ACTIVATION_SILU] = float_glu_silu,                                          \
                [DRIFT_ACTIVATION_GELU_TANH] = float_glu_gelu_tanh},                               \
        .rope = {[DRIFT_ROPE_ADJACENT] = float_rope_adjacent,                                      \
                 [DRIFT_ROPE_HALVES] = float_rope_halves},                                         \
        .cache_write = attention_cache_write, .attention = attention,                              \
    }

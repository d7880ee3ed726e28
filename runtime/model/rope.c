/* See rope.h. Computed in double: it happens once, and the reference does it no worse. */
#include "runtime/model/rope.h"

#include <math.h>
#include <stddef.h>

#define TAU 6.283185307179586476925286766559

/* Index of the pair that turns `rotations` times over the original context. */
static double pair_of(const struct drift_rope_hparams *rope, uint32_t n_rot, double rotations)
{
    return n_rot * log(rope->original_ctx_tokens / (rotations * TAU)) /
           (2 * log((double)rope->base));
}

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* 1 for pairs fast enough to stay as they are, 0 for those that are interpolated. */
static double yarn_keep(const struct drift_rope_hparams *rope, uint32_t n_rot, uint32_t i)
{
    double low = floor(pair_of(rope, n_rot, (double)rope->beta_fast));
    double high = ceil(pair_of(rope, n_rot, (double)rope->beta_slow));
    low = clamp(low, 0, n_rot - 1);
    high = clamp(high, 0, n_rot - 1);
    double width = high - low > 0.001 ? high - low : 0.001;
    return 1 - clamp((i - low) / width, 0, 1);
}

void drift_rope_frequencies(const struct drift_rope_hparams *rope, uint32_t n_rot,
                            const float *divisors, float *inv_freq, float *ret_magnitude)
{
    double magnitude = 1;
    if (rope->scaling == DRIFT_ROPE_SCALING_YARN) {
        magnitude = (double)rope->attn_factor;
        if (rope->ext_factor != 0)
            magnitude *= 1 + 0.1 * log((double)rope->factor);
    }
    for (uint32_t i = 0; i < n_rot / 2; i++) {
        double freq = pow((double)rope->base, -2.0 * i / n_rot);
        if (divisors)
            freq /= (double)divisors[i];
        double slow = rope->scaling == DRIFT_ROPE_SCALING_NONE ? freq : freq / (double)rope->factor;
        double keep = 0;
        if (rope->scaling == DRIFT_ROPE_SCALING_YARN)
            keep = yarn_keep(rope, n_rot, i) * (double)rope->ext_factor;
        inv_freq[i] = (float)(slow * (1 - keep) + freq * keep);
    }
    *ret_magnitude = (float)magnitude;
}

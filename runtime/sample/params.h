/*
 * How a request wants its tokens chosen: plain values, shared by the wire formats and the sampler.
 *
 * Ranges are checked where the values enter (api/); drift_sampling_default is what an omitted field means.
 */
#ifndef DRIFT_RUNTIME_SAMPLE_PARAMS_H
#define DRIFT_RUNTIME_SAMPLE_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#define DRIFT_MAX_LOGIT_BIAS   1024
#define DRIFT_MAX_TOP_LOGPROBS 20
#define DRIFT_MAX_STOPS        16
#define DRIFT_MAX_STOP_BYTES   1024
#define DRIFT_MAX_CHOICES      16

struct drift_logit_bias {
    int32_t token;
    float bias; /* -100 ... 100; -100 forbids, 100 forces among the unbiased */
};

struct drift_sampling {
    float temperature;        /* 0: greedy, lowest id wins a tie */
    int32_t top_k;            /* 0: off */
    float top_p;              /* 1: off */
    float min_p;              /* 0: off */
    float typical_p;          /* 1: off */
    float repetition_penalty; /* 1: off; divides positive and multiplies negative logits */
    float frequency_penalty;  /* 0: off; times the count in the generated text */
    float presence_penalty;   /* 0: off */
    int32_t penalty_window_tokens; /* how far back repetition_penalty looks, prompt included; -1: the whole context */
    bool has_seed;
    uint64_t seed; /* choice i of a request draws from stream i of this seed */
    const struct drift_logit_bias *logit_bias;
    uint32_t n_logit_bias;
};

#define DRIFT_SAMPLING_DEFAULT                                                                     \
    {                                                                                              \
        .temperature = 1.0f, .top_p = 1.0f, .typical_p = 1.0f, .repetition_penalty = 1.0f,         \
        .penalty_window_tokens = 64                                                                \
    }

#endif

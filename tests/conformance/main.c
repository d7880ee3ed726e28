/*
 * conformance: every op of a device against an independent reference, and the bitwise promises
 * between batches.
 *
 *   conformance [--device ID] [--isa LEVEL] [--filter TEXT] [--slow] [--float-activations]
 *               [--profile NAME]
 *
 * For each case and number of tokens, in both stages: |result - expected| must be within the case's
 * bound, and a token's result must be the same bits whether it is computed alone or among others.
 * Devices of the CPU backend also promise the same bits for any number of threads and for both
 * stages. Prints a line per case (the worst error as a part of its bound) and exits with 1 when
 * anything disagrees.
 */
#include "runtime/base/alloc.h"
#include "tests/conformance/runner.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOW_TOKENS 512u

struct options {
    const char *device, *isa, *filter, *profile;
    bool slow, float_activations;
};

struct session {
    struct options options;
    struct drift_device *device; /* one thread on the CPU */
    struct drift_device *other;  /* CPU: three threads; NULL otherwise */
    uint32_t n_failed, n_run;
};

/* What went wrong with a case, if anything. */
struct outcome {
    double worst; /* largest error / bound */
    char failure[320];
};

static void fail(struct outcome *outcome, const struct conf_problem *p, enum drift_stage stage,
                 const char *what)
{
    if (outcome->failure[0] == '\0')
        snprintf(outcome->failure, sizeof outcome->failure, "%u tokens, %s: %s", p->n_tokens,
                 stage == DRIFT_STAGE_THIN ? "thin" : "tiled", what);
}

static float *new_output(const struct conf_problem *p)
{
    float *out = drift_alloc(DRIFT_TAG_BASE, (size_t)p->n_tokens * p->n_out_cols, sizeof *out);
    DRIFT_ASSERT(out);
    return out;
}

static bool run(struct drift_device *device, const struct conf_problem *p, enum drift_stage stage,
                uint32_t first, uint32_t count, float *out, struct outcome *outcome)
{
    struct drift_error err = {0};
    if (conf_run(device, p, stage, first, count, out, &err) == DRIFT_STATUS_OK)
        return true;
    fail(outcome, p, stage, err.msg);
    return false;
}

static void check_values(const struct conf_problem *p, enum drift_stage stage, const float *out,
                         struct outcome *outcome)
{
    for (size_t i = 0; i < (size_t)p->n_tokens * p->n_out_cols; i++) {
        double error = fabs((double)out[i] - p->expected[i]);
        double part = error == 0.0 ? 0.0 : error / p->bound[i];
        if (!(part <= outcome->worst))
            outcome->worst = part;
        if (part <= 1.0)
            continue;
        char what[160];
        snprintf(what, sizeof what, "token %zu column %zu is %.9g, not %.9g (bound %.3g)",
                 i / p->n_out_cols, i % p->n_out_cols, (double)out[i], p->expected[i], p->bound[i]);
        fail(outcome, p, stage, what);
        return;
    }
}

/* The first, middle and last token alone against the whole batch. */
static void check_rows_alone(struct session *s, const struct conf_problem *p,
                             enum drift_stage stage, const float *all, struct outcome *outcome)
{
    const uint32_t tokens[] = {0, p->n_tokens / 2, p->n_tokens - 1};
    float *alone = new_output(p);
    for (size_t i = 0; i < DRIFT_COUNT_OF(tokens); i++) {
        const float *row = all + (size_t)tokens[i] * p->n_out_cols;
        if (!run(s->device, p, stage, tokens[i], 1, alone, outcome))
            break;
        if (memcmp(alone, row, p->n_out_cols * sizeof *alone) != 0)
            fail(outcome, p, stage, "a token alone differs from the same token in the batch");
    }
    drift_free(alone);
}

static void check_same(struct session *s, struct drift_device *device, const struct conf_problem *p,
                       enum drift_stage stage, const float *expected, const char *what,
                       struct outcome *outcome)
{
    (void)s;
    float *out = new_output(p);
    if (run(device, p, stage, 0, p->n_tokens, out, outcome) &&
        memcmp(out, expected, (size_t)p->n_tokens * p->n_out_cols * sizeof *out) != 0)
        fail(outcome, p, stage, what);
    drift_free(out);
}

static void check_problem(struct session *s, const struct conf_problem *p, struct outcome *outcome)
{
    bool is_thin = p->n_tokens <= DRIFT_THIN_MAX_TOKENS;
    for (int i = is_thin ? 0 : 1; i < DRIFT_STAGE_COUNT; i++) {
        enum drift_stage stage = (enum drift_stage)i;
        float *out = new_output(p);
        if (run(s->device, p, stage, 0, p->n_tokens, out, outcome)) {
            check_values(p, stage, out, outcome);
            check_rows_alone(s, p, stage, out, outcome);
            if (s->other)
                check_same(s, s->other, p, stage, out, "differs with three threads", outcome);
            if (s->other && is_thin && stage == DRIFT_STAGE_THIN)
                check_same(s, s->device, p, DRIFT_STAGE_TILED, out, "thin and tiled differ",
                           outcome);
        }
        drift_free(out);
    }
}

static void run_case(struct session *s, const struct conf_case *c)
{
    struct outcome outcome = {0};
    for (size_t i = 0; i <= conf_n_token_counts; i++) {
        if (i == conf_n_token_counts && !s->options.slow)
            break;
        uint32_t n = i < conf_n_token_counts ? conf_token_counts[i] : SLOW_TOKENS;
        struct conf_problem *p = conf_problem_create(c, n, s->options.float_activations);
        check_problem(s, p, &outcome);
        conf_problem_destroy(p);
    }
    bool ok = outcome.failure[0] == '\0';
    s->n_run++;
    s->n_failed += !ok;
    printf("%-6s %7.4f  %-70s %s\n", ok ? "ok" : "FAILED", outcome.worst, c->name, outcome.failure);
    fflush(stdout);
}

static bool open_devices(struct session *s)
{
    struct drift_error err = {0};
    struct drift_device_params params = {
        .n_threads = 1,
        .cpu_isa = s->options.isa,
        .cpu_float_activations = s->options.float_activations,
        .gpu_profile = s->options.profile,
    };
    enum drift_status status = drift_device_open(s->options.device, &params, &s->device, &err);
    params.n_threads = 3;
    if (status == DRIFT_STATUS_OK && strcmp(drift_device_get_info(s->device)->id, "cpu") == 0)
        status = drift_device_open(s->options.device, &params, &s->other, &err);
    if (status != DRIFT_STATUS_OK)
        fprintf(stderr, "conformance: %s\n", err.msg);
    return status == DRIFT_STATUS_OK;
}

static bool parse_options(int argc, char **argv, struct options *options)
{
    *options = (struct options){.device = "cpu"};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        if (strcmp(argv[i], "--slow") == 0)
            options->slow = true;
        else if (strcmp(argv[i], "--float-activations") == 0)
            options->float_activations = true;
        else if (strcmp(argv[i], "--device") == 0 && value)
            options->device = argv[++i];
        else if (strcmp(argv[i], "--isa") == 0 && value)
            options->isa = argv[++i];
        else if (strcmp(argv[i], "--profile") == 0 && value)
            options->profile = argv[++i];
        else if (strcmp(argv[i], "--filter") == 0 && value)
            options->filter = argv[++i];
        else
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    struct session s = {0};
    if (!parse_options(argc, argv, &s.options)) {
        fprintf(stderr, "usage: conformance [--device ID] [--isa LEVEL] [--filter TEXT] [--slow] "
                        "[--float-activations] [--profile NAME]\n");
        return 64;
    }
    if (!open_devices(&s)) {
        drift_device_close(s.device);
        return 69;
    }
    printf("%s: %s\n", drift_device_get_info(s.device)->id, drift_device_get_info(s.device)->name);
    for (size_t i = 0; i < conf_n_cases; i++) {
        if (!s.options.filter || strstr(conf_cases[i].name, s.options.filter))
            run_case(&s, &conf_cases[i]);
    }
    drift_device_close(s.device);
    drift_device_close(s.other);
    printf("%u cases, %u failed\n", s.n_run, s.n_failed);
    return s.n_failed > 0 || s.n_run == 0;
}

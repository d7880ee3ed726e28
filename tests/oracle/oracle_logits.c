/*
 * Logits of given token ids, for tests/oracle/compare.py: one sequence from position 0, every
 * position's row as raw little-endian f32 on stdout, [n_tokens, n_vocab]. Token ids are decimal
 * numbers on stdin.
 */
#include "runtime/model/hparams.h"
#include "runtime/model/run.h"

#include "runtime/base/alloc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TOKENS 65536u

static const char usage[] =
    "usage: oracle_logits --model FILE [--device ID] [--isa NAME] [--float-activations] [--kv "
    "f16|f32]\n"
    "                     [--stage thin|tiled] [--chunk TOKENS] [--threads N] [--dump-plan]\n"
    "reads token ids from stdin, writes f32 logits [n_tokens, n_vocab] to stdout\n";

struct options {
    struct drift_runner_params runner;
    enum drift_stage stage;
    bool dump_plan;
};

static int bad_usage(const char *what)
{
    fprintf(stderr, "oracle_logits: %s\n%s", what, usage);
    return 64;
}

static bool parse_u32(const char *text, uint32_t *ret)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno || end == text || *end || value > 65536)
        return false;
    *ret = (uint32_t)value;
    return true;
}

/* One option with a value; false when it is unknown or the value is bad. */
static bool parse_option(struct options *o, const char *name, const char *value)
{
    struct drift_runner_params *r = &o->runner;
    if (strcmp(name, "--model") == 0)
        r->load.path = value;
    else if (strcmp(name, "--device") == 0)
        r->device = value;
    else if (strcmp(name, "--isa") == 0)
        r->device_params.cpu_isa = value;
    else if (strcmp(name, "--kv") == 0)
        r->load.kv_dtype = strcmp(value, "f32") == 0 ? DRIFT_DTYPE_F32 : DRIFT_DTYPE_F16;
    else if (strcmp(name, "--stage") == 0)
        o->stage = strcmp(value, "thin") == 0 ? DRIFT_STAGE_THIN : DRIFT_STAGE_TILED;
    else if (strcmp(name, "--chunk") == 0)
        return parse_u32(value, &r->load.prefill_chunk_tokens);
    else if (strcmp(name, "--threads") == 0)
        return parse_u32(value, &r->device_params.n_threads);
    else
        return false;
    return true;
}

static int parse_options(struct options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--float-activations") == 0)
            o->runner.device_params.cpu_float_activations = true;
        else if (strcmp(argv[i], "--dump-plan") == 0)
            o->dump_plan = true;
        else if (i + 1 >= argc || !parse_option(o, argv[i], argv[i + 1]))
            return bad_usage(argv[i]);
        else
            i++;
    }
    return o->runner.load.path ? 0 : bad_usage("--model is missing");
}

static uint32_t read_tokens(int32_t *tokens)
{
    uint32_t n = 0;
    while (n < MAX_TOKENS && scanf("%d", &tokens[n]) == 1)
        n++;
    return n;
}

/* Evaluate in pieces, so that a large vocabulary does not need all rows at once. */
static enum drift_status write_logits(struct drift_runner *runner, const struct options *o,
                                      const int32_t *tokens, uint32_t n, struct drift_error *err)
{
    struct drift_load_limits limits;
    drift_load_get_limits(drift_runner_model(runner), o->stage, &limits);
    size_t n_vocab = drift_load_hparams(drift_runner_model(runner))->n_vocab;
    float *logits = drift_alloc(DRIFT_TAG_ENGINE, limits.max_tokens * n_vocab, sizeof *logits);
    if (!logits)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for logits");
    enum drift_status status = DRIFT_STATUS_OK;
    for (uint32_t done = 0; status == DRIFT_STATUS_OK && done < n;) {
        uint32_t n_now = n - done < limits.max_tokens ? n - done : limits.max_tokens;
        status = drift_runner_eval(runner, o->stage, tokens + done, n_now, DRIFT_RUNNER_LOGITS_ALL,
                                   logits, err);
        if (status == DRIFT_STATUS_OK &&
            fwrite(logits, n_vocab * sizeof *logits, n_now, stdout) != n_now)
            status = drift_error_set_errno(err, errno, "writing logits");
        done += n_now;
    }
    drift_free(logits);
    return status;
}

static enum drift_status dump_plan(struct drift_runner *runner, enum drift_stage stage,
                                   struct drift_error *err)
{
    struct drift_buf text;
    drift_buf_init(&text, DRIFT_TAG_ENGINE, 16u << 20);
    enum drift_status status = drift_load_dump_plan(drift_runner_model(runner), stage, &text, err);
    fputs(drift_buf_cstr(&text), stdout);
    drift_buf_fini(&text);
    return status;
}

int main(int argc, char **argv)
{
    static int32_t tokens[MAX_TOKENS];
    struct options o = {
        .runner = {.device = "cpu",
                   .load = {.prefill_chunk_tokens = 64, .kv_dtype = DRIFT_DTYPE_F16}},
        .stage = DRIFT_STAGE_TILED
    };
    int bad = parse_options(&o, argc, argv);
    if (bad)
        return bad;
    o.runner.load.prefill_outputs = o.runner.load.prefill_chunk_tokens;
    struct drift_error err = {0};
    struct drift_runner *runner = NULL;
    enum drift_status status = drift_runner_create(&o.runner, &runner, &err);
    if (status == DRIFT_STATUS_OK)
        status = o.dump_plan ? dump_plan(runner, o.stage, &err)
                             : write_logits(runner, &o, tokens, read_tokens(tokens), &err);
    drift_runner_destroy(runner);
    if (status == DRIFT_STATUS_OK && fflush(stdout) == 0)
        return 0;
    fprintf(stderr, "oracle_logits: %s: %s\n", drift_status_name(status), err.msg);
    return 1;
}

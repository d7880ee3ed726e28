/*
 * The daemon's configuration: one validated, immutable struct from defaults, file, environment and
 * flags.
 *
 * One table of keys (schema.c) decides everything: what the INI file, the flags and the environment
 * (DRIFTD_<FLAG>) accept, defaults, ranges, --help, the example file and driftd.conf(5). A later
 * source replaces an earlier one: defaults < file < environment < flags; a list is replaced whole.
 * In the file "key =" with nothing behind it means the default again, as systemd users know it.
 *
 * Ranges and combinations are checked here, whole. Files that the values name are opened by who
 * needs them, not here. Nothing here logs or reads the process environment: main passes both in and
 * prints drift_config.warnings.
 */
#ifndef DRIFT_CONFIG_CONFIG_H
#define DRIFT_CONFIG_CONFIG_H

#include "runtime/base/buffer.h"
#include "runtime/base/dtype.h"
#include "runtime/base/error.h"
#include "runtime/base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit statuses of sysexits.h that drift_config_exit_status returns. */
#define DRIFT_CONFIG_EXIT_USAGE  64
#define DRIFT_CONFIG_EXIT_NOFILE 66
#define DRIFT_CONFIG_EXIT_MEMORY 71
#define DRIFT_CONFIG_EXIT_CONFIG 78

/* Caps of what a configuration may hold. */
#define DRIFT_CONFIG_MAX_FILE_BYTES  (1u << 20)
#define DRIFT_CONFIG_MAX_VALUE_BYTES 4000u
#define DRIFT_CONFIG_MAX_LISTEN      16u
#define DRIFT_CONFIG_MAX_ORIGINS     64u
#define DRIFT_CONFIG_MAX_MODELS      256u
#define DRIFT_CONFIG_MAX_WARNINGS    32u
#define DRIFT_CONFIG_MAX_CHANGES     512u

/* What the command line asks the program to do. */
enum drift_config_action {
    DRIFT_CONFIG_ACTION_RUN,
    DRIFT_CONFIG_ACTION_CHECK_CONFIG,
    DRIFT_CONFIG_ACTION_LIST_DEVICES,
    DRIFT_CONFIG_ACTION_VERSION,
    DRIFT_CONFIG_ACTION_HELP,
    DRIFT_CONFIG_ACTION_COUNT
};

enum drift_config_listen_kind {
    DRIFT_CONFIG_LISTEN_TCP,
    DRIFT_CONFIG_LISTEN_UNIX,
    DRIFT_CONFIG_LISTEN_COUNT
};

struct drift_config_listen {
    enum drift_config_listen_kind kind;
    const char *text; /* as configured, for messages */
    const char *host; /* TCP: name or address without brackets; "*" is every interface */
    uint16_t port;    /* TCP: 0 lets the system choose */
    const char *path; /* UNIX: shorter than sun_path, or '@' and a name in the abstract space */
    bool loopback;    /* reachable from this machine only: 127/8, ::1, localhost, UNIX */
};

enum drift_config_log_format {
    DRIFT_CONFIG_LOG_FORMAT_AUTO, /* journald when the environment says that it reads stderr */
    DRIFT_CONFIG_LOG_FORMAT_PLAIN,
    DRIFT_CONFIG_LOG_FORMAT_JOURNALD,
    DRIFT_CONFIG_LOG_FORMAT_COUNT
};

enum drift_config_isa {
    DRIFT_CONFIG_ISA_AUTO, /* the best that this processor has */
    DRIFT_CONFIG_ISA_PORTABLE,
    DRIFT_CONFIG_ISA_AVX2,
    DRIFT_CONFIG_ISA_AVX512,
    DRIFT_CONFIG_ISA_COUNT
};

/* Which values of the Origin header are answered. */
enum drift_config_cors {
    DRIFT_CONFIG_CORS_LOOPBACK, /* http(s)://localhost, 127.0.0.1 and [::1], any port; and the list
                                 */
    DRIFT_CONFIG_CORS_LIST,     /* the list only; empty answers nobody */
    DRIFT_CONFIG_CORS_ANY,
    DRIFT_CONFIG_CORS_COUNT
};

/* One [model NAME] section, or one --model NAME=PATH. */
struct drift_config_model {
    const char *name; /* 1..127 bytes of A-Z a-z 0-9 . _ : / - */
    const char *path;
    uint32_t ctx_tokens;            /* 0: drift_config_engine.ctx_tokens */
    const char *chat_template_file; /* NULL: the template in the model file */
    const char *device;             /* NULL: drift_config_engine.device */
    bool preload;                   /* load at start; otherwise at the first request */
};

struct drift_config_server {
    const struct drift_config_listen *listen; /* [n_listen], at least one */
    size_t n_listen;
    uint64_t max_body_bytes;
    uint32_t max_connections;
    uint64_t header_timeout_ms;
    uint64_t idle_timeout_ms;
    uint64_t sse_ping_interval_ms; /* 0: none */
    uint64_t drain_timeout_ms;
    uint32_t max_queue_requests;
    const char *api_key_file; /* NULL: no keys */
    bool allow_remote_without_key;
    enum drift_config_cors cors;
    const char *const *cors_origins; /* [n_cors_origins] scheme://host[:port], lower case */
    size_t n_cors_origins;
    enum drift_log_level log_level;
    enum drift_config_log_format log_format;
    bool log_prompts;
};

struct drift_config_models {
    const char *models_dir;                  /* NULL: none */
    const char *default_model;               /* NULL: a request has to name its model */
    const struct drift_config_model *models; /* [n_models], names differ */
    size_t n_models;
};

struct drift_config_engine {
    const char *device;       /* auto, cpu, opencl, opencl:N, vulkan, vulkan:N */
    uint32_t ctx_tokens;      /* per sequence; 0: what the model was trained for, at most 8192 */
    uint32_t kv_cache_tokens; /* of all sequences together; 0: four sequences of full length */
    uint32_t max_sequences;
    uint32_t prefill_chunk_tokens;
    enum drift_dtype kv_dtype; /* F16 or F32 */
    bool determinism;
    uint64_t memory_budget_bytes; /* 0: what the device reports, less a margin */
};

struct drift_config_cpu {
    uint32_t n_threads; /* 0: as many as the cores this process may run on */
    enum drift_config_isa isa;
};

struct drift_config_cache {
    /* Never NULL. Default: $CACHE_DIRECTORY, $XDG_CACHE_HOME/driftd, $HOME/.cache/driftd,
     * /var/cache/driftd */
    const char *dir;
};

struct drift_config {
    enum drift_config_action action;
    const char *file; /* the configuration file that was read; NULL: none */
    struct drift_config_server server;
    struct drift_config_models models;
    struct drift_config_engine engine;
    struct drift_config_cpu cpu;
    struct drift_config_cache cache;
    const char *const
        *warnings; /* [n_warnings] sentences to log once: what was ignored or overridden */
    size_t n_warnings;
};

/* "auto", "portable", "avx2" or "avx512", as the key is written. */
const char *drift_config_isa_name(enum drift_config_isa isa);

/* What main gets from the system. Borrowed for the call only. */
struct drift_config_input {
    int argc;
    char *const *argv; /* argv[0] is skipped */
    char *const *envp; /* NULL-terminated "NAME=value"; NULL: empty */
};

/*
 * Read flags, environment and file, check everything, and return the result in *ret.
 *
 * With --help or --version nothing else is read and the rest holds the defaults, so that both work
 * with a broken file. The file is the one of --config or DRIFTD_CONFIG; without either none is
 * read.
 *
 * Errors (drift_config_exit_status maps them): INVALID with native = 64 a command line that cannot
 * be understood; INVALID a value, key or combination (the message names place, key, value and what
 * is allowed); CORRUPT the file is not INI; LIMIT too long or too many; NOT_FOUND, IO the file
 * cannot be read; NO_MEMORY. Release with drift_config_destroy. Blocks on the file. Thread: any,
 * one at a time.
 */
enum drift_status drift_config_load(const struct drift_config_input *input,
                                    struct drift_config **ret,
                                    struct drift_error *err) DRIFT_MUST_USE;
/* Release everything the configuration points to; NULL is accepted. */
void drift_config_destroy(struct drift_config *config);

/* The exit status for a failure of drift_config_load: 64 usage, 66 no such file, 71 memory, 78
 * configuration. */
int drift_config_exit_status(const struct drift_error *err);

/* One key whose value differs between two configurations. Pointers live as long as both of them. */
struct drift_config_change {
    const char *section;    /* "server" ...; "model" for a key of a [model NAME] section */
    const char *key;        /* as in the file; "path" when a model came or went */
    const char *model_name; /* NULL outside of [model NAME] */
    bool needs_restart;     /* a reload cannot apply it */
};

/*
 * List what differs, in the order of the table, models last. Writes at most cap entries and returns
 * how many there are in all (capped at DRIFT_CONFIG_MAX_CHANGES). Allocates nothing. Thread: any.
 */
size_t drift_config_diff(const struct drift_config *before, const struct drift_config *after,
                         struct drift_config_change *changes, size_t cap);

/* Write the configuration in force as an INI file, each value with where it came from. */
void drift_config_dump(const struct drift_config *config, struct drift_buf *out);
/* Write the text of --help. */
void drift_config_help(struct drift_buf *out);
/* Write the example file: every key commented out with its default, help and allowed values. */
void drift_config_example(struct drift_buf *out);
/* Write the list of keys as mdoc, for driftd.conf(5). */
void drift_config_man_keys(struct drift_buf *out);
/* Write the list of flags as mdoc, for driftd(8). */
void drift_config_man_flags(struct drift_buf *out);

#endif

/*
 * The one table of configuration keys. A new key is a field in config.h and a row here; the
 * parsers,
 * --help, the example file and the man pages follow. After a change run ninja config-example.
 */
#include "config/schema.h"

#include <string.h>

#define KIB  (1024ull)
#define MIB  (1024ull * KIB)
#define GIB  (1024ull * MIB)
#define TIB  (1024ull * GIB)
#define SEC  1000ull
#define MIN  (60 * SEC)
#define HOUR (60 * MIN)

/* Longest context and largest pool of tokens that anything in the program is written for. */
#define MAX_CTX_TOKENS (1u << 20)
#define MAX_KV_TOKENS  (1u << 26)

static const struct drift_config_choice log_levels[] = {
    {"error", DRIFT_LOG_ERROR},
    {"warn",  DRIFT_LOG_WARN },
    {"info",  DRIFT_LOG_INFO },
    {"debug", DRIFT_LOG_DEBUG},
    {NULL,    0              },
};

static const struct drift_config_choice log_formats[] = {
    {"auto",     DRIFT_CONFIG_LOG_FORMAT_AUTO    },
    {"plain",    DRIFT_CONFIG_LOG_FORMAT_PLAIN   },
    {"journald", DRIFT_CONFIG_LOG_FORMAT_JOURNALD},
    {NULL,       0                               },
};

static const struct drift_config_choice kv_types[] = {
    {"f16", DRIFT_DTYPE_F16},
    {"f32", DRIFT_DTYPE_F32},
    {NULL,  0              },
};

static const struct drift_config_choice isas[] = {
    {"auto",     DRIFT_CONFIG_ISA_AUTO    },
    {"portable", DRIFT_CONFIG_ISA_PORTABLE},
    {"avx2",     DRIFT_CONFIG_ISA_AVX2    },
    {"avx512",   DRIFT_CONFIG_ISA_AVX512  },
    {NULL,       0                        },
};

#define SECTION_KEY(id, key_name, field_name)                                                      \
    .section = DRIFT_CONFIG_SECTION_##id, .name = key_name,                                        \
    .offset = offsetof(struct drift_config, field_name)
#define MODEL_KEY(key_name, field_name)                                                            \
    .section = DRIFT_CONFIG_SECTION_MODEL, .name = key_name,                                       \
    .offset = offsetof(struct drift_config_model, field_name)

/* clang-format off */
const struct drift_config_key drift_config_keys[] = {
    /* [server] */
    {SECTION_KEY(SERVER, "listen", server.listen), .flag = "listen", .arg = "ADDRESS",
     .type = DRIFT_CONFIG_TYPE_LISTEN, .max = DRIFT_CONFIG_MAX_LISTEN,
     .default_text = "127.0.0.1:8080",
     .help = "Accept connections here; may be given several times. Port 0 lets the system choose "
             "one. Sockets passed by systemd take its place."},
    {SECTION_KEY(SERVER, "max-body-bytes", server.max_body_bytes),
     .flag = "max-body-bytes", .arg = "SIZE",
     .type = DRIFT_CONFIG_TYPE_BYTES, .min = KIB, .max = GIB,
     .default_text = "16MiB", .reloadable = true,
     .help = "Largest request body; a larger one is refused with status 413."},
    {SECTION_KEY(SERVER, "max-connections", server.max_connections),
     .flag = "max-connections", .arg = "N",
     .type = DRIFT_CONFIG_TYPE_NUMBER, .min = 1, .max = 65536, .default_text = "1024",
     .help = "Most connections at a time; more wait in the system's backlog."},
    {SECTION_KEY(SERVER, "header-timeout", server.header_timeout_ms),
     .flag = "header-timeout", .arg = "TIME",
     .type = DRIFT_CONFIG_TYPE_TIME, .min = 100, .max = 10 * MIN, .default_text = "10s",
     .help = "How long a client may take to send a request's header."},
    {SECTION_KEY(SERVER, "idle-timeout", server.idle_timeout_ms),
     .flag = "idle-timeout", .arg = "TIME",
     .type = DRIFT_CONFIG_TYPE_TIME, .min = 1 * SEC, .max = 24 * HOUR, .default_text = "2min",
     .help = "How long an open connection without a request is kept."},
    {SECTION_KEY(SERVER, "sse-ping-interval", server.sse_ping_interval_ms),
     .flag = "sse-ping-interval", .arg = "TIME",
     .type = DRIFT_CONFIG_TYPE_TIME, .min = 100, .max = 10 * MIN,
     .zero = "none", .default_text = "10s", .reloadable = true,
     .help = "A stream that has nothing to say for this long sends a comment, so that nobody in "
             "between closes it."},
    {SECTION_KEY(SERVER, "drain-timeout", server.drain_timeout_ms),
     .flag = "drain-timeout", .arg = "TIME",
     .type = DRIFT_CONFIG_TYPE_TIME, .min = 100, .max = 1 * HOUR,
     .zero = "at once", .default_text = "30s", .reloadable = true,
     .help = "How long running requests may go on after SIGTERM before they are cancelled."},
    {SECTION_KEY(SERVER, "max-queue", server.max_queue_requests), .flag = "max-queue", .arg = "N",
     .type = DRIFT_CONFIG_TYPE_NUMBER, .min = 1, .max = 65536,
     .default_text = "64",
     .help = "Most requests that wait for their turn; one more is refused with status 429."},
    {SECTION_KEY(SERVER, "api-key-file", server.api_key_file),
     .flag = "api-key-file", .arg = "FILE",
     .type = DRIFT_CONFIG_TYPE_PATH, .default_note = "no keys", .reloadable = true,
     .help = "File with one API key a line; requests have to carry one of them. Read again on "
             "SIGHUP."},
    {SECTION_KEY(SERVER, "allow-remote-without-key", server.allow_remote_without_key),
     .flag = "allow-remote-without-key", .type = DRIFT_CONFIG_TYPE_BOOL, .default_text = "off",
     .help = "Serve other machines although there is no api-key-file. Whoever reaches the port "
             "can then use the models."},
    {SECTION_KEY(SERVER, "cors-origins", server.cors), .flag = "cors-origins", .arg = "ORIGIN",
     .type = DRIFT_CONFIG_TYPE_ORIGINS, .max = DRIFT_CONFIG_MAX_ORIGINS,
     .default_text = "loopback", .reloadable = true,
     .help = "Web pages whose scripts may call the server; may be given several times. loopback "
             "means pages of this machine, * every page, none no page."},
    {SECTION_KEY(SERVER, "log-level", server.log_level), .flag = "log-level", .arg = "LEVEL",
     .type = DRIFT_CONFIG_TYPE_CHOICE, .choices = log_levels,
     .default_text = "info", .reloadable = true,
     .help = "Least important kind of message that is logged."},
    {SECTION_KEY(SERVER, "log-format", server.log_format), .flag = "log-format", .arg = "FORMAT",
     .type = DRIFT_CONFIG_TYPE_CHOICE, .choices = log_formats,
     .default_text = "auto", .reloadable = true,
     .help = "Form of the log on standard error; journald puts the priority before each line. "
             "auto chooses journald when systemd reads it."},
    {SECTION_KEY(SERVER, "log-prompts", server.log_prompts), .flag = "log-prompts",
     .type = DRIFT_CONFIG_TYPE_BOOL, .default_text = "off", .reloadable = true,
     .help = "Log prompts and answers at level debug. They are private: leave this off unless "
             "you debug."},

    /* [models] */
    {SECTION_KEY(MODELS, "models-dir", models.models_dir), .flag = "models-dir", .arg = "DIR",
     .type = DRIFT_CONFIG_TYPE_PATH, .default_note = "none",
     .help = "Directory whose *.gguf files can be loaded on request, named after the file "
             "without .gguf."},
    {SECTION_KEY(MODELS, "default-model", models.default_model),
     .flag = "default-model", .arg = "NAME",
     .type = DRIFT_CONFIG_TYPE_NAME,
     .default_note = "a request has to name its model", .reloadable = true,
     .help = "Model for requests that name none."},

    /* [model NAME] */
    {MODEL_KEY("path", path), .flag = "model", .arg = "NAME=PATH",
     .type = DRIFT_CONFIG_TYPE_PATH, .default_note = "has to be given",
     .help = "The model's GGUF file. On the command line: serve PATH under NAME; may be given "
             "several times."},
    {MODEL_KEY("ctx", ctx_tokens),
     .type = DRIFT_CONFIG_TYPE_NUMBER, .min = 16, .max = MAX_CTX_TOKENS,
     .zero = "that of [engine]", .default_text = "0",
     .help = "Longest sequence of this model, prompt and answer, in tokens."},
    {MODEL_KEY("chat-template-file", chat_template_file), .type = DRIFT_CONFIG_TYPE_PATH,
     .default_note = "the template in the model's file",
     .help = "Jinja chat template to use in place of the model's own."},
    {MODEL_KEY("device", device),
     .type = DRIFT_CONFIG_TYPE_DEVICE, .default_note = "that of [engine]",
     .help = "Device that runs this model."},
    {MODEL_KEY("preload", preload), .type = DRIFT_CONFIG_TYPE_BOOL, .default_text = "on",
     .help = "Load the model at start; otherwise the first request for it does."},

    /* [engine] */
    {SECTION_KEY(ENGINE, "device", engine.device), .flag = "device", .arg = "DEVICE",
     .type = DRIFT_CONFIG_TYPE_DEVICE, .default_text = "auto",
     .help = "Device that runs the models; driftd --list-devices prints those there are. auto "
             "takes the first usable GPU, or else the CPU."},
    {SECTION_KEY(ENGINE, "ctx", engine.ctx_tokens), .flag = "ctx", .arg = "TOKENS",
     .type = DRIFT_CONFIG_TYPE_NUMBER, .min = 16, .max = MAX_CTX_TOKENS,
     .zero = "what the model was trained for, at most 8192", .default_text = "0",
     .help = "Longest sequence, prompt and answer, in tokens."},
    {SECTION_KEY(ENGINE, "kv-cache-tokens", engine.kv_cache_tokens),
     .flag = "kv-cache-tokens", .arg = "TOKENS",
     .type = DRIFT_CONFIG_TYPE_NUMBER, .min = 16, .max = MAX_KV_TOKENS,
     .zero = "four sequences of full length", .default_text = "0",
     .help = "Tokens that the KV cache of one model holds for all its sequences together."},
    {SECTION_KEY(ENGINE, "max-sequences", engine.max_sequences),
     .flag = "max-sequences", .arg = "N",
     .type = DRIFT_CONFIG_TYPE_NUMBER, .min = 1, .max = 1024, .default_text = "32",
     .help = "Most sequences that one device works on at a time; others wait."},
    {SECTION_KEY(ENGINE, "prefill-chunk", engine.prefill_chunk_tokens),
     .flag = "prefill-chunk", .arg = "TOKENS",
     .type = DRIFT_CONFIG_TYPE_NUMBER, .min = 16, .max = 8192, .default_text = "256",
     .help = "Prompt tokens of one sequence that one step computes. More is faster for long "
             "prompts, less lets the others' answers flow more evenly."},
    {SECTION_KEY(ENGINE, "kv-type", engine.kv_dtype), .flag = "kv-type", .arg = "TYPE",
     .type = DRIFT_CONFIG_TYPE_CHOICE, .choices = kv_types, .default_text = "f16",
     .help = "Data type of the KV cache; f32 takes twice the memory."},
    {SECTION_KEY(ENGINE, "determinism", engine.determinism), .flag = "determinism",
     .type = DRIFT_CONFIG_TYPE_BOOL, .default_text = "on",
     .help = "Give a request the same answer whatever else is running. Off may be faster with "
             "many requests at a time."},
    {SECTION_KEY(ENGINE, "memory-budget", engine.memory_budget_bytes),
     .flag = "memory-budget", .arg = "SIZE",
     .type = DRIFT_CONFIG_TYPE_BYTES, .min = 16 * MIB, .max = 16 * TIB,
     .zero = "what the device reports, less a margin", .default_text = "0",
     .help = "Memory of each device for models, KV caches and intermediate results together."},

    /* [cpu] */
    {SECTION_KEY(CPU, "threads", cpu.n_threads), .flag = "threads", .arg = "N",
     .type = DRIFT_CONFIG_TYPE_NUMBER, .min = 1, .max = 1024,
     .zero = "all cores the process may run on", .default_text = "0",
     .help = "Threads that compute."},
    {SECTION_KEY(CPU, "isa", cpu.isa), .flag = "cpu-isa", .arg = "ISA",
     .type = DRIFT_CONFIG_TYPE_CHOICE, .choices = isas, .default_text = "auto",
     .help = "Instruction set of the CPU kernels. One that this processor lacks is an error at "
             "start."},

    /* [cache] */
    {SECTION_KEY(CACHE, "dir", cache.dir), .flag = "cache-dir", .arg = "DIR",
     .type = DRIFT_CONFIG_TYPE_PATH,
     .default_note = "$CACHE_DIRECTORY (which systemd sets), $XDG_CACHE_HOME/driftd, "
                     "~/.cache/driftd or /var/cache/driftd",
     .help = "Where compiled kernels and the like are kept."},
};
/* clang-format on */

const size_t drift_config_n_keys = DRIFT_COUNT_OF(drift_config_keys);

const struct drift_config_command drift_config_commands[] = {
    {"config",       "FILE", DRIFT_CONFIG_ACTION_RUN,
     "Read this configuration file; see driftd.conf(5)."                                    },
    {"check-config", NULL,   DRIFT_CONFIG_ACTION_CHECK_CONFIG,
     "Check the configuration, print what is in force and where it comes from, and exit."   },
    {"list-devices", NULL,   DRIFT_CONFIG_ACTION_LIST_DEVICES,
     "Print the devices that models can run on, and exit."                                  },
    {"version",      NULL,   DRIFT_CONFIG_ACTION_VERSION,      "Print the version and exit."},
    {"help",         NULL,   DRIFT_CONFIG_ACTION_HELP,         "Print this text and exit."  },
};

const size_t drift_config_n_commands = DRIFT_COUNT_OF(drift_config_commands);

static const struct {
    const char *name;
    const char *heading;
} sections[DRIFT_CONFIG_SECTION_COUNT] = {
#define X(id, name, heading) [DRIFT_CONFIG_SECTION_##id] = {name, heading},
    DRIFT_CONFIG_SECTION_MAP(X)
#undef X
};

const char *drift_config_isa_name(enum drift_config_isa isa)
{
    return (unsigned)isa < DRIFT_CONFIG_ISA_COUNT ? isas[isa].text : "?";
}

const char *drift_config_section_name(enum drift_config_section section)
{
    return sections[section].name;
}

const char *drift_config_section_heading(enum drift_config_section section)
{
    return sections[section].heading;
}

bool drift_config_section_find(const char *name, enum drift_config_section *ret)
{
    for (unsigned i = 0; i < DRIFT_CONFIG_SECTION_COUNT; i++) {
        if (strcmp(sections[i].name, name) == 0) {
            *ret = (enum drift_config_section)i;
            return true;
        }
    }
    return false;
}

const struct drift_config_key *drift_config_key_find(enum drift_config_section section,
                                                     const char *name)
{
    for (size_t i = 0; i < drift_config_n_keys; i++) {
        const struct drift_config_key *key = &drift_config_keys[i];
        if (key->section == section && strcmp(key->name, name) == 0)
            return key;
    }
    return NULL;
}

const struct drift_config_key *drift_config_key_find_flag(const char *flag)
{
    for (size_t i = 0; i < drift_config_n_keys; i++) {
        const struct drift_config_key *key = &drift_config_keys[i];
        if (key->flag && strcmp(key->flag, flag) == 0)
            return key;
    }
    return NULL;
}

size_t drift_config_key_index(const struct drift_config_key *key)
{
    return (size_t)(key - drift_config_keys);
}

void drift_config_env_name(const char *flag, char out[DRIFT_CONFIG_ENV_NAME_SIZE])
{
    size_t n = sizeof DRIFT_CONFIG_ENV_PREFIX - 1;
    memcpy(out, DRIFT_CONFIG_ENV_PREFIX, n);
    for (; *flag && n < DRIFT_CONFIG_ENV_NAME_SIZE - 1; flag++) {
        char c = *flag;
        if (c == '-')
            c = '_';
        else if (c >= 'a' && c <= 'z')
            c = (char)(c - 'a' + 'A');
        out[n++] = c;
    }
    out[n] = '\0';
}

/*
 * The table of configuration keys, and what one row of it says. For config/ only.
 *
 * A key belongs to a section of the file, has a flag (and with it an environment variable), a type
 * with its range and choices, a default as text, and a sentence for people. Rows of section MODEL
 * describe the keys of every [model NAME]; their offsets are into struct drift_config_model.
 */
#ifndef DRIFT_CONFIG_SCHEMA_H
#define DRIFT_CONFIG_SCHEMA_H

#include "config/config.h"

/* X(enumerator, name in the file, heading for people) */
#define DRIFT_CONFIG_SECTION_MAP(X)                                                                \
    X(SERVER, "server", "What is listened on, limits and logs")                                    \
    X(MODELS, "models", "Where models come from")                                                  \
    X(MODEL, "model", "One section for each model, as in [model smollm2]")                         \
    X(ENGINE, "engine", "What runs the models, and with how much memory")                          \
    X(CPU, "cpu", "The CPU device")                                                                \
    X(CACHE, "cache", "Files that can be made again")

enum drift_config_section {
#define X(id, name, heading) DRIFT_CONFIG_SECTION_##id,
    DRIFT_CONFIG_SECTION_MAP(X)
#undef X
        DRIFT_CONFIG_SECTION_COUNT
};

enum drift_config_type {
    DRIFT_CONFIG_TYPE_BOOL,    /* bool */
    DRIFT_CONFIG_TYPE_CHOICE,  /* an enum; choices */
    DRIFT_CONFIG_TYPE_NUMBER,  /* uint32_t; min, max, zero */
    DRIFT_CONFIG_TYPE_BYTES,   /* uint64_t; min, max, zero */
    DRIFT_CONFIG_TYPE_TIME,    /* uint64_t in ms; min, max, zero */
    DRIFT_CONFIG_TYPE_PATH,    /* const char * */
    DRIFT_CONFIG_TYPE_NAME,    /* const char *, a model's name */
    DRIFT_CONFIG_TYPE_DEVICE,  /* const char * */
    DRIFT_CONFIG_TYPE_LISTEN,  /* the list drift_config_server.listen; max entries */
    DRIFT_CONFIG_TYPE_ORIGINS, /* the list drift_config_server.cors_origins; max entries */
    DRIFT_CONFIG_TYPE_COUNT
};

struct drift_config_choice {
    const char *text;
    unsigned value;
};

struct drift_config_key {
    enum drift_config_section section;
    const char *name;
    const char *flag; /* without "--"; NULL: in the file only */
    const char *arg;  /* placeholder for --help */
    enum drift_config_type type;
    size_t offset;
    uint64_t min, max; /* NUMBER, BYTES, TIME; entries of a list */
    const char *zero;  /* what 0 means when it is allowed although below min; NULL: not allowed */
    const struct drift_config_choice *choices; /* CHOICE; ends with a NULL text */
    const char *default_text;                  /* NULL: unset */
    const char *default_note;                  /* says what the default is where there is no text */
    bool reloadable;
    const char *help; /* sentences; plain ASCII, no line break */
};

extern const struct drift_config_key drift_config_keys[];
extern const size_t drift_config_n_keys;

/* A flag that is no key. */
struct drift_config_command {
    const char *flag;
    const char *arg; /* NULL: takes none */
    enum drift_config_action action;
    const char *help;
};

extern const struct drift_config_command drift_config_commands[];
extern const size_t drift_config_n_commands;

const char *drift_config_section_name(enum drift_config_section section);
const char *drift_config_section_heading(enum drift_config_section section);
/* False for an unknown name. */
bool drift_config_section_find(const char *name, enum drift_config_section *ret);
/* NULL when there is none. */
const struct drift_config_key *drift_config_key_find(enum drift_config_section section,
                                                     const char *name);
const struct drift_config_key *drift_config_key_find_flag(const char *flag);
size_t drift_config_key_index(const struct drift_config_key *key);

#define DRIFT_CONFIG_ENV_PREFIX    "DRIFTD_"
#define DRIFT_CONFIG_ENV_NAME_SIZE 64u
/* Write DRIFTD_<FLAG>: upper case, '_' for '-'. */
void drift_config_env_name(const char *flag, char out[DRIFT_CONFIG_ENV_NAME_SIZE]);

#endif

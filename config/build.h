/*
 * A configuration while it is put together. For config/ only.
 *
 * Sources are read in the order of their precedence; each value remembers where it came from, for
 * messages and for drift_config_dump. Everything lives in one arena, struct drift_config included.
 */
#ifndef DRIFT_CONFIG_BUILD_H
#define DRIFT_CONFIG_BUILD_H

#include "config/schema.h"
#include "runtime/base/arena.h"

/* In the order of precedence. */
enum drift_config_source {
    DRIFT_CONFIG_SOURCE_DEFAULT,
    DRIFT_CONFIG_SOURCE_FILE,
    DRIFT_CONFIG_SOURCE_ENVIRONMENT,
    DRIFT_CONFIG_SOURCE_FLAG,
    DRIFT_CONFIG_SOURCE_COUNT
};

struct drift_config_origin {
    enum drift_config_source source;
    const char *name; /* file, variable or flag (with its dashes); NULL for a default */
    unsigned line;    /* in the file */
    const char *text; /* the value as it was given */
};

#define DRIFT_CONFIG_N_KEYS_MAX 64u

/* What drift_config_load returns points to the first member. */
struct drift_config_build {
    struct drift_config config;
    struct drift_arena arena;
    const char *home; /* $HOME, for "~/"; NULL when unset */
    struct drift_config_origin origins[DRIFT_CONFIG_N_KEYS_MAX]; /* by index of the key */
    /* The lists of the configuration, while they may still be written. NULL until first used. */
    struct drift_config_listen *listen;
    const char **cors_origins;
    struct drift_config_model *models;
    struct drift_config_origin (*model_origins)[DRIFT_CONFIG_N_KEYS_MAX];
    struct drift_config_origin *model_declared; /* where the section starts, or the flag */
    const char **warnings;
};

/*
 * Set a key from text; an empty text means the default. model is NULL for keys outside of [model
 * NAME]. Errors: INVALID, LIMIT, NO_MEMORY; the message names the place, the key, the value and
 * what is allowed.
 */
enum drift_status drift_config_assign(struct drift_config_build *build,
                                      const struct drift_config_key *key,
                                      struct drift_config_model *model,
                                      struct drift_config_origin origin,
                                      struct drift_error *err) DRIFT_MUST_USE;
/* Find the model or add it with its defaults. Errors: INVALID (the name), LIMIT, NO_MEMORY. */
enum drift_status drift_config_add_model(struct drift_config_build *build, const char *name,
                                         struct drift_config_origin origin,
                                         struct drift_config_model **ret,
                                         struct drift_error *err) DRIFT_MUST_USE;
/* Set every key outside of [model NAME] to its default. */
enum drift_status drift_config_assign_defaults(struct drift_config_build *build,
                                               struct drift_error *err) DRIFT_MUST_USE;
struct drift_config_origin *drift_config_origin_of(struct drift_config_build *build,
                                                   const struct drift_config_key *key,
                                                   const struct drift_config_model *model);

/* Report a value that may not be: "place: key = value: " and the reason. Returns INVALID. */
enum drift_status drift_config_refuse(struct drift_error *err,
                                      const struct drift_config_origin *origin,
                                      const struct drift_config_key *key, const char *model_name,
                                      const char *fmt, ...) DRIFT_PRINTF(5, 6);
enum drift_status drift_config_no_memory(struct drift_error *err);
/* Remember a warning; dropped silently beyond the cap or without memory (the arena's flag tells).
 */
void drift_config_warn(struct drift_config_build *build, const char *fmt, ...) DRIFT_PRINTF(2, 3);

/* file.c: read path, an INI file. */
enum drift_status drift_config_read_file(struct drift_config_build *build, const char *path,
                                         struct drift_error *err) DRIFT_MUST_USE;

/* The contents of a file, under the name it has in messages. Borrowed. */
struct drift_config_text {
    const char *name;
    const char *data;
    size_t len;
};

enum drift_status drift_config_read_text(struct drift_config_build *build,
                                         const struct drift_config_text *text,
                                         struct drift_error *err) DRIFT_MUST_USE;
/* As drift_config_load, with text in place of the file unless NULL. For the fuzzer and tests. */
enum drift_status drift_config_load_text(const struct drift_config_input *input,
                                         const struct drift_config_text *text,
                                         struct drift_config **ret,
                                         struct drift_error *err) DRIFT_MUST_USE;

/* args.c: find --config and the action; checks that all flags exist and have what they need. */
enum drift_status drift_config_scan_args(struct drift_config_build *build,
                                         const struct drift_config_input *input,
                                         const char **ret_file,
                                         struct drift_error *err) DRIFT_MUST_USE;
enum drift_status drift_config_read_args(struct drift_config_build *build,
                                         const struct drift_config_input *input,
                                         struct drift_error *err) DRIFT_MUST_USE;
enum drift_status drift_config_read_env(struct drift_config_build *build, char *const *envp,
                                        struct drift_error *err) DRIFT_MUST_USE;
/* The value of a variable of envp; NULL when unset or empty. */
const char *drift_config_env_get(char *const *envp, const char *name);
/* validate.c: check what single values cannot show. */
enum drift_status drift_config_validate(struct drift_config_build *build,
                                        struct drift_error *err) DRIFT_MUST_USE;

/*
 * suggest.c: append ", did you mean 'x'?" when one of n candidates resembles word. Candidates come
 * from get(user, i); NULL entries are skipped.
 */
void drift_config_suggest(char *msg, size_t size, const char *word, size_t n,
                          const char *(*get)(const void *user, size_t i), const void *user);

#endif

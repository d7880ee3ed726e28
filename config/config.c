/* Loading in the order of precedence, release, exit statuses, differences. */
#include "config/config.h"

#include "config/value.h"

#include <stdio.h>
#include <string.h>

/* A file of the largest size, all of it values of one byte, plus flags and environment. */
#define ARENA_CAP_BYTES (32u << 20)

/* The first of these that is set, with what follows it, is where the cache is. */
static enum drift_status choose_cache_dir(struct drift_config_build *build, char *const *envp,
                                          struct drift_error *err)
{
    static const struct {
        const char *variable;
        const char *rest;
    } places[] = {
        {"CACHE_DIRECTORY", ""              },
        {"XDG_CACHE_HOME",  "/driftd"       },
        {"HOME",            "/.cache/driftd"}
    };
    if (build->config.cache.dir)
        return DRIFT_STATUS_OK;
    const char *dir = "/var/cache", *rest = "/driftd";
    for (size_t i = 0; i < DRIFT_COUNT_OF(places); i++) {
        const char *value = drift_config_env_get(envp, places[i].variable);
        if (value && value[0] == '/') {
            dir = value;
            rest = places[i].rest;
            break;
        }
    }
    size_t n_dir = strcspn(dir, ":"); /* systemd joins several directories with colons */
    char *path = drift_arena_alloc(&build->arena, n_dir + strlen(rest) + 1, 1);
    if (!path)
        return drift_config_no_memory(err);
    memcpy(path, dir, n_dir);
    strcpy(path + n_dir, rest);
    build->config.cache.dir = path;
    return DRIFT_STATUS_OK;
}

static enum drift_status read_sources(struct drift_config_build *build,
                                      const struct drift_config_input *input,
                                      const struct drift_config_text *text, struct drift_error *err)
{
    const char *file = drift_config_env_get(input->envp, DRIFT_CONFIG_ENV_PREFIX "CONFIG");
    enum drift_status status = drift_config_scan_args(build, input, &file, err);
    if (status == DRIFT_STATUS_OK)
        status = drift_config_assign_defaults(build, err);
    if (status != DRIFT_STATUS_OK || build->config.action >= DRIFT_CONFIG_ACTION_VERSION)
        return status;
    if (text) {
        status = drift_config_read_text(build, text, err);
    } else if (file) {
        build->config.file = drift_arena_strndup(&build->arena, file, strlen(file));
        status = drift_config_read_file(build, file, err);
    }
    if (status == DRIFT_STATUS_OK)
        status = drift_config_read_env(build, input->envp, err);
    if (status == DRIFT_STATUS_OK)
        status = drift_config_read_args(build, input, err);
    if (status == DRIFT_STATUS_OK)
        status = drift_config_validate(build, err);
    return status;
}

enum drift_status drift_config_load_text(const struct drift_config_input *input,
                                         const struct drift_config_text *text,
                                         struct drift_config **ret, struct drift_error *err)
{
    DRIFT_ASSERT(drift_config_n_keys <= DRIFT_CONFIG_N_KEYS_MAX);
    struct drift_arena arena;
    drift_arena_init(&arena, DRIFT_TAG_CONFIG, ARENA_CAP_BYTES);
    struct drift_config_build *build = drift_arena_alloc(&arena, 1, sizeof *build);
    if (!build) {
        drift_arena_fini(&arena);
        return drift_config_no_memory(err);
    }
    build->arena = arena;
    build->home = drift_config_env_get(input->envp, "HOME");
    enum drift_status status = read_sources(build, input, text, err);
    if (status == DRIFT_STATUS_OK)
        status = choose_cache_dir(build, input->envp, err);
    if (status == DRIFT_STATUS_OK && build->arena.failed)
        status = drift_config_no_memory(err);
    if (status != DRIFT_STATUS_OK) {
        drift_config_destroy(&build->config);
        return status;
    }
    *ret = &build->config;
    return DRIFT_STATUS_OK;
}

enum drift_status drift_config_load(const struct drift_config_input *input,
                                    struct drift_config **ret, struct drift_error *err)
{
    return drift_config_load_text(input, NULL, ret, err);
}

void drift_config_destroy(struct drift_config *config)
{
    if (!config)
        return;
    /* The configuration is the first member of what the arena gave out first. */
    struct drift_arena arena = ((struct drift_config_build *)config)->arena;
    drift_arena_fini(&arena);
}

int drift_config_exit_status(const struct drift_error *err)
{
    static const int statuses[DRIFT_STATUS_COUNT] = {
        [DRIFT_STATUS_NOT_FOUND] = DRIFT_CONFIG_EXIT_NOFILE,
        [DRIFT_STATUS_IO] = DRIFT_CONFIG_EXIT_NOFILE,
        [DRIFT_STATUS_UNSUPPORTED] = DRIFT_CONFIG_EXIT_NOFILE,
        [DRIFT_STATUS_NO_MEMORY] = DRIFT_CONFIG_EXIT_MEMORY,
    };
    if (err->status == DRIFT_STATUS_INVALID && err->native == DRIFT_CONFIG_EXIT_USAGE)
        return DRIFT_CONFIG_EXIT_USAGE;
    int status = (unsigned)err->status < DRIFT_STATUS_COUNT ? statuses[err->status] : 0;
    return status ? status : DRIFT_CONFIG_EXIT_CONFIG;
}

struct changes {
    struct drift_config_change *out;
    size_t cap, n;
};

static void add_change(struct changes *changes, const struct drift_config_key *key,
                       const char *model_name)
{
    if (changes->n >= DRIFT_CONFIG_MAX_CHANGES)
        return;
    if (changes->n < changes->cap)
        changes->out[changes->n] = (struct drift_config_change){
            .section = drift_config_section_name(key->section),
            .key = key->name,
            .model_name = model_name,
            .needs_restart = !key->reloadable,
        };
    changes->n++;
}

static const struct drift_config_model *find_model(const struct drift_config *config,
                                                   const char *name)
{
    for (size_t i = 0; i < config->models.n_models; i++) {
        if (strcmp(config->models.models[i].name, name) == 0)
            return &config->models.models[i];
    }
    return NULL;
}

/* Compare the keys of one section's kind: those of [model NAME] or all others. */
static void compare(struct changes *changes, const void *before, const void *after,
                    const char *model_name)
{
    for (size_t i = 0; i < drift_config_n_keys; i++) {
        const struct drift_config_key *key = &drift_config_keys[i];
        bool of_model = key->section == DRIFT_CONFIG_SECTION_MODEL;
        if (of_model == (model_name != NULL) &&
            !drift_config_value_ops(key->type)->equal(key, before, after))
            add_change(changes, key, model_name);
    }
}

size_t drift_config_diff(const struct drift_config *before, const struct drift_config *after,
                         struct drift_config_change *changes, size_t cap)
{
    struct changes found = {.out = changes, .cap = cap};
    const struct drift_config_key *path = drift_config_key_find(DRIFT_CONFIG_SECTION_MODEL, "path");
    compare(&found, before, after, NULL);
    for (size_t i = 0; i < after->models.n_models; i++) {
        const struct drift_config_model *model = &after->models.models[i];
        const struct drift_config_model *old = find_model(before, model->name);
        if (old)
            compare(&found, old, model, model->name);
        else
            add_change(&found, path, model->name);
    }
    for (size_t i = 0; i < before->models.n_models; i++) {
        const char *name = before->models.models[i].name;
        if (!find_model(after, name))
            add_change(&found, path, name);
    }
    return found.n;
}

/*
 * Setting keys while a configuration is put together: precedence, defaults, and the wording of
 * refusals.
 *
 * A message has 256 bytes. Its parts are cut so that what is allowed, which comes last, still fits.
 */
#include "config/value.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SHOWN_FILE_BYTES  48u
#define SHOWN_NAME_BYTES  32u
#define SHOWN_VALUE_BYTES 40u

/* Copy the beginning of text, or its end, control characters replaced. */
static const char *shorten(char *out, size_t size, const char *text, bool keep_end)
{
    size_t n = strlen(text);
    bool cut = n >= size;
    size_t n_kept = cut ? size - 4 : n;
    const char *from = cut && keep_end ? text + (n - n_kept) : text;
    snprintf(out, size, "%s%.*s%s", cut && keep_end ? "..." : "", (int)n_kept, from,
             cut && !keep_end ? "..." : "");
    for (char *p = out; *p; p++) {
        if (iscntrl((unsigned char)*p))
            *p = '?';
    }
    return out;
}

enum drift_status drift_config_refuse(struct drift_error *err,
                                      const struct drift_config_origin *origin,
                                      const struct drift_config_key *key, const char *model_name,
                                      const char *fmt, ...)
{
    char file[SHOWN_FILE_BYTES + 4], name[SHOWN_NAME_BYTES + 4], value[SHOWN_VALUE_BYTES + 4];
    char where[200], why[256];
    const char *text = origin->text ? origin->text : "";
    shorten(value, sizeof value, text, false);
    shorten(name, sizeof name, model_name ? model_name : "", false);
    const char *section = drift_config_section_name(key->section);
    const char *space = model_name ? " " : "";
    switch (origin->source) {
    case DRIFT_CONFIG_SOURCE_ENVIRONMENT:
        snprintf(where, sizeof where, "%s=%s", origin->name, value);
        break;
    case DRIFT_CONFIG_SOURCE_FLAG:
        snprintf(where, sizeof where, "%s %s", origin->name, value);
        break;
    case DRIFT_CONFIG_SOURCE_FILE:
        /* Without a value it is about the section's header. */
        snprintf(where, sizeof where, "%s:%u: [%s%s%s]%s%s%s%s",
                 shorten(file, sizeof file, origin->name, true), origin->line, section, space, name,
                 *value ? " " : "", *value ? key->name : "", *value ? " = " : "", value);
        break;
    default:
        snprintf(where, sizeof where, "default of [%s%s%s] %s = %s", section, space, name,
                 key->name, value);
        break;
    }
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    return drift_error_set(err, DRIFT_STATUS_INVALID, 0, "%s: %s", where, why);
}

enum drift_status drift_config_no_memory(struct drift_error *err)
{
    return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for the configuration");
}

void drift_config_warn(struct drift_config_build *build, const char *fmt, ...)
{
    if (build->config.n_warnings >= DRIFT_CONFIG_MAX_WARNINGS)
        return;
    if (!build->warnings) {
        build->warnings =
            drift_arena_alloc(&build->arena, DRIFT_CONFIG_MAX_WARNINGS, sizeof(char *));
        build->config.warnings = build->warnings;
    }
    char text[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    char *copy = drift_arena_strndup(&build->arena, text, strlen(text));
    if (build->warnings && copy)
        build->warnings[build->config.n_warnings++] = copy;
}

struct drift_config_origin *drift_config_origin_of(struct drift_config_build *build,
                                                   const struct drift_config_key *key,
                                                   const struct drift_config_model *model)
{
    struct drift_config_origin *origins =
        model ? build->model_origins[model - build->models] : build->origins;
    return &origins[drift_config_key_index(key)];
}

static bool has_control_character(const char *text)
{
    for (; *text; text++) {
        if (iscntrl((unsigned char)*text))
            return true;
    }
    return false;
}

/* A key that is set twice in one file is an oversight more often than an intention. */
static void warn_twice(struct drift_config_build *build, const struct drift_config_key *key,
                       const struct drift_config_origin *old, const struct drift_config_origin *new)
{
    if (old->source == DRIFT_CONFIG_SOURCE_FILE && new->source == DRIFT_CONFIG_SOURCE_FILE)
        drift_config_warn(build, "%s:%u: %s was set in line %u already, the later value counts",
                          new->name, new->line, key->name, old->line);
}

static enum drift_status refuse_value(struct drift_config_build *build,
                                      const struct drift_config_key *key,
                                      const struct drift_config_model *model,
                                      const struct drift_config_origin *origin,
                                      struct drift_error *err)
{
    if (build->arena.failed)
        return drift_config_no_memory(err);
    struct drift_buf allowed;
    drift_buf_init(&allowed, DRIFT_TAG_CONFIG, 1024);
    drift_config_value_ops(key->type)->allowed(key, &allowed);
    enum drift_status status = drift_config_refuse(err, origin, key, model ? model->name : NULL,
                                                   "allowed: %s", drift_buf_cstr(&allowed));
    drift_buf_fini(&allowed);
    return status;
}

static enum drift_status set_value(struct drift_config_build *build,
                                   const struct drift_config_key *key,
                                   struct drift_config_model *model,
                                   struct drift_config_origin origin, struct drift_error *err)
{
    const struct drift_config_value_ops *ops = drift_config_value_ops(key->type);
    struct drift_config_origin *old = drift_config_origin_of(build, key, model);
    void *base = model ? (void *)model : (void *)&build->config;
    if (ops->reset) {
        if (origin.source != old->source)
            ops->reset(&build->config);
        if (ops->count(&build->config) >= key->max)
            return drift_config_refuse(err, &origin, key, NULL, "at most %u entries are allowed",
                                       (unsigned)key->max);
    } else if (origin.source != DRIFT_CONFIG_SOURCE_DEFAULT) {
        warn_twice(build, key, old, &origin);
    }
    if (!ops->parse(build, key, base, origin.text))
        return refuse_value(build, key, model, &origin, err);
    *old = origin;
    return DRIFT_STATUS_OK;
}

static enum drift_status set_default(struct drift_config_build *build,
                                     const struct drift_config_key *key,
                                     struct drift_config_model *model, struct drift_error *err)
{
    struct drift_config_origin origin = {.text = key->default_text};
    if (key->default_text) {
        /* A list is emptied when the source changes, so that this one must not look like the last.
         */
        drift_config_origin_of(build, key, model)->source = DRIFT_CONFIG_SOURCE_COUNT;
        return set_value(build, key, model, origin, err);
    }
    void *base = model ? (void *)model : (void *)&build->config;
    *(const char **)((char *)base + key->offset) = NULL;
    *drift_config_origin_of(build, key, model) = origin;
    return DRIFT_STATUS_OK;
}

enum drift_status drift_config_assign(struct drift_config_build *build,
                                      const struct drift_config_key *key,
                                      struct drift_config_model *model,
                                      struct drift_config_origin origin, struct drift_error *err)
{
    const char *model_name = model ? model->name : NULL;
    if (strlen(origin.text) > DRIFT_CONFIG_MAX_VALUE_BYTES)
        return drift_config_refuse(err, &origin, key, model_name, "longer than %u bytes",
                                   DRIFT_CONFIG_MAX_VALUE_BYTES);
    if (has_control_character(origin.text))
        return drift_config_refuse(err, &origin, key, model_name,
                                   "control characters are not allowed");
    if (!origin.text[0])
        return set_default(build, key, model, err);
    const char *copy = drift_arena_strndup(&build->arena, origin.text, strlen(origin.text));
    if (!copy)
        return drift_config_no_memory(err);
    origin.text = copy;
    return set_value(build, key, model, origin, err);
}

static enum drift_status assign_defaults(struct drift_config_build *build,
                                         struct drift_config_model *model, struct drift_error *err)
{
    enum drift_status status = DRIFT_STATUS_OK;
    for (size_t i = 0; i < drift_config_n_keys && status == DRIFT_STATUS_OK; i++) {
        const struct drift_config_key *key = &drift_config_keys[i];
        if ((key->section == DRIFT_CONFIG_SECTION_MODEL) == (model != NULL))
            status = set_default(build, key, model, err);
    }
    return status;
}

enum drift_status drift_config_assign_defaults(struct drift_config_build *build,
                                               struct drift_error *err)
{
    return assign_defaults(build, NULL, err);
}

static bool prepare_models(struct drift_config_build *build)
{
    if (build->models)
        return true;
    size_t n = DRIFT_CONFIG_MAX_MODELS;
    struct drift_config_model *models = drift_arena_alloc(&build->arena, n, sizeof *build->models);
    build->model_origins = drift_arena_alloc(&build->arena, n, sizeof *build->model_origins);
    build->model_declared = drift_arena_alloc(&build->arena, n, sizeof *build->model_declared);
    if (!models || !build->model_origins || !build->model_declared)
        return false;
    build->models = models;
    build->config.models.models = models;
    return true;
}

enum drift_status drift_config_add_model(struct drift_config_build *build, const char *name,
                                         struct drift_config_origin origin,
                                         struct drift_config_model **ret, struct drift_error *err)
{
    struct drift_config_models *models = &build->config.models;
    const struct drift_config_key *key = drift_config_key_find(DRIFT_CONFIG_SECTION_MODEL, "path");
    for (size_t i = 0; i < models->n_models; i++) {
        if (strcmp(build->models[i].name, name) == 0) {
            *ret = &build->models[i];
            return DRIFT_STATUS_OK;
        }
    }
    if (!drift_config_name_is_valid(name))
        return drift_config_refuse(
            err, &origin, key, name,
            "a model's name is 1 to 127 characters of A-Z a-z 0-9 . _ : / -");
    if (models->n_models >= DRIFT_CONFIG_MAX_MODELS)
        return drift_config_refuse(err, &origin, key, name, "at most %u models are allowed",
                                   DRIFT_CONFIG_MAX_MODELS);
    char *copy = drift_arena_strndup(&build->arena, name, strlen(name));
    if (!copy || !prepare_models(build))
        return drift_config_no_memory(err);
    struct drift_config_model *model = &build->models[models->n_models];
    *model = (struct drift_config_model){.name = copy};
    enum drift_status status = assign_defaults(build, model, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    build->model_declared[models->n_models++] = origin;
    *ret = model;
    return DRIFT_STATUS_OK;
}

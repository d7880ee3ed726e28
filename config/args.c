/*
 * Flags and environment variables: --flag VALUE, --flag=VALUE, --flag and --no-flag for what is on
 * or off, and DRIFTD_FLAG=VALUE, where a list has commas between its entries.
 *
 * Flags are read twice: once to find the file and what to do, then, after file and environment, for
 * their values.
 */
#include "config/build.h"

#include <stdio.h>
#include <string.h>

#define MAX_FLAG_BYTES 64u

/* One argument, understood. */
struct flag {
    char dashed[MAX_FLAG_BYTES + 8]; /* as typed, without "=value" */
    const struct drift_config_key *key;
    const struct drift_config_command *command; /* one of both is set */
    const char *value;
};

static bool key_is_list(const struct drift_config_key *key)
{
    return key->type == DRIFT_CONFIG_TYPE_LISTEN || key->type == DRIFT_CONFIG_TYPE_ORIGINS ||
           key->section == DRIFT_CONFIG_SECTION_MODEL;
}

static const struct drift_config_command *find_command(const char *name)
{
    for (size_t i = 0; i < drift_config_n_commands; i++) {
        if (strcmp(drift_config_commands[i].flag, name) == 0)
            return &drift_config_commands[i];
    }
    return NULL;
}

static const char *flag_at(const void *user, size_t i)
{
    (void)user;
    return i < drift_config_n_keys ? drift_config_keys[i].flag
                                   : drift_config_commands[i - drift_config_n_keys].flag;
}

static enum drift_status usage(struct drift_error *err, const char *msg)
{
    return drift_error_set(err, DRIFT_STATUS_INVALID, DRIFT_CONFIG_EXIT_USAGE, "%s", msg);
}

static enum drift_status unknown_flag(const char *argument, const char *name,
                                      struct drift_error *err)
{
    char msg[200];
    if (argument[0] != '-')
        snprintf(msg, sizeof msg, "unexpected argument '%.60s'", argument);
    else
        snprintf(msg, sizeof msg, "unknown flag '%.60s'", argument);
    size_t n = drift_config_n_keys + drift_config_n_commands;
    drift_config_suggest(msg, sizeof msg, name, n, flag_at, NULL);
    return usage(err, msg);
}

/* Find what --name stands for; --no-name is the key of an on-or-off value. */
static bool resolve(const char *name, struct flag *flag)
{
    flag->key = drift_config_key_find_flag(name);
    flag->command = flag->key ? NULL : find_command(name);
    if (flag->key || flag->command)
        return true;
    flag->key = strncmp(name, "no-", 3) == 0 ? drift_config_key_find_flag(name + 3) : NULL;
    return flag->key && flag->key->type == DRIFT_CONFIG_TYPE_BOOL;
}

/* Understand argv[*i] and move *i behind what belongs to it. */
static enum drift_status next_flag(const struct drift_config_input *input, int *i,
                                   struct flag *flag, struct drift_error *err)
{
    char msg[200];
    const char *argument = input->argv[(*i)++];
    if (strcmp(argument, "-h") == 0)
        argument = "--help";
    const char *name = argument + strspn(argument, "-");
    size_t n = strcspn(name, "=");
    snprintf(flag->dashed, sizeof flag->dashed, "--%.*s", (int)(n < MAX_FLAG_BYTES ? n : 0), name);
    name = flag->dashed + 2;
    const char *value = strchr(argument, '=');
    value = value ? value + 1 : NULL;
    if (strncmp(argument, "--", 2) != 0 || argument[2] == '-' || !resolve(name, flag))
        return unknown_flag(argument, name, err);
    bool negated = flag->key && strcmp(flag->key->flag, name) != 0;
    bool is_bool = flag->key && flag->key->type == DRIFT_CONFIG_TYPE_BOOL;
    bool takes_value = flag->key ? !is_bool : flag->command->arg != NULL;
    if (value && (negated || (flag->command && !takes_value))) {
        snprintf(msg, sizeof msg, "%s takes no value", flag->dashed);
        return usage(err, msg);
    }
    if (!value && takes_value) {
        if (*i >= input->argc) {
            const char *arg = flag->key ? flag->key->arg : flag->command->arg;
            snprintf(msg, sizeof msg, "%s needs a value: %s %s", flag->dashed, flag->dashed, arg);
            return usage(err, msg);
        }
        value = input->argv[(*i)++];
    }
    flag->value = value ? value : negated ? "off" : "on";
    return DRIFT_STATUS_OK;
}

enum drift_status drift_config_scan_args(struct drift_config_build *build,
                                         const struct drift_config_input *input,
                                         const char **ret_file, struct drift_error *err)
{
    for (int i = 1; i < input->argc;) {
        struct flag flag;
        enum drift_status status = next_flag(input, &i, &flag, err);
        if (status != DRIFT_STATUS_OK)
            return status;
        if (!flag.command)
            continue;
        if (flag.command->arg)
            *ret_file = flag.value;
        /* The later entries of the enum ask for less: --help wins over everything. */
        if (flag.command->action > build->config.action)
            build->config.action = flag.command->action;
    }
    return DRIFT_STATUS_OK;
}

/* "NAME=PATH", from --model or an entry of DRIFTD_MODEL. */
static enum drift_status assign_model(struct drift_config_build *build,
                                      const struct drift_config_key *key,
                                      struct drift_config_origin origin, struct drift_error *err)
{
    char name[256];
    const char *equals = strchr(origin.text, '=');
    size_t n = equals ? (size_t)(equals - origin.text) : 0;
    if (n == 0 || n >= sizeof name || !equals[1])
        return drift_config_refuse(err, &origin, key, NULL, "expected NAME=PATH");
    memcpy(name, origin.text, n);
    name[n] = '\0';
    struct drift_config_model *model;
    enum drift_status status = drift_config_add_model(build, name, origin, &model, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    const struct drift_config_origin *old = drift_config_origin_of(build, key, model);
    if (old->source == origin.source)
        return drift_config_refuse(err, &origin, key, NULL, "the model has a path already: %.80s",
                                   model->path);
    origin.text = equals + 1;
    return drift_config_assign(build, key, model, origin, err);
}

static enum drift_status assign(struct drift_config_build *build,
                                const struct drift_config_key *key,
                                struct drift_config_origin origin, struct drift_error *err)
{
    if (key->section == DRIFT_CONFIG_SECTION_MODEL)
        return assign_model(build, key, origin, err);
    return drift_config_assign(build, key, NULL, origin, err);
}

enum drift_status drift_config_read_args(struct drift_config_build *build,
                                         const struct drift_config_input *input,
                                         struct drift_error *err)
{
    for (int i = 1; i < input->argc;) {
        struct flag flag;
        enum drift_status status = next_flag(input, &i, &flag, err);
        if (status == DRIFT_STATUS_OK && flag.key) {
            char *name = drift_arena_strndup(&build->arena, flag.dashed, strlen(flag.dashed));
            if (!name)
                return drift_config_no_memory(err);
            struct drift_config_origin origin = {DRIFT_CONFIG_SOURCE_FLAG, name, 0, flag.value};
            status = assign(build, flag.key, origin, err);
        }
        if (status != DRIFT_STATUS_OK)
            return status;
    }
    return DRIFT_STATUS_OK;
}

/* A list has commas between its entries, with or without spaces. */
static enum drift_status assign_list(struct drift_config_build *build,
                                     const struct drift_config_key *key,
                                     struct drift_config_origin origin, struct drift_error *err)
{
    const char *text = origin.text;
    while (*text) {
        text += strspn(text, ", ");
        size_t n = strcspn(text, ",");
        const char *next = text + n;
        while (n && text[n - 1] == ' ')
            n--;
        if (n) {
            char *entry = drift_arena_strndup(&build->arena, text, n);
            if (!entry)
                return drift_config_no_memory(err);
            origin.text = entry;
            enum drift_status status = assign(build, key, origin, err);
            if (status != DRIFT_STATUS_OK)
                return status;
        }
        text = next;
    }
    return DRIFT_STATUS_OK;
}

/* Variables with our prefix that are no keys: the file, and those of driftctl. */
static bool is_other_variable(const char *name, size_t n)
{
    static const char *const others[] = {"DRIFTD_CONFIG", "DRIFTD_URL", "DRIFTD_API_KEY"};
    for (size_t i = 0; i < DRIFT_COUNT_OF(others); i++) {
        if (strlen(others[i]) == n && memcmp(others[i], name, n) == 0)
            return true;
    }
    return false;
}

static const struct drift_config_key *find_variable(const char *name, size_t n)
{
    char expected[DRIFT_CONFIG_ENV_NAME_SIZE];
    for (size_t i = 0; i < drift_config_n_keys; i++) {
        if (!drift_config_keys[i].flag)
            continue;
        drift_config_env_name(drift_config_keys[i].flag, expected);
        if (strlen(expected) == n && memcmp(expected, name, n) == 0)
            return &drift_config_keys[i];
    }
    return NULL;
}

enum drift_status drift_config_read_env(struct drift_config_build *build, char *const *envp,
                                        struct drift_error *err)
{
    static const char prefix[] = DRIFT_CONFIG_ENV_PREFIX;
    for (; envp && *envp; envp++) {
        const char *equals = strchr(*envp, '=');
        size_t n = equals ? (size_t)(equals - *envp) : 0;
        if (n <= sizeof prefix - 1 || memcmp(*envp, prefix, sizeof prefix - 1) != 0 || !equals[1])
            continue;
        const struct drift_config_key *key = find_variable(*envp, n);
        if (!key) {
            /* Orchestrators put variables of their own under a service's name: no error. */
            if (!is_other_variable(*envp, n))
                drift_config_warn(build, "environment variable %.*s is not known and was ignored",
                                  (int)(n < 80 ? n : 80), *envp);
            continue;
        }
        char *name = drift_arena_strndup(&build->arena, *envp, n);
        if (!name)
            return drift_config_no_memory(err);
        struct drift_config_origin origin = {DRIFT_CONFIG_SOURCE_ENVIRONMENT, name, 0, equals + 1};
        enum drift_status status = key_is_list(key) ? assign_list(build, key, origin, err)
                                                    : assign(build, key, origin, err);
        if (status != DRIFT_STATUS_OK)
            return status;
    }
    return DRIFT_STATUS_OK;
}

const char *drift_config_env_get(char *const *envp, const char *name)
{
    size_t n = strlen(name);
    for (; envp && *envp; envp++) {
        if (strncmp(*envp, name, n) == 0 && (*envp)[n] == '=')
            return (*envp)[n + 1] ? *envp + n + 1 : NULL;
    }
    return NULL;
}

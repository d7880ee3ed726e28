/* One row of functions per type of value; see value.h. Fields are reached by the offset in the
 * key's row. */
#include "config/value.h"

#include "runtime/base/checked.h"

#include <string.h>
#include <strings.h>

#define MAX_NAME_BYTES   127u
#define MAX_DEVICE_INDEX 63u

struct unit {
    const char *text;
    uint64_t factor;
};

/* Largest first. The first spelling of a factor is the one that is written. */
static const struct unit byte_units[] = {
    {"TiB", 1ull << 40},
    {"T",   1ull << 40},
    {"GiB", 1ull << 30},
    {"G",   1ull << 30},
    {"MiB", 1ull << 20},
    {"M",   1ull << 20},
    {"KiB", 1ull << 10},
    {"K",   1ull << 10},
    {"B",   1         },
    {"",    1         },
    {NULL,  0         },
};

/* A number alone is in seconds, as in systemd's files. */
static const struct unit time_units[] = {
    {"h",   3600000},
    {"min", 60000  },
    {"s",   1000   },
    {"",    1000   },
    {"ms",  1      },
    {NULL,  0      },
};

static const struct unit no_units[] = {
    {"",   1},
    {NULL, 0}
};

static bool parse_number(const char *text, const struct unit *units, uint64_t *ret)
{
    uint64_t value = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        if (!drift_mul_u64(value, 10, &value) ||
            !drift_add_u64(value, (uint64_t)(*p - '0'), &value))
            return false;
    }
    if (p == text)
        return false;
    while (*p == ' ')
        p++;
    for (; units->text; units++) {
        if (strcasecmp(p, units->text) == 0)
            return drift_mul_u64(value, units->factor, ret);
    }
    return false;
}

static void format_number(uint64_t value, const struct unit *units, struct drift_buf *out)
{
    for (; value && units->text; units++) {
        if (value % units->factor == 0) {
            drift_buf_printf(out, "%llu%s", (unsigned long long)(value / units->factor),
                             units->text);
            return;
        }
    }
    drift_buf_append_char(out, '0');
}

void drift_config_format_bytes(uint64_t bytes, struct drift_buf *out)
{
    format_number(bytes, byte_units, out);
}

void drift_config_format_time(uint64_t ms, struct drift_buf *out)
{
    format_number(ms, time_units, out);
}

static bool in_range(const struct drift_config_key *key, uint64_t value)
{
    return (value == 0 && key->zero) || (value >= key->min && value <= key->max);
}

static void *field_of(const struct drift_config_key *key, void *base)
{
    return (char *)base + key->offset;
}

static const void *const_field_of(const struct drift_config_key *key, const void *base)
{
    return (const char *)base + key->offset;
}

/* bool */

static bool parse_bool(struct drift_config_build *build, const struct drift_config_key *key,
                       void *base, const char *text)
{
    (void)build;
    static const struct {
        const char *text;
        bool value;
    } words[] = {
        {"on",    true },
        {"yes",   true },
        {"true",  true },
        {"1",     true },
        {"off",   false},
        {"no",    false},
        {"false", false},
        {"0",     false}
    };
    for (size_t i = 0; i < DRIFT_COUNT_OF(words); i++) {
        if (strcasecmp(text, words[i].text) == 0) {
            *(bool *)field_of(key, base) = words[i].value;
            return true;
        }
    }
    return false;
}

static void format_bool(const struct drift_config_key *key, const void *base, size_t i,
                        struct drift_buf *out)
{
    (void)i;
    drift_buf_append_str(out, *(const bool *)const_field_of(key, base) ? "on" : "off");
}

static bool equal_bool(const struct drift_config_key *key, const void *a, const void *b)
{
    return *(const bool *)const_field_of(key, a) == *(const bool *)const_field_of(key, b);
}

static void allowed_bool(const struct drift_config_key *key, struct drift_buf *out)
{
    (void)key;
    drift_buf_append_str(out, "on or off");
}

/* choice: an enum, which both compilers store as unsigned when no value is negative */

static unsigned get_choice(const struct drift_config_key *key, const void *base)
{
    unsigned value;
    memcpy(&value, const_field_of(key, base), sizeof value);
    return value;
}

static bool parse_choice(struct drift_config_build *build, const struct drift_config_key *key,
                         void *base, const char *text)
{
    (void)build;
    for (const struct drift_config_choice *choice = key->choices; choice->text; choice++) {
        if (strcasecmp(text, choice->text) == 0) {
            memcpy(field_of(key, base), &choice->value, sizeof choice->value);
            return true;
        }
    }
    return false;
}

static void format_choice(const struct drift_config_key *key, const void *base, size_t i,
                          struct drift_buf *out)
{
    (void)i;
    unsigned value = get_choice(key, base);
    for (const struct drift_config_choice *choice = key->choices; choice->text; choice++) {
        if (choice->value == value) {
            drift_buf_append_str(out, choice->text);
            return;
        }
    }
}

static bool equal_choice(const struct drift_config_key *key, const void *a, const void *b)
{
    return get_choice(key, a) == get_choice(key, b);
}

static void allowed_choice(const struct drift_config_key *key, struct drift_buf *out)
{
    for (const struct drift_config_choice *choice = key->choices; choice->text; choice++) {
        if (choice != key->choices)
            drift_buf_append_str(out, choice[1].text ? ", " : " or ");
        drift_buf_append_str(out, choice->text);
    }
}

/* number, bytes, time */

static bool parse_count(struct drift_config_build *build, const struct drift_config_key *key,
                        void *base, const char *text)
{
    (void)build;
    uint64_t value;
    if (!parse_number(text, no_units, &value) || !in_range(key, value) || value > UINT32_MAX)
        return false;
    *(uint32_t *)field_of(key, base) = (uint32_t)value;
    return true;
}

static void format_count(const struct drift_config_key *key, const void *base, size_t i,
                         struct drift_buf *out)
{
    (void)i;
    drift_buf_printf(out, "%u", *(const uint32_t *)const_field_of(key, base));
}

static bool equal_count(const struct drift_config_key *key, const void *a, const void *b)
{
    return *(const uint32_t *)const_field_of(key, a) == *(const uint32_t *)const_field_of(key, b);
}

static void allowed_count(const struct drift_config_key *key, struct drift_buf *out)
{
    drift_buf_printf(out, "%llu to %llu", (unsigned long long)key->min,
                     (unsigned long long)key->max);
    if (key->zero)
        drift_buf_printf(out, ", or 0 for %s", key->zero);
}

static bool parse_u64(const struct drift_config_key *key, const struct unit *units, void *base,
                      const char *text)
{
    uint64_t value;
    if (!parse_number(text, units, &value) || !in_range(key, value))
        return false;
    *(uint64_t *)field_of(key, base) = value;
    return true;
}

static bool equal_u64(const struct drift_config_key *key, const void *a, const void *b)
{
    return *(const uint64_t *)const_field_of(key, a) == *(const uint64_t *)const_field_of(key, b);
}

static void allowed_u64(const struct drift_config_key *key, const struct unit *units,
                        const char *unit_help, struct drift_buf *out)
{
    format_number(key->min, units, out);
    drift_buf_append_str(out, " to ");
    format_number(key->max, units, out);
    drift_buf_printf(out, " (%s)", unit_help);
    if (key->zero)
        drift_buf_printf(out, ", or 0 for %s", key->zero);
}

static bool parse_bytes(struct drift_config_build *build, const struct drift_config_key *key,
                        void *base, const char *text)
{
    (void)build;
    return parse_u64(key, byte_units, base, text);
}

static void format_bytes(const struct drift_config_key *key, const void *base, size_t i,
                         struct drift_buf *out)
{
    (void)i;
    drift_config_format_bytes(*(const uint64_t *)const_field_of(key, base), out);
}

static void allowed_bytes(const struct drift_config_key *key, struct drift_buf *out)
{
    allowed_u64(key, byte_units, "units: KiB, MiB, GiB, TiB; none is bytes", out);
}

static bool parse_time(struct drift_config_build *build, const struct drift_config_key *key,
                       void *base, const char *text)
{
    (void)build;
    return parse_u64(key, time_units, base, text);
}

static void format_time(const struct drift_config_key *key, const void *base, size_t i,
                        struct drift_buf *out)
{
    (void)i;
    drift_config_format_time(*(const uint64_t *)const_field_of(key, base), out);
}

static void allowed_time(const struct drift_config_key *key, struct drift_buf *out)
{
    allowed_u64(key, time_units, "units: ms, s, min, h; none is seconds", out);
}

/* path, name, device: strings in the arena */

static const char *get_str(const struct drift_config_key *key, const void *base)
{
    return *(const char *const *)const_field_of(key, base);
}

static bool set_str(struct drift_config_build *build, const struct drift_config_key *key,
                    void *base, const char *text)
{
    char *copy = drift_arena_strndup(&build->arena, text, strlen(text));
    if (copy)
        *(const char **)field_of(key, base) = copy;
    return copy != NULL;
}

static bool parse_path(struct drift_config_build *build, const struct drift_config_key *key,
                       void *base, const char *text)
{
    if (text[0] != '~')
        return set_str(build, key, base, text);
    if (text[1] != '/' || !build->home)
        return false;
    size_t n_home = strlen(build->home), n_rest = strlen(text + 1);
    char *copy = drift_arena_alloc(&build->arena, n_home + n_rest + 1, 1);
    if (!copy)
        return false;
    memcpy(copy, build->home, n_home);
    memcpy(copy + n_home, text + 1, n_rest);
    *(const char **)field_of(key, base) = copy;
    return true;
}

static void allowed_path(const struct drift_config_key *key, struct drift_buf *out)
{
    (void)key;
    drift_buf_append_str(out, "a path; ~/ stands for $HOME, which has to be set for it");
}

bool drift_config_name_is_valid(const char *name)
{
    static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/-";
    size_t n = strspn(name, set);
    return n >= 1 && n <= MAX_NAME_BYTES && name[n] == '\0';
}

static bool parse_name(struct drift_config_build *build, const struct drift_config_key *key,
                       void *base, const char *text)
{
    return drift_config_name_is_valid(text) && set_str(build, key, base, text);
}

static void allowed_name(const struct drift_config_key *key, struct drift_buf *out)
{
    (void)key;
    drift_buf_printf(out, "1 to %u characters of A-Z a-z 0-9 . _ : / -", MAX_NAME_BYTES);
}

static bool parse_device(struct drift_config_build *build, const struct drift_config_key *key,
                         void *base, const char *text)
{
    static const struct {
        const char *text;
        bool indexed;
    } kinds[] = {
        {"auto",   false},
        {"cpu",    false},
        {"opencl", true },
        {"vulkan", true }
    };
    size_t n = strcspn(text, ":");
    for (size_t i = 0; i < DRIFT_COUNT_OF(kinds); i++) {
        if (strlen(kinds[i].text) != n || memcmp(text, kinds[i].text, n) != 0)
            continue;
        uint64_t index = 0;
        bool valid =
            text[n] == '\0' || (kinds[i].indexed && parse_number(text + n + 1, no_units, &index) &&
                                index <= MAX_DEVICE_INDEX);
        return valid && set_str(build, key, base, text);
    }
    return false;
}

static void allowed_device(const struct drift_config_key *key, struct drift_buf *out)
{
    (void)key;
    drift_buf_append_str(out, "auto, cpu, opencl, opencl:N, vulkan or vulkan:N");
}

static void format_str(const struct drift_config_key *key, const void *base, size_t i,
                       struct drift_buf *out)
{
    (void)i;
    const char *text = get_str(key, base);
    drift_buf_append_str(out, text ? text : "");
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool equal_str(const struct drift_config_key *key, const void *a, const void *b)
{
    return same_text(get_str(key, a), get_str(key, b));
}

/* the list of addresses */

static bool parse_listen(struct drift_config_build *build, const struct drift_config_key *key,
                         void *base, const char *text)
{
    (void)base;
    struct drift_config_server *server = &build->config.server;
    if (!build->listen)
        build->listen = drift_arena_alloc(&build->arena, key->max, sizeof *build->listen);
    if (!build->listen ||
        !drift_config_parse_listen(&build->arena, text, &build->listen[server->n_listen]))
        return false;
    server->listen = build->listen;
    server->n_listen++;
    return true;
}

static void format_listen(const struct drift_config_key *key, const void *base, size_t i,
                          struct drift_buf *out)
{
    (void)key;
    const struct drift_config *config = base;
    drift_buf_append_str(out, config->server.listen[i].text);
}

static bool equal_listen(const struct drift_config_key *key, const void *a, const void *b)
{
    (void)key;
    const struct drift_config_server *x = &((const struct drift_config *)a)->server;
    const struct drift_config_server *y = &((const struct drift_config *)b)->server;
    bool equal = x->n_listen == y->n_listen;
    for (size_t i = 0; equal && i < x->n_listen; i++)
        equal = strcmp(x->listen[i].text, y->listen[i].text) == 0;
    return equal;
}

static void allowed_listen(const struct drift_config_key *key, struct drift_buf *out)
{
    (void)key;
    drift_buf_append_str(out, "HOST:PORT, [IPV6]:PORT, *:PORT or unix:/PATH (at most 107 bytes)");
}

static void reset_listen(struct drift_config *config)
{
    config->server.n_listen = 0;
}

static size_t count_listen(const struct drift_config *config)
{
    return config->server.n_listen;
}

/* the list of origins: words that set the kind, and origins */

static bool parse_origins(struct drift_config_build *build, const struct drift_config_key *key,
                          void *base, const char *text)
{
    (void)base;
    struct drift_config_server *server = &build->config.server;
    if (strcmp(text, "loopback") == 0 || strcmp(text, "*") == 0) {
        server->cors = text[0] == '*' ? DRIFT_CONFIG_CORS_ANY : DRIFT_CONFIG_CORS_LOOPBACK;
        return true;
    }
    if (strcmp(text, "none") == 0)
        return true;
    if (!build->cors_origins)
        build->cors_origins = drift_arena_alloc(&build->arena, key->max, sizeof(char *));
    if (!build->cors_origins ||
        !drift_config_parse_origin(&build->arena, text,
                                   &build->cors_origins[server->n_cors_origins]))
        return false;
    server->cors_origins = build->cors_origins;
    server->n_cors_origins++;
    return true;
}

static void format_origins(const struct drift_config_key *key, const void *base, size_t i,
                           struct drift_buf *out)
{
    (void)key;
    const struct drift_config_server *server = &((const struct drift_config *)base)->server;
    static const char *const words[DRIFT_CONFIG_CORS_COUNT] = {
        [DRIFT_CONFIG_CORS_LOOPBACK] = "loopback",
        [DRIFT_CONFIG_CORS_ANY] = "*",
        [DRIFT_CONFIG_CORS_LIST] = NULL,
    };
    const char *word = words[server->cors];
    if (!word && server->n_cors_origins == 0)
        word = "none";
    if (word && i == 0) {
        drift_buf_append_str(out, word);
        return;
    }
    drift_buf_append_str(out, server->cors_origins[word ? i - 1 : i]);
}

static bool equal_origins(const struct drift_config_key *key, const void *a, const void *b)
{
    (void)key;
    const struct drift_config_server *x = &((const struct drift_config *)a)->server;
    const struct drift_config_server *y = &((const struct drift_config *)b)->server;
    bool equal = x->cors == y->cors && x->n_cors_origins == y->n_cors_origins;
    for (size_t i = 0; equal && i < x->n_cors_origins; i++)
        equal = strcmp(x->cors_origins[i], y->cors_origins[i]) == 0;
    return equal;
}

static void allowed_origins(const struct drift_config_key *key, struct drift_buf *out)
{
    (void)key;
    drift_buf_append_str(out, "SCHEME://HOST[:PORT], loopback, * or none");
}

static void reset_origins(struct drift_config *config)
{
    config->server.cors = DRIFT_CONFIG_CORS_LIST;
    config->server.n_cors_origins = 0;
}

static size_t count_origins(const struct drift_config *config)
{
    const struct drift_config_server *server = &config->server;
    bool word = server->cors != DRIFT_CONFIG_CORS_LIST || server->n_cors_origins == 0;
    return server->n_cors_origins + (word ? 1 : 0);
}

static const struct drift_config_value_ops value_ops[DRIFT_CONFIG_TYPE_COUNT] = {
    [DRIFT_CONFIG_TYPE_BOOL] = {parse_bool,    format_bool,    equal_bool,    allowed_bool,    NULL, NULL         },
    [DRIFT_CONFIG_TYPE_CHOICE] = {parse_choice,  format_choice,  equal_choice,  allowed_choice,  NULL,
                                NULL                                                                              },
    [DRIFT_CONFIG_TYPE_NUMBER] = {parse_count,   format_count,   equal_count,   allowed_count,   NULL,
                                NULL                                                                              },
    [DRIFT_CONFIG_TYPE_BYTES] = {parse_bytes,   format_bytes,   equal_u64,     allowed_bytes,   NULL, NULL         },
    [DRIFT_CONFIG_TYPE_TIME] = {parse_time,    format_time,    equal_u64,     allowed_time,    NULL, NULL         },
    [DRIFT_CONFIG_TYPE_PATH] = {parse_path,    format_str,     equal_str,     allowed_path,    NULL, NULL         },
    [DRIFT_CONFIG_TYPE_NAME] = {parse_name,    format_str,     equal_str,     allowed_name,    NULL, NULL         },
    [DRIFT_CONFIG_TYPE_DEVICE] = {parse_device,  format_str,     equal_str,     allowed_device,  NULL, NULL         },
    [DRIFT_CONFIG_TYPE_LISTEN] = {parse_listen,  format_listen,  equal_listen,  allowed_listen,
                                reset_listen,                                                        count_listen },
    [DRIFT_CONFIG_TYPE_ORIGINS] = {parse_origins, format_origins, equal_origins, allowed_origins,
                                reset_origins,                                                       count_origins},
};

const struct drift_config_value_ops *drift_config_value_ops(enum drift_config_type type)
{
    return &value_ops[type];
}

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

/* clang-format off */
static const struct drift_config_value_ops bool_ops = {
    .parse = parse_bool, .format = format_bool, .equal = equal_bool, .allowed = allowed_bool};
static const struct drift_config_value_ops choice_ops = {
    .parse = parse_choice, .format = format_choice, .equal = equal_choice,
    .allowed = allowed_choice};
static const struct drift_config_value_ops count_ops = {
    .parse = parse_count, .format = format_count, .equal = equal_count, .allowed = allowed_count};
static const struct drift_config_value_ops bytes_ops = {
    .parse = parse_bytes, .format = format_bytes, .equal = equal_u64, .allowed = allowed_bytes};
static const struct drift_config_value_ops time_ops = {
    .parse = parse_time, .format = format_time, .equal = equal_u64, .allowed = allowed_time};
static const struct drift_config_value_ops path_ops = {
    .parse = parse_path, .format = format_str, .equal = equal_str, .allowed = allowed_path};
static const struct drift_config_value_ops name_ops = {
    .parse = parse_name, .format = format_str, .equal = equal_str, .allowed = allowed_name};
static const struct drift_config_value_ops device_ops = {
    .parse = parse_device, .format = format_str, .equal = equal_str, .allowed = allowed_device};
/* clang-format on */

static const struct drift_config_value_ops *const value_ops[DRIFT_CONFIG_TYPE_COUNT] = {
    [DRIFT_CONFIG_TYPE_BOOL] = &bool_ops,
    [DRIFT_CONFIG_TYPE_CHOICE] = &choice_ops,
    [DRIFT_CONFIG_TYPE_NUMBER] = &count_ops,
    [DRIFT_CONFIG_TYPE_BYTES] = &bytes_ops,
    [DRIFT_CONFIG_TYPE_TIME] = &time_ops,
    [DRIFT_CONFIG_TYPE_PATH] = &path_ops,
    [DRIFT_CONFIG_TYPE_NAME] = &name_ops,
    [DRIFT_CONFIG_TYPE_DEVICE] = &device_ops,
    [DRIFT_CONFIG_TYPE_LISTEN] = &drift_config_listen_ops,
    [DRIFT_CONFIG_TYPE_ORIGINS] = &drift_config_origins_ops,
};

const struct drift_config_value_ops *drift_config_value_ops(enum drift_config_type type)
{
    return value_ops[type];
}

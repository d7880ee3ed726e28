/*
 * The reader: a strict scan of the bytes, then cJSON, then a look for duplicate keys in its tree.
 *
 * The scan builds nothing. It is the grammar of RFC 8259 with the limits, so what reaches cJSON is
 * known to be well formed, bounded, and free of what cJSON would accept or cut silently (numbers
 * over 63 characters, U+0000). After it, a failure of cJSON can only mean that memory ran out.
 */
#include "runtime/base/json.h"

#include "runtime/base/utf8.h"

#include <cJSON.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEPTH        512u
#define MAX_NUMBER_BYTES 63u                /* cJSON's own buffer */
#define MAX_EXACT_INT    9007199254740991.0 /* 2^53 - 1: the last whose neighbours are exact too */

const struct drift_json_limits drift_json_default_limits = {
    .max_bytes = 16u << 20, .max_depth = 64, .max_values = 1000000};

struct scan {
    const char *text;
    size_t len, pos;
    uint32_t depth, n_values;
    const struct drift_json_limits *limits;
    struct drift_error *err;
};

static enum drift_status scan_value(struct scan *s);

static enum drift_status corrupt(const struct scan *s, const char *what)
{
    return drift_error_set(s->err, DRIFT_STATUS_CORRUPT, 0, "invalid JSON: %s at byte %zu", what,
                           s->pos);
}

static int peek(const struct scan *s)
{
    return s->pos < s->len ? (unsigned char)s->text[s->pos] : -1;
}

static void skip_space(struct scan *s)
{
    while (s->pos < s->len && strchr(" \t\n\r", s->text[s->pos]) && s->text[s->pos])
        s->pos++;
}

static bool accept(struct scan *s, char c)
{
    if (peek(s) != (unsigned char)c)
        return false;
    s->pos++;
    return true;
}

static int hex_value(int c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Four hexadecimal digits; false when one is missing. */
static bool scan_hex4(struct scan *s, uint32_t *ret_unit)
{
    uint32_t unit = 0;
    for (int i = 0; i < 4; i++) {
        int c = peek(s), digit = c < 0 ? -1 : hex_value(c);
        if (digit < 0)
            return false;
        unit = unit << 4 | (uint32_t)digit;
        s->pos++;
    }
    *ret_unit = unit;
    return true;
}

/* What follows a backslash. */
static enum drift_status scan_escape(struct scan *s)
{
    int c = peek(s);
    if (c < 0)
        return corrupt(s, "unterminated string");
    if (c == 0 || !strchr("\"\\/bfnrtu", c))
        return corrupt(s, "unknown escape");
    s->pos++;
    if (c != 'u')
        return DRIFT_STATUS_OK;
    uint32_t unit, low;
    if (!scan_hex4(s, &unit))
        return corrupt(s, "\\u without four hexadecimal digits");
    if (unit == 0)
        return corrupt(s, "U+0000 in a string");
    if (unit < 0xD800 || unit > 0xDFFF)
        return DRIFT_STATUS_OK;
    if (unit > 0xDBFF || !accept(s, '\\') || !accept(s, 'u') || !scan_hex4(s, &low) ||
        low < 0xDC00 || low > 0xDFFF)
        return corrupt(s, "lone surrogate");
    return DRIFT_STATUS_OK;
}

/* The position is behind the opening quote. */
static enum drift_status scan_string(struct scan *s)
{
    for (;;) {
        int c = peek(s);
        if (c < 0)
            return corrupt(s, "unterminated string");
        if (c < 0x20)
            return corrupt(s, "raw control character in a string");
        uint32_t code;
        size_t n = c < 0x80 ? 1 : drift_utf8_decode(s->text + s->pos, s->len - s->pos, &code);
        if (n == 0)
            return corrupt(s, "invalid UTF-8");
        s->pos += n;
        if (c == '"')
            return DRIFT_STATUS_OK;
        if (c == '\\') {
            enum drift_status status = scan_escape(s);
            if (status != DRIFT_STATUS_OK)
                return status;
        }
    }
}

static bool scan_digits(struct scan *s)
{
    size_t start = s->pos;
    while (peek(s) >= '0' && peek(s) <= '9')
        s->pos++;
    return s->pos > start;
}

static enum drift_status scan_number(struct scan *s)
{
    size_t start = s->pos;
    (void)accept(s, '-');
    if (!accept(s, '0') && !scan_digits(s))
        return corrupt(s, "expected a digit");
    if (accept(s, '.') && !scan_digits(s))
        return corrupt(s, "expected a digit");
    bool has_exponent = accept(s, 'e') || accept(s, 'E');
    if (has_exponent) {
        if (!accept(s, '+'))
            (void)accept(s, '-');
        if (!scan_digits(s))
            return corrupt(s, "expected a digit");
    }
    size_t len = s->pos - start;
    if (len > MAX_NUMBER_BYTES)
        return drift_error_set(s->err, DRIFT_STATUS_LIMIT, 0,
                               "JSON number of over %u characters at byte %zu", MAX_NUMBER_BYTES,
                               start);
    if (has_exponent) {
        char literal[MAX_NUMBER_BYTES + 1] = "";
        memcpy(literal, s->text + start, len);
        if (!isfinite(strtod(literal, NULL)))
            return drift_error_set(s->err, DRIFT_STATUS_LIMIT, 0,
                                   "JSON number out of range at byte %zu", start);
    }
    return DRIFT_STATUS_OK;
}

static enum drift_status scan_word(struct scan *s, const char *word)
{
    size_t n = strlen(word);
    if (s->len - s->pos < n || memcmp(s->text + s->pos, word, n) != 0)
        return corrupt(s, "expected a value");
    s->pos += n;
    return DRIFT_STATUS_OK;
}

static enum drift_status scan_member(struct scan *s)
{
    skip_space(s);
    if (!accept(s, '"'))
        return corrupt(s, "expected a key");
    enum drift_status status = scan_string(s);
    if (status != DRIFT_STATUS_OK)
        return status;
    skip_space(s);
    if (!accept(s, ':'))
        return corrupt(s, "expected ':'");
    return scan_value(s);
}

/* The position is behind the opening bracket. */
static enum drift_status scan_container(struct scan *s, bool is_object)
{
    char end = is_object ? '}' : ']';
    if (s->depth == s->limits->max_depth)
        return drift_error_set(s->err, DRIFT_STATUS_LIMIT, 0,
                               "JSON nested deeper than %u levels at byte %zu",
                               s->limits->max_depth, s->pos - 1);
    skip_space(s);
    if (accept(s, end))
        return DRIFT_STATUS_OK;
    s->depth++;
    do {
        enum drift_status status = is_object ? scan_member(s) : scan_value(s);
        if (status != DRIFT_STATUS_OK)
            return status;
        skip_space(s);
    } while (accept(s, ','));
    s->depth--;
    if (!accept(s, end))
        return corrupt(s, is_object ? "expected ',' or '}'" : "expected ',' or ']'");
    return DRIFT_STATUS_OK;
}

/* Recursion is bounded by max_depth. */
static enum drift_status scan_value(struct scan *s)
{
    skip_space(s);
    if (s->n_values++ == s->limits->max_values)
        return drift_error_set(s->err, DRIFT_STATUS_LIMIT, 0, "JSON of more than %u values",
                               s->limits->max_values);
    int c = peek(s);
    if (c == '-' || (c >= '0' && c <= '9'))
        return scan_number(s);
    switch (c) {
    case '"':
        s->pos++;
        return scan_string(s);
    case '{':
    case '[':
        s->pos++;
        return scan_container(s, c == '{');
    case 't':
        return scan_word(s, "true");
    case 'f':
        return scan_word(s, "false");
    case 'n':
        return scan_word(s, "null");
    default:
        return corrupt(s, "expected a value");
    }
}

static enum drift_status scan_document(struct scan *s)
{
    enum drift_status status = scan_value(s);
    if (status != DRIFT_STATUS_OK)
        return status;
    skip_space(s);
    return s->pos == s->len ? DRIFT_STATUS_OK : corrupt(s, "bytes after the value");
}

/* cJSON keeps its hooks, and a record of the last error that nobody here reads, in globals. */
static void *hook_malloc(size_t size)
{
    return drift_alloc(DRIFT_TAG_BASE, size, 1);
}

static void install_hooks(void)
{
    cJSON_Hooks hooks = {.malloc_fn = hook_malloc, .free_fn = drift_free};
    cJSON_InitHooks(&hooks);
}

/* A key with its first bytes as a number, so that most comparisons touch only the array. */
struct key {
    uint64_t head;
    const char *s;
};

/* Room for the members of one object at a time. */
struct keys {
    struct key *items;
    size_t capacity;
};

static struct key make_key(const char *s)
{
    uint64_t head = 0;
    for (unsigned i = 0, n = 0; i < 8; i++) {
        head = head << 8 | (unsigned char)s[n];
        n += s[n] != '\0';
    }
    return (struct key){.head = head, .s = s};
}

static int compare_keys(const void *a, const void *b)
{
    const struct key *x = a, *y = b;
    if (x->head != y->head)
        return x->head < y->head ? -1 : 1;
    return strcmp(x->s, y->s);
}

/* Sorting costs n log n whatever the keys are; a hash table's cost could be chosen by the sender.
 */
static enum drift_status refuse_duplicates(const cJSON *object, struct keys *keys,
                                           struct drift_error *err)
{
    size_t n = 0;
    for (const cJSON *m = object->child; m; m = m->next)
        n++;
    if (n > keys->capacity) {
        struct key *items = drift_realloc(DRIFT_TAG_BASE, keys->items, n, sizeof *items);
        if (!items)
            return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory to parse JSON");
        *keys = (struct keys){.items = items, .capacity = n};
    }
    n = 0;
    for (const cJSON *m = object->child; m; m = m->next)
        keys->items[n++] = make_key(m->string);
    qsort(keys->items, n, sizeof *keys->items, compare_keys);
    for (size_t i = 1; i < n; i++) {
        if (compare_keys(&keys->items[i - 1], &keys->items[i]) == 0)
            return drift_error_set(err, DRIFT_STATUS_CORRUPT, 0,
                                   "invalid JSON: key \"%.64s\" occurs twice in one object",
                                   keys->items[i].s);
    }
    return DRIFT_STATUS_OK;
}

static enum drift_status check_keys(const cJSON *v, struct keys *keys, struct drift_error *err)
{
    enum drift_status status = DRIFT_STATUS_OK;
    if (cJSON_IsObject(v) && v->child && v->child->next)
        status = refuse_duplicates(v, keys, err);
    for (const cJSON *m = v->child; m && status == DRIFT_STATUS_OK; m = m->next) {
        if (m->child)
            status = check_keys(m, keys, err);
    }
    return status;
}

enum drift_status drift_json_parse(const char *text, size_t len,
                                   const struct drift_json_limits *limits,
                                   struct drift_json **ret_doc, struct drift_error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install_hooks);
    DRIFT_ASSERT(limits->max_depth <= MAX_DEPTH);
    if (len > limits->max_bytes)
        return drift_error_set(err, DRIFT_STATUS_LIMIT, 0,
                               "JSON of %zu bytes, over the %zu allowed", len, limits->max_bytes);
    struct scan s = {.text = text, .len = len, .limits = limits, .err = err};
    enum drift_status status = scan_document(&s);
    if (status != DRIFT_STATUS_OK)
        return status;
    cJSON *doc = cJSON_ParseWithLength(text, len);
    if (!doc)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory to parse JSON");
    struct keys keys = {0};
    status = check_keys(doc, &keys, err);
    drift_free(keys.items);
    if (status != DRIFT_STATUS_OK)
        cJSON_Delete(doc);
    else
        *ret_doc = (struct drift_json *)doc;
    return status;
}

void drift_json_destroy(struct drift_json *doc)
{
    cJSON_Delete((cJSON *)doc);
}

static const cJSON *item_of(const struct drift_json *v)
{
    return (const cJSON *)v;
}

enum drift_json_type drift_json_type(const struct drift_json *v)
{
    switch (item_of(v)->type & 0xFF) {
    case cJSON_True:
    case cJSON_False:
        return DRIFT_JSON_BOOL;
    case cJSON_Number:
        return DRIFT_JSON_NUMBER;
    case cJSON_String:
        return DRIFT_JSON_STRING;
    case cJSON_Array:
        return DRIFT_JSON_ARRAY;
    case cJSON_Object:
        return DRIFT_JSON_OBJECT;
    default:
        return DRIFT_JSON_NULL;
    }
}

const char *drift_json_type_name(enum drift_json_type type)
{
    static const char *const names[DRIFT_JSON_TYPE_COUNT] = {
        [DRIFT_JSON_NULL] = "null",     [DRIFT_JSON_BOOL] = "boolean",
        [DRIFT_JSON_NUMBER] = "number", [DRIFT_JSON_STRING] = "string",
        [DRIFT_JSON_ARRAY] = "array",   [DRIFT_JSON_OBJECT] = "object",
    };
    return (unsigned)type < DRIFT_JSON_TYPE_COUNT ? names[type] : "?";
}

const struct drift_json *drift_json_get(const struct drift_json *v, const char *key)
{
    if (!v || !cJSON_IsObject(item_of(v)))
        return NULL;
    for (const cJSON *m = item_of(v)->child; m; m = m->next) {
        if (strcmp(m->string, key) == 0)
            return (const struct drift_json *)m;
    }
    return NULL;
}

uint32_t drift_json_size(const struct drift_json *v)
{
    uint32_t n = 0;
    for (const struct drift_json *m = drift_json_first(v); m; m = drift_json_next(m))
        n++;
    return n;
}

const struct drift_json *drift_json_first(const struct drift_json *v)
{
    return v ? (const struct drift_json *)item_of(v)->child : NULL;
}

const struct drift_json *drift_json_next(const struct drift_json *child)
{
    return child ? (const struct drift_json *)item_of(child)->next : NULL;
}

const char *drift_json_key(const struct drift_json *child)
{
    return child ? item_of(child)->string : NULL;
}

bool drift_json_bool(const struct drift_json *v, bool *ret)
{
    if (!v || !cJSON_IsBool(item_of(v)))
        return false;
    *ret = cJSON_IsTrue(item_of(v));
    return true;
}

bool drift_json_double(const struct drift_json *v, double *ret)
{
    if (!v || !cJSON_IsNumber(item_of(v)))
        return false;
    *ret = item_of(v)->valuedouble;
    return true;
}

bool drift_json_int64(const struct drift_json *v, int64_t *ret)
{
    double d;
    if (!drift_json_double(v, &d) || fabs(d) > MAX_EXACT_INT || d != floor(d))
        return false;
    *ret = (int64_t)d;
    return true;
}

bool drift_json_string(const struct drift_json *v, const char **ret)
{
    if (!v || !cJSON_IsString(item_of(v)))
        return false;
    *ret = item_of(v)->valuestring;
    return true;
}

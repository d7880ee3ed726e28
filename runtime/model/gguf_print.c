/* The text of driftctl inspect; see gguf.h. */
#include "runtime/base/utf8.h"
#include "runtime/model/gguf_impl.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_STRING_BYTES 72u /* of a string's text in the value column */
#define MAX_ARRAY_VALUES 6u
#define MAX_COLUMN       60u
#define MAX_TYPES        48u

static size_t width_of(const char *s)
{
    size_t n = 0;
    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

/* Append text with control characters and broken UTF-8 made visible. */
static void put_escaped(struct drift_buf *out, const char *text, size_t len)
{
    for (size_t i = 0; i < len;) {
        uint32_t code = 0;
        size_t n = drift_utf8_decode(text + i, len - i, &code);
        unsigned char c = (unsigned char)text[i];
        if (c == '\n' || c == '\t' || c == '\r')
            drift_buf_printf(out, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : 'r');
        else if (n == 0 || code < 0x20 || code == 0x7f)
            drift_buf_printf(out, "\\x%02x", c);
        else if (code < 0xa0 && code >= 0x80)
            drift_buf_printf(out, "\\u%04" PRIx32, code);
        else
            drift_buf_append(out, text + i, n);
        i += n ? n : 1;
    }
}

static void put_string(struct drift_buf *out, struct drift_gguf_string s)
{
    size_t len =
        s.len <= MAX_STRING_BYTES ? s.len : drift_utf8_complete_prefix(s.data, MAX_STRING_BYTES);
    drift_buf_append_char(out, '"');
    put_escaped(out, s.data, len);
    drift_buf_append_char(out, '"');
    if (len < s.len)
        drift_buf_printf(out, "... (%zu bytes)", s.len);
}

/* The fewest digits that read back as the same float. */
static void put_float(struct drift_buf *out, float value)
{
    char text[32];
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    drift_buf_append_str(out, text);
}

static void put_value(struct drift_buf *out, const struct drift_gguf_array *a, uint64_t i)
{
    int64_t integer;
    float real;
    bool truth;
    switch (a->type) {
    case DRIFT_GGUF_TYPE_F32:
    case DRIFT_GGUF_TYPE_F64:
        if (drift_gguf_array_f32(a, i, &real))
            put_float(out, real);
        break;
    case DRIFT_GGUF_TYPE_BOOL:
        if (drift_gguf_array_bool(a, i, &truth))
            drift_buf_append_str(out, truth ? "true" : "false");
        break;
    default:
        if (drift_gguf_array_i64(a, i, &integer))
            drift_buf_printf(out, "%" PRId64, integer);
        else
            drift_buf_printf(out, "%" PRIu64, drift_gguf_load_u64(a->data + i * 8));
        break;
    }
}

static void put_kv_value(struct drift_buf *out, const struct drift_gguf_kv *kv)
{
    const struct drift_gguf_array *a = &kv->value;
    bool is_array = kv->type == DRIFT_GGUF_TYPE_ARRAY;
    uint64_t n = a->count < MAX_ARRAY_VALUES ? a->count : MAX_ARRAY_VALUES;
    struct drift_gguf_strings it = {0};
    struct drift_gguf_string s;
    if (a->type == DRIFT_GGUF_TYPE_STRING)
        drift_gguf_strings_init(&it, a);
    if (is_array)
        drift_buf_append_char(out, '[');
    for (uint64_t i = 0; i < n; i++) {
        if (i)
            drift_buf_append_str(out, ", ");
        if (a->type != DRIFT_GGUF_TYPE_STRING)
            put_value(out, a, i);
        else if (drift_gguf_strings_next(&it, &s))
            put_string(out, s);
    }
    if (is_array)
        drift_buf_append_str(out, n < a->count ? ", ...]" : "]");
}

/* Append an escaped name; its columns. */
static size_t put_name(struct drift_buf *out, const char *name)
{
    size_t start = out->len;
    put_escaped(out, name, strlen(name));
    return out->failed ? 0 : width_of(drift_buf_cstr(out) + start);
}

static void put_padded_name(struct drift_buf *out, const char *name, size_t width)
{
    size_t used = put_name(out, name);
    drift_buf_printf(out, "%*s", (int)(used < width ? width - used : 0) + 2, "");
}

/*
 * The larger of width and what name takes, unless that is absurd. out is used to measure, not
 * changed.
 */
static size_t grow_width(struct drift_buf *out, size_t width, const char *name)
{
    size_t start = out->len, used = put_name(out, name);
    if (!out->failed)
        drift_buf_truncate(out, start);
    return used > width && used <= MAX_COLUMN ? used : width;
}

static void print_metadata(const struct drift_gguf *g, struct drift_buf *out)
{
    size_t width = 0;
    for (uint64_t i = 0; i < g->info.n_kv; i++)
        width = grow_width(out, width, g->kv[i].key);
    for (uint64_t i = 0; i < g->info.n_kv; i++) {
        const struct drift_gguf_kv *kv = &g->kv[i];
        char type[48];
        if (kv->type == DRIFT_GGUF_TYPE_ARRAY)
            snprintf(type, sizeof(type), "%s[%" PRIu64 "]", drift_gguf_type_name(kv->value.type),
                     kv->value.count);
        else
            snprintf(type, sizeof(type), "%s", drift_gguf_type_name(kv->type));
        put_padded_name(out, kv->key, width);
        drift_buf_printf(out, "%-15s ", type);
        put_kv_value(out, kv);
        drift_buf_append_char(out, '\n');
    }
}

static void format_shape(const struct drift_gguf_tensor *t, char *text, size_t size)
{
    size_t len = 0;
    for (uint32_t i = 0; i < t->n_dims && len < size; i++)
        len += (size_t)snprintf(text + len, size - len, i ? " x %" PRIu64 : "%" PRIu64, t->dims[i]);
}

static void put_type(struct drift_buf *out, const char *name, uint32_t gguf_type)
{
    char text[24];
    if (name[0] == '?')
        snprintf(text, sizeof(text), "type %" PRIu32, gguf_type);
    else
        snprintf(text, sizeof(text), "%s", name);
    drift_buf_printf(out, "%-8s", text);
}

static void print_tensors(const struct drift_gguf *g, struct drift_buf *out)
{
    size_t width = 0;
    int shape_width = 0;
    char shape[96];
    for (uint64_t i = 0; i < g->info.n_tensors; i++) {
        format_shape(&g->tensors[i], shape, sizeof(shape));
        width = grow_width(out, width, g->tensors[i].name);
        if ((int)strlen(shape) > shape_width)
            shape_width = (int)strlen(shape);
    }
    for (uint64_t i = 0; i < g->info.n_tensors; i++) {
        const struct drift_gguf_tensor *t = &g->tensors[i];
        format_shape(t, shape, sizeof(shape));
        put_padded_name(out, t->name, width);
        drift_buf_printf(out, "%-*s  ", shape_width, shape);
        put_type(out, t->type_name, t->gguf_type);
        drift_buf_printf(out, " %12" PRIu64 " bytes at %" PRIu64 "\n", t->size_bytes,
                         t->offset_bytes);
    }
}

struct total {
    const struct drift_gguf_tensor *first;
    uint64_t n, bytes;
};

static void put_total(struct drift_buf *out, const struct total *total)
{
    put_type(out, total->first->type_name, total->first->gguf_type);
    drift_buf_printf(out, " %6" PRIu64 " tensors %15" PRIu64 " bytes%s\n", total->n, total->bytes,
                     total->first->known_type ? "" : "  (cannot be computed with)");
}

/* One line per type, in the order of first occurrence; a file with more types than there are has no
 * more lines. */
static void print_totals(const struct drift_gguf *g, struct drift_buf *out)
{
    struct total totals[MAX_TYPES] = {{0}};
    uint64_t n_totals = 0, n_other = 0;
    for (uint64_t i = 0; i < g->info.n_tensors; i++) {
        const struct drift_gguf_tensor *t = &g->tensors[i];
        uint64_t j = 0;
        while (j < n_totals && totals[j].first->gguf_type != t->gguf_type)
            j++;
        if (j == MAX_TYPES) {
            n_other++;
            continue;
        }
        if (j == n_totals)
            totals[n_totals++].first = t;
        totals[j].n++;
        totals[j].bytes += t->size_bytes; /* within the file: tensors do not overlap */
    }
    for (uint64_t j = 0; j < n_totals; j++)
        put_total(out, &totals[j]);
    if (n_other)
        drift_buf_printf(out, "and %" PRIu64 " tensors of other types\n", n_other);
}

void drift_gguf_print(const struct drift_gguf *gguf, struct drift_buf *out)
{
    const struct drift_gguf_info *info = &gguf->info;
    drift_buf_printf(out,
                     "GGUF version %" PRIu32 ", %" PRIu64 " bytes, alignment %" PRIu32
                     ", data at %" PRIu64 "\n\nmetadata: %" PRIu64 "\n",
                     info->version, info->file_bytes, info->alignment_bytes,
                     info->data_offset_bytes, info->n_kv);
    print_metadata(gguf, out);
    drift_buf_printf(out, "\ntensors: %" PRIu64 "\n", info->n_tensors);
    print_tensors(gguf, out);
    drift_buf_append_str(out, info->n_tensors ? "\ntotals\n" : "");
    print_totals(gguf, out);
}

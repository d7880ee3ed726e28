/* One scanner per place: outside of tags, comments, raw blocks, and inside of tags. */
#include "api/template/lex.h"

#include "api/template/literal.h"
#include "api/template/unicode.h"

#include <string.h>

static const char *const token_names[DRIFT_TMPL_TOKEN_COUNT] = {
#define X(id, text) [DRIFT_TMPL_TOKEN_##id] = text,
    DRIFT_TMPL_TOKEN_MAP(X)
#undef X
};

const char *drift_tmpl_token_name(enum drift_tmpl_token_type type)
{
    return token_names[type];
}

void drift_tmpl_lexer_init(struct drift_tmpl_lexer *lx, const char *text, size_t len,
                           struct drift_arena *arena, struct drift_error *err)
{
    *lx = (struct drift_tmpl_lexer){.text = text,
                                    .len = len,
                                    .line = 1,
                                    .mode = DRIFT_TMPL_TOKEN_EOF,
                                    .arena = arena,
                                    .err = err};
}

static uint32_t line_at(struct drift_tmpl_lexer *lx, size_t pos)
{
    while (lx->line_pos < pos) {
        const char *nl = memchr(lx->text + lx->line_pos, '\n', pos - lx->line_pos);
        if (!nl) {
            lx->line_pos = pos;
            break;
        }
        lx->line++;
        lx->line_pos = (size_t)(nl - lx->text) + 1;
    }
    return lx->line;
}

static enum drift_status broken(struct drift_tmpl_lexer *lx, size_t pos, const char *what)
{
    return drift_error_set(lx->err, DRIFT_STATUS_CORRUPT, 0, "line %u: %s",
                           (unsigned)line_at(lx, pos), what);
}

/* The byte at pos, 0 behind the end (no byte of a template is 0: the compiler refuses it). */
static char at(const struct drift_tmpl_lexer *lx, size_t pos)
{
    return pos < lx->len ? lx->text[pos] : '\0';
}

static bool starts(const struct drift_tmpl_lexer *lx, size_t pos, const char *s)
{
    size_t n = strlen(s);
    return pos <= lx->len && n <= lx->len - pos && memcmp(lx->text + pos, s, n) == 0;
}

static size_t skip_space(const struct drift_tmpl_lexer *lx, size_t pos)
{
    const char *s = lx->text + pos, *end = lx->text + lx->len;
    while (s < end) {
        const char *next = s;
        if (!drift_tmpl_is_space(drift_tmpl_next_code(&next, end)))
            break;
        s = next;
    }
    return (size_t)(s - lx->text);
}

static size_t find(const struct drift_tmpl_lexer *lx, size_t pos, const char *two)
{
    const char *s = pos < lx->len ? memmem(lx->text + pos, lx->len - pos, two, 2) : NULL;
    return s ? (size_t)(s - lx->text) : SIZE_MAX;
}

/* Behind a tag's end at pos ("%}" or "#}"): a newline directly after it belongs to it. */
static size_t trim_newline(const struct drift_tmpl_lexer *lx, size_t pos)
{
    return at(lx, pos) == '\n' ? pos + 1 : pos;
}

/*
 * Where the text [start, end) before a tag stops being output, given the tag's sign. lstrip: spaces
 * between a line's start and the tag go.
 */
static size_t data_end(const struct drift_tmpl_lexer *lx, size_t start, size_t end, char sign,
                       bool lstrip)
{
    const char *begin = lx->text + start, *s = lx->text + end;
    if (sign == '+' || (sign != '-' && !lstrip))
        return end;
    while (s > begin) {
        const char *prev = s;
        uint32_t code = drift_tmpl_prev_code(begin, &prev);
        if (!drift_tmpl_is_space(code) || (sign != '-' && code == '\n'))
            break;
        s = prev;
    }
    if (sign == '-')
        return (size_t)(s - lx->text);
    bool at_line_start = s > begin ? s[-1] == '\n' : start == 0 || begin[-1] == '\n';
    return at_line_start ? (size_t)(s - lx->text) : end;
}

static bool emit_data(struct drift_tmpl_lexer *lx, size_t start, size_t end,
                      struct drift_tmpl_token *ret)
{
    if (start == end)
        return false;
    *ret = (struct drift_tmpl_token){.type = DRIFT_TMPL_TOKEN_DATA,
                                     .line = line_at(lx, start),
                                     .value = drift_tmpl_str(lx->text + start, end - start)};
    return true;
}

/* pos is behind "{%": the sign there, or 0. */
static char sign_at(const struct drift_tmpl_lexer *lx, size_t pos)
{
    char c = at(lx, pos);
    return c == '-' || c == '+' ? c : '\0';
}

/* Behind "{% raw %}" that starts at pos, or 0 when it is something else. */
static size_t match_raw_begin(const struct drift_tmpl_lexer *lx, size_t pos)
{
    pos = skip_space(lx, pos + 2 + (sign_at(lx, pos + 2) != 0));
    if (!starts(lx, pos, "raw"))
        return 0;
    pos = skip_space(lx, pos + 3);
    if (starts(lx, pos, "-%}"))
        return skip_space(lx, pos + 3);
    return starts(lx, pos, "%}") ? pos + 2 : 0;
}

static size_t match_raw_end(const struct drift_tmpl_lexer *lx, size_t pos)
{
    pos = skip_space(lx, pos + 2 + (sign_at(lx, pos + 2) != 0));
    if (!starts(lx, pos, "endraw"))
        return 0;
    pos = skip_space(lx, pos + 6);
    if (starts(lx, pos, "-%}"))
        return skip_space(lx, pos + 3);
    if (starts(lx, pos, "+%}"))
        return pos + 3;
    return starts(lx, pos, "%}") ? trim_newline(lx, pos + 2) : 0;
}

/* lx->pos is behind the raw tag; *ret becomes its text unless that is empty. */
static enum drift_status lex_raw(struct drift_tmpl_lexer *lx, struct drift_tmpl_token *ret,
                                 bool *ret_have)
{
    size_t start = lx->pos;
    if (start == lx->len) /* nothing to be raw: jinja2 lets that pass */
        return DRIFT_STATUS_OK;
    for (size_t tag = start; (tag = find(lx, tag, "{%")) != SIZE_MAX; tag += 2) {
        size_t end = match_raw_end(lx, tag);
        if (!end)
            continue;
        *ret_have = emit_data(lx, start, data_end(lx, start, tag, sign_at(lx, tag + 2), true), ret);
        lx->pos = end;
        return DRIFT_STATUS_OK;
    }
    return broken(lx, start, "missing end of raw block");
}

static enum drift_status skip_comment(struct drift_tmpl_lexer *lx, size_t pos)
{
    pos += 2;
    pos += sign_at(lx, pos) != 0;
    lx->pos = pos;
    if (pos == lx->len)
        return DRIFT_STATUS_OK;
    size_t end = find(lx, pos, "#}");
    if (end == SIZE_MAX)
        return broken(lx, pos, "missing end of comment");
    char sign = end > pos ? sign_at(lx, end - 1) : '\0';
    lx->pos = end + 2;
    if (sign == '-')
        lx->pos = skip_space(lx, lx->pos);
    else if (sign != '+')
        lx->pos = trim_newline(lx, lx->pos);
    return DRIFT_STATUS_OK;
}

static size_t find_tag(const struct drift_tmpl_lexer *lx, size_t pos)
{
    while (pos + 1 < lx->len) {
        const char *s = memchr(lx->text + pos, '{', lx->len - pos - 1);
        if (!s)
            break;
        if (s[1] == '{' || s[1] == '%' || s[1] == '#')
            return (size_t)(s - lx->text);
        pos = (size_t)(s - lx->text) + 1;
    }
    return SIZE_MAX;
}

/* Outside of tags: text up to the next tag, then the tag's begin (kept in pending if there was
 * text). */
static enum drift_status lex_root(struct drift_tmpl_lexer *lx, struct drift_tmpl_token *ret)
{
    for (;;) {
        size_t start = lx->pos, tag = find_tag(lx, start);
        if (tag == SIZE_MAX) {
            lx->pos = lx->len;
            if (!emit_data(lx, start, lx->len, ret))
                *ret = (struct drift_tmpl_token){.type = DRIFT_TMPL_TOKEN_EOF,
                                                 .line = line_at(lx, lx->len)};
            return DRIFT_STATUS_OK;
        }
        char kind = lx->text[tag + 1], sign = sign_at(lx, tag + 2);
        size_t raw = kind == '%' ? match_raw_begin(lx, tag) : 0;
        bool have = emit_data(lx, start, data_end(lx, start, tag, sign, kind != '{'), ret);
        enum drift_status st = DRIFT_STATUS_OK;
        if (kind == '#') {
            st = skip_comment(lx, tag);
        } else if (raw) {
            lx->pos = raw;
            struct drift_tmpl_token text;
            bool have_text = false;
            st = lex_raw(lx, &text, &have_text);
            if (have_text && have)
                lx->pending = text;
            else if (have_text)
                *ret = text;
            have = have || have_text;
        } else {
            lx->pos = tag + 2 + (sign != 0);
            bool variable = kind == '{';
            lx->mode = variable ? DRIFT_TMPL_TOKEN_VARIABLE_END : DRIFT_TMPL_TOKEN_BLOCK_END;
            lx->n_open = 0;
            struct drift_tmpl_token begin = {.type = variable ? DRIFT_TMPL_TOKEN_VARIABLE_BEGIN
                                                              : DRIFT_TMPL_TOKEN_BLOCK_BEGIN,
                                             .line = line_at(lx, tag)};
            *(have ? &lx->pending : ret) = begin;
            have = true;
        }
        if (st || have)
            return st;
    }
}

/* True when the tag ends at lx->pos: moves behind it and what it trims. */
static bool lex_tag_end(struct drift_tmpl_lexer *lx)
{
    bool variable = lx->mode == DRIFT_TMPL_TOKEN_VARIABLE_END;
    const char *close = variable ? "}}" : "%}";
    char sign = sign_at(lx, lx->pos);
    if (variable && sign == '+')
        return false;
    size_t pos = lx->pos + (sign != 0);
    if (lx->n_open || !starts(lx, pos, close))
        return false;
    pos += 2;
    if (sign == '-')
        pos = skip_space(lx, pos);
    else if (!variable && sign != '+')
        pos = trim_newline(lx, pos);
    lx->pos = pos;
    return true;
}

static enum drift_status lex_string(struct drift_tmpl_lexer *lx, struct drift_tmpl_token *ret)
{
    size_t start = lx->pos + 1, pos = start;
    char quote = lx->text[lx->pos];
    bool escapes = false;
    while (pos < lx->len && lx->text[pos] != quote) {
        escapes |= lx->text[pos] == '\\';
        pos += lx->text[pos] == '\\' ? 2 : 1;
    }
    if (pos >= lx->len)
        return broken(lx, lx->pos, "string without its closing quote");
    lx->pos = pos + 1;
    ret->type = DRIFT_TMPL_TOKEN_STRING;
    ret->value = drift_tmpl_str(lx->text + start, pos - start);
    if (!escapes)
        return DRIFT_STATUS_OK;
    const char *what = NULL;
    enum drift_status st =
        drift_tmpl_unescape(lx->text + start, pos - start, lx->arena, &ret->value, &what);
    if (st)
        return drift_error_set(lx->err, st, 0, "line %u: %s", (unsigned)ret->line, what);
    return DRIFT_STATUS_OK;
}

static enum drift_status lex_bracket(struct drift_tmpl_lexer *lx, char c)
{
    if (c == '(' || c == '[' || c == '{') {
        if (lx->n_open == DRIFT_TEMPLATE_MAX_NESTING)
            return drift_error_set(lx->err, DRIFT_STATUS_LIMIT, 0,
                                   "line %u: brackets nest deeper than %u",
                                   (unsigned)line_at(lx, lx->pos), DRIFT_TEMPLATE_MAX_NESTING);
        lx->open[lx->n_open++] = (char)(c == '(' ? ')' : c == '[' ? ']' : '}');
    } else if (c == ')' || c == ']' || c == '}') {
        if (!lx->n_open || lx->open[--lx->n_open] != c)
            return broken(lx, lx->pos, "a closing bracket that does not match");
    }
    return DRIFT_STATUS_OK;
}

static enum drift_status lex_operator(struct drift_tmpl_lexer *lx, struct drift_tmpl_token *ret)
{
    for (unsigned type = DRIFT_TMPL_TOKEN_FLOORDIV; type < DRIFT_TMPL_TOKEN_COUNT; type++) {
        if (!starts(lx, lx->pos, token_names[type]))
            continue;
        enum drift_status st = lex_bracket(lx, lx->text[lx->pos]);
        lx->pos += strlen(token_names[type]);
        ret->type = (uint8_t)type;
        return st;
    }
    return drift_error_set(lx->err, DRIFT_STATUS_CORRUPT, 0,
                           "line %u: a character that has no meaning inside a tag",
                           (unsigned)line_at(lx, lx->pos));
}

static enum drift_status lex_tag(struct drift_tmpl_lexer *lx, struct drift_tmpl_token *ret)
{
    lx->pos = skip_space(lx, lx->pos);
    *ret = (struct drift_tmpl_token){.line = line_at(lx, lx->pos)};
    if (lx->pos == lx->len)
        return DRIFT_STATUS_OK; /* EOF: the parser says which tag it misses */
    if (lex_tag_end(lx)) {
        ret->type = lx->mode;
        lx->mode = DRIFT_TMPL_TOKEN_EOF;
        return DRIFT_STATUS_OK;
    }
    const char *s = lx->text + lx->pos, *end = lx->text + lx->len;
    if (*s == '"' || *s == '\'')
        return lex_string(lx, ret);
    if (*s >= '0' && *s <= '9') {
        const char *what = NULL;
        size_t n = drift_tmpl_scan_number(s, (size_t)(end - s), lx->pos && s[-1] == '.',
                                          &ret->value, &what);
        if (!n)
            return drift_error_set(lx->err, DRIFT_STATUS_UNSUPPORTED, 0, "line %u: %s",
                                   (unsigned)ret->line, what);
        lx->pos += n;
        ret->type =
            ret->value.type == DRIFT_TMPL_FLOAT ? DRIFT_TMPL_TOKEN_FLOAT : DRIFT_TMPL_TOKEN_INTEGER;
        return DRIFT_STATUS_OK;
    }
    const char *p = s;
    while (p < end) {
        const char *next = p;
        if (!drift_tmpl_is_word(drift_tmpl_next_code(&next, end)))
            break;
        p = next;
    }
    if (p == s)
        return lex_operator(lx, ret);
    lx->pos = (size_t)(p - lx->text);
    ret->type = DRIFT_TMPL_TOKEN_NAME;
    ret->value = drift_tmpl_str(s, (size_t)(p - s));
    return DRIFT_STATUS_OK;
}

enum drift_status drift_tmpl_lexer_next(struct drift_tmpl_lexer *lx, struct drift_tmpl_token *ret)
{
    if (lx->pending.type != DRIFT_TMPL_TOKEN_EOF) {
        *ret = lx->pending;
        lx->pending = (struct drift_tmpl_token){.type = DRIFT_TMPL_TOKEN_EOF};
        return DRIFT_STATUS_OK;
    }
    return lx->mode == DRIFT_TMPL_TOKEN_EOF ? lex_root(lx, ret) : lex_tag(lx, ret);
}

/*
 * The configuration file: INI as systemd users know it.
 *
 *   # or ; comment          [section]            key = value ; comment
 *
 * libinih splits the lines into keys and values. It hands out neither line numbers nor section
 * names of more than 49 bytes, and takes an indented line for more of the value above: the reader
 * below, which feeds it, counts the lines, takes the headers and removes the indentation.
 */
#include "runtime/base/file.h"
#include "config/build.h"

#include <ini.h>
#include <stdio.h>
#include <string.h>

struct reader {
    struct drift_config_build *build;
    const char *name; /* of the file, in the arena */
    const char *next, *end;
    unsigned line;
    bool have_section;
    enum drift_config_section section;
    struct drift_config_model *model; /* of a [model NAME] section */
    enum drift_status status;         /* the first failure; nothing is read after it */
    struct drift_error *err;
};

static const char *section_at(const void *user, size_t i)
{
    (void)user;
    return drift_config_section_name((enum drift_config_section)i);
}

static const char *key_at(const void *user, size_t i)
{
    const enum drift_config_section *section = user;
    return drift_config_keys[i].section == *section ? drift_config_keys[i].name : NULL;
}

static void fail(struct reader *reader, enum drift_status status, unsigned line, const char *what)
{
    reader->status = drift_error_set(reader->err, status, 0, "%s:%u: %s", reader->name, line, what);
}

/* The name of a [model NAME] section; NULL when text is none. */
static const char *model_name_of(const char *text)
{
    static const char word[] = "model";
    size_t n = sizeof word - 1;
    if (strncmp(text, word, n) != 0 || (text[n] != ' ' && text[n] != '\t'))
        return NULL;
    return text + n + strspn(text + n, " \t");
}

static void enter_section(struct reader *reader, const char *text)
{
    struct drift_config_origin origin = {DRIFT_CONFIG_SOURCE_FILE, reader->name, reader->line, ""};
    char msg[200];
    const char *model_name = model_name_of(text);
    reader->model = NULL;
    reader->have_section = true;
    if (model_name) {
        reader->section = DRIFT_CONFIG_SECTION_MODEL;
        reader->status =
            drift_config_add_model(reader->build, model_name, origin, &reader->model, reader->err);
    } else if (strcmp(text, "model") == 0) {
        fail(reader, DRIFT_STATUS_INVALID, reader->line,
             "[model] needs a name, as in [model smollm2]");
    } else if (!drift_config_section_find(text, &reader->section)) {
        snprintf(msg, sizeof msg, "unknown section [%.40s]", text);
        drift_config_suggest(msg, sizeof msg, text, DRIFT_CONFIG_SECTION_COUNT, section_at, NULL);
        fail(reader, DRIFT_STATUS_INVALID, reader->line, msg);
    }
}

/* line is "[" and the rest, without a line end. */
static void take_header(struct reader *reader, char *line)
{
    char *close = strchr(line, ']');
    const char *rest = close ? close + 1 + strspn(close + 1, " \t") : "";
    if (!close || (*rest && *rest != ';' && *rest != '#')) {
        fail(reader, DRIFT_STATUS_CORRUPT, reader->line,
             "expected [section] and nothing behind it");
        return;
    }
    char *name = line + 1 + strspn(line + 1, " \t");
    while (close > name && (close[-1] == ' ' || close[-1] == '\t'))
        close--;
    *close = '\0';
    enter_section(reader, name);
}

/* Hand the next line to libinih, as fgets would: size is its buffer. An ini_reader. */
static char *read_line(char *out, int size, void *user)
{
    struct reader *reader = user;
    if (reader->next == reader->end || reader->status != DRIFT_STATUS_OK)
        return NULL;
    const char *newline = memchr(reader->next, '\n', (size_t)(reader->end - reader->next));
    const char *end = newline ? newline : reader->end;
    const char *from = reader->next;
    reader->next = newline ? newline + 1 : end;
    reader->line++;
    while (from < end && (*from == ' ' || *from == '\t'))
        from++;
    while (end > from && (end[-1] == '\r' || end[-1] == ' ' || end[-1] == '\t'))
        end--;
    size_t n = (size_t)(end - from);
    if (memchr(from, '\0', n)) {
        fail(reader, DRIFT_STATUS_CORRUPT, reader->line, "a zero byte; this is no text file");
        return NULL;
    }
    if (size < 3 || n > (size_t)size - 3) {
        fail(reader, DRIFT_STATUS_LIMIT, reader->line, "the line is too long");
        return NULL;
    }
    memcpy(out, from, n);
    out[n] = '\0';
    if (*out == '[') {
        take_header(reader, out);
        n = 0;
    }
    memcpy(out + n, "\n", 2);
    return out;
}

/* Append the sections that do have a key of this name; false when there is none. */
static bool name_owners(char *msg, size_t size, const char *name)
{
    const char *before = "; it belongs to ";
    bool any = false;
    for (unsigned i = 0; i < DRIFT_CONFIG_SECTION_COUNT; i++) {
        enum drift_config_section section = (enum drift_config_section)i;
        if (!drift_config_key_find(section, name))
            continue;
        size_t n = strlen(msg);
        snprintf(msg + n, size - n, "%s[%s%s]", before, drift_config_section_name(section),
                 section == DRIFT_CONFIG_SECTION_MODEL ? " NAME" : "");
        before = " or ";
        any = true;
    }
    return any;
}

static void refuse_key(struct reader *reader, const char *name)
{
    char msg[200];
    snprintf(msg, sizeof msg, "unknown key '%.40s' in [%s]", name,
             drift_config_section_name(reader->section));
    if (!name_owners(msg, sizeof msg, name))
        drift_config_suggest(msg, sizeof msg, name, drift_config_n_keys, key_at, &reader->section);
    fail(reader, DRIFT_STATUS_INVALID, reader->line, msg);
}

/* An ini_handler: 1 goes on. The section libinih knows of is always the empty one. */
static int take_value(void *user, const char *section, const char *name, const char *value)
{
    (void)section;
    struct reader *reader = user;
    if (reader->status != DRIFT_STATUS_OK)
        return 0;
    if (!reader->have_section) {
        fail(reader, DRIFT_STATUS_INVALID, reader->line,
             "a key before the first [section], for example [server]");
        return 0;
    }
    const struct drift_config_key *key = drift_config_key_find(reader->section, name);
    if (!key) {
        refuse_key(reader, name);
        return 0;
    }
    /* libinih wants a space before a comment, and so leaves the one of "key =; comment". */
    const char *text = *value == ';' ? "" : value;
    struct drift_config_origin origin = {DRIFT_CONFIG_SOURCE_FILE, reader->name, reader->line,
                                         text};
    reader->status = drift_config_assign(reader->build, key, reader->model, origin, reader->err);
    return reader->status == DRIFT_STATUS_OK;
}

enum drift_status drift_config_read_text(struct drift_config_build *build,
                                         const struct drift_config_text *text,
                                         struct drift_error *err)
{
    static const char bom[] = "\xef\xbb\xbf";
    struct reader reader = {
        .build = build, .next = text->data, .end = text->data + text->len, .err = err};
    if (text->len >= 3 && memcmp(text->data, bom, 3) == 0)
        reader.next += 3;
    reader.name = drift_arena_strndup(&build->arena, text->name, strlen(text->name));
    if (!reader.name)
        return drift_config_no_memory(err);
    /* The longest line: Debian's libinih asks this variable, whose default of 200 is less than a
     * path may have. */
    ini_max_line = DRIFT_CONFIG_MAX_VALUE_BYTES + 96;
    int bad_line = ini_parse_stream(read_line, &reader, take_value, &reader);
    /* libinih says where the first line is that it could not split, or that take_value refused. */
    if (bad_line > 0 && (reader.status == DRIFT_STATUS_OK || (unsigned)bad_line < reader.line))
        fail(&reader, DRIFT_STATUS_CORRUPT, (unsigned)bad_line,
             "expected 'key = value', [section] or a comment");
    else if (bad_line < 0)
        reader.status = drift_config_no_memory(err);
    return reader.status;
}

enum drift_status drift_config_read_file(struct drift_config_build *build, const char *path,
                                         struct drift_error *err)
{
    struct drift_buf data;
    drift_buf_init(&data, DRIFT_TAG_CONFIG, DRIFT_CONFIG_MAX_FILE_BYTES);
    enum drift_status status = drift_file_read(path, &data, err);
    if (status == DRIFT_STATUS_OK) {
        struct drift_config_text text = {path, drift_buf_cstr(&data), data.len};
        status = drift_config_read_text(build, &text, err);
    }
    drift_buf_fini(&data);
    return status;
}

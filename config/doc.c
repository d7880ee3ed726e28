/* Texts for people, made from the table: --help, the example file, lists for the man pages, the
 * dump. */
#include "config/value.h"

#include <stdio.h>
#include <string.h>

#define HELP_COLUMN   30u
#define HELP_WIDTH    80u
#define EXAMPLE_WIDTH 80u

/* Append text broken at spaces; each new line begins with indent, and *column says where we are. */
static void wrap(struct drift_buf *out, const char *indent, size_t width, size_t column,
                 const char *text)
{
    size_t n_indent = strlen(indent);
    bool first = true;
    while (*text) {
        size_t n = strcspn(text, " ");
        if (!first && column + 1 + n > width) {
            drift_buf_printf(out, "\n%s", indent);
            column = n_indent;
        } else if (!first) {
            drift_buf_append_char(out, ' ');
            column++;
        }
        drift_buf_append(out, text, n);
        column += n;
        text += n + strspn(text + n, " ");
        first = false;
    }
    drift_buf_append_char(out, '\n');
}

/* The default as a phrase: its text, with what 0 means, or the note. */
static void append_default(const struct drift_config_key *key, struct drift_buf *out)
{
    if (!key->default_text)
        drift_buf_append_str(out, key->default_note);
    else if (key->zero && strcmp(key->default_text, "0") == 0)
        drift_buf_append_str(out, key->zero);
    else
        drift_buf_append_str(out, key->default_text);
}

static void help_flag(struct drift_buf *out, const char *flag, const char *arg, const char *text)
{
    char left[64];
    int n = snprintf(left, sizeof left, "  --%s%s%s", flag, arg ? " " : "", arg ? arg : "");
    drift_buf_append_str(out, left);
    char indent[HELP_COLUMN + 1];
    memset(indent, ' ', HELP_COLUMN);
    indent[HELP_COLUMN] = '\0';
    if ((size_t)n + 2 > HELP_COLUMN)
        drift_buf_printf(out, "\n%s", indent);
    else
        drift_buf_append_str(out, indent + n);
    wrap(out, indent, HELP_WIDTH, HELP_COLUMN, text);
}

static void help_key(struct drift_buf *out, const struct drift_config_key *key)
{
    struct drift_buf text;
    drift_buf_init(&text, DRIFT_TAG_CONFIG, 4096);
    drift_buf_append_str(&text, key->help);
    if (key->section != DRIFT_CONFIG_SECTION_MODEL) {
        drift_buf_append_str(&text, " Default: ");
        append_default(key, &text);
        drift_buf_append_char(&text, '.');
    }
    out->failed |= text.failed;
    help_flag(out, key->flag, key->arg, drift_buf_cstr(&text));
    drift_buf_fini(&text);
}

void drift_config_help(struct drift_buf *out)
{
    drift_buf_append_str(
        out, "Usage: driftd [FLAG]...\n"
             "Serve generative models on this machine over an OpenAI-compatible API.\n\n");
    for (size_t i = 0; i < drift_config_n_commands; i++)
        help_flag(out, drift_config_commands[i].flag, drift_config_commands[i].arg,
                  drift_config_commands[i].help);
    enum drift_config_section section = DRIFT_CONFIG_SECTION_COUNT;
    for (size_t i = 0; i < drift_config_n_keys; i++) {
        const struct drift_config_key *key = &drift_config_keys[i];
        if (!key->flag)
            continue;
        bool model = key->section == DRIFT_CONFIG_SECTION_MODEL;
        if (key->section != section && !model)
            drift_buf_printf(out, "\n%s\n", drift_config_section_heading(key->section));
        section = model ? section : key->section;
        help_key(out, key);
    }
    drift_buf_append_str(
        out, "\nEvery flag is a key of the configuration file too, see driftd.conf(5), and an\n"
             "environment variable: DRIFTD_MAX_QUEUE for --max-queue. Flags win over the\n"
             "environment, and that over the file. What is on or off may be given as\n"
             "--determinism, --no-determinism or --determinism=off.\n");
}

static void example_key(struct drift_buf *out, const struct drift_config_key *key)
{
    struct drift_buf text;
    drift_buf_init(&text, DRIFT_TAG_CONFIG, 4096);
    drift_buf_printf(&text, "%s Allowed: ", key->help);
    drift_config_value_ops(key->type)->allowed(key, &text);
    drift_buf_append_char(&text, '.');
    if (!key->default_text || (key->zero && strcmp(key->default_text, "0") == 0)) {
        drift_buf_append_str(&text, " Default: ");
        append_default(key, &text);
        drift_buf_append_char(&text, '.');
    }
    out->failed |= text.failed;
    drift_buf_append_str(out, "# ");
    wrap(out, "# ", EXAMPLE_WIDTH, 2, drift_buf_cstr(&text));
    drift_buf_printf(out, "#%s = %s\n\n", key->name, key->default_text ? key->default_text : "");
    drift_buf_fini(&text);
}

void drift_config_example(struct drift_buf *out)
{
    drift_buf_append_str(
        out, "# Configuration of driftd; see driftd.conf(5). All keys are commented out and\n"
             "# show the default. Environment variables (DRIFTD_MAX_QUEUE for max-queue) and\n"
             "# flags win over this file. To check it: driftd --check-config --config FILE\n"
             "# SIGHUP (systemctl reload driftd) reads it again.\n");
    enum drift_config_section section = DRIFT_CONFIG_SECTION_COUNT;
    for (size_t i = 0; i < drift_config_n_keys; i++) {
        const struct drift_config_key *key = &drift_config_keys[i];
        bool model = key->section == DRIFT_CONFIG_SECTION_MODEL;
        if (key->section != section) {
            drift_buf_printf(out, "\n# %s.\n", drift_config_section_heading(key->section));
            drift_buf_printf(out, "%s[%s%s]\n\n", model ? "#" : "",
                             drift_config_section_name(key->section), model ? " NAME" : "");
            section = key->section;
        }
        example_key(out, key);
    }
    drift_buf_truncate(out, out->len ? out->len - 1 : 0); /* the empty line after the last key */
}

/* mdoc wants a backslash doubled, a hyphen that stays one, and no dot or quote at a line's start.
 */
static void mdoc_bytes(struct drift_buf *out, const char *text, size_t n)
{
    if (n && (*text == '.' || *text == '\''))
        drift_buf_append_str(out, "\\&");
    for (size_t i = 0; i < n; i++) {
        if (text[i] == '\\')
            drift_buf_append_str(out, "\\e");
        else if (text[i] == '-')
            drift_buf_append_str(out, "\\-");
        else if (text[i] == '~')
            drift_buf_append_str(out, "\\(ti");
        else
            drift_buf_append_char(out, text[i]);
    }
}

static void mdoc(struct drift_buf *out, const char *text)
{
    mdoc_bytes(out, text, strlen(text));
}

/* Each sentence on a line of its own, as mdoc has it. */
static void mdoc_sentences(struct drift_buf *out, const char *text)
{
    while (*text) {
        const char *end = strstr(text, ". ");
        size_t n = end ? (size_t)(end - text) + 1 : strlen(text);
        mdoc_bytes(out, text, n);
        drift_buf_append_char(out, '\n');
        text += n + strspn(text + n, " ");
    }
}

static void man_key(struct drift_buf *out, const struct drift_config_key *key)
{
    struct drift_buf text;
    drift_buf_init(&text, DRIFT_TAG_CONFIG, 4096);
    drift_buf_append_str(out, ".It Cm ");
    mdoc(out, key->name);
    drift_buf_append_str(out, " =\n");
    mdoc_sentences(out, key->help);
    drift_buf_append_str(&text, "Allowed: ");
    drift_config_value_ops(key->type)->allowed(key, &text);
    drift_buf_append_str(&text, ". Default: ");
    append_default(key, &text);
    drift_buf_printf(&text, ". %s",
                     key->reloadable ? "A reload applies it." : "A change needs a restart.");
    mdoc_sentences(out, drift_buf_cstr(&text));
    if (key->flag) {
        char variable[DRIFT_CONFIG_ENV_NAME_SIZE];
        drift_config_env_name(key->flag, variable);
        drift_buf_append_str(out, "Flag:\n.Fl \\-");
        mdoc(out, key->flag);
        if (key->arg)
            drift_buf_printf(out, " Ar %s", key->arg);
        drift_buf_printf(out, " ;\nenvironment:\n.Ev %s .\n", variable);
    }
    out->failed |= text.failed;
    drift_buf_fini(&text);
}

void drift_config_man_keys(struct drift_buf *out)
{
    enum drift_config_section section = DRIFT_CONFIG_SECTION_COUNT;
    for (size_t i = 0; i < drift_config_n_keys; i++) {
        const struct drift_config_key *key = &drift_config_keys[i];
        if (key->section != section) {
            if (i > 0)
                drift_buf_append_str(out, ".El\n");
            drift_buf_printf(out, ".Ss [%s%s]\n%s.\n.Bl -tag -width Ds\n",
                             drift_config_section_name(key->section),
                             key->section == DRIFT_CONFIG_SECTION_MODEL ? " NAME" : "",
                             drift_config_section_heading(key->section));
            section = key->section;
        }
        man_key(out, key);
    }
    drift_buf_append_str(out, ".El\n");
}

static void man_flag(struct drift_buf *out, const char *flag, const char *arg, const char *help)
{
    drift_buf_append_str(out, ".It Fl \\-");
    mdoc(out, flag);
    if (arg) {
        drift_buf_append_str(out, " Ar ");
        mdoc(out, arg);
    }
    drift_buf_append_char(out, '\n');
    mdoc_sentences(out, help);
}

void drift_config_man_flags(struct drift_buf *out)
{
    drift_buf_append_str(out, ".Bl -tag -width Ds\n");
    for (size_t i = 0; i < drift_config_n_commands; i++)
        man_flag(out, drift_config_commands[i].flag, drift_config_commands[i].arg,
                 drift_config_commands[i].help);
    for (size_t i = 0; i < drift_config_n_keys; i++) {
        const struct drift_config_key *key = &drift_config_keys[i];
        if (key->flag)
            man_flag(out, key->flag, key->arg, key->help);
    }
    drift_buf_append_str(out, ".El\n");
}

/* Where a value comes from, as a comment. */
static void dump_origin(struct drift_buf *out, const struct drift_config_origin *origin)
{
    switch (origin->source) {
    case DRIFT_CONFIG_SOURCE_FILE:
        drift_buf_printf(out, " ; %s:%u\n", origin->name, origin->line);
        break;
    case DRIFT_CONFIG_SOURCE_ENVIRONMENT:
    case DRIFT_CONFIG_SOURCE_FLAG:
        drift_buf_printf(out, " ; %s\n", origin->name);
        break;
    default:
        drift_buf_append_char(out, '\n');
    }
}

static void dump_key(struct drift_config_build *build, const struct drift_config_key *key,
                     const struct drift_config_model *model, struct drift_buf *out)
{
    const struct drift_config_value_ops *ops = drift_config_value_ops(key->type);
    const void *base = model ? (const void *)model : (const void *)&build->config;
    size_t n = ops->count ? ops->count(&build->config) : 1;
    for (size_t i = 0; i < n; i++) {
        drift_buf_printf(out, "%s = ", key->name);
        ops->format(key, base, i, out);
        dump_origin(out, drift_config_origin_of(build, key, model));
    }
}

static void dump_section(struct drift_config_build *build, enum drift_config_section section,
                         const struct drift_config_model *model, struct drift_buf *out)
{
    drift_buf_printf(out, "%s[%s%s%s]\n", section ? "\n" : "", drift_config_section_name(section),
                     model ? " " : "", model ? model->name : "");
    for (size_t i = 0; i < drift_config_n_keys; i++) {
        if (drift_config_keys[i].section == section)
            dump_key(build, &drift_config_keys[i], model, out);
    }
}

void drift_config_dump(const struct drift_config *config, struct drift_buf *out)
{
    struct drift_config_build *build = (struct drift_config_build *)(uintptr_t)config;
    for (unsigned i = 0; i < DRIFT_CONFIG_SECTION_COUNT; i++) {
        enum drift_config_section section = (enum drift_config_section)i;
        if (section != DRIFT_CONFIG_SECTION_MODEL)
            dump_section(build, section, NULL, out);
        for (size_t j = 0; section == DRIFT_CONFIG_SECTION_MODEL && j < config->models.n_models;
             j++)
            dump_section(build, section, &config->models.models[j], out);
    }
}

/*
 * api/template: any text as a template over any JSON as its context. The input is the template, a
 * line of four dashes, the context; without that line the context is a small conversation.
 */
#include "api/template/template.h"

#include "runtime/base/utf8.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const char separator[] = "\n----\n";
static const char conversation[] =
    "{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":"
    "\"\\u00fc 1\"}],"
    "\"tools\":[{\"name\":\"f\",\"n\":[1,2.5,null,true]}],\"bos_token\":\"<s>\",\"x\":3}";

static const struct drift_json_limits json_limits = {
    .max_bytes = 1u << 16, .max_depth = 60, .max_values = 10000};
static const struct drift_template_limits limits = {.max_steps = 20000,
                                                    .max_output_bytes = 1u << 16,
                                                    .max_memory_bytes = 1u << 22,
                                                    .max_depth = 300,
                                                    .now_unix_s = 1753363725};

static void render(const char *source, size_t len, const struct drift_json *context)
{
    struct drift_template *tmpl = NULL;
    struct drift_error err = {.status = DRIFT_STATUS_OK};
    struct drift_buf out;
    drift_buf_init(&out, DRIFT_TAG_API, 1u << 20);
    enum drift_status st = drift_template_compile(source, len, &tmpl, &err);
    if (!st) {
        (void)drift_template_reads(tmpl, "tools");
        st = drift_template_render(tmpl, context, &limits, &out, &err);
    }
    DRIFT_ASSERT(st == DRIFT_STATUS_OK || st == DRIFT_STATUS_CORRUPT || st == DRIFT_STATUS_LIMIT ||
                 st == DRIFT_STATUS_UNSUPPORTED || st == DRIFT_STATUS_INVALID);
    DRIFT_ASSERT(err.status == st);
    DRIFT_ASSERT(drift_utf8_is_valid(drift_buf_cstr(&out), out.len));
    drift_template_destroy(tmpl);
    drift_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    const char *text = (const char *)data;
    const char *split = len ? memmem(text, len, separator, sizeof separator - 1) : NULL;
    const char *json = conversation;
    size_t n_source = len, n_json = sizeof conversation - 1;
    if (split) {
        n_source = (size_t)(split - text);
        json = split + sizeof separator - 1;
        n_json = len - n_source - (sizeof separator - 1);
    }
    struct drift_json *context = NULL;
    if (drift_json_parse(json, n_json, &json_limits, &context, NULL) == DRIFT_STATUS_OK &&
        drift_json_type(context) == DRIFT_JSON_OBJECT)
        render(text, n_source, context);
    drift_json_destroy(context);
    return 0;
}

/* json.h: whatever is accepted must survive being written and read again, byte for byte. */
#include "runtime/base/json.h"

#include "runtime/base/utf8.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct drift_json_limits limits = {
    .max_bytes = 1u << 20, .max_depth = 60, .max_values = 10000};

static void write_document(struct drift_buf *out, const struct drift_json *doc)
{
    struct drift_json_writer w;
    drift_buf_init(out, DRIFT_TAG_BASE, 16u << 20);
    drift_json_writer_init(&w, out);
    drift_json_write_value(&w, doc);
    DRIFT_ASSERT(!out->failed);
}

static void check_document(const struct drift_json *doc)
{
    struct drift_buf once, twice;
    write_document(&once, doc);
    struct drift_json *again = NULL;
    struct drift_error err;
    struct drift_json_limits wide = limits;
    wide.max_bytes = SIZE_MAX;
    DRIFT_ASSERT(drift_json_parse(once.data, once.len, &wide, &again, &err) == DRIFT_STATUS_OK);
    write_document(&twice, again);
    DRIFT_ASSERT(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
    drift_json_destroy(again);
    drift_buf_fini(&once);
    drift_buf_fini(&twice);
}

/* Any bytes can be written as a string; those that are UTF-8 without U+0000 come back as they were.
 */
static void check_string(const char *s, size_t len)
{
    struct drift_buf out;
    struct drift_json_writer w;
    drift_buf_init(&out, DRIFT_TAG_BASE, 16u << 20);
    drift_json_writer_init(&w, &out);
    drift_json_write_string(&w, s, len);
    DRIFT_ASSERT(!out.failed && drift_utf8_is_valid(out.data, out.len));
    if (!memchr(s, 0, len)) {
        struct drift_json *doc = NULL;
        struct drift_json_limits wide = limits;
        wide.max_bytes = SIZE_MAX;
        DRIFT_ASSERT(drift_json_parse(out.data, out.len, &wide, &doc, NULL) == DRIFT_STATUS_OK);
        const char *back = NULL;
        DRIFT_ASSERT(drift_json_string(doc, &back));
        if (drift_utf8_is_valid(s, len))
            DRIFT_ASSERT(strlen(back) == len && memcmp(back, s, len) == 0);
        drift_json_destroy(doc);
    }
    drift_buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct drift_json *doc = NULL;
    struct drift_error err;
    enum drift_status status = drift_json_parse((const char *)data, len, &limits, &doc, &err);
    DRIFT_ASSERT(status == DRIFT_STATUS_OK || status == DRIFT_STATUS_CORRUPT ||
                 status == DRIFT_STATUS_LIMIT);
    if (doc)
        check_document(doc);
    drift_json_destroy(doc);
    check_string((const char *)data, len);
    return 0;
}

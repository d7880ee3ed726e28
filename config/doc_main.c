/*
 * drift-config-doc: print the texts that follow from the table of keys. Used by the build only.
 *
 *   drift-config-doc help | example
 *   drift-config-doc man TEMPLATE     the template with its lines @KEYS@ and @FLAGS@ filled in
 */
#include "config/config.h"
#include "runtime/base/file.h"

#include <stdio.h>
#include <string.h>

#define MAX_TEXT_BYTES (1u << 20)

static int fill_template(const char *path, struct drift_buf *out)
{
    static const struct {
        const char *line;
        void (*write)(struct drift_buf *out);
    } lists[] = {
        {"@KEYS@\n",  drift_config_man_keys },
        {"@FLAGS@\n", drift_config_man_flags}
    };
    struct drift_buf text;
    struct drift_error err;
    drift_buf_init(&text, DRIFT_TAG_CONFIG, MAX_TEXT_BYTES);
    if (drift_file_read(path, &text, &err) != DRIFT_STATUS_OK) {
        fprintf(stderr, "drift-config-doc: %s\n", err.msg);
        drift_buf_fini(&text);
        return 1;
    }
    for (const char *line = drift_buf_cstr(&text); *line;) {
        size_t n = strcspn(line, "\n");
        n += line[n] == '\n';
        bool filled = false;
        for (size_t i = 0; i < DRIFT_COUNT_OF(lists); i++) {
            if (strlen(lists[i].line) == n && memcmp(lists[i].line, line, n) == 0) {
                lists[i].write(out);
                filled = true;
            }
        }
        if (!filled)
            drift_buf_append(out, line, n);
        line += n;
    }
    drift_buf_fini(&text);
    return 0;
}

int main(int argc, char **argv)
{
    struct drift_buf out;
    drift_buf_init(&out, DRIFT_TAG_CONFIG, MAX_TEXT_BYTES);
    int rc = 0;
    if (argc == 2 && strcmp(argv[1], "help") == 0) {
        drift_config_help(&out);
    } else if (argc == 2 && strcmp(argv[1], "example") == 0) {
        drift_config_example(&out);
    } else if (argc == 3 && strcmp(argv[1], "man") == 0) {
        rc = fill_template(argv[2], &out);
    } else {
        fprintf(stderr, "usage: drift-config-doc help | example | man TEMPLATE\n");
        rc = DRIFT_CONFIG_EXIT_USAGE;
    }
    if (rc == 0 &&
        (out.failed || fwrite(out.data, 1, out.len, stdout) != out.len || fflush(stdout)))
        rc = 1;
    drift_buf_fini(&out);
    return rc;
}

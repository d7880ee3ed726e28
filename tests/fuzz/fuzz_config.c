/* Any bytes as a configuration file: refused with a message or loaded, and then dumped and read
 * again the same. */
#include "config/build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct drift_config *load(const char *data, size_t size)
{
    static char home[] = "HOME=/h";
    char *envp[] = {home, NULL};
    struct drift_config_input input = {.argc = 0, .envp = envp};
    struct drift_config_text text = {"fuzz.conf", data, size};
    struct drift_config *config = NULL;
    struct drift_error err = {0};
    enum drift_status status = drift_config_load_text(&input, &text, &config, &err);
    DRIFT_ASSERT((status == DRIFT_STATUS_OK) == (config != NULL));
    DRIFT_ASSERT(config || (err.status == status && err.msg[0]));
    return config;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct drift_config *config = load((const char *)data, size);
    if (!config)
        return 0;
    struct drift_buf dump;
    drift_buf_init(&dump, DRIFT_TAG_BASE, 1u << 24);
    drift_config_dump(config, &dump);
    struct drift_config *again = load(drift_buf_cstr(&dump), dump.len);
    DRIFT_ASSERT(!dump.failed && again);
    DRIFT_ASSERT(drift_config_diff(config, again, NULL, 0) == 0);
    drift_config_destroy(again);
    drift_config_destroy(config);
    drift_buf_fini(&dump);
    return 0;
}

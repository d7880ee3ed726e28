/* struct drift_tokens; see tokenizer.h. */
#include "runtime/base/alloc.h"
#include "runtime/tokenizer/tokenizer.h"

void drift_tokens_init(struct drift_tokens *tokens, size_t max_count)
{
    *tokens = (struct drift_tokens){.max_count = max_count};
}

void drift_tokens_fini(struct drift_tokens *tokens)
{
    drift_free(tokens->ids);
    drift_tokens_init(tokens, tokens->max_count);
}

enum drift_status drift_tokens_push(struct drift_tokens *tokens, int32_t id,
                                    struct drift_error *err)
{
    if (tokens->count == tokens->max_count)
        return drift_error_set(err, DRIFT_STATUS_LIMIT, 0, "the text has more than %zu tokens",
                               tokens->max_count);
    if (tokens->count == tokens->capacity) {
        size_t capacity = tokens->capacity ? tokens->capacity * 2 : 64;
        if (capacity > tokens->max_count)
            capacity = tokens->max_count;
        int32_t *ids = drift_realloc(DRIFT_TAG_TOKENIZER, tokens->ids, capacity, sizeof(*ids));
        if (!ids)
            return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "out of memory for tokens");
        tokens->ids = ids;
        tokens->capacity = capacity;
    }
    tokens->ids[tokens->count++] = id;
    return DRIFT_STATUS_OK;
}

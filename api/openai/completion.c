/* POST /v1/completions: its table of fields and its prompts. */
#include "api/openai/fields.h"

#include <stddef.h>
#include <string.h>

static bool parse_tokens(struct drift_api_request *request, const struct drift_json *list,
                         const struct drift_api_path *path, struct drift_api_prompt *prompt,
                         struct drift_api_error *error)
{
    uint32_t n = drift_json_size(list), i = 0;
    if (n == 0)
        return drift_api_refuse(error, DRIFT_API_FAILURE_INVALID_VALUE, path->text,
                                "Invalid value for '%s': it must not be empty.", path->text);
    int32_t *tokens = drift_arena_alloc(&request->arena, n, sizeof *tokens);
    if (!tokens)
        return drift_api_refuse_memory(error);
    for (const struct drift_json *item = drift_json_first(list); item;
         item = drift_json_next(item), i++) {
        int64_t id;
        if (!drift_json_int64(item, &id) || id < 0 || id > INT32_MAX) {
            struct drift_api_path place = drift_api_path_item(path, i);
            return drift_api_refuse(error, DRIFT_API_FAILURE_INVALID_VALUE, place.text,
                                    "Invalid value for '%s': it must be a token id.", place.text);
        }
        tokens[i] = (int32_t)id;
    }
    prompt->tokens = tokens;
    prompt->n_tokens = n;
    return true;
}

static bool parse_prompt_item(struct drift_api_request *request, const struct drift_json *value,
                              const struct drift_api_path *path, struct drift_api_prompt *prompt,
                              struct drift_api_error *error)
{
    if (drift_json_string(value, &prompt->text)) {
        prompt->n_text = strlen(prompt->text);
        return true;
    }
    if (drift_json_type(value) == DRIFT_JSON_ARRAY)
        return parse_tokens(request, value, path, prompt, error);
    return drift_api_refuse_type(error, path->text, "a string or an array of token ids", value);
}

bool drift_api_parse_prompt(struct drift_api_request *request, const struct drift_json *value,
                            const struct drift_api_path *path, struct drift_api_error *error)
{
    enum drift_json_type type = drift_json_type(value);
    if (type != DRIFT_JSON_STRING && type != DRIFT_JSON_ARRAY)
        return drift_api_refuse_type(error, path->text, "a string or an array", value);
    const struct drift_json *first = drift_json_first(value);
    bool is_single = type == DRIFT_JSON_STRING ||
                     (first && drift_json_type(first) == DRIFT_JSON_NUMBER);
    uint32_t n = is_single ? 1 : drift_json_size(value), i = 0;
    if (n == 0 || n > DRIFT_API_MAX_PROMPTS)
        return drift_api_refuse(error, DRIFT_API_FAILURE_INVALID_VALUE, path->text,
                                "Invalid value for 'prompt': it must have 1 to %u items, not %u.",
                                DRIFT_API_MAX_PROMPTS, n);
    struct drift_api_prompt *prompts = drift_arena_alloc(&request->arena, n, sizeof *prompts);
    if (!prompts)
        return drift_api_refuse_memory(error);
    request->prompts = prompts;
    request->n_prompts = n;
    if (is_single)
        return parse_prompt_item(request, value, path, &prompts[0], error);
    for (const struct drift_json *item = first; item; item = drift_json_next(item), i++) {
        struct drift_api_path place = drift_api_path_item(path, i);
        if (!parse_prompt_item(request, item, &place, &prompts[i], error))
            return false;
    }
    return true;
}

static const struct drift_api_field fields[] = {
    DRIFT_API_COMMON_FIELDS,
    {.name = "prompt",
     .kind = DRIFT_API_FIELD_CUSTOM,
     .required = true,
     .target = DRIFT_API_NO_TARGET,
     .has_target = DRIFT_API_NO_TARGET,
     .parse = drift_api_parse_prompt,
     .help = "Text, list of texts, token ids, or list of lists of token ids."},
    DRIFT_API_UINT("max_tokens", raw.max_tokens, 1, INT32_MAX,
                   "At most so many tokens per answer; 16 when absent."),
    DRIFT_API_OPTIONAL_UINT("logprobs", raw.old_logprobs, raw.has_old_logprobs, 0,
                            DRIFT_API_MAX_OLD_LOGPROBS,
                            "Report log-probabilities with so many alternatives per token."),
    DRIFT_API_OPTIONAL_UINT("best_of", raw.best_of, raw.has_best_of, 1, DRIFT_MAX_CHOICES,
                            "Only 1, or the same as n."),
    DRIFT_API_BOOL("echo", echo, "Put the prompt before the answer."),
    DRIFT_API_REFUSED("suffix", "Inserting before a suffix is not supported yet."),
};

const struct drift_api_field *drift_api_completion_fields(size_t *ret_n)
{
    *ret_n = DRIFT_COUNT_OF(fields);
    return fields;
}

/* POST /v1/chat/completions: its table of fields, its messages, and what templates see of them. */
#include "api/openai/fields.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *name;
    enum drift_api_role role;
} roles[] = {
    {"system", DRIFT_API_ROLE_SYSTEM},       {"developer", DRIFT_API_ROLE_SYSTEM},
    {"user", DRIFT_API_ROLE_USER},           {"assistant", DRIFT_API_ROLE_ASSISTANT},
    {"tool", DRIFT_API_ROLE_TOOL},
};

const char *drift_api_role_name(enum drift_api_role role)
{
    for (size_t i = 0; i < DRIFT_COUNT_OF(roles); i++)
        if (roles[i].role == role)
            return roles[i].name;
    return "?";
}

/* ---- messages ---- */

static const struct drift_json *member(const struct drift_json *object, const char *name)
{
    const struct drift_json *value = drift_json_get(object, name);
    return value && drift_json_type(value) != DRIFT_JSON_NULL ? value : NULL;
}

static bool parse_role(const struct drift_json *object, const struct drift_api_path *path,
                       enum drift_api_role *ret, struct drift_api_error *error)
{
    struct drift_api_path place = drift_api_path_member(path, "role");
    const struct drift_json *value = member(object, "role");
    const char *name;
    if (!value)
        return drift_api_refuse(error, DRIFT_API_FAILURE_MISSING, place.text,
                                "Missing required parameter: '%s'.", place.text);
    if (!drift_json_string(value, &name))
        return drift_api_refuse_type(error, place.text, "a string", value);
    for (size_t i = 0; i < DRIFT_COUNT_OF(roles); i++) {
        if (strcmp(roles[i].name, name) == 0) {
            *ret = roles[i].role;
            return true;
        }
    }
    return drift_api_refuse(error, DRIFT_API_FAILURE_INVALID_VALUE, place.text,
                            "Invalid value for '%s': '%.32s'. Supported values are 'system', "
                            "'developer', 'user', 'assistant' and 'tool'.",
                            place.text, name);
}

/* The text of one content part, NULL after a refusal. */
static const char *part_text(const struct drift_json *part, const struct drift_api_path *path,
                             struct drift_api_error *error)
{
    const char *type = NULL, *text = NULL;
    if (drift_json_type(part) != DRIFT_JSON_OBJECT) {
        drift_api_refuse_type(error, path->text, "an object", part);
        return NULL;
    }
    struct drift_api_path place = drift_api_path_member(path, "type");
    if (!drift_json_string(drift_json_get(part, "type"), &type)) {
        drift_api_refuse(error, DRIFT_API_FAILURE_INVALID_TYPE, place.text,
                         "Invalid type for '%s': it must be a string.", place.text);
        return NULL;
    }
    bool is_refusal = strcmp(type, "refusal") == 0;
    if (strcmp(type, "text") != 0 && !is_refusal) {
        drift_api_refuse(error, DRIFT_API_FAILURE_UNSUPPORTED, place.text,
                         "Content of type '%.32s' is not supported yet: only 'text' is.", type);
        return NULL;
    }
    place = drift_api_path_member(path, is_refusal ? "refusal" : "text");
    if (!drift_json_string(drift_json_get(part, is_refusal ? "refusal" : "text"), &text))
        drift_api_refuse(error, DRIFT_API_FAILURE_INVALID_TYPE, place.text,
                         "Invalid type for '%s': it must be a string.", place.text);
    return text;
}

static bool join_parts(struct drift_api_request *request, const struct drift_json *parts,
                       const struct drift_api_path *path, struct drift_api_message *message,
                       struct drift_api_error *error)
{
    const char **texts = drift_arena_alloc(&request->arena, drift_json_size(parts), sizeof *texts);
    if (!texts)
        return drift_api_refuse_memory(error);
    size_t len = 0;
    uint32_t n = 0;
    for (const struct drift_json *part = drift_json_first(parts); part;
         part = drift_json_next(part), n++) {
        struct drift_api_path place = drift_api_path_item(path, n);
        texts[n] = part_text(part, &place, error);
        if (!texts[n])
            return false;
        len += strlen(texts[n]);
    }
    char *joined = drift_arena_alloc(&request->arena, len + 1, 1);
    if (!joined)
        return drift_api_refuse_memory(error);
    size_t used = 0;
    for (uint32_t i = 0; i < n; i++) {
        size_t n_text = strlen(texts[i]);
        memcpy(joined + used, texts[i], n_text);
        used += n_text;
    }
    message->content = joined;
    message->n_content = used;
    return true;
}

static bool parse_content(struct drift_api_request *request, const struct drift_json *object,
                          const struct drift_api_path *path, struct drift_api_message *message,
                          struct drift_api_error *error)
{
    struct drift_api_path place = drift_api_path_member(path, "content");
    const struct drift_json *value = member(object, "content");
    if (!value) {
        if (message->role == DRIFT_API_ROLE_ASSISTANT)
            return true;
        return drift_api_refuse(error, DRIFT_API_FAILURE_MISSING, place.text,
                                "Missing required parameter: '%s'.", place.text);
    }
    if (drift_json_string(value, &message->content)) {
        message->n_content = strlen(message->content);
        return true;
    }
    if (drift_json_type(value) == DRIFT_JSON_ARRAY)
        return join_parts(request, value, &place, message, error);
    return drift_api_refuse_type(error, place.text, "a string or an array of parts", value);
}

static bool optional_string(const struct drift_json *object, const struct drift_api_path *path,
                            const char *name, const char **ret, struct drift_api_error *error)
{
    const struct drift_json *value = member(object, name);
    struct drift_api_path place = drift_api_path_member(path, name);
    return !value || drift_json_string(value, ret) ||
           drift_api_refuse_type(error, place.text, "a string", value);
}

static bool parse_message(struct drift_api_request *request, const struct drift_json *object,
                          const struct drift_api_path *path, struct drift_api_message *message,
                          struct drift_api_error *error)
{
    if (drift_json_type(object) != DRIFT_JSON_OBJECT)
        return drift_api_refuse_type(error, path->text, "an object", object);
    if (!parse_role(object, path, &message->role, error) ||
        !parse_content(request, object, path, message, error) ||
        !optional_string(object, path, "name", &message->name, error) ||
        !optional_string(object, path, "tool_call_id", &message->tool_call_id, error) ||
        !optional_string(object, path, "reasoning_content", &message->reasoning, error))
        return false;
    message->tool_calls = member(object, "tool_calls");
    if (message->tool_calls && drift_json_type(message->tool_calls) != DRIFT_JSON_ARRAY) {
        struct drift_api_path place = drift_api_path_member(path, "tool_calls");
        return drift_api_refuse_type(error, place.text, "an array", message->tool_calls);
    }
    return true;
}

bool drift_api_parse_messages(struct drift_api_request *request, const struct drift_json *value,
                              const struct drift_api_path *path, struct drift_api_error *error)
{
    if (drift_json_type(value) != DRIFT_JSON_ARRAY)
        return drift_api_refuse_type(error, path->text, "an array", value);
    uint32_t n = drift_json_size(value), i = 0;
    if (n == 0 || n > DRIFT_API_MAX_MESSAGES)
        return drift_api_refuse(error, DRIFT_API_FAILURE_INVALID_VALUE, path->text,
                                "Invalid value for 'messages': it must have 1 to %u items, not "
                                "%u.",
                                DRIFT_API_MAX_MESSAGES, n);
    struct drift_api_message *messages = drift_arena_alloc(&request->arena, n, sizeof *messages);
    if (!messages)
        return drift_api_refuse_memory(error);
    for (const struct drift_json *item = drift_json_first(value); item;
         item = drift_json_next(item), i++) {
        struct drift_api_path place = drift_api_path_item(path, i);
        if (!parse_message(request, item, &place, &messages[i], error))
            return false;
    }
    request->messages = messages;
    request->n_messages = n;
    return true;
}

/* ---- fields of which only the plain value is supported ---- */

static bool only_word(const struct drift_json *value, const struct drift_api_path *path,
                      const char *const *words, const char *what, struct drift_api_error *error)
{
    const char *text;
    if (drift_json_string(value, &text))
        for (; *words; words++)
            if (strcmp(text, *words) == 0)
                return true;
    return drift_api_refuse(error, DRIFT_API_FAILURE_UNSUPPORTED, path->text,
                            "Unsupported value for '%s': %s", path->text, what);
}

static bool parse_tool_choice(struct drift_api_request *request, const struct drift_json *value,
                              const struct drift_api_path *path, struct drift_api_error *error)
{
    (void)request;
    static const char *const words[] = {"none", "auto", NULL};
    return only_word(value, path, words, "tools are not supported yet, only 'none' and 'auto' are.",
                     error);
}

static bool parse_response_format(struct drift_api_request *request, const struct drift_json *value,
                                  const struct drift_api_path *path, struct drift_api_error *error)
{
    (void)request;
    static const char *const words[] = {"text", NULL};
    if (drift_json_type(value) != DRIFT_JSON_OBJECT)
        return drift_api_refuse_type(error, path->text, "an object", value);
    const struct drift_json *type = drift_json_get(value, "type");
    if (type)
        return only_word(type, path, words,
                         "'json_object' and 'json_schema' are not supported yet, only 'text' is.",
                         error);
    return drift_api_refuse(error, DRIFT_API_FAILURE_MISSING, "response_format.type",
                            "Missing required parameter: 'response_format.type'.");
}

static bool parse_modalities(struct drift_api_request *request, const struct drift_json *value,
                             const struct drift_api_path *path, struct drift_api_error *error)
{
    (void)request;
    static const char *const words[] = {"text", NULL};
    if (drift_json_type(value) != DRIFT_JSON_ARRAY)
        return drift_api_refuse_type(error, path->text, "an array", value);
    for (const struct drift_json *item = drift_json_first(value); item; item = drift_json_next(item))
        if (!only_word(item, path, words, "only 'text' is supported.", error))
            return false;
    return true;
}

static bool parse_template_kwargs(struct drift_api_request *request, const struct drift_json *value,
                                  const struct drift_api_path *path, struct drift_api_error *error)
{
    if (drift_json_type(value) != DRIFT_JSON_OBJECT)
        return drift_api_refuse_type(error, path->text, "an object", value);
    request->template_kwargs = value;
    return true;
}

static bool parse_enable_thinking(struct drift_api_request *request, const struct drift_json *value,
                                  const struct drift_api_path *path, struct drift_api_error *error)
{
    if (!drift_json_bool(value, &request->enable_thinking))
        return drift_api_refuse_type(error, path->text, "a boolean", value);
    request->has_enable_thinking = true;
    return true;
}

static bool parse_store(struct drift_api_request *request, const struct drift_json *value,
                        const struct drift_api_path *path, struct drift_api_error *error)
{
    (void)request;
    bool store;
    if (!drift_json_bool(value, &store))
        return drift_api_refuse_type(error, path->text, "a boolean", value);
    return !store || drift_api_refuse(error, DRIFT_API_FAILURE_UNSUPPORTED, path->text,
                                      "Unsupported value for 'store': nothing is stored here.");
}

static const struct drift_api_field fields[] = {
    DRIFT_API_COMMON_FIELDS,
    {.name = "messages",
     .kind = DRIFT_API_FIELD_CUSTOM,
     .required = true,
     .target = DRIFT_API_NO_TARGET,
     .has_target = DRIFT_API_NO_TARGET,
     .parse = drift_api_parse_messages,
     .help = "The conversation so far."},
    DRIFT_API_UINT("max_completion_tokens", raw.max_completion_tokens, 1, INT32_MAX,
                   "At most so many tokens per answer."),
    DRIFT_API_UINT("max_tokens", raw.max_tokens, 1, INT32_MAX,
                   "Older name of max_completion_tokens, which wins."),
    DRIFT_API_BOOL("logprobs", raw.logprobs, "Report log-probabilities."),
    DRIFT_API_OPTIONAL_UINT("top_logprobs", raw.top_logprobs, raw.has_top_logprobs, 0,
                            DRIFT_API_MAX_TOP_LOGPROBS, "So many alternatives per token."),
    DRIFT_API_CUSTOM("chat_template_kwargs", parse_template_kwargs,
                     "Object of further variables for the chat template."),
    DRIFT_API_CUSTOM("enable_thinking", parse_enable_thinking, "For templates that know it."),
    {.name = "reasoning_effort",
     .kind = DRIFT_API_FIELD_STRING,
     .max = 32,
     .target = DRIFT_API_AT(reasoning_effort),
     .has_target = DRIFT_API_NO_TARGET,
     .help = "For templates that know it."},
    DRIFT_API_CUSTOM("response_format", parse_response_format, "Only {\"type\":\"text\"}."),
    DRIFT_API_CUSTOM("tool_choice", parse_tool_choice, "Only none and auto."),
    DRIFT_API_CUSTOM("function_call", parse_tool_choice, "Only none and auto."),
    DRIFT_API_REFUSED("tools", "Tools are not supported yet."),
    DRIFT_API_REFUSED("functions", "Functions are not supported yet."),
    DRIFT_API_CUSTOM("modalities", parse_modalities, "Only text."),
    DRIFT_API_REFUSED("audio", "Audio is not supported yet."),
    DRIFT_API_REFUSED("prediction", "Predicted outputs are not supported yet."),
    DRIFT_API_REFUSED("web_search_options", "There is no web search here."),
    DRIFT_API_CUSTOM("store", parse_store, "Only false."),
    DRIFT_API_IGNORED("parallel_tool_calls"),
    DRIFT_API_IGNORED("verbosity"),
    DRIFT_API_IGNORED("moderation"),
};

const struct drift_api_field *drift_api_chat_fields(size_t *ret_n)
{
    *ret_n = DRIFT_COUNT_OF(fields);
    return fields;
}

/* ---- the template's view ---- */

static void write_message(struct drift_json_writer *w, const struct drift_api_message *message)
{
    drift_json_begin_object(w);
    drift_json_member_string(w, "role", drift_api_role_name(message->role));
    drift_json_write_key(w, "content");
    /* Templates concatenate it: "none" is an empty text to them. */
    drift_json_write_string(w, message->content ? message->content : "", message->n_content);
    if (message->name)
        drift_json_member_string(w, "name", message->name);
    if (message->tool_call_id)
        drift_json_member_string(w, "tool_call_id", message->tool_call_id);
    if (message->reasoning)
        drift_json_member_string(w, "reasoning_content", message->reasoning);
    if (message->tool_calls) {
        drift_json_write_key(w, "tool_calls");
        drift_json_write_value(w, message->tool_calls);
    }
    drift_json_end_object(w);
}

static bool is_own_variable(const struct drift_api_request *request, const char *key)
{
    static const char *const own[] = {"messages", "add_generation_prompt", "bos_token",
                                      "eos_token"};
    for (size_t i = 0; i < DRIFT_COUNT_OF(own); i++)
        if (strcmp(own[i], key) == 0)
            return true;
    return (request->reasoning_effort && strcmp(key, "reasoning_effort") == 0) ||
           (request->has_enable_thinking && strcmp(key, "enable_thinking") == 0);
}

void drift_api_write_template_context(struct drift_buf *out, const struct drift_api_request *request,
                                      const char *bos_text, const char *eos_text)
{
    struct drift_json_writer w;
    drift_json_writer_init(&w, out);
    drift_json_begin_object(&w);
    drift_json_write_key(&w, "messages");
    drift_json_begin_array(&w);
    for (uint32_t i = 0; i < request->n_messages; i++)
        write_message(&w, &request->messages[i]);
    drift_json_end_array(&w);
    drift_json_member_bool(&w, "add_generation_prompt", true);
    drift_json_member_string(&w, "bos_token", bos_text);
    drift_json_member_string(&w, "eos_token", eos_text);
    if (request->reasoning_effort)
        drift_json_member_string(&w, "reasoning_effort", request->reasoning_effort);
    if (request->has_enable_thinking)
        drift_json_member_bool(&w, "enable_thinking", request->enable_thinking);
    for (const struct drift_json *item = drift_json_first(request->template_kwargs); item;
         item = drift_json_next(item)) {
        if (is_own_variable(request, drift_json_key(item)))
            continue;
        drift_json_write_key(&w, drift_json_key(item));
        drift_json_write_value(&w, item);
    }
    drift_json_end_object(&w);
}

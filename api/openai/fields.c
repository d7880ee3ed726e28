/* The walker over the tables of request fields, and the parse functions that both endpoints share. */
#include "api/openai/fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct drift_api_path drift_api_path_member(const struct drift_api_path *parent, const char *name)
{
    struct drift_api_path path;
    snprintf(path.text, sizeof path.text, "%.60s%s%.30s", parent ? parent->text : "",
             parent ? "." : "", name);
    return path;
}

struct drift_api_path drift_api_path_item(const struct drift_api_path *parent, uint32_t index)
{
    struct drift_api_path path;
    snprintf(path.text, sizeof path.text, "%.80s[%u]", parent->text, index);
    return path;
}

bool drift_api_refuse_type(struct drift_api_error *error, const char *param, const char *wanted,
                           const struct drift_json *value)
{
    return drift_api_refuse(error, DRIFT_API_FAILURE_INVALID_TYPE, param,
                            "Invalid type for '%s': it must be %s, not %s.", param, wanted,
                            drift_json_type_name(drift_json_type(value)));
}

bool drift_api_refuse_memory(struct drift_api_error *error)
{
    return drift_api_refuse(error, DRIFT_API_FAILURE_OUT_OF_MEMORY, NULL,
                            "There is not enough memory for this request.");
}

static bool refuse_range(struct drift_api_error *error, const struct drift_api_field *field)
{
    return drift_api_refuse(error, DRIFT_API_FAILURE_INVALID_VALUE, field->name,
                            "Invalid value for '%s': it must be %s %.12g and at most %.12g.",
                            field->name, field->above_min ? "above" : "at least", field->min,
                            field->max);
}

static bool is_empty(const struct drift_json *value)
{
    bool yes;
    const char *text;
    switch (drift_json_type(value)) {
    case DRIFT_JSON_BOOL:
        return drift_json_bool(value, &yes) && !yes;
    case DRIFT_JSON_STRING:
        return drift_json_string(value, &text) && !text[0];
    case DRIFT_JSON_ARRAY:
    case DRIFT_JSON_OBJECT:
        return drift_json_size(value) == 0;
    default:
        return false;
    }
}

static bool parse_number(const struct drift_api_field *field, void *target,
                         const struct drift_json *value, struct drift_api_error *error)
{
    double number;
    if (!drift_json_double(value, &number))
        return drift_api_refuse_type(error, field->name, "a number", value);
    number = (float)number; /* a value that vanishes in a float is out of an open range too */
    if (!(number <= field->max && (field->above_min ? number > field->min : number >= field->min)))
        return refuse_range(error, field);
    *(float *)target = (float)number;
    return true;
}

static bool parse_integer(const struct drift_api_field *field, void *target,
                          const struct drift_json *value, struct drift_api_error *error)
{
    double number;
    int64_t integer;
    if (!drift_json_double(value, &number))
        return drift_api_refuse_type(error, field->name, "an integer", value);
    if (!(number >= field->min && number <= field->max))
        return refuse_range(error, field);
    if (!drift_json_int64(value, &integer))
        return drift_api_refuse(error, DRIFT_API_FAILURE_INVALID_TYPE, field->name,
                                "Invalid type for '%s': it must be an integer.", field->name);
    if (field->kind == DRIFT_API_FIELD_UINT)
        *(uint32_t *)target = (uint32_t)integer;
    else
        *(int32_t *)target = (int32_t)integer;
    return true;
}

static bool parse_string(const struct drift_api_field *field, void *target,
                         const struct drift_json *value, struct drift_api_error *error)
{
    const char *text;
    if (!drift_json_string(value, &text))
        return drift_api_refuse_type(error, field->name, "a string", value);
    if ((double)strlen(text) > field->max)
        return drift_api_refuse(error, DRIFT_API_FAILURE_INVALID_VALUE, field->name,
                                "Invalid value for '%s': it is longer than %.0f bytes.",
                                field->name, field->max);
    *(const char **)target = text;
    return true;
}

static bool parse_field(const struct drift_api_field *field, struct drift_api_request *request,
                        const struct drift_json *value, struct drift_api_error *error)
{
    char *base = (char *)request;
    void *target = field->target == DRIFT_API_NO_TARGET ? NULL : base + field->target;
    struct drift_api_path path = drift_api_path_member(NULL, field->name);
    switch (field->kind) {
    case DRIFT_API_FIELD_BOOL:
        return drift_json_bool(value, target) ||
               drift_api_refuse_type(error, field->name, "a boolean", value);
    case DRIFT_API_FIELD_UINT:
    case DRIFT_API_FIELD_INT:
        return parse_integer(field, target, value, error);
    case DRIFT_API_FIELD_NUMBER:
        return parse_number(field, target, value, error);
    case DRIFT_API_FIELD_STRING:
        return parse_string(field, target, value, error);
    case DRIFT_API_FIELD_CUSTOM:
        return field->parse(request, value, &path, error);
    case DRIFT_API_FIELD_REFUSED:
        return is_empty(value) ||
               drift_api_refuse(error, DRIFT_API_FAILURE_UNSUPPORTED, field->name,
                                "Unsupported parameter: '%s'. %s", field->name, field->help);
    default:
        return true;
    }
}

bool drift_api_fields_parse(const struct drift_api_field *fields, size_t n_fields,
                            struct drift_api_request *request, const struct drift_json *object,
                            struct drift_api_error *error)
{
    for (size_t i = 0; i < n_fields; i++) {
        const struct drift_json *value = drift_json_get(object, fields[i].name);
        if (!value || drift_json_type(value) == DRIFT_JSON_NULL) {
            if (fields[i].required)
                return drift_api_refuse(error, DRIFT_API_FAILURE_MISSING, fields[i].name,
                                        "Missing required parameter: '%s'.", fields[i].name);
            continue;
        }
        if (!parse_field(&fields[i], request, value, error))
            return false;
        if (fields[i].has_target != DRIFT_API_NO_TARGET)
            *(bool *)((char *)request + fields[i].has_target) = true;
    }
    return true;
}

/* ---- shared fields ---- */

static bool check_stop(const struct drift_json *value, const char *param, const char **ret,
                       struct drift_api_error *error)
{
    if (!drift_json_string(value, ret))
        return drift_api_refuse_type(error, param, "a string", value);
    size_t len = strlen(*ret);
    if (len == 0 || len > DRIFT_MAX_STOP_BYTES)
        return drift_api_refuse(error, DRIFT_API_FAILURE_INVALID_VALUE, param,
                                "Invalid value for '%s': it must have 1 to %d bytes.", param,
                                DRIFT_MAX_STOP_BYTES);
    return true;
}

bool drift_api_parse_stop(struct drift_api_request *request, const struct drift_json *value,
                          const struct drift_api_path *path, struct drift_api_error *error)
{
    bool is_list = drift_json_type(value) == DRIFT_JSON_ARRAY;
    if (!is_list && drift_json_type(value) != DRIFT_JSON_STRING)
        return drift_api_refuse_type(error, path->text, "a string or an array of strings", value);
    uint32_t n = is_list ? drift_json_size(value) : 1;
    if (n > DRIFT_MAX_STOPS)
        return drift_api_refuse(error, DRIFT_API_FAILURE_INVALID_VALUE, path->text,
                                "Invalid value for 'stop': at most %d are allowed.",
                                DRIFT_MAX_STOPS);
    const char **stops = drift_arena_alloc(&request->arena, n, sizeof *stops);
    if (!stops)
        return drift_api_refuse_memory(error);
    if (!is_list) {
        if (!check_stop(value, path->text, &stops[0], error))
            return false;
    } else {
        uint32_t i = 0;
        for (const struct drift_json *item = drift_json_first(value); item;
             item = drift_json_next(item), i++) {
            struct drift_api_path place = drift_api_path_item(path, i);
            if (!check_stop(item, place.text, &stops[i], error))
                return false;
        }
    }
    request->stops = stops;
    request->n_stops = n;
    return true;
}

static bool parse_token_id(const char *key, int32_t *ret)
{
    size_t len = strlen(key);
    if (len == 0 || len > 10 || strspn(key, "0123456789") != len)
        return false;
    long long id = strtoll(key, NULL, 10);
    if (id > INT32_MAX)
        return false;
    *ret = (int32_t)id;
    return true;
}

bool drift_api_parse_logit_bias(struct drift_api_request *request, const struct drift_json *value,
                                const struct drift_api_path *path, struct drift_api_error *error)
{
    if (drift_json_type(value) != DRIFT_JSON_OBJECT)
        return drift_api_refuse_type(error, path->text, "an object", value);
    uint32_t n = drift_json_size(value), i = 0;
    if (n > DRIFT_MAX_LOGIT_BIAS)
        return drift_api_refuse(error, DRIFT_API_FAILURE_INVALID_VALUE, path->text,
                                "Invalid value for 'logit_bias': at most %d tokens are allowed.",
                                DRIFT_MAX_LOGIT_BIAS);
    struct drift_logit_bias *list = drift_arena_alloc(&request->arena, n, sizeof *list);
    if (!list)
        return drift_api_refuse_memory(error);
    for (const struct drift_json *item = drift_json_first(value); item;
         item = drift_json_next(item), i++) {
        struct drift_api_path place = drift_api_path_member(path, drift_json_key(item));
        double bias;
        if (!parse_token_id(drift_json_key(item), &list[i].token))
            return drift_api_refuse(error, DRIFT_API_FAILURE_INVALID_VALUE, place.text,
                                    "Invalid key in 'logit_bias': it must be a token id.");
        if (!drift_json_double(item, &bias))
            return drift_api_refuse_type(error, place.text, "a number", item);
        if (!(bias >= -100 && bias <= 100))
            return drift_api_refuse(error, DRIFT_API_FAILURE_INVALID_VALUE, place.text,
                                    "Invalid value for '%s': it must be at least -100 and at most "
                                    "100.",
                                    place.text);
        list[i].bias = (float)bias;
    }
    request->sampling.logit_bias = list;
    request->sampling.n_logit_bias = n;
    return true;
}

bool drift_api_parse_seed(struct drift_api_request *request, const struct drift_json *value,
                          const struct drift_api_path *path, struct drift_api_error *error)
{
    int64_t seed;
    double number;
    if (!drift_json_double(value, &number))
        return drift_api_refuse_type(error, path->text, "an integer", value);
    if (!drift_json_int64(value, &seed))
        return drift_api_refuse(error, DRIFT_API_FAILURE_INVALID_VALUE, path->text,
                                "Invalid value for 'seed': it must be an integer within "
                                "-2^53 ... 2^53.");
    request->sampling.has_seed = true;
    request->sampling.seed = (uint64_t)seed;
    return true;
}

bool drift_api_parse_stream_options(struct drift_api_request *request,
                                    const struct drift_json *value,
                                    const struct drift_api_path *path,
                                    struct drift_api_error *error)
{
    if (drift_json_type(value) != DRIFT_JSON_OBJECT)
        return drift_api_refuse_type(error, path->text, "an object", value);
    request->raw.has_stream_options = true;
    const struct drift_json *usage = drift_json_get(value, "include_usage");
    if (!usage || drift_json_type(usage) == DRIFT_JSON_NULL)
        return true;
    return drift_json_bool(usage, &request->include_usage) ||
           drift_api_refuse_type(error, "stream_options.include_usage", "a boolean", usage);
}

/*
 * The tables of request fields: implementer's side of request.h.
 *
 * A row says what a field is called, which values it takes, and where the value goes; the walker does the
 * checking and the wording. What a row cannot say is a parse function of its own.
 */
#ifndef DRIFT_API_OPENAI_FIELDS_H
#define DRIFT_API_OPENAI_FIELDS_H

#include "api/openai/request.h"

enum drift_api_field_kind {
    DRIFT_API_FIELD_BOOL,    /* bool */
    DRIFT_API_FIELD_UINT,    /* uint32_t, integer within min ... max */
    DRIFT_API_FIELD_INT,     /* int32_t */
    DRIFT_API_FIELD_NUMBER,  /* float */
    DRIFT_API_FIELD_STRING,  /* const char *, at most max bytes */
    DRIFT_API_FIELD_CUSTOM,  /* parse decides */
    DRIFT_API_FIELD_IGNORED, /* any value; no effect on the answer */
    DRIFT_API_FIELD_REFUSED, /* any value but null, false, "" and empty ones is refused */
    DRIFT_API_FIELD_KIND_COUNT
};

/* The place of a value, to be named in errors: "messages[2].content". */
struct drift_api_path {
    char text[96];
};
struct drift_api_path drift_api_path_member(const struct drift_api_path *parent, const char *name);
struct drift_api_path drift_api_path_item(const struct drift_api_path *parent, uint32_t index);

typedef bool (*drift_api_field_parse_fn)(struct drift_api_request *request,
                                         const struct drift_json *value,
                                         const struct drift_api_path *path,
                                         struct drift_api_error *error);

#define DRIFT_API_NO_TARGET SIZE_MAX

struct drift_api_field {
    const char *name;
    enum drift_api_field_kind kind;
    bool required, above_min; /* above_min: min itself is refused */
    double min, max;
    size_t target, has_target; /* offsets into the request; DRIFT_API_NO_TARGET: none */
    drift_api_field_parse_fn parse;
    const char *help;
};

/* Check the members of object against a table and store them. */
bool drift_api_fields_parse(const struct drift_api_field *fields, size_t n_fields,
                            struct drift_api_request *request, const struct drift_json *object,
                            struct drift_api_error *error) DRIFT_MUST_USE;

/* The tables. */
const struct drift_api_field *drift_api_chat_fields(size_t *ret_n);
const struct drift_api_field *drift_api_completion_fields(size_t *ret_n);

/* Refuse a value of the wrong type: "... must be <wanted>, not <its type>". */
bool drift_api_refuse_type(struct drift_api_error *error, const char *param, const char *wanted,
                           const struct drift_json *value);
/* Refuse a request that needed more memory than one request may have. */
bool drift_api_refuse_memory(struct drift_api_error *error);

/* Parse functions that both tables use. */
bool drift_api_parse_stop(struct drift_api_request *request, const struct drift_json *value,
                          const struct drift_api_path *path, struct drift_api_error *error);
bool drift_api_parse_logit_bias(struct drift_api_request *request, const struct drift_json *value,
                                const struct drift_api_path *path, struct drift_api_error *error);
bool drift_api_parse_seed(struct drift_api_request *request, const struct drift_json *value,
                          const struct drift_api_path *path, struct drift_api_error *error);
bool drift_api_parse_stream_options(struct drift_api_request *request,
                                    const struct drift_json *value,
                                    const struct drift_api_path *path,
                                    struct drift_api_error *error);
bool drift_api_parse_messages(struct drift_api_request *request, const struct drift_json *value,
                              const struct drift_api_path *path, struct drift_api_error *error);
bool drift_api_parse_prompt(struct drift_api_request *request, const struct drift_json *value,
                            const struct drift_api_path *path, struct drift_api_error *error);

/* Rows that both endpoints share. */
#define DRIFT_API_AT(member) offsetof(struct drift_api_request, member)
#define DRIFT_API_COMMON_FIELDS                                                                    \
    {.name = "model",                                                                              \
     .kind = DRIFT_API_FIELD_STRING,                                                               \
     .max = DRIFT_API_MAX_MODEL_BYTES,                                                             \
     .target = DRIFT_API_AT(model),                                                                \
     .has_target = DRIFT_API_NO_TARGET,                                                            \
     .help = "Name of a model of GET /v1/models."},                                                \
        DRIFT_API_BOOL("stream", stream, "Answer as server-sent events."),                         \
        DRIFT_API_CUSTOM("stream_options", drift_api_parse_stream_options,                         \
                         "include_usage: a last chunk with the token counts."),                    \
        DRIFT_API_UINT("n", n_choices, 1, DRIFT_MAX_CHOICES, "How many answers."),                 \
        DRIFT_API_CUSTOM("seed", drift_api_parse_seed, "Integer; the same seed, the same answer."), \
        DRIFT_API_CUSTOM("stop", drift_api_parse_stop, "Text or list of texts that end an answer."), \
        DRIFT_API_CUSTOM("logit_bias", drift_api_parse_logit_bias,                                 \
                         "Object of token id to bias, -100 to 100."),                              \
        DRIFT_API_NUMBER("temperature", sampling.temperature, 0, 2, "0 is greedy."),               \
        DRIFT_API_NUMBER("top_p", sampling.top_p, 0, 1, "Nucleus."),                               \
        DRIFT_API_NUMBER("min_p", sampling.min_p, 0, 1, "Least share of the best probability."),   \
        DRIFT_API_ABOVE("typical_p", sampling.typical_p, 0, 1, "Locally typical mass."),           \
        DRIFT_API_INT("top_k", sampling.top_k, -1, INT32_MAX, "Best k tokens; 0 or -1: all."),     \
        DRIFT_API_NUMBER("frequency_penalty", sampling.frequency_penalty, -2, 2,                   \
                         "Per occurrence in the answer."),                                         \
        DRIFT_API_NUMBER("presence_penalty", sampling.presence_penalty, -2, 2,                     \
                         "Once a token is in the answer."),                                        \
        DRIFT_API_ABOVE("repetition_penalty", sampling.repetition_penalty, 0, 10, "1 is off."),    \
        DRIFT_API_ABOVE("repeat_penalty", sampling.repetition_penalty, 0, 10,                      \
                        "Another name of repetition_penalty."),                                    \
        DRIFT_API_BOOL("ignore_eos", ignore_eos, "Go on to max_tokens."),                          \
        DRIFT_API_REFUSED("grammar", "Grammars are not supported yet."),                           \
        DRIFT_API_REFUSED("json_schema", "JSON schemas are not supported yet."),                   \
        DRIFT_API_IGNORED("user"), DRIFT_API_IGNORED("metadata"),                                  \
        DRIFT_API_IGNORED("service_tier"), DRIFT_API_IGNORED("prompt_cache_key"),                  \
        DRIFT_API_IGNORED("prompt_cache_options"), DRIFT_API_IGNORED("prompt_cache_retention"),    \
        DRIFT_API_IGNORED("safety_identifier")

#define DRIFT_API_ROW(field, row_kind, member, low, high, text)                                    \
    {                                                                                              \
        .name = field, .kind = row_kind, .min = low, .max = high, .target = DRIFT_API_AT(member),  \
        .has_target = DRIFT_API_NO_TARGET, .help = text                                            \
    }
#define DRIFT_API_BOOL(field, member, text)                                                        \
    DRIFT_API_ROW(field, DRIFT_API_FIELD_BOOL, member, 0, 1, text)
#define DRIFT_API_UINT(field, member, low, high, text)                                             \
    DRIFT_API_ROW(field, DRIFT_API_FIELD_UINT, member, low, high, text)
#define DRIFT_API_INT(field, member, low, high, text)                                              \
    DRIFT_API_ROW(field, DRIFT_API_FIELD_INT, member, low, high, text)
#define DRIFT_API_NUMBER(field, member, low, high, text)                                           \
    DRIFT_API_ROW(field, DRIFT_API_FIELD_NUMBER, member, low, high, text)
#define DRIFT_API_ABOVE(field, member, low, high, text)                                            \
    {                                                                                              \
        .name = field, .kind = DRIFT_API_FIELD_NUMBER, .above_min = true, .min = low, .max = high, \
        .target = DRIFT_API_AT(member), .has_target = DRIFT_API_NO_TARGET, .help = text            \
    }
/* An integer that the rest must know to be there or not. */
#define DRIFT_API_OPTIONAL_UINT(field, member, has_member, low, high, text)                        \
    {                                                                                              \
        .name = field, .kind = DRIFT_API_FIELD_UINT, .min = low, .max = high,                      \
        .target = DRIFT_API_AT(member), .has_target = DRIFT_API_AT(has_member), .help = text       \
    }
#define DRIFT_API_CUSTOM(field, parse_fn, text)                                                    \
    {                                                                                              \
        .name = field, .kind = DRIFT_API_FIELD_CUSTOM, .target = DRIFT_API_NO_TARGET,              \
        .has_target = DRIFT_API_NO_TARGET, .parse = parse_fn, .help = text                         \
    }
#define DRIFT_API_REFUSED(field, text)                                                             \
    {                                                                                              \
        .name = field, .kind = DRIFT_API_FIELD_REFUSED, .target = DRIFT_API_NO_TARGET,             \
        .has_target = DRIFT_API_NO_TARGET, .help = text                                            \
    }
#define DRIFT_API_IGNORED(field)                                                                   \
    {                                                                                              \
        .name = field, .kind = DRIFT_API_FIELD_IGNORED, .target = DRIFT_API_NO_TARGET,             \
        .has_target = DRIFT_API_NO_TARGET, .help = "Accepted; has no effect."                      \
    }

#endif

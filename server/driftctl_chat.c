/*
 * driftctl chat: a conversation at the terminal, streamed. With a PROMPT it gives one answer and ends; without, it reads
 * lines. Ctrl-C stops the answer that is being written and keeps what there is of it.
 */
#include "runtime/base/json.h"
#include "server/driftctl.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define MAX_TURNS         1000
#define CONTENT_CAP_BYTES (8u << 20)
/* What people expect of a chat; the API's own default is 1. */
#define DEFAULT_TEMPERATURE 0.7

struct turn {
    const char *role;
    char *content;
};

struct chat {
    struct drift_ctl *ctl;
    char *model; /* drift_free */
    double temperature;
    double max_tokens; /* negative: to the end of the context */
    struct turn turns[MAX_TURNS];
    uint32_t n_turns;
    struct drift_buf answer;
    struct drift_error err; /* an error that came inside the stream */
    bool is_failed, is_done;
};

static bool add_turn(struct chat *chat, const char *role, const char *content, size_t len)
{
    if (chat->n_turns == MAX_TURNS)
        return false;
    char *copy = drift_strndup(DRIFT_TAG_SERVER, content, len);
    if (!copy)
        return false;
    chat->turns[chat->n_turns++] = (struct turn){.role = role, .content = copy};
    return true;
}

static void drop_turns(struct chat *chat, uint32_t keep)
{
    while (chat->n_turns > keep)
        drift_free(chat->turns[--chat->n_turns].content);
}

/* ---- one answer ---- */

static void write_request(const struct chat *chat, struct drift_buf *out)
{
    struct drift_json_writer w;
    drift_json_writer_init(&w, out);
    drift_json_begin_object(&w);
    drift_json_member_string(&w, "model", chat->model);
    drift_json_member_bool(&w, "stream", true);
    drift_json_member_double(&w, "temperature", chat->temperature);
    if (chat->max_tokens >= 0)
        drift_json_member_int(&w, "max_tokens", (int64_t)chat->max_tokens);
    drift_json_write_key(&w, "messages");
    drift_json_begin_array(&w);
    for (uint32_t i = 0; i < chat->n_turns; i++) {
        drift_json_begin_object(&w);
        drift_json_member_string(&w, "role", chat->turns[i].role);
        drift_json_member_string(&w, "content", chat->turns[i].content);
        drift_json_end_object(&w);
    }
    drift_json_end_array(&w);
    drift_json_end_object(&w);
}

static void take_chunk(struct chat *chat, const struct drift_json *chunk)
{
    const char *text = NULL;
    if (drift_json_string(drift_json_get(drift_json_get(chunk, "error"), "message"), &text)) {
        drift_error_set(&chat->err, DRIFT_STATUS_UNAVAILABLE, 0, "%s", text);
        chat->is_failed = true;
        return;
    }
    const struct drift_json *choice = drift_json_first(drift_json_get(chunk, "choices"));
    if (!drift_json_string(drift_json_get(drift_json_get(choice, "delta"), "content"), &text))
        return;
    drift_buf_append_str(&chat->answer, text);
    fputs(text, stdout);
    fflush(stdout);
}

static bool on_line(void *ctx, const char *line, size_t len)
{
    struct chat *chat = ctx;
    if (len < 6 || memcmp(line, "data: ", 6) != 0)
        return true; /* comments and the empty lines between events */
    if (len == 12 && memcmp(line + 6, "[DONE]", 6) == 0) {
        chat->is_done = true;
        return true;
    }
    struct drift_json *chunk;
    if (drift_json_parse(line + 6, len - 6, &drift_json_default_limits, &chunk, &chat->err) !=
        DRIFT_STATUS_OK) {
        chat->is_failed = true;
        return false;
    }
    take_chunk(chat, chunk);
    drift_json_destroy(chunk);
    return true;
}

/* Send the conversation, stream the answer, keep it as a turn. */
static enum drift_status ask(struct chat *chat, struct drift_error *err)
{
    struct drift_buf body;
    drift_buf_init(&body, DRIFT_TAG_SERVER, CONTENT_CAP_BYTES);
    write_request(chat, &body);
    drift_buf_reset(&chat->answer);
    chat->is_failed = chat->is_done = false;
    drift_ctl_interrupted = 0;
    struct drift_ctl_response response = {0};
    enum drift_status status = DRIFT_STATUS_NO_MEMORY;
    if (body.failed)
        drift_error_set(err, status, 0, "the conversation is too long to send");
    else
        status = drift_ctl_request(&chat->ctl->client, "POST", "/v1/chat/completions",
                                   drift_buf_cstr(&body), on_line, chat, &response, err);
    if (status == DRIFT_STATUS_OK && drift_ctl_response_error(&response, err))
        status = DRIFT_STATUS_INVALID;
    else if (status == DRIFT_STATUS_OK && chat->is_failed) {
        *err = chat->err;
        status = err->status;
    } else if (status == DRIFT_STATUS_OK && !chat->is_done)
        status = drift_error_set(err, DRIFT_STATUS_IO, 0, "the stream ended before its end");
    putchar('\n');
    if (chat->answer.len > 0)
        add_turn(chat, "assistant", drift_buf_cstr(&chat->answer), chat->answer.len);
    if (response.body.tag == DRIFT_TAG_SERVER)
        drift_ctl_response_fini(&response);
    drift_buf_fini(&body);
    return status;
}

/* ---- the model, when none was named ---- */

static enum drift_status choose_model(struct chat *chat, struct drift_error *err)
{
    struct drift_ctl_response response;
    enum drift_status status =
        drift_ctl_request(&chat->ctl->client, "GET", "/admin/models", NULL, NULL, NULL, &response, err);
    struct drift_json *doc = NULL;
    if (status == DRIFT_STATUS_OK && drift_ctl_response_error(&response, err))
        status = DRIFT_STATUS_UNAVAILABLE;
    if (status == DRIFT_STATUS_OK)
        status = drift_json_parse(drift_buf_cstr(&response.body), response.body.len,
                                  &drift_json_default_limits, &doc, err);
    const struct drift_json *m = drift_json_first(drift_json_get(doc, "data"));
    for (; m && !chat->model; m = drift_json_next(m)) {
        const char *id = NULL, *state = NULL;
        if (drift_json_string(drift_json_get(m, "id"), &id) &&
            drift_json_string(drift_json_get(m, "state"), &state) && strcmp(state, "ready") == 0)
            chat->model = drift_strdup(DRIFT_TAG_SERVER, id);
    }
    if (status == DRIFT_STATUS_OK && !chat->model)
        status = drift_error_set(err, DRIFT_STATUS_UNAVAILABLE, 0,
                                 "no model is ready; see driftctl models and driftctl load");
    drift_json_destroy(doc);
    drift_ctl_response_fini(&response);
    return status;
}

/* ---- the conversation ---- */

static const char help_text[] = "/clear   forget the conversation\n"
                                "/exit    leave (or Ctrl-D)\n"
                                "/help    this\n"
                                "Ctrl-C   stop an answer\n";

/* A line that starts with '/' is for driftctl; false to leave. */
static bool obey(struct chat *chat, const char *line, uint32_t n_system)
{
    if (strcmp(line, "/exit") == 0 || strcmp(line, "/quit") == 0)
        return false;
    if (strcmp(line, "/clear") == 0)
        drop_turns(chat, n_system);
    else
        fputs(help_text, stdout);
    return true;
}

/* The next line without its end; false at the end of the input. */
static bool read_line(char **line, size_t *size, bool is_terminal)
{
    for (;;) {
        if (is_terminal) {
            fputs("> ", stdout);
            fflush(stdout);
        }
        errno = 0;
        ssize_t n = getline(line, size, stdin);
        if (n >= 0) {
            while (n > 0 && ((*line)[n - 1] == '\n' || (*line)[n - 1] == '\r'))
                (*line)[--n] = '\0';
            return true;
        }
        if (errno != EINTR)
            return false;
        clearerr(stdin); /* Ctrl-C at the prompt: a new line */
        drift_ctl_interrupted = 0;
        fputs("\n", stdout);
    }
}

static int converse(struct chat *chat)
{
    bool is_terminal = isatty(STDIN_FILENO);
    uint32_t n_system = chat->n_turns;
    if (is_terminal)
        printf("%s at %s; /help for help\n", chat->model, chat->ctl->client.url);
    char *line = NULL;
    size_t size = 0;
    int exit_status = EX_OK;
    while (read_line(&line, &size, is_terminal)) {
        if (line[0] == '\0')
            continue;
        if (line[0] == '/') {
            if (!obey(chat, line, n_system))
                break;
            continue;
        }
        uint32_t before = chat->n_turns;
        struct drift_error err = {0};
        if (!add_turn(chat, "user", line, strlen(line))) {
            fputs("driftctl: the conversation is full; /clear starts a new one\n", stderr);
            continue;
        }
        enum drift_status status = ask(chat, &err);
        if (status != DRIFT_STATUS_OK && status != DRIFT_STATUS_CANCELLED) {
            exit_status = drift_ctl_fail(status, &err);
            drop_turns(chat, before);
            if (!is_terminal)
                break;
        }
    }
    if (is_terminal)
        putchar('\n');
    free(line); /* getline's */
    return is_terminal ? EX_OK : exit_status;
}

static int one_answer(struct chat *chat, int argc, char **argv)
{
    struct drift_buf prompt;
    drift_buf_init(&prompt, DRIFT_TAG_SERVER, CONTENT_CAP_BYTES);
    for (int i = 0; i < argc; i++) {
        if (i > 0)
            drift_buf_append_char(&prompt, ' ');
        drift_buf_append_str(&prompt, argv[i]);
    }
    struct drift_error err = {0};
    enum drift_status status = DRIFT_STATUS_NO_MEMORY;
    if (!prompt.failed && add_turn(chat, "user", drift_buf_cstr(&prompt), prompt.len))
        status = ask(chat, &err);
    drift_buf_fini(&prompt);
    return status == DRIFT_STATUS_OK ? EX_OK : drift_ctl_fail(status, &err);
}

static bool parse_number(const char *text, double *ret)
{
    char *end;
    *ret = strtod(text, &end);
    return end != text && *end == '\0' && *ret >= 0 && *ret < 1e9;
}

int drift_ctl_chat(struct drift_ctl *ctl, int argc, char **argv)
{
    static const struct option options[] = {{"model", required_argument, NULL, 'm'},
                                            {"system", required_argument, NULL, 's'},
                                            {"temperature", required_argument, NULL, 't'},
                                            {"max-tokens", required_argument, NULL, 'n'},
                                            {0}};
    static const char right[] =
        "chat [--model M] [--system TEXT] [--temperature T] [--max-tokens N] [PROMPT...]";
    struct chat *chat = drift_alloc(DRIFT_TAG_SERVER, 1, sizeof *chat);
    struct drift_error err = {0};
    if (!chat)
        return drift_ctl_fail(DRIFT_STATUS_NO_MEMORY, &err);
    chat->ctl = ctl;
    chat->temperature = DEFAULT_TEMPERATURE;
    chat->max_tokens = -1;
    drift_buf_init(&chat->answer, DRIFT_TAG_SERVER, CONTENT_CAP_BYTES);
    int exit_status = EX_OK;
    for (int id; (id = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (id == 'm' && !chat->model)
            chat->model = drift_strdup(DRIFT_TAG_SERVER, optarg);
        else if (id == 's')
            add_turn(chat, "system", optarg, strlen(optarg));
        else if (id == 't' && parse_number(optarg, &chat->temperature))
            continue;
        else if (id == 'n' && parse_number(optarg, &chat->max_tokens))
            continue;
        else
            exit_status = drift_ctl_usage(right);
    }
    enum drift_status status = DRIFT_STATUS_OK;
    if (exit_status == EX_OK && !chat->model)
        status = choose_model(chat, &err);
    if (status != DRIFT_STATUS_OK)
        exit_status = drift_ctl_fail(status, &err);
    else if (exit_status == EX_OK)
        exit_status = optind < argc ? one_answer(chat, argc - optind, argv + optind) : converse(chat);
    drop_turns(chat, 0);
    drift_buf_fini(&chat->answer);
    drift_free(chat->model);
    drift_free(chat);
    return exit_status;
}

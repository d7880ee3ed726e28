/* One curl easy handle in a multi handle per request, so that waiting can be interrupted. */
#include "server/driftctl_client.h"

#include "runtime/base/json.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#define BODY_CAP_BYTES (64u << 20)
#define LINE_CAP_BYTES (16u << 20)
#define CONNECT_MS     5000L

struct transfer {
    CURL *easy;
    struct drift_ctl_response *response;
    drift_ctl_line_fn on_line;
    void *ctx;
    struct drift_buf line;
    bool stopped; /* on_line said so */
};

enum drift_status drift_ctl_start(struct drift_error *err)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0)
        return drift_error_set(err, DRIFT_STATUS_INTERNAL, 0, "libcurl cannot be initialized");
    return DRIFT_STATUS_OK;
}

static bool feed_lines(struct transfer *t, const char *data, size_t len)
{
    while (len > 0) {
        const char *end = memchr(data, '\n', len);
        size_t n = end ? (size_t)(end - data) : len;
        drift_buf_append(&t->line, data, n);
        if (t->line.failed)
            return false;
        if (!end)
            return true;
        size_t line_len = t->line.len;
        if (line_len > 0 && t->line.data[line_len - 1] == '\r')
            line_len--;
        bool go_on = t->on_line(t->ctx, drift_buf_cstr(&t->line), line_len);
        drift_buf_reset(&t->line);
        if (!go_on) {
            t->stopped = true;
            return false;
        }
        data = end + 1;
        len -= n + 1;
    }
    return true;
}

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
    struct transfer *t = ctx;
    size_t len = size * n;
    long status = 0;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    if (t->on_line && status == 200)
        return feed_lines(t, data, len) ? len : 0;
    drift_buf_append(&t->response->body, data, len);
    return t->response->body.failed ? 0 : len;
}

static enum drift_status set_url(const struct drift_ctl_client *client, CURL *easy, const char *path,
                                 struct drift_error *err)
{
    const char *base = client->url;
    if (strncmp(base, "unix:", 5) == 0) {
        curl_easy_setopt(easy, CURLOPT_UNIX_SOCKET_PATH, base + 5);
        base = "http://localhost";
    } else if (strncmp(base, "http://", 7) != 0 && strncmp(base, "https://", 8) != 0) {
        return drift_error_set(err, DRIFT_STATUS_INVALID, 0,
                               "--url takes http://HOST:PORT or unix:PATH, not '%.120s'", base);
    }
    char url[1024];
    size_t len = strlen(base);
    while (len > 0 && base[len - 1] == '/')
        len--;
    int n = snprintf(url, sizeof url, "%.*s%s", (int)len, base, path);
    if (n < 0 || (size_t)n >= sizeof url)
        return drift_error_set(err, DRIFT_STATUS_LIMIT, 0, "the URL is too long");
    curl_easy_setopt(easy, CURLOPT_URL, url);
    return DRIFT_STATUS_OK;
}

static struct curl_slist *make_headers(const struct drift_ctl_client *client, bool has_body)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Expect:");
    if (has_body)
        headers = curl_slist_append(headers, "Content-Type: application/json");
    if (client->api_key) {
        char line[512];
        snprintf(line, sizeof line, "Authorization: Bearer %s", client->api_key);
        headers = curl_slist_append(headers, line);
    }
    return headers;
}

/* Run the transfer to its end; CURLE_ABORTED_BY_CALLBACK when it was stopped. */
static CURLcode perform(const struct drift_ctl_client *client, CURLM *multi, CURL *easy)
{
    curl_multi_add_handle(multi, easy);
    CURLcode code = CURLE_OK;
    for (int running = 1; running;) {
        if (client->stop && *client->stop) {
            code = CURLE_ABORTED_BY_CALLBACK;
            break;
        }
        if (curl_multi_perform(multi, &running) != CURLM_OK ||
            (running && curl_multi_poll(multi, NULL, 0, 100, NULL) != CURLM_OK)) {
            code = CURLE_RECV_ERROR;
            break;
        }
    }
    int left;
    for (CURLMsg *msg; (msg = curl_multi_info_read(multi, &left));)
        if (msg->msg == CURLMSG_DONE)
            code = msg->data.result;
    curl_multi_remove_handle(multi, easy);
    return code;
}

static enum drift_status judge(const struct drift_ctl_client *client, const struct transfer *t,
                               CURLcode code, struct drift_error *err)
{
    if (code == CURLE_OK || t->stopped)
        return DRIFT_STATUS_OK;
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return drift_error_set(err, DRIFT_STATUS_CANCELLED, 0, "stopped");
    if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST)
        return drift_error_set(err, DRIFT_STATUS_UNAVAILABLE, 0,
                               "no driftd answers at %.120s (start it with: driftd --model NAME=PATH)",
                               client->url);
    return drift_error_set(err, DRIFT_STATUS_IO, (int)code, "%s", curl_easy_strerror(code));
}

enum drift_status drift_ctl_request(const struct drift_ctl_client *client, const char *method,
                                    const char *path, const char *body, drift_ctl_line_fn on_line,
                                    void *ctx, struct drift_ctl_response *ret_response,
                                    struct drift_error *err)
{
    *ret_response = (struct drift_ctl_response){0};
    drift_buf_init(&ret_response->body, DRIFT_TAG_SERVER, BODY_CAP_BYTES);
    struct transfer t = {.response = ret_response, .on_line = on_line, .ctx = ctx};
    drift_buf_init(&t.line, DRIFT_TAG_SERVER, LINE_CAP_BYTES);
    struct curl_slist *headers = NULL;
    CURLM *multi = curl_multi_init();
    t.easy = curl_easy_init();
    enum drift_status status;
    if (!multi || !t.easy) {
        status = drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a transfer");
        goto out;
    }
    status = set_url(client, t.easy, path, err);
    if (status != DRIFT_STATUS_OK)
        goto out;
    headers = make_headers(client, body != NULL);
    curl_easy_setopt(t.easy, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(t.easy, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(t.easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(t.easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(t.easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(t.easy, CURLOPT_WRITEDATA, &t);
    if (body)
        curl_easy_setopt(t.easy, CURLOPT_POSTFIELDS, body);
    else if (strcmp(method, "POST") == 0)
        curl_easy_setopt(t.easy, CURLOPT_POSTFIELDS, "");
    status = judge(client, &t, perform(client, multi, t.easy), err);
    curl_easy_getinfo(t.easy, CURLINFO_RESPONSE_CODE, &ret_response->http_status);
out:
    if (t.easy)
        curl_easy_cleanup(t.easy);
    curl_multi_cleanup(multi);
    curl_slist_free_all(headers);
    drift_buf_fini(&t.line);
    return status;
}

void drift_ctl_response_fini(struct drift_ctl_response *response)
{
    drift_buf_fini(&response->body);
}

bool drift_ctl_response_error(const struct drift_ctl_response *response, struct drift_error *err)
{
    if (response->http_status < 400)
        return false;
    struct drift_json *doc = NULL;
    const char *message = NULL;
    if (drift_json_parse(drift_buf_cstr(&response->body), response->body.len, &drift_json_default_limits,
                         &doc, NULL) == DRIFT_STATUS_OK)
        drift_json_string(drift_json_get(drift_json_get(doc, "error"), "message"), &message);
    drift_error_set(err, DRIFT_STATUS_INVALID, (int)response->http_status, "%s (HTTP %ld)",
                    message ? message : "the server refused", response->http_status);
    drift_json_destroy(doc);
    return true;
}

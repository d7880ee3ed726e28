/* GET /metrics in Prometheus' text format: one table of what the engines count, and the replies by route. */
#include "runtime/base/clock.h"
#include "server/exchange.h"
#include "server/server.h"

#include <stddef.h>
#include <stdio.h>

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_GAUGE_U32, METRIC_HISTOGRAM };

static const struct metric {
    const char *name, *help;
    enum metric_kind kind;
    size_t offset; /* in struct drift_engine_stats */
} metrics[] = {
#define M(name, kind, member, help) {name, help, METRIC_##kind, offsetof(struct drift_engine_stats, member)}
    M("requests_total", COUNTER, n_requests, "Requests admitted to the queue"),
    M("requests_finished_total", COUNTER, n_finished, "Requests answered"),
    M("requests_cancelled_total", COUNTER, n_cancelled, "Requests whose client went away"),
    M("requests_failed_total", COUNTER, n_failed, "Requests ended by an error"),
    M("requests_refused_total", COUNTER, n_refused_busy, "Requests refused because the queue was full"),
    M("prompt_tokens_total", COUNTER, prompt_tokens, "Prompt tokens computed"),
    M("cached_tokens_total", COUNTER, cached_tokens, "Prompt tokens taken from a cache"),
    M("generated_tokens_total", COUNTER, generated_tokens, "Tokens generated"),
    M("prefill_steps_total", COUNTER, n_prefill_steps, "Batches of prompt tokens"),
    M("decode_steps_total", COUNTER, n_decode_steps, "Batches of generated tokens"),
    M("model_loads_total", COUNTER, n_loads, "Models loaded"),
    M("model_load_failures_total", COUNTER, n_load_failures, "Loads that failed"),
    M("model_unloads_total", COUNTER, n_unloads, "Models unloaded"),
    M("requests_running", GAUGE_U32, n_running, "Requests that have sequences"),
    M("requests_queued", GAUGE_U32, n_queued, "Requests that wait"),
    M("queued_tokens", GAUGE, queued_tokens, "Prompt tokens that wait"),
    M("memory_budget_bytes", GAUGE, budget_bytes, "What the engine may use of its device"),
    M("memory_reserved_bytes", GAUGE, reserved_bytes, "Reserved by models and the arena"),
    M("memory_weights_bytes", GAUGE, weights_bytes, "Weights on the device"),
    M("memory_kv_bytes", GAUGE, kv_bytes, "KV caches on the device"),
    M("memory_arena_bytes", GAUGE, arena_bytes, "Activations' arena on the device"),
    M("queue_seconds", HISTOGRAM, queue_time, "From submission to the first batch"),
    M("time_to_first_token_seconds", HISTOGRAM, time_to_first_token, "From submission to the first token"),
    M("time_between_tokens_seconds", HISTOGRAM, time_between_tokens, "Between tokens of a sequence"),
    M("prefill_step_seconds", HISTOGRAM, prefill_step, "Batches of prompt tokens"),
    M("decode_step_seconds", HISTOGRAM, decode_step, "Batches of generated tokens"),
#undef M
};

static const char *const kind_names[] = {"counter", "gauge", "gauge", "histogram"};

static void write_histogram(struct drift_buf *out, const char *name, const char *device,
                            const struct drift_histogram *h)
{
    uint64_t sum = 0;
    double bound = 0.0005;
    for (unsigned i = 0; i < DRIFT_HISTOGRAM_BUCKETS; i++, bound *= 2) {
        sum += h->buckets[i];
        char le[32] = "+Inf";
        if (i + 1 < DRIFT_HISTOGRAM_BUCKETS)
            snprintf(le, sizeof le, "%g", bound);
        drift_buf_printf(out, "driftd_%s_bucket{device=\"%s\",le=\"%s\"} %llu\n", name, device, le,
                         (unsigned long long)sum);
    }
    drift_buf_printf(out, "driftd_%s_sum{device=\"%s\"} %.9g\n", name, device, h->sum_s);
    drift_buf_printf(out, "driftd_%s_count{device=\"%s\"} %llu\n", name, device,
                     (unsigned long long)h->count);
}

static void write_value(struct drift_buf *out, const struct metric *m, const char *device,
                        const struct drift_engine_stats *stats)
{
    const char *at = (const char *)stats + m->offset;
    if (m->kind == METRIC_HISTOGRAM) {
        write_histogram(out, m->name, device, (const struct drift_histogram *)(const void *)at);
        return;
    }
    uint64_t value = m->kind == METRIC_GAUGE_U32 ? *(const uint32_t *)(const void *)at
                                                 : *(const uint64_t *)(const void *)at;
    drift_buf_printf(out, "driftd_%s{device=\"%s\"} %llu\n", m->name, device, (unsigned long long)value);
}

static void write_replies(struct drift_buf *out, const struct drift_server *server)
{
    size_t n;
    const struct drift_route *routes = drift_routes_table(&n);
    drift_buf_append_str(out, "# HELP driftd_http_replies_total Replies by route and class of status\n"
                              "# TYPE driftd_http_replies_total counter\n");
    for (size_t r = 0; r <= n; r++) {
        size_t row = r < n ? r : DRIFT_ROUTES_MAX;
        for (unsigned c = 1; c < 6; c++)
            if (server->replies[row][c])
                drift_buf_printf(out,
                                 "driftd_http_replies_total{method=\"%s\",route=\"%s\",status=\"%uxx\"} %llu\n",
                                 r < n ? routes[r].method : "", r < n ? routes[r].path : "none", c,
                                 (unsigned long long)server->replies[row][c]);
    }
}

void drift_handle_metrics(struct drift_exchange *x)
{
    const struct drift_server *server = x->server;
    struct drift_engine_stats stats[DRIFT_SERVER_MAX_ENGINES];
    struct drift_engine_device devices[DRIFT_SERVER_MAX_ENGINES];
    for (size_t e = 0; e < server->n_engines; e++) {
        drift_engine_get_stats(server->engines[e].engine, &stats[e]);
        drift_engine_get_device(server->engines[e].engine, &devices[e]);
    }
    struct drift_buf *out = &x->out;
    for (size_t i = 0; i < DRIFT_COUNT_OF(metrics); i++) {
        const struct metric *m = &metrics[i];
        drift_buf_printf(out, "# HELP driftd_%s %s\n# TYPE driftd_%s %s\n", m->name, m->help, m->name,
                         kind_names[m->kind]);
        for (size_t e = 0; e < server->n_engines; e++)
            write_value(out, m, devices[e].id, &stats[e]);
    }
    write_replies(out, server);
    drift_buf_printf(out,
                     "# HELP driftd_http_exchanges Requests being received or answered\n"
                     "# TYPE driftd_http_exchanges gauge\ndriftd_http_exchanges %u\n"
                     "# HELP driftd_uptime_seconds Time since the start\n"
                     "# TYPE driftd_uptime_seconds gauge\ndriftd_uptime_seconds %.3f\n",
                     server->n_exchanges, (double)(drift_clock_ns() - server->start_ns) * 1e-9);
    drift_exchange_reply(x, 200, "text/plain; version=0.0.4; charset=utf-8");
}

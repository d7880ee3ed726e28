/* GET /health: the loop turns. GET /ready: requests can be served. */
#include "runtime/base/json.h"
#include "server/exchange.h"
#include "server/server.h"

void drift_handle_health(struct drift_exchange *x)
{
    drift_buf_append_str(&x->out, "{\"status\":\"ok\"}");
    drift_exchange_reply(x, 200, "application/json");
}

void drift_handle_ready(struct drift_exchange *x)
{
    const char *why = "";
    bool ready = drift_server_is_ready(x->server, &why);
    if (!ready) {
        struct drift_api_error error;
        drift_api_refuse(&error,
                         x->server->is_draining ? DRIFT_API_FAILURE_DRAINING
                                                : DRIFT_API_FAILURE_MODEL_LOADING,
                         NULL, "%s", why);
        error.retry_after_s = 1;
        drift_exchange_fail(x, &error);
        return;
    }
    drift_buf_append_str(&x->out, "{\"status\":\"ready\"}");
    drift_exchange_reply(x, 200, "application/json");
}

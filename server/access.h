/*
 * Who may ask: the Host header (DNS rebinding), the Origin header (pages of other sites), API keys. Thread: http.
 */
#ifndef DRIFT_SERVER_ACCESS_H
#define DRIFT_SERVER_ACCESS_H

#include "api/openai/error.h"

#include <stddef.h>

struct drift_exchange;
struct drift_access_keys;

/*
 * Read a key file: one key a line, '#' starts a comment, 8 to 256 printable characters each. Errors: NOT_FOUND, IO,
 * INVALID (names the line), LIMIT (more than 1,000 keys), NO_MEMORY.
 */
enum drift_status drift_access_keys_load(const char *path, struct drift_access_keys **ret_keys,
                                         struct drift_error *err) DRIFT_MUST_USE;
void drift_access_keys_destroy(struct drift_access_keys *keys);

/* A request that reached a loopback listener must name a loopback host. */
bool drift_access_check_host(const struct drift_exchange *x, struct drift_api_error *error);
/* A browser's page must come from an allowed origin; sets x->origin. No Origin header: allowed. */
bool drift_access_check_origin(struct drift_exchange *x, struct drift_api_error *error);
/* A key is needed if there are keys and the route is not public. Takes the same time for every wrong key. */
bool drift_access_check_key(const struct drift_exchange *x, struct drift_api_error *error);
/* Answer a CORS preflight request. */
void drift_access_reply_preflight(struct drift_exchange *x);

#endif

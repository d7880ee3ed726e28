/* From the configuration to engines and declared models, at the start and at a reload. Thread: http. */
#ifndef DRIFT_SERVER_DECLARE_H
#define DRIFT_SERVER_DECLARE_H

#include "server/server.h"

/*
 * Open an engine for every device that is named, declare every model of the configuration and of models-dir, and begin
 * to load those that are to be preloaded. Errors: NOT_FOUND (a model or template file), INVALID, and those of
 * drift_engine_create.
 */
enum drift_status drift_server_declare_models(struct drift_server *server, drift_engine_wake_fn wake,
                                              struct drift_error *err) DRIFT_MUST_USE;
/* Level and form of log lines as the configuration says. */
void drift_server_configure_log(const struct drift_config *config, bool is_journald);
/* Read the configuration again and apply what can be applied; what cannot is logged. */
void drift_server_reload(struct drift_server *server);

#endif

/*
 * Compiled chat templates by their source: a small cache, since every request of a model needs the same one.
 *
 * Any thread may ask; the lock is a leaf. A template that falls out of the cache lives on while somebody renders it.
 */
#ifndef DRIFT_SERVER_TEMPLATES_H
#define DRIFT_SERVER_TEMPLATES_H

#include "api/template/template.h"

struct drift_chat_templates;
struct drift_chat_template;

enum drift_status drift_chat_templates_create(struct drift_chat_templates **ret_cache,
                                              struct drift_error *err) DRIFT_MUST_USE;
void drift_chat_templates_destroy(struct drift_chat_templates *cache);
/* The compiled form of source. Errors as of drift_template_compile. Thread: any. */
enum drift_status drift_chat_templates_get(struct drift_chat_templates *cache, const char *source,
                                           struct drift_chat_template **ret_template,
                                           struct drift_error *err) DRIFT_MUST_USE;
const struct drift_template *drift_chat_template_compiled(const struct drift_chat_template *t);
void drift_chat_template_unref(struct drift_chat_template *t);

#endif

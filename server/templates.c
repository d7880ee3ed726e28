/* Eight places, the oldest use goes first. */
#include "server/templates.h"

#include "runtime/base/hash.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#define PLACES 8

struct drift_chat_template {
    atomic_uint n_refs;
    uint64_t hash, last_use;
    char *source;
    struct drift_template *compiled;
};

struct drift_chat_templates {
    pthread_mutex_t lock;
    uint64_t uses;
    struct drift_chat_template *places[PLACES];
};

enum drift_status drift_chat_templates_create(struct drift_chat_templates **ret_cache,
                                              struct drift_error *err)
{
    struct drift_chat_templates *cache = drift_alloc(DRIFT_TAG_SERVER, 1, sizeof *cache);
    if (!cache)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for chat templates");
    pthread_mutex_init(&cache->lock, NULL);
    *ret_cache = cache;
    return DRIFT_STATUS_OK;
}

void drift_chat_templates_destroy(struct drift_chat_templates *cache)
{
    if (!cache)
        return;
    for (int i = 0; i < PLACES; i++)
        drift_chat_template_unref(cache->places[i]);
    pthread_mutex_destroy(&cache->lock);
    drift_free(cache);
}

static struct drift_chat_template *find(struct drift_chat_templates *cache, uint64_t hash,
                                        const char *source)
{
    struct drift_chat_template *found = NULL;
    pthread_mutex_lock(&cache->lock);
    for (int i = 0; i < PLACES && !found; i++) {
        struct drift_chat_template *t = cache->places[i];
        if (t && t->hash == hash && strcmp(t->source, source) == 0) {
            t->last_use = ++cache->uses;
            atomic_fetch_add(&t->n_refs, 1);
            found = t;
        }
    }
    pthread_mutex_unlock(&cache->lock);
    return found;
}

static void keep(struct drift_chat_templates *cache, struct drift_chat_template *t)
{
    pthread_mutex_lock(&cache->lock);
    int place = 0;
    for (int i = 1; i < PLACES && cache->places[place]; i++)
        if (!cache->places[i] || cache->places[i]->last_use < cache->places[place]->last_use)
            place = i;
    struct drift_chat_template *old = cache->places[place];
    t->last_use = ++cache->uses;
    atomic_fetch_add(&t->n_refs, 1);
    cache->places[place] = t;
    pthread_mutex_unlock(&cache->lock);
    drift_chat_template_unref(old);
}

enum drift_status drift_chat_templates_get(struct drift_chat_templates *cache, const char *source,
                                           struct drift_chat_template **ret_template,
                                           struct drift_error *err)
{
    size_t len = strlen(source);
    uint64_t hash = drift_hash64(source, len, 0);
    struct drift_chat_template *t = find(cache, hash, source);
    if (t) {
        *ret_template = t;
        return DRIFT_STATUS_OK;
    }
    t = drift_alloc(DRIFT_TAG_SERVER, 1, sizeof *t);
    char *copy = drift_strndup(DRIFT_TAG_SERVER, source, len);
    if (!t || !copy) {
        drift_free(t);
        drift_free(copy);
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a chat template");
    }
    atomic_init(&t->n_refs, 1);
    t->hash = hash;
    t->source = copy;
    enum drift_status status = drift_template_compile(source, len, &t->compiled, err);
    if (status != DRIFT_STATUS_OK) {
        drift_chat_template_unref(t);
        return status;
    }
    keep(cache, t);
    *ret_template = t;
    return DRIFT_STATUS_OK;
}

const struct drift_template *drift_chat_template_compiled(const struct drift_chat_template *t)
{
    return t->compiled;
}

void drift_chat_template_unref(struct drift_chat_template *t)
{
    if (!t || atomic_fetch_sub(&t->n_refs, 1) != 1)
        return;
    drift_template_destroy(t->compiled);
    drift_free(t->source);
    drift_free(t);
}

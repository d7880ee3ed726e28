/*
 * A flat list searched by name: a few hundred entries, declared a few times per load.
 *
 * Uploading: workers take the next entry in file order from a counter, so the disk is read
 * forwards; most of the time goes into rearranging, which is why there are several.
 */
#include "runtime/model/weights.h"

#include "runtime/base/checked.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_CAP_BYTES ((size_t)64 << 20)
#define MAX_THREADS     64u

void drift_weight_set_init(struct drift_weight_set *set, const struct drift_gguf *gguf)
{
    *set = (struct drift_weight_set){.gguf = gguf};
    drift_arena_init(&set->arena, DRIFT_TAG_MODEL, ARENA_CAP_BYTES);
}

void drift_weight_set_fini(struct drift_weight_set *set)
{
    for (uint32_t i = 0; i < set->n; i++)
        drift_weight_destroy(set->entries[i].weight);
    drift_free(set->entries);
    drift_arena_fini(&set->arena);
    *set = (struct drift_weight_set){0};
}

static struct drift_weight_entry *find(const struct drift_weight_set *set, const char *name)
{
    for (uint32_t i = 0; i < set->n; i++) {
        if (strcmp(set->entries[i].desc.name, name) == 0)
            return &set->entries[i];
    }
    return NULL;
}

const struct drift_weight_entry *drift_weight_set_find(const struct drift_weight_set *set,
                                                       const char *name)
{
    return find(set, name);
}

static enum drift_status no_memory(const char *name, struct drift_error *err)
{
    return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory to list tensor %s", name);
}

static struct drift_weight_entry *append(struct drift_weight_set *set, const char *name)
{
    if (set->n == set->capacity) {
        uint32_t capacity = set->capacity ? set->capacity * 2 : 256;
        struct drift_weight_entry *entries =
            drift_realloc(DRIFT_TAG_MODEL, set->entries, capacity, sizeof *entries);
        if (!entries)
            return NULL;
        set->entries = entries;
        set->capacity = capacity;
    }
    char *copy = drift_arena_strndup(&set->arena, name, strlen(name));
    if (!copy)
        return NULL;
    struct drift_weight_entry *entry = &set->entries[set->n++];
    *entry = (struct drift_weight_entry){.desc.name = copy};
    return entry;
}

static enum drift_status check_tensor(const struct drift_gguf_tensor *tensor, uint32_t n_rows,
                                      uint32_t n_cols, struct drift_error *err)
{
    uint64_t row_bytes, bytes;
    if (tensor->dims[0] != n_cols || tensor->dims[1] != n_rows || tensor->dims[2] != 1 ||
        tensor->dims[3] != 1)
        return drift_error_set(
            err, DRIFT_STATUS_CORRUPT, 0, "tensor %s is %llu x %llu x %llu x %llu, must be %u x %u",
            tensor->name, (unsigned long long)tensor->dims[0], (unsigned long long)tensor->dims[1],
            (unsigned long long)tensor->dims[2], (unsigned long long)tensor->dims[3], n_cols,
            n_rows);
    if (!tensor->known_type || tensor->dtype == DRIFT_DTYPE_I32)
        return drift_error_set(err, DRIFT_STATUS_UNSUPPORTED, 0,
                               "tensor %s has the data type %s (%u), which is not supported",
                               tensor->name, tensor->type_name, tensor->gguf_type);
    if (!drift_dtype_row_bytes(tensor->dtype, n_cols, &row_bytes) ||
        !drift_mul_u64(row_bytes, n_rows, &bytes) || bytes > tensor->size_bytes)
        return drift_error_set(err, DRIFT_STATUS_CORRUPT, 0,
                               "tensor %s: rows of %u are not whole blocks of %s", tensor->name,
                               n_cols, tensor->type_name);
    return DRIFT_STATUS_OK;
}

enum drift_status drift_weight_set_declare(struct drift_weight_set *set, const char *name,
                                           uint32_t use, uint32_t n_rows, uint32_t n_cols,
                                           const struct drift_weight_entry **ret_entry,
                                           struct drift_error *err)
{
    struct drift_weight_entry *entry = find(set, name);
    const struct drift_gguf_tensor *tensor =
        entry ? entry->tensor : drift_gguf_find_tensor(set->gguf, name);
    if (!tensor)
        return drift_error_set(err, DRIFT_STATUS_NOT_FOUND, 0, "tensor %s is missing", name);
    enum drift_status status = check_tensor(tensor, n_rows, n_cols, err);
    if (status != DRIFT_STATUS_OK)
        return status;
    if ((use & DRIFT_WEIGHT_VECTOR) && tensor->dtype != DRIFT_DTYPE_F32)
        return drift_error_set(err, DRIFT_STATUS_UNSUPPORTED, 0, "tensor %s is %s, must be F32",
                               name, tensor->type_name);
    if (!entry) {
        entry = append(set, name);
        if (!entry)
            return no_memory(name, err);
        entry->tensor = tensor;
        entry->desc.dtype = tensor->dtype;
        entry->desc.n_rows = n_rows;
        entry->desc.n_cols = n_cols;
        entry->desc.data = tensor->data;
    }
    entry->desc.use |= use;
    *ret_entry = entry;
    return DRIFT_STATUS_OK;
}

enum drift_status drift_weight_set_compute(struct drift_weight_set *set, const char *name,
                                           const float *values, uint32_t n_cols,
                                           const struct drift_weight_entry **ret_entry,
                                           struct drift_error *err)
{
    struct drift_weight_entry *entry = find(set, name);
    if (!entry) {
        float *copy = drift_arena_alloc(&set->arena, n_cols, sizeof *copy);
        entry = copy ? append(set, name) : NULL;
        if (!entry)
            return no_memory(name, err);
        memcpy(copy, values, n_cols * sizeof *copy);
        entry->desc.dtype = DRIFT_DTYPE_F32;
        entry->desc.n_rows = 1;
        entry->desc.n_cols = n_cols;
        entry->desc.use = DRIFT_WEIGHT_VECTOR;
        entry->desc.data = copy;
    }
    *ret_entry = entry;
    return DRIFT_STATUS_OK;
}

uint64_t drift_weight_set_device_bytes(const struct drift_weight_set *set,
                                       const struct drift_device *device)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < set->n; i++) {
        if (set->entries[i].desc.use != 0)
            sum += drift_weight_bytes(device, &set->entries[i].desc);
    }
    return sum;
}

static uint64_t entry_file_bytes(const struct drift_weight_entry *entry)
{
    return entry->tensor ? entry->tensor->size_bytes : 0;
}

uint64_t drift_weight_set_file_bytes(const struct drift_weight_set *set)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < set->n; i++)
        sum += entry_file_bytes(&set->entries[i]);
    return sum;
}

/* ---- uploading ---- */

struct upload {
    struct drift_weight_set *set;
    struct drift_device *device;
    struct drift_weight_entry **order; /* [set->n] by place in the file */
    atomic_uint next;
    atomic_bool stop;
    const atomic_bool *cancel;
    pthread_mutex_t lock; /* guards what follows, and is held while progress is called */
    drift_weight_progress_fn progress;
    void *ctx;
    uint64_t done_bytes, total_bytes;
    struct drift_error error; /* the first one */
};

static int by_offset(const void *a, const void *b)
{
    const struct drift_weight_entry *x = *(struct drift_weight_entry *const *)a;
    const struct drift_weight_entry *y = *(struct drift_weight_entry *const *)b;
    uint64_t p = x->tensor ? x->tensor->offset_bytes : 0;
    uint64_t q = y->tensor ? y->tensor->offset_bytes : 0;
    return (p > q) - (p < q);
}

static void fail(struct upload *up, const struct drift_error *error)
{
    pthread_mutex_lock(&up->lock);
    if (up->error.status == DRIFT_STATUS_OK)
        up->error = *error;
    pthread_mutex_unlock(&up->lock);
    atomic_store(&up->stop, true);
}

static void upload_entry(struct upload *up, struct drift_weight_entry *entry)
{
    struct drift_error error = {0};
    if (entry->desc.use != 0 && !entry->weight &&
        drift_weight_create(up->device, &entry->desc, &entry->weight, &error) != DRIFT_STATUS_OK) {
        drift_error_prefix(&error, "tensor %s", entry->desc.name);
        fail(up, &error);
        return;
    }
    /* A table that is used in place comes back from the page cache, row by row, as tokens need it. */
    if (entry->tensor)
        drift_gguf_drop_tensor(up->set->gguf, entry->tensor);
    pthread_mutex_lock(&up->lock);
    up->done_bytes += entry_file_bytes(entry);
    if (up->progress)
        up->progress(up->ctx, up->done_bytes, up->total_bytes);
    pthread_mutex_unlock(&up->lock);
}

static void *upload_main(void *arg)
{
    struct upload *up = arg;
    while (!atomic_load(&up->stop)) {
        if (up->cancel && atomic_load(up->cancel)) {
            struct drift_error error = {.status = DRIFT_STATUS_CANCELLED,
                                        .msg = "loading was abandoned"};
            fail(up, &error);
            break;
        }
        unsigned i = atomic_fetch_add(&up->next, 1);
        if (i >= up->set->n)
            break;
        upload_entry(up, up->order[i]);
    }
    return NULL;
}

/* The calling thread works too; fewer threads than asked for is no error. */
static void run_threads(struct upload *up, uint32_t n_threads)
{
    pthread_t threads[MAX_THREADS];
    uint32_t n = 0;
    while (n + 1 < n_threads && pthread_create(&threads[n], NULL, upload_main, up) == 0)
        n++;
    upload_main(up);
    while (n-- > 0)
        pthread_join(threads[n], NULL);
}

enum drift_status drift_weight_set_upload(struct drift_weight_set *set, struct drift_device *device,
                                          uint32_t n_threads, drift_weight_progress_fn progress,
                                          void *ctx, const atomic_bool *cancel,
                                          struct drift_error *err)
{
    struct upload up = {.set = set,
                        .device = device,
                        .cancel = cancel,
                        .progress = progress,
                        .ctx = ctx,
                        .total_bytes = drift_weight_set_file_bytes(set)};
    up.order = drift_alloc(DRIFT_TAG_MODEL, set->n, sizeof(struct drift_weight_entry *));
    if (!up.order)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory to upload weights");
    for (uint32_t i = 0; i < set->n; i++)
        up.order[i] = &set->entries[i];
    qsort(up.order, set->n, sizeof(struct drift_weight_entry *), by_offset);
    pthread_mutex_init(&up.lock, NULL);
    run_threads(&up, n_threads < 1 ? 1 : n_threads < MAX_THREADS ? n_threads : MAX_THREADS);
    pthread_mutex_destroy(&up.lock);
    drift_free(up.order);
    if (up.error.status != DRIFT_STATUS_OK && err)
        *err = up.error;
    return up.error.status;
}

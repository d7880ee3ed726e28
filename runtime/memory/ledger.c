/*
 * A flat array of accounts under one leaf mutex: a device has a handful of models, six kinds each,
 * and the ledger is touched when something is loaded or grown, not per token.
 */
#include "runtime/memory/ledger.h"

#include "runtime/base/alloc.h"
#include "runtime/base/buffer.h"
#include "runtime/base/checked.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct drift_ledger {
    pthread_mutex_t lock; /* leaf: nothing else is locked or called out to while it is held */
    uint64_t budget, reserved;
    struct drift_ledger_account *accounts;
    size_t n, capacity;
};

static const char *const kind_names[DRIFT_LEDGER_KIND_COUNT] = {
#define X(id, name) [DRIFT_LEDGER_##id] = name,
    DRIFT_LEDGER_KIND_MAP(X)
#undef X
};

const char *drift_ledger_kind_name(enum drift_ledger_kind kind)
{
    return (unsigned)kind < DRIFT_LEDGER_KIND_COUNT ? kind_names[kind] : "?";
}

const char *drift_bytes_text(uint64_t bytes, char text[24])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) {
        snprintf(text, 24, "%u B", (unsigned)bytes);
        return text;
    }
    double value = (double)bytes / 1024;
    size_t unit = 0;
    while (value >= 1024 && unit + 1 < DRIFT_COUNT_OF(units)) {
        value /= 1024;
        unit++;
    }
    snprintf(text, 24, "%.*f %s", value < 10 ? 2 : 1, value, units[unit]);
    return text;
}

enum drift_status drift_ledger_create(uint64_t budget_bytes, uint64_t margin_bytes,
                                      struct drift_ledger **ret_ledger, struct drift_error *err)
{
    if (margin_bytes > budget_bytes)
        return drift_error_set(err, DRIFT_STATUS_INVALID, 0,
                               "the margin (%llu bytes) exceeds the memory budget (%llu bytes)",
                               (unsigned long long)margin_bytes, (unsigned long long)budget_bytes);
    struct drift_ledger *ledger = drift_alloc(DRIFT_TAG_ENGINE, 1, sizeof *ledger);
    if (!ledger)
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a ledger");
    pthread_mutex_init(&ledger->lock, NULL);
    ledger->budget = budget_bytes;
    struct drift_ledger_item margin = {DRIFT_LEDGER_MARGIN, margin_bytes};
    enum drift_status status = drift_ledger_reserve(ledger, "", &margin, 1, err);
    if (status != DRIFT_STATUS_OK) {
        drift_ledger_destroy(ledger);
        return status;
    }
    *ret_ledger = ledger;
    return DRIFT_STATUS_OK;
}

void drift_ledger_destroy(struct drift_ledger *ledger)
{
    if (!ledger)
        return;
    pthread_mutex_destroy(&ledger->lock);
    drift_free(ledger->accounts);
    drift_free(ledger);
}

/* Everything below up to the public functions: lock held. */

static struct drift_ledger_account *find(struct drift_ledger *ledger, const char *owner,
                                         enum drift_ledger_kind kind)
{
    for (size_t i = 0; i < ledger->n; i++) {
        struct drift_ledger_account *account = &ledger->accounts[i];
        if (account->kind == kind && strcmp(account->owner, owner) == 0)
            return account;
    }
    return NULL;
}

static bool make_room(struct drift_ledger *ledger, size_t n)
{
    if (ledger->capacity - ledger->n >= n)
        return true;
    size_t capacity = ledger->capacity * 2 + n;
    struct drift_ledger_account *accounts =
        drift_realloc(DRIFT_TAG_ENGINE, ledger->accounts, capacity, sizeof *accounts);
    if (!accounts)
        return false;
    ledger->accounts = accounts;
    ledger->capacity = capacity;
    return true;
}

static void remove_account(struct drift_ledger *ledger, struct drift_ledger_account *account)
{
    *account = ledger->accounts[--ledger->n];
}

/* "weights 94.1 MiB, kv 22.5 MiB" of sums by kind. */
static void describe(struct drift_buf *text, const uint64_t by_kind[DRIFT_LEDGER_KIND_COUNT])
{
    const char *separator = "";
    char number[24];
    for (unsigned i = 0; i < DRIFT_LEDGER_KIND_COUNT; i++) {
        if (by_kind[i] == 0)
            continue;
        drift_buf_printf(text, "%s%s %s", separator, kind_names[i],
                         drift_bytes_text(by_kind[i], number));
        separator = ", ";
    }
}

static void sum_reserved(const struct drift_ledger *ledger,
                         uint64_t by_kind[DRIFT_LEDGER_KIND_COUNT])
{
    memset(by_kind, 0, DRIFT_LEDGER_KIND_COUNT * sizeof by_kind[0]);
    for (size_t i = 0; i < ledger->n; i++)
        by_kind[ledger->accounts[i].kind] += ledger->accounts[i].reserved_bytes;
}

static enum drift_status refuse(const struct drift_ledger *ledger, const char *owner,
                                const struct drift_ledger_item *items, size_t n, uint64_t wanted,
                                struct drift_error *err)
{
    uint64_t want_kind[DRIFT_LEDGER_KIND_COUNT] = {0}, have_kind[DRIFT_LEDGER_KIND_COUNT];
    for (size_t i = 0; i < n; i++)
        want_kind[items[i].kind] += items[i].bytes;
    sum_reserved(ledger, have_kind);
    struct drift_buf want, have;
    drift_buf_init(&want, DRIFT_TAG_ENGINE, 256);
    drift_buf_init(&have, DRIFT_TAG_ENGINE, 256);
    describe(&want, want_kind);
    describe(&have, have_kind);
    char a[24], b[24], c[24];
    enum drift_status status = drift_error_set(
        err, DRIFT_STATUS_NO_MEMORY, 0,
        "%s needs %s (%s); %s of the budget of %s are reserved (%s)", *owner ? owner : "the device",
        drift_bytes_text(wanted, a), drift_buf_cstr(&want), drift_bytes_text(ledger->reserved, b),
        drift_bytes_text(ledger->budget, c), drift_buf_cstr(&have));
    drift_buf_fini(&want);
    drift_buf_fini(&have);
    return status;
}

static enum drift_status reserve(struct drift_ledger *ledger, const char *owner,
                                 const struct drift_ledger_item *items, size_t n,
                                 struct drift_error *err)
{
    uint64_t wanted = 0, sum;
    for (size_t i = 0; i < n; i++) {
        DRIFT_ASSERT((unsigned)items[i].kind < DRIFT_LEDGER_KIND_COUNT);
        if (!drift_add_u64(wanted, items[i].bytes, &wanted))
            return refuse(ledger, owner, items, n, UINT64_MAX, err);
    }
    if (!drift_add_u64(ledger->reserved, wanted, &sum) || sum > ledger->budget)
        return refuse(ledger, owner, items, n, wanted, err);
    if (!make_room(ledger, n))
        return drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0, "no memory for a ledger account");
    for (size_t i = 0; i < n; i++) {
        struct drift_ledger_account *account = find(ledger, owner, items[i].kind);
        if (!account) {
            account = &ledger->accounts[ledger->n++];
            *account = (struct drift_ledger_account){.kind = items[i].kind};
            snprintf(account->owner, sizeof account->owner, "%s", owner);
        }
        account->reserved_bytes += items[i].bytes;
    }
    ledger->reserved = sum;
    return DRIFT_STATUS_OK;
}

enum drift_status drift_ledger_reserve(struct drift_ledger *ledger, const char *owner,
                                       const struct drift_ledger_item *items, size_t n,
                                       struct drift_error *err)
{
    if (strlen(owner) >= DRIFT_LEDGER_OWNER_BYTES)
        return drift_error_set(err, DRIFT_STATUS_LIMIT, 0, "a ledger owner's name is over %d bytes",
                               DRIFT_LEDGER_OWNER_BYTES - 1);
    pthread_mutex_lock(&ledger->lock);
    enum drift_status status = reserve(ledger, owner, items, n, err);
    pthread_mutex_unlock(&ledger->lock);
    return status;
}

enum drift_status drift_ledger_set_budget(struct drift_ledger *ledger, uint64_t budget_bytes,
                                          struct drift_error *err)
{
    enum drift_status status = DRIFT_STATUS_OK;
    char a[24], b[24];
    pthread_mutex_lock(&ledger->lock);
    if (ledger->reserved > budget_bytes)
        status = drift_error_set(
            err, DRIFT_STATUS_NO_MEMORY, 0, "%s are reserved, more than a budget of %s",
            drift_bytes_text(ledger->reserved, a), drift_bytes_text(budget_bytes, b));
    else
        ledger->budget = budget_bytes;
    pthread_mutex_unlock(&ledger->lock);
    return status;
}

enum drift_status drift_ledger_commit(struct drift_ledger *ledger, const char *owner,
                                      enum drift_ledger_kind kind, uint64_t bytes,
                                      struct drift_error *err)
{
    enum drift_status status = DRIFT_STATUS_OK;
    char a[24], b[24];
    pthread_mutex_lock(&ledger->lock);
    struct drift_ledger_account *account = find(ledger, owner, kind);
    uint64_t left = account ? account->reserved_bytes - account->committed_bytes : 0;
    if (bytes > left)
        status = drift_error_set(err, DRIFT_STATUS_NO_MEMORY, 0,
                                 "%s is about to allocate %s for %s, but only %s are reserved",
                                 *owner ? owner : "the device", drift_bytes_text(bytes, a),
                                 drift_ledger_kind_name(kind), drift_bytes_text(left, b));
    else if (account)
        account->committed_bytes += bytes;
    pthread_mutex_unlock(&ledger->lock);
    return status;
}

void drift_ledger_uncommit(struct drift_ledger *ledger, const char *owner,
                           enum drift_ledger_kind kind, uint64_t bytes)
{
    pthread_mutex_lock(&ledger->lock);
    struct drift_ledger_account *account = find(ledger, owner, kind);
    DRIFT_ASSERT(bytes == 0 || (account && bytes <= account->committed_bytes));
    if (account)
        account->committed_bytes -= bytes;
    pthread_mutex_unlock(&ledger->lock);
}

void drift_ledger_release(struct drift_ledger *ledger, const char *owner,
                          enum drift_ledger_kind kind, uint64_t bytes)
{
    pthread_mutex_lock(&ledger->lock);
    struct drift_ledger_account *account = find(ledger, owner, kind);
    DRIFT_ASSERT(bytes == 0 ||
                 (account && bytes <= account->reserved_bytes - account->committed_bytes));
    if (account) {
        account->reserved_bytes -= bytes;
        ledger->reserved -= bytes;
        if (account->reserved_bytes == 0)
            remove_account(ledger, account);
    }
    pthread_mutex_unlock(&ledger->lock);
}

void drift_ledger_release_owner(struct drift_ledger *ledger, const char *owner)
{
    pthread_mutex_lock(&ledger->lock);
    for (size_t i = ledger->n; i-- > 0;) {
        if (strcmp(ledger->accounts[i].owner, owner) != 0)
            continue;
        ledger->reserved -= ledger->accounts[i].reserved_bytes;
        remove_account(ledger, &ledger->accounts[i]);
    }
    pthread_mutex_unlock(&ledger->lock);
}

void drift_ledger_get_usage(struct drift_ledger *ledger, struct drift_ledger_usage *ret_usage)
{
    struct drift_ledger_usage usage = {0};
    pthread_mutex_lock(&ledger->lock);
    usage.budget_bytes = ledger->budget;
    usage.reserved_bytes = ledger->reserved;
    for (size_t i = 0; i < ledger->n; i++) {
        const struct drift_ledger_account *account = &ledger->accounts[i];
        usage.committed_bytes += account->committed_bytes;
        usage.reserved_by_kind[account->kind] += account->reserved_bytes;
        usage.committed_by_kind[account->kind] += account->committed_bytes;
    }
    pthread_mutex_unlock(&ledger->lock);
    *ret_usage = usage;
}

void drift_ledger_list(struct drift_ledger *ledger, struct drift_ledger_account *accounts,
                       size_t max, size_t *ret_n)
{
    pthread_mutex_lock(&ledger->lock);
    size_t n = ledger->n < max ? ledger->n : max;
    if (n)
        memcpy(accounts, ledger->accounts, n * sizeof accounts[0]);
    *ret_n = ledger->n;
    pthread_mutex_unlock(&ledger->lock);
}

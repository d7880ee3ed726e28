/*
 * Who may hold how many bytes of a device: reserve, then commit, then allocate.
 *
 * One ledger per device. Accounts belong to a model (weights, KV, programs) or to the device itself
 * (arena, staging, margin; owner ""). A reservation is a promise that later allocations keep to;
 * the sum of all reservations never exceeds the budget (DESIGN §9.1). The ledger only counts: it
 * allocates nothing on the device and frees nothing to make room (that is the caller's policy).
 */
#ifndef DRIFT_RUNTIME_MEMORY_LEDGER_H
#define DRIFT_RUNTIME_MEMORY_LEDGER_H

#include "runtime/base/error.h"

#include <stddef.h>
#include <stdint.h>

/* X(enumerator, name) */
#define DRIFT_LEDGER_KIND_MAP(X)                                                                   \
    X(WEIGHTS, "weights")                                                                          \
    X(KV, "kv")                                                                                    \
    X(PROGRAMS, "programs")                                                                        \
    X(ARENA, "arena")                                                                              \
    X(STAGING, "staging")                                                                          \
    X(MARGIN, "margin")

enum drift_ledger_kind {
#define X(id, name) DRIFT_LEDGER_##id,
    DRIFT_LEDGER_KIND_MAP(X)
#undef X
        DRIFT_LEDGER_KIND_COUNT
};

#define DRIFT_LEDGER_OWNER_BYTES 128

struct drift_ledger;

/* Start with nothing reserved but the margin. Errors: INVALID (margin > budget), NO_MEMORY. */
enum drift_status drift_ledger_create(uint64_t budget_bytes, uint64_t margin_bytes,
                                      struct drift_ledger **ret_ledger,
                                      struct drift_error *err) DRIFT_MUST_USE;
/* NULL is accepted. */
void drift_ledger_destroy(struct drift_ledger *ledger);
/*
 * The budget has changed because other programs use the device too. Errors: NO_MEMORY when more
 * than that is reserved already (with the numbers; the old budget stays and the caller must reclaim
 * first). Thread: any.
 */
enum drift_status drift_ledger_set_budget(struct drift_ledger *ledger, uint64_t budget_bytes,
                                          struct drift_error *err) DRIFT_MUST_USE;

/* How much an owner wants for what. */
struct drift_ledger_item {
    enum drift_ledger_kind kind;
    uint64_t bytes;
};

/*
 * Add to what owner (a model's name, "" for the device) holds reserved: all items or none. Errors:
 * NO_MEMORY with what is wanted, what is reserved by kind and the budget in the message; LIMIT
 * (owner's name too long). Thread: any.
 */
enum drift_status drift_ledger_reserve(struct drift_ledger *ledger, const char *owner,
                                       const struct drift_ledger_item *items, size_t n,
                                       struct drift_error *err) DRIFT_MUST_USE;
/*
 * The owner is about to allocate bytes out of its reservation. Errors: NO_MEMORY when that exceeds
 * what is reserved and not yet committed (the reservation was too small). Thread: any.
 */
enum drift_status drift_ledger_commit(struct drift_ledger *ledger, const char *owner,
                                      enum drift_ledger_kind kind, uint64_t bytes,
                                      struct drift_error *err) DRIFT_MUST_USE;
/* The bytes were freed on the device; they stay reserved. More than is committed is a programming
 * error. */
void drift_ledger_uncommit(struct drift_ledger *ledger, const char *owner,
                           enum drift_ledger_kind kind, uint64_t bytes);
/* Give uncommitted bytes of a reservation back. More than is uncommitted is a programming error. */
void drift_ledger_release(struct drift_ledger *ledger, const char *owner,
                          enum drift_ledger_kind kind, uint64_t bytes);
/* Forget everything that owner holds, committed or not (it has freed it); unknown owners are fine.
 * Thread: any. */
void drift_ledger_release_owner(struct drift_ledger *ledger, const char *owner);

struct drift_ledger_usage {
    uint64_t budget_bytes;
    uint64_t reserved_bytes, committed_bytes; /* sums; committed <= reserved <= budget */
    uint64_t reserved_by_kind[DRIFT_LEDGER_KIND_COUNT];
    uint64_t committed_by_kind[DRIFT_LEDGER_KIND_COUNT];
};
void drift_ledger_get_usage(struct drift_ledger *ledger, struct drift_ledger_usage *ret_usage);

/* One line of the ledger, a value. */
struct drift_ledger_account {
    char owner[DRIFT_LEDGER_OWNER_BYTES];
    enum drift_ledger_kind kind;
    uint64_t reserved_bytes, committed_bytes;
};
/* Copy up to max accounts; *ret_n is how many there are. Thread: any. */
void drift_ledger_list(struct drift_ledger *ledger, struct drift_ledger_account *accounts,
                       size_t max, size_t *ret_n);

const char *drift_ledger_kind_name(enum drift_ledger_kind kind);
/* "94.1 MiB", "1.20 GiB", "512 B": for messages. Returns text. */
const char *drift_bytes_text(uint64_t bytes, char text[24]);

#endif

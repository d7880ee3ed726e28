/* Overflow-checked arithmetic for sizes that come from outside. True means the result is valid. */
#ifndef DRIFT_RUNTIME_BASE_CHECKED_H
#define DRIFT_RUNTIME_BASE_CHECKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool drift_add_u64(uint64_t a, uint64_t b, uint64_t *sum)
{
    return !__builtin_add_overflow(a, b, sum);
}

static inline bool drift_mul_u64(uint64_t a, uint64_t b, uint64_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}

static inline bool drift_mul_size(size_t a, size_t b, size_t *product)
{
    return !__builtin_mul_overflow(a, b, product);
}

/* Round up to a multiple of align (a power of two). */
static inline bool drift_align_u64(uint64_t a, uint64_t align, uint64_t *aligned)
{
    if (!drift_add_u64(a, align - 1, aligned))
        return false;
    *aligned &= ~(align - 1);
    return true;
}

#endif

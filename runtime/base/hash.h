/* A 64-bit hash for tables and fingerprints (not for secrets), and random bytes from the kernel. */
#ifndef DRIFT_RUNTIME_BASE_HASH_H
#define DRIFT_RUNTIME_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* Hash len bytes; the same on every machine and in every version (it names cache files). Chain by passing the last result as seed. */
uint64_t drift_hash64(const void *data, size_t len, uint64_t seed);
/* Fill with bytes nobody can guess (getrandom). Used for ids and for table seeds. */
void drift_random_bytes(void *data, size_t len);

#endif

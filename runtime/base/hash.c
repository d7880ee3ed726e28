/*
 * The 64-bit hash is XXH64 (specification: xxHash fast digest algorithm, version 0.1.1), because
 * its values are published and other programs can check ours. It is not safe against chosen keys:
 * tables filled from outside must not rely on it for their speed.
 */
#include "runtime/base/hash.h"

#include "runtime/base/status.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define P1 0x9E3779B185EBCA87u
#define P2 0xC2B2AE3D27D4EB4Fu
#define P3 0x165667B19E3779F9u
#define P4 0x85EBCA77C2B2AE63u
#define P5 0x27D4EB2F165667C5u

#define STRIPE_BYTES 32u
#define N_LANES      4u

static uint64_t rotl(uint64_t v, unsigned n)
{
    return v << n | v >> (64 - n);
}

static uint64_t load_le(const uint8_t *p, unsigned n_bytes)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < n_bytes; i++)
        v |= (uint64_t)p[i] << 8 * i;
    return v;
}

static uint64_t round64(uint64_t lane, uint64_t word)
{
    return rotl(lane + word * P2, 31) * P1;
}

static uint64_t hash_stripes(const uint8_t **p, size_t *len, uint64_t seed)
{
    uint64_t lane[N_LANES] = {seed + P1 + P2, seed + P2, seed, seed - P1};
    for (; *len >= STRIPE_BYTES; *p += STRIPE_BYTES, *len -= STRIPE_BYTES)
        for (unsigned i = 0; i < N_LANES; i++)
            lane[i] = round64(lane[i], load_le(*p + 8 * i, 8));
    uint64_t h = rotl(lane[0], 1) + rotl(lane[1], 7) + rotl(lane[2], 12) + rotl(lane[3], 18);
    for (unsigned i = 0; i < N_LANES; i++)
        h = (h ^ round64(0, lane[i])) * P1 + P4;
    return h;
}

uint64_t drift_hash64(const void *data, size_t len, uint64_t seed)
{
    const uint8_t *p = data;
    size_t total = len;
    uint64_t h = len >= STRIPE_BYTES ? hash_stripes(&p, &len, seed) : seed + P5;
    h += total;
    for (; len >= 8; p += 8, len -= 8)
        h = rotl(h ^ round64(0, load_le(p, 8)), 27) * P1 + P4;
    if (len >= 4) {
        h = rotl(h ^ load_le(p, 4) * P1, 23) * P2 + P3;
        p += 4;
        len -= 4;
    }
    for (; len > 0; p++, len--)
        h = rotl(h ^ *p * P5, 11) * P1;
    h = (h ^ h >> 33) * P2;
    h = (h ^ h >> 29) * P3;
    return h ^ h >> 32;
}

void drift_random_bytes(void *data, size_t len)
{
    uint8_t *p = data;
    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0) {
            /* Every supported kernel has the call; guessable ids would be worse than stopping. */
            DRIFT_ASSERT(errno == EINTR);
            continue;
        }
        p += n;
        len -= (size_t)n;
    }
}

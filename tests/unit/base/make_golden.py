#!/usr/bin/env python3
"""Write golden_base.h: XXH64 values by the xxhash package, block sizes by the gguf package.

usage: make_golden.py > golden_base.h        (needs: pip install xxhash gguf)
"""
import gguf
import xxhash


def sample(n):
    """The bytes that the test makes in the same way."""
    return bytes((i * 131 + 7) & 0xFF for i in range(n))


print("/* Made by make_golden.py; do not edit. */\n#include <stddef.h>\n#include <stdint.h>\n")
print("static const struct {\n    size_t len;\n    uint64_t seed, hash;\n} golden_hashes[] = {")
for seed in (0, 1, 0x9E3779B185EBCA87):
    for n in (0, 1, 3, 4, 5, 7, 8, 9, 12, 15, 16, 31, 32, 33, 47, 63, 64, 65, 100, 255, 1000):
        print(f"    {{{n}, 0x{seed:x}u, 0x{xxhash.xxh64_intdigest(sample(n), seed):016x}u}},")
print("};\n")
print("static const struct {\n    const char *name;\n    uint32_t gguf_type, n_elements, n_bytes;\n} golden_dtypes[] = {")
for name in "F32 F16 BF16 I32 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q4_K Q5_K Q6_K".split():
    kind = gguf.GGMLQuantizationType[name]
    n_elements, n_bytes = gguf.GGML_QUANT_SIZES[kind]
    print(f'    {{"{name}", {kind.value}, {n_elements}, {n_bytes}}},')
print("};")

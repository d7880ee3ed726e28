#!/usr/bin/env python3
"""Write tests/unit/backends/golden_dequant.h: random blocks of every data type and the values they stand for,
according to the `gguf` package (an implementation independent of ours).

usage: make_dequant_cases.py > tests/unit/backends/golden_dequant.h
"""
import numpy as np
from gguf import GGMLQuantizationType as T
from gguf.quants import dequantize

# type, blocks, elements per block, bytes per block, byte offsets of f16 fields
TYPES = [
    (T.Q4_0, 3, 32, 18, [0]),
    (T.Q4_1, 3, 32, 20, [0, 2]),
    (T.Q5_0, 3, 32, 22, [0]),
    (T.Q5_1, 3, 32, 24, [0, 2]),
    (T.Q8_0, 3, 32, 34, [0]),
    (T.Q4_K, 2, 256, 144, [0, 2]),
    (T.Q5_K, 2, 256, 176, [0, 2]),
    (T.Q6_K, 2, 256, 210, [208]),
]
# zero, subnormals, the smallest normal, one, the largest, infinity: every path of the conversion
HALVES = [0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x3C00, 0xBC01, 0x3555, 0x7BFF, 0xFBFF, 0x7C00, 0xFC00]


def rows(values, fmt, per_line):
    lines = []
    for i in range(0, len(values), per_line):
        lines.append("    " + ", ".join(fmt.format(v) for v in values[i:i + per_line]) + ",")
    return "\n".join(lines)


def emit(name, data, values):
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32).ravel()
    print(f"static const uint8_t golden_{name}_bytes[] = {{\n{rows(list(data), '{}', 20)}\n}};")
    print(f"static const uint32_t golden_{name}_values[] = {{\n{rows(list(bits), '{:#010x}', 8)}\n}};\n")


def main():
    rng = np.random.default_rng(20250505)
    print("/* Made by tests/oracle/make_dequant_cases.py; values are the bits of f32. */")
    print("#include <stdint.h>\n")
    print("/* clang-format off */")
    for qtype, n_blocks, n_elements, n_bytes, halves in TYPES:
        blocks = rng.integers(0, 256, (n_blocks, n_bytes), dtype=np.uint8)
        for offset in halves:
            scales = rng.uniform(-0.5, 0.5, n_blocks).astype(np.float16)
            blocks[:, offset:offset + 2] = scales.view(np.uint8).reshape(n_blocks, 2)
        emit(qtype.name, blocks.ravel(), dequantize(blocks.reshape(1, -1), qtype))
    halves = np.array(HALVES + list(rng.integers(0, 0x7C00, 20)), dtype=np.uint16)
    emit("F16", halves.view(np.uint8), halves.view(np.float16).astype(np.float32))
    bf16 = rng.integers(0, 0x7F80, 16, dtype=np.uint16)
    emit("BF16", bf16.view(np.uint8), dequantize(bf16.view(np.uint8).reshape(1, -1), T.BF16))
    print("/* clang-format on */")


if __name__ == "__main__":
    main()

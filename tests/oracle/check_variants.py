"""Small models with random weights, one per variant of an architecture, against forward.py.

usage: check_variants.py ORACLE_LOGITS [--device ID] [--keep FOLDER] [--only NAME]

Each case is a GGUF file written here with the `gguf` package: grouped heads, tied and separate output, biases, partial
rotation, every rotary scaling, windows, soft caps, all data types. Their logits are compared entry by entry with
everything in float32 (CPU: --float-activations; both: --kv f32), as a share of the logits' spread. On the CPU it also
holds that quantized activations stay close, and that logits are byte-equal whatever the chunk and the kernel
family. Exit status: 0 when all hold.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from gguf import GGMLQuantizationType as Type
from gguf import GGUFWriter
from gguf.quants import quantize

from forward import Model

N_TOKENS = 75  # across two page boundaries
N_VOCAB = 320

BASE = dict(block_count=2, context_length=128, embedding_length=64, feed_forward_length=96,
            head_count=4, head_count_kv=2, eps=1e-5)

# name, architecture, sizes that differ from BASE, further metadata, options
CASES = [
    ("grouped-tied", "llama", {}, {}, {}),
    ("untied-biases", "llama", dict(head_count_kv=4), {}, dict(untied=True, biases="all", types=[Type.F16])),
    ("one-kv-head", "llama", dict(head_count=6, head_count_kv=1, embedding_length=96, feed_forward_length=160), {}, {}),
    ("odd-sizes", "llama", dict(embedding_length=84, head_count=3, head_count_kv=3, feed_forward_length=100), {}, {}),
    ("partial-rotation", "llama", {}, {"rope.dimension_count": 8}, {}),
    ("linear", "llama", {}, {"rope.scaling.type": "linear", "rope.scaling.factor": 4.0}, {}),
    ("yarn", "llama", {}, {"rope.scaling.type": "yarn", "rope.scaling.factor": 8.0,
                           "rope.scaling.original_context_length": 16, "rope.freq_base": 500.0}, {}),
    ("divisors", "llama", {}, {"rope.freq_base": 500000.0}, dict(rope_freqs=True)),
    ("wide-heads", "llama", {}, {"attention.key_length": 32, "attention.value_length": 32}, {}),
    ("bf16", "llama", {}, {}, dict(types=[Type.BF16])),
    ("blocks", "llama", {}, {}, dict(untied=True, types=[Type.Q4_0, Type.Q4_1, Type.Q5_0, Type.Q5_1, Type.Q8_0])),
    ("qwen2", "qwen2", {}, {"rope.freq_base": 1e6}, dict(biases="qkv", types=[Type.Q8_0, Type.F16])),
    ("qwen2-untied", "qwen2", {}, {}, dict(biases="qkv", untied=True)),
    ("qwen3", "qwen3", {}, {"attention.key_length": 32, "attention.value_length": 32}, dict(types=[Type.Q8_0])),
    ("qwen3-untied-yarn", "qwen3", {}, {"rope.scaling.type": "yarn", "rope.scaling.factor": 4.0,
                                        "rope.scaling.original_context_length": 32}, dict(untied=True)),
    ("gemma2", "gemma2", dict(block_count=4),
     {"attention.key_length": 32, "attention.value_length": 32, "attention.sliding_window": 20}, {}),
    ("gemma3", "gemma3", dict(block_count=7, head_count_kv=1),
     {"attention.key_length": 32, "attention.value_length": 32, "attention.sliding_window": 16,
      "rope.freq_base": 1e6}, {}),
    ("gemma3-no-window", "gemma3", {}, {}, {}),
    ("gemma3-pattern", "gemma3", dict(block_count=3),
     {"attention.sliding_window": 9, "attention.sliding_window_pattern": [True, False, True],
      "rope.freq_base_swa": 500.0, "rope.scaling.type": "linear", "rope.scaling.factor": 8.0,
      "attn_logit_softcapping": 5.0, "final_logit_softcapping": 3.0, "attention.scale": 0.3},
     dict(types=[Type.Q8_0])),
]


class Maker:
    def __init__(self, path, arch, sizes, meta, options, seed):
        self.random = np.random.default_rng(seed)
        self.writer = GGUFWriter(path, arch)
        self.arch, self.s, self.meta, self.options = arch, {**BASE, **sizes}, meta, options
        self.n_matrices = 0

    def add_meta(self):
        s, w = self.s, self.writer
        w.add_block_count(s["block_count"])
        w.add_context_length(s["context_length"])
        w.add_embedding_length(s["embedding_length"])
        w.add_feed_forward_length(s["feed_forward_length"])
        w.add_head_count(s["head_count"])
        w.add_head_count_kv(s["head_count_kv"])
        w.add_layer_norm_rms_eps(s["eps"])
        for key, value in self.meta.items():
            key = f"{self.arch}.{key}"
            add = {int: w.add_uint32, float: w.add_float32, str: w.add_string, list: w.add_array}[type(value)]
            add(key, value)

    def matrix(self, name, n_out, n_in, scale=1.0):
        types = self.options.get("types", [Type.F32])
        kind = types[self.n_matrices % len(types)]
        self.n_matrices += 1
        data = (self.random.standard_normal((n_out, n_in)) * scale / np.sqrt(n_in)).astype(np.float32)
        self.writer.add_tensor(name, quantize(data, kind), raw_dtype=kind)

    def vector(self, name, n, mean=1.0):
        self.writer.add_tensor(name, (mean + 0.2 * self.random.standard_normal(n)).astype(np.float32))

    def add_layer(self, i):
        s, name = self.s, f"blk.{i}."
        n_embd, n_ff = s["embedding_length"], s["feed_forward_length"]
        head_dim = self.meta.get("attention.key_length", n_embd // s["head_count"])
        n_q, n_kv = s["head_count"] * head_dim, s["head_count_kv"] * head_dim
        sizes = {"attn_q": (n_q, n_embd), "attn_k": (n_kv, n_embd), "attn_v": (n_kv, n_embd),
                 "attn_output": (n_embd, n_q), "ffn_gate": (n_ff, n_embd), "ffn_up": (n_ff, n_embd),
                 "ffn_down": (n_embd, n_ff)}
        biases = self.options.get("biases")
        for part, (n_out, n_in) in sizes.items():
            self.matrix(name + part + ".weight", n_out, n_in, 2.0)
            if biases == "all" or (biases == "qkv" and part in ("attn_q", "attn_k", "attn_v")):
                self.vector(name + part + ".bias", n_out, 0.0)
        norms = ["attn_norm", "ffn_norm"]
        if self.arch in ("gemma2", "gemma3"):
            norms += ["post_attention_norm", "post_ffw_norm"]
        for norm in norms:
            self.vector(f"{name}{norm}.weight", n_embd)
        if self.arch in ("qwen3", "gemma3"):
            self.vector(name + "attn_q_norm.weight", head_dim)
            self.vector(name + "attn_k_norm.weight", head_dim)

    def make(self):
        n_embd = self.s["embedding_length"]
        self.add_meta()
        # gemma multiplies by sqrt(n_embd): what the layers add must still count
        self.matrix("token_embd.weight", N_VOCAB, n_embd, 0.5 if self.arch in ("gemma2", "gemma3") else 4.0)
        for i in range(self.s["block_count"]):
            self.add_layer(i)
        self.vector("output_norm.weight", n_embd)
        if self.options.get("untied"):
            self.matrix("output.weight", N_VOCAB, n_embd, 4.0)
        if self.options.get("rope_freqs"):
            n = n_embd // self.s["head_count"] // 2
            self.writer.add_tensor("rope_freqs.weight", np.linspace(1, 8, n).astype(np.float32))
        self.writer.write_header_to_file()
        self.writer.write_kv_data_to_file()
        self.writer.write_tensors_to_file()
        self.writer.close()


def run(program, path, ids, *options):
    result = subprocess.run([program, "--model", path, *options], input=" ".join(map(str, ids)).encode(),
                            capture_output=True)
    if result.returncode != 0:
        raise RuntimeError(result.stderr.decode().strip())
    return np.frombuffer(result.stdout, "<f4").reshape(len(ids), -1)


def mean_kl(want, got):
    def log_softmax(x):
        x = x.astype(np.float64) - x.max(axis=1, keepdims=True)
        return x - np.log(np.exp(x).sum(axis=1, keepdims=True))
    p, q = log_softmax(want), log_softmax(got)
    return (np.exp(p) * (p - q)).sum(axis=1).mean()


def check(program, device, path, ids):
    """What is wrong, as a list of texts; figures of the case."""
    model, wrong = Model(path), []
    want = model.logits(model.hidden(ids))
    exact = ["--device", device, "--kv", "f32"] + (["--float-activations"] if device == "cpu" else [])
    figures = []
    for stage in ("tiled", "thin"):
        got = run(program, path, ids, *exact, "--stage", stage)
        off = np.abs(want - got).max() / want.std()
        figures.append(f"{stage} {off:.1e}")
        if not off <= 1e-4:
            wrong.append(f"{stage}: logits are off by {off:.2g} of their spread")
    if device == "cpu":
        tiled = run(program, path, ids, "--chunk", "64")
        kl = mean_kl(want, tiled)
        figures.append(f"quantized KL {kl:.1e}")
        if not kl <= 2e-2:
            wrong.append(f"quantized activations: mean KL {kl:.2g}")
        for options in (["--chunk", "1"], ["--chunk", "17"], ["--stage", "thin"], ["--threads", "1"]):
            if run(program, path, ids, *options).tobytes() != tiled.tobytes():
                wrong.append(f"{' '.join(options)}: other bytes than --chunk 64")
    return wrong, ", ".join(figures)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("oracle_logits")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--keep")
    parser.add_argument("--only")
    args = parser.parse_args()
    n_wrong = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(args.keep or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for seed, (name, arch, sizes, meta, options) in enumerate(CASES):
            if args.only and args.only != name:
                continue
            path = str(folder / f"{name}.gguf")
            Maker(path, arch, sizes, meta, options, seed).make()
            ids = np.random.default_rng(1000 + seed).integers(0, N_VOCAB, N_TOKENS).tolist()
            try:
                wrong, figures = check(args.oracle_logits, args.device, path, ids)
            except RuntimeError as error:
                wrong, figures = [str(error)], ""
            print(f"{'FAILED' if wrong else 'ok':6} {name}: {figures}", *wrong, sep="\n       ", flush=True)
            n_wrong += bool(wrong)
    sys.exit(1 if n_wrong else 0)


if __name__ == "__main__":
    main()

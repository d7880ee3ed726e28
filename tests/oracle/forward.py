"""An independent float32 forward pass over the de-quantized weights of a GGUF file, in numpy.

Written from the papers and the published model definitions, for llama, qwen2, qwen3, gemma2 and gemma3;
it shares nothing with the runtime. Weights come through the `gguf` package. Slow and plain on purpose.

usage: forward.py MODEL.gguf ID...     prints the five likeliest next tokens
"""
import sys

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize

HALVES = {"qwen2", "qwen3", "gemma2", "gemma3"}  # rotate (x[i], x[i + n/2]); the others adjacent pairs


class Model:
    def __init__(self, path):
        reader = GGUFReader(path)
        self.meta = {name: field.contents() for name, field in reader.fields.items()
                     if not name.startswith("tokenizer.")}
        self.tensors = {t.name: t for t in reader.tensors}
        self.arch = self.meta["general.architecture"]
        self.n_layers = self.get("block_count")
        self.n_embd = self.get("embedding_length")
        self.n_heads = self.get("attention.head_count")
        self.n_kv_heads = self.get("attention.head_count_kv", self.n_heads)
        self.head_dim = self.get("attention.key_length", self.n_embd // self.n_heads)
        self.n_rot = self.get("rope.dimension_count", self.head_dim)
        self.eps = np.float32(self.get("attention.layer_norm_rms_epsilon"))
        self.is_gemma = self.arch in ("gemma2", "gemma3")
        self.caps = (50.0, 30.0) if self.arch == "gemma2" else (0, 0)  # of attention, of logits
        self.projection = None
        self.n_vocab = int(self.tensors["token_embd.weight"].shape[1])

    def get(self, key, default=None):
        value = self.meta.get(f"{self.arch}.{key}", default)
        return value[0] if isinstance(value, list) and key != "attention.sliding_window_pattern" else value

    def weight(self, name, rows=slice(None)):
        t = self.tensors[name]
        return np.ascontiguousarray(dequantize(t.data[rows], t.tensor_type), dtype=np.float32)

    def is_local(self, layer):
        if not self.is_gemma or not self.get("attention.sliding_window", 0):
            return False
        pattern = self.get("attention.sliding_window_pattern", 2 if self.arch == "gemma2" else 6)
        return bool(pattern[layer]) if isinstance(pattern, list) else layer % pattern < pattern - 1

    # ---- parts ----

    def norm(self, x, name):
        scale = 1 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True, dtype=np.float32) + self.eps)
        return x * scale * self.weight(name)

    def linear(self, x, name):
        y = x @ self.weight(name + ".weight").T
        return y + self.weight(name + ".bias") if name + ".bias" in self.tensors else y

    def yarn(self, freq):
        """YaRN by its paper: blend by how often a pair turns within the original context."""
        factor = self.get("rope.scaling.factor")
        length = self.get("rope.scaling.original_context_length", self.get("context_length"))
        fast = self.get("rope.scaling.yarn_beta_fast", 32.0)
        slow = self.get("rope.scaling.yarn_beta_slow", 1.0)
        base = self.get("rope.freq_base", 10000.0)

        def pair(turns):
            return self.n_rot * np.log(length / (turns * 2 * np.pi)) / (2 * np.log(base))

        low = max(np.floor(pair(fast)), 0)
        high = min(np.ceil(pair(slow)), self.n_rot - 1)
        ramp = np.clip((np.arange(self.n_rot // 2) - low) / max(high - low, 1e-3), 0, 1)
        return freq / factor * ramp + freq * (1 - ramp), 0.1 * np.log(factor) + 1

    def frequencies(self, layer):
        base = self.get("rope.freq_base", 10000.0)
        if self.is_local(layer):
            base = self.get("rope.freq_base_swa", 10000.0 if self.arch == "gemma3" else base)
        freq = base ** (-2.0 * np.arange(self.n_rot // 2) / self.n_rot)
        if self.is_local(layer):
            return freq, 1.0
        if "rope_freqs.weight" in self.tensors:
            freq = freq / self.weight("rope_freqs.weight")
        kind = self.get("rope.scaling.type", "none")
        if kind == "linear":
            freq = freq / self.get("rope.scaling.factor")
        return self.yarn(freq) if kind == "yarn" else (freq, 1.0)

    def rotate(self, x, layer):
        """x [n, heads, head_dim]; positions 0 ... n-1."""
        freq, magnitude = self.frequencies(layer)
        angle = np.arange(x.shape[0])[:, None] * freq[None, :]
        cos = (np.cos(angle) * magnitude).astype(np.float32)[:, None, :]
        sin = (np.sin(angle) * magnitude).astype(np.float32)[:, None, :]
        out, n = x.copy(), self.n_rot
        if self.arch in HALVES:
            first, second = slice(0, n // 2), slice(n // 2, n)
        else:
            first, second = slice(0, n, 2), slice(1, n, 2)
        a, b = x[..., first], x[..., second]
        out[..., first] = a * cos - b * sin
        out[..., second] = b * cos + a * sin
        return out

    def attention(self, x, layer):
        n, name = x.shape[0], f"blk.{layer}."
        q = self.linear(x, name + "attn_q").reshape(n, self.n_heads, self.head_dim)
        k = self.linear(x, name + "attn_k").reshape(n, self.n_kv_heads, self.head_dim)
        v = self.linear(x, name + "attn_v").reshape(n, self.n_kv_heads, self.head_dim)
        if self.arch in ("qwen3", "gemma3"):
            q = self.norm(q, name + "attn_q_norm.weight")
            k = self.norm(k, name + "attn_k_norm.weight")
        q, k = self.rotate(q, layer), self.rotate(k, layer)
        scale = np.float32(self.get("attention.scale", 1 / np.sqrt(self.head_dim)))
        cap = self.get("attn_logit_softcapping", self.caps[0])
        i, j = np.arange(n)[:, None], np.arange(n)[None, :]
        hidden = j > i
        if self.is_local(layer):
            hidden |= j <= i - self.get("attention.sliding_window")
        out = np.empty_like(q)
        for h in range(self.n_heads):
            g = h // (self.n_heads // self.n_kv_heads)
            s = q[:, h] @ k[:, g].T * scale
            if cap:
                s = cap * np.tanh(s / cap)
            s[hidden] = -np.inf
            p = np.exp(s - s.max(axis=1, keepdims=True))
            out[:, h] = (p / p.sum(axis=1, keepdims=True)) @ v[:, g]
        return self.linear(out.reshape(n, -1), name + "attn_output")

    def feed_forward(self, x, layer):
        name = f"blk.{layer}."
        gate = self.linear(x, name + "ffn_gate")
        if self.is_gemma:
            gate = 0.5 * gate * (1 + np.tanh(np.sqrt(2 / np.pi).astype(np.float32) * (gate + 0.044715 * gate**3)))
        else:
            gate = gate / (1 + np.exp(-gate))
        return self.linear(gate * self.linear(x, name + "ffn_up"), name + "ffn_down")

    # ---- the whole ----

    def hidden(self, ids):
        """Token ids of one sequence to the normalized rows before the output projection, [n, n_embd]."""
        with np.errstate(over="ignore"):
            x = self.weight("token_embd.weight", np.asarray(ids))
            if self.is_gemma:
                x = x * np.float32(np.sqrt(self.n_embd))
            for layer in range(self.n_layers):
                name = f"blk.{layer}."
                h = self.attention(self.norm(x, name + "attn_norm.weight"), layer)
                x = x + (self.norm(h, name + "post_attention_norm.weight") if self.is_gemma else h)
                h = self.feed_forward(self.norm(x, name + "ffn_norm.weight"), layer)
                x = x + (self.norm(h, name + "post_ffw_norm.weight") if self.is_gemma else h)
            return self.norm(x, "output_norm.weight")

    def logits(self, hidden):
        """[n, n_embd] to [n, n_vocab]; the projection is de-quantized once and kept."""
        if self.projection is None:
            name = "output.weight" if "output.weight" in self.tensors else "token_embd.weight"
            self.projection = np.empty((self.n_vocab, self.n_embd), np.float32)
            for start in range(0, self.n_vocab, 16384):
                rows = slice(start, min(start + 16384, self.n_vocab))
                self.projection[rows] = self.weight(name, rows)
        out = hidden @ self.projection.T
        cap = self.get("final_logit_softcapping", self.caps[1])
        return cap * np.tanh(out / cap) if cap else out


def main():
    model = Model(sys.argv[1])
    logits = model.logits(model.hidden([int(a) for a in sys.argv[2:]])[-1:])[0]
    for token in logits.argsort()[::-1][:5]:
        print(token, logits[token])


if __name__ == "__main__":
    main()

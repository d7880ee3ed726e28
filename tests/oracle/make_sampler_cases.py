#!/usr/bin/env python3
"""Write tests/data/sampler_cases.json: what the sampler must choose, computed with numpy and a Philox of its own.

Independent of the C code: everything is done on full, sorted float64 arrays. Cases whose outcome would depend on
rounding (a truncation boundary or the draw within 1e-4 of a neighbour) are left out.
"""
import json
import math
import sys

import numpy as np

N_VOCAB = 48
MASK = 0xFFFFFFFF


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 & MASK, (p0 >> 32) ^ c[3] ^ k[1], p0 & MASK]
        k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
    return c


def uniform(seed, stream, n):
    out = philox([n & MASK, n >> 32, stream, 0], [seed & MASK, seed >> 32])
    return (((out[0] << 32) | out[1]) >> 11) * 2.0**-53


class Ambiguous(Exception):
    pass


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def cut(order, p, target):
    """How many of the ordered tokens reach the target probability."""
    cumulated = np.cumsum(p[order])
    if np.abs(cumulated - target).min() < 1e-4:
        raise Ambiguous
    return int(np.argmax(cumulated >= target)) + 1 if (cumulated >= target).any() else len(order)


def choose(logits, params, generated, prompt, n_drawn):
    x = np.array(logits, dtype=np.float64)
    penalty = params["repetition_penalty"]
    history = prompt + generated
    window = params["penalty_window_tokens"]
    recent = history if window < 0 else history[max(0, len(history) - window):]
    if penalty != 1:
        for t in set(recent):
            x[t] = x[t] / penalty if x[t] > 0 else x[t] * penalty
    for t in set(generated):
        x[t] -= generated.count(t) * params["frequency_penalty"] + params["presence_penalty"]
    for t, b in params["logit_bias"]:
        x[t] = -math.inf if b <= -100 else x[t] + b
    if params["temperature"] == 0:
        return int(np.argmax(x))
    ids = np.array([i for i in range(len(x)) if x[i] > -math.inf])
    x = x[ids] / params["temperature"]
    order = np.lexsort((ids, -x))
    ids, x = ids[order], x[order]
    if params["top_k"]:
        ids, x = ids[: params["top_k"]], x[: params["top_k"]]
    if params["typical_p"] < 1:
        p = softmax(x)
        key = np.abs(-np.log(p) + (p * np.log(p)).sum())
        order = np.lexsort((ids, key))
        if np.diff(key[order]).size and np.diff(key[order]).min() < 1e-5:
            raise Ambiguous
        keep = order[: cut(order, p, params["typical_p"])]
        ids, x = ids[keep], x[keep]
        order = np.lexsort((ids, -x))
        ids, x = ids[order], x[order]
    if params["top_p"] < 1:
        keep = np.arange(cut(np.arange(len(ids)), softmax(x), params["top_p"]))
        ids, x = ids[keep], x[keep]
    if params["min_p"] > 0:
        relative = np.exp(x - x.max())
        if np.abs(relative - params["min_p"]).min() < 1e-4:
            raise Ambiguous
        keep = relative >= params["min_p"]
        ids, x = ids[keep], x[keep]
    order = np.argsort(ids)
    ids, p = ids[order], softmax(x[order])
    u = uniform(params["seed"], params["stream"], n_drawn)
    cumulated = np.cumsum(p)
    if np.abs(cumulated - u).min() < 1e-5:
        raise Ambiguous
    return int(ids[np.argmax(cumulated > u)])


def make_case(rng):
    pick = lambda *values: values[rng.integers(len(values))]
    params = {
        "temperature": pick(0, 0.3, 0.7, 1.0, 1.5),
        "top_k": int(pick(0, 0, 1, 5, 40)),
        "top_p": pick(1, 1, 0.5, 0.9, 0.95),
        "min_p": pick(0, 0, 0.05, 0.2),
        "typical_p": pick(1, 1, 1, 0.6, 0.9),
        "repetition_penalty": pick(1, 1, 1.1, 1.5, 0.8),
        "frequency_penalty": pick(0, 0, 0.5, -0.3),
        "presence_penalty": pick(0, 0, 0.7),
        "penalty_window_tokens": int(pick(-1, 4, 64)),
        "logit_bias": [[int(rng.integers(N_VOCAB)), pick(-100, 3.5, -2.25)]] if pick(0, 0, 1) else [],
        "seed": int(rng.integers(1 << 50)),
        "stream": int(rng.integers(4)),
    }
    prompt = [int(t) for t in rng.integers(N_VOCAB, size=6)]
    steps, generated = [], []
    for n in range(6):
        logits = np.round(rng.normal(size=N_VOCAB) * 3, 2)
        token = choose(logits, params, generated, prompt, n)
        steps.append({"logits": [float(v) for v in logits], "token": token})
        generated.append(token)
    return {"params": params, "prompt": prompt, "steps": steps}


def main():
    rng = np.random.default_rng(20250502)
    cases = []
    while len(cases) < 120:
        try:
            cases.append(make_case(rng))
        except Ambiguous:
            pass
    json.dump({"n_vocab": N_VOCAB, "cases": cases}, sys.stdout, separators=(",", ":"))
    print()


if __name__ == "__main__":
    main()

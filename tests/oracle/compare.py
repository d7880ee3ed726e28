"""Holds the runtime's logits against forward.py on real text, position by position.

usage: compare.py ORACLE_LOGITS ORACLE_TOKENIZE MODEL [--cache FOLDER] [--positions N]
                  [-- MIN_TOP1 MAX_KL OPTION...]...

Each part after a -- is one run of oracle_logits with those options (--device, --float-activations, --stage ...) and
its bounds. Top-1 agreement is the share of positions whose likeliest next token is the oracle's; KL is of the oracle's
distribution from the runtime's, in nats. MODEL is a file, or the name of one that tests/fetch-models puts into the
cache. The oracle's rows before the projection are kept in --cache, since the pass takes a while. Exit status: 0 when
all bounds hold.
"""
import argparse
import hashlib
import os
import pathlib
import struct
import subprocess
import sys

import numpy as np

from forward import Model

HERE = pathlib.Path(__file__).resolve().parent
MODELS = {"smollm2": "SmolLM2-135M-Instruct.Q4_1.gguf", "gemma3": "gemma-3-270m-q4_k_m.gguf"}
ADD_SPECIAL = 1  # enum drift_encode_flag
BLOCK = 64       # positions at once: rows of a large vocabulary are a megabyte each


def find_model(name):
    if name not in MODELS:
        return pathlib.Path(name)
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return pathlib.Path(cache) / "driftd" / "models" / MODELS[name]


def tokenize(program, model, text):
    request = struct.pack("=II", ADD_SPECIAL, len(text)) + text
    reply = subprocess.run([program, model], input=request, capture_output=True, check=True).stdout
    count = struct.unpack_from("=I", reply)[0]
    return list(struct.unpack_from(f"={count}i", reply, 4))


def oracle_hidden(model, path, ids, cache):
    """forward.py's rows for ids, from the cache when model, ids and forward.py are the same."""
    if cache is None:
        return model.hidden(ids)
    key = hashlib.sha256((HERE / "forward.py").read_bytes())
    key.update(f"{path.name} {path.stat().st_size} {path.stat().st_mtime_ns} {ids}".encode())
    file = pathlib.Path(cache) / f"oracle-{key.hexdigest()[:24]}.npy"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        partial = file.with_suffix(f".{os.getpid()}.npy")
        np.save(partial, model.hidden(ids))
        partial.replace(file)
    return np.load(file)


def log_softmax(x):
    x = x - x.max(axis=1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=1, keepdims=True, dtype=np.float64)).astype(np.float32)


class Run:
    """One oracle_logits at work: gives its rows in order, and keeps what was found about them."""

    def __init__(self, program, path, ids, part):
        self.min_top1, self.max_kl, self.options = float(part[0]), float(part[1]), part[2:]
        self.agrees, self.kl, self.diff = [], [], []
        self.process = subprocess.Popen([program, "--model", str(path), *self.options],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.process.stdin.write(" ".join(map(str, ids)).encode())
        self.process.stdin.close()

    def compare(self, want, want_log, want_p):
        data = self.process.stdout.read(want.nbytes)
        if len(data) != want.nbytes:
            sys.exit(f"oracle_logits {' '.join(self.options)}: ended early, status {self.process.wait()}")
        got = np.frombuffer(data, "<f4").reshape(want.shape)
        self.agrees.append(want.argmax(axis=1) == got.argmax(axis=1))
        self.diff.append(np.abs(want - got).max())
        self.kl.append((want_p * (want_log - log_softmax(got))).sum(axis=1, dtype=np.float64))

    def report(self):
        self.process.stdout.close()
        self.process.wait()
        agrees, kl = np.concatenate(self.agrees), np.concatenate(self.kl)
        ok = agrees.mean() >= self.min_top1 and kl.mean() <= self.max_kl
        print(f"{'ok' if ok else 'FAILED':6} {' '.join(self.options)}: top-1 {agrees.mean():.4f} (>= {self.min_top1}), "
              f"KL mean {kl.mean():.3g} (<= {self.max_kl}) max {kl.max():.3g}, logits off by {max(self.diff):.3g} at most")
        return ok


def split_parts(argv):
    """argv up to the first --, and the parts behind each."""
    marks = [i for i, a in enumerate(argv) if a == "--"] + [len(argv)]
    return argv[:marks[0]], [argv[i + 1:j] for i, j in zip(marks, marks[1:])]


def main():
    argv, parts = split_parts(sys.argv[1:])
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("oracle_logits")
    parser.add_argument("oracle_tokenize")
    parser.add_argument("model")
    parser.add_argument("--cache")
    parser.add_argument("--text", default=HERE / "text.txt", type=pathlib.Path)
    parser.add_argument("--positions", type=int, default=512)
    args = parser.parse_args(argv)
    path = find_model(args.model)
    ids = tokenize(args.oracle_tokenize, path, args.text.read_bytes())[:args.positions]
    if len(ids) < args.positions:
        sys.exit(f"the text has only {len(ids)} tokens")
    model = Model(path)
    hidden = oracle_hidden(model, path, ids, args.cache)
    # A run that is ahead waits in its pipe, so they share the machine and the oracle's rows.
    runs = [Run(args.oracle_logits, path, ids, part) for part in parts]
    for start in range(0, len(ids), BLOCK):
        want = model.logits(hidden[start:start + BLOCK])
        want_log = log_softmax(want)
        want_p = np.exp(want_log)
        for run in runs:
            run.compare(want, want_log, want_p)
    print(f"{path.name}: {len(ids)} positions")
    sys.exit(0 if all([run.report() for run in runs]) else 1)


if __name__ == "__main__":
    main()

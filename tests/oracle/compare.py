"""Holds the runtime's logits against forward.py on real text, position by position.

usage: compare.py ORACLE_LOGITS ORACLE_TOKENIZE MODEL [--cache FOLDER] [--positions N]
                  [--min-top1 F] [--max-kl F] [-- OPTION...]

The options after -- go to oracle_logits (--device, --float-activations, --stage ...). Top-1 agreement is the share of
positions whose likeliest next token is the oracle's; KL is of the oracle's distribution from the runtime's, in nats.
MODEL is a file, or the name of one that tests/fetch-models puts into the cache. The oracle's rows before the
projection are kept in --cache, since the pass takes a while. Exit status: 0 when both bounds hold.
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


def compare(model, hidden, rows):
    """rows(n) gives the runtime's next n rows. Returns per position: agrees, KL, difference of logits."""
    agrees, kl, diff = [], [], []
    for start in range(0, len(hidden), BLOCK):
        want = model.logits(hidden[start:start + BLOCK])
        got = rows(len(want))
        agrees.append(want.argmax(axis=1) == got.argmax(axis=1))
        diff.append(np.abs(want - got).max(axis=1))
        p, q = log_softmax(want), log_softmax(got)
        kl.append((np.exp(p) * (p - q)).sum(axis=1, dtype=np.float64))
    return np.concatenate(agrees), np.concatenate(kl), np.concatenate(diff)


def run(program, path, model, ids, hidden, options):
    command = [program, "--model", str(path), *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(" ".join(map(str, ids)).encode())
        process.stdin.close()

        def rows(n):
            data = process.stdout.read(n * model.n_vocab * 4)
            if len(data) != n * model.n_vocab * 4:
                sys.exit(f"{' '.join(command)}: ended early, status {process.wait()}")
            return np.frombuffer(data, "<f4").reshape(n, model.n_vocab)

        return compare(model, hidden, rows)


def main():
    argv = sys.argv[1:]
    split = argv.index("--") if "--" in argv else len(argv)
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("oracle_logits")
    parser.add_argument("oracle_tokenize")
    parser.add_argument("model")
    parser.add_argument("--cache")
    parser.add_argument("--text", default=HERE / "text.txt", type=pathlib.Path)
    parser.add_argument("--positions", type=int, default=512)
    parser.add_argument("--min-top1", type=float, default=0.99)
    parser.add_argument("--max-kl", type=float, default=1e-3)
    args = parser.parse_args(argv[:split])
    path = find_model(args.model)
    ids = tokenize(args.oracle_tokenize, path, args.text.read_bytes())[:args.positions]
    if len(ids) < args.positions:
        sys.exit(f"the text has only {len(ids)} tokens")
    model = Model(path)
    hidden = oracle_hidden(model, path, ids, args.cache)
    agrees, kl, diff = run(args.oracle_logits, path, model, ids, hidden, argv[split + 1:])
    print(f"{path.name} {' '.join(argv[split + 1:])}: {len(ids)} positions, top-1 {agrees.mean():.4f}, "
          f"KL mean {kl.mean():.3g} max {kl.max():.3g}, logits differ by {diff.max():.3g} at most")
    ok = agrees.mean() >= args.min_top1 and kl.mean() <= args.max_kl
    if not ok:
        print(f"FAILED: wanted top-1 >= {args.min_top1} and mean KL <= {args.max_kl}")
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()

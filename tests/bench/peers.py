#!/usr/bin/env python3
"""Run drift-bench and llama.cpp alternately on the same files and print medians and ratios.

usage: tests/bench/peers.py [--build build] [--rounds 5] [--threads 2] [--prefill 512] [--decode 64]
                            [--device cpu]... [--model PATH]...

llama.cpp is the prebuilt CPU library of the npm package node-llama-cpp, fetched on first use. A round is one run of each;
the machine's speed drifts, so the ratio is taken within a round and the median of the rounds is printed.
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TREE = HERE.parent.parent
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "driftd/models"
DEFAULT_MODELS = [CACHE / "SmolLM2-135M-Instruct.Q4_1.gguf", CACHE / "gemma-3-270m-q4_k_m.gguf"]


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=TREE / "build")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--prefill", type=int, default=512)
    parser.add_argument("--decode", type=int, default=64)
    parser.add_argument("--device", action="append")
    parser.add_argument("--model", action="append", type=pathlib.Path)
    options = parser.parse_args()
    options.device = options.device or ["cpu"]
    options.model = options.model or DEFAULT_MODELS
    return options


def run_json(command, **more):
    done = subprocess.run([str(c) for c in command], check=True, stdout=subprocess.PIPE, text=True, **more)
    return json.loads(done.stdout.strip().splitlines()[-1])


def run_drift(o, model, device):
    return run_json([o.build / "bin/drift-bench", "--model", model, "--device", device, "--threads", o.threads,
                     "--prefill", o.prefill, "--decode", o.decode, "--repeat", 3, "--format", "json"])


def run_peer(o, model):
    return run_json(["node", HERE / "peer_llama.mjs", model, o.threads, o.prefill, o.decode, 3])


def install_peer():
    if not (HERE / "node_modules/node-llama-cpp").is_dir():
        print("-- fetching node-llama-cpp", file=sys.stderr)
        subprocess.run(["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts",
                        "--loglevel=error"], cwd=HERE, check=True, stdout=sys.stderr)


def compare(o, model):
    """Rows of (device, figure, ours, peer, ratio), medians over the rounds."""
    rounds = []
    for i in range(o.rounds):
        print(f"-- {model.name}: round {i + 1} of {o.rounds}", file=sys.stderr)
        rounds.append((run_peer(o, model), {d: run_drift(o, model, d) for d in o.device}))
    for device in o.device:
        for figure in ("prefill_tps", "decode_tps"):
            ours = [r[1][device][figure] for r in rounds]
            peer = [r[0][figure] for r in rounds]
            if all(ours) and all(peer):
                ratio = statistics.median(a / b for a, b in zip(ours, peer))
                yield device, figure, statistics.median(ours), statistics.median(peer), ratio


def main():
    o = arguments()
    install_peer()
    cpu = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),
               platform.machine())
    print(f"{cpu}, {o.threads} threads; prefill {o.prefill}, decode {o.decode}; median of {o.rounds} rounds")
    layout = "| {:<34} | {:<9} | {:<11} | {:>9} | {:>9} | {:>6} |"
    print(layout.format("model", "device", "tokens/s", "driftd", "llama.cpp", "ratio"))
    print("|" + "|".join("-" * n for n in (36, 11, 13, 11, 11, 8)) + "|")
    for model in o.model:
        for device, figure, ours, peer, ratio in compare(o, model):
            print(layout.format(model.stem, device, figure.removesuffix("_tps"), f"{ours:.1f}", f"{peer:.1f}",
                                f"{ratio:.2f}"), flush=True)


main()

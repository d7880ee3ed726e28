#!/usr/bin/env python3
"""Ten simple prompts: the answers make sense, and CPU and OpenCL say the same. usage: devices_agree.py BUILD

At temperature 0 both devices must give the same first 64 tokens. Where they part, the two tokens must have been nearly
tied on the CPU: their log-probabilities less than TIE apart. The CPU multiplies 8-bit activations and OpenCL floats; that
moves a log-probability of these small models by some hundredths, and two of them by up to TIE.
"""
import json
import pathlib
import sys
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "clients"))
from daemon import GEMMA3, SMOLLM2, Daemon  # noqa: E402

TIE = 0.15
TOKENS = 64

# prompt, and what a sensible answer must contain (any of, lower case)
CHAT = [
    ("What is 2 + 2?", ["4", "four"]),
    ("Name three colors.", ["red", "blue", "green", "yellow"]),
    ("What do cows drink?", ["water", "milk", "grass"]),
    ("Write one sentence about the sun.", ["sun", "star"]),
    ("What is the opposite of hot?", ["cold", "cool"]),
    ("How many days are there in a week?", ["7", "seven"]),
    ("What is water made of?", ["hydrogen", "oxygen", "h2o"]),
    ("What is gravity?", ["force", "mass", "attract", "physics"]),
    ("Who wrote Romeo and Juliet?", ["shakespeare"]),
    ("Why is the sky blue?", ["scattering"]),
]
COMPLETE = [
    ("Paris is the capital of", ["france"]),
    ("One, two, three, four,", ["five"]),
    ("Roses are red, violets are", ["blue"]),
    ("The opposite of hot is", ["cold"]),
    ("Monday, Tuesday, Wednesday,", ["thursday"]),
    ("Water is made of hydrogen and", ["oxygen"]),
    ("The sun rises in the", ["east", "morning", "sky"]),
    ("The president lives in the White", ["house"]),
    ("In Spain, people speak", ["spanish"]),
    ("The Earth orbits the", ["sun"]),
]


def ask(url, model, path, body):
    request = urllib.request.Request(url + path, json.dumps({"model": model, **body}).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=300) as reply:
        return json.load(reply)["choices"][0]


def answer(url, model, prompt, is_chat):
    """[(token, logprob, {alternative: logprob})], text"""
    body = {"temperature": 0, "max_tokens": TOKENS}
    if is_chat:
        choice = ask(url, model, "/v1/chat/completions",
                     {**body, "messages": [{"role": "user", "content": prompt}], "logprobs": True, "top_logprobs": 5})
        tokens = [(t["token"], t["logprob"], {a["token"]: a["logprob"] for a in t["top_logprobs"]})
                  for t in choice["logprobs"]["content"]]
        return tokens, choice["message"]["content"]
    choice = ask(url, model, "/v1/completions", {**body, "prompt": prompt, "logprobs": 5})
    l = choice["logprobs"]
    return list(zip(l["tokens"], l["token_logprobs"], l["top_logprobs"])), choice["text"]


def compare(prompt, cpu, gpu):
    for i, (a, b) in enumerate(zip(cpu, gpu)):
        if a[0] != b[0]:
            gap = a[1] - a[2].get(b[0], -99)
            print(f"   parts at token {i}: {a[0]!r} and {b[0]!r}, {gap:.4f} apart on the CPU")
            assert gap < TIE, (prompt, i, a, b)
            return
    assert len(cpu) == len(gpu), prompt


def check(build, name, path, prompts, is_chat):
    results, sensible = {}, 0
    for device in ("cpu", "opencl"):
        with Daemon(build, "--model", f"{name}={path}", "--ctx", 1024, "--device", device) as daemon:
            results[device] = [answer(daemon.url, name, prompt, is_chat) for prompt, _ in prompts]
    for (prompt, wanted), cpu, gpu in zip(prompts, results["cpu"], results["opencl"]):
        found = any(word in cpu[1].lower() for word in wanted)
        sensible += found
        print(f"{'ok' if found else '--'} {name}: {prompt} -> {cpu[1][:70]!r}")
        compare(prompt, cpu[0], gpu[0])
    assert sensible >= 8, f"{name}: only {sensible} of {len(prompts)} answers make sense"


check(sys.argv[1], "smollm2", SMOLLM2, CHAT, True)
check(sys.argv[1], "gemma3", GEMMA3, COMPLETE, False)

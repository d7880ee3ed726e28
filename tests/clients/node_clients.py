#!/usr/bin/env python3
"""Run the clients for Node against driftd with SmolLM2. usage: node_clients.py BUILD"""
import pathlib
import subprocess
import sys

from daemon import SMOLLM2, Daemon

HERE = pathlib.Path(__file__).parent

with Daemon(sys.argv[1], "--model", f"smollm2={SMOLLM2}", "--ctx", 4096) as daemon:
    subprocess.run(["node", HERE / "openai_node.mjs", daemon.url, "smollm2"], check=True, timeout=600)
    status, body = daemon.get("/metrics")
    assert status == 200 and b"# TYPE" in body

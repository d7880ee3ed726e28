#!/usr/bin/env python3
"""What an idle daemon costs: no processor time, and memory beyond the model file of at most 64 MiB. usage: footprint.py BUILD

The KV cache is not resident before it is used, so it does not count here. The time from start to ready is printed, not judged.
"""
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "clients"))
from daemon import GEMMA3, SMOLLM2, Daemon  # noqa: E402

MIB = 1 << 20


def resident(pid):
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(next(l for l in status.splitlines() if l.startswith("VmRSS")).split()[1]) * 1024


def cpu_ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


for path in (SMOLLM2, GEMMA3):
    path.read_bytes()  # into the page cache
    with Daemon(sys.argv[1], "--model", f"m={path}", "--device", "cpu", wait=False) as daemon:
        seconds = daemon.wait_ready()
        time.sleep(1)
        pid, before = daemon.process.pid, cpu_ticks(daemon.process.pid)
        time.sleep(5)
        spent = cpu_ticks(pid) - before
        beyond = resident(pid) - os.path.getsize(path)
        print(f"{path.name}: ready after {seconds:.3f} s; {spent} ticks of processor time in 5 s idle; "
              f"{beyond / MIB:.1f} MiB resident beyond the file")
        assert spent <= 2, "an idle daemon uses the processor"
        assert beyond <= 64 * MIB, "an idle daemon holds too much memory"

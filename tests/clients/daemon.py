"""A driftd of its own on a free port, for tests: started, waited for, stopped, and its log shown when something fails."""
import http.client
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import time

MODELS = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "driftd/models"
SMOLLM2 = MODELS / "SmolLM2-135M-Instruct.Q4_1.gguf"
GEMMA3 = MODELS / "gemma-3-270m-q4_k_m.gguf"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Daemon:
    """with Daemon(build, "--model", "smollm2=PATH") as d: d.url, d.port, d.process, d.log()"""

    def __init__(self, build, *args, program="driftd", wait=True):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log = tempfile.NamedTemporaryFile(prefix="driftd-", suffix=".log")
        self._wait = wait
        command = [str(pathlib.Path(build) / "bin" / program), "--listen", f"127.0.0.1:{self.port}", *map(str, args)]
        self.start = time.monotonic()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log)

    def log(self):
        return pathlib.Path(self._log.name).read_text(errors="replace")

    def get(self, path):
        """(status, body) of a GET; status 0 while nobody listens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            return response.status, response.read()
        except OSError:
            return 0, b""
        finally:
            connection.close()

    def wait_ready(self, seconds=300):
        deadline = time.monotonic() + seconds
        while self.get("/ready")[0] != 200:
            if self.process.poll() is not None:
                raise RuntimeError(f"driftd ended with {self.process.returncode}:\n{self.log()}")
            if time.monotonic() > deadline:
                raise RuntimeError(f"driftd is not ready after {seconds} s:\n{self.log()}")
            time.sleep(0.01)
        return time.monotonic() - self.start

    def stop(self):
        """SIGTERM; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return self.process.returncode

    def __enter__(self):
        if self._wait:
            self.wait_ready()
        return self

    def __exit__(self, kind, value, trace):
        code = self.stop()
        if kind is not None:
            print(f"---- driftd's log (exit status {code})\n{self.log()[-8000:]}")
        elif code != 0:
            raise RuntimeError(f"driftd ended with {code}:\n{self.log()}")
        self._log.close()
        return False

# SPDX-License-Identifier: Apache-2.0
"""Servers under load: started on one core, asked by wrk on the other, their CPU time read.

wrk is made not to sleep (spin.c): to wake it would be charged to the server."""
import os
import re
import signal
import subprocess
import time
from pathlib import Path

SERVER_CORE, LOAD_CORE = 0, 1


def pinned(core):
    """For subprocess: run on this core, where there is more than one."""
    if len(os.sched_getaffinity(0)) < 2:
        return None
    return lambda: os.sched_setaffinity(0, {core})


def cpu_ns(pid):
    """CPU time of all threads of a process, from the scheduler's own account (proc(5))."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        try:
            total += int((task / "schedstat").read_text().split()[0])
        except FileNotFoundError:
            pass  # a thread that has just ended
    return total


def memory_kib(pid, field="VmRSS"):
    return int(re.search(rf"{field}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1])


class Server:
    """A program that serves HTTP; `port` is found in what it prints."""

    def __init__(self, argv, port=None, ready=r"(\d+)$", stdin=subprocess.DEVNULL):
        self.process = subprocess.Popen([str(a) for a in argv], stdin=stdin, text=True,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        preexec_fn=pinned(SERVER_CORE))
        self.port = port
        while self.port is None:
            line = self.process.stdout.readline()
            if not line:
                raise SystemExit(f"bench: {argv[0]} did not start: {' '.join(map(str, argv))}")
            found = re.search(ready, line)
            self.port = int(found[1]) if found else None

    @property
    def pids(self):
        """The process and its children (nginx's workers)."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [self.process.pid, *map(int, children.split())]

    def stop(self):
        if self.process.stdin:
            self.process.stdin.close()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def vmcpd(program, folder, domain, keys, configs, *options):
    key_options = [o for key in keys for o in ("--key", key)]
    if "--access-log" not in options:
        options = ("--access-log", "off", *options)
    return Server([program, "--domain", domain, *key_options, "--configs", configs, "--listen",
                   "127.0.0.1:0", *options], ready=r"ready on http://\S+?:(\d+)/")


SPIN = None  # the library that keeps wrk awake; bench.py sets it


def wrk(server, path, seconds, connections=16, accept=None, script=None, headers=()):
    """Ask for `path` for a while. Gives CPU seconds of the server for each request, and requests
    per second of the clock; every answer must be a 200."""
    argv = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
    if accept:
        argv += ["-H", f"Accept: {accept}"]
    for header in headers:
        argv += ["-H", header]
    if script:
        argv += ["-s", script]
    before, begin = sum(map(cpu_ns, server.pids)), time.monotonic()
    done = subprocess.run([*map(str, argv), f"http://127.0.0.1:{server.port}{path}"],
                          capture_output=True, text=True, check=True, preexec_fn=pinned(LOAD_CORE),
                          timeout=seconds + 60,
                          env={**os.environ, "LD_PRELOAD": str(SPIN)} if SPIN else None)
    wall = time.monotonic() - begin
    used = sum(map(cpu_ns, server.pids)) - before
    count = int(re.search(r"(\d+) requests in", done.stdout)[1])
    trouble = re.search(r"Non-2xx.*|Socket errors.*", done.stdout)
    if trouble or not count:
        raise SystemExit(f"bench: {path}: {trouble and trouble[0]}\n{done.stdout}")
    return used / 1e9 / count, count / wall

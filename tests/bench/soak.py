#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Memory: vmcpd with 1,000 machines of 2 KiB, 1,000 idle connections, and minutes of full load.

usage: soak.py BUILD_FOLDER [--seconds N]

Resident memory is sampled throughout. It may be 30 MB at most (10^6 bytes each) while the idle
connections stand, and the median of the last fifth of the load may not be over that of the first by
more than the noise of one sample, GROWTH_KIB. Machines are reloaded meanwhile, once in ten seconds.
"""
import argparse
import contextlib
import resource
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import bench
import load

RESIDENT_MAX = 30_000_000
GROWTH_KIB = 1024
IDLE = 1000
REQUEST = b"GET /vmcp/m0?" + bench.QUERY.encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n"


def resident(server):
    """Bytes, of the server's process."""
    return 1024 * load.memory_kib(server.process.pid)


@contextlib.contextmanager
def idle_connections(server, count):
    """Connections that asked once and now wait, as shipped: none is closed for `--idle-timeout`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 1000), hard))
    held = []
    try:
        for _ in range(count):
            s = socket.create_connection(("127.0.0.1", server.port), 10)
            s.sendall(REQUEST)
            if not s.recv(65536).startswith(b"HTTP/1.1 200"):
                raise SystemExit("soak: a connection was not answered")
            held.append(s)
        yield held
    finally:
        for s in held:
            s.close()


def standing(server):
    """Resident bytes with the idle connections, and how many of those were still open."""
    with idle_connections(server, IDLE) as held:
        used = resident(server)
        still_open = 0
        for s in held:
            s.setblocking(False)
            try:
                still_open += s.recv(1) != b""
            except BlockingIOError:
                still_open += 1
    return used, still_open


class Samples(threading.Thread):
    """Resident memory, ten times a second, and a reload now and then."""

    def __init__(self, server, reload_each):
        super().__init__()
        self.server, self.reload_each = server, reload_each
        self.values, self.ended = [], threading.Event()

    def run(self):
        reload_at = time.monotonic() + self.reload_each
        while not self.ended.wait(0.1):
            self.values.append(resident(self.server) // 1024)
            if time.monotonic() > reload_at:
                self.server.process.send_signal(signal.SIGHUP)
                reload_at += self.reload_each


def soak(server, seconds, script):
    """KiB of the samples while wrk asks for all machines."""
    samples = Samples(server, min(10, seconds / 6))
    samples.start()
    try:
        _, rate = load.wrk(server, "/", seconds, 64, bench.JOSE, script)
    finally:
        samples.ended.set()
        samples.join()
    print(f"  {rate:.0f} answers a second for {seconds} s")
    return samples.values


def growth(values):
    """KiB from the median of the first fifth to that of the last."""
    fifth = max(1, len(values) // 5)
    return statistics.median(values[-fifth:]) - statistics.median(values[:fifth])


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=Path)
    parser.add_argument("--seconds", type=int, default=300)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vmcp-soak-") as folder:
        made = bench.Bench(args.build.resolve(), Path(folder), 1)
        server = made.vmcpd("ed25519", 1000, "--key", made.keys["rsa-2048"])
        try:
            at_rest = resident(server)
            before, still_open = standing(server)
            values = soak(server, args.seconds, Path(__file__).with_name("names.lua"))
            after, _ = standing(server)
            peak = 1024 * load.memory_kib(server.process.pid, "VmHWM")
        except subprocess.SubprocessError as e:
            raise SystemExit(f"soak: {e}") from e
        finally:
            server.stop()
    grown = growth(values)
    good = max(before, after) <= RESIDENT_MAX and still_open == IDLE and grown <= GROWTH_KIB
    print(f"resident, MB: {at_rest / 1e6:.1f} with 1,000 machines, {before / 1e6:.1f} with {IDLE} "
          f"idle connections ({still_open} stayed), {after / 1e6:.1f} with as many after the load "
          f"(target 30.0), {peak / 1e6:.1f} at most ever")
    print(f"growth, KiB: {grown:+.0f} from the first fifth of the load ({len(values)} samples) to "
          f"the last (target {GROWTH_KIB})")
    print("met" if good else "MISSED")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

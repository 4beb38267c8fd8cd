# SPDX-License-Identifier: Apache-2.0
"""The demo cleans up after itself: on Ctrl-C at a terminal, on SIGTERM, and after a failure."""
import fcntl
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("VMCP_BIN", ROOT / "build/release/bin"))


def laboratory_works():
    base = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        base[1:1] = ["--user", "--map-root-user"]
    return subprocess.run([*base, "true"], capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not laboratory_works(), reason="unshare gives no namespaces here")


class Played:
    """A demo on a terminal of its own, with scratch files where a test can count them."""

    def __init__(self, tmp_path, bin_folder, *more):
        self.tmp = tmp_path
        self.main, terminal = pty.openpty()
        self.output = b""
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests/demo/demo.py"), "--bin", str(bin_folder), *more],
            stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True,
            env=dict(os.environ, TMPDIR=str(tmp_path)),
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(terminal)

    def read_until(self, pattern, seconds=60):
        until = time.monotonic() + seconds
        while not re.search(pattern, self.output):
            assert time.monotonic() < until, self.output.decode(errors="replace")
            try:
                self.output += os.read(self.main, 65536)
            except OSError:
                break
        assert re.search(pattern, self.output), self.output.decode(errors="replace")

    def end(self, seconds=30):
        """Read to the end of the terminal and return the exit code."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                data = os.read(self.main, 65536)
            except OSError:
                break
            if not data:
                break
            self.output += data
        return self.process.wait(timeout=seconds)

    def processes(self):
        """Everything alive that works in this demo's scratch folder."""
        found = []
        for pid in (p for p in os.listdir("/proc") if p.isdigit()):
            try:
                line = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if f"{self.tmp}/vmcp-demo-" in line:
                found.append(line)
        return found


@pytest.fixture
def played(tmp_path):
    made = []

    def play(*args):
        made.append(Played(tmp_path, *args))
        return made[-1]

    yield play
    for demo in made:
        if demo.process.poll() is None:
            demo.process.terminate()
            demo.process.wait(timeout=30)
        os.close(demo.main)


def assert_nothing_left(demo):
    until = time.monotonic() + 5
    while demo.processes() and time.monotonic() < until:
        time.sleep(0.1)
    assert not demo.processes()


def test_ctrl_c_in_the_middle(played, tmp_path):
    demo = played(BIN)
    demo.read_until(rb"vm-1 \S+ Starting startup scripts")
    os.write(demo.main, b"\x03")
    assert demo.end() == 130
    assert b"interrupted; cleaning up" in demo.output
    assert_nothing_left(demo)
    assert not list(tmp_path.glob("vmcp-demo-*"))


def test_keep_leaves_it_running_until_sigterm(played, tmp_path):
    demo = played(BIN, "--keep")
    demo.read_until(rb"Ctrl-C here ends it")
    [work] = tmp_path.glob("vmcp-demo-*")
    page = subprocess.run([work / "in-lab", "curl", "-s", "http://10.128.0.3:5000/"],
                          capture_output=True, text=True, timeout=20, check=True).stdout
    assert "It works: flask-app" in page
    assert demo.processes()
    demo.process.send_signal(signal.SIGTERM)
    assert demo.end() == 0
    assert_nothing_left(demo)
    assert not list(tmp_path.glob("vmcp-demo-*"))


def test_a_failure_is_told_and_cleaned_up(played, tmp_path):
    broken = tmp_path / "bin"
    shutil.copytree(BIN, broken)
    (broken / "vmcp-launch").write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
    demo = played(broken)
    assert demo.end() == 1
    assert b"FAILED: Failure: vmcp-launch bootstrap" in demo.output
    assert b"The chain runs" not in demo.output
    assert_nothing_left(demo)
    [work] = tmp_path.glob("vmcp-demo-*")  # the logs stay for who wants to know why
    assert (work / "vmcpd.log").exists()


def test_without_a_laboratory(played, tmp_path):
    """Where there are no namespaces, VMs are child processes, and the story is the same."""
    demo = played(BIN, "--driver", "process")
    assert demo.end(90) == 0, demo.output.decode(errors="replace")[-3000:]
    assert b"VMs by process" in demo.output
    assert b"The chain runs: all of it happened." in demo.output
    assert_nothing_left(demo)
    assert not list(tmp_path.glob("vmcp-demo-*"))

# SPDX-License-Identifier: Apache-2.0
"""What the end-to-end tests share: the programs, keys, scratch folders, a running vmcpd."""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("VMCP_BIN", ROOT / "build/release/bin")).resolve()
DOMAIN = "cfg.example.org"
MACHINE = {"name": "web", "secret": "a-long-enough-secret", "cpus": 2}


@pytest.fixture(scope="session", name="bin")
def bin_paths():
    """The programs of the build under test."""
    return SimpleNamespace(vmcp=BIN / "vmcp", vmcpd=BIN / "vmcpd", launch=BIN / "vmcp-launch",
                           emulator=BIN / "gce-emulator")


@pytest.fixture
def scratch(tmp_path):
    """A folder of the test's own."""
    return tmp_path


class Done:
    """What a program that ended left behind."""

    def __init__(self, process):
        self.code, self.bytes = process.returncode, process.stdout
        self.out, self.err = (s.decode(errors="replace") for s in (process.stdout, process.stderr))

    @property
    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


def run(*argv, stdin=b"", timeout=30, **more):
    return Done(subprocess.run([str(a) if not isinstance(a, bytes) else a for a in argv],
                               input=stdin, capture_output=True, timeout=timeout, check=False,
                               **more))


@pytest.fixture(scope="session")
def vmcp(bin):
    """Run `vmcp` and see that it ends with `code`; what it printed comes back."""

    def call(*argv, code=0, **more):
        done = run(bin.vmcp, *argv, **more)
        assert done.code == code, done
        return done

    return call


@pytest.fixture(scope="session")
def keys(vmcp, tmp_path_factory):
    """One key of each type, made by `vmcp keygen` for this run: path, pub, thumbprint."""
    folder = tmp_path_factory.mktemp("keys")
    made = {}
    for alg in ("ed25519", "p-256", "rsa-2048"):
        path = folder / f"{alg}.key"
        thumbprint = vmcp("keygen", "--alg", alg, "--out", path).out.strip()
        made[alg] = SimpleNamespace(path=path, pub=Path(f"{path}.pub"), thumbprint=thumbprint)
    return made


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=False))
    return path


class Answer:
    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json["code"]

    def __repr__(self):
        return f"{self.status}\n{self.headers}\n{self.body[:2000]!r}"


class Vmcpd:
    """A vmcpd on a free port of loopback, stopped by its pid."""

    def __init__(self, program, folder, *options):
        self.argv = [str(program), *map(str, options)]
        self.folder = folder
        self.process = None
        self.port = 0

    def start(self, stderr=None):
        with open(self.folder / "vmcpd.err", "ab") as log:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL,
                                            stdout=subprocess.PIPE,
                                            stderr=log if stderr is None else stderr, text=True)
        lines = []
        killer = threading.Timer(20, self.process.kill)
        killer.start()
        for line in self.process.stdout:
            lines.append(line)
            ready = re.search(r"ready on (https?://\S+:(\d+)/vmcp)$", line)
            if ready:
                self.url, self.port = ready[1], int(ready[2])
                break
        killer.cancel()
        self.lines = lines
        assert self.port, f"vmcpd did not start: {lines} {self.log}"
        return self

    @property
    def log(self):
        return (self.folder / "vmcpd.err").read_text()

    def ask(self, target, method="GET", headers=None, body=None, **more):
        """One request on a connection of its own; `target` goes out as it is."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in {**(headers or {}), **more}.items():
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def v2(self, target="/vmcp/web", salt="Salt-1", hostid="host-1"):
        join = "&" if "?" in target else "?"
        return self.ask(f"{target}{join}cvm_salt={salt}&cvm_hostid={hostid}",
                        Accept="application/jose")

    def v1(self, target="/vmcp/web", salt="Salt-1"):
        return self.ask(f"{target}{'&' if '?' in target else '?'}cvm_salt={salt}")

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        return s

    def stop(self, signum=signal.SIGTERM, timeout=20):
        """The exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signum)
        try:
            return self.process.wait(timeout)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self.process.stdout.close()


@pytest.fixture
def vmcpd(bin, keys, scratch):
    """Make and start a vmcpd: vmcpd({"web": {…}}, "--ttl", "60", key=("ed25519",)).

    Machines are written to a folder of their own; each server must end with 0."""
    started = []

    def make(machines=None, *options, key=("ed25519", "rsa-2048"), domain=DOMAIN):
        folder = scratch / f"vmcpd-{len(started)}"
        folder.mkdir()
        for name, machine in (machines or {"web": MACHINE}).items():
            write_json(folder / "configs" / f"{name}.json", machine)
        key_options = [o for k in key for o in ("--key", keys[k].path)]
        server = Vmcpd(bin.vmcpd, folder, "--domain", domain, *key_options, "--configs",
                       folder / "configs", "--listen", "127.0.0.1:0", *options)
        started.append(server)
        return server.start()

    yield make
    for server in started:
        code = server.stop()
        assert code == 0, f"vmcpd ended with {code}: {server.log}"


def eventually(condition, seconds=10):
    """Wait until `condition()` is true, and give it back."""
    until = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > until:
            return value
        time.sleep(0.02)

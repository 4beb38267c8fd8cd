# SPDX-License-Identifier: Apache-2.0
"""Clients that only take: what they hold must end with them, and never take the others' share."""
import contextlib
import json
import resource
import signal
import socket
import subprocess
import time

import pytest

import emulator as harness

FLOOD = 2500
SANITIZED = any(word in str(harness.BIN) for word in ("address", "thread"))


def rss_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("VmRSS"))


@pytest.fixture(autouse=True)
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def request(port, text):
    """Send bytes and wait for the end: one connection at a time, so that what stays was kept."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
        s.sendall(text)
        while s.recv(4096):
            pass


@pytest.mark.parametrize("head", [b"/healthz?" + b"&a" * 300, b"/healthz"], ids=["query", "cookie"])
def test_headers_that_do_not_fit_leave_nothing(vmcpd, head):
    server = vmcpd()
    cookie = b"" if b"?" in head else b"Cookie: " + b"a=b;" * 800 + b"\r\n"
    text = b"GET " + head + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + cookie + b"\r\n"
    for _ in range(1600):  # as many as below: what the allocator keeps, it keeps from here on
        request(server.port, text)
    before = rss_kib(server.process.pid)
    for _ in range(1600):  # each left 5 KB behind once
        request(server.port, text)
    # A sanitizer keeps what is freed, and the exit code tells of leaks.
    assert SANITIZED or rss_kib(server.process.pid) - before < 4 * 1024
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=20) == 0


def test_vmcpd_keeps_no_body(vmcpd):
    server = vmcpd()
    before = rss_kib(server.process.pid)
    held = []
    for _ in range(50):
        s = socket.create_connection(("127.0.0.1", server.port), timeout=5)
        s.sendall(b"POST /vmcp HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        with contextlib.suppress(OSError):
            s.sendall(b"x" * 999_999)
        held.append(s)
    assert rss_kib(server.process.pid) - before < 16 * 1024
    assert held[0].recv(64).startswith(b"HTTP/1.1 413")
    for s in held:
        s.close()


@pytest.fixture(name="cloud")
def cloud_fixture(tmp_path):
    emulator = harness.Emulator(tmp_path, "--folder", str(tmp_path), driver="process").start()
    yield emulator
    if emulator.process.poll() is None:
        emulator.process.kill()
        emulator.process.wait()


def own_metadata_port(emulator, name):
    """Boot a VM that tells where its metadata server is."""
    script = "#!/bin/sh\necho metadata=$GCE_METADATA_HOST\n"
    body = {"name": name, "machineType": f"zones/{harness.ZONE}/machineTypes/e2-micro",
            "disks": [{"boot": True, "initializeParams": {"sourceImage": harness.IMAGE}}],
            "networkInterfaces": [{}],
            "metadata": {"items": [{"key": "startup-script", "value": script}]}}
    answer = emulator.api("POST", f"zones/{harness.ZONE}/instances", body)
    assert answer.status == 200, answer.text
    for _ in range(100):
        text = emulator.api("GET", f"zones/{harness.ZONE}/instances/{name}/serialPort").text
        if "metadata=" in text:
            contents = json.loads(text)["contents"]
            return int(contents.split("metadata=127.0.0.1:")[1].split()[0])
        time.sleep(0.1)
    raise AssertionError("the VM never told")


@pytest.mark.parametrize("target", [None, "?recursive=true&wait_for_change=true"],
                         ids=["idle", "waiting"])
def test_a_vm_that_floods_its_metadata_server(cloud, target):
    victim = own_metadata_port(cloud, "victim")
    port = own_metadata_port(cloud, "flooder")
    held = []
    for _ in range(FLOOD):
        with contextlib.suppress(OSError):
            s = socket.create_connection(("127.0.0.1", port), timeout=1)
            if target:
                s.sendall(b"GET /computeMetadata/v1/instance/" + target.encode() +
                          b" HTTP/1.1\r\nHost: x\r\nMetadata-Flavor: Google\r\n\r\n")
            held.append(s)
    for asked in (victim, cloud.metadata_port):
        answer = harness.ask("127.0.0.1", asked, "GET", "/computeMetadata/v1/instance/name",
                             {"Metadata-Flavor": "Google"}, timeout=5)
        assert answer.status == 200
    for s in held:
        s.close()
    time.sleep(2.5)  # the clients that wait are noticed to have gone
    answer = harness.ask("127.0.0.1", port, "GET", "/computeMetadata/v1/instance/name",
                         {"Metadata-Flavor": "Google"}, timeout=5)
    assert answer.text == "flooder"
    cloud.process.send_signal(signal.SIGTERM)
    try:
        assert cloud.process.wait(timeout=15) == 0
    except subprocess.TimeoutExpired as e:
        raise AssertionError("SIGTERM did not end it") from e

# SPDX-License-Identifier: Apache-2.0
"""What may happen to a vmcpd under load: kill -9, a full disk, no descriptors left, a clock that is
set back. Its clients see refused connections at worst, never a wrong answer."""
import contextlib
import glob
import json
import os
import resource
import signal
import socket
import subprocess
import time

import pytest

from conftest import BIN, DOMAIN, MACHINE, Vmcpd, eventually, run, write_json
from honest import Client, Crowd, Verifier, cpu_seconds, on_tcp, on_unix

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def verifier(keys):
    return Verifier(keys["ed25519"].pub, keys["rsa-2048"].pub)


def write_whole(path, value):
    """As an editor does: nobody sees half a file."""
    write_json(path.with_name("." + path.name), value)
    os.rename(path.with_name("." + path.name), path)


def key_folder(keys, folder):
    (folder / "active").mkdir(parents=True)
    for kind in ("ed25519", "rsa-2048"):
        path = folder / "active" / f"{kind}.key"
        path.write_bytes(keys[kind].path.read_bytes())
        path.chmod(0o600)
    return folder


# -- kill -9 ---------------------------------------------------------------------------------------

def test_killed_and_started_again_under_load(bin, keys, scratch, verifier):
    """At the same port at once, over the sockets that were left behind, while files change."""
    configs, control = scratch / "configs", scratch / "control"
    write_json(configs / "web.json", {"machine": {**MACHINE, "round": 0}})

    def server(port):
        return Vmcpd(bin.vmcpd, scratch, "--domain", DOMAIN, "--keys",
                     key_folder(keys, scratch / "keys") if port == 0 else scratch / "keys",
                     "--configs", configs, "--listen", f"127.0.0.1:{port}", "--listen",
                     f"unix:{scratch}/s", "--control", control, "--watch", "--access-log",
                     scratch / "access.log", "--rate", "0")

    life = server(0).start()
    port, written = life.port, [0]

    def check(claims):
        return claims["sub"] == "web" and 0 <= claims["machine"]["round"] <= written[0]

    connects = [on_tcp(lambda: port), on_unix(scratch / "s")] * 3
    with Crowd(connects, verifier, check) as crowd:
        for lives in range(10):
            before = list(crowd.good)
            assert eventually(lambda: all(now > then + 3 for now, then in zip(crowd.good, before))), \
                (lives, crowd.good, before, crowd.failed[-3:], life.log[-2000:])
            written[0] += 1
            write_whole(configs / "web.json", {"machine": {**MACHINE, "round": written[0]}})
            time.sleep(0.05 * (lives % 6))  # before, during and after the reload that follows
            life.process.kill()
            assert life.process.wait(10) == -signal.SIGKILL
            life.process.stdout.close()
            assert (scratch / "s").exists() and control.exists()
            life = server(port).start()
        assert run(bin.vmcpd, "reload", "--control", control).code == 0
    assert not crowd.wrong, crowd.wrong[:3]
    # Each life that ended was seen, as a connection that is refused, reset or cut; nobody hung.
    assert crowd.failed and not [e for e in crowd.failed if isinstance(e, TimeoutError)]
    claims = Client(connects[0], verifier).ask()
    assert claims["machine"]["round"] == written[0] == 10
    assert life.stop() == 0 and not (scratch / "s").exists() and not control.exists()


# -- descriptors -----------------------------------------------------------------------------------

def test_no_descriptors_left(vmcpd, verifier, scratch, bin):
    """Not one more can be opened: no answer, no crash and no busy loop; then all goes on."""
    server = vmcpd(None, "--control", scratch / "control", "--access-log", scratch / "access.log")
    pid, hard = server.process.pid, resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with server.connect() as kept:
        kept.sendall(REQUEST)
        assert kept.recv(4096).startswith(b"HTTP/1.1 200")
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, hard))
        waiting = [server.connect() for _ in range(20)]  # the kernel has them, vmcpd cannot
        for s in waiting:
            s.sendall(REQUEST)
            s.settimeout(0.05)
        server.process.send_signal(signal.SIGHUP)
        used = cpu_seconds(pid)
        time.sleep(2)
        assert cpu_seconds(pid) - used < 0.4
        assert eventually(lambda: "reload (SIGHUP) failed, the old set stays" in server.log)
        for s in waiting:
            with pytest.raises(TimeoutError):
                s.recv(4096)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
        for s in waiting:
            s.settimeout(10)
            assert s.recv(4096).startswith(b"HTTP/1.1 200")
            s.close()
    assert run(bin.vmcpd, "reload", "--control", scratch / "control").code == 0
    client = Client(on_tcp(lambda: server.port), verifier)
    assert client.ask()["machine"] == client.ask(is_v2=False)["machine"] == MACHINE
    client.close()


def test_a_flood_over_few_descriptors(bin, keys, scratch, verifier):
    """Started with 96 descriptors, and 400 clients that keep theirs: the honest ones are answered,
    and it costs little to stand there."""
    write_json(scratch / "configs" / "web.json", MACHINE)
    server = Vmcpd("/usr/bin/prlimit", scratch, "--nofile=96:96", bin.vmcpd, "--domain", DOMAIN,
                   "--key", keys["ed25519"].path, "--key", keys["rsa-2048"].path, "--configs",
                   scratch / "configs", "--listen", "127.0.0.1:0", "--access-log", "off").start()
    pid = server.process.pid
    descriptors = f"/proc/{pid}/fd"
    at_rest = len(os.listdir(descriptors))
    held = []
    honest = Client(on_tcp(lambda: server.port), verifier)
    for i in range(400):
        with contextlib.suppress(OSError):
            held.append(socket.create_connection(("127.0.0.1", server.port), 5,
                                                 source_address=("127.0.0.2", 0)))
            held[-1].sendall(b"GET /vmcp/web HTTP/1.1\r\nX: ")
        if i % 20 == 0:
            assert honest.ask()["sub"] == "web"
            honest.close()
    assert len(os.listdir(descriptors)) <= 96
    used = cpu_seconds(pid)
    time.sleep(2)
    assert cpu_seconds(pid) - used < 0.4
    for _ in range(50):
        assert honest.ask()["sub"] == "web"
        honest.close()
    for s in held:
        s.close()
    assert eventually(lambda: len(os.listdir(descriptors)) <= at_rest + 2)
    with Crowd([on_tcp(lambda: server.port)] * 4, verifier) as crowd:
        assert eventually(lambda: min(crowd.good) > 20)
    assert not crowd.wrong and not crowd.failed
    assert server.stop() == 0


# -- the disk --------------------------------------------------------------------------------------

def test_the_disk_full_under_load(vmcpd, verifier, scratch, keys, bin):
    """The log's disk fills up while clients ask: not one answer is lost, and lines come again where
    there is room again."""
    log = scratch / "access.log"
    server = vmcpd(None, "--access-log", log, "--log-format", "json", "--rate", "0")
    unlimited = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    with Crowd([on_tcp(lambda: server.port)] * 4, verifier) as crowd:
        assert eventually(lambda: log.stat().st_size > 20_000)
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE,
                         (log.stat().st_size + 5000, unlimited[1]))
        assert eventually(lambda: "lines are dropped" in server.log)
        full, before = log.stat().st_size, list(crowd.good)
        assert eventually(lambda: min(n - b for n, b in zip(crowd.good, before)) > 100)
        assert log.stat().st_size == full
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, unlimited)
        assert eventually(lambda: log.stat().st_size > full + 5000)
    assert not crowd.wrong and not crowd.failed and server.stop() == 0
    assert server.log.count("lines are dropped") < 5  # and does not fill the other one
    broken = 0
    for line in log.read_text().splitlines():
        try:
            assert json.loads(line)["status"] == 200
        except ValueError:
            broken += 1  # cut where the disk was full
    assert broken <= 5


# -- the clock -------------------------------------------------------------------------------------

FAKETIME = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
JUMP = 6 * 3600


@pytest.fixture
def clock(scratch, monkeypatch):
    """Processes started from now on see a clock of their own, which `clock(seconds)` moves; the
    monotonic one goes on as it does where somebody sets the real one."""
    if not FAKETIME:
        pytest.skip("libfaketime is not there")
    if "address" in str(BIN) or "thread" in str(BIN):
        pytest.skip("libfaketime and sanitizers both want to be loaded first")
    offset = scratch / "offset"
    offset.write_text("+0")
    for name, value in {"LD_PRELOAD": FAKETIME[0], "FAKETIME_TIMESTAMP_FILE": str(offset),
                        "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}.items():
        monkeypatch.setenv(name, value)
    yield lambda seconds: offset.write_text(f"{seconds:+d}")


def test_the_clock_set_back(clock, bin, keys, scratch, verifier, monkeypatch):
    configs, ring = scratch / "configs", key_folder(keys, scratch / "keys")
    (ring / "retired").mkdir()
    old = ring / "retired" / "old.key"
    old.write_bytes(keys["p-256"].path.read_bytes())
    old.chmod(0o600)
    write_json(configs / "web.json", {"machine": {**MACHINE, "now": "${vmcp.now}"}})
    # The sandbox would not let libfaketime read its file.
    server = Vmcpd(bin.vmcpd, scratch, "--domain", DOMAIN, "--keys", ring, "--configs", configs,
                   "--listen", "127.0.0.1:0", "--watch", "--control", scratch / "control",
                   "--retire-after", "2h", "--header-timeout", "3", "--rate", "20",
                   "--rate-burst", "40", "--access-log", scratch / "access.log", "--log-format",
                   "json", "--sandbox", "off").start()
    monkeypatch.delenv("LD_PRELOAD")
    client = Client(on_tcp(lambda: server.port), verifier)

    def shift():
        """How far its clock is behind, as an answer tells it: `iat`, macros and header agree."""
        claims = client.ask()
        client.close()
        now = time.strftime("%Y-%m-%dT%H:%M:", time.gmtime(claims["iat"]))
        assert claims["machine"]["now"].startswith(now[:-1]) or claims["iat"] % 60 in (0, 59)
        return round((time.time() - claims["iat"]) / 10) * 10

    def published():
        return {k["kid"]: k["status"] for k in server.ask("/.well-known/jwks.json").json["keys"]}

    kid = keys["p-256"].thumbprint
    assert shift() == 0 and published()[kid] == "retired"
    clock(JUMP)  # forward first: the retired key has been published long enough
    assert shift() == -JUMP and kid not in published()
    slow = server.connect()
    slow.sendall(b"GET /vmcp/web HTTP/1.1\r\n")
    begun = time.monotonic()
    assert any(server.ask("/nothing").status == 429 for _ in range(100))
    clock(-JUMP)

    # Limits and time-outs count on: nobody is shut out until the clock has come back.
    assert eventually(lambda: server.ask("/healthz").status == 200, 4)
    slow.settimeout(8)
    assert slow.recv(100) == b"" and 2 < time.monotonic() - begun < 6
    slow.close()
    assert shift() == JUMP
    with Crowd([on_tcp(lambda: server.port)] * 2, verifier,
               lambda claims: "iat" not in claims or abs(claims["iat"] - time.time() + JUMP) < 5,
               pause=0.15) as crowd:
        time.sleep(1)
        write_whole(configs / "web.json", {"machine": {**MACHINE, "now": "${vmcp.now}", "cpus": 4}})
        assert eventually(lambda: server.ask("/readyz").json.get("generation") == 2, 5)
    assert not crowd.wrong and not crowd.failed and min(crowd.good) > 3

    # A key that was retired is retired, whenever it is.
    assert run(bin.vmcpd, "reload", "--control", scratch / "control").code == 0
    assert published().get(kid, "retired") == "retired"
    assert client.ask()["machine"]["cpus"] == 4
    client.close()
    assert server.stop() == 0
    lines = [json.loads(line) for line in (scratch / "access.log").read_text().splitlines()]
    assert all(0 <= line["micros"] < 10_000_000 for line in lines)
    assert not any(line.get("key") == kid for line in lines)

# SPDX-License-Identifier: Apache-2.0
"""vmcpd while its files change: SIGHUP, `vmcpd reload`, the published key list."""
import base64
import contextlib
import os
import re
import signal
import socket
import stat
import subprocess
import threading
import time

import pytest

from conftest import DOMAIN, MACHINE, eventually, run, write_json
from honest import Crowd, Verifier, on_tcp


@pytest.fixture
def server(vmcpd, scratch):
    return vmcpd({"web": MACHINE}, "--control", scratch / "control")


@pytest.fixture
def reload(bin, scratch):
    """`vmcpd reload`, and its exit code."""

    def call(*options, code=0):
        done = run(bin.vmcpd, "reload", "--control", scratch / "control", *options)
        assert done.code == code, done
        return done

    return call


def ready(server):
    return server.ask("/readyz").json


def machine_file(server, name="web"):
    return server.folder / "configs" / f"{name}.json"


def test_sighup(server):
    assert ready(server) == {**ready(server), "machines": 1, "generation": 1, "status": "ready",
                             "reload": {"code": "ok", "time": 0, "done": 0, "failed": 0}}
    digest = ready(server)["digest"]
    write_json(machine_file(server, "db"), {"serial": 3, "machine": MACHINE})
    assert server.v2("/vmcp/db").status == 404
    server.process.send_signal(signal.SIGHUP)
    assert eventually(lambda: ready(server)["generation"] == 2)
    now = ready(server)
    assert now["machines"] == 2 and now["digest"] != digest and now["reload"]["done"] == 1
    assert server.v2("/vmcp/db").status == 200
    assert "reload (SIGHUP): 2 machines" in server.log


def test_a_broken_set_leaves_the_old_one(server, reload):
    before = ready(server)
    machine_file(server).write_text('{\n "machine": {"name": "n",\n  "secret": 7}}')
    done = reload(code=1)
    assert f"{machine_file(server)}:3:13: error: " in done.err
    assert "the old set stays" in done.err and "1 machine file is wrong" in done.err
    assert f"{machine_file(server)}:3:13: error: " in server.log
    now = ready(server)
    assert now["status"] == "ready" and now["digest"] == before["digest"]
    assert now["generation"] == 1
    assert now["reload"] == {**now["reload"], "code": "config-invalid", "done": 0, "failed": 1}
    assert now["reload"]["time"] > 0 and "web.json" not in str(now)
    assert server.v2().status == 200
    server.process.send_signal(signal.SIGHUP)
    assert eventually(lambda: ready(server)["reload"]["failed"] == 2)
    write_json(machine_file(server), MACHINE)
    assert reload().err == "vmcpd reload: generation 2, 1 machine\n"
    now = ready(server)
    assert now["reload"] == {**now["reload"], "code": "ok", "done": 1, "failed": 2}
    assert now["generation"] == 2 and now["digest"] == before["digest"]


@pytest.mark.parametrize("hurt", ["key", "configs", "default"])
def test_whatever_is_broken(vmcpd, reload, scratch, keys, hurt):
    key = scratch / "cfg.key"
    key.write_bytes(keys["p-256"].path.read_bytes())
    key.chmod(0o600)
    server = vmcpd({"web": MACHINE, "db": MACHINE}, "--control", scratch / "control", "--default",
                   "web", "--key", key, key=())
    if hurt == "key":
        key.chmod(0o644)
    elif hurt == "configs":
        machine_file(server).unlink()
        machine_file(server, "db").unlink()
    else:
        machine_file(server).unlink()
    err = reload(code=1).err
    assert "old set stays" in err and re.search(r" \[[a-z-]+\]\n$", err)
    if hurt == "key":
        assert f"stays: {key}: --key: mode" in err
    assert server.v2("/vmcp/web").status == server.v2("/vmcp/db").status == 200


@pytest.mark.parametrize("option", ["--key", "--tls-cert", "--tls-key", "--secret"])
def test_a_pipe_in_the_place_of_a_file_holds_nothing_up(vmcpd, reload, scratch, keys, option):
    """Neither the reload, nor the stop after it."""
    names = {"--tls-cert": "cert.pem", "--tls-key": "key.pem", "--key": "own.key", "--secret": "s"}
    files = {name: scratch / "own" / file for name, file in names.items()}
    (scratch / "own").mkdir()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", files["--tls-key"], "-out",
                    files["--tls-cert"], "-days", "20", "-subj", "/CN=localhost"],
                   check=True, capture_output=True, timeout=30)
    files["--key"].write_bytes(keys["ed25519"].path.read_bytes())
    files["--secret"].write_text("s" * 40, encoding="ascii")
    for path in files.values():
        path.chmod(0o600)
    server = vmcpd(None, "--control", scratch / "control",
                   *(word for pair in files.items() for word in pair), key=())
    files[option].unlink()
    os.mkfifo(files[option], 0o600)
    err = reload(code=1).err
    assert f"{files[option]}: {option}: is a named pipe; a regular file is wanted" in err
    assert server.stop() == 0


def test_reload_as_json(server, reload):
    done = reload("--json")
    assert done.json == {"code": "ok", "where": "", "detail": "", "loaded": True, "generation": 2,
                         "machines": 1, "jobs": 0, "findings": []}
    assert done.err == "vmcpd reload: generation 2, 1 machine\n"
    machine_file(server).write_text("{")
    report = reload("--json", code=1).json
    assert report["code"] == "config-invalid" and len(report["findings"]) == 1
    assert report["generation"] == 2 and report["machines"] == 1  # what goes on
    write_json(machine_file(server), {**MACHINE, "zone": "z"})  # a warning is told, and no failure
    done = reload("--json")
    assert done.json["code"] == "ok" and "warning: `zone`" in done.json["findings"][0]
    assert "warning: `zone`" in done.err


def test_no_server(bin, reload, scratch):
    assert "no server answers here" in reload(code=4).err
    (scratch / "control").write_text("")
    reload(code=4)
    assert run(bin.vmcpd, "reload", "--control", "x" * 200).code == 2
    assert run(bin.vmcpd, "reload", "operand").code == 2
    done = run(bin.vmcpd, "reload", "--help")
    assert done.code == 0 and "vmcpd reload" in done.out
    # A server that never says anything.
    (scratch / "control").unlink()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(scratch / "control"))
        silent.listen()
        assert "[timeout]" in reload("--timeout", "1s", code=8).err


def test_every_error_as_json(bin, reload, scratch):
    done = reload("--json", code=4)
    assert done.json["code"] == "network" and done.json["where"] == str(scratch / "control")
    assert "--control PATH" in done.json["detail"] and "--control PATH" in done.err
    for argv in (["--control", "x" * 200], ["operand"], ["--no-such"], ["--timeout", "0"]):
        done = run(bin.vmcpd, "reload", *argv, "--json")
        assert done.code == 2 and done.json["code"] == "usage" and "[usage]" in done.err
    for word in ("relaod", "reloads", "Reload"):
        done = run(bin.vmcpd, word)
        assert done.code == 2 and f"there is no verb {word}; did you mean reload?" in done.err
    assert "one too many" in run(bin.vmcpd, "stop").err


def drip(listener, give, pause):
    """One client, served a byte now and then."""
    peer, _ = listener.accept()
    with peer, contextlib.suppress(OSError):
        for _ in range(100):
            peer.sendall(give)
            time.sleep(pause)


def test_one_deadline_for_a_server_that_drips(reload, scratch):
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(scratch / "control"))
        listener.listen()
        thread = threading.Thread(target=drip, args=(listener, b" ", 0.2), daemon=True)
        thread.start()
        began = time.monotonic()
        assert "[timeout]" in reload("--timeout", "1s", code=8).err
        assert time.monotonic() - began < 5
        thread.join(timeout=30)


def test_more_findings_than_one_answer_has(server, reload):
    """The client's limit suffices for what the server sends, and the log has the rest."""
    config = machine_file(server).parent
    for i in range(150):
        write_json(config / f"m{i}.json", {**MACHINE, "z" + "_" * 120: "z"})
    done = reload("--json")
    assert len(done.json["findings"]) == 100 and done.json["machines"] == 151
    assert done.json["findings"][-1] == "and 51 more, which the server's log has"


def test_the_control_socket(bin, vmcpd, scratch, keys):
    path = scratch / "control"
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(path))
    stale.close()  # what a server that was killed leaves
    server = vmcpd({"web": MACHINE}, "--control", path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = run(bin.vmcpd, "--domain", DOMAIN, "--key", keys["ed25519"].path, "--configs",
                server.folder / "configs", "--listen", "127.0.0.1:0", "--control", path)
    assert again.code == 4 and "another server answers there" in again.err
    assert stat.S_ISSOCK(path.stat().st_mode)
    for junk in (b"", b"reload", b"reloadx\n", b"x" * 100_000):  # nothing to be had this way
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(path))
            try:
                s.sendall(junk)
                s.shutdown(socket.SHUT_WR)
                assert s.recv(100) == b""
            except (BrokenPipeError, ConnectionResetError):
                pass
    assert ready(server)["generation"] == 1 and server.v2().status == 200
    assert server.stop() == 0 and not path.exists()


def test_what_lies_where_the_control_socket_is_to_be(bin, vmcpd, scratch, keys):
    """Only a dead server's socket is removed; anything else is told, exit 4, and stays."""
    path = scratch / "control"

    def refused(why):
        done = run(bin.vmcpd, "--domain", DOMAIN, "--key", keys["ed25519"].path, "--configs",
                   folder, "--listen", "127.0.0.1:0", "--control", path)
        assert done.code == 4 and why in done.err and "[network]" in done.err, done
        assert path.exists()

    folder = write_json(scratch / "configs/web.json", MACHINE).parent
    path.write_text("mine")
    refused("no socket")
    assert path.read_text() == "mine"
    path.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as another:  # refuses streams: EPROTOTYPE
        another.bind(str(path))
        refused("whose it is cannot be told")
    path.unlink()
    with socket.socket(socket.AF_UNIX) as busy:  # alive, and its queue is full
        busy.bind(str(path))
        busy.listen(0)
        waiting = [socket.socket(socket.AF_UNIX) for _ in range(3)]
        for s in waiting:
            s.setblocking(False)
            s.connect_ex(str(path))
        refused("another server answers there")
        for s in waiting:
            s.close()
    if os.geteuid() == 0:
        os.chown(path, 65534, 65534)
        refused("a socket that user 65534 left")


def test_a_control_socket_that_is_another_servers_by_now(vmcpd, scratch):
    """What took the name meanwhile stays when this server stops."""
    path = scratch / "control"
    server = vmcpd({"web": MACHINE}, "--control", path)
    path.unlink()
    with socket.socket(socket.AF_UNIX) as another:
        another.bind(str(path))
        assert server.stop() == 0 and path.exists()


def test_the_control_socket_of_a_service(bin, vmcpd, scratch, monkeypatch):
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(scratch))
    server = vmcpd()
    assert run(bin.vmcpd, "reload").code == 0
    assert ready(server)["generation"] == 2


@pytest.mark.parametrize("abstract", [False, True])
def test_systemd_is_told(vmcpd, scratch, monkeypatch, reload, abstract):
    """Inside the sandbox, which lets nobody else be told anything."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        name = f"@{scratch}"[:100] if abstract else str(scratch / "notify")
        notify.bind(name.replace("@", "\0"))
        notify.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        server = vmcpd({"web": MACHINE}, "--control", scratch / "control")
        assert notify.recv(1000).startswith(b"READY=1")
        reload()
        assert notify.recv(1000).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        assert notify.recv(1000) == b"READY=1\nSTATUS=1 machine, generation 2"
        machine_file(server).write_text("{")
        reload(code=1)
        assert notify.recv(1000).startswith(b"RELOADING=1\n")
        assert notify.recv(1000).startswith(b"READY=1\nSTATUS=the last reload failed")
        server.process.send_signal(signal.SIGTERM)
        assert notify.recv(1000) == b"STOPPING=1"


def test_a_hundred_reloads_under_load(vmcpd, reload, scratch, keys):
    """Good and broken sets in turn: each answer verifies, and none is of a set that was broken. The
    clients keep their connections: not one fails."""
    server = vmcpd({"web": MACHINE}, "--control", scratch / "control", "--access-log", "off",
                   "--rate", "0")
    wanted = {None}  # the values that were ever in a good set

    def check(claims):
        return claims["sub"] == "web" and claims["machine"].get("round") in wanted

    verifier = Verifier(keys["ed25519"].pub, keys["rsa-2048"].pub)
    with Crowd([on_tcp(lambda: server.port)] * 6, verifier, check) as crowd:
        for i in range(100):
            before = sum(crowd.good)
            if i % 2:
                write_json(machine_file(server), {**MACHINE, "round": -i, "secret": ""})
            else:
                wanted.add(i)
                write_json(machine_file(server), {"machine": {**MACHINE, "round": i}})
            reload(code=i % 2)
            assert eventually(lambda: sum(crowd.good) > before)  # there is a load throughout
    assert not crowd.wrong and not crowd.failed, (crowd.wrong[:1], crowd.failed[:1])
    assert all(count > 50 for count in crowd.good) and sum(crowd.good) > 1000, crowd.good
    assert ready(server)["reload"] == {**ready(server)["reload"], "done": 50, "failed": 50}


# -- the version 1 key list ------------------------------------------------------------------------

@pytest.fixture
def keystore(vmcp, keys, scratch):
    """A list of one domain, signed by a root key that is elsewhere."""
    vmcp("keygen", "--alg", "rsa-2048", "--out", scratch / "root.key")
    (scratch / "keystore").mkdir()
    vmcp("keystore", "sign", "--root", scratch / "root.key", "--out", scratch / "keystore",
         f"{DOMAIN}={keys['rsa-2048'].pub}")
    return scratch / "keystore"


def test_the_key_list_is_published(vmcpd, vmcp, keystore, scratch, keys, reload):
    server = vmcpd({"web": MACHINE}, "--keystore", keystore, "--control", scratch / "control")
    (scratch / "got").mkdir()
    for name in ("domainkeys.lst", "domainkeys.sig"):
        answer = server.ask(f"/keystore/{name}")
        assert answer.status == 200 and answer.body == (keystore / name).read_bytes()
        known = {"If-None-Match": answer.headers["ETag"]}
        assert server.ask(f"/keystore/{name}", headers=known).status == 304
        (scratch / "got" / name).write_bytes(answer.body)
    vmcp("keystore", "verify", "--root", scratch / "root.key.pub", scratch / "got")
    domain, text = server.ask("/keystore/domainkeys.lst").text.strip().split("=", 1)
    pem = subprocess.run(["openssl", "pkey", "-pubin", "-inform", "DER"], check=True, timeout=20,
                         input=base64.b64decode(text), capture_output=True).stdout
    assert domain == DOMAIN and pem == keys["rsa-2048"].pub.read_bytes()
    # It reloads as all else does.
    vmcp("keystore", "sign", "--root", scratch / "root.key", "--out", keystore,
         f"{DOMAIN}={keys['rsa-2048'].pub}", f"two.example.org={keys['rsa-2048'].pub}")
    reload()
    assert server.ask("/keystore/domainkeys.lst").body.count(b"\n") == 2
    (keystore / "domainkeys.sig").unlink()
    reload(code=1)
    assert server.ask("/keystore/domainkeys.sig").status == 200


def test_without_a_key_list(vmcpd):
    server = vmcpd()
    for name in ("domainkeys.lst", "domainkeys.sig", "x"):
        answer = server.ask(f"/keystore/{name}")
        assert answer.status == 404 and answer.code == "not-found"


def test_the_root_key_may_not_sign_answers(bin, vmcp, keystore, scratch, keys):
    write_json(scratch / "configs" / "web.json", MACHINE)
    (scratch / "ring" / "active").mkdir(parents=True)
    argv = [bin.vmcpd, "--domain", DOMAIN, "--configs", scratch / "configs", "--keystore",
            keystore, "--check"]
    assert run(*argv, "--key", keys["rsa-2048"].path).code == 0
    done = run(*argv, "--key", scratch / "root.key")
    assert done.code == 3 and "root key of the key list" in done.err
    for state in ("active", "next", "retired"):
        folder = scratch / "ring" / state
        folder.mkdir(exist_ok=True)
        os.link(scratch / "root.key", folder / "root.key")
        done = run(*argv, "--keys", scratch / "ring", "--key", keys["ed25519"].path)
        assert done.code == 3 and "root key of the key list" in done.err, state
        (folder / "root.key").unlink()

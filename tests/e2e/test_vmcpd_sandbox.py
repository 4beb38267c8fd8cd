# SPDX-License-Identifier: Apache-2.0
"""vmcpd's user, its sandbox, and that all goes on working inside.

What fails inside is tried by tests/unit/test_sandbox.c; here the real server's state is read from
/proc."""
import ctypes
import os
import pwd
import re
import signal
import socket
import ssl
import subprocess
import tempfile
from pathlib import Path

import pytest

from conftest import DOMAIN, MACHINE, Vmcpd, eventually, run, write_json

ROOT = os.geteuid() == 0
NOBODY = pwd.getpwnam("nobody")
FULL = {"Seccomp": "2", "NoNewPrivs": "1", "CapInh": 0, "CapPrm": 0, "CapEff": 0, "CapAmb": 0}

needs_root = pytest.mark.skipif(not ROOT, reason="only root can become another user")


def has_landlock():
    """landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION), 444 on every architecture."""
    return ctypes.CDLL(None).syscall(444, None, ctypes.c_size_t(0), 1) > 0


@pytest.fixture
def sanitized():
    """Leaks are searched for by calls that the sandbox refuses."""
    old = os.environ.get("ASAN_OPTIONS")
    os.environ["ASAN_OPTIONS"] = f"{old}:detect_leaks=0" if old else "detect_leaks=0"
    yield
    if old is None:
        del os.environ["ASAN_OPTIONS"]
    else:
        os.environ["ASAN_OPTIONS"] = old


@pytest.fixture
def place(vmcp, sanitized):
    """A folder that the server's user can reach: a key, a machine, room for logs and sockets."""
    with tempfile.TemporaryDirectory(prefix="vmcpd-sandbox-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "keys").mkdir(0o700)
        vmcp("keygen", "--alg", "ed25519", "--out", folder / "keys/cfg.key")
        write_json(folder / "configs/web.json", MACHINE)
        for name in ("logs", "run"):
            (folder / name).mkdir(0o700)
        if ROOT:
            give_away(folder)
        yield folder


def give_away(folder):
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY.pw_uid, NOBODY.pw_gid)


class Server(Vmcpd):
    def __init__(self, bin, folder, *options, prefix=(), **more):
        chosen = {"key": folder / "keys/cfg.key", "configs": folder / "configs",
                  "listen": "127.0.0.1:0", "control": folder / "run/control", "sandbox": "on",
                  **more}
        words = [*prefix, bin.vmcpd, "--domain", DOMAIN, *options]
        for name, value in chosen.items():
            words += [f"--{name}", value]
        super().__init__(words[0], folder, *words[1:])

    def states(self):
        """What /proc says of each of its threads; the same of all."""
        found = []
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            lines = (task / "status").read_text().splitlines()
            status = {k: v.strip() for k, _, v in (line.partition(":") for line in lines)}
            found.append({k: int(v, 16) if k.startswith("Cap") else v for k, v in status.items()
                          if k.startswith("Cap") or k in ("Seccomp", "NoNewPrivs", "Uid", "Gid",
                                                          "Groups")})
        assert len(found) > 2 and all(f == found[0] for f in found), found
        return found[0]


@pytest.fixture
def start(bin, place):
    started = []

    def make(*options, **more):
        started.append(Server(bin, place, *options, **more))
        return started[-1].start()

    yield make
    for server in started:
        assert server.stop() == 0, server.log


def as_nobody():
    """How an ordinary user starts it."""
    return ("setpriv", f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}",
            "--clear-groups", "--") if ROOT else ()


def contains(states, wanted):
    assert {k: states[k] for k in wanted} == wanted


def core_limit(server):
    limits = Path(f"/proc/{server.process.pid}/limits").read_text()
    return re.search(r"^Max core file size +(\S+) +(\S+)", limits, re.M).groups()


# -- what is in force ------------------------------------------------------------------------------

@needs_root
def test_root_becomes_a_user(start):
    server = start("--user", "nobody")
    states = server.states()
    contains(states, FULL)
    assert states["CapBnd"] == 0
    assert states["Uid"].split() == [str(NOBODY.pw_uid)] * 4
    assert states["Gid"].split() == [str(NOBODY.pw_gid)] * 4
    groups = os.getgrouplist("nobody", NOBODY.pw_gid)
    assert {int(g) for g in states["Groups"].split()} == set(groups)
    assert core_limit(server) == ("0", "0")
    # Not dumpable: what the user's other processes could read of it belongs to root.
    assert os.stat(f"/proc/{server.process.pid}/environ").st_uid == 0
    assert f"sandbox: user {NOBODY.pw_uid}, no new privileges, seccomp, " in server.log
    assert "warning" not in server.log
    assert server.v2().status == 200
    assert os.stat(server.folder / "run/control").st_uid == NOBODY.pw_uid


def test_started_by_an_ordinary_user(start):
    server = start(prefix=as_nobody())
    contains(server.states(), FULL)
    assert core_limit(server) == ("0", "0")
    limits = Path(f"/proc/{server.process.pid}/limits").read_text()
    soft, hard = re.search(r"^Max open files +(\S+) +(\S+)", limits, re.M).groups()
    assert soft == hard
    assert "warning" not in server.log and server.v2().status == 200


@needs_root
def test_root_without_a_user_is_warned(start):
    server = start()
    states = server.states()
    read_files = (1 << 1) | (1 << 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
    contains(states, {**FULL, "CapPrm": read_files, "CapEff": read_files, "CapBnd": 0})
    assert "warning: it runs as root; give it a user of its own with --user NAME" in server.log


@needs_root
def test_a_port_below_1024(start):
    for port in range(900, 1000):
        with socket.socket() as s:
            try:
                s.bind(("127.0.0.1", port))
                break
            except OSError:
                continue
    server = start("--user", "nobody", listen=f"127.0.0.1:{port}")
    assert server.port == port and server.v2().status == 200
    contains(server.states(), FULL)


def test_off(start):
    server = start(prefix=as_nobody(), sandbox="off")
    states = server.states()
    assert states["Seccomp"] == states["NoNewPrivs"] == "0"
    assert core_limit(server) == ("0", "0")
    assert "vmcpd: sandbox: off" in server.log and server.v2().status == 200


def test_what_landlock_the_kernel_has_is_told(bin, start, place):
    server = start(prefix=as_nobody())
    told = re.search(r"no new privileges, seccomp, (Landlock \d+ \(files.*\)|no Landlock here)$",
                     server.log, re.M)
    assert told, server.log
    assert has_landlock() == told[1].startswith("Landlock")
    checked = run(*as_nobody(), *Server(bin, place, "--check").argv)
    assert checked.code == 0 and f"vmcpd: sandbox: seccomp, {told[1]}\n" in checked.out, checked
    assert server.process.poll() is None and server.v2().status == 200  # nothing was touched
    off = run(*as_nobody(), *Server(bin, place, "--check", sandbox="off").argv)
    assert off.code == 0 and "vmcpd: sandbox: off\n" in off.out, off


@pytest.mark.parametrize("sandbox", ["on", "off"])
def test_what_is_in_force_is_a_metric(start, place, sandbox):
    server = start("--metrics", f"unix:{place}/run/metrics", prefix=as_nobody(), sandbox=sandbox)
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(place / "run/metrics"))
        s.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
    layers = dict(re.findall(r'^vmcpd_sandbox\{layer="(\w+)"\} (\d+)$', text, re.M))
    assert layers["seccomp"] == ("1" if sandbox == "on" else "0"), text
    assert (layers["landlock"] != "0") == (sandbox == "on" and has_landlock())
    if sandbox == "on" and has_landlock():
        assert f"Landlock {layers['landlock']} (" in server.log


# -- all goes on working ---------------------------------------------------------------------------

def reload(bin, place, code=0):
    done = run(bin.vmcpd, "reload", "--control", place / "run/control")
    assert done.code == code, done
    return done


@needs_root
def test_requests_reloads_and_logs(bin, start, place):
    log = place / "logs/access.log"
    server = start("--user", "nobody", "--access-log", log, "--watch")
    for i in range(100):
        assert server.v2(salt=f"S-{i}").status == 200
    for i in range(50):  # enough files that several threads read them
        write_json(place / f"configs/m{i}.json", MACHINE)
    give_away(place)
    reload(bin, place)
    assert server.v2("/vmcp/m49").status == 200
    (place / "configs/web.json").write_text("{")
    assert "old set stays" in reload(bin, place, code=1).err
    assert server.v2().status == 200
    write_json(place / "configs/web.json", {**MACHINE, "cpus": 4})
    log.rename(place / "logs/access.log.1")
    server.process.send_signal(signal.SIGHUP)
    assert eventually(log.exists)  # a request just now may still be in the old one
    assert eventually(lambda: server.ask("/healthz").status == 200 and
                      "/healthz" in log.read_text())
    (place / "configs/new.json").write_bytes((place / "configs/web.json").read_bytes())
    assert eventually(lambda: server.v2("/vmcp/new").status == 200)
    assert server.stop() == 0 and not (place / "run/control").exists()


@needs_root
def test_tls_and_unix_sockets(bin, start, place):
    cert, key = place / "keys/tls.pem", place / "keys/tls.key"

    def renew():
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert, "-days",
                        "2", "-subj", "/CN=localhost"], check=True, capture_output=True, timeout=30)
        key.chmod(0o600)
        give_away(place)

    def served():
        return ssl.get_server_certificate(("127.0.0.1", server.port))

    renew()
    server = start("--user", "nobody", "--tls-cert", cert, "--tls-key", key, "--listen",
                   f"unix:{place}/run/http")
    assert served() == cert.read_text()
    renew()
    reload(bin, place)
    assert served() == cert.read_text()
    assert (place / "run/http").is_socket()
    assert server.stop() == 0 and not (place / "run/http").exists()


def test_links_that_are_swapped(bin, start, place):
    """As Kubernetes mounts a ConfigMap and a Secret: `..data` is replaced, and so is all below."""
    mount = place / "mount"
    for version in ("1", "2"):
        write_json(mount / f"..{version}/web.json", {"serial": int(version), "machine": MACHINE})
        (mount / f"..{version}/cfg.key").write_bytes((place / "keys/cfg.key").read_bytes())
        (mount / f"..{version}/cfg.key").chmod(0o600)
    (mount / "..data").symlink_to("..1")
    (mount / "web.json").symlink_to("..data/web.json")
    if ROOT:
        give_away(mount)
    server = start(prefix=as_nobody(), configs=mount, key=mount / "..data/cfg.key")
    (mount / "..new").symlink_to("..2")
    (mount / "..new").rename(mount / "..data")
    for name in ("web.json", "cfg.key"):
        (mount / "..1" / name).unlink()
    (mount / "..1").rmdir()
    reload(bin, place)
    assert server.v2().status == 200


@pytest.mark.skipif(not has_landlock(), reason="this kernel has no Landlock")
def test_files_that_lie_where_others_keep_things(bin, start, place):
    """Each is named at the start. What is replaced can be read again; nothing beside them can be
    written or removed."""
    name = f"/tmp/vmcpd-{os.getpid()}-{place.name}"
    files = {kind: Path(f"{name}.{kind}") for kind in ("key", "log", "control")}
    try:
        files["key"].write_bytes((place / "keys/cfg.key").read_bytes())
        files["key"].chmod(0o600)
        if ROOT:
            os.chown(files["key"], NOBODY.pw_uid, NOBODY.pw_gid)
        server = start("--access-log", files["log"], prefix=as_nobody(), key=files["key"],
                       control=files["control"])
        where = "lies directly in /tmp, where others keep things too"
        for kind, cost in (("key", "all that is there can be read"),
                           ("log", "no new one can be made after a rotation"),
                           ("control", "it cannot be removed at the end")):
            assert f"warning: sandbox: {files[kind]} {where}: {cost}; give it" in server.log
        fresh = Path(f"{name}.fresh")
        fresh.write_bytes(files["key"].read_bytes())
        fresh.chmod(0o600)
        if ROOT:
            os.chown(fresh, NOBODY.pw_uid, NOBODY.pw_gid)
        fresh.rename(files["key"])
        files["log"].rename(f"{name}.log.1")
        done = run(bin.vmcpd, "reload", "--control", files["control"])
        assert done.code == 1 and "the new set is served" in done.err, done  # but for the log
        assert not files["log"].exists() and "cannot be opened" in server.log
        assert server.v2().status == 200
        assert eventually(lambda: "GET /vmcp/web 200" in Path(f"{name}.log.1").read_text())
        assert server.stop() == 0 and files["control"].is_socket()
    finally:
        for path in Path("/tmp").glob(f"{Path(name).name}.*"):
            path.unlink()


# -- what is refused -------------------------------------------------------------------------------

@needs_root
def test_files_are_read_as_the_user_from_the_start(bin, place):
    key = place / "keys/cfg.key"
    os.chown(key, 0, 0)
    for more in ((), ("--check",)):
        done = run(*Server(bin, place, "--user", "nobody", *more).argv)
        assert done.code == 3 and "ready" not in done.out
        assert (f"{key}: --key: cannot be opened: Permission denied; it is opened as user nobody"
                in done.err), done
        assert "at reloads" in done.err
    assert run(*Server(bin, place, "--check").argv).code == 0  # root may
    os.chown(key, NOBODY.pw_uid, NOBODY.pw_gid)
    assert run(*Server(bin, place, "--user", "nobody", "--check").argv).code == 0


def test_users_that_cannot_be(bin, place):
    done = run(*Server(bin, place, "--user", "no-such-user").argv)
    assert done.code == 2 and "there is no such user here" in done.err
    done = run(*Server(bin, place, "--user", "root", prefix=as_nobody()).argv)
    assert done.code == 2 and "only root can become another user" in done.err
    done = run(*Server(bin, place, sandbox="maybe").argv)
    assert done.code == 2 and "--sandbox maybe: on or off is wanted" in done.err

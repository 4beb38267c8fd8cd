# SPDX-License-Identifier: Apache-2.0
"""`vmcp rotate` and `vmcpd --keys`: three states, one step at a time, safe if killed anywhere."""
import fcntl
import json
import os
import pwd
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest
from jwcrypto import jwk, jws

from conftest import DOMAIN, MACHINE, Vmcpd, eventually, run, write_json

STATES = ("active", "next", "retired")


@pytest.fixture(scope="session")
def ring_of_two(vmcp, tmp_path_factory):
    """A keys folder with an active and a next key of two types. Copied, never changed."""
    folder = tmp_path_factory.mktemp("ring") / "keys"
    (folder / "active").mkdir(parents=True)
    for alg in ("ed25519", "p-256"):
        vmcp("keygen", "--alg", alg, "--out", folder / "active" / f"{alg}.key")
    vmcp("rotate", folder)
    return folder


@pytest.fixture
def ring(ring_of_two, scratch):
    shutil.copytree(ring_of_two, scratch / "keys")
    return scratch / "keys"


@pytest.fixture
def serve(bin, scratch):
    """Start a vmcpd on a keys folder; each must end with 0."""
    started = []

    def start(ring, *options):
        write_json(scratch / "configs" / "web.json", {"serial": 7, "machine": MACHINE})
        server = Vmcpd(bin.vmcpd, scratch, "--domain", DOMAIN, "--keys", ring, "--configs",
                       scratch / "configs", "--listen", "127.0.0.1:0", *options)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        assert server.stop() == 0, server.log


def keys_of(vmcp, ring):
    """{state: {thumbprint of each key in it}}"""
    return {state: {vmcp("thumbprint", path).out.split()[0]
                    for path in (ring / state).glob("[!.]*.key")} for state in STATES}


def jwks_of(server):
    return {key["kid"]: key["status"] for key in server.ask("/.well-known/jwks.json").json["keys"]}


# -- one step --------------------------------------------------------------------------------------

def test_the_first_rotation_makes_the_next_keys(vmcp, scratch):
    ring = scratch / "keys"
    (ring / "active").mkdir(parents=True)
    for alg in ("ed25519", "rsa-2048"):
        vmcp("keygen", "--alg", alg, "--out", ring / "active" / f"{alg}.key")
    before = keys_of(vmcp, ring)["active"]
    done = vmcp("rotate", ring)
    after = keys_of(vmcp, ring)
    assert after["active"] == before and len(after["next"]) == 2 and not after["retired"]
    assert "next/ was empty" in done.err and "reload vmcpd" in done.err
    assert {line.split()[1] for line in done.out.splitlines()} == after["next"]
    for path in (ring / "next").iterdir():
        assert path.stat().st_mode & 0o777 == (0o644 if path.suffix == ".pub" else 0o600)
    assert not (ring / ".rotation").exists()


def test_one_step(vmcp, ring):
    before = keys_of(vmcp, ring)
    report = vmcp("rotate", ring, "--now", "--json").json
    after = keys_of(vmcp, ring)
    assert after["active"] == before["next"] and after["retired"] == before["active"]
    assert len(after["next"]) == 2 and not after["next"] & (before["next"] | before["active"])
    assert report["code"] == "ok" and report["resumed"] is False and report["dryRun"] is False
    assert [s["do"] for s in report["steps"]] == 2 * ["promote"] + 2 * ["retire"] + 2 * ["make"]
    assert {s["thumbprint"] for s in report["steps"] if s["do"] == "make"} == after["next"]
    for path in (ring / "active").glob("*.key"):
        assert path.with_name(path.name + ".pub").exists()


def test_too_early(vmcp, ring):
    before = keys_of(vmcp, ring)
    done = vmcp("rotate", ring, code=1)
    assert "[rotation-too-early]" in done.err and "clients get 24 h to learn of it" in done.err
    name = re.search(r"error: (next/\S+): ", done.err)[1]
    ripe = int((ring / name).stat().st_ctime) + 86400
    assert time.strftime("from %Y-%m-%dT%H:%M:%SZ on, in ", time.gmtime(ripe)) in done.err
    vmcp("rotate", ring, "--min-published", "1h", code=1)
    assert vmcp("rotate", ring, "--json", code=1).json["code"] == "rotation-too-early"
    assert keys_of(vmcp, ring) == before
    for path in (ring / "next").iterdir():  # a time that was set back counts for nothing
        os.utime(path, (1, 1))
    vmcp("rotate", ring, "--min-published", "1h", code=1)
    time.sleep(1.1)
    vmcp("rotate", ring, "--min-published", "1s")


@pytest.mark.parametrize("value", ["", "h", "-1", "1w", "1hh", "366d", "99999999999999999999"])
def test_times_that_are_refused(vmcp, ring, value):
    assert "--min-published" in vmcp("rotate", ring, "--min-published", value, code=2).err


def test_dry_run(vmcp, ring):
    def everything():
        return sorted((str(p), p.stat().st_ctime_ns) for p in ring.rglob("*"))

    before = everything()
    done = vmcp("rotate", ring, "--now", "--dry-run")
    assert len(done.out.splitlines()) == 6 and "nothing was changed" in done.err
    assert everything() == before


def test_a_type_without_a_next_key_stays(vmcp, ring):
    for path in list((ring / "next").glob("p-256*")):
        path.unlink()
    vmcp("rotate", ring, "--now")
    active = [vmcp("pubkey", p, "--format", "jwk").json for p in (ring / "active").glob("*.key")]
    assert sorted(key["kty"] for key in active) == ["EC", "OKP"]
    assert (ring / "active" / "p-256.key").exists() and not (ring / "active/ed25519.key").exists()
    assert len(list((ring / "next").glob("*.key"))) == 1


def test_a_name_that_is_taken(vmcp, ring):
    for path in (ring / "next").glob("ed25519*"):
        path.rename(ring / "next" / f"ed25519.key{'.pub' if path.suffix == '.pub' else ''}")
    before = keys_of(vmcp, ring)
    vmcp("rotate", ring, "--now")
    after = keys_of(vmcp, ring)
    assert after["active"] == before["next"] and after["retired"] == before["active"]


def test_retired_keys_are_removed_in_the_end(vmcp, ring):
    first = keys_of(vmcp, ring)["active"]
    vmcp("rotate", ring, "--now")
    time.sleep(1.1)
    done = vmcp("rotate", ring, "--now", "--retire-after", "24h", "--dry-run")
    assert "removed" not in done.out
    vmcp("rotate", ring, "--now", "--retire-after", "0")
    after = keys_of(vmcp, ring)
    assert not first & after["retired"] and len(after["retired"]) == 2
    assert len(list((ring / "retired").iterdir())) == 4


def test_folders_that_are_refused(vmcp, scratch, ring):
    for name, what in (("absent", "absent"), ("empty", "empty/active")):
        if name == "empty":
            (scratch / "empty").mkdir()
        done = vmcp("rotate", scratch / name, "--json", code=3).json
        assert done["code"] == "file" and done["where"].endswith("/" + what)
        assert f"mkdir -p {scratch / name}/active && vmcp keygen" in done["detail"]
    (scratch / "empty" / "active").mkdir()
    assert "vmcp keygen" in vmcp("rotate", scratch / "empty", code=3).err
    (ring / "next" / "junk").write_text("junk")
    assert "next/junk" in vmcp("rotate", ring, "--now", code=3).err
    (ring / "next" / "junk").unlink()
    shutil.copy(ring / "active" / "p-256.key", ring / "next" / "again.key")
    assert "twice" in vmcp("rotate", ring, "--now", code=3).err


def test_root_acts_as_the_owner(vmcp, ring, scratch):
    """What the server's user puts into its folder leads root nowhere."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    for path in [scratch, *scratch.parents]:
        if path == path.parent or path.stat().st_mode & 0o001:
            continue
        path.chmod(path.stat().st_mode | 0o011)
    for path in [ring, *ring.rglob("*")]:
        os.chown(path, 12345, 12345)
    vmcp("rotate", ring, "--now")
    for path in ring.rglob("*"):
        assert (path.stat().st_uid, path.stat().st_gid) == (12345, 12345), path
    (scratch / "elsewhere").mkdir()
    os.rename(ring / "next", ring / "moved")
    os.symlink(scratch / "elsewhere", ring / "next")
    assert "next: is no folder" in vmcp("rotate", ring, "--now", code=3).err
    (ring / "next").unlink()
    os.rename(ring / "moved", ring / "next")
    os.chown(ring / "retired", 0, 0)
    assert "one user owns a keys folder" in vmcp("rotate", ring, "--now", code=3).err
    assert not list((scratch / "elsewhere").iterdir())


def test_another_rotation_at_work(vmcp, ring):
    fd = os.open(ring / "active", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    assert "[state-busy]" in vmcp("rotate", ring, "--now", code=3).err
    os.close(fd)
    vmcp("rotate", ring, "--now")


def test_a_lock_that_is_held_is_not_waited_for_without_end(bin, vmcp, ring, scratch):
    """Whoever can open the folder can lock it."""
    configs = write_json(scratch / "configs" / "web.json", MACHINE).parent
    fd = os.open(ring, os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    serve = [bin.vmcpd, "--domain", DOMAIN, "--configs", configs, "--keys", ring, "--check"]
    done = run(*serve, timeout=25)
    assert done.code == 3 and "[state-busy]" in done.err and "0700" in done.err, done
    threading.Timer(1, os.close, [fd]).start()
    assert run(*serve, timeout=25).code == 0


def test_pipes_are_not_waited_for(bin, vmcp, ring, scratch):
    configs = write_json(scratch / "configs" / "web.json", MACHINE).parent
    os.mkfifo(ring / "active" / "pipe.key", 0o600)
    done = run(bin.vmcpd, "--domain", DOMAIN, "--configs", configs, "--keys", ring, "--check",
               timeout=10)
    assert done.code == 3 and "pipe.key: --keys: is not a regular file" in done.err, done
    (ring / "active" / "pipe.key").unlink()
    os.mkfifo(ring / ".rotation")
    assert "not a regular file" in vmcp("rotate", ring, "--now", code=3, timeout=10).err


def test_names_do_not_reach_the_terminal_as_they_are(vmcp, ring):
    """The server's user names the files; root reads what is printed."""
    for path in (ring / "active").glob("*.key"):
        path.rename(ring / "active" / f"\x1b]0;{path.name}\x07")
    out = vmcp("rotate", ring, "--now").out
    assert "retired/?]0;" in out and not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", out)


# -- interrupted -----------------------------------------------------------------------------------

CALLS = ("rename", "renameat2", "unlink", "unlinkat", "fsync", "fchmod", "mkdirat", "chown",
         "utimensat")


def can_trace():
    return shutil.which("strace") and subprocess.run(
        ["strace", "-o", "/dev/null", "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("call", CALLS)
def test_killed_at_each_step(bin, vmcp, ring_of_two, scratch, call):
    """SIGKILL at every system call that changes something. At each of them: the folder is served,
    with keys that a client of the old set takes; the next run finishes, and ends in the same
    state as a run that nobody disturbed."""
    if not can_trace():
        pytest.skip("strace cannot trace here")
    before = keys_of(vmcp, ring_of_two)
    pinned = before["active"] | before["next"]
    configs = write_json(scratch / "configs" / "web.json", MACHINE).parent
    for n in range(1, 100):
        ring = scratch / f"keys-{n}"
        shutil.copytree(ring_of_two, ring)
        if call == "mkdirat":
            (ring / "retired").rmdir()
        done = run("strace", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                   f"inject={call}:signal=KILL:when={n}", bin.vmcp, "rotate", ring, "--now")
        if done.code == 0:
            break
        now = keys_of(vmcp, ring)
        assert now["active"] and now["active"] <= pinned, (n, now)
        check = run(bin.vmcpd, "--domain", DOMAIN, "--keys", ring, "--configs", configs, "--check")
        assert check.code == 0, (n, check)
        begun = (ring / ".rotation").exists()
        if begun or now["active"] != before["next"]:  # else only the last fsync was missing
            assert vmcp("rotate", ring, "--now", "--json").json["resumed"] == begun
        after = keys_of(vmcp, ring)
        assert after["active"] == before["next"] and after["retired"] == before["active"], n
        assert len(after["next"]) == 2 and not after["next"] & pinned
        assert not list(ring.rglob(".*")), f"{n}: something was left behind"
    least = {"renameat2": 12, "fsync": 13, "rename": 1, "unlinkat": 1, "fchmod": 5, "mkdirat": 1}
    assert n > least.get(call, 0), f"{call} was met only {n - 1} times"


@pytest.mark.parametrize("journal", [
    "", "{", "[]", "{}", '{"steps": 7}', '{"steps": [{"do": "promote"}]}',
    '{"steps": [{"do": "remove", "from": "../configs/web.json", "to": "", "key": ""}]}',
    '{"steps": [{"do": "remove", "from": "retired/../../x", "to": "", "key": ""}]}',
    '{"steps": [{"do": "remove", "from": "active/..", "to": "", "key": ""}]}',
    '{"steps": [{"do": "promote", "from": "next/a", "to": "/etc/passwd", "key": ""}]}',
    '{"steps": [{"do": "promote", "from": "next/a", "to": "", "key": ""}]}',
    '{"steps": [{"do": "jump", "from": "next/a", "to": "active/a", "key": ""}]}',
])
def test_journals_that_are_refused(vmcp, ring, journal):
    (ring / ".rotation").write_text(journal)
    before = keys_of(vmcp, ring)
    done = vmcp("rotate", ring, "--now", code=3)
    assert "[state-damaged]" in done.err and ".rotation" in done.err
    assert keys_of(vmcp, ring) == before


def test_a_journal_whose_key_is_gone(vmcp, ring):
    """Taken away between two runs: what there is to do is said, and works."""
    name = "active/ed25519.key"
    (ring / ".rotation").write_text(json.dumps({"steps": [
        {"do": "retire", "from": name, "to": "retired/ed25519.key", "key": "x"}]}))
    kept = (ring / name).read_bytes()
    (ring / name).unlink()
    for _ in range(2):
        done = vmcp("rotate", ring, "--now", code=3)
        assert f"{name}: neither this nor retired/ed25519.key is there" in done.err
        assert "[state-damaged]" in done.err and "remove the folder's .rotation" in done.err
    (ring / name).write_bytes(kept)
    (ring / name).chmod(0o600)
    assert vmcp("rotate", ring, "--now", "--json").json["resumed"]
    assert (ring / "retired/ed25519.key").read_bytes() == kept


def test_root_becomes_the_owner_wholly(bin, keys, scratch):
    """Real and saved ids, the account's groups; what only root can read was read before."""
    if os.geteuid() != 0:
        pytest.skip("needs root")
    user = pwd.getpwnam("nobody")
    for path in [scratch, *scratch.parents]:
        if path != path.parent and not path.stat().st_mode & 0o001:
            path.chmod(path.stat().st_mode | 0o011)
    secret = scratch / "root-only"
    secret.write_text("correct horse")
    secret.chmod(0o600)
    ring = scratch / "owned"
    (ring / "active").mkdir(parents=True)
    shutil.copy(keys["ed25519"].path, ring / "active" / "1.key")
    for path in [ring, *ring.rglob("*")]:
        os.chown(path, user.pw_uid, user.pw_gid)
    traced = can_trace()
    tracer = ["strace", "-e", "trace=setgroups,setresgid,setresuid", "-o", scratch / "trace"]
    done = run(*(tracer if traced else []), bin.vmcp, "rotate", ring, "--passphrase",
               f"file:{secret}", env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
    assert done.code == 0, done  # the leak detector cannot work below a tracer
    if traced:
        told = (scratch / "trace").read_text()
        for call, number in (("setresgid", user.pw_gid), ("setresuid", user.pw_uid)):
            assert re.search(rf"{call}\({number}, {number}, {number}\) += 0", told)
    made, = [p for p in (ring / "next").iterdir() if p.suffix == ".key"]
    assert b"ENCRYPTED" in made.read_bytes() and made.stat().st_uid == user.pw_uid


# -- served ----------------------------------------------------------------------------------------

def header(answer):
    token = jws.JWS()
    token.deserialize(answer)
    return token.jose_header


def test_states_as_they_are_served(vmcp, ring, serve):
    vmcp("rotate", ring, "--now")
    states = keys_of(vmcp, ring)
    server = serve(ring)
    assert jwks_of(server) == {t: state for state in STATES for t in states[state]}
    assert header(server.v2().text)["kid"] in states["active"]
    assert header(server.v2().text)["alg"] == "EdDSA"
    text = "".join(server.lines)
    for state in ("next", "retired"):
        for thumbprint in states[state]:
            assert re.search(rf"key {thumbprint} \S+ {state}$", text, re.M)


def test_a_retired_key_is_forgotten_in_time(vmcp, ring, serve):
    """Without a reload: when its time is over, it is gone from the key set."""
    vmcp("rotate", ring, "--now")
    states = keys_of(vmcp, ring)
    server = serve(ring, "--retire-after", "3s")
    etag = server.ask("/.well-known/jwks.json").headers["ETag"]
    assert states["retired"] <= set(jwks_of(server))
    assert eventually(lambda: not states["retired"] & set(jwks_of(server)))
    assert states["active"] | states["next"] == set(jwks_of(server))
    assert server.ask("/.well-known/jwks.json").headers["ETag"] != etag


def test_keys_folders_that_are_refused(bin, vmcp, ring, scratch, keys):
    configs = write_json(scratch / "configs" / "web.json", MACHINE).parent

    def refused(*options, code=3):
        done = run(bin.vmcpd, "--domain", DOMAIN, "--configs", configs, "--check", *options)
        assert done.code == code, done
        return done.err

    for path in list((ring / "active").iterdir()):
        path.rename(scratch / path.name)
    assert "no active key" in refused("--keys", ring)
    shutil.copy(keys["ed25519"].path, ring / "active")
    os.chmod(ring / "active" / "ed25519.key", 0o644)
    assert "chmod 600" in refused("--keys", ring)
    os.chmod(ring / "active" / "ed25519.key", 0o600)
    assert "twice" in refused("--keys", ring, "--key", keys["ed25519"].path)
    assert "absent" in refused("--keys", scratch / "absent")
    refused("--keys", ring, "--retire-after", "x", code=2)


class Fetching:
    """Clients that ask all the time and verify each answer against a set they pinned."""

    def __init__(self, server, pinned):
        self.server, self.stop, self.good, self.bad = server, threading.Event(), [], []
        self.keys = {key["kid"]: jwk.JWK(**{k: v for k, v in key.items() if k != "status"})
                     for key in pinned if key["status"] in ("active", "next")}
        self.threads = [threading.Thread(target=self.ask, args=(i,)) for i in range(4)]
        for thread in self.threads:
            thread.start()

    def ask(self, number):
        n = 0
        while not self.stop.is_set():
            n += 1
            try:
                answer = self.server.v2(salt=f"S-{number}-{n}")
                token = jws.JWS()
                token.deserialize(answer.text)
                kid = token.jose_header["kid"]
                token.verify(self.keys[kid])
                assert json.loads(token.payload)["nonce"] == f"S-{number}-{n}"
                self.good.append(kid)
            except Exception as e:  # pylint: disable=broad-except
                self.bad.append(repr(e))
                return

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(20)
        assert not self.bad, self.bad[:3]
        return self.good


def test_clients_that_pinned_the_old_set_live_through_a_rotation(vmcp, ring, serve):
    server = serve(ring, "--access-log", "off")
    pinned = server.ask("/.well-known/jwks.json").json["keys"]
    old = keys_of(vmcp, ring)
    fetching = Fetching(server, pinned)
    assert eventually(lambda: len(fetching.good) > 50)
    vmcp("rotate", ring, "--now")
    time.sleep(0.1)  # the folder is ahead of the server for a while
    server.process.send_signal(signal.SIGHUP)
    assert eventually(lambda: fetching.good[-1] in old["next"])
    mark = len(fetching.good)
    assert eventually(lambda: len(fetching.good) > mark + 50)
    signers = set(fetching.end())
    assert len(signers) == 2 and signers < old["active"] | old["next"]
    assert {status for kid, status in jwks_of(server).items() if kid in old["active"]} == \
        {"retired"}


def test_our_own_client_lives_through_a_rotation(bin, vmcp, ring, serve, scratch):
    """`vmcp fetch` with the old set as its trust file; after a second rotation it is refused, for
    the third key was not in what it pinned."""
    server = serve(ring)
    pinned = scratch / "pinned.jwks"
    pinned.write_bytes(server.ask("/.well-known/jwks.json").body)
    url = f"http://127.0.0.1:{server.port}/vmcp/web"
    fetch = ("fetch", url, "--trust", pinned, "--domain", DOMAIN)
    vmcp(*fetch)
    for generation in (2, 3):
        vmcp("rotate", ring, "--now")
        server.process.send_signal(signal.SIGHUP)
        assert eventually(lambda g=generation: server.ask("/readyz").json["generation"] == g)
        if generation == 2:
            vmcp(*fetch)
    assert "[key-untrusted]" in vmcp(*fetch, code=1).err

# SPDX-License-Identifier: Apache-2.0
"""vmcp-launch beyond one insert: many VMs, what is waited for, and the verbs for VMs that are there."""
import json
import os
import pty
import re
import subprocess
import threading
import time

import pytest

from emulator import Emulator
from terminal import Terminal
from launch_world import DOMAIN, LAUNCH, PROJECT, ZONE, Responder, World, api_error, items

NAMES = [f"flask-app-{i}" for i in range(1, 6)]


@pytest.fixture
def world(tmp_path):
    w = World(tmp_path)
    yield w
    w.close()


def verb(world, name, *args, code="ok", exit_code=0, base=True, **kwargs):
    done = world.run(name, *args, base=base, **kwargs)
    assert (done.report["code"], done.returncode) == (code, exit_code), done.stderr
    assert done.report["verb"] == name
    return done.report


KNOWN = ["--domain", DOMAIN, "--machine", "flask-app"]  # of what was made from here


def elsewhere(world):
    """The same world for somebody with another state folder."""
    other = World.__new__(World)
    other.__dict__.update(world.__dict__, state=world.folder / "other")
    return other


# --- many VMs

def test_several_at_once(world):
    """No more than --parallel inserts are on their way, and that many are."""
    now, most, lock = [0], [0], threading.Lock()

    def hold(request):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.3)
        with lock:
            now[0] -= 1
    world.compute.after_insert = hold
    report = world.launch("--count", "5", "--parallel", "2")
    assert [i["name"] for i in report["instances"]] == NAMES
    assert most[0] == 2 and len(world.compute.instances) == 5 and not world.intents()
    assert sorted(v["name"] for v in world.saved()["vms"]) == NAMES
    most[0] = 0
    world.launch("--count", "5", "--name-suffix", "b")
    assert most[0] == 5


def test_what_failed_is_listed(world):
    errors = {"flask-app-2": {"code": "QUOTA_EXCEEDED", "message": "CPUS"},
              "flask-app-4": {"code": "INTERNAL_ERROR", "message": "x"}}
    name = []
    insert = world.compute.insert

    def fails(request, zone):
        name[:] = [json.loads(request.body)["name"]]
        return insert(request, zone)
    world.compute.insert = fails
    world.compute.operation_error = lambda zone: errors.get(name[0])
    report = verb(world, "launch", "--count", "5", code="operation-failed", exit_code=7)
    failed = {i["name"]: i["detail"] for i in report["instances"] if "code" in i}
    assert set(failed) == set(errors) and "QUOTA_EXCEEDED" in failed["flask-app-2"]
    assert [i["outcome"] for i in report["instances"] if "code" not in i] == ["created"] * 3
    assert any("2 of 5 VMs failed" in w for w in report["warnings"])
    assert any("quota" in a for a in report["advice"]) and not world.intents()


def test_what_all_would_meet_ends_it(world):
    world.compute.before = lambda r: api_error(403, "forbidden", "no") if r.command == "POST" else None
    report = verb(world, "launch", "--count", "12", "--parallel", "1", code="api-refused", exit_code=6)
    assert len(report["instances"]) == 1 and any("11 were not tried" in w for w in report["warnings"])


def test_a_name_that_is_taken_is_one_vms_own(world):
    world.compute.add("flask-app-2")
    report = verb(world, "launch", "--count", "4", "--parallel", "1", code="session-conflict",
                  exit_code=1)
    assert [i.get("code", "made") for i in report["instances"]] == [
        "made", "session-conflict", "made", "made"]


def test_several_are_deleted_at_once(world):
    world.launch("--count", "5")
    waits = threading.Barrier(4, timeout=20)

    def before(request):
        if request.command == "DELETE" and not request.url.path.endswith("4000000004"):
            waits.wait()
        return None
    world.compute.before = before
    report = verb(world, "delete", "--parallel", "5", *KNOWN, base=False)
    assert sorted(i["name"] for i in report["instances"]) == NAMES
    assert not world.compute.instances and world.saved()["vms"] == []


def test_one_that_cannot_be_deleted(world):
    world.launch("--count", "3")
    world.compute.before = lambda r: api_error(403, "forbidden", "no") if (
        r.command == "DELETE" and r.url.path.endswith("4000000001")) else None
    report = verb(world, "delete", *KNOWN, base=False, code="api-refused", exit_code=6)
    assert sorted(i.get("code", i["outcome"]) for i in report["instances"]) == [
        "api-refused", "deleted", "deleted"]
    assert [v["id"] for v in world.saved()["vms"]] == ["4000000001"]


def test_the_longest_name_is_looked_at_first(world):
    world.responder.machine["name"] = "a" * 61
    verb(world, "launch", "--count", "10", code="plan-invalid", exit_code=3)
    assert not world.compute.writes()
    world.launch("--count", "9")


def test_a_thousand(tmp_path):
    """1,000 VMs against the emulator, in less than 30 s."""
    emulator, responder = Emulator(tmp_path).start(), Responder()
    trust = tmp_path / "trust.pem"
    trust.write_text(responder.pem())
    env = {k: v for k, v in os.environ.items() if not re.match(r"VMCP_|GCE_|CLOUDSDK_|GOOGLE_", k)}
    env.update(GCE_METADATA_HOST=f"127.0.0.1:{emulator.metadata_port}",
               CLOUDSDK_CONFIG=str(tmp_path / "gcloud"),
               CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE=f"http://127.0.0.1:{emulator.api_port}"
                                                       "/compute/v1/")
    base = ["--endpoint", responder.url, "--machine", "flask-app", "--trust", str(trust),
            "--state-dir", str(tmp_path / "state"), "--json"]

    def run(*args):
        done = subprocess.run([LAUNCH, *args, *base], env=env, capture_output=True, text=True,
                              timeout=120, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)["instances"]
    try:
        start = time.monotonic()
        made = run("--count", "1000", "--max-count", "1000")
        took = time.monotonic() - start
        assert len({i["id"] for i in made}) == 1000
        assert all(i["status"] == "RUNNING" for i in made)
        assert took < 30, took
        assert [i["status"] for i in run("stop", "flask-app-7")] == ["TERMINATED"]
        assert len(run("status")) == 1000
        assert run("delete", "flask-app-7")[0]["outcome"] == "deleted"
        assert len(run("status")) == 999
        assert run("logs", "flask-app-8")[0]["name"] == "flask-app-8"
    finally:
        emulator.stop()
        responder.server.close()


# --- what is waited for

def test_wait_guest(world):
    threading.Timer(1.0, world.compute.guest.update, [{"vmcp/ready": "yes\x1b[2J"}]).start()
    report = world.launch("--wait-guest", "vmcp/ready")
    assert report["instances"][0]["guest"] == "yes [2J"
    assert items(world.compute.body())["enable-guest-attributes"] == "TRUE"


def test_wait_guest_ends(world):
    report = verb(world, "launch", "--wait-guest", "vmcp/ready", "--api-timeout", "1",
                  code="timeout", exit_code=8)
    assert "vmcp/ready" in report["detail"] and "enable-guest" not in report["detail"]
    instance, = world.compute.instances.values()
    instance["status"] = "RUNNING"
    threading.Timer(1.0, instance.update, [{"status": "TERMINATED"}]).start()
    verb(world, "launch", "--wait-guest", "vmcp/ready", code="operation-failed", exit_code=7)


def test_wait_guest_of_one_that_cannot(world):
    world.launch()
    report = verb(world, "launch", "--wait-guest", "vmcp/ready", "--api-timeout", "0",
                  code="timeout", exit_code=8)
    assert "enable-guest-attributes=TRUE" in report["detail"]


@pytest.mark.parametrize("key", ["", "ready", "a/", "/a", "a/b/c", "a/b?x=1", "a/../b"])
def test_wait_guest_usage(world, key):
    verb(world, "launch", "--wait-guest", key, code="usage", exit_code=2)


def on_a_terminal(world, *args):
    """What a run writes to standard error where that is a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([a for a in world.command(*args) if a != "--json"], env=world.env,
                          stdout=subprocess.DEVNULL, stderr=theirs) as process:
        os.close(theirs)
        text = b""
        while True:
            try:
                data = os.read(ours, 4096)
            except OSError:
                break
            if not data:
                break
            text += data
    os.close(ours)
    assert process.returncode == 0, text
    return text.decode()


def test_progress_on_a_terminal(world):
    world.compute.pending = 2
    text = on_a_terminal(world)
    drawn = re.findall(r"\r\x1b\[K([|/\\-]) vmcp-launch: operation \S+ is RUNNING \((\d+) s\)", text)
    assert len({spinner for spinner, _ in drawn}) == 4 and drawn[-1][1] >= "1"
    assert "is RUNNING\r\n" not in text and "\r\x1b[Kvmcp-launch: flask-app is RUNNING" in text


def test_progress_elsewhere(world):
    world.compute.pending = 2
    text = world.run().stderr
    assert "\r" not in text and "\x1b" not in text
    assert len(re.findall(r"^vmcp-launch: operation \S+ is RUNNING$", text, re.M)) == 1


# --- status, stop, delete

def test_status_needs_no_responder(world):
    world.launch()
    asked = len(world.responder.server.log)
    report = verb(world, "status", *KNOWN, base=False)
    assert report["instances"] == [{
        "name": "flask-app", "project": PROJECT, "zone": ZONE, "id": "4000000000",
        "status": "RUNNING", "internalIp": "10.128.0.2"}]
    world.compute.instances.clear()
    assert verb(world, "status", *KNOWN, base=False)["instances"][0]["status"] == "GONE"
    assert len(world.responder.server.log) == asked


def test_status_by_the_answer(world):
    world.launch()
    other = elsewhere(world)
    assert [i["id"] for i in verb(other, "status")["instances"]] == ["4000000000"]
    world.responder.machine["secret"] = "another-secret-than-before"
    verb(other, "status", code="session-conflict", exit_code=1)


@pytest.mark.parametrize("args", [[], ["flask-app"], ["4000000000"]])
def test_stop_by_id(world, args):
    world.launch()
    report = verb(world, "stop", *args, *KNOWN, base=False)
    assert (report["instances"][0]["outcome"], report["instances"][0]["status"]) == (
        "stopped", "TERMINATED")
    assert world.compute.requests("POST", r"/instances/4000000000/stop$")[0]["query"]["requestId"]
    assert verb(world, "stop", *KNOWN, base=False)["instances"][0]["outcome"] == "none"
    assert len(world.compute.requests("POST", r"/stop$")) == 1


def test_delete_by_id(world):
    world.launch()
    assert verb(world, "delete", *KNOWN, base=False)["instances"][0]["outcome"] == "deleted"
    assert world.compute.requests("DELETE", r"/instances/4000000000$")
    assert not world.compute.instances and world.saved()["vms"] == []
    assert verb(world, "delete", *KNOWN, base=False)["instances"] == []


def test_options_that_name_some_of_the_vms(world):
    """What the state knows besides is not touched."""
    world.launch("--count", "3")
    world.launch("--name-suffix", "b")
    everything = {"flask-app-1", "flask-app-2", "flask-app-3", "flask-app-b"}

    def chosen(*options):
        rows = verb(world, "delete", "--dry-run", *KNOWN, *options, base=False)["instances"]
        return {row["name"] for row in rows}

    assert chosen() == everything
    assert chosen("--name-suffix", "b") == {"flask-app-b"}
    assert "flask-app-2" not in chosen("--count", "1") and not chosen("--name-suffix", "c")
    assert chosen("--count", "2") == {"flask-app-1", "flask-app-2"}
    assert not chosen("--zone", "europe-west1-b") and not chosen("--project", "staging")
    assert chosen("--zone", "us-central1-a", "--project", "web-1") == everything
    verb(world, "delete", *KNOWN, "--name-suffix", "b", base=False)
    assert {name for _, name in world.compute.instances} == everything - {"flask-app-b"}


def test_delete_forgets_what_is_gone(world):
    world.launch()
    world.compute.instances.clear()
    assert verb(world, "delete", *KNOWN, base=False)["instances"][0]["outcome"] == "gone"
    assert world.saved()["vms"] == [] and not world.compute.requests("DELETE", "")


def test_one_that_took_the_name_is_not_touched(world):
    world.launch()
    instance, = world.compute.instances.values()
    instance["id"] = "77"
    assert verb(world, "delete", *KNOWN, base=False)["instances"][0]["outcome"] == "gone"
    assert len(world.compute.instances) == 1


@pytest.mark.parametrize("name", ["stop", "delete"])
def test_by_a_fresh_answer(world, name):
    world.launch()
    other = elsewhere(world)
    writes = len(world.compute.writes())
    world.responder.machine["secret"] = "another-secret-than-before"
    verb(other, name, code="session-conflict", exit_code=1)
    world.responder.machine["secret"] = "a-secret-of-flask-app"
    world.responder.edit_claims = lambda claims: claims.update(nonce="0" * 64)
    verb(other, name, code="salt-mismatch", exit_code=1)
    assert len(world.compute.writes()) == writes
    world.responder.edit_claims = lambda claims: None
    assert len(verb(other, name)["instances"]) == 1


@pytest.mark.parametrize("name", ["stop", "delete"])
def test_not_ours(world, name):
    world.compute.add("somebodys")
    verb(world, name, "somebodys", code="session-conflict", exit_code=1)
    verb(world, name, "somebodys", *KNOWN, base=False, code="session-conflict", exit_code=1)
    assert not world.compute.writes()
    assert verb(world, name, "--force", "4000000000", base=False)["instances"][0]["name"] == "somebodys"


@pytest.mark.parametrize("args", [["--force", "web"], ["--force", "0"], ["a", "--force", "1"]])
def test_force_takes_ids(world, args):
    verb(world, "delete", *args, code="usage", exit_code=2)


@pytest.mark.parametrize("name,would", [("stop", "stop"), ("delete", "delete")])
def test_dry_run_of_stop_and_delete(world, name, would):
    world.launch()
    writes, saved = len(world.compute.writes()), world.saved()
    report = verb(world, name, "--dry-run")
    assert report["instances"][0]["would"] == would and report["dryRun"] is True
    assert len(world.compute.writes()) == writes and world.saved() == saved


@pytest.mark.parametrize("name", ["launch", "plan", "bootstrap", "status", "stop", "delete", "logs"])
@pytest.mark.parametrize("there", [False, True])
def test_dry_run_of_every_verb(world, name, there):
    """No write is sent, and nothing but the local id is made."""
    if there:
        world.launch()
        world.compute.instances[ZONE, "flask-app"]["status"] = "TERMINATED"
    writes = len(world.compute.writes())
    before = sorted(str(p) for p in world.state.rglob("*"))
    done = world.run(name, *([] if name == "plan" else ["--dry-run"]))
    assert done.returncode == (1 if name == "logs" and not there else 0), done.stderr
    assert done.report["dryRun"] is True and len(world.compute.writes()) == writes
    after = sorted(str(p) for p in world.state.rglob("*"))
    assert [p for p in after if p not in before] in ([], [str(world.state / "local-id"),
                                                          str(world.state / "lock")])


def test_stop_settles_first(world):
    world.compute.pending = 1000
    assert world.run("--timeout", "1").returncode == 8
    assert any("outcome is not known" in w for w in verb(world, "status")["warnings"])
    world.compute.pending = 0
    assert verb(world, "stop", *KNOWN, base=False)["instances"][0]["outcome"] == "stopped"
    assert not world.intents()


def test_launcher_is_taken_by_name_only(world):
    world.launch("bootstrap", "--service-account", f"a@{PROJECT}.iam.gserviceaccount.com")
    assert verb(world, "delete", *KNOWN, base=False)["instances"] == []
    assert verb(world, "delete", "vm-1", *KNOWN, base=False)["instances"][0]["outcome"] == "deleted"


def test_which_machine(world):
    verb(world, "status", code="usage", exit_code=2, base=False)
    verb(world, "status", "--domain", DOMAIN, code="usage", exit_code=2, base=False)


# --- logs

def test_logs(world):
    world.launch()
    world.compute.serial = "booting\x1b[2J\n"
    assert verb(world, "logs", *KNOWN, base=False)["contents"] == world.compute.serial
    plain = [a for a in world.command("logs", *KNOWN, base=False) if a != "--json"]
    out = subprocess.run(plain, env=world.env, capture_output=True, check=True, timeout=30).stdout
    assert out == b"booting\x1b[2J\n"


def test_logs_on_a_terminal(world):
    """Whatever runs on the VM wrote it: nothing of it steers the terminal."""
    world.launch()
    world.compute.serial = "a\x1b[2Jb\x7fc\x9b2Jd\u202ee\u2066f\u200fg\u061ch £5 – ü\n"
    terminal = Terminal([a for a in world.command("logs", *KNOWN, base=False) if a != "--json"],
                        **world.env)
    text = terminal.read(seconds=20)  # to its end
    assert terminal.close() == 0
    assert "a [2Jb c 2Jd e f g h £5 – ü" in text


def test_logs_follow(world):
    world.launch()
    world.compute.serial = "one\n"
    instance, = world.compute.instances.values()

    def later():
        world.compute.serial += "two\n"
        instance["status"] = "TERMINATED"
    threading.Timer(1.0, later).start()
    plain = [a for a in world.command("logs", "--follow", *KNOWN, base=False) if a != "--json"]
    out = subprocess.run(plain, env=world.env, capture_output=True, check=True, timeout=30).stdout
    assert out == b"one\ntwo\n"


def test_logs_of_nobody(world):
    verb(world, "logs", *KNOWN, base=False, code="session-conflict", exit_code=1)
    world.launch("--count", "2")
    verb(world, "logs", *KNOWN, base=False, code="usage", exit_code=2)
    verb(world, "logs", "flask-app-2", *KNOWN, base=False)


# --- what needs no network

def test_least_privilege():
    few = json.loads(subprocess.run(
        [LAUNCH, "least-privilege", "--json"], capture_output=True, check=True).stdout)
    assert "compute.instances.create" in few["includedPermissions"]
    assert "compute.instances.delete" not in few["includedPermissions"]
    text = subprocess.run([LAUNCH, "least-privilege", "--manage"], capture_output=True, text=True,
                          check=True).stdout
    assert "- compute.instances.delete\n" in text and text.startswith("title: ")


def test_completion():
    script = subprocess.run([LAUNCH, "completion", "bash"], capture_output=True, text=True,
                            check=True).stdout

    def complete(*words):
        ask = (f"{script}\nCOMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}\n"
               "_vmcp_launch; echo ${COMPREPLY[@]}")
        return subprocess.run(["bash", "-c", ask], capture_output=True, text=True,
                              check=True).stdout.split()
    assert complete("vmcp-launch", "st") == ["status", "stop", "state"]
    assert complete("vmcp-launch", "--wait-g") == ["--wait-guest"]
    assert complete("vmcp-launch", "delete", "--for") == ["--force", "--format"]
    assert complete("vmcp-launch", "state", "--en") == []


@pytest.mark.parametrize("name", ["launch", "plan", "bootstrap", "status", "stop", "delete", "logs",
                                  "state", "least-privilege", "completion", "version"])
def test_json_of_every_verb(name):
    """One object with a code, though the command line is wrong."""
    done = subprocess.run([LAUNCH, name, "--frobnicate", "--json"], capture_output=True, text=True,
                          check=False, timeout=30)
    report = json.loads(done.stdout)
    assert (done.returncode, report["code"], report["verb"]) == (2, "usage", name)

# SPDX-License-Identifier: Apache-2.0
"""vmcp-launch against a Compute API that fails in every way, and killed at any moment: however it
goes, one VM is made and not two, and the state is sound."""
import json
import os
import random
import signal
import subprocess
import threading
import time

import pytest

from launch_world import DOMAIN, PROJECT, ZONE, World, api_error

OTHER_ZONE = "us-central1-b"
STOCK_OUT = {"code": "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS",
             "message": f"The zone 'projects/{PROJECT}/zones/{ZONE}' does not have enough resources "
                        "available to fulfill the request.  Try a different zone, or try again later."}


@pytest.fixture
def world(tmp_path):
    w = World(tmp_path)
    yield w
    w.close()


def is_insert(request):
    return request.command == "POST" and request.url.path.endswith("/instances")


def first(world, wanted, answer, times=1):
    """Answer the first requests that are `wanted` otherwise."""
    left = [times]

    def before(request):
        if wanted(request) and left[0]:
            left[0] -= 1
            return answer
        return None
    world.compute.before = before


def check_one_vm(world):
    assert len(world.compute.instances) == 1 and not world.intents()
    assert [v["id"] for v in world.saved()["vms"]] == [
        i["id"] for i in world.compute.instances.values()]


# --- the table of errors

NEWER = {"error": {"code": 403, "message": "Quota exceeded for quota metric 'Queries'",
                   "status": "RESOURCE_EXHAUSTED", "details": [
                       {"@type": "type.googleapis.com/google.rpc.ErrorInfo",
                        "reason": "RATE_LIMIT_EXCEEDED"}]}}
AGAIN = [
    api_error(400, "resourceNotReady", "x"), api_error(403, "rateLimitExceeded", "x"),
    (403, "application/json; charset=UTF-8", NEWER), api_error(409, "resourceInUse", "x"),
    api_error(409, "concurrentModification", "x"),
    api_error(429, "rateLimitExceeded", "x"), (429, "application/json", {}),
    (429, "text/plain", "", {"Retry-After": "2"}), api_error(500, "internalError", "x"),
    api_error(500, "backendError", "x"), (502, "text/html", "<html>bad gateway</html>"),
    (504, "text/html", "<html>"), (504, "application/json", {}), api_error(503, "backendError", "x"),
]


@pytest.mark.parametrize("answer", AGAIN, ids=lambda a: f"{a[0]}-{a[1][:5]}")
def test_can_succeed_later(world, answer):
    first(world, is_insert, answer)
    start = time.monotonic()
    world.launch()
    assert len(world.compute.inserts()) == 2
    assert len({r["query"]["requestId"] for r in world.compute.inserts()}) == 1
    assert len({r["body"] for r in world.compute.inserts()}) == 1
    assert len(answer) < 4 or time.monotonic() - start >= 2
    check_one_vm(world)


NEVER = [
    (400, "invalid", "Invalid value for field 'x'", None), (400, "required", "x", None),
    (400, "badRequest", "x", None), (400, "parseError", "x", None),
    (400, "invalidParameter", "x", None), (400, "invalidUsage", "x", None),
    (400, "resourceInUseByAnotherResource", "x", None),
    (403, "forbidden", "Required 'compute.instances.create' permission for 'projects/web-1'",
     "roles/compute.instanceAdmin.v1"),
    (403, "forbidden", "The user does not have access to service account 'a'. "
                       "Required 'iam.serviceAccounts.actAs'", "roles/iam.serviceAccountUser"),
    (403, "forbidden", "Required 'compute.subnetworks.use' permission for 'x'",
     "roles/compute.networkUser"),
    (403, "forbidden", "Required 'compute.images.useReadOnly' permission for 'x'",
     "roles/compute.imageUser"),
    (403, "insufficientPermissions", "Request had insufficient authentication scopes.", "scopes"),
    (403, "accessNotConfigured", "Compute Engine API has not been used", "gcloud services enable"),
    (403, "quotaExceeded", "Quota 'CPUS' exceeded.  Limit: 8.0 in region us-central1.", "quota"),
    (404, "notFound", "The resource 'projects/web-1/zones/x' was not found", "--zone"),
    (412, "conditionNotMet", "x", None), (413, "uploadTooLarge", "x", None),
]


@pytest.mark.parametrize("status,reason,message,advice", NEVER)
def test_can_never_succeed(world, status, reason, message, advice):
    first(world, is_insert, api_error(status, reason, message), times=9)
    done = world.run()
    assert (done.returncode, done.report["code"]) == (6, "api-refused"), done.stderr
    assert len(world.compute.inserts()) == 1 and not world.intents()
    assert reason in done.report["detail"] and message[:60] in done.report["detail"]
    told = " ".join(done.report.get("advice", []))
    assert (advice or "") in told and bool(told) == bool(advice), told


def test_401_is_tried_once_more(world):
    first(world, is_insert, api_error(401, "authError", "Invalid Credentials"), times=9)
    done = world.run()
    assert (done.returncode, done.report["code"]) == (5, "credentials")
    assert "metadata server" in done.report["where"]
    assert len(world.compute.inserts()) == 2 and not world.intents()


def test_409_of_another(world):
    world.compute.before = lambda r: world.compute.add() and None if is_insert(r) else None
    world.refused("session-conflict", 1, writes=1)
    assert not world.intents()


def test_gives_up_in_time(world):
    first(world, lambda r: True, api_error(503, "backendError", "x"), times=99)
    start = time.monotonic()
    done = world.run("--timeout", "4")
    assert (done.returncode, time.monotonic() - start < 10) == (6, True), done.stderr


OPERATION_ERRORS = [
    ("QUOTA_EXCEEDED", "quota"), ("ZONE_RESOURCE_POOL_EXHAUSTED", "--zone"),
    ("ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", "--zone"), ("RESOURCE_ALREADY_EXISTS", "name"),
    ("RESOURCE_NOT_FOUND", "not there"), ("RESOURCE_IN_USE_BY_ANOTHER_RESOURCE", "another VM"),
    ("INVALID_FIELD_VALUE", None), ("INVALID_USAGE", None), ("CONDITION_NOT_MET", "policy"),
    ("RESOURCE_OPERATION_RATE_EXCEEDED", "--parallel"), ("INTERNAL_ERROR", "again"),
    ("SOMETHING_NEW", None)]


@pytest.mark.parametrize("code,advice", OPERATION_ERRORS)
def test_operation_error(world, code, advice):
    world.compute.operation_error = lambda zone: {"code": code, "message": "what happened"}
    done = world.run()
    assert (done.returncode, done.report["code"]) == (7, "operation-failed")
    assert done.report["detail"] == f"{code}: what happened" and not world.intents()
    told = " ".join(done.report.get("advice", []))
    assert (advice or "") in told and bool(told) == bool(advice)


def test_permission_error_of_an_operation(world):
    world.compute.operation_error = lambda zone: {
        "code": "PERMISSIONS_ERROR", "message": "Required 'compute.disks.create' permission"}
    assert "instanceAdmin.v1" in world.run().report["advice"][0]


def test_every_error_of_an_operation_is_told(world):
    world.compute.wait = lambda operation, waits: (200, "application/json", {
        **{k: v for k, v in operation.items() if k != "_error"}, "status": "DONE",
        "error": {"errors": [{"code": "QUOTA_EXCEEDED", "message": "CPUS"},
                             {"code": "INVALID_USAGE", "message": "second\x1b[2J"}]}})
    done = world.run()
    assert "INVALID_USAGE: second [2J" in done.stderr and "QUOTA_EXCEEDED: CPUS" in done.stderr


# --- answers to an insert that was accepted

def raw(*parts, then=lambda connection: None):
    def speak(connection):
        for part in parts:
            connection.sendall(part)
        then(connection)
    return speak


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def slowly(connection):
    for _ in range(100):
        connection.sendall(b" ")
        time.sleep(0.2)


def endlessly(connection):
    while True:
        connection.sendall(b" " * 65536)


def half_of_it(request):
    return raw(HEAD + b"Content-Length: 400\r\n\r\n", b'{"kind": "compute#operation", "na')


GARBLED = {
    "dropped": lambda r: "drop",
    "truncated": half_of_it,
    "cut in the header": lambda r: raw(b"HTTP/1.1 200 O"),
    "nothing": lambda r: raw(b""),
    "no http": lambda r: raw(b"SSH-2.0-OpenSSH_9.2\r\n"),
    "slow": lambda r: raw(HEAD + b"Content-Length: 100\r\n\r\n", then=slowly),
    "endless": lambda r: raw(HEAD + b"\r\n", then=endlessly),
    "html": lambda r: (200, "text/html", "<html>welcome to the hotel</html>"),
    "json as html": lambda r: (200, "text/html", '{"name": "operation-1", "status": "DONE"}'),
    "empty": lambda r: (200, "application/json", ""),
    "half json": lambda r: (200, "application/json", '{"name": "operation-1", "sta'),
    "array": lambda r: (200, "application/json", "[]"),
    "no operation": lambda r: (200, "application/json", {"kind": "compute#instance"}),
    "odd operation": lambda r: (200, "application/json", {"name": "../../x", "status": "DONE"}),
    "duplicate keys": lambda r: (200, "application/json",
                                 '{"name": "operation-1", "status": "DONE", "name": "operation-2"}'),
    "redirect": lambda r: (307, "text/html", "", {"Location": "http://127.0.0.1:1/"}),
    "502": lambda r: (502, "text/html", "<html>"),
    "503": lambda r: api_error(503, "backendError", "x"),
}


@pytest.mark.parametrize("how", GARBLED)
def test_accepted_and_garbled(world, how):
    """Whatever the answer was, this run or the next finds the VM that was made, and makes no other."""
    answers = [GARBLED[how]]
    world.compute.after_insert = lambda request: answers.pop()(request) if answers else None
    done = world.run("--timeout", "4")
    assert done.returncode == 0 or len(world.intents()) == 1, done.stderr
    if done.returncode:
        world.launch()
    check_one_vm(world)


@pytest.mark.parametrize("how", GARBLED)
def test_accepted_and_always_garbled(world, how):
    world.compute.after_insert = GARBLED[how]
    done = world.run("--timeout", "4")
    assert done.returncode in (0, 4, 6, 8), done.stderr
    assert len(world.compute.instances) == 1
    world.compute.after_insert = lambda request: None
    world.launch()
    check_one_vm(world)


@pytest.mark.parametrize("how", ["truncated", "cut in the header", "nothing", "no http", "html",
                                 "half json", "array", "502", "503"])
def test_garbled_wait(world, how):
    first(world, lambda r: r.url.path.endswith("/wait"), GARBLED[how](None))
    done = world.run("--timeout", "20")
    if done.returncode:
        assert len(world.intents()) == 1
        world.launch()
    check_one_vm(world)


def test_wait_is_taken_up_again(world):
    """The connection is lost for longer than one call tries."""
    until = [None]

    def before(request):
        if not request.url.path.endswith("/wait"):
            return None
        until[0] = until[0] or time.monotonic() + 3
        return raw(b"") if time.monotonic() < until[0] else None
    world.compute.before = before
    world.launch("--timeout", "30")
    check_one_vm(world)


def test_token_expires_while_waiting(world):
    def before(request):
        if request.url.path.endswith("/wait") and world.metadata.token == "ya29.metadata":
            world.compute.tokens = {"ya29.second"}
            world.metadata.token = "ya29.second"
        return None
    world.compute.before = before
    world.compute.pending = 1
    world.launch()
    used = [r["headers"]["Authorization"] for r in world.compute.requests("POST", "/wait$")]
    assert used[:2] == ["Bearer ya29.metadata", "Bearer ya29.second"]
    check_one_vm(world)


@pytest.mark.parametrize("answer", [
    (200, "text/html", "<html>"), (200, "application/json", []), (200, "application/json", {}),
    (200, "application/json", {"id": "x", "status": "RUNNING"}),
    (200, "application/json", {"id": "1", "status": "DANCING"}),
    (204, "application/json", "")])
def test_what_is_no_instance(world, answer):
    first(world, lambda r: "/instances/" in r.url.path, answer, times=99)
    done = world.run()
    assert done.returncode in (1, 6), done.stderr
    assert not world.compute.writes()


NOT_THE_APIS = [(404, "text/html", "<html>nothing here</html>"), (404, "application/json", ""),
                (404, "application/json", {"error": "not_found"}), (404, "application/json", [])]


@pytest.mark.parametrize("answer", NOT_THE_APIS, ids=range(4))
def test_a_404_of_something_else(world, answer):
    """What stands in front of the API does not know whether a VM is there: nothing is forgotten, and
    no other is made in its place."""
    world.launch()
    known = ["--domain", DOMAIN, "--machine", "flask-app"]
    for what, verb in ((lambda r: "/instances/" in r.url.path, ["status", *known]),
                       (lambda r: "/instances/" in r.url.path, ["delete", *known]),
                       (lambda r: r.command == "DELETE", ["delete", *known])):
        first(world, what, answer, times=9)
        done = world.run(*verb, base=False)
        assert (done.report["code"], done.returncode) == ("api-refused", 6), done.stdout
    first(world, lambda r: "/instances/" in r.url.path, answer, times=9)
    assert world.run().report["code"] == "api-refused"
    world.compute.before = lambda r: None
    check_one_vm(world)


@pytest.mark.parametrize("status", [400, 403, 404, 408, 409, 413])
def test_an_insert_that_something_else_refuses(world, status):
    """It was accepted, and its answer never came: what is in front gave up. The next run finds it."""
    left = [(status, "text/html", "<html>request timed out</html>")]
    world.compute.after_insert = lambda r: left.pop() if left else None
    unseen = {"instances": api_error(404, "notFound", "x"), "operations": (200, "application/json", {})}
    world.compute.before = lambda r: None if r.command == "POST" else next(
        (answer for part, answer in unseen.items() if f"/{part}" in r.url.path), None)
    done = world.run("--timeout", "4")
    world.compute.before = lambda r: None
    assert done.returncode == 0 or len(world.intents()) == 1, done.stderr
    world.launch()
    check_one_vm(world)


def test_no_next_zone_on_a_404_of_something_else(world):
    zones = in_zones(world, us_central1_a=STOCK_OUT)
    seen = []

    def before(request):
        if "/instances/" in request.url.path and seen:
            return 404, "text/html", "<html>"
        seen.extend([1] if is_insert(request) else [])
        return None
    world.compute.before = before
    done = world.run(*zones)
    assert done.report["code"] == "api-refused" and len(world.compute.inserts()) == 1
    assert len(world.intents()) == 1


# --- zones

def in_zones(world, **errors):
    world.compute.operation_error = lambda zone: errors.get(zone.replace("-", "_"))
    return ["--zone", ZONE, "--zone", OTHER_ZONE]


def test_next_zone(world):
    zones = in_zones(world, us_central1_a=STOCK_OUT)
    report = world.launch(*zones)
    assert report["instances"][0]["zone"] == OTHER_ZONE and len(world.compute.inserts()) == 2
    assert len({r["query"]["requestId"] for r in world.compute.inserts()}) == 2
    check_one_vm(world)


def test_no_zone_has_room(world):
    zones = in_zones(world, us_central1_a=STOCK_OUT, us_central1_b=STOCK_OUT)
    done = world.run(*zones)
    assert (done.returncode, done.report["code"]) == (7, "operation-failed")
    assert not world.compute.instances and not world.intents()


def test_quota_is_not_tried_elsewhere(world):
    zones = in_zones(world, us_central1_a={"code": "QUOTA_EXCEEDED", "message": "CPUS"})
    assert world.run(*zones).returncode == 7 and len(world.compute.inserts()) == 1


def made_in_spite_of(world, *later, error=None):
    """The operation reports a stock-out, and the VM is there; reads of it then see `later`, one
    status each, None: gone."""
    zones = in_zones(world, us_central1_a=error or STOCK_OUT)
    insert, statuses = world.compute.insert, list(later)

    def and_is_there(request, zone):
        body = json.loads(request.body)
        answer = insert(request, zone)
        if zone == ZONE and body["name"] not in [n for z, n in world.compute.instances if z == ZONE]:
            world.compute.add(**{**body, "zone": zone, "networkInterfaces": None,
                                 "status": "PROVISIONING"})
        return answer

    def before(request):
        if request.command == "GET" and request.url.path.endswith(f"{ZONE}/instances/flask-app") \
                and (ZONE, "flask-app") in world.compute.instances and statuses:
            status = statuses.pop(0)
            world.compute.instances[ZONE, "flask-app"]["status"] = status
            if not status:
                del world.compute.instances[ZONE, "flask-app"]
    world.compute.insert, world.compute.before = and_is_there, before
    return zones


@pytest.mark.parametrize("later", [["RUNNING"], ["STAGING", "RUNNING"], ["TERMINATED"]])
def test_no_second_vm_on_the_operations_word(world, later):
    """The operation failed for want of room, and the VM is there all the same."""
    report = world.launch(*made_in_spite_of(world, *later))
    assert report["instances"][0]["zone"] == ZONE and len(world.compute.inserts()) == 1
    assert report["instances"][0]["status"] == "RUNNING"
    assert any("is there" in w for w in report["warnings"])
    check_one_vm(world)


def test_next_zone_when_the_vm_is_gone(world):
    report = world.launch(*made_in_spite_of(world, "STAGING", "STOPPING", None))
    assert report["instances"][0]["zone"] == OTHER_ZONE and len(world.compute.inserts()) == 2
    check_one_vm(world)


def test_another_failure_when_the_vm_is_gone(world):
    zones = made_in_spite_of(world, "STOPPING", None, error={"code": "QUOTA_EXCEEDED", "message": "CPUS"})
    done = world.run(*zones)
    assert (done.returncode, done.report["code"]) == (7, "operation-failed")
    assert done.report["detail"] == "QUOTA_EXCEEDED: CPUS" and len(world.compute.inserts()) == 1
    assert not world.compute.instances and not world.intents() and not world.saved()["vms"]


def test_no_next_zone_while_the_first_cannot_be_seen(world):
    zones = in_zones(world, us_central1_a=STOCK_OUT)
    failing = []
    world.compute.before = lambda r: api_error(400, "invalid", "x") if failing and r.command == "GET" \
        else failing.append(1) if is_insert(r) else None
    done = world.run(*zones)
    assert done.returncode == 6 and len(world.compute.inserts()) == 1 and len(world.intents()) == 1


# --- the name is taken, after an answer that was lost

def test_409_after_a_lost_answer(world):
    """The second try is told that the name is taken, by a VM that is not to be seen yet."""
    world.compute.after_insert = lambda r: "drop"
    seen = []

    def before(request):
        if is_insert(request):
            seen.append(request)
            if len(seen) > 1:
                return api_error(409, "alreadyExists", "flask-app already exists")
        elif len(seen) > 1 and "/instances/" in request.url.path:
            return api_error(404, "notFound", "x")
        elif request.url.path.endswith("/operations"):
            return 200, "application/json", {}
        return None
    world.compute.before = before
    done = world.run()
    assert done.returncode == 6 and len(world.intents()) == 1, done.stderr
    world.compute.before = world.compute.after_insert = lambda r: None
    world.launch()
    check_one_vm(world)


def test_409_after_a_lost_answer_and_its_operation(world):
    world.compute.after_insert = lambda r: "drop"
    seen = []

    def before(request):
        if is_insert(request):
            seen.append(request)
            if len(seen) > 1:
                return api_error(409, "alreadyExists", "flask-app already exists")
        return None
    world.compute.before = before
    world.launch()
    assert world.compute.requests("POST", "/wait$")  # the operation of the first try was followed
    check_one_vm(world)


# --- kill -9

class Killer:
    """Runs a launch and kills it; runs it again; sees that one VM is there and the state is sound."""

    def __init__(self, world, *args):
        self.world, self.args = world, args
        self.whole = self.inside = 0
        self.arrived, self.go = threading.Event(), threading.Event()

    def time(self):
        start = time.monotonic()
        self.world.launch("--name-suffix", "warm", *self.args)
        self.whole = time.monotonic() - start

    def kill(self, name, after):
        command = self.world.command("--name-suffix", name, *self.args)
        with subprocess.Popen(command, env=self.world.env, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as process:
            after(process)
            process.send_signal(signal.SIGKILL)
        self.go.set()

    def check(self, name):
        # not before the server is done with what the killed one sent
        self.world.compute.before = lambda request: None
        self.world.compute.after_insert = lambda request: None
        report = self.world.launch("--name-suffix", name, *self.args)
        made = [(z, n) for z, n in self.world.compute.instances if n == f"flask-app-{name}"]
        assert len(made) == 1, made
        assert report["instances"][0]["status"] == "RUNNING"
        assert not self.world.intents()
        ids = [v["id"] for v in self.world.saved()["vms"]]
        assert len(ids) == len(set(ids)) == len(self.world.compute.instances)

    def anywhere(self, name, moment):
        self.kill(name, lambda process: time.sleep(moment * self.whole))
        time.sleep(0.05)
        self.check(name)

    def in_the_insert(self, name, where):
        """Between the insert's first byte and its answer's last."""
        self.arrived.clear()
        self.go.clear()

        def hold(request):
            self.arrived.set()
            self.go.wait(20)
            return "drop"

        def half(request):
            def speak(connection):
                connection.sendall(HEAD + b"Content-Length: 400\r\n\r\n{")
                self.arrived.set()
                self.go.wait(20)
            return speak
        lost = lambda request: raw(b"", then=lambda c: hold(request)) if is_insert(request) else None
        if where == "before the effect":
            self.world.compute.before = lost
        else:
            self.world.compute.after_insert = hold if where == "after the effect" else half
        self.kill(name, lambda process: self.arrived.wait(20))
        assert self.arrived.is_set()
        self.inside += 1
        time.sleep(0.02)
        self.check(name)


@pytest.mark.parametrize("zones", ["one", "two and a stock-out"])
def test_killed_at_fifty_moments(world, zones):
    seed = int(os.environ.get("VMCP_SEED") or int.from_bytes(os.urandom(4), "big"))
    print("seed", seed)
    rng = random.Random(seed)
    args = in_zones(world, us_central1_a=STOCK_OUT) if zones != "one" else []
    killer = Killer(world, *args)
    killer.time()
    for i in range(38):
        killer.anywhere(f"r{i}", (i + rng.random()) / 38)
    places = ["before the effect", "after the effect", "amid the answer"]
    for i in range(12):
        killer.in_the_insert(f"i{i}", places[i % 3])
    assert killer.inside >= 10
    assert len(world.compute.instances) == 51
    state = json.loads(next(world.state.glob("machines/*/*/state.json")).read_text())
    assert state["serial"] == 7 and len(state["vms"]) == 51

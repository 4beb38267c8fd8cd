# SPDX-License-Identifier: Apache-2.0
"""gce-emulator: faults that tests ask for, quotas, and what a kill leaves behind."""
import contextlib
import http.client
import json
import random
import signal
import sqlite3
import threading
import time
import uuid

import pytest

from emulator import (PROJECT, ZONE, Emulator, ask, eventually, instance_body, remove, run_many,
                      scratch)

REGION = "us-central1"


@pytest.fixture(scope="module")
def shared():
    folder = scratch()
    emulator = Emulator(folder, "--project", PROJECT).start()
    yield emulator
    code = emulator.stop()
    stderr = (emulator.folder / "stderr").read_text()
    remove(folder)
    assert code == 0, stderr


@pytest.fixture
def cloud(shared):
    yield shared
    assert faults(shared, "DELETE").status == 200


def faults(cloud, method, body=None, path=""):
    body = None if body is None else json.dumps(body).encode()
    return ask("127.0.0.1", cloud.api_port, method, "/emulator/faults" + path,
               {"Content-Type": "application/json"} if body else {}, body)


def fault(cloud, method, kind, **more):
    answer = faults(cloud, "POST", {"method": method, "fault": kind, **more})
    assert answer.status == 200, answer.text
    return answer.json


def test_fault_stockout(cloud):
    fault(cloud, "instances.insert", "stockout")
    answer = cloud.zone("POST", "instances", instance_body("no-room"))
    assert answer.status == 200 and answer.json["status"] in ("PENDING", "RUNNING")
    done = cloud.wait(answer.json)
    assert (done["progress"], done["httpErrorStatusCode"]) == (100, 503)
    assert done["httpErrorMessage"] == "SERVICE UNAVAILABLE"
    error = done["error"]["errors"][0]
    assert error["code"] == "ZONE_RESOURCE_POOL_EXHAUSTED"
    assert error["message"] == (
        f"The zone 'projects/{PROJECT}/zones/{ZONE}' does not have enough resources available to "
        "fulfill the request.  Try a different zone, or try again later.")
    info = error["errorDetails"][0]["errorInfo"]
    assert (info["reason"], info["domain"]) == ("resource_availability", "compute.googleapis.com")
    assert info["metadatas"]["zone"] == ZONE
    assert cloud.instance("no-room") is None and cloud.zone("GET", "disks/no-room").status == 404
    cloud.insert("no-room")


def test_fault_stockout_of_a_bulk_insert(cloud):
    fault(cloud, "instances.bulkInsert", "stockout")
    properties = dict(instance_body("x"), machineType="e2-small")
    del properties["name"]
    body = {"count": "2", "namePattern": "dry-#", "instanceProperties": properties}
    done = cloud.wait(cloud.zone("POST", "instances/bulkInsert", body).json)
    assert done["error"]["errors"][0]["code"] == "ZONE_RESOURCE_POOL_EXHAUSTED"
    assert cloud.instance("dry-1") is None and cloud.instance("dry-2") is None


@pytest.mark.parametrize("kind, status, reason, domain", [
    ("quota", 403, "quotaExceeded", "usageLimits"),
    ("rateLimit", 403, "rateLimitExceeded", "usageLimits"),
    ("tooManyRequests", 429, "rateLimitExceeded", "usageLimits"),
    ("unavailable", 503, "backendError", "global"), ("internal", 500, "internalError", "global")])
def test_fault_refusals(cloud, kind, status, reason, domain):
    fault(cloud, "instances.insert", kind, retryAfter=7)
    answer = cloud.zone("POST", "instances", instance_body("refused"))
    assert (answer.status, answer.reason) == (status, reason)
    assert answer.json["error"]["errors"][0]["domain"] == domain
    assert answer.headers["Retry-After"] == "7"
    assert cloud.instance("refused") is None
    assert cloud.zone("GET", "instances").status == 200


def test_fault_drop_request_and_drop_answer(cloud):
    for kind, there in (("dropRequest", False), ("dropAnswer", True)):
        name, request_id = kind.lower(), str(uuid.uuid4())
        fault(cloud, "instances.insert", kind)
        path = f"instances?requestId={request_id}"
        with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
            cloud.zone("POST", path, instance_body(name))
        assert (cloud.instance(name) is not None) == there
        # The same request again is answered, and makes no second one.
        again = cloud.zone("POST", path, instance_body(name))
        assert again.status == 200 and again.json["clientOperationId"] == request_id
        cloud.wait(again.json)
        assert cloud.instance(name)["status"] == "RUNNING"


def test_fault_latency(cloud):
    fault(cloud, "zones.get", "latency", latencyMs=700)
    begin = time.monotonic()
    assert cloud.api("GET", f"zones/{ZONE}").status == 200
    assert time.monotonic() - begin >= 0.69
    fault(cloud, "zones.get", "latency", latencyMs=400)
    fault(cloud, "zones.get", "unavailable")
    begin = time.monotonic()
    # What wakes other calls that wait does not end it.
    cloud.insert("noise")
    assert cloud.api("GET", f"zones/{ZONE}").status == 503
    assert time.monotonic() - begin >= 0.39
    listed = faults(cloud, "GET").json["items"]
    assert [f["met"] for f in listed] == [1, 1, 1]


def test_fault_counts(cloud):
    made = fault(cloud, "zones.*", "unavailable", count=2, after=1)
    seen = [cloud.api("GET", "zones").status for _ in range(5)]
    assert seen == [200, 503, 503, 200, 200]
    listed = faults(cloud, "GET").json["items"]
    assert listed == [dict(made, count=0, after=0, met=2)]
    assert faults(cloud, "DELETE", path=f"/{made['id']}").status == 200
    assert faults(cloud, "DELETE", path=f"/{made['id']}").status == 404
    assert faults(cloud, "GET").json["items"] == []
    fault(cloud, "*", "internal", count=-1)
    assert {cloud.api("GET", path).status for path in ("zones", "regions", "zones")} == {500}
    # Only calls that are authorised meet a fault.
    assert cloud.api("GET", "zones", token="wrong").status == 401
    assert faults(cloud, "DELETE").status == 200 and cloud.api("GET", "zones").status == 200


@pytest.mark.parametrize("body", [
    {}, {"method": "zones.get"}, {"fault": "quota"}, {"method": "zones.get", "fault": "bad"},
    {"method": "zones.get", "fault": "quota", "count": -2}, {"method": "", "fault": "quota"},
    {"method": "zones.get", "fault": "latency"}, {"method": "zones.get", "fault": "quota", "latencyMs": 5},
    {"method": "x" * 65, "fault": "quota"}, {"method": "zones.get", "fault": "quota", "colour": 1},
    {"method": "zones.get", "fault": "quota", "count": "1"}])
def test_faults_that_are_wrong(cloud, body):
    assert faults(cloud, "POST", body).status == 400
    assert faults(cloud, "GET").json["items"] == []


@pytest.mark.parametrize("method", ["instances.inserts", "instance.*", "x", "zones"])
def test_a_fault_that_no_call_can_meet_is_refused(cloud, method):
    answer = faults(cloud, "POST", {"method": method, "fault": "quota"})
    assert answer.status == 400 and f"'{method}'. There is no such method" in answer.message
    assert faults(cloud, "GET").json["items"] == []


def test_faults_are_not_for_web_pages(cloud):
    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
        answer = ask("127.0.0.1", cloud.api_port, "GET", "/emulator/faults", headers)
        assert answer.status == 403


# Quotas


def quota(*limits):
    folder = scratch()
    options = [o for limit in limits for o in ("--quota", limit)]
    return Emulator(folder, "--project", PROJECT, *options).start()


def test_quota_cpus():
    own = quota("CPUS=4")
    try:
        own.insert("q1")
        own.insert("q2")
        answer = own.zone("POST", "instances", instance_body("q3"))
        assert answer.status == 403 and answer.reason == "quotaExceeded"
        assert answer.json["error"]["errors"][0]["domain"] == "usageLimits"
        assert answer.message == f"Quota 'CPUS' exceeded.  Limit: 4.0 in region {REGION}."
        assert own.instance("q3") is None and own.zone("GET", "disks/q3").status == 404
        cpus = {q["metric"]: q for q in own.api("GET", f"regions/{REGION}").json["quotas"]}["CPUS"]
        assert cpus == {"metric": "CPUS", "limit": 4.0, "usage": 4.0}
        # What is stopped needs none, another region has its own.
        other = instance_body("q3", machineType="zones/us-east1-b/machineTypes/e2-small")
        assert own.api("POST", "zones/us-east1-b/instances", other).status == 200
        own.wait(own.zone("POST", "instances/q1/stop").json)
        own.insert("q3")
        start = own.zone("POST", "instances/q1/start")
        assert start.status == 403 and own.instance("q1")["status"] == "TERMINATED"
        own.wait(own.zone("DELETE", "instances/q3").json)
        own.wait(own.zone("POST", "instances/q1/start").json)
        assert own.instance("q1")["status"] == "RUNNING"
    finally:
        own.stop()
        remove(own.folder)


@pytest.mark.parametrize("limit, good, body", [
    ("INSTANCES=1", {}, {}), ("DISKS_TOTAL_GB=15", {}, {}),
    ("SSD_TOTAL_GB=15", None, {"diskType": f"zones/{ZONE}/diskTypes/pd-ssd"}),
    ("IN_USE_ADDRESSES=1", None, {"access": True}), ("CPUS_ALL_REGIONS=3", {}, {})])
def test_quotas_of_other_kinds(limit, good, body):
    own = quota(limit)
    metric, number = limit.split("=")
    try:
        for name, status in (("q1", 200), ("q2", 403)):
            members = {}
            if "diskType" in body:
                members["disks"] = [{"boot": True, "initializeParams": {
                    "sourceImage": "projects/debian-cloud/global/images/family/debian-12", **body}}]
            if "access" in body:
                members["networkInterfaces"] = [{"accessConfigs": [{"type": "ONE_TO_ONE_NAT"}]}]
            answer = own.zone("POST", "instances", instance_body(name, **members))
            assert answer.status == status, answer.text
        where = "globally" if "ALL" in metric else f"in region {REGION}"
        assert answer.message == f"Quota '{metric}' exceeded.  Limit: {number}.0 {where}."
        if good is None:
            assert own.zone("POST", "instances", instance_body("plain")).status == 200
        if "DISKS" in metric:
            assert own.zone("POST", "disks", {"name": "d", "sizeGb": "6"}).status == 403
            own.wait(own.zone("POST", "disks", {"name": "d", "sizeGb": "5"}).json)
            assert own.zone("POST", "disks/d/resize", {"sizeGb": "6"}).status == 403
    finally:
        own.stop()
        remove(own.folder)


def test_quota_of_a_bulk_insert():
    own = quota("CPUS=5")
    body = {"count": "4", "namePattern": "b-#", "instanceProperties": {
        **instance_body("x"), "machineType": "e2-small"}}
    del body["instanceProperties"]["name"]
    try:
        assert own.zone("POST", "instances/bulkInsert", body).status == 403
        assert "items" not in own.zone("GET", "instances").json
        assert own.zone("POST", "instances/bulkInsert", dict(body, minCount="2")).status == 200
        assert len(own.zone("GET", "instances").json["items"]) == 2
    finally:
        own.stop()
        remove(own.folder)


# Speed and kills


def test_a_thousand_instances():
    """Sixteen connections insert, list and delete; the figure is `make bench`'s."""
    folder = scratch()
    own = Emulator(folder, "--project", PROJECT).start()
    try:
        figures = run_many(own, 1000, 16)
        print(figures)
        assert figures["listed"] == 1000 and figures["left"] == 0
        assert figures["seconds"] < 60  # it is 10 on a machine that does nothing else
    finally:
        own.stop()
        remove(folder)


class Load(threading.Thread):
    """Writes as fast as it can, and notes what was acknowledged and what was only asked for."""

    def __init__(self, cloud, number, seed):
        super().__init__(daemon=True)
        self.cloud, self.number, self.random = cloud, number, random.Random(seed)
        self.token = cloud.token()
        self.there, self.gone, self.unsure, self.operations = set(), set(), set(), []

    def ask(self, method, path, body, collection, name):
        thing = (collection, name)
        self.unsure.add(thing)
        answer = self.cloud.zone(method, path, body, token=self.token)
        assert answer.status == 200, answer.text
        self.operations.append(answer.json["name"])
        (self.there if method == "POST" else self.gone).add(thing)
        if method == "DELETE":
            self.there.discard(thing)
        self.unsure.discard(thing)

    def run(self):
        try:
            for i in range(100000):
                name = f"t{self.number}-{i}"
                if self.random.random() < 0.5:
                    self.ask("POST", "instances", instance_body(name), "instances", name)
                else:
                    self.ask("POST", "disks", {"name": name, "sizeGb": "10"}, "disks", name)
                if self.random.random() < 0.4:
                    collection, victim = self.random.choice(sorted(self.there))
                    self.ask("DELETE", f"{collection}/{victim}", None, collection, victim)
        except (OSError, http.client.HTTPException):
            pass  # killed


@pytest.mark.parametrize("delay", ["0", "40"])
def test_kills_at_random_moments_lose_nothing(delay):
    folder = scratch()
    seed = random.randrange(10**9)
    print("seed", seed)
    dice = random.Random(seed)
    own = Emulator(folder, "--project", PROJECT, "--state", f"{folder}/state.db",
                   "--operation-delay", delay).start()
    there, gone, unsure, operations = set(), set(), set(), []
    try:
        for turn in range(5):
            loads = [Load(own, f"{turn}-{n}", dice.random()) for n in range(4)]
            for load in loads:
                load.start()
            time.sleep(dice.uniform(0.05, 0.8))
            own.stop(signal.SIGKILL)
            for load in loads:
                load.join(timeout=20)
                assert not load.is_alive()
                there |= load.there
                gone |= load.gone
                unsure |= load.unsure
                operations += load.operations
            own.start()
        assert there and gone and operations
        # No operation hangs: all that was acknowledged is known, and is done soon.
        assert eventually(lambda: "items" not in own.zone(
            "GET", "operations?filter=status!=DONE").json, 60)
        for name in operations:
            answer = own.zone("GET", f"operations/{name}")
            assert answer.status == 200 and "error" not in answer.json, answer.text
        for collection, name in sorted(there - unsure):
            answer = own.zone("GET", f"{collection}/{name}")
            assert answer.status == 200, (collection, name)
            assert answer.json["status"] in ("RUNNING", "READY")
        for collection, name in sorted(gone):
            assert own.zone("GET", f"{collection}/{name}").status == 404, (collection, name)
        # Nothing is there that nobody asked for, and no boot disk without its instance.
        for collection in ("instances", "disks"):
            known = {n for c, n in there | unsure if c == collection or collection == "disks"}
            assert {i["name"] for i in items(own, collection)} <= known
        vms = {i["name"] for i in items(own, "instances")}
        assert all(d["name"] in vms for d in items(own, "disks") if "users" in d)
    finally:
        own.stop(signal.SIGKILL)
        remove(folder)


def test_old_operations_are_forgotten():
    folder = scratch()
    own = Emulator(folder, "--project", PROJECT, "--state", f"{folder}/state.db").start()
    try:
        first = own.insert("old")
        own.stop()
        with contextlib.closing(sqlite3.connect(f"{folder}/state.db")) as db:
            db.execute("INSERT INTO operation SELECT seq + 30000, id + 1, name || 'x', scope, method,"
                       " NULL, target, collection, batch, fault, status, resource FROM operation")
            db.commit()
        own.start()
        assert own.zone("GET", f"operations/{first['name']}").status == 200
        own.insert("new")
        assert own.zone("GET", f"operations/{first['name']}").status == 404
        assert own.zone("GET", f"operations/{first['name']}x").status == 200
    finally:
        own.stop()
        remove(folder)


def items(cloud, collection):
    found, token = [], ""
    while True:
        page = cloud.zone("GET", f"{collection}?pageToken={token}").json
        found += page.get("items", [])
        token = page.get("nextPageToken")
        if not token:
            return found

# SPDX-License-Identifier: Apache-2.0
"""vmcp-launch against a scripted world: what it makes, what it refuses, what it survives."""
import base64
import gzip
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.parse
import uuid

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from jwcrypto import jwk, jws

from launch_world import (DOMAIN, PROJECT, ROOT, SCHEMAS, SCRIPT, ZONE, World, api_error, b64, check_body,
                          items, session)

@pytest.fixture
def world(tmp_path):
    w = World(tmp_path)
    yield w
    w.close()


# --- what is made

def test_insert_body(world):
    report = world.launch()
    body = world.compute.body()
    metadata = items(body)
    assert body["name"] == "flask-app"
    assert body["machineType"] == f"zones/{ZONE}/machineTypes/e2-custom-2-2048"
    disk = body["disks"][0]["initializeParams"]
    assert disk == {"diskSizeGb": "10",
                    "sourceImage": "projects/debian-cloud/global/images/debian-12-bookworm-v20240110"}
    assert "serviceAccounts" not in body
    assert "accessConfigs" not in body["networkInterfaces"][0]
    assert body["shieldedInstanceConfig"]["enableSecureBoot"] is True
    assert body["tags"] == {"items": ["vmcp-api-5000"]}
    assert body["labels"] == {"vmcp-domain": "127_0_0_1", "vmcp-machine": "flask-app",
                              "vmcp-by": "vm-1"}
    assert metadata["startup-script"] == SCRIPT
    assert metadata["block-project-ssh-keys"] == "TRUE"
    assert (metadata["vmcp-domain"], metadata["vmcp-machine"]) == (DOMAIN, "flask-app")
    assert (metadata["vmcp-serial"], metadata["vmcp-name"]) == ("7", "flask-app")
    assert "a-secret-of-flask-app" not in json.dumps(body)
    salt = bytes.fromhex(metadata["vmcp-session"].split("$")[1])
    assert metadata["vmcp-session"] == session(DOMAIN, "flask-app", "a-secret-of-flask-app", salt)
    made = report["instances"][0]
    assert (made["outcome"], made["status"], made["internalIp"]) == (
        "created", "RUNNING", "10.128.0.2")


def test_insert_request(world):
    world.launch()
    insert, = world.compute.inserts()
    assert uuid.UUID(insert["query"]["requestId"]).version == 4
    assert insert["headers"]["Authorization"] == "Bearer ya29.metadata"
    assert insert["headers"]["Content-Type"] == "application/json"
    assert not world.intents()
    assert [v["id"] for v in world.saved()["vms"]] == ["4000000000"]


def test_each_question_has_its_own_salt(world):
    world.launch()
    world.launch()
    questions = [r["query"] for r in world.responder.server.log]
    assert len({q["cvm_salt"] for q in questions}) == 2
    assert all(re.fullmatch(r"[A-Za-z0-9-]{64}", q["cvm_salt"]) for q in questions)
    assert len({q["cvm_hostid"] for q in questions}) == 1
    assert re.fullmatch(r"[0-9a-f]{64}", questions[0]["cvm_hostid"])


def google_type(schema):
    """A field of Google's document as the launcher's table writes it."""
    if schema.get("type") == "array":
        return "[]" + google_type(schema["items"])
    if "$ref" in schema:
        return "@" + schema["$ref"]
    if "enum" in schema:
        return "|".join(sorted(schema["enum"]))
    if schema.get("format") in ("int64", "uint64"):
        return "n"
    if schema["type"] == "object" and "properties" in schema:
        return "@MetadataItem"
    return {"string": "s", "boolean": "b", "integer": "i", "object": "m"}[schema["type"]]


@pytest.mark.skipif(not SCHEMAS, reason="the discovery document is not beside the tree")
def test_the_launchers_table_is_googles():
    """Every field of it is in Google's document, or among the newer ones that are named, and is of
    the same type."""
    table = re.sub(r'"\s*\n\s*"', "", (ROOT / "launcher/plan/schema_table.c").read_text())
    # wider or narrower on purpose
    differ = {("Scheduling", "provisioningModel"), ("GuestOsFeature", "type"),
              ("ConfidentialInstanceConfig", "confidentialInstanceType")}
    seen = 0
    for name, array in re.findall(r'\{"(\w+)", (\w+_fields)\}', table):
        body = re.search(rf"launch_field {array}\[\] = \{{(.*?)\{{0\}}", table, re.S).group(1)
        schema = (SCHEMAS["Metadata"]["properties"]["items"]["items"] if name == "MetadataItem"
                  else SCHEMAS[name])
        for field, kind in re.findall(r'\{"(\w+)",\s*"([^"]*)"\s*\}', body):
            wanted = google_type(schema["properties"][field])
            kind = "|".join(sorted(kind.split("|")))
            assert kind == wanted or (name, field) in differ, (name, field)
            seen += 1
    assert seen > 120


@pytest.mark.skipif(not SCHEMAS, reason="the discovery document is not beside the tree")
@pytest.mark.parametrize("wrong", [
    {"nonsense": 1}, {"labels": {"a": 1}}, {"disks": [{"boot": "yes"}]}, {"tags": []},
    {"networkInterfaces": [{"nicType": "OTHER"}]}, {"scheduling": {"maxRunDuration": {"seconds": 1}}}])
def test_the_schemas_of_these_tests_are_strict(world, wrong):
    """Every body that any test here makes is held to them: see launch_world.check_body()."""
    world.launch()
    check_body(world.compute.body())
    with pytest.raises(AssertionError):
        check_body({**world.compute.body(), **wrong})


def test_a_body_of_many_parts(world):
    world.responder.machine["flags"] = 1 | 16 | 128
    world.responder.gce = {
        "machineType": "n1-standard-4", "labels": {"role": "web"}, "minCpuPlatform": "Intel Skylake",
        "scheduling": {"provisioningModel": "SPOT", "preemptible": True, "automaticRestart": False,
                       "onHostMaintenance": "TERMINATE", "instanceTerminationAction": "DELETE",
                       "maxRunDuration": {"seconds": "3600"}},
        "guestAccelerators": [{"acceleratorType": "nvidia-tesla-t4", "acceleratorCount": 1}],
        "disks": [{"deviceName": "boot", "initializeParams": {"diskType": "pd-ssd", "diskSizeGb": "50"}},
                  {"initializeParams": {"diskSizeGb": "20", "labels": {"use": "data"}}},
                  {"source": "zones/us-central1-a/disks/shared", "mode": "READ_ONLY"},
                  {"type": "SCRATCH", "interface": "NVME",
                   "initializeParams": {"diskType": "local-ssd"}}],
        "networkInterfaces": [{"network": "global/networks/default", "networkIP": "10.128.0.7"},
                              {"network": "global/networks/back", "nicType": "GVNIC",
                               "aliasIpRanges": [{"ipCidrRange": "/24"}]}],
        "hostname": "web.example.org", "resourcePolicies": ["projects/web-1/regions/r/resourcePolicies/p"],
        "reservationAffinity": {"consumeReservationType": "NO_RESERVATION"},
        "advancedMachineFeatures": {"threadsPerCore": 1}, "localSsdEncryptionMode": "STANDARD_ENCRYPTION",
        "metadata": {"enable-oslogin": "TRUE"}, "tags": {"items": ["web"]}}
    world.launch()
    assert world.compute.body()["guestAccelerators"][0]["acceleratorType"] == (
        f"zones/{ZONE}/acceleratorTypes/nvidia-tesla-t4")


SPOT = {"provisioningModel": "SPOT"}
RULES = [
    ("labels", {"labels": {"Role": "web"}}), ("labels", {"labels": {"1": "web"}}),
    ("labels", {"labels": {"role": "Web"}}), ("labels", {"labels": {"a" * 64: ""}}),
    ("labels", {"labels": {"role": "a" * 64}}), ("labels", {"labels": {"": "x"}}),
    ("labels", {"labels": {f"l{i}": "" for i in range(62)}}),
    ("tags.items", {"tags": {"items": ["Web"]}}), ("tags.items", {"tags": {"items": ["web-"]}}),
    ("tags.items", {"tags": {"items": [f"t{i}" for i in range(64)]}}),
    ("machineType", {"machineType": "e2-custom-3-4096"}),
    ("machineType", {"machineType": "e2-custom-2-4097"}),
    ("machineType", {"machineType": "e2-custom-2-512"}),
    ("machineType", {"machineType": "e2-custom-2-16640"}),
    ("machineType", {"machineType": "e2-custom-34-65536"}),
    ("machineType", {"machineType": "e2-custom-2-4096-ext"}),
    ("machineType", {"machineType": "e2-custom-micro-4096"}),
    ("machineType", {"machineType": "e2-custom-large-4096"}),
    ("machineType", {"machineType": "custom-3-4096"}),
    ("machineType", {"machineType": "n1-custom-2-14336"}),
    ("machineType", {"machineType": "n2-custom-34-65536"}),
    ("machineType", {"machineType": "n2d-custom-6-8192"}),
    ("machineType", {"machineType": "n2-custom-2-655616-ext"}),
    ("machineType", {"machineType": "n2-custom-2-4096-big"}),
    ("disks[0].initializeParams.diskSizeGb", {"disks": [{"initializeParams": {"diskSizeGb": "9"}}]}),
    ("disks[1].initializeParams.diskSizeGb",
     {"disks": [{}, {"initializeParams": {"diskSizeGb": "9"}}]}),
    ("disks[1].initializeParams.diskSizeGb",
     {"disks": [{}, {"initializeParams": {"diskSizeGb": "65537"}}]}),
    ("disks[0].diskSizeGb", {"disks": [{"diskSizeGb": "9"}]}),
    ("disks[1].diskSizeGb", {"disks": [{}, {"source": "zones/z/disks/d", "diskSizeGb": "65537"}]}),
    ("disks[1].diskSizeGb", {"disks": [{}, {"diskSizeGb": "20", "initializeParams": {
        "diskSizeGb": "30"}}]}),
    ("disks[0].mode", {"disks": [{"mode": "READ_ONLY"}]}),
    ("disks[0].type", {"disks": [{"type": "SCRATCH"}]}),
    ("disks[1].boot", {"disks": [{}, {"boot": True, "initializeParams": {}}]}),
    ("disks[1]", {"disks": [{}, {}]}),
    ("disks[1]", {"disks": [{}, {"source": "zones/z/disks/d", "initializeParams": {}}]}),
    ("disks[1].mode", {"disks": [{}, {"mode": "READ_ONLY", "initializeParams": {}}]}),
    ("disks[1].type", {"disks": [{}, {"type": "SCRATCH", "source": "zones/z/disks/d"}]}),
    ("disks[0].deviceName", {"disks": [{"deviceName": "a b"}]}),
    ("disks[1].deviceName", {"disks": [{"deviceName": "a"},
                                       {"deviceName": "a", "initializeParams": {}}]}),
    ("disks[0].initializeParams.diskName", {"disks": [{"initializeParams": {"diskName": "A"}}]}),
    ("disks[0].initializeParams.labels", {"disks": [{"initializeParams": {"labels": {"A": "a"}}}]}),
    ("disks[0].initializeParams", {"disks": [{"initializeParams": {
        "sourceImage": "projects/web-1/global/images/i",
        "sourceSnapshot": "projects/web-1/global/snapshots/s"}}]}),
    ("disks", {"disks": [{}] + [{"initializeParams": {}}] * 128}),
    ("networkInterfaces[1].network", {"networkInterfaces": [
        {"network": "global/networks/a"}, {"network": "projects/web-1/global/networks/a"}]}),
    ("networkInterfaces[1]", {"networkInterfaces": [{"network": "global/networks/a"}, {}]}),
    ("networkInterfaces[0].networkIP", {"networkInterfaces": [{"networkIP": "10.0.0.256"}]}),
    ("networkInterfaces[0].ipv6Address", {"networkInterfaces": [{"ipv6Address": "10.0.0.2"}]}),
    ("networkInterfaces[0].aliasIpRanges", {"networkInterfaces": [
        {"aliasIpRanges": [{"ipCidrRange": "10.0.0.0/33"}]}]}),
    ("networkInterfaces[0].aliasIpRanges", {"networkInterfaces": [{"aliasIpRanges": [{}]}]}),
    ("networkInterfaces[0].queueCount", {"networkInterfaces": [{"queueCount": 0}]}),
    ("networkInterfaces[0].accessConfigs", {"networkInterfaces": [{"accessConfigs": [{}, {}]}]}),
    ("networkInterfaces[0].accessConfigs[0].natIP", {"networkInterfaces": [
        {"accessConfigs": [{"natIP": "x"}]}]}),
    ("networkInterfaces[0].accessConfigs[0].type", {"networkInterfaces": [
        {"accessConfigs": [{"type": "DIRECT_IPV6"}]}]}),
    ("networkInterfaces", {"networkInterfaces": [
        {"network": f"global/networks/n{i}"} for i in range(17)]}),
    ("scheduling.automaticRestart", {"scheduling": {**SPOT, "automaticRestart": True}}),
    ("scheduling.onHostMaintenance", {"scheduling": {**SPOT, "onHostMaintenance": "MIGRATE"}}),
    ("scheduling.preemptible", {"scheduling": {"provisioningModel": "STANDARD",
                                               "preemptible": True}}),
    ("scheduling.instanceTerminationAction", {"scheduling": {"instanceTerminationAction": "STOP"}}),
    ("scheduling.maxRunDuration", {"scheduling": {"maxRunDuration": {"seconds": "29"}}}),
    ("scheduling", {"scheduling": {"maxRunDuration": {"seconds": "60"},
                                   "terminationTime": "2030-01-01T00:00:00Z"}}),
    ("guestAccelerators", {"guestAccelerators": [{"acceleratorType": "t4", "acceleratorCount": 1}],
                           "scheduling": {"onHostMaintenance": "TERMINATE"}}),
    ("scheduling.onHostMaintenance", {"machineType": "n1-standard-1", "guestAccelerators": [
        {"acceleratorType": "t4", "acceleratorCount": 1}]}),
    ("guestAccelerators", {"machineType": "n1-standard-1", "scheduling": SPOT, "guestAccelerators": [
        {"acceleratorType": "t4", "acceleratorCount": 3}]}),
    ("guestAccelerators", {"machineType": "n1-standard-1", "scheduling": SPOT, "guestAccelerators": [
        {"acceleratorCount": 1}]}),
    ("serviceAccounts", {"serviceAccounts": [{"email": "default"}, {"email": "default"}]}),
    ("serviceAccounts[0].scopes", {"serviceAccounts": [{"email": "default", "scopes": ["compute"]}]}),
    ("hostname", {"hostname": "web"}), ("hostname", {"hostname": "web..example"}),
    ("hostname", {"hostname": "Web.example.org"}),
    ("resourcePolicies", {"resourcePolicies": ["a", "b"]}),
    ("description", {"description": "a" * 2049}),
    ("reservationAffinity", {"reservationAffinity": {"consumeReservationType":
                                                     "SPECIFIC_RESERVATION"}}),
    ("advancedMachineFeatures.threadsPerCore", {"advancedMachineFeatures": {"threadsPerCore": 3}}),
    ("shieldedInstanceConfig", {"shieldedInstanceConfig": {"enableVtpm": False}}),
]


@pytest.mark.parametrize("where,gce", RULES)
def test_what_compute_engine_would_refuse(world, where, gce):
    world.responder.gce = gce
    done = world.refused("plan-invalid", 3, "--allow-external-ip", "--allow-service-account",
                         "default")
    assert done.report["where"] == where, done.report


@pytest.mark.parametrize("type", [
    "e2-custom-2-1024", "e2-custom-32-131072", "e2-custom-micro-1024", "e2-custom-medium-8192",
    "custom-1-1024", "n1-custom-96-638976", "n2-custom-36-18432", "n2d-custom-48-24576",
    "n2-custom-2-32768-ext", "n4-custom-4-10240", "e2-small", "a2-highgpu-1g"])
def test_shapes_that_are(world, type):
    world.responder.gce = {"machineType": type}
    world.launch("--dry-run")


def test_disk_smaller_than_its_image(world):
    world.compute.image["diskSizeGb"] = "50"
    world.responder.gce = {"disks": [{"initializeParams": {"diskSizeGb": "49"}}]}
    assert "image" in world.refused("plan-invalid", 3).report["detail"]


@pytest.mark.parametrize("cpus,memory,shape", [
    (1, 512, "e2-custom-2-1024"), (2, 2048, "e2-custom-2-2048"), (3, 3000, "e2-custom-4-3072"),
    (2, 20000, "e2-custom-4-20224"), (1, 256, "e2-custom-2-1024"),
])
def test_smallest_shape(world, cpus, memory, shape):
    world.responder.machine.update(cpus=cpus, memory=memory)
    world.launch()
    assert world.compute.body()["machineType"].endswith("/" + shape)


@pytest.mark.parametrize("disk,image,size", [
    (1024, "10", "10"), (10241, "10", "11"), (20480, "10", "20"), (1024, "50", "50")])
def test_disk_size(world, disk, image, size):
    world.responder.machine["disk"] = disk
    world.compute.image["diskSizeGb"] = image
    world.launch()
    assert world.compute.body()["disks"][0]["initializeParams"]["diskSizeGb"] == size


def test_merge(world):
    world.responder.gce = {
        "machineType": "e2-small", "shieldedInstanceConfig": {"enableSecureBoot": False},
        "labels": {"role": "web"},
        "metadata": {"items": [{"key": "enable-oslogin", "value": "TRUE"}]},
        "tags": {"items": ["web", "vmcp-api-5000"]},
        "disks": [{"initializeParams": {"diskType": "pd-ssd"}}, {"type": "SCRATCH"}]}
    world.launch()
    body = world.compute.body()
    assert body["machineType"] == f"zones/{ZONE}/machineTypes/e2-small"
    assert body["shieldedInstanceConfig"] == {"enableSecureBoot": False, "enableVtpm": True,
                                              "enableIntegrityMonitoring": True}
    assert body["labels"] == {"vmcp-domain": "127_0_0_1", "vmcp-machine": "flask-app",
                              "vmcp-by": "vm-1", "role": "web"}
    assert body["tags"]["items"] == ["vmcp-api-5000", "web"]
    assert items(body)["enable-oslogin"] == "TRUE" and "vmcp-session" in items(body)
    assert len(body["disks"]) == 2
    params = body["disks"][0]["initializeParams"]
    assert params["diskType"] == f"zones/{ZONE}/diskTypes/pd-ssd"
    assert params["sourceImage"].endswith("v20240110") and params["diskSizeGb"] == "10"


@pytest.mark.parametrize("labels", [
    {"vmcp-domain": "other", "vmcp-machine": "other", "vmcp-by": "other"},
    {"vmcp-domain": None, "vmcp-machine": None, "vmcp-by": None}, None])
def test_own_labels_cannot_be_set(world, labels):
    world.responder.gce = {"labels": labels and {"role": "web", **labels}}
    report = world.launch()
    own = {"vmcp-domain": "127_0_0_1", "vmcp-machine": "flask-app", "vmcp-by": "vm-1"}
    assert world.compute.body()["labels"] == ({"role": "web", **own} if labels else own)
    told = sum("is the launcher's own" in w for w in report["warnings"])
    assert told == (3 if labels and labels["vmcp-by"] else 0)


def test_no_label_says_who_made_it_where_nobody_knows(world):
    del world.metadata.tree["instance/name"]
    world.responder.gce = {"labels": {"vmcp-by": "forged"}}
    world.launch()
    assert "vmcp-by" not in world.compute.body()["labels"]


@pytest.mark.parametrize("gce,where", [
    ({"machineType": None}, "machineType"), ({"machineType": ""}, "machineType"),
    ({"networkInterfaces": None}, "networkInterfaces"),
    ({"networkInterfaces": []}, "networkInterfaces"),
    ({"disks": [{"boot": None}]}, "disks[0].boot"), ({"disks": [{"boot": False}]}, "disks[0].boot"),
    ({"disks": [{"initializeParams": None}]}, "disks[0].initializeParams"),
    ({"disks": [{"initializeParams": {"sourceImage": None}}]}, "disks[0].initializeParams"),
    ({"disks": [{"initializeParams": {"sourceImage": ""}}]}, None), ({"disks": None}, None),
    ({"disks": [None]}, None), ({"disks": [{"source": None, "initializeParams": None}]},
                                "disks[0].initializeParams"),
])
def test_what_a_vm_needs_cannot_be_taken_away(world, gce, where):
    world.responder.gce = gce
    done = world.refused("plan-invalid", 3)
    assert where in (None, done.report["where"])


@pytest.mark.parametrize("gce", [
    {"name": "other"}, {"zone": "z"}, {"metadata": {"vmcp-session": "x"}},
    {"metadata": {"vmcp-domain": None}}, {"metadata": None}, {"metadata": {"k": 1}},
    {"metadata": {"startup-script": "#!/bin/sh"}},
    {"metadata": {"startup-script-url": "gs://b/s"}}, {"metadata": {"bad key": "x"}},
    {"metadata": {"big": "x" * 262145}}, {"disks": []}, {"tags": ["web"]},
    {"service_accounts": [{"email": "a@b.c"}]}, {"serviceaccounts": []}, {"machineType": 2},
    {"machineType": "zones/other-zone1-a/machineTypes/e2-small"}, {"canIpForward": "yes"},
    {"disks": [{"initializeParams": {"diskSizeGb": 20}}]}, {"scheduling": {"nonsense": True}},
    {"id": "7"}, {"labels": {"a": 1}},
])
def test_plan_invalid(world, gce):
    world.responder.gce = gce
    world.refused("plan-invalid", 3)


@pytest.mark.parametrize("name,made", [("Flask_App", "flask-app"), ("web.1", "web-1")])
def test_name_becomes_a_label(world, name, made):
    world.responder.machine["name"] = name
    world.launch()
    assert world.compute.body()["name"] == made
    assert items(world.compute.body())["vmcp-name"] == name


@pytest.mark.parametrize("name", ["1web", "web-", "a" * 64, "-a", "é"])
def test_name_is_never_cut(world, name):
    world.responder.machine["name"] = name
    world.refused("plan-invalid", 3)


def test_name_suffix(world):
    world.launch("--name-suffix", "b")
    assert world.compute.body()["name"] == "flask-app-b"
    world.responder.machine["name"] = "a" * 62
    world.refused("plan-invalid", 3, "--name-suffix", "b", writes=len(world.compute.writes()))


def test_count(world):
    world.responder.count = 3
    report = world.launch()
    assert [i["name"] for i in report["instances"]] == [
        "flask-app-1", "flask-app-2", "flask-app-3"]
    assert len(world.compute.inserts()) == 3


def test_user_data_without_hash_bang(world):
    world.responder.machine["userData"] = "[amiconfig]\nplugins=cernvm\n"
    report = world.launch()
    assert "user-data" in items(world.compute.body())
    assert "startup-script" not in items(world.compute.body())
    assert any("cloud-init" in w for w in report["warnings"])


def test_what_means_nothing_is_warned_about(world):
    world.responder.machine.update(flags=1 | 4 | 64, executionCap=50, canOverride="x")
    warnings = " ".join(world.launch()["warnings"])
    for word in ("guest additions", "second network card", "executionCap", "canOverride"):
        assert word in warnings


def test_disk_url(world):
    world.responder.machine.update(
        diskURL=f"projects/{PROJECT}/global/images/mine", diskChecksum="0" * 64)
    world.launch()
    assert world.compute.requests("GET", rf"projects/{PROJECT}/global/images/mine$")


@pytest.mark.parametrize("url", ["http://example.org/disk.img", "family/Debian",
                                 "projects/debian-cloud/global/images/../x"])
def test_disk_url_elsewhere(world, url):
    world.responder.machine.update(diskURL=url, diskChecksum="0" * 64)
    world.refused("plan-invalid", 3)


# --- what is refused

def change_payload(token):
    header, payload, signature = token.split(".")
    text = base64.urlsafe_b64decode(payload + "==").replace(b"hello", b"hallo")
    return ".".join([header, b64(text), signature])


def alg_none(token):
    return b64(b'{"alg":"none","typ":"vmcp+jwt"}') + "." + token.split(".")[1] + ".AAAA"


REFUSALS = {
    "signature-invalid": lambda r: setattr(r, "edit_token", change_payload),
    "alg-refused": lambda r: setattr(r, "edit_token", alg_none),
    "salt-mismatch": lambda r: setattr(r, "edit_claims", lambda c: c.update(nonce="0" * 64)),
    "machine-mismatch": lambda r: setattr(r, "edit_claims", lambda c: c.update(sub="other")),
    "domain-mismatch": lambda r: setattr(r, "domain", "cfg.example.net"),
    "hostid-mismatch": lambda r: setattr(r, "edit_claims", lambda c: c.update(aud="0" * 64)),
    "expired": lambda r: setattr(r, "edit_claims", lambda c: c.update(
        iat=c["iat"] - 1000, exp=c["exp"] - 1000)),
    "not-yet-valid": lambda r: setattr(r, "edit_claims", lambda c: c.update(
        iat=c["iat"] + 1000, exp=c["exp"] + 1000)),
    "lifetime-invalid": lambda r: setattr(r, "edit_claims", lambda c: c.update(
        exp=c["exp"] + 4000)),
    "typ-wrong": lambda r: setattr(r, "edit_header", lambda h: h.update(typ="JWT")),
    "header-refused": lambda r: setattr(r, "edit_header", lambda h: h.update(
        x5u="http://example.org/")),
    "key-untrusted": lambda r: setattr(r, "key", jwk.JWK.generate(kty="OKP", crv="Ed25519")),
    "machine-invalid": lambda r: r.machine.update(cpus="two"),
}


@pytest.mark.parametrize("code", REFUSALS)
def test_bad_answer_is_refused(world, code):
    REFUSALS[code](world.responder)
    done = world.refused(code, 1)
    assert not world.compute.server.log
    assert "a-secret-of-flask-app" not in done.stdout + done.stderr
    assert not world.metadata.server.log or all(
        "token" not in r["path"] for r in world.metadata.server.log)


def test_an_old_answer_replayed(world):
    kept = []
    world.responder.edit_token = lambda token: kept.append(token) or token
    world.launch("--dry-run")
    world.responder.edit_token = lambda token: kept[0]
    world.refused("salt-mismatch", 1)


def test_answer_of_another_type(world):
    world.responder.content_type = "application/json"
    world.refused("content-type", 4)


def test_answer_over_the_limit(world):
    world.responder.edit_token = lambda token: "a" * (1024 * 1024 + 1)
    world.refused("answer-too-large", 1)


def test_redirect_is_not_followed(world):
    world.responder.fail = lambda: (302, "text/html", "", {"Location": world.responder.url})
    world.refused("redirect-refused", 4)
    assert len(world.responder.server.log) == 1


def test_responder_says_no(world):
    world.responder.fail = lambda: (404, "application/problem+json",
                                    {"code": "machine-unknown", "detail": "nothing"})
    done = world.refused("responder-error", 4)
    assert "machine-unknown" in done.report["detail"]


def test_responder_comes_back(world):
    answers = [(503, "text/plain", "wait")]
    world.responder.fail = lambda: answers.pop() if answers else None
    world.launch()
    salts = [r["query"]["cvm_salt"] for r in world.responder.server.log]
    assert len(set(salts)) == 2


def test_dead_responder_ends_in_time(world):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{s.getsockname()[1]}/vmcp"
        start = time.monotonic()
        done = world.run("--endpoint", url, "--machine", "flask-app", "--trust", str(world.trust),
                         "--boot-timeout", "2", base=False)
    assert (done.returncode, done.report["code"]) == (4, "network")
    assert time.monotonic() - start < 10


def test_plain_http_beyond_loopback(world):
    world.refused("plain-http", 2, "--endpoint", "http://192.0.2.1/vmcp", "--machine", "flask-app",
                  "--trust", str(world.trust), base=False)


def test_nothing_to_trust(world):
    world.refused("trust-invalid", 3, "--endpoint", world.responder.url, "--domain",
                  "nobody.example", "--machine", "flask-app", base=False)


def test_trust_is_not_united(world):
    """The flag's key is the whole trust, though the metadata has the right one."""
    other = jwk.JWK.generate(kty="OKP", crv="Ed25519").export_to_pem().decode()
    world.metadata.attributes = {"vmcp-trust": world.responder.pem()}
    world.refused("key-untrusted", 1, "--endpoint", world.responder.url, "--machine", "flask-app",
                  "--trust", str(world.write("other.pem", other)), base=False)


def test_require_local_trust(world):
    world.metadata.attributes = {"vmcp-trust": world.responder.pem()}
    args = ["--endpoint", world.responder.url, "--machine", "flask-app"]
    world.refused("trust-invalid", 3, *args, "--require-local-trust", base=False)
    world.launch(*args, base=False)


def test_version_1_is_never_fallen_back_to(world):
    world.responder.content_type = "application/json"
    world.metadata.attributes = {"vmcp-format": "v1"}
    world.refused("content-type", 4)
    assert world.responder.server.log[-1]["headers"]["Accept"] == "application/jose"


# --- version 1

def version_1(world, **changes):
    """Answers of version 1, made a second time: the signed text, RSASSA-PKCS1-v1_5, SHA-512."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.public_key().public_bytes(serialization.Encoding.PEM,
                                        serialization.PublicFormat.SubjectPublicKeyInfo).decode()

    def answer():
        document = {**world.responder.machine, **changes}
        salt = world.responder.server.log[-1]["query"]["cvm_salt"]
        text = "".join(f"{k.lower()}={urllib.parse.quote(str(v), safe='-_.~')}\n"
                       for k, v in sorted(document.items())) + salt
        signature = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA512())
        return 200, "application/json", {**document,
                                         "signature": base64.b64encode(signature).decode()}
    world.responder.fail = answer
    return ["--endpoint", world.responder.url, "--machine", "flask-app", "--trust",
            str(world.write("rsa.pem", pem)), "--format", "v1"]


def test_version_1(world):
    report = world.launch(*version_1(world), base=False)
    assert report["format"] == "v1" and "serial" not in report
    assert any("version 1" in w for w in report["warnings"])
    assert items(world.compute.body())["vmcp-machine"] == "flask-app"


def test_version_1_of_another_name(world):
    args = version_1(world, name="other")
    world.refused("machine-mismatch", 1, *args, base=False)
    world.launch(*args, "--expect-name", "other", base=False)
    assert world.compute.body()["name"] == "other"


def test_version_1_needs_a_machine(world):
    args = [a for a in version_1(world) if a not in ("--machine", "flask-app")]
    world.refused("usage", 2, *args, base=False)


# --- settings

def test_everything_from_attributes(world):
    world.metadata.attributes = {
        "vmcp-endpoint": world.responder.url, "vmcp-machine": "flask-app",
        "vmcp-trust": world.responder.pem(), "vmcp-min-serial": "7",
        "vmcp-allow-external-ip": "TRUE", "vmcp-domain": DOMAIN}
    world.responder.gce = {"networkInterfaces": [
        {"network": "global/networks/default", "accessConfigs": [{"type": "ONE_TO_ONE_NAT"}]}]}
    world.launch(base=False)
    assert not any("project/attributes" in r["path"] for r in world.metadata.server.log)


def test_flag_before_environment_before_attribute(world):
    world.metadata.attributes = {"vmcp-machine": "from-attribute"}
    args = ["--endpoint", world.responder.url, "--trust", str(world.trust), "--dry-run"]
    asked = lambda: world.responder.server.log[-1]["query"]["vm"]
    world.launch(*args, base=False)
    assert asked() == "from-attribute"
    env = dict(world.env, VMCP_MACHINE="from-environment")
    world.launch(*args, base=False, env=env)
    assert asked() == "from-environment"
    world.launch(*args, "--machine", "from-flag", base=False, env=env)
    assert asked() == "from-flag"


def test_other_attributes_count_for_nothing(world):
    world.metadata.attributes = {"vmcp-max-count": "1000", "vmcp-api-endpoint": "http://192.0.2.1/",
                                 "vmcp-insecure-api": "TRUE", "vmcp-format": "v1"}
    world.responder.count = 17
    world.refused("policy", 1)


def test_broken_attribute(world):
    world.metadata.attributes = {"vmcp-min-serial": "seven"}
    world.refused("usage", 2)


def test_no_metadata_server_elsewhere(world):
    env = {k: v for k, v in world.env.items() if k != "GCE_METADATA_HOST"}
    done = world.run("--project", PROJECT, "--zone", ZONE, env=env)
    if done.report["code"] == "ok":
        pytest.skip("this is Compute Engine")
    assert (done.report["code"], done.returncode) == ("credentials", 5)


def test_default_machine(world):
    report = world.launch("--endpoint", world.responder.url, "--trust", str(world.trust),
                          base=False)
    assert report["machine"] == "flask-app"
    assert "vm" not in world.responder.server.log[0]["query"]


@pytest.mark.parametrize("args,code", [
    (["--endpoint", "http://user@127.0.0.1/"], "url-malformed"),
    (["--frobnicate"], "usage"), (["--machine", "No_Such"], "name-malformed"),
    (["--endpoint", "http://127.0.0.1/vmcp?vm=a", "--machine", "b"], "name-conflict"),
    (["--endpoint", "http://127.0.0.1/", "--zone", "Z"], "usage"),
    (["--endpoint", "http://127.0.0.1/", "--wait-api=sideways"], "usage"),
])
def test_usage(world, args, code):
    if "--endpoint" not in args and "--machine" in args:
        args = ["--endpoint", "http://127.0.0.1/", *args]
    world.refused(code, 2, *args, "--trust", str(world.trust), base=False)


def test_times_have_units(world):
    """--max-skew as in vmcp, and the others with it."""
    ago = lambda claims: claims.update(iat=claims["iat"] - 500, exp=claims["iat"] - 400)
    world.responder.edit_claims = ago
    assert world.run("plan").returncode == 1
    for skew in ("10m", "600", "600s"):
        world.launch("plan", "--max-skew", skew, "--timeout", "1h", "--boot-timeout", "2m",
                     "--api-timeout", "0")
    for option, value in (("--max-skew", "2h"), ("--timeout", "0s"), ("--boot-timeout", "5x"),
                          ("--api-timeout", "m")):
        world.refused("usage", 2, option, value)


# --- dry runs

@pytest.mark.parametrize("args", [["plan"], ["--dry-run"]])
def test_dry_run_writes_nothing(world, args):
    report = world.launch(*args)
    assert world.compute.server.log and not world.compute.writes()
    assert report["bodies"][0]["name"] == "flask-app"
    assert report["instances"][0]["would"] == "create"
    assert not (world.state / "machines").exists()


def test_plan_against_what_is_there(world):
    world.launch()
    instance = world.compute.instances[ZONE, "flask-app"]
    writes = len(world.compute.writes())
    for status, would in [("RUNNING", "none"), ("STAGING", "wait"), ("TERMINATED", "start"),
                          ("SUSPENDED", "resume")]:
        instance["status"] = status
        assert world.launch("plan")["instances"][0]["would"] == would
    world.responder.machine["secret"] = "another-secret-than-before"
    world.refused("session-conflict", 1, "plan", writes=writes)


def origins(world, *args):
    return {r["path"]: r["from"] for r in world.launch("plan", *args)["origins"][0]}


def test_where_each_part_comes_from(world):
    world.responder.machine["memory"] = 3000
    world.responder.gce = {"labels": {"role": "web"}, "metadata": {"items": [
        {"key": "enable-oslogin", "value": "TRUE"}]}, "tags": {"items": ["web"]},
        "disks": [{"initializeParams": {"diskType": "pd-ssd"}}], "shieldedInstanceConfig": None,
        "networkInterfaces": [{"network": "global/networks/x", "accessConfigs": [{}]}]}
    table = origins(world, "--allow-external-ip", "--allow-machine-type", "e2-*")
    assert "rounded" in table["machineType"] and "--allow-machine-type" in table["machineType"]
    assert table["name"] == "signed machine"
    assert table["metadata.enable-oslogin"] == "signed gce"
    assert table["metadata.startup-script"] == "signed machine: userData"
    assert table["metadata.vmcp-session"] == table["labels.vmcp-by"] == "the launcher's own"
    assert table["metadata.block-project-ssh-keys"] == "default"
    assert table["labels.role"] == "signed gce"
    assert table["tags.items"] == "signed machine: apiPort; signed gce"
    assert table["disks[0].initializeParams.diskType"] == "signed gce"
    assert table["disks[0].initializeParams.sourceImage"] == "default"
    assert table["disks[0].initializeParams.diskSizeGb"] == "signed machine: disk"
    assert table["shieldedInstanceConfig"] == "signed gce"
    assert "--allow-external-ip" in table["networkInterfaces[0].accessConfigs[0]"]
    world.responder.gce = {"labels": {"[x": "1"}}
    world.refused("plan-invalid", 3, "plan")


def without_credentials(world):
    env = {k: v for k, v in world.env.items() if k != "GCE_METADATA_HOST"}
    return dict(env=env), ["--project", PROJECT, "--zone", ZONE]


def test_which_bound_let_a_part_in(world):
    world.responder.gce = {
        "networkInterfaces": [{"network": "projects/host-1/global/networks/n"}],
        "instanceEncryptionKey": {"kmsKeyName": KMS.format("host-1"), "kmsKeyServiceAccount": "k@d.example"},
        "disks": [{}, {"source": "zones/z/disks/d", "autoDelete": True}]}
    table = origins(world, "--allow-resource-project", "host-1", "--allow-service-account",
                    "k@d.example", "--allow-disk-delete")
    for path, bound in (("networkInterfaces[0].network", "--allow-resource-project"),
                        ("instanceEncryptionKey.kmsKeyName", "--allow-resource-project"),
                        ("instanceEncryptionKey.kmsKeyServiceAccount", "--allow-service-account"),
                        ("disks[1].autoDelete", "--allow-disk-delete")):
        assert table[path] == f"signed gce; allowed by {bound}"
    assert "--allow" not in table["disks[0].autoDelete"]


def test_plan_without_credentials(world):
    """Whoever has none sees that the answer is good, and how to see the body."""
    where, args = without_credentials(world)
    done = world.run("plan", *args, **where)
    if done.report["code"] == "ok":
        pytest.skip("this is Compute Engine")
    assert (done.report["code"], done.returncode) == ("credentials", 5)
    assert "is good" in done.stderr and done.report["serial"] == 7
    assert "--offline" in done.report["advice"][0] and not world.compute.server.log


@pytest.mark.parametrize("verb", [["plan"], ["--dry-run"]])
def test_offline(world, verb):
    world.responder.gce = {"labels": {"role": "web"}}
    where, args = without_credentials(world)
    report = world.launch(*verb, "--offline", *args, **where)
    body, = report["bodies"]
    assert body["labels"]["role"] == "web" and items(body)["startup-script"] == SCRIPT
    assert body["disks"][0]["initializeParams"]["sourceImage"] == \
        "projects/debian-cloud/global/images/family/debian-12"
    row, = report["instances"]
    assert (row["would"], row["zone"], row["project"]) == ("unknown", ZONE, PROJECT)
    assert any("offline" in w for w in report["warnings"])
    assert not world.compute.server.log
    assert not list(world.state.glob("machines/*/*/state.json"))


def test_offline_keeps_to_bounds_and_serials(world):
    where, args = without_credentials(world)
    world.responder.gce = {"serviceAccounts": [{"email": "default"}]}
    assert world.run("plan", "--offline", *args, **where).report["code"] == "policy"
    assert world.run("plan", "--offline", "--min-serial", "8", *args, **where).returncode == 1
    world.refused("usage", 2, "--offline", *args)


def test_plan_shows_what_would_be_refused(world):
    world.compute.add(metadata=mine(world, **{"vmcp-session": None}))
    done = world.refused("session-conflict", 1, "plan")
    assert done.report["bodies"][0]["name"] == "flask-app"
    assert done.report["instances"][0]["would"] == "refuse"


def test_signed_names_steer_no_terminal(world):
    world.responder.gce = {"\x1b]0;x\x07": None}
    assert "\x1b" not in world.run("plan").stderr


def test_plan_for_people(world):
    done = subprocess.run([*world.command("plan")[:-1]], env=world.env, capture_output=True,
                          text=True, timeout=60, check=True)
    assert json.loads(done.stdout)["name"] == "flask-app"
    assert "signed machine" in done.stderr


# --- sessions

def mine(world, **changes):
    metadata = {"vmcp-session": session(DOMAIN, "flask-app", "a-secret-of-flask-app"),
                "vmcp-domain": DOMAIN, "vmcp-machine": "flask-app", "vmcp-serial": "7",
                "startup-script": SCRIPT}
    metadata.update(changes)
    return {"items": [{"key": k, "value": v} for k, v in metadata.items() if v is not None]}


@pytest.mark.parametrize("status,outcome,verb", [
    ("RUNNING", "running", None), ("TERMINATED", "started", "start"),
    ("STOPPED", "started", "start"), ("SUSPENDED", "resumed", "resume")])
def test_resume(world, status, outcome, verb):
    world.compute.add(status=status, metadata=mine(world))
    report = world.launch()
    assert report["instances"][0]["outcome"] == outcome
    assert not world.compute.inserts()
    started = world.compute.requests("POST", r"/instances/4000000000/(start|resume)$")
    assert len(started) == (1 if verb else 0)


def test_resume_waits(world):
    instance = world.compute.add(status="STAGING", metadata=mine(world))
    threading.Timer(1.0, instance.update, [{"status": "RUNNING"}]).start()
    assert world.launch()["instances"][0]["outcome"] == "running"
    assert not world.compute.writes()


@pytest.mark.parametrize("changes", [
    {"vmcp-session": None}, {"vmcp-session": "sha256$00$00"},
    {"vmcp-session": session(DOMAIN, "flask-app", "another secret")},
    {"vmcp-session": session(DOMAIN, "other", "a-secret-of-flask-app")},
    {"vmcp-domain": "cfg.example.net"}, {"vmcp-machine": "other"}])
def test_name_of_another_session(world, changes):
    world.compute.add(metadata=mine(world, **changes))
    world.refused("session-conflict", 1)


def test_name_taken_in_another_zone(world):
    world.compute.add(zone="us-central1-b", metadata=mine(world, **{"vmcp-session": None}))
    world.refused("session-conflict", 1, "--zone", ZONE, "--zone", "us-central1-b")


def test_drift(world):
    world.compute.add(status="TERMINATED", metadata=mine(world, **{"startup-script": "#!/bin/sh"}))
    done = world.refused("drift", 1)
    assert any("startup script" in w for w in done.report["warnings"])
    assert world.launch("--accept-drift")["instances"][0]["outcome"] == "started"


SCOPES = ["https://www.googleapis.com/auth/a", "https://www.googleapis.com/auth/b"]


@pytest.mark.parametrize("planned,there,same", [
    ({"email": "default", "scopes": SCOPES}, {"email": "1-compute@d.example", "scopes": SCOPES[::-1]}, True),
    ({"email": "default"}, {"email": "1-compute@d.example", "scopes": []}, True),
    ({"email": "default", "scopes": SCOPES}, {"email": "1@d.example", "scopes": SCOPES[:1]}, False),
    ({"email": "default", "scopes": SCOPES[:1]}, {"email": "1@d.example", "scopes": SCOPES}, False),
    ({"email": "a@d.example", "scopes": SCOPES}, {"email": "b@d.example", "scopes": SCOPES}, False),
    ({"email": "a@d.example", "scopes": SCOPES}, None, False)])
def test_drift_of_service_accounts(world, planned, there, same):
    world.responder.gce = {"serviceAccounts": [planned]}
    world.compute.add(metadata=mine(world), status="TERMINATED",
                      serviceAccounts=[there] if there else [])
    args = ["--allow-service-account", planned["email"]]
    if same:
        world.launch(*args)
    else:
        assert "service accounts" in world.refused("drift", 1, *args).report["detail"]


def test_drift_of_a_running_vm_is_told(world):
    world.compute.add(metadata=mine(world, **{"vmcp-serial": "6"}))
    assert any("serial" in w for w in world.launch()["warnings"])


def test_somebody_was_faster(world):
    """The name is taken between the look and the insert, by a launcher of the same session."""
    def before(request):
        if request.command == "POST" and request.url.path.endswith("/instances"):
            world.compute.add(metadata=mine(world))
            world.compute.before = lambda r: None
    world.compute.before = before
    assert world.launch()["instances"][0]["outcome"] == "running"
    assert len(world.compute.instances) == 1 and not world.intents()


def becomes(world, changes, after=1.0):
    """A VM of our session that is on its way, and what it is at a later look."""
    instance = world.compute.add(status="STOPPING", metadata=mine(world))
    threading.Timer(after, instance.update, [changes]).start()
    return instance


def test_what_was_waited_for_is_judged_again(world):
    becomes(world, {"status": "TERMINATED",
                    "metadata": mine(world, **{"startup-script": "#!/bin/sh"})})
    done = world.refused("drift", 1)
    assert any("startup script" in w for w in done.report["warnings"])


def test_what_was_waited_for_is_started(world):
    becomes(world, {"status": "TERMINATED",
                    "metadata": mine(world, **{"startup-script": "#!/bin/sh"})})
    report = world.launch("--accept-drift")
    assert report["instances"][0]["outcome"] == "started"
    assert len([w for w in report["warnings"] if "startup script" in w]) == 1


def test_session_changes_while_waiting(world):
    becomes(world, {"status": "TERMINATED", "metadata": mine(world, **{"vmcp-session": None})})
    world.refused("session-conflict", 1)


def test_another_vm_takes_the_name_while_waiting(world):
    becomes(world, {"status": "RUNNING", "id": "77"})
    assert "4000000000" in world.refused("session-conflict", 1).report["detail"]


def power_off(world):
    """Every VM has done its work and powered itself off before anybody looks."""
    def before(request):
        if request.url.path.endswith("/wait"):
            for instance in world.compute.instances.values():
                instance["status"] = "TERMINATED"
    world.compute.before = before


def test_a_vm_that_this_run_made_is_not_started_again(world):
    power_off(world)
    made = world.launch()["instances"][0]
    assert (made["outcome"], made["status"]) == ("created", "TERMINATED")
    assert not world.compute.requests("POST", r"/start$")


def test_a_vm_that_this_run_started_is_not_started_again(world):
    world.compute.add(status="TERMINATED", metadata=mine(world))
    power_off(world)
    made = world.launch()["instances"][0]
    assert (made["outcome"], made["status"]) == ("started", "TERMINATED")
    assert len(world.compute.requests("POST", r"/start$")) == 1


def test_nothing_answers_on_a_vm_that_stopped_itself(world):
    power_off(world)
    done = world.run("--wait-api")
    assert (done.returncode, done.report["code"]) == (7, "operation-failed")
    assert done.report["instances"][0]["outcome"] == "created"


# --- serials

def test_serial_floor(world):
    world.launch()
    assert world.saved()["serial"] == 7
    world.responder.serial = 6
    writes = len(world.compute.writes())
    world.refused("serial-rollback", 1, writes=writes)
    world.refused("serial-rollback", 1, "--dry-run", writes=writes)
    world.responder.serial = 8
    world.launch()
    assert world.saved()["serial"] == 8


def test_serial_floor_without_a_named_machine(world):
    args = ["--endpoint", world.responder.url, "--trust", str(world.trust)]
    world.launch(*args, base=False)
    world.responder.serial = 6
    world.refused("serial-rollback", 1, *args, base=False, writes=len(world.compute.writes()))


def test_min_serial(world):
    world.refused("serial-rollback", 1, "--min-serial", "8")
    world.metadata.attributes = {"vmcp-min-serial": "8"}
    world.refused("serial-rollback", 1)


def test_damaged_state_is_no_reset(world):
    world.launch()
    path = world.state / f"machines/{DOMAIN}/flask-app/state.json"
    for text in ("", "{}", "[]", path.read_text()[:-5],
                 path.read_text().replace('"serial":7', '"serial":"7"')):
        path.write_text(text)
        world.refused("state-damaged", 3, writes=len(world.compute.writes()))


def test_state_that_others_can_reach(world):
    world.launch()
    world.state.chmod(0o755)
    world.refused("file-mode", 3, writes=len(world.compute.writes()))


@pytest.mark.parametrize("mode,good", [(0o777, False), (0o775, False), (0o1777, True), (0o755, True)])
def test_folders_above_the_state(world, mode, good):
    """Whoever may write them could put another state there, with a lower serial."""
    above = world.folder / "above"
    above.mkdir()
    (above / "between").mkdir()
    world.state = above / "between/state"
    above.chmod(mode)
    if good:
        world.launch()
    else:
        done = world.refused("file-mode", 3)
        assert done.report["where"] == str(above) and "chmod go-w" in done.report["detail"]


def test_a_link_in_a_folder_of_others(world):
    (world.folder / "shared").mkdir()
    (world.folder / "shared/link").symlink_to(world.folder)
    (world.folder / "shared").chmod(0o777)
    world.state = world.folder / "shared/link/state"
    world.refused("file-mode", 3)


def test_state_stays_readable(world):
    """Of very many VMs the oldest are forgotten; the serial never is."""
    world.launch()
    path = world.state / f"machines/{DOMAIN}/flask-app/state.json"
    saved = world.saved()
    old = [{**saved["vms"][0], "id": str(7000000000 + i), "name": f"old-{i}"} for i in range(32000)]
    path.write_text(json.dumps({**saved, "serial": 9, "vms": old}))
    assert path.stat().st_size > 4 * 1024 * 1024
    world.responder.serial = 9
    world.launch("--name-suffix", "b")
    saved = world.saved()
    assert path.stat().st_size <= 4 * 1024 * 1024 and saved["serial"] == 9
    names = [v["name"] for v in saved["vms"]]
    assert names[-2:] == ["old-31999", "flask-app-b"] and "old-0" not in names and len(names) > 9000


def test_a_name_is_one_vms_at_a_time(world):
    world.launch()
    world.compute.instances.clear()  # somebody deleted it, and the name is free again
    world.compute.add("other")
    world.launch()
    assert [v["id"] for v in world.saved()["vms"]] == [world.compute.find(ZONE, "flask-app")["id"]]


def test_two_runs_at_once(world):
    arrived, go = threading.Event(), threading.Event()

    def hold(request):
        arrived.set()
        go.wait(20)
    world.compute.after_insert = hold
    with subprocess.Popen(world.command(), env=world.env, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as first:
        assert arrived.wait(20)
        world.refused("state-busy", 3, writes=1)
        go.set()
        assert json.loads(first.communicate(timeout=30)[0])["code"] == "ok"


# --- bounds

def resource_cases(nic):
    allow = ["--allow-resource-project", "evil"]
    for there in ("projects/evil/global/networks/n",
                  "https://www.googleapis.com/compute/v1/projects/evil/global/networks/n"):
        yield {"networkInterfaces": [{"network": there}]}, allow
    for plainly in ("https://evil.example/projects/web-1/global/networks/n", "/global/networks/n",
                    "global/../projects/evil/global/networks/n", "compute/v1/projects/evil/networks/n",
                    "Projects/evil/global/networks/n", "projects/web-1/projects/evil/networks/n", "",
                    "projects/web-1", "global/networks/%2e%2e", "projects//global/networks/n",
                    "//compute.googleapis.com/projects/evil/global/networks/n"):
        yield {"networkInterfaces": [{"network": plainly}]}, None
    yield {"networkInterfaces": [{**nic, "subnetwork": "projects/evil/regions/r/subnetworks/s"}]}, allow
    yield {"networkInterfaces": [nic, {
        "networkAttachment": "projects/evil/regions/r/networkAttachments/a"}]}, allow
    yield {"resourcePolicies": ["projects/evil/regions/r/resourcePolicies/p"]}, allow
    yield {"reservationAffinity": {
        "consumeReservationType": "SPECIFIC_RESERVATION", "values": ["projects/evil/reservations/r"],
        "key": "compute.googleapis.com/reservation-name"}}, allow
    for member, value in (("storagePool", "projects/evil/zones/z/storagePools/p"),
                          ("resourcePolicies", ["projects/evil/regions/r/resourcePolicies/p"])):
        yield {"disks": [{"initializeParams": {member: value}}]}, allow


KMS = "projects/{}/locations/l/keyRings/r/cryptoKeys/k"


def encryption_cases():
    account = "kms@web-1.iam.gserviceaccount.com"
    for key, allow in (
            ({"kmsKeyName": KMS.format("web-1"), "kmsKeyServiceAccount": account},
             ["--allow-service-account", account]),
            ({"kmsKeyName": KMS.format("evil")}, ["--allow-resource-project", "evil"])):
        snapshot = "projects/web-1/global/snapshots/s"
        yield {"instanceEncryptionKey": key}, allow
        yield {"disks": [{"diskEncryptionKey": key}]}, allow
        yield {"disks": [{}, {"initializeParams": {"diskSizeGb": "10"}, "diskEncryptionKey": key}]}, allow
        yield {"disks": [{"initializeParams": {"sourceImageEncryptionKey": key}}]}, allow
        yield {"disks": [{"initializeParams": {"sourceSnapshot": snapshot,
                                               "sourceSnapshotEncryptionKey": key}}]}, allow


def policy_cases():
    nic = {"network": "global/networks/default"}
    yield {"serviceAccounts": [{"email": "a@web-1.iam.gserviceaccount.com"}]}, [
        "--allow-service-account", "a@web-1.iam.gserviceaccount.com"]
    yield {"serviceAccounts": [{"email": "default"}]}, ["--allow-service-account", "default"]
    yield {"networkInterfaces": [{**nic, "accessConfigs": [{"type": "ONE_TO_ONE_NAT"}]}]}, [
        "--allow-external-ip"]
    yield {"networkInterfaces": [{**nic, "ipv6AccessConfigs": [{"type": "DIRECT_IPV6"}]}]}, [
        "--allow-external-ip"]
    yield {"disks": [{"initializeParams": {
        "sourceImage": "projects/evil/global/images/family/x"}}]}, [
        "--allow-image-project", "evil"]
    yield {"disks": [{"initializeParams": {"sourceSnapshot": "projects/evil/global/snapshots/x"}}]
           }, ["--allow-image-project", "evil"]
    yield {"disks": [{}, {"initializeParams": {
        "sourceImage": "https://www.googleapis.com/compute/v1/projects/evil/global/images/x"}}]}, [
        "--allow-image-project", "evil", "--allow-image-project", "debian-cloud"]
    yield {"sourceMachineImage": "projects/web-1/global/machineImages/x"}, None
    yield {"disks": [{"source": "zones/z/disks/d", "autoDelete": True}]}, ["--allow-disk-delete"]
    yield {"disks": [{}, {"source": "zones/z/disks/d", "autoDelete": True}]}, ["--allow-disk-delete"]
    yield from resource_cases(nic)
    yield from encryption_cases()
    for source in ("projects/evil/zones/z/disks/d", "zones/../../other/zones/z/disks/d",
                   "zones/z/disks/../../../d", "projects/web-1/zones/z/disks/d/e", "zones/z/images/d",
                   "zones/z/disks/D", "", "https://evil.example/zones/z/disks/d"):
        yield {"disks": [{"source": source}]}, None


@pytest.mark.parametrize("gce,allow", policy_cases())
def test_bounds(world, gce, allow):
    world.responder.gce = gce
    world.refused("policy", 1)
    if allow:
        world.launch(*allow)


@pytest.mark.parametrize("gce", [
    {"networkInterfaces": [{"network": "projects/web-1/global/networks/n"}]},
    {"networkInterfaces": [{"subnetwork": "regions/us-central1/subnetworks/s"}]},
    {"resourcePolicies": ["daily"]}, {"instanceEncryptionKey": {"kmsKeyName": KMS.format("web-1")}},
    {"disks": [{"source": "zones/z/disks/d"}]}])
def test_our_own_resources_need_no_leave(world, gce):
    world.responder.gce = gce
    world.launch()
    # what existed before the VM outlives it, whatever the default of a new boot disk is
    assert "source" not in world.compute.body()["disks"][0] or \
        "autoDelete" not in world.compute.body()["disks"][0]


def test_bounds_from_attributes(world):
    world.responder.gce = {"networkInterfaces": [{"network": "projects/host-1/global/networks/n"}],
                           "disks": [{"source": "zones/z/disks/d", "autoDelete": True}]}
    world.refused("policy", 1)
    world.metadata.attributes = {"vmcp-allow-resource-project": "other,host-1",
                                 "vmcp-allow-disk-delete": "TRUE"}
    world.launch()


RAW = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


@pytest.mark.parametrize("json_too", [True, False])
def test_key_material_is_not_shown(world, json_too):
    world.responder.machine["userData"] = SCRIPT + PEM
    world.responder.gce = {
        "instanceEncryptionKey": {"rawKey": RAW},
        "disks": [{"diskEncryptionKey": {"rsaEncryptedKey": RAW},
                   "initializeParams": {"sourceImageEncryptionKey": {"rawKey": RAW}}}]}
    args = ["--allow-private-key", "startup-script"]
    done = subprocess.run(world.command("plan", *args)[:None if json_too else -1], env=world.env,
                          capture_output=True, text=True, timeout=60, check=True)
    assert RAW not in done.stdout + done.stderr and "MIIB" not in done.stdout + done.stderr
    assert done.stdout.count("not shown") >= 4 and "rsaEncryptedKey" in done.stderr
    sent = world.launch(*args) and world.compute.body()
    assert sent["instanceEncryptionKey"] == {"rawKey": RAW} and PEM in items(sent)["startup-script"]


def test_machine_type_bound(world):
    world.refused("policy", 1, "--allow-machine-type", "n2-*")
    world.launch("--allow-machine-type", "n2-*", "--allow-machine-type", "e2-custom-2-*")


def test_count_bound(world):
    world.responder.count = 17
    world.refused("policy", 1)
    assert len(world.launch("--max-count", "17", "--dry-run")["instances"]) == 17


# --- private keys

PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIB\n-----END RSA PRIVATE KEY-----\n"
KEY_JSON = json.dumps({"type": "service_account", "private_key": "abc"})
SECRETS = {
    "pem": PEM, "openssh": PEM.replace("RSA", "OPENSSH"), "in a script": f"x='{PEM}'",
    "json": KEY_JSON, "json with spaces": '{ "refresh_token" \n: "x" }',
    "client secret": '{"client_secret":"x"}', "escaped json": json.dumps({"f": KEY_JSON}),
    "escaped letters": KEY_JSON.replace("private_key", "private\\u005fkey"),
    "escaped dashes": PEM.replace("-", "\\u002d"),
    "base64": base64.b64encode(PEM.encode()).decode(),
    "base64 in lines": base64.encodebytes(("#" * 50 + KEY_JSON).encode()).decode(),
    "base64 behind a word": "KEY/" + base64.b64encode(KEY_JSON.encode()).decode(),
    "base64url": base64.urlsafe_b64encode(("\xff\xfe" * 9 + PEM).encode("latin-1")).decode(),
    "base64, indented": "a:\n    " + base64.encodebytes(PEM.encode()).decode().replace(
        "\n", "\n    "),
    "gzip": base64.b64encode(gzip.compress(PEM.encode())).decode(),
}


@pytest.mark.parametrize("what", SECRETS)
def test_private_key_net(world, what):
    world.responder.machine["userData"] = SCRIPT + SECRETS[what]
    done = world.refused("private-key", 1)
    assert done.report["where"] == "startup-script" and "MIIB" not in done.stdout + done.stderr
    world.launch("--allow-private-key", "startup-script")


@pytest.mark.parametrize("text", [
    "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n", '{"private_key": ""}',
    '{"private_key": null}', "the private_key is elsewhere", "a" * 20000, "\\" * 5000,
    base64.b64encode(os.urandom(20000)).decode()], ids=range(7))
def test_private_key_net_lets_others_through(world, text):
    world.responder.machine["userData"] = SCRIPT + text
    world.launch()


@pytest.mark.parametrize("part,times", [(" ", 250000), ("\n", 250000), ("a ", 120000),
                                        ("\n=", 120000)])
def test_private_key_net_is_linear(world, part, times):
    world.responder.machine["userData"] = SCRIPT + part * times
    start = time.monotonic()
    world.launch()
    assert time.monotonic() - start < 5


def test_private_key_in_gce_metadata(world):
    world.responder.gce = {"metadata": {"service-credentials": KEY_JSON}}
    assert world.refused("private-key", 1).report["where"] == "service-credentials"


# --- intents

def kill_while_inserting(world, effect):
    """Kill vmcp-launch between the insert's first byte and its answer's last."""
    arrived, go = threading.Event(), threading.Event()

    def hold(request):
        arrived.set()
        go.wait(20)
        return "drop"

    def lose(request):
        if request.command == "POST" and request.url.path.endswith("/instances"):
            hold(request)
            return 503, "text/plain", "gone"
        return None

    if effect == "accepted":
        world.compute.after_insert = hold
    else:
        world.compute.before = lose
    with subprocess.Popen(world.command(), env=world.env, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        assert arrived.wait(20)
        assert len(world.intents()) == 1
        process.send_signal(signal.SIGKILL)
        process.wait()
    go.set()
    world.compute.after_insert = world.compute.before = lambda request: None


@pytest.mark.parametrize("effect", ["accepted", "lost"])
def test_intent_is_settled_after_kill(world, effect):
    kill_while_inserting(world, effect)
    world.launch()
    first, second = world.compute.inserts()
    assert first["query"] == second["query"] and first["body"] == second["body"]
    assert len(world.compute.instances) == 1 and not world.intents()
    assert len(world.saved()["vms"]) == 1


def test_intent_is_settled_though_the_responder_is_gone(world):
    kill_while_inserting(world, "lost")
    world.responder.fail = lambda: (404, "text/plain", "")
    world.refused("responder-error", 4, writes=3)
    assert len(world.compute.instances) == 1 and not world.intents()


def test_dry_run_leaves_an_intent_alone(world):
    kill_while_inserting(world, "lost")
    report = world.launch("--dry-run")
    assert len(world.intents()) == 1 and len(world.compute.inserts()) == 1
    assert any("outcome is not known" in w for w in report["warnings"]), report


@pytest.mark.parametrize("effect", ["accepted", "lost"])
def test_operations_in_pages(world, effect):
    """The filter is applied to each page: the operation may stand behind empty ones."""
    kill_while_inserting(world, effect)
    path, = world.intents()
    intent = json.loads(path.read_text())
    path.write_text(json.dumps({**intent, "created": intent["created"] - 1801}))
    tokens = ["a+b/c=&d", "second"]

    def before(request):
        if not request.url.path.endswith("/operations"):
            return None
        token = request.query.get("pageToken")
        n = tokens.index(token) + 1 if token else 0
        return (200, "application/json", {"nextPageToken": tokens[n]}) if n < len(tokens) else None
    world.compute.before = before
    world.responder.fail = lambda: (404, "text/plain", "")
    done = world.run()
    assert done.report["code"] == "responder-error" and not world.intents()
    assert len(world.compute.requests("GET", "/operations$")) == 3
    assert len(world.compute.requests("POST", "/wait$")) == (effect == "accepted")


def test_operations_without_an_end(world):
    kill_while_inserting(world, "lost")
    path, = world.intents()
    intent = json.loads(path.read_text())
    path.write_text(json.dumps({**intent, "created": intent["created"] - 1801}))
    world.compute.before = lambda r: (200, "application/json", {"nextPageToken": "x"}) \
        if r.url.path.endswith("/operations") else None
    assert world.run().report["code"] == "api-refused" and len(world.intents()) == 1


def test_operations_that_come_slowly(world):
    """Each page comes in time, and the list does not end: its time is that of one call."""
    kill_while_inserting(world, "lost")
    path, = world.intents()
    intent = json.loads(path.read_text())
    path.write_text(json.dumps({**intent, "created": intent["created"] - 1801}))

    def before(request):
        if not request.url.path.endswith("/operations"):
            return None
        time.sleep(1)
        return 200, "application/json", {"nextPageToken": "x"}
    world.compute.before = before
    done = world.run("--timeout", "3", timeout=30)
    # its end may come between two pages, or within one
    assert (done.report["code"], done.returncode) in (("timeout", 8), ("network", 4)), done.stderr
    assert len(world.intents()) == 1


def test_intent_of_the_future_is_looked_up(world):
    """The clock was set back since: nobody knows whether the requestId is still remembered."""
    kill_while_inserting(world, "lost")
    path, = world.intents()
    intent = json.loads(path.read_text())
    path.write_text(json.dumps({**intent, "created": intent["created"] + 7200}))
    world.responder.fail = lambda: (404, "text/plain", "")
    world.refused("responder-error", 4, writes=1)
    assert world.compute.requests("GET", "/operations$") and not world.intents()


@pytest.mark.parametrize("effect", ["accepted", "lost"])
def test_old_intent_is_looked_up(world, effect):
    kill_while_inserting(world, effect)
    path, = world.intents()
    intent = json.loads(path.read_text())
    path.write_text(json.dumps({**intent, "created": intent["created"] - 1801}))
    world.responder.fail = lambda: (404, "text/plain", "")
    assert world.run().returncode == 4
    assert len(world.compute.inserts()) == 1 and not world.intents()
    vms = 1 if effect == "accepted" else 0
    assert len(world.compute.instances) == vms and len(world.saved()["vms"]) == vms


def test_what_was_settled_is_not_started_again(world):
    """An earlier run's insert made a VM that did its work and powered itself off."""
    kill_while_inserting(world, "accepted")
    instance, = world.compute.instances.values()
    instance["status"] = "TERMINATED"
    made = world.launch()["instances"][0]
    assert (made["outcome"], made["status"]) == ("created", "TERMINATED")
    assert not world.compute.requests("POST", r"/start$")
    assert world.launch()["instances"][0]["outcome"] == "started"


def test_damaged_intent_is_an_error(world):
    kill_while_inserting(world, "lost")
    path, = world.intents()
    path.write_text(path.read_text()[:50])
    world.refused("state-damaged", 3, writes=1)


def test_lost_answer_makes_one_vm(world):
    answers = ["drop"]
    world.compute.after_insert = lambda request: answers.pop() if answers else None
    world.launch()
    assert len(world.compute.inserts()) == 2 and len(world.compute.instances) == 1
    assert len({r["query"]["requestId"] for r in world.compute.inserts()}) == 1


def test_what_was_never_finished_is_swept(world):
    kill_while_inserting(world, "lost")
    path, = world.intents()
    torn = path.with_name(path.name + ".Ab3dEf")
    torn.write_text('{"format":1')
    world.launch()
    assert not torn.exists() and not list(path.parent.iterdir())


def test_refused_insert_closes_its_intent(world):
    world.compute.before = lambda r: (
        api_error(403, "forbidden", "Required 'compute.instances.create' permission")
        if r.command == "POST" else None)
    done = world.run()
    assert (done.returncode, done.report["code"]) == (6, "api-refused")
    assert "compute.instances.create" in done.report["detail"] and not world.intents()


def test_refusal_of_a_second_try_is_not_definite(world):
    """The first try was accepted and its answer lost; then the permission is taken away."""
    tries = []

    def before(request):
        if request.command == "POST" and request.url.path.endswith("/instances"):
            tries.append(1)
            if len(tries) > 1:
                return api_error(403, "forbidden", "no more")
        return None
    world.compute.before = before
    world.compute.after_insert = lambda request: "drop"
    world.launch()
    assert len(world.compute.instances) == 1 and len(world.saved()["vms"]) == 1


def test_operation_fails(world):
    world.compute.operation_error = lambda zone: {"code": "QUOTA_EXCEEDED", "message": "CPUS"}
    done = world.run()
    assert (done.returncode, done.report["code"]) == (7, "operation-failed")
    assert "QUOTA_EXCEEDED" in done.report["detail"] and not world.intents()


def test_operation_takes_too_long(world):
    world.compute.pending = 1000
    done = world.run("--timeout", "2")
    assert (done.returncode, done.report["code"]) == (8, "timeout")
    assert len(world.intents()) == 1
    world.compute.pending = 0
    world.launch()
    assert not world.intents() and len(world.compute.instances) == 1


def test_next_zone_on_stock_out(world):
    error = {"code": "ZONE_RESOURCE_POOL_EXHAUSTED", "message": "not enough"}
    world.compute.operation_error = lambda zone: error if zone == ZONE else None
    report = world.launch("--zone", ZONE, "--zone", "us-central1-b")
    assert report["instances"][0]["zone"] == "us-central1-b"
    assert world.compute.body()["machineType"].startswith("zones/us-central1-b/")
    assert not world.intents()


# --- the API's errors

@pytest.mark.parametrize("failure", [
    api_error(503, "backendError", "x"), api_error(429, "rateLimitExceeded", "x"),
    api_error(403, "rateLimitExceeded", "x"), (502, "text/html", "<html>"), None])
def test_what_can_succeed_later_is_tried_again(world, failure):
    left = [1]

    def before(request):
        if request.command == "POST" and left:
            left.pop()
            if failure is None:
                request.connection.shutdown(socket.SHUT_RDWR)
            return failure or (500, "text/plain", "")
        return None
    world.compute.before = before
    world.launch()
    assert len({r["query"]["requestId"] for r in world.compute.inserts()}) == 1
    assert len(world.compute.inserts()) == 2


@pytest.mark.parametrize("status,reason", [
    (403, "quotaExceeded"), (400, "invalid"), (404, "notFound"), (403, "accessNotConfigured")])
def test_what_cannot_succeed_is_not(world, status, reason):
    world.compute.before = lambda r: api_error(status, reason, "x") if r.command == "POST" else None
    done = world.run()
    assert (done.returncode, done.report["code"]) == (6, "api-refused")
    assert len(world.compute.inserts()) == 1


def test_expired_token_is_renewed_once(world):
    world.compute.tokens = {"ya29.second"}
    given = ["ya29.second"]

    def before(request):
        if request.headers["Authorization"] == "Bearer ya29.metadata":
            world.metadata.token = given[0]
        return None
    world.compute.before = before
    world.launch()


def test_second_401_is_final(world):
    world.compute.tokens = set()
    done = world.run()
    assert (done.returncode, done.report["code"]) == (5, "credentials")
    assert len(world.compute.server.log) == 2


def test_short_token_is_asked_for_again(world):
    world.metadata.expires_in = 200
    world.launch()
    asked = [r for r in world.metadata.server.log if r["path"].endswith("/token")]
    assert len(asked) == len(world.compute.server.log)


# --- tokens

def test_no_service_account(world):
    world.metadata.token = None
    assert world.run().report["code"] == "credentials"


@pytest.mark.parametrize("how", ["flag", "environment", "attribute"])
def test_key_file(world, how):
    claims = []
    key, path = world.key_file(world.compute.server.origin + "/token")

    def before(request):
        if request.url.path != "/token":
            return None
        form = dict(p.split("=", 1) for p in request.body.decode().split("&"))
        assert form["grant_type"] == "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"
        token = jws.JWS()
        token.deserialize(form["assertion"], key)
        assert json.loads(token.objects["protected"]) == {
            "alg": "RS256", "kid": "ab" * 20, "typ": "JWT"}
        claims.append(json.loads(token.payload))
        return 200, "application/json", {"access_token": "ya29.key", "token_type": "Bearer",
                                         "expires_in": 3599}
    world.compute.before = before
    args, env = [], dict(world.env)
    if how == "flag":
        args = ["--credentials", str(path)]
    elif how == "environment":
        env["GOOGLE_APPLICATION_CREDENTIALS"] = str(path)
    else:
        world.metadata.attributes = {"service-credentials": path.read_text()}
    done = world.run(*args, env=env)
    assert done.returncode == 0, done.stderr
    assert world.compute.inserts()[0]["headers"]["Authorization"] == "Bearer ya29.key"
    assert len(claims) == 1
    assert claims[0]["iss"] == f"vm1@{PROJECT}.iam.gserviceaccount.com"
    assert claims[0]["aud"] == world.compute.server.origin + "/token"
    assert claims[0]["exp"] - claims[0]["iat"] == 3600
    assert "ya29" not in done.stdout + done.stderr
    assert "service-credentials" not in items(world.compute.body())


def test_grant_refused(world):
    _, path = world.key_file(world.compute.server.origin + "/token")
    world.compute.before = lambda r: (400, "application/json", {
        "error": "invalid_grant", "error_description": "Invalid JWT Signature."})
    done = world.refused("credentials", 5, "--credentials", str(path), writes=1)
    assert "invalid_grant" in done.report["detail"]


@pytest.mark.parametrize("uri", [
    "http://oauth2.googleapis.com/token", "https://oauth2.googleapis.com.evil.example/token",
    "https://evilgoogleapis.com/token", "https://oauth2.googleapis.com@192.0.2.1/token",
    "https://oauth2.googleapis.com:8443/token", "http://127.0.0.1:1/token", "file:///etc/passwd",
    "https://192.0.2.1\\@oauth2.googleapis.com/token"])
def test_where_a_key_does_not_go(world, uri):
    _, path = world.key_file(uri)
    done = world.run("--credentials", str(path))
    assert done.report["code"] in ("credentials", "url-malformed")
    assert not world.compute.server.log


def test_token_endpoint_is_the_exception(world):
    _, path = world.key_file("https://evil.example/token")
    world.compute.before = lambda r: (200, "application/json", {
        "access_token": "ya29.key", "token_type": "Bearer",
        "expires_in": 3599}) if r.url.path == "/elsewhere" else None
    world.launch("--credentials", str(path), "--token-endpoint",
                 world.compute.server.origin + "/elsewhere")


@pytest.mark.parametrize("url", ["http://192.0.2.1/compute/v1/", "http://compute.googleapis.com/"])
def test_api_over_plain_http(world, url):
    world.refused("plain-http", 2, "--api-endpoint", url)


def test_token_endpoint_over_plain_http(world):
    _, path = world.key_file("https://oauth2.googleapis.com/token")
    args = ["--credentials", str(path), "--token-endpoint", "http://192.0.2.1/token"]
    done = world.refused("plain-http", 2, *args)
    assert done.report["where"] == "--token-endpoint"


def test_no_token_over_a_redirect(world):
    seen = []
    world.compute.before = lambda r: seen.append(r) or (
        302, "text/html", "", {"Location": world.compute.url + "elsewhere"})
    done = world.run()
    assert (done.report["code"], done.returncode) == ("redirect-refused", 4) and len(seen) == 1


@pytest.mark.parametrize("change", [
    {"type": "authorized_user"}, {"private_key": "nonsense"}, {"client_email": None},
    {"token_uri": 7}])
def test_broken_key_file(world, change):
    _, path = world.key_file("https://oauth2.googleapis.com/token", change)
    done = world.refused("credentials", 5, "--credentials", str(path))
    assert "nonsense" not in done.stderr


@pytest.mark.parametrize("universe", ["com", "googleapis", "Googleapis.com", "10.0.0.1", ".com"])
def test_universe_is_no_top_level_domain(world, universe):
    done = world.refused("credentials", 5, env=dict(world.env, GOOGLE_CLOUD_UNIVERSE_DOMAIN=universe))
    assert not world.compute.server.log and "at least two labels" in done.report["detail"]
    assert done.report["where"] == "GOOGLE_CLOUD_UNIVERSE_DOMAIN"


def test_named_key_file_is_missing(world):
    world.refused("file", 3, "--credentials", str(world.folder / "none.json"))


def test_key_file_that_others_can_read(world):
    _, path = world.key_file("https://oauth2.googleapis.com/token")
    path.chmod(0o644)
    world.refused("file-mode", 3, "--credentials", str(path))


# --- waiting for the port

def test_wait_api(world):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        world.responder.machine["apiPort"] = s.getsockname()[1]
        world.compute.ip = "127.0.0.1"
        threading.Timer(1.0, s.listen).start()
        world.launch("--wait-api")


def test_wait_api_external(world):
    world.responder.gce = {"networkInterfaces": [
        {"network": "global/networks/default", "accessConfigs": [{"type": "ONE_TO_ONE_NAT"}]}]}
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        world.responder.machine["apiPort"] = s.getsockname()[1]
        world.compute.nics = [{"networkIP": "192.0.2.1", "accessConfigs": [{"natIP": "127.0.0.1"}]}]
        report = world.launch("--wait-api=external", "--allow-external-ip")
    assert report["instances"][0]["externalIp"] == "127.0.0.1"


def test_wait_api_times_out(world):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
        world.responder.machine["apiPort"] = port
        world.compute.ip = "127.0.0.1"
        done = world.run("--wait-api", "--api-timeout", "1")
    assert (done.returncode, done.report["code"]) == (8, "timeout")
    assert f"firewall-rules create vmcp-api-{port}" in done.stderr


@pytest.mark.parametrize("network,project,name,source", [
    (f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/global/networks/default", PROJECT,
     "default", "10.128.0.0/9"),
    (f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/global/networks/web", PROJECT,
     "web", "RANGE"),
    ("projects/host-1/global/networks/shared", "host-1", "shared", "RANGE"),
    ("projects/host-1/global/networks/$(reboot)", "host-1", "NETWORK", "RANGE"),
    ("projects/$(reboot)/global/networks/web", PROJECT, "web", "RANGE"),
    (None, PROJECT, "NETWORK", "RANGE")])
def test_firewall_rule_is_for_the_vms_network(world, network, project, name, source):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        world.responder.machine["apiPort"] = s.getsockname()[1]
        world.compute.nics = [{"networkIP": "127.0.0.1", **({"network": network} if network else {})}]
        done = world.run("--wait-api", "--api-timeout", "0")
    assert f" --project={project} --network={name} " in done.stderr
    assert f"--source-ranges={source}" in done.stderr


def test_wait_api_without_a_port(world):
    del world.responder.machine["apiPort"]
    world.launch("--wait-api")

# SPDX-License-Identifier: Apache-2.0
"""gce-emulator's Compute API, method by method: disks, images, networks, templates, policies."""
import base64
import email
import json
import random
import time
import urllib.parse
import uuid

import pytest

from emulator import (CLOUD_PLATFORM, IMAGE, PROJECT, ZONE, Emulator, eventually, instance_body,
                      remove, scratch)

BASE = "https://www.googleapis.com/compute/v1"
REGION = "us-central1"


@pytest.fixture(scope="module")
def cloud():
    folder = scratch()
    emulator = Emulator(folder, "--project", PROJECT).start()
    yield emulator
    code = emulator.stop()
    stderr = (emulator.folder / "stderr").read_text()
    remove(folder)
    assert code == 0, stderr


def done(cloud, answer, place=f"zones/{ZONE}"):
    """The operation of a good answer, waited for."""
    assert answer.status == 200, answer.text
    waited = cloud.api("POST", f"{place}/operations/{answer.json['name']}/wait")
    assert waited.status == 200 and waited.json["status"] == "DONE", waited.text
    assert waited.json["selfLink"] == f"{BASE}/projects/{PROJECT}/{place}/operations/{answer.json['name']}"
    return waited.json


def make(cloud, collection, place="global", wait=True, **body):
    answer = cloud.api("POST", f"{place}/{collection}", body)
    if not wait:
        return answer
    operation = done(cloud, answer, place)
    assert operation["operationType"] == "insert" and "error" not in operation
    assert operation["targetLink"].endswith(f"/{place}/{collection}/{body['name']}")
    return cloud.api("GET", f"{place}/{collection}/{body['name']}").json


def gone(cloud, collection, name, place="global"):
    operation = done(cloud, cloud.api("DELETE", f"{place}/{collection}/{name}"), place)
    assert operation["operationType"] == "delete"
    answer = cloud.api("GET", f"{place}/{collection}/{name}")
    assert answer.status == 404
    assert answer.message == (
        f"The resource 'projects/{PROJECT}/{place}/{collection}/{name}' was not found")


def check_common(resource, kind, place, collection):
    assert resource["kind"] == f"compute#{kind}" and resource["id"].isdigit()
    assert resource["selfLink"] == f"{BASE}/projects/{PROJECT}/{place}/{collection}/{resource['name']}"
    assert "T" in resource["creationTimestamp"]


def template_body(name, **properties):
    return {"name": name, "properties": {
        "machineType": "e2-small", "labels": {"from": "template"},
        "disks": [{"boot": True, "autoDelete": True, "initializeParams": {
            "sourceImage": IMAGE, "diskType": "pd-balanced"}}],
        "networkInterfaces": [{"network": "global/networks/default"}],
        "metadata": {"items": [{"key": "k", "value": "v"}]}, **properties}}


# Places and what they have


def test_projects_get(cloud):
    project = cloud.api("GET", f"/compute/v1/projects/{PROJECT}").json
    assert [q["metric"] for q in project["quotas"]] == ["CPUS_ALL_REGIONS"]


def test_regions_get_and_list(cloud):
    region = cloud.api("GET", f"regions/{REGION}").json
    assert region["kind"] == "compute#region" and region["status"] == "UP"
    assert f"{BASE}/projects/{PROJECT}/zones/{ZONE}" in region["zones"]
    assert {"CPUS", "INSTANCES", "DISKS_TOTAL_GB"} <= {q["metric"] for q in region["quotas"]}
    names = [r["name"] for r in cloud.api("GET", "regions").json["items"]]
    assert REGION in names and len(names) == len(set(names)) > 4
    assert cloud.api("GET", "regions/mars-1").status == 404
    answer = cloud.api("GET", "regions/mars-1/subnetworks")
    assert answer.status == 400 and "Unknown region" in answer.message


def test_disk_types_get_and_list(cloud):
    one = cloud.zone("GET", "diskTypes/pd-balanced").json
    assert one["kind"] == "compute#diskType" and one["zone"].endswith(f"/zones/{ZONE}")
    assert one in cloud.zone("GET", "diskTypes").json["items"]
    assert cloud.zone("GET", "diskTypes/pd-fast").status == 404


def test_accelerator_types_get_and_list(cloud):
    one = cloud.zone("GET", "acceleratorTypes/nvidia-tesla-t4").json
    assert one["kind"] == "compute#acceleratorType" and one["maximumCardsPerInstance"] == 4
    assert one in cloud.zone("GET", "acceleratorTypes").json["items"]
    assert cloud.zone("GET", "acceleratorTypes/abacus").status == 404


def test_machine_types_aggregated_list(cloud):
    answer = cloud.api("GET", "aggregated/machineTypes?maxResults=500&filter=" +
                       urllib.parse.quote("name = e2-small")).json
    assert answer["kind"] == "compute#machineTypeAggregatedList"
    types = answer["items"][f"zones/{ZONE}"]["machineTypes"]
    assert [t["name"] for t in types] == ["e2-small"]
    assert answer["items"]["global"]["warning"]["code"] == "NO_RESULTS_ON_PAGE"


@pytest.mark.parametrize("collection", [
    "disks", "diskTypes", "acceleratorTypes", "subnetworks", "addresses", "autoscalers",
    "instanceTemplates", "instanceGroups", "instanceGroupManagers", "securityPolicies",
    "operations", "instances", "resourcePolicies"])
def test_aggregated_list(cloud, collection):
    answer = cloud.api("GET", f"aggregated/{collection}?includeAllScopes=True&maxResults=500"
                       "&returnPartialSuccess=True&")
    assert answer.status == 200
    assert answer.json["kind"].endswith("AggregatedList")
    for scope, part in answer.json["items"].items():
        assert collection in part or part["warning"]["data"][0]["value"] == scope


# Lists


def test_list_pages_do_not_shift_when_items_go(cloud):
    for name in ("page-a", "page-b", "page-c", "page-d"):
        make(cloud, "disks", f"zones/{ZONE}", name=name, sizeGb="10")
    query = "disks?maxResults=2&filter=" + urllib.parse.quote("name:page-")
    first = cloud.zone("GET", query).json
    assert [d["name"] for d in first["items"]] == ["page-a", "page-b"]
    gone(cloud, "disks", "page-a", f"zones/{ZONE}")
    rest = cloud.zone("GET", f"{query}&pageToken={first['nextPageToken']}").json
    assert [d["name"] for d in rest["items"]] == ["page-c", "page-d"]
    assert "nextPageToken" not in rest
    for token in ("x", "AAAA", "!", "a" * 5000):
        assert cloud.zone("GET", f"{query}&pageToken={token}").status == 400


def test_list_order_by(cloud):
    for name in ("order-b", "order-a"):
        make(cloud, "disks", f"zones/{ZONE}", name=name, sizeGb="10")
        time.sleep(0.01)
    where = "disks?filter=" + urllib.parse.quote("name eq order-.*")

    def names(order):
        answer = cloud.zone("GET", f"{where}&orderBy={urllib.parse.quote(order)}")
        return [d["name"] for d in answer.json["items"]]

    assert names("name") == names("") == ["order-a", "order-b"]
    assert names("creationTimestamp desc") == ["order-a", "order-b"]
    make(cloud, "disks", f"zones/{ZONE}", name="order-c", sizeGb="10")
    assert names("creationTimestamp desc") == ["order-c", "order-a", "order-b"]
    assert cloud.zone("GET", "disks?orderBy=size").status == 400
    for wrong in ("-1", "501", "x"):
        assert cloud.zone("GET", f"disks?maxResults={wrong}").status == 400


@pytest.mark.parametrize("text, names", [
    ("name = f-1 OR name = f-2", ["f-1", "f-2"]), ("NOT name = f-1", ["f-2", "f-3"]),
    ("(name = f-1) OR (name = f-2 AND labels.a = 2)", ["f-1", "f-2"]),
    ("(name = f-1 OR name = f-2) AND labels.a = 2", ["f-2"]), ("sizeGb > 10", ["f-2", "f-3"]),
    ("sizeGb <= 20", ["f-1", "f-2"]), ("labels.a:*", ["f-1", "f-2"]), ("NOT labels.a:*", ["f-3"]),
    (r'name eq ".*\bf-1\b.*"', ["f-1"]), (r"name ne 'f-[12]'", ["f-3"]),
    ("(name eq f-1)(labels.a eq 1)", ["f-1"]), ('labels.a = "1"', ["f-1"])])
def test_list_filter(cloud, text, names):
    if cloud.zone("GET", "disks/f-3").status == 404:
        for i, labels in ((1, {"a": "1"}), (2, {"a": "2"}), (3, {})):
            make(cloud, "disks", f"zones/{ZONE}", name=f"f-{i}", sizeGb=str(10 * i), labels=labels)
    text = f"name eq f-. AND ({text})"
    answer = cloud.zone("GET", "disks?filter=" + urllib.parse.quote(text))
    assert [d["name"] for d in answer.json.get("items", [])] == names


# Disks


def test_disks_insert_get_and_list(cloud):
    place = f"zones/{ZONE}"
    disk = make(cloud, "disks", place, name="data", sizeGb="20", description="some bytes",
                type=f"{place}/diskTypes/pd-ssd", labels={"use": "data"})
    check_common(disk, "disk", place, "disks")
    assert (disk["sizeGb"], disk["status"], disk["labels"]) == ("20", "READY", {"use": "data"})
    assert disk["type"] == f"{BASE}/projects/{PROJECT}/{place}/diskTypes/pd-ssd"
    assert disk["zone"] == f"{BASE}/projects/{PROJECT}/{place}" and "users" not in disk
    assert len(base64.b64decode(disk["labelFingerprint"], validate=True)) == 8
    assert disk in cloud.zone("GET", "disks").json["items"]
    assert cloud.zone("GET", f"disks/{disk['id']}").json == disk
    taken = make(cloud, "disks", place, wait=False, name="data")
    assert taken.status == 409 and taken.reason == "alreadyExists"
    made = make(cloud, "disks", place, name="boot-disk", sourceImage=IMAGE)
    assert made["sizeGb"] == "10" and "/debian-cloud/" in made["sourceImage"]
    assert cloud.zone("POST", f"disks?sourceImage={IMAGE}", {"name": "by-query"}).status == 200
    assert make(cloud, "disks", place, name="blank")["sizeGb"] == "500"


@pytest.mark.parametrize("body, message", [
    ({}, "Required field 'resource.name' not specified"), ({"name": "Bad"}, "Must be a match"),
    ({"name": "x", "sizeGb": "70000"}, "between 10 GB"), ({"name": "x", "sizeGb": "-1"}, "between"),
    ({"name": "x", "sourceImage": IMAGE, "sizeGb": "5"}, "smaller than the image size (10 GB)"),
    ({"name": "x", "labels": {"A": "b"}}, "Label keys"), ({"name": "x", "siez": 1}, "Unknown name"),
    ({"name": "x", "type": "a/b/c/d"}, "malformed")])
def test_disks_insert_refuses(cloud, body, message):
    answer = cloud.zone("POST", "disks", body)
    assert answer.status == 400 and message in answer.message
    assert cloud.zone("GET", "disks/x").status == 404


def test_disks_delete_and_what_uses_them(cloud):
    cloud.insert("disk-user")
    disk = cloud.zone("GET", "disks/disk-user").json
    assert disk["users"] == [f"{BASE}/projects/{PROJECT}/zones/{ZONE}/instances/disk-user"]
    refused = cloud.zone("DELETE", "disks/disk-user")
    assert refused.status == 400 and refused.reason == "resourceInUseByAnotherResource"
    done(cloud, cloud.zone("DELETE", "instances/disk-user"))
    assert cloud.zone("GET", "disks/disk-user").status == 404
    # Without autoDelete it stays, and boots the next instance.
    disks = [{"boot": True, "autoDelete": False, "initializeParams": {"sourceImage": IMAGE}}]
    cloud.insert("disk-left", disks=disks)
    done(cloud, cloud.zone("DELETE", "instances/disk-left"))
    left = cloud.zone("GET", "disks/disk-left").json
    assert left["lastDetachTimestamp"] and "users" not in left
    disks = [{"boot": True, "source": f"zones/{ZONE}/disks/disk-left"}]
    cloud.insert("disk-second", disks=disks)
    second = cloud.zone("POST", "instances", instance_body("disk-third", disks=disks))
    assert second.status == 400 and "already being used by" in second.message
    assert cloud.zone("GET", "instances/disk-third").status == 404
    taken = cloud.zone("POST", "instances", instance_body("disk-left"))
    assert taken.status == 409 and "disks/disk-left" in taken.message
    done(cloud, cloud.zone("DELETE", "instances/disk-second"))
    gone(cloud, "disks", "disk-left", f"zones/{ZONE}")


def test_disks_resize(cloud):
    make(cloud, "disks", f"zones/{ZONE}", name="growing", sizeGb="10")
    done(cloud, cloud.zone("POST", "disks/growing/resize", {"sizeGb": "30"}))
    assert cloud.zone("GET", "disks/growing").json["sizeGb"] == "30"
    for size in ("30", "20", "999999"):
        assert cloud.zone("POST", "disks/growing/resize", {"sizeGb": size}).status == 400
    assert cloud.zone("POST", "disks/growing/resize", {}).status == 400


# Images


def test_images_insert_list_and_families(cloud):
    make(cloud, "disks", f"zones/{ZONE}", name="golden", sourceImage=IMAGE, sizeGb="12")
    first = make(cloud, "images", name="app-1", family="app",
                 sourceDisk=f"zones/{ZONE}/disks/golden")
    check_common(first, "image", "global", "images")
    assert first["status"] == "READY" and first["diskSizeGb"] == "12"
    assert {"type": "UEFI_COMPATIBLE"} in first["guestOsFeatures"]
    time.sleep(0.01)
    make(cloud, "images", name="app-2", family="app", sourceImage="global/images/app-1")
    assert cloud.api("GET", "global/images/family/app").json["name"] == "app-2"
    cloud.insert("from-own", disks=[{"boot": True, "autoDelete": True, "initializeParams": {
        "sourceImage": "global/images/family/app"}}])
    assert cloud.zone("GET", "disks/from-own").json["sourceImage"].endswith("/global/images/app-2")
    done(cloud, cloud.api("POST", "global/images/app-2/deprecate", {"state": "DEPRECATED"}),
         "global")
    assert cloud.api("GET", "global/images/family/app").json["name"] == "app-1"
    assert {i["name"] for i in cloud.api("GET", "global/images").json["items"]} == {"app-1", "app-2"}
    gone(cloud, "images", "app-1")
    assert cloud.api("GET", "global/images/family/app").status == 404
    public = "/compute/v1/projects/debian-cloud/global/images"
    assert "items" in cloud.api("GET", public).json
    assert cloud.api("POST", public, {"name": "mine"}).status == 404
    both = {"name": "x", "sourceImage": IMAGE, "sourceDisk": f"zones/{ZONE}/disks/golden"}
    for body in ({"name": "x"}, both, {"name": "x", "sourceDisk": "zones/a/b/c/d"}):
        assert cloud.api("POST", "global/images", body).status == 400
    assert cloud.api("POST", "global/images",
                     {"name": "x", "sourceDisk": f"zones/{ZONE}/disks/no"}).status == 404


# Networks


def test_networks_and_subnetworks(cloud):
    default = cloud.api("GET", "global/networks/default").json
    assert default["kind"] == "compute#network" and default["autoCreateSubnetworks"] is True
    sub = cloud.api("GET", f"regions/{REGION}/subnetworks/default").json
    assert sub["ipCidrRange"] == "10.128.0.0/20" and sub["gatewayAddress"] == "10.128.0.1"
    assert sub["selfLink"] in default["subnetworks"]
    custom = make(cloud, "networks", name="own-net", autoCreateSubnetworks=False)
    check_common(custom, "network", "global", "networks")
    answer = cloud.zone("POST", "instances", instance_body(
        "in-custom", networkInterfaces=[{"network": "global/networks/own-net"}]))
    assert answer.status == 400 and "Subnetwork should be specified" in answer.message
    place = f"regions/{REGION}"
    made = make(cloud, "subnetworks", place, name="own-sub", ipCidrRange="10.5.0.0/24",
                network="global/networks/own-net")
    check_common(made, "subnetwork", place, "subnetworks")
    assert made["gatewayAddress"] == "10.5.0.1" and made["network"] == custom["selfLink"]
    nic = [{"network": "global/networks/own-net", "subnetwork": f"{place}/subnetworks/own-sub"}]
    cloud.insert("in-custom", networkInterfaces=nic)
    shown = cloud.instance("in-custom")["networkInterfaces"][0]
    assert shown["network"] == custom["selfLink"] and shown["subnetwork"] == made["selfLink"]
    for path in ("global/networks/own-net", f"{place}/subnetworks/own-sub"):
        refused = cloud.api("DELETE", path)
        assert refused.status == 400 and "already being used by" in refused.message
    done(cloud, cloud.zone("DELETE", "instances/in-custom"))
    assert "own-sub" in cloud.api("DELETE", "global/networks/own-net").message
    gone(cloud, "subnetworks", "own-sub", place)
    gone(cloud, "networks", "own-net")
    assert [n["name"] for n in cloud.api("GET", "global/networks").json["items"]] == ["default"]
    for wrong in ("10.5.0.1/24", "10.5.0.0", "x/24", "10.5.0.0/31", "10.5.0.0/", None):
        assert cloud.api("POST", f"{place}/subnetworks", {
            "name": "bad", "network": "global/networks/default", "ipCidrRange": wrong}).status == 400


def test_networks_in_auto_mode_have_subnetworks(cloud):
    net = make(cloud, "networks", name="auto-net", autoCreateSubnetworks=True)
    assert len(net["subnetworks"]) == len(cloud.api("GET", "regions").json["items"])
    cloud.insert("in-auto", networkInterfaces=[{"network": "global/networks/auto-net"}])
    assert cloud.instance("in-auto")["networkInterfaces"][0]["subnetwork"].endswith(
        f"/regions/{REGION}/subnetworks/auto-net")
    done(cloud, cloud.zone("DELETE", "instances/in-auto"))
    gone(cloud, "networks", "auto-net")
    assert cloud.api("GET", f"regions/{REGION}/subnetworks/auto-net").status == 404


@pytest.mark.parametrize("nic, status", [
    ({"network": "global/networks/none"}, 404),
    ({"subnetwork": f"regions/{REGION}/subnetworks/none"}, 404),
    ({"subnetwork": "regions/us-east1/subnetworks/default"}, 400),
    ({"network": "a/b/c/d/e/f"}, 400)])
def test_insert_refuses_networks_that_are_not_there(cloud, nic, status):
    answer = cloud.zone("POST", "instances", instance_body("x", networkInterfaces=[nic]))
    assert answer.status == status, answer.text


# Instance templates


def test_instance_templates(cloud):
    made = make(cloud, "instanceTemplates", **template_body("shape"))
    check_common(made, "instanceTemplate", "global", "instanceTemplates")
    assert made["properties"] == template_body("shape")["properties"]
    assert made in cloud.api("GET", "global/instanceTemplates").json["items"]
    query = f"?sourceInstanceTemplate=projects/{PROJECT}/global/instanceTemplates/shape"
    answer = cloud.zone("POST", "instances" + query, {"name": "shaped", "labels": {"own": "yes"}})
    done(cloud, answer)
    vm = cloud.instance("shaped")
    assert vm["labels"] == {"own": "yes"} and vm["machineType"].endswith(f"{ZONE}/machineTypes/e2-small")
    assert vm["metadata"]["items"] == [{"key": "k", "value": "v"}]
    assert cloud.zone("GET", "disks/shaped").json["type"].endswith("/diskTypes/pd-balanced")
    assert cloud.zone("POST", "instances?sourceInstanceTemplate=global/instanceTemplates/none",
                      {"name": "y"}).status == 404
    gone(cloud, "instanceTemplates", "shape")
    place = f"regions/{REGION}"
    regional = make(cloud, "instanceTemplates", place, **template_body("near"))
    assert regional["region"].endswith(REGION)
    gone(cloud, "instanceTemplates", "near", place)


@pytest.mark.parametrize("change, message", [
    ({"machineType": "zones/a/machineTypes/e2-small"}, "without a zone"),
    ({"machineType": "e2-huge"}, "without a zone"), ({"machineType": None}, "Required field"),
    ({"disks": []}, "boot disk"), ({"networkInterfaces": None}, "network interface"),
    ({"colour": "red"}, "Unknown name")])
def test_instance_templates_insert_refuses(cloud, change, message):
    answer = cloud.api("POST", "global/instanceTemplates", template_body("bad", **change))
    assert answer.status == 400 and message in answer.message


# Instances


def test_instances_suspend_and_resume(cloud):
    cloud.insert("sleepy")
    assert cloud.zone("POST", "instances/sleepy/resume").status == 400
    done(cloud, cloud.zone("POST", "instances/sleepy/suspend"))
    vm = cloud.instance("sleepy")
    assert vm["status"] == "SUSPENDED" and vm["lastSuspendedTimestamp"]
    assert cloud.zone("POST", "instances/sleepy/start").status == 400
    done(cloud, cloud.zone("POST", "instances/sleepy/resume"))
    assert cloud.instance("sleepy")["status"] == "RUNNING"


def test_instances_set_machine_type(cloud):
    cloud.insert("resized")
    body = {"machineType": f"zones/{ZONE}/machineTypes/n2-custom-4-8192"}
    running = cloud.zone("POST", "instances/resized/setMachineType", body)
    assert running.status == 400 and "stop it" in running.message
    done(cloud, cloud.zone("POST", "instances/resized/stop"))
    done(cloud, cloud.zone("POST", "instances/resized/setMachineType", body))
    assert cloud.instance("resized")["machineType"].endswith("/n2-custom-4-8192")
    bad = {"machineType": f"zones/{ZONE}/machineTypes/n2-custom-3-8192"}
    assert "CPUs 3" in cloud.zone("POST", "instances/resized/setMachineType", bad).message


def test_instances_set_deletion_protection(cloud):
    cloud.insert("guarded")
    path = "instances/guarded/setDeletionProtection"
    done(cloud, cloud.zone("POST", path))
    assert cloud.zone("DELETE", "instances/guarded").status == 400
    assert cloud.zone("POST", path + "?deletionProtection=maybe").status == 400
    done(cloud, cloud.zone("POST", path + "?deletionProtection=false"))
    done(cloud, cloud.zone("DELETE", "instances/guarded"))


def disk_names(cloud, name):
    return [d["source"].rpartition("/")[2] for d in cloud.instance(name)["disks"]]


def test_instances_attach_disk_and_detach_disk(cloud):
    cloud.insert("holder")
    make(cloud, "disks", f"zones/{ZONE}", name="extra", sizeGb="10")
    path = "instances/holder/"
    body = {"source": f"zones/{ZONE}/disks/extra", "deviceName": "data"}
    done(cloud, cloud.zone("POST", path + "attachDisk", body))
    assert disk_names(cloud, "holder") == ["holder", "extra"]
    assert cloud.instance("holder")["disks"][1]["deviceName"] == "data"
    assert len(cloud.zone("GET", "disks/extra").json["users"]) == 1
    assert cloud.zone("DELETE", "disks/extra").status == 400
    for wrong in (body, {}, {"source": "zones/a/b/c/d"}, {"initializeParams": {}, **body}):
        assert cloud.zone("POST", path + "attachDisk", wrong).status == 400
    assert cloud.zone("POST", path + "attachDisk",
                      {"source": f"zones/{ZONE}/disks/none"}).status == 404
    assert cloud.zone("POST", path + "detachDisk?deviceName=no").status == 400
    assert cloud.zone("POST", path + "detachDisk?deviceName=persistent-disk-0").status == 400
    done(cloud, cloud.zone("POST", path + "detachDisk?deviceName=data"))
    assert disk_names(cloud, "holder") == ["holder"]
    gone(cloud, "disks", "extra", f"zones/{ZONE}")


def test_instances_set_disk_auto_delete(cloud):
    cloud.insert("keeper")
    path = "instances/keeper/setDiskAutoDelete?deviceName=persistent-disk-0"
    for wrong in ("", "&autoDelete=maybe"):
        assert cloud.zone("POST", path + wrong).status == 400
    done(cloud, cloud.zone("POST", path + "&autoDelete=false"))
    done(cloud, cloud.zone("DELETE", "instances/keeper"))
    gone(cloud, "disks", "keeper", f"zones/{ZONE}")


def test_instances_set_scheduling(cloud):
    cloud.insert("scheduled")
    path = "instances/scheduled/setScheduling"
    done(cloud, cloud.zone("POST", path, {"automaticRestart": False}))
    now = cloud.instance("scheduled")["scheduling"]
    assert now["automaticRestart"] is False and now["onHostMaintenance"] == "MIGRATE"
    assert cloud.zone("POST", path, {"preemptible": True, "onHostMaintenance": "MIGRATE"}).status == 400


def test_instances_set_service_account(cloud):
    cloud.insert("served")
    path = "instances/served/setServiceAccount"
    body = {"email": "default", "scopes": [CLOUD_PLATFORM]}
    assert "stop it" in cloud.zone("POST", path, body).message
    done(cloud, cloud.zone("POST", "instances/served/stop"))
    done(cloud, cloud.zone("POST", path, body))
    assert cloud.instance("served")["serviceAccounts"][0]["scopes"] == [CLOUD_PLATFORM]
    nobody = {"email": "who@other.iam.gserviceaccount.com", "scopes": []}
    assert cloud.zone("POST", path, nobody).status == 400
    done(cloud, cloud.zone("POST", path, {}))
    assert "serviceAccounts" not in cloud.instance("served")


def test_instances_bulk_insert(cloud):
    body = {"count": "3", "namePattern": "bulk-##",
            "instanceProperties": template_body("x")["properties"]}
    request_id = str(uuid.uuid4())
    path = f"instances/bulkInsert?requestId={request_id}"
    answer = cloud.zone("POST", path, body)
    operation = done(cloud, answer)
    assert operation["operationType"] == "bulkInsert" and operation["operationGroupId"].isdigit()
    for i in (1, 2, 3):
        assert cloud.instance(f"bulk-0{i}")["status"] == "RUNNING"
    group = [o for o in cloud.zone("GET", "operations?filter=" + urllib.parse.quote(
        f"operationGroupId = {operation['operationGroupId']}")).json["items"]]
    assert sorted(o["operationType"] for o in group) == ["bulkInsert"] + 3 * ["insert"]
    assert cloud.zone("POST", path, body).json["name"] == operation["name"]
    # All or nothing, but for minCount.
    taken = cloud.zone("POST", "instances/bulkInsert", dict(body, count="4"))
    assert taken.status == 409 and cloud.instance("bulk-04") is None
    done(cloud, cloud.zone("POST", "instances/bulkInsert", dict(body, count="4", minCount="1")))
    assert cloud.instance("bulk-04")
    names = dict(body, perInstanceProperties={"one-a": {}, "two-b": {"name": "two-c"}})
    del names["namePattern"], names["count"]
    done(cloud, cloud.zone("POST", "instances/bulkInsert", names))
    assert cloud.instance("one-a") and cloud.instance("two-c") and not cloud.instance("two-b")


def test_region_instances_bulk_insert(cloud):
    make(cloud, "instanceTemplates", **template_body("bulky"))
    body = {"count": 4, "namePattern": "spread-#", "locationPolicy": {"locations": {
        f"zones/{ZONE}": {"preference": "ALLOW"}, f"zones/{REGION}-b": {"preference": "ALLOW"}}},
        "sourceInstanceTemplate": "global/instanceTemplates/bulky"}
    done(cloud, cloud.api("POST", f"regions/{REGION}/instances/bulkInsert", body),
         f"regions/{REGION}")
    zones = [i["zone"].rpartition("/")[2] for part in cloud.api(
        "GET", "aggregated/instances?filter=name:spread-").json["items"].values()
        for i in part.get("instances", [])]
    assert sorted(zones) == [ZONE, ZONE, f"{REGION}-b", f"{REGION}-b"]
    body["locationPolicy"]["locations"] = {f"zones/{z}": {"preference": "DENY"} for z in
                                           (ZONE, f"{REGION}-b", f"{REGION}-c", f"{REGION}-f")}
    assert cloud.api("POST", f"regions/{REGION}/instances/bulkInsert", body).status == 400


@pytest.mark.parametrize("change", [
    {"count": "0"}, {"count": "5000"}, {"namePattern": "none"}, {"namePattern": "a#b#"},
    {"minCount": "9"}, {"instanceProperties": None}, {"perInstanceProperties": {"a": {}}},
    {"namePattern": "a-" + "#" * 70}])
def test_bulk_insert_refuses(cloud, change):
    body = {"count": "2", "namePattern": "no-#", "instanceProperties": template_body("x")["properties"],
            **change}
    assert cloud.zone("POST", "instances/bulkInsert", body).status == 400
    assert cloud.instance("no-1") is None


# Operations


def test_operations_of_all_scopes(cloud):
    for place, collection, body in (
            ("global", "networks", {"autoCreateSubnetworks": False}),
            (f"regions/{REGION}", "instanceTemplates", template_body("x")),
            (f"zones/{ZONE}", "disks", {})):
        body = dict(body, name=f"op-{collection.lower()}")
        operation = done(cloud, cloud.api("POST", f"{place}/{collection}", body), place)
        assert ("zone" in operation, "region" in operation) == (
            place.startswith("zones/"), place.startswith("regions/"))
        path = f"{place}/operations/{operation['name']}"
        assert cloud.api("GET", path).json == operation
        assert operation in cloud.api("GET", f"{place}/operations").json["items"]
        assert cloud.api("DELETE", path).status == 204
        assert cloud.api("GET", path).status == 404
        assert cloud.api("DELETE", path).status == 404


def test_operations_delete_wants_them_done():
    folder = scratch()
    own = Emulator(folder, "--project", PROJECT, "--operation-delay", "60000").start()
    try:
        operation = own.insert("slow", wait=False)
        answer = own.zone("DELETE", f"operations/{operation['name']}")
        assert answer.status == 400 and "not done" in answer.message
        # A delete that is not over has deleted nothing yet.
        own.api("POST", "global/networks", {"name": "n", "autoCreateSubnetworks": False})
        own.api("DELETE", "global/networks/n")
        assert own.api("GET", "global/networks/n").status == 200
    finally:
        own.stop()
        remove(folder)


@pytest.mark.parametrize("method, path, body", [
    ("POST", f"zones/{ZONE}/disks", {"name": "once-disk"}),
    ("POST", "global/networks", {"name": "once-net"}),
    ("POST", "global/securityPolicies", {"name": "once-policy"}),
    ("POST", "global/instanceTemplates", template_body("once-template")),
    ("DELETE", "global/networks/once-net", None)])
def test_request_id_of_every_write(cloud, method, path, body):
    request_id = str(uuid.uuid4())
    first = cloud.api(method, f"{path}?requestId={request_id}", body)
    again = cloud.api(method, f"{path}?requestId={request_id}", body)
    assert first.status == again.status == 200, again.text
    assert first.json["name"] == again.json["name"]
    assert first.json["clientOperationId"] == request_id
    done(cloud, first, path.rpartition("/networks")[0] if method == "DELETE"
         else path.rpartition("/")[0])
    zero = cloud.api(method, f"{path}?requestId=00000000-0000-0000-0000-000000000000", body)
    assert zero.status == 400 and "requestId" in zero.message


# Security policies


def rule(priority, **members):
    return {"priority": priority, "action": "deny(403)", "match": {
        "versionedExpr": "SRC_IPS_V1", "config": {"srcIpRanges": ["192.0.2.0/24"]}}, **members}


def rules_of(cloud, name):
    return {r["priority"]: r for r in cloud.api("GET", f"global/securityPolicies/{name}").json["rules"]}


def test_security_policies(cloud):
    policy = make(cloud, "securityPolicies", name="armor", description="d", rules=[rule(10)])
    check_common(policy, "securityPolicy", "global", "securityPolicies")
    assert [r["priority"] for r in policy["rules"]] == [10, 2147483647]
    assert policy["rules"][1]["action"] == "allow" and policy["type"] == "CLOUD_ARMOR"
    assert len(base64.b64decode(policy["fingerprint"], validate=True)) == 8
    path = "global/securityPolicies/armor"
    patched = cloud.api("PATCH", path, {"description": "e", "fingerprint": policy["fingerprint"]})
    assert done(cloud, patched, "global")["operationType"] == "patch"
    stale = cloud.api("PATCH", path, {"description": "f", "fingerprint": policy["fingerprint"]})
    assert stale.status == 412 and stale.reason == "conditionNotMet"
    assert cloud.api("GET", path).json["description"] == "e"
    gone(cloud, "securityPolicies", "armor")


def test_security_policies_add_get_and_remove_rule(cloud):
    make(cloud, "securityPolicies", name="rules")
    path = "global/securityPolicies/rules"
    before = cloud.api("GET", path).json["fingerprint"]
    operation = done(cloud, cloud.api("POST", f"{path}/addRule", rule(1000)), "global")
    assert operation["targetLink"].endswith(path)
    assert cloud.api("GET", path).json["fingerprint"] != before
    one = cloud.api("GET", f"{path}/getRule?priority=1000").json
    assert one == {**rule(1000), "kind": "compute#securityPolicyRule", "preview": False}
    assert cloud.api("GET", f"{path}/getRule").json["priority"] == 2147483647
    assert cloud.api("GET", f"{path}/getRule?priority=7").status == 400
    assert "same priorities" in cloud.api("POST", f"{path}/addRule", rule(1000)).message
    done(cloud, cloud.api("POST", f"{path}/removeRule?priority=1000"), "global")
    assert set(rules_of(cloud, "rules")) == {2147483647}
    assert cloud.api("POST", f"{path}/removeRule?priority=1000").status == 400
    assert cloud.api("POST", f"{path}/removeRule?priority=2147483647").status == 400
    done(cloud, cloud.api("POST", f"{path}/addRule?validateOnly=true", rule(5)), "global")
    assert 5 not in rules_of(cloud, "rules")


def test_security_policies_patch_rule(cloud):
    make(cloud, "securityPolicies", name="patched", rules=[rule(10, description="old"), rule(20)])
    path = "global/securityPolicies/patched/patchRule"
    operation = done(cloud, cloud.api("POST", f"{path}?priority=10", {
        "priority": 10, "action": "deny(404)"}), "global")
    assert operation["operationType"] == "PatchRule"
    assert rules_of(cloud, "patched")[10]["action"] == "deny(404)"
    assert rules_of(cloud, "patched")[10]["description"] == "old"
    # Another kind of match replaces the one that was there.
    done(cloud, cloud.api("POST", f"{path}?priority=10", {
        "match": {"expr": {"expression": "origin.region_code == 'AU'"}}}), "global")
    assert rules_of(cloud, "patched")[10]["match"] == {
        "expr": {"expression": "origin.region_code == 'AU'"}}
    limits = {"conformAction": "allow", "exceedAction": "deny(429)",
              "rateLimitThreshold": {"count": 10, "intervalSec": 60}}
    done(cloud, cloud.api("POST", f"{path}?priority=20", {
        "action": "throttle", "rateLimitOptions": limits}), "global")
    mask = urllib.parse.quote("redirect_options,rate_limit_options", safe="")
    done(cloud, cloud.api("POST", f"{path}?priority=20&updateMask={mask}", {"action": "allow"}),
         "global")
    assert "rateLimitOptions" not in rules_of(cloud, "patched")[20]
    # Without a priority the default rule is meant.
    done(cloud, cloud.api("POST", path, {"action": "deny(502)"}), "global")
    assert rules_of(cloud, "patched")[2147483647]["action"] == "deny(502)"
    before = cloud.api("GET", "global/securityPolicies/patched").json
    for query, body in (("priority=11", {"action": "allow"}), ("priority=10", {"action": "maybe"}),
                        ("priority=-1", {}), ("priority=10", {"priority": 20}),
                        ("priority=x", {}), ("priority=10", {"match": {"config": {
                            "srcIpRanges": ["300.0.0.0/8"]}, "versionedExpr": "SRC_IPS_V1"}}),
                        ("", {"priority": 5}), ("priority=20", {"action": "throttle"})):
        assert cloud.api("POST", f"{path}?{query}", body).status == 400, (query, body)
    assert cloud.api("GET", "global/securityPolicies/patched").json == before


@pytest.mark.parametrize("wrong", [
    {"priority": None}, {"priority": -1}, {"action": None}, {"action": "deny(418)"},
    {"match": None}, {"match": {"config": {"srcIpRanges": ["*"]}}},
    {"match": {"versionedExpr": "SRC_IPS_V1", "config": {"srcIpRanges": ["10.0.0.0/33"]}}},
    {"match": {"versionedExpr": "SRC_IPS_V1", "config": {"srcIpRanges": ["1.1.1.1"] * 11}}},
    {"match": {"expr": {"expression": "a" * 3000}}}, {"rateLimitOptions": {}}, {"colour": 1}])
def test_security_policies_refuse_rules(cloud, wrong):
    body = {"name": "bad-rules", "rules": [{**rule(1), **wrong}]}
    assert cloud.api("POST", "global/securityPolicies", body).status == 400
    assert cloud.api("GET", "global/securityPolicies/bad-rules").status == 404


# Rights


@pytest.mark.parametrize("method, path, body, permission, resource", [
    ("POST", f"zones/{ZONE}/disks", {"name": "d"}, "compute.disks.create", f"zones/{ZONE}/disks/d"),
    ("POST", "global/networks", {"name": "n"}, "compute.networks.create", "global/networks/n"),
    ("GET", f"zones/{ZONE}/instanceGroupManagers", None, "compute.instanceGroupManagers.list", ""),
    ("POST", f"zones/{ZONE}/instances/bulkInsert", {}, "compute.instances.create", ""),
    ("POST", "global/securityPolicies/p/patchRule?priority=1", {},
     "compute.securityPolicies.update", "global/securityPolicies/p"),
    ("POST", f"zones/{ZONE}/instanceGroupManagers/m/resize?size=1", None,
     "compute.instanceGroupManagers.update", f"zones/{ZONE}/instanceGroupManagers/m")])
def test_missing_permissions_are_named(method, path, body, permission, resource):
    folder = scratch()
    own = Emulator(folder, "--project", PROJECT, "--service-account", "nobody").start()
    try:
        answer = own.api(method, path, body)
        assert answer.status == 403 and answer.reason == "forbidden"
        assert answer.message.startswith(
            f"Required '{permission}' permission for 'projects/{PROJECT}{resource and '/'}{resource}")
    finally:
        own.stop()
        remove(folder)


@pytest.mark.parametrize("role, path, allowed", [
    ("roles/compute.securityAdmin", "global/securityPolicies", True),
    ("roles/compute.networkAdmin", "global/networks", True),
    ("roles/compute.networkAdmin", "global/securityPolicies", False),
    ("roles/compute.storageAdmin", f"zones/{ZONE}/disks", True),
    ("roles/compute.viewer", f"zones/{ZONE}/disks", False),
    ("roles/compute.instanceAdmin.v1", "global/networks", False),
    ("roles/compute.instanceAdmin.v1", "global/instanceTemplates", True)])
def test_roles(role, path, allowed):
    folder = scratch()
    own = Emulator(folder, "--project", PROJECT, "--service-account", "a1", "--grant",
                   f"a1={role}").start()
    try:
        body = template_body("r") if "Templates" in path else {"name": "r"}
        answer = own.api("POST", path, body)
        assert (answer.status == 200) == allowed, answer.text
        assert own.api("GET", path).status == 200
    finally:
        own.stop()
        remove(folder)


def test_waiting_is_a_read(cloud):
    token = cloud.token("https://www.googleapis.com/auth/compute.readonly")
    operation = cloud.insert("watched", wait=False)
    assert eventually(lambda: cloud.zone("POST", f"operations/{operation['name']}/wait",
                                         token=token).json["status"] == "DONE")
    assert cloud.zone("POST", "disks", {"name": "x"}, token=token).status == 403
    assert CLOUD_PLATFORM


def test_fingerprints_in_the_other_alphabet_of_base64(cloud):
    """gcloud sends them back with - and _ for + and /."""
    cloud.insert("alphabet")

    def labels(fingerprint, i):
        return cloud.zone("POST", "instances/alphabet/setLabels",
                          {"labels": {"n": str(i)}, "labelFingerprint": fingerprint})

    for i in range(200):
        now = cloud.instance("alphabet")["labelFingerprint"]
        other = now.replace("+", "-").replace("/", "_")
        if other != now:
            assert labels(other[:-2] + "A=", i).status == 412
            assert labels(other, i).status == 200
            return
        assert labels(now, i).status == 200
    raise AssertionError("no fingerprint had + or /")


# Batches


def batch(cloud, *calls, boundary="=====x==", newline="\n", token=True, content_type=None):
    """Several calls in one request, as gcloud and Google's libraries send them."""
    parts = []
    for i, (method, path, body) in enumerate(calls):
        text = json.dumps(body) if body is not None else ""
        parts.append(newline.join([
            f"--{boundary}", "Content-Type: application/http", "Content-Transfer-Encoding: binary",
            f"Content-ID: <abc+{i}>", "", f"{method} {path} HTTP/1.1",
            "Content-Type: application/json", f"content-length: {len(text)}", "", text]))
    whole = newline.join(parts) + f"{newline}--{boundary}--"
    kind = content_type or f'multipart/mixed; boundary="{boundary}"'
    return cloud.api("POST", "/batch/compute/v1", whole.encode(), token=token,
                     headers={"Content-Type": kind})


def parts_of(answer):
    """[(content id, status, JSON)], read by Python's own parser of MIME."""
    assert answer.status == 200, answer.text
    head = f"Content-Type: {answer.headers['Content-Type']}\r\n\r\n".encode()
    found = []
    for part in email.message_from_bytes(head + answer.body).get_payload():
        assert part.get_content_type() == "application/http"
        status, _, rest = part.get_payload().partition("\n")
        body = email.message_from_string(rest).get_payload()
        found.append((part["Content-ID"], int(status.split()[1]), json.loads(body)))
    return found


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_batch(cloud, newline):
    path = f"/compute/v1/projects/{PROJECT}/zones/{ZONE}/"
    name = f"batch-{len(newline)}"
    answers = parts_of(batch(
        cloud, ("POST", path + "instances?alt=json", instance_body(name)),
        ("GET", path + "instances/none", None), ("GET", path + "instances?filter=name%20%3D%20none",
                                                 None),
        ("POST", path + "instances", instance_body("Bad")), ("PUT", path + "disks", {}),
        ("GET", "/token", None), newline=newline))
    assert [a[0] for a in answers] == [f"<response-abc+{i}>" for i in range(6)]
    assert [a[1] for a in answers] == [200, 404, 200, 400, 405, 404]
    assert answers[0][2]["operationType"] == "insert"
    cloud.wait(answers[0][2])
    assert cloud.instance(name)["status"] == "RUNNING"
    waited = parts_of(batch(cloud, ("POST", path + f"operations/{answers[0][2]['name']}/wait", None)))
    assert waited[0][2]["status"] == "DONE"


def test_batch_refuses(cloud):
    path = f"/compute/v1/projects/{PROJECT}/zones"
    assert [a[1] for a in parts_of(batch(cloud, ("GET", path, None), token="wrong"))] == [401]
    for kind in ("application/json", "multipart/mixed", "multipart/mixed; boundary=other",
                 "multipart/mixed; boundary=" + "b" * 71, "multipart/mixed; boundary=\"\""):
        assert batch(cloud, ("GET", path, None), content_type=kind).status == 400, kind
    kind = {"Content-Type": "multipart/mixed; boundary=b"}
    for body in (b"", b"--b", b"--b--", b"--b\n--b--", b"--b\n\nGET\n\n--b--", b"--b\n\n\x00\n--b--",
                 b"--b\n\nGET /%zz HTTP/1.1\n\n\n--b--", b"--b\nContent-ID: <x>"):
        answer = cloud.api("POST", "/batch/compute/v1", body, headers=kind)
        assert answer.status == 400 or [a[1] for a in parts_of(answer)] == [400], body
    many = [("GET", path + "/none", None)] * 1001
    assert batch(cloud, *many).status == 400


def test_links_of_clients_become_googles(cloud):
    origin = f"http://127.0.0.1:{cloud.api_port}/compute/v1/projects/{PROJECT}"
    disk = make(cloud, "disks", f"zones/{ZONE}", name="linked", sizeGb="10")
    image = make(cloud, "images", name="linked", sourceDisk=f"{origin}/zones/{ZONE}/disks/linked",
                 description="http://example.org/")
    assert image["sourceDisk"] == disk["selfLink"] and image["description"] == "http://example.org/"


def test_batch_of_junk(cloud):
    """Whatever is broken in a batch, it is answered, and the emulator lives."""
    path = f"/compute/v1/projects/{PROJECT}/zones"
    good = (f"--b\r\nContent-ID: <a+0>\r\n\r\nGET {path}?filter=(name%20=%20x) HTTP/1.1\r\n\r\n\r\n"
            f"--b\nContent-ID: <a+1>\n\nPOST {path}/{ZONE}/disks HTTP/1.1\n\n{{}}\n--b--").encode()
    seed = random.randrange(10**9)
    print("seed", seed)
    dice = random.Random(seed)
    for _ in range(300):
        body = bytearray(good)
        for _ in range(dice.randint(1, 6)):
            at = dice.randrange(len(body))
            if dice.random() < 0.4:
                body[at] = dice.randrange(256)
            elif dice.random() < 0.5:
                del body[at:at + dice.randint(1, 20)]
            else:
                body[at:at] = dice.choice([b"--b", b"\n", b"\r\n\r\n", b"\0", b"--b--", b"%00"])
        answer = cloud.api("POST", "/batch/compute/v1", bytes(body),
                           headers={"Content-Type": "multipart/mixed; boundary=b"})
        assert answer.status in (200, 400), body
    assert cloud.api("GET", "zones").status == 200

# SPDX-License-Identifier: Apache-2.0
"""gce-emulator's managed instance groups, which keep their size whatever is done to them."""
import json
import os
import shutil
import signal
import subprocess
import uuid

import pytest

from emulator import IMAGE, PROJECT, ZONE, Emulator, eventually, remove, scratch

REGION = "us-central1"
MIGS = "instanceGroupManagers"


@pytest.fixture(scope="module")
def cloud():
    folder = scratch()
    emulator = Emulator(folder, "--project", PROJECT).start()
    make_template(emulator)
    yield emulator
    code = emulator.stop()
    stderr = (emulator.folder / "stderr").read_text()
    remove(folder)
    assert code == 0, stderr


def make_template(cloud, name="web", **properties):
    answer = cloud.api("POST", "global/instanceTemplates", {"name": name, "properties": {
        "machineType": "e2-small", "disks": [{"boot": True, "autoDelete": True, "initializeParams": {
            "sourceImage": IMAGE}}], "networkInterfaces": [{}], **properties}})
    assert answer.status == 200, answer.text
    cloud.api("POST", f"global/operations/{answer.json['name']}/wait")


def wait(cloud, answer, place=f"zones/{ZONE}"):
    assert answer.status == 200, answer.text
    done = cloud.api("POST", f"{place}/operations/{answer.json['name']}/wait").json
    assert done["status"] == "DONE" and "error" not in done, done
    return done


def make_group(cloud, name, size, place=f"zones/{ZONE}", **more):
    wait(cloud, cloud.api("POST", f"{place}/{MIGS}", {
        "name": name, "instanceTemplate": "global/instanceTemplates/web", "targetSize": size,
        **more}), place)


def group(cloud, name, place=f"zones/{ZONE}"):
    answer = cloud.api("GET", f"{place}/{MIGS}/{name}")
    return answer.json if answer.status == 200 else None


def members(cloud, name, place=f"zones/{ZONE}"):
    answer = cloud.api("POST", f"{place}/{MIGS}/{name}/listManagedInstances")
    assert answer.status == 200, answer.text
    return answer.json.get("managedInstances", [])


def stable(cloud, name, size, place=f"zones/{ZONE}"):
    """The names of the members once there are so many and all of them run."""
    def look():
        now = members(cloud, name, place)
        rests = group(cloud, name, place)["status"]["isStable"]
        good = len(now) == size and rests and all(m["instanceStatus"] == "RUNNING" for m in now)
        return [sorted(m["name"] for m in now)] if good else None
    found = eventually(look)
    assert found, members(cloud, name, place)
    return found[0]


def test_instance_group_managers_insert_get_and_list(cloud):
    make_group(cloud, "first", 2, baseInstanceName="web")
    names = stable(cloud, "first", 2)
    shown = group(cloud, "first")
    assert shown["kind"] == "compute#instanceGroupManager" and shown["targetSize"] == 2
    assert shown["baseInstanceName"] == "web" and shown["currentActions"]["none"] == 2
    assert shown["instanceTemplate"].endswith("/global/instanceTemplates/web")
    assert shown["instanceGroup"].endswith(f"/zones/{ZONE}/instanceGroups/first")
    assert shown in cloud.zone("GET", MIGS).json["items"]
    scopes = cloud.api("GET", f"aggregated/{MIGS}").json["items"]
    assert shown in scopes[f"zones/{ZONE}"][MIGS]
    for name in names:
        vm = cloud.instance(name)
        items = {i["key"]: i["value"] for i in vm["metadata"]["items"]}
        assert name.startswith("web-") and len(name) == 8
        assert items["created-by"].endswith(f"/zones/{ZONE}/{MIGS}/first")
        assert items["instance-template"].endswith("/global/instanceTemplates/web")
    used = cloud.api("DELETE", "global/instanceTemplates/web")
    assert used.status == 400 and f"{MIGS}/first" in used.message


def test_instance_group_managers_resize(cloud):
    make_group(cloud, "sized", 1)
    request_id = str(uuid.uuid4())
    path = f"{MIGS}/sized/resize?size=4&requestId={request_id}"
    operation = wait(cloud, cloud.zone("POST", path))
    assert operation["operationType"] == "compute.instanceGroupManagers.resize"
    before = stable(cloud, "sized", 4)
    wait(cloud, cloud.zone("POST", f"{MIGS}/sized/resize?size=1"))
    after = stable(cloud, "sized", 1)
    assert set(after) < set(before)
    assert eventually(lambda: [n for n in before if cloud.instance(n)] == after)
    replay = cloud.zone("POST", path)
    assert replay.json["name"] == operation["name"] and group(cloud, "sized")["targetSize"] == 1
    wait(cloud, cloud.zone("POST", f"{MIGS}/sized/resize?size=0"))
    assert stable(cloud, "sized", 0) == []
    assert eventually(lambda: not cloud.instance(after[0]))
    missing = cloud.zone("POST", f"{MIGS}/sized/resize")
    assert missing.status == 400 and missing.reason == "required"
    for size in ("-1", "x", "2001", "1.5"):
        assert cloud.zone("POST", f"{MIGS}/sized/resize?size={size}").status == 400
    assert cloud.zone("POST", f"{MIGS}/none/resize?size=1").status == 404


def test_a_member_that_is_deleted_comes_back(cloud):
    make_group(cloud, "whole", 3)
    names = stable(cloud, "whole", 3)
    ids = {m["name"]: m["id"] for m in members(cloud, "whole")}
    wait(cloud, cloud.zone("DELETE", f"instances/{names[0]}"))
    assert eventually(lambda: (cloud.instance(names[0]) or {}).get("id") not in (None, ids[names[0]]))
    assert stable(cloud, "whole", 3) == names


def test_a_member_that_is_stopped_is_started(cloud):
    make_group(cloud, "awake", 1)
    name = stable(cloud, "awake", 1)[0]
    wait(cloud, cloud.zone("POST", f"instances/{name}/stop"))
    assert stable(cloud, "awake", 1) == [name]


def test_instance_group_managers_delete(cloud):
    make_group(cloud, "brief", 2)
    names = stable(cloud, "brief", 2)
    wait(cloud, cloud.zone("DELETE", f"{MIGS}/brief"))
    assert group(cloud, "brief") is None and not any(cloud.instance(n) for n in names)
    assert cloud.zone("GET", "instanceGroups/brief").status == 404
    assert cloud.zone("DELETE", f"{MIGS}/brief").status == 404


def test_instance_groups_get_list_and_list_instances(cloud):
    make_group(cloud, "seen", 2)
    names = stable(cloud, "seen", 2)
    shown = cloud.zone("GET", "instanceGroups/seen").json
    assert shown["kind"] == "compute#instanceGroup" and shown["size"] == 2
    assert shown in cloud.zone("GET", "instanceGroups").json["items"]
    listed = cloud.zone("POST", "instanceGroups/seen/listInstances", {"instanceState": "ALL"}).json
    assert [i["instance"].rpartition("/")[2] for i in listed["items"]] == names
    assert {i["status"] for i in listed["items"]} == {"RUNNING"}


def test_instance_group_managers_create_instances(cloud):
    make_group(cloud, "named", 0)
    body = {"instances": [{"name": "alpha-1"}, {"name": "beta-2"}]}
    wait(cloud, cloud.zone("POST", f"{MIGS}/named/createInstances", body))
    assert stable(cloud, "named", 2) == ["alpha-1", "beta-2"]
    assert group(cloud, "named")["targetSize"] == 2
    assert cloud.zone("POST", f"{MIGS}/named/createInstances", body).status == 400
    assert cloud.zone("POST", f"{MIGS}/named/createInstances",
                      {"instances": [{"name": "Bad"}]}).status == 400


def test_instance_group_managers_delete_instances(cloud):
    make_group(cloud, "fewer", 3)
    names = stable(cloud, "fewer", 3)
    link = f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/zones/{ZONE}/instances/"
    wait(cloud, cloud.zone("POST", f"{MIGS}/fewer/deleteInstances", {"instances": [link + names[1]]}))
    assert stable(cloud, "fewer", 2) == [names[0], names[2]]
    assert eventually(lambda: cloud.instance(names[1]) is None)
    other = {"instances": [f"zones/{ZONE}/instances/nobody"]}
    assert cloud.zone("POST", f"{MIGS}/fewer/deleteInstances", other).status == 400
    wait(cloud, cloud.zone("POST", f"{MIGS}/fewer/deleteInstances",
                           dict(other, skipInstancesOnValidationError=True)))
    assert stable(cloud, "fewer", 2)


def test_instance_group_managers_recreate_instances(cloud):
    make_group(cloud, "anew", 2)
    names = stable(cloud, "anew", 2)
    ids = {m["name"]: m["id"] for m in members(cloud, "anew")}
    wait(cloud, cloud.zone("POST", f"{MIGS}/anew/recreateInstances",
                           {"instances": [f"zones/{ZONE}/instances/{names[0]}"]}))
    assert eventually(lambda: (cloud.instance(names[0]) or {}).get("id") not in (None, ids[names[0]]))
    assert stable(cloud, "anew", 2) == names
    assert cloud.instance(names[1])["id"] == ids[names[1]]


def test_instance_group_managers_abandon_instances(cloud):
    make_group(cloud, "loose", 2)
    names = stable(cloud, "loose", 2)
    wait(cloud, cloud.zone("POST", f"{MIGS}/loose/abandonInstances",
                           {"instances": [f"zones/{ZONE}/instances/{names[0]}"]}))
    assert stable(cloud, "loose", 1) == [names[1]]
    wait(cloud, cloud.zone("DELETE", f"{MIGS}/loose"))
    assert cloud.instance(names[0])["status"] == "RUNNING" and not cloud.instance(names[1])


def test_instance_group_managers_set_instance_template(cloud):
    make_template(cloud, "larger", machineType="e2-medium")
    make_group(cloud, "moved", 1)
    old = stable(cloud, "moved", 1)[0]
    wait(cloud, cloud.zone("POST", f"{MIGS}/moved/setInstanceTemplate",
                           {"instanceTemplate": "global/instanceTemplates/larger"}))
    wait(cloud, cloud.zone("POST", f"{MIGS}/moved/resize?size=2"))
    new = [n for n in stable(cloud, "moved", 2) if n != old][0]
    assert cloud.instance(old)["machineType"].endswith("/e2-small")
    assert cloud.instance(new)["machineType"].endswith("/e2-medium")
    assert cloud.zone("POST", f"{MIGS}/moved/setInstanceTemplate",
                      {"instanceTemplate": "global/instanceTemplates/none"}).status == 404


def test_instance_group_managers_patch(cloud):
    make_template(cloud, "patched", machineType="e2-medium")
    make_group(cloud, "mended", 1)
    before = group(cloud, "mended")
    body = {"versions": [{"instanceTemplate": "global/instanceTemplates/patched"}], "targetSize": 2,
            "fingerprint": before["fingerprint"], "description": "two"}
    operation = wait(cloud, cloud.api("PATCH", f"zones/{ZONE}/{MIGS}/mended", body))
    assert operation["operationType"] == "patch"
    stable(cloud, "mended", 2)
    after = group(cloud, "mended")
    assert after["description"] == "two" and after["versions"][0]["targetSize"]["calculated"] == 2
    assert after["instanceTemplate"].endswith("/patched")
    stale = cloud.api("PATCH", f"zones/{ZONE}/{MIGS}/mended", body)
    assert stale.status == 412
    for wrong in ({"targetSize": -1}, {"instanceTemplate": "global/instanceTemplates/no"}, {"x": 1}):
        assert cloud.api("PATCH", f"zones/{ZONE}/{MIGS}/mended", wrong).status in (400, 404)
    assert group(cloud, "mended") == after


def test_region_instance_group_managers(cloud):
    place = f"regions/{REGION}"
    make_group(cloud, "wide", 3, place)
    stable(cloud, "wide", 3, place)
    zones = {m["instance"].split("/zones/")[1].split("/")[0] for m in members(cloud, "wide", place)}
    assert len(zones) == 3
    wait(cloud, cloud.api("POST", f"{place}/{MIGS}/wide/resize?size=1"), place)
    stable(cloud, "wide", 1, place)
    wait(cloud, cloud.api("DELETE", f"{place}/{MIGS}/wide"), place)
    assert group(cloud, "wide", place) is None
    assert cloud.api("POST", f"{place}/{MIGS}", {
        "name": "far", "instanceTemplate": "global/instanceTemplates/web", "targetSize": 1,
        "distributionPolicy": {"zones": [{"zone": "zones/us-east1-b"}]}}).status == 400


@pytest.mark.parametrize("change, status", [
    ({"instanceTemplate": None}, 400), ({"targetSize": None}, 400), ({"targetSize": -1}, 400),
    ({"instanceTemplate": "global/instanceTemplates/none"}, 404), ({"name": "Bad"}, 400),
    ({"baseInstanceName": "Bad"}, 400), ({"baseInstanceName": "b" * 60}, 400), ({"size": 1}, 400)])
def test_instance_group_managers_insert_refuses(cloud, change, status):
    body = {"name": "bad", "instanceTemplate": "global/instanceTemplates/web", "targetSize": 1}
    answer = cloud.zone("POST", MIGS, {**body, **change})
    assert answer.status == status, answer.text
    assert group(cloud, "bad") is None and cloud.zone("GET", "instanceGroups/bad").status == 404


def test_what_cannot_be_made_is_said_and_tried_again():
    folder = scratch()
    own = Emulator(folder, "--project", PROJECT, "--quota", "CPUS=4").start()
    try:
        make_template(own)
        make_group(own, "many", 3)
        assert eventually(lambda: any(m["lastAttempt"] for m in members(own, "many")))
        failed = [m for m in members(own, "many") if m["lastAttempt"]]
        assert len(failed) == 1 and failed[0]["currentAction"] == "CREATING"
        error = failed[0]["lastAttempt"]["errors"]["errors"][0]
        assert error["code"] == "QUOTA_EXCEEDED"
        assert error["message"] == f"Quota 'CPUS' exceeded.  Limit: 4.0 in region {REGION}."
        assert not group(own, "many")["status"]["isStable"]
        errors = own.zone("GET", f"{MIGS}/many/listErrors").json["items"]
        assert errors[0]["error"]["message"] == error["message"]
        # Room is made, and the group takes it.
        make_group(own, "other", 0)
        running = [m["name"] for m in members(own, "many") if "instanceStatus" in m]
        wait(own, own.zone("POST", f"{MIGS}/many/abandonInstances", {
            "instances": [f"zones/{ZONE}/instances/{running[0]}"]}))
        wait(own, own.zone("DELETE", f"instances/{running[0]}"))
        assert len(stable(own, "many", 2)) == 2
    finally:
        own.stop()
        remove(folder)


def test_groups_survive_a_kill():
    folder = scratch()
    own = Emulator(folder, "--project", PROJECT, "--state", f"{folder}/state.db",
                   "--operation-delay", "200").start()
    try:
        make_template(own)
        make_group(own, "solid", 5)
        own.zone("POST", f"{MIGS}/solid/resize?size=3")
        own.stop(signal.SIGKILL)
        own.start()
        names = stable(own, "solid", 3)
        assert eventually(lambda: sorted(i["name"] for i in own.zone(
            "GET", "instances").json["items"]) == names)
    finally:
        own.stop(signal.SIGKILL)
        remove(folder)


# gcloud


def gcloud(cloud, config, *args):
    address = f"127.0.0.1:{cloud.metadata_port}"
    env = {**os.environ, "CLOUDSDK_CONFIG": config, "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
           "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1", "CLOUDSDK_CORE_PROJECT": PROJECT,
           "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1", "GCE_METADATA_ROOT": address,
           "GCE_METADATA_HOST": address, "GCE_METADATA_IP": address, "CLOUDSDK_COMPUTE_ZONE": ZONE,
           "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE":
               f"http://127.0.0.1:{cloud.api_port}/compute/v1/"}
    done = subprocess.run(["gcloud", "compute", *args, "--format=json"], env=env,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
                          check=False)
    assert done.returncode == 0, done.stderr
    try:
        return json.loads(done.stdout)
    except ValueError:  # some verbs speak to people only
        return done.stdout


@pytest.mark.skipif(not shutil.which("gcloud"), reason="gcloud is not installed")
def test_gcloud_instance_groups(cloud):
    config = scratch()
    try:
        gcloud(cloud, config, "instance-templates", "create", "by-gcloud", "--machine-type",
               "e2-small", "--image-family", "debian-12", "--image-project", "debian-cloud")
        gcloud(cloud, config, "instance-groups", "managed", "create", "by-gcloud", "--template",
               "by-gcloud", "--size", "1")
        gcloud(cloud, config, "instance-groups", "managed", "resize", "by-gcloud", "--size", "3")
        gcloud(cloud, config, "instance-groups", "managed", "wait-until", "by-gcloud", "--stable")
        listed = gcloud(cloud, config, "instance-groups", "managed", "list-instances", "by-gcloud")
        assert [i["instanceStatus"] for i in listed] == ["RUNNING"] * 3
        shown = gcloud(cloud, config, "instance-groups", "managed", "list")
        assert [g["targetSize"] for g in shown if g["name"] == "by-gcloud"] == [3]
        told = gcloud(cloud, config, "instance-groups", "describe", "by-gcloud")
        assert told["size"] == 3
        gcloud(cloud, config, "instance-groups", "managed", "set-instance-template", "by-gcloud",
               "--template", "by-gcloud")
        gcloud(cloud, config, "instance-groups", "managed", "recreate-instances", "by-gcloud",
               "--instances", listed[0]["instance"].rpartition("/")[2])
        gcloud(cloud, config, "instance-groups", "managed", "delete", "by-gcloud", "--quiet")
        assert group(cloud, "by-gcloud") is None
    finally:
        remove(config)


@pytest.mark.skipif(not shutil.which("gcloud"), reason="gcloud is not installed")
def test_gcloud_security_policies(cloud):
    config = scratch()
    try:
        gcloud(cloud, config, "security-policies", "create", "armor", "--description", "d")
        gcloud(cloud, config, "security-policies", "rules", "create", "1000", "--security-policy",
               "armor", "--src-ip-ranges", "192.0.2.0/24", "--action", "deny-403")
        gcloud(cloud, config, "security-policies", "rules", "update", "1000", "--security-policy",
               "armor", "--action", "allow", "--description", "changed")
        told = gcloud(cloud, config, "security-policies", "rules", "describe", "1000",
                      "--security-policy", "armor")
        told = told[0] if isinstance(told, list) else told
        assert (told["action"], told["description"]) == ("allow", "changed")
        assert told["match"]["config"]["srcIpRanges"] == ["192.0.2.0/24"]
        gcloud(cloud, config, "security-policies", "update", "armor", "--description", "e")
        assert cloud.api("GET", "global/securityPolicies/armor").json["description"] == "e"
    finally:
        remove(config)


@pytest.mark.skipif(not shutil.which("gcloud"), reason="gcloud is not installed")
def test_gcloud_many_at_once(cloud):
    """Several instances are a batch; `bulk create` is bulkInsert."""
    config = scratch()
    image = ["--image-family", "debian-12", "--image-project", "debian-cloud"]
    try:
        made = gcloud(cloud, config, "instances", "create", "pair-1", "pair-2", *image)
        assert sorted(i["name"] for i in made) == ["pair-1", "pair-2"]
        gcloud(cloud, config, "instances", "bulk", "create", "--count", "2", "--name-pattern",
               "lot-##", "--machine-type", "e2-small", "--zone", ZONE, *image)
        assert cloud.instance("lot-01")["status"] == cloud.instance("lot-02")["status"] == "RUNNING"
        gcloud(cloud, config, "instances", "delete", "pair-1", "pair-2", "--quiet")
        assert not cloud.instance("pair-1") and not cloud.instance("pair-2")
    finally:
        remove(config)

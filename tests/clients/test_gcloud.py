# SPDX-License-Identifier: Apache-2.0
"""Google's own command line, told nothing but what `gce-emulator env` prints."""
import base64
import json
import shutil
import subprocess

import pytest
from conftest import FEW, log_of
from emulator import IMAGE, LAUNCHER, PROJECT, ZONE

pytestmark = pytest.mark.skipif(not shutil.which("gcloud"), reason="gcloud is not installed")
QUIET = {"CLOUDSDK_CORE_DISABLE_PROMPTS": "1", "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
         "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "1"}


@pytest.fixture(name="gcloud")
def gcloud_fixture(env):
    def run(*args, fails=False):
        done = subprocess.run(["gcloud", *args, "--format=json"], env={**env, **QUIET}, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=120,
                              check=False)
        assert (done.returncode != 0) == fails, done.stderr
        if fails:
            return done.stderr
        # Some print a sentence whatever the format.
        return json.loads(done.stdout) if done.stdout[:1] in ("[", "{") else None
    return run


def claims(token):
    body = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))


def test_instances(cloud, gcloud):
    made = gcloud("compute", "instances", "create", "by-gcloud", "--machine-type", "e2-small",
                  "--image-family", "debian-12", "--image-project", "debian-cloud",
                  "--service-account", LAUNCHER, "--scopes", "compute-rw", "--metadata", "a=b",
                  "--tags", "web")
    assert made[0]["name"] == "by-gcloud" and made[0]["status"] == "RUNNING"
    assert [i["name"] for i in gcloud("compute", "instances", "list")] == ["by-gcloud"]
    told = gcloud("compute", "instances", "describe", "by-gcloud")
    assert told["serviceAccounts"][0]["email"] == LAUNCHER
    assert told["metadata"]["items"] == [{"key": "a", "value": "b"}]
    gcloud("compute", "instances", "delete", "by-gcloud", "--quiet")
    assert cloud.instance("by-gcloud") is None


def test_what_is_not_there(gcloud):
    said = gcloud("compute", "instances", "describe", "missing", fails=True)
    assert f"The resource 'projects/{PROJECT}/zones/{ZONE}/instances/missing' was not found" in said


def test_instance_groups_resize(cloud, gcloud):
    gcloud("compute", "instance-templates", "create", "web", "--machine-type", "e2-small",
           "--image-family", "debian-12", "--image-project", "debian-cloud")
    gcloud("compute", "instance-groups", "managed", "create", "web", "--template", "web",
           "--size", "1")
    for size in (4, 2):
        gcloud("compute", "instance-groups", "managed", "resize", "web", "--size", str(size))
        gcloud("compute", "instance-groups", "managed", "wait-until", "web", "--stable")
        members = gcloud("compute", "instance-groups", "managed", "list-instances", "web")
        assert len(members) == size
        assert all(cloud.instance(m["instance"].rsplit("/", 1)[1]) for m in members)
    gcloud("compute", "instance-groups", "managed", "delete", "web", "--quiet")
    assert gcloud("compute", "instances", "list") == []


def test_security_policies_update(gcloud):
    gcloud("compute", "security-policies", "create", "edge", "--description", "first")
    gcloud("compute", "security-policies", "update", "edge", "--description", "second")
    gcloud("compute", "security-policies", "rules", "create", "1000", "--security-policy", "edge",
           "--src-ip-ranges", "192.0.2.0/24", "--action", "deny-403")
    gcloud("compute", "security-policies", "rules", "update", "1000", "--security-policy", "edge",
           "--src-ip-ranges", "198.51.100.0/24,203.0.113.7/32")
    told = gcloud("compute", "security-policies", "describe", "edge")
    told = told[0] if isinstance(told, list) else told
    assert told["description"] == "second"
    rule = next(r for r in told["rules"] if r["priority"] == 1000)
    assert rule["match"]["config"]["srcIpRanges"] == ["198.51.100.0/24", "203.0.113.7/32"]
    assert rule["action"] == "deny(403)"


def test_print_access_token(cloud, gcloud):
    token = gcloud("auth", "print-access-token")["token"]
    assert cloud.api("GET", f"zones/{ZONE}", token=token).status == 200


def test_print_identity_token(gcloud):
    told = gcloud("auth", "print-identity-token", "--audiences", "https://web.example")
    assert claims(told["id_token"])["aud"] == "https://web.example"


def test_activate_service_account(cloud, gcloud):
    gcloud("auth", "activate-service-account", "--key-file", str(cloud.folder / "key.json"))
    gcloud("compute", "instances", "list", "--project", PROJECT)
    assert [r for r in log_of(cloud) if r["path"] == "/token"][-1]["account"] == LAUNCHER


def test_impersonation(cloud, gcloud):
    as_few = ["--impersonate-service-account", f"{FEW}@{PROJECT}.iam.gserviceaccount.com"]
    gcloud("auth", "activate-service-account", "--key-file", str(cloud.folder / "key.json"))
    assert isinstance(gcloud("compute", "instances", "list", "--project", PROJECT, *as_few), list)
    said = gcloud("compute", "instances", "create", "never", "--project", PROJECT, "--image",
                  IMAGE.split("/")[-1], *as_few, fails=True)
    assert "Required 'compute." in said and cloud.instance("never") is None

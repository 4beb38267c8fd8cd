# SPDX-License-Identifier: Apache-2.0
"""Debian's google-auth, the client that builds itself from a discovery document, and cloud-init."""
import json
import subprocess
import sys
import time

import pytest
from conftest import CLIENTS, ROOT, log_of
from emulator import LAUNCHER, PROJECT, ZONE, Emulator, instance_body

SUBSET = ROOT.parent / "shared/reference/compute-v1-subset.json"
CLOUD_INIT = CLIENTS / "cloud-init/usr/lib/python3/dist-packages"


def python(env, program, *args):
    """Run a program as a user of the library would, in a process of its own."""
    done = subprocess.run([sys.executable, "-c", program, *map(str, args)], env=env, text=True,
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


DEFAULT = """
import google.auth, google.auth.transport.requests, json
credentials, project = google.auth.default(["https://www.googleapis.com/auth/cloud-platform"])
credentials.refresh(google.auth.transport.requests.Request())
print(json.dumps([project, credentials.service_account_email, credentials.token]))
"""


def test_google_auth_by_the_metadata_server(cloud, env):
    del env["GOOGLE_CLOUD_PROJECT"]
    project, _, token = python(env, DEFAULT)
    assert project == PROJECT
    assert cloud.api("GET", f"zones/{ZONE}", token=token).status == 200


def test_google_auth_by_a_key(cloud, env):
    env["GOOGLE_APPLICATION_CREDENTIALS"] = str(cloud.folder / "key.json")
    project, email, token = python(env, DEFAULT)
    assert (project, email) == (PROJECT, LAUNCHER)
    assert cloud.api("GET", f"zones/{ZONE}", token=token).status == 200
    assert [r for r in log_of(cloud) if r["path"] == "/token"][-1]["account"] == LAUNCHER


DISCOVERY = """
import google.auth, json, sys, time
from googleapiclient.discovery import build_from_document
document = json.load(open(sys.argv[1]))
root = "http://127.0.0.1:" + sys.argv[2] + "/"
document.update(rootUrl=root, baseUrl=root + "compute/v1/")
where = {"project": sys.argv[3], "zone": sys.argv[4]}
body = json.loads(sys.argv[5])
credentials, _ = google.auth.default(["https://www.googleapis.com/auth/cloud-platform"])
compute = build_from_document(document, credentials=credentials)
operation = compute.instances().insert(body=body, **where).execute()
operation = compute.zoneOperations().wait(operation=operation["name"], **where).execute()
seen = compute.instances().get(instance=body["name"], **where).execute()
names = [i["name"] for i in compute.instances().list(**where).execute()["items"]]
gone = compute.instances().delete(instance=body["name"], **where).execute()
compute.zoneOperations().wait(operation=gone["name"], **where).execute()
print(json.dumps([operation["status"], seen["status"], names]))
"""


@pytest.mark.skipif(not SUBSET.exists(), reason="no shared/ beside this checkout")
def test_googleapi(cloud, env):
    told = python(env, DISCOVERY, SUBSET, cloud.api_port, PROJECT, ZONE,
                  json.dumps(instance_body("by-discovery")))
    assert told == ["DONE", "RUNNING", ["by-discovery"]]
    assert cloud.instance("by-discovery") is None


READ_MD = """
import json, sys
from types import SimpleNamespace
sys.path.insert(0, sys.argv[1])
from cloudinit.sources import DataSourceGCE
told = DataSourceGCE.read_md(address=sys.argv[2], platform_check=False,
                             url_params=SimpleNamespace(num_retries=1, sec_between_retries=0))
told["user-data"] = told["user-data"] and told["user-data"].decode()
print(json.dumps(told))
"""


@pytest.mark.skipif(not CLOUD_INIT.is_dir(), reason="cloud-init could not be fetched")
def test_cloud_init(tmp_path, env):
    vms = Emulator(tmp_path, "--folder", str(tmp_path), driver="process").start()
    try:
        script = "#!/bin/sh\necho metadata=$GCE_METADATA_HOST\n"
        items = {"startup-script": script, "user-data": "#cloud-config\nhostname: seen\n",
                 "ssh-keys": "ada:ssh-ed25519 AAAA ada"}
        metadata = {"items": [{"key": k, "value": v} for k, v in items.items()]}
        vms.insert("booted", metadata=metadata)
        told = python(env, READ_MD, CLOUD_INIT, f"http://{address_of(vms)}/computeMetadata/v1/")
    finally:
        assert vms.stop() == 0
    assert told["success"], told["reason"]
    assert told["user-data"] == items["user-data"]
    assert told["meta-data"]["availability-zone"] == ZONE
    assert told["meta-data"]["local-hostname"].startswith("booted.")
    assert told["meta-data"]["public-keys-data"] == [items["ssh-keys"]]


def address_of(vms):
    """Where the VM finds its own metadata server: it printed that at its start."""
    for _ in range(100):
        console = vms.zone("GET", "instances/booted/serialPort").json["contents"]
        if "metadata=" in console:
            return console.split("metadata=")[1].split()[0]
        time.sleep(0.1)
    raise AssertionError("the VM told nothing")

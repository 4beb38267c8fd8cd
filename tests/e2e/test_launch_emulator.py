# SPDX-License-Identifier: Apache-2.0
"""vmcp-launch against gce-emulator: its tokens, its rights, its operations, its VMs."""
import json
import os
import re
import subprocess

import pytest

from emulator import LAUNCHER, NOBODY, PROJECT, ZONE, Emulator
from launch_world import LAUNCH, Responder, items

KNOWN = ["--domain", "127.0.0.1", "--machine", "flask-app"]


class Cloud:
    def __init__(self, folder, *options, driver="none"):
        self.folder = folder
        self.emulator = Emulator(folder, *options, driver=driver).start()
        self.responder = Responder()
        self.trust = folder / "trust.pem"
        self.trust.write_text(self.responder.pem())
        port = self.emulator.api_port
        self.env = {k: v for k, v in os.environ.items()
                    if not re.match(r"VMCP_|GCE_|CLOUDSDK_|GOOGLE_", k)}
        self.env.update(GCE_METADATA_HOST=f"127.0.0.1:{self.emulator.metadata_port}",
                        CLOUDSDK_CONFIG=str(folder / "gcloud"),
                        CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE=f"http://127.0.0.1:{port}/compute/v1/",
                        CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS=f"http://127.0.0.1:{port}/")

    def run(self, *args, code=0, ask=True):
        base = ["--endpoint", self.responder.url, "--machine", "flask-app", "--trust",
                str(self.trust)] if ask else KNOWN
        done = subprocess.run([LAUNCH, *args, *base, "--state-dir", str(self.folder / "state"),
                               "--json"], env=self.env, capture_output=True, text=True, timeout=60,
                              check=False)
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    def instance(self, name="flask-app"):
        return self.emulator.instance(name)

    def stop(self):
        self.emulator.stop()
        self.responder.server.close()


@pytest.fixture
def cloud(tmp_path):
    made = []

    def make(*options, **how):
        made.append(Cloud(tmp_path, *options, **how))
        return made[-1]
    yield make
    for c in made:
        c.stop()


def test_a_life(cloud):
    c = cloud()
    c.responder.gce = {"labels": {"role": "web"}, "disks": [
        {"initializeParams": {"diskSizeGb": "20"}}, {"initializeParams": {"diskSizeGb": "30"}}]}
    made = c.run("launch")["instances"][0]
    there = c.instance()
    assert (made["outcome"], made["id"], there["status"]) == ("created", there["id"], "RUNNING")
    assert items(there)["vmcp-session"].startswith("sha256$") and there["labels"]["role"] == "web"
    assert c.run("launch")["instances"][0]["outcome"] == "running"
    assert c.run("stop", ask=False)["instances"][0]["status"] == "TERMINATED"
    assert c.run("launch")["instances"][0]["outcome"] == "started"
    assert c.run("status", ask=False)["instances"][0]["status"] == "RUNNING"
    assert c.run("delete", ask=False)["instances"][0]["outcome"] == "deleted"
    assert c.instance() is None and c.run("status", ask=False)["instances"] == []


def test_operations_take_time(cloud):
    c = cloud("--operation-delay", "4000")
    assert c.run("launch", "--timeout", "1", code=8)["code"] == "timeout"
    assert c.run("launch")["instances"][0]["outcome"] == "created"
    assert c.run("launch", "--count", "4", "--name-suffix", "b")["instances"][3]["status"] == "RUNNING"


@pytest.mark.parametrize("how", ["grant", "self-signed"])
def test_key_file(cloud, tmp_path, how):
    key = tmp_path / "key.json"
    c = cloud("--service-account", LAUNCHER, "--key", f"{LAUNCHER}={key}", "--grant",
              f"{LAUNCHER}=roles/compute.instanceAdmin.v1")
    flags = ["--self-signed-jwt"] if how == "self-signed" else []
    report = c.run("launch", "--credentials", str(key), "--project", PROJECT, "--zone", ZONE, *flags)
    assert report["instances"][0]["outcome"] == "created"


def test_no_rights(cloud, tmp_path):
    key = tmp_path / "key.json"
    c = cloud("--service-account", NOBODY, "--key", f"{NOBODY}={key}")
    report = c.run("launch", "--credentials", str(key), "--project", PROJECT, "--zone", ZONE, code=6)
    assert any("roles/compute.instanceAdmin.v1" in a and NOBODY in a for a in report["advice"])


def test_account_that_may_not_be_given(cloud, tmp_path):
    """Who gives a VM an account must be allowed to act as it."""
    key, other = tmp_path / "key.json", f"other@{PROJECT}.iam.gserviceaccount.com"
    c = cloud("--service-account", LAUNCHER, "--service-account", other, "--key",
              f"{LAUNCHER}={key}", "--grant", f"{LAUNCHER}=roles/compute.instanceAdmin.v1")
    c.responder.gce = {"serviceAccounts": [{
        "email": other, "scopes": ["https://www.googleapis.com/auth/cloud-platform"]}]}
    report = c.run("launch", "--credentials", str(key), "--project", PROJECT, "--zone", ZONE,
                   "--allow-service-account", other, code=6)
    assert any("roles/iam.serviceAccountUser" in a for a in report.get("advice", [])), report



def account(name):
    return f"{name}@{PROJECT}.iam.gserviceaccount.com"


CREATOR = "roles/iam.serviceAccountTokenCreator"


def chain(tmp_path, *grants):
    """A caller with a key, two in between, and the one that may make VMs."""
    options = []
    for name in ("caller", "first", "second", "maker"):
        options += ["--service-account", account(name)]
    for name, role in (("maker", "roles/compute.instanceAdmin.v1"), *grants):
        options += ["--grant", f"{account(name)}={role}"]
    return [*options, "--key", f"{account('caller')}={tmp_path}/key.json"]


AS = ["--project", PROJECT, "--zone", ZONE, "--impersonate-service-account"]


def test_impersonation(cloud, tmp_path):
    c = cloud(*chain(tmp_path, ("caller", CREATOR)))
    key = ["--credentials", str(tmp_path / "key.json")]
    c.run("launch", *key, "--project", PROJECT, "--zone", ZONE, code=6)  # the caller itself may not
    made = c.run("launch", *key, *AS, account("maker"))["instances"][0]
    there, = c.run("status", *key, *AS, account("maker"), ask=False)["instances"]
    assert made["outcome"] == "created" and (there["id"], there["status"]) == (made["id"], "RUNNING")


def test_impersonation_by_way_of_delegates(cloud, tmp_path):
    c = cloud(*chain(tmp_path, *((n, CREATOR) for n in ("caller", "first", "second"))))
    who = ",".join(account(n) for n in ("first", "second", "maker"))
    made = c.run("launch", "--credentials", str(tmp_path / "key.json"), *AS, who)["instances"][0]
    assert made["outcome"] == "created"


def test_impersonation_is_denied_in_the_middle(cloud, tmp_path):
    c = cloud(*chain(tmp_path, ("caller", CREATOR), ("first", CREATOR)))
    who = ",".join(account(n) for n in ("first", "second", "maker"))
    report = c.run("launch", "--credentials", str(tmp_path / "key.json"), *AS, who, code=5)
    assert report["code"] == "credentials" and CREATOR in report["detail"]


READY = """#!/bin/bash
sleep 1
curl -sS -X PUT --data 'up since now' -H 'Metadata-Flavor: Google' \\
    "http://$GCE_METADATA_HOST/computeMetadata/v1/instance/guest-attributes/vmcp/ready"
"""


def test_wait_guest(cloud):
    """The VM's own script sets what is waited for."""
    c = cloud(driver="process")
    c.responder.machine["userData"] = READY
    made = c.run("launch", "--wait-guest", "vmcp/ready", "--api-timeout", "30")["instances"][0]
    assert (made["outcome"], made["guest"]) == ("created", "up since now")
    c.responder.machine["userData"] = "#!/bin/bash\ntrue\n"
    report = c.run("launch", "--name-suffix", "b", "--wait-guest", "vmcp/ready", "--api-timeout", "2",
                   code=8)
    assert report["code"] == "timeout" and "enable-guest" not in report["detail"]



def test_a_zone_that_is_not_there(cloud):
    report = cloud().run("launch", "--zone", "europe-nowhere1-z", code=6)
    assert "europe-nowhere1-z" in report["detail"]

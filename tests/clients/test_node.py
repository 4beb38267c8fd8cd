# SPDX-License-Identifier: Apache-2.0
"""Google's libraries for Node.js: google-auth-library, gcp-metadata, @google-cloud/compute."""
import base64
import json
import shutil
import subprocess

import pytest
from conftest import CLIENTS, ROOT
from emulator import LAUNCHER, PROJECT, ZONE, instance_body

PACKAGES = CLIENTS / "node"
pytestmark = pytest.mark.skipif(
    not shutil.which("node") or not (PACKAGES / "node_modules").is_dir(),
    reason="Google's libraries for Node.js could not be fetched")


@pytest.fixture(name="node")
def node_fixture(env):
    def run(*args):
        done = subprocess.run(["node", ROOT / "tests/clients/node.mjs", *map(str, args)], env=env,
                              cwd=PACKAGES, stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
    return run


def test_gcp_metadata(cloud, node):
    email = cloud.v1("instance/service-accounts/default/email").text
    zone = cloud.v1("instance/zone").text
    assert node("metadata") == [True, PROJECT, email, zone]


def test_google_auth_library_by_the_metadata_server(cloud, node):
    kind, token = node("token")
    assert kind == "Compute"
    assert cloud.api("GET", f"zones/{ZONE}", token=token).status == 200


def test_google_auth_library_identity(node):
    [token] = node("idtoken", "https://web.example")
    body = token.split(".")[1]
    assert json.loads(base64.urlsafe_b64decode(body + "==="))["aud"] == "https://web.example"


def test_google_auth_library_by_a_key(cloud, node):
    email, token = node("key", cloud.folder / "key.json", cloud.api_port)
    assert email == LAUNCHER
    assert cloud.api("GET", f"zones/{ZONE}", token=token).status == 200


def test_google_cloud_compute(cloud, node):
    status, names, error = node("instances", cloud.api_port, PROJECT, ZONE,
                                json.dumps(instance_body("by-node")))
    assert status == "RUNNING" and names == ["by-node"]
    assert f"The resource 'projects/{PROJECT}/zones/{ZONE}/instances/by-node' was not found" in error

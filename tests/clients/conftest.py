# SPDX-License-Identifier: Apache-2.0
"""What the tests with other people's clients share: an emulator, and the variables it tells them."""
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
from emulator import EMULATOR, Emulator, remove, scratch  # noqa: E402

CLIENTS = Path(os.environ.get("VMCP_CLIENTS", ROOT / "build/clients"))
FEW = "few"  # an account that may only look


@pytest.fixture(scope="module", name="cloud")
def cloud_fixture():
    folder = scratch()
    emulator = Emulator(
        folder, "--service-account", "vm1-launcher", "--service-account", FEW, "--grant",
        "vm1-launcher=roles/compute.admin", "--grant",
        "vm1-launcher=roles/iam.serviceAccountUser", "--grant", f"{FEW}=roles/compute.viewer",
        "--grant", "vm1-launcher=roles/iam.serviceAccountTokenCreator",
        "--key", f"vm1-launcher={folder}/key.json", "--request-log", f"{folder}/requests.jsonl",
        "--folder", f"{folder}/cloud").start()
    yield emulator
    code = emulator.stop()
    stderr = (emulator.folder / "stderr").read_text()
    remove(folder)
    assert code == 0, stderr


@pytest.fixture(name="env")
def env_fixture(cloud):
    """Exactly what `gce-emulator env` prints, over an environment that knows of no cloud."""
    done = subprocess.run([EMULATOR, "env", "--metadata", f"127.0.0.1:{cloud.metadata_port}",
                           "--api", f"127.0.0.1:{cloud.api_port}"], check=True, text=True,
                          capture_output=True, stdin=subprocess.DEVNULL)
    told = dict(re.findall(r"^export (\w+)='([^']*)'$", done.stdout, re.M))
    assert len(told) == len(done.stdout.splitlines()), done.stdout
    clean = {k: v for k, v in os.environ.items()
             if not re.match(r"GOOGLE_|GCE_|CLOUDSDK_|GCLOUD_|https?_proxy|no_proxy", k, re.I)}
    config = scratch()
    yield {**clean, **told, "CLOUDSDK_CONFIG": config}
    remove(config)


def log_of(cloud):
    """The requests that came, as the emulator logged them."""
    text = (cloud.folder / "requests.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]

# SPDX-License-Identifier: Apache-2.0
"""vmcp-launch bootstrap: VM-1's body, its startup script, and what is refused for it."""
import hashlib
import json
import re
import shutil
import subprocess

import pytest
from jwcrypto import jwk

from launch_world import DOMAIN, LAUNCH, PROJECT, ZONE, World, items

ACCOUNT = f"vm1-launcher@{PROJECT}.iam.gserviceaccount.com"
SHA = "ab" * 32


@pytest.fixture
def world(tmp_path):
    w = World(tmp_path)
    yield w
    w.close()


def bootstrap(world, *args, **kwargs):
    return world.launch("bootstrap", "--service-account", ACCOUNT, *args, **kwargs)


def test_body(world):
    report = bootstrap(world, "--name", "vm-one", "--launcher-url", "https://dl.example.org/l?v=1",
                       "--launcher-sha256", SHA, "--external-ip", "--machine-type", "e2-medium",
                       "--allow-external-ip", "--allow-image-project", "debian-cloud",
                       "--allow-image-project", "mine", "--allow-resource-project", "host-1",
                       "--allow-disk-delete")
    body, metadata = world.compute.body(), items(world.compute.body())
    assert body["name"] == "vm-one"
    assert body["machineType"] == f"zones/{ZONE}/machineTypes/e2-medium"
    assert body["serviceAccounts"] == [
        {"email": ACCOUNT, "scopes": ["https://www.googleapis.com/auth/compute"]}]
    assert body["networkInterfaces"][0]["accessConfigs"][0]["type"] == "ONE_TO_ONE_NAT"
    assert metadata["vmcp-endpoint"] == world.responder.url
    assert metadata["vmcp-machine"] == "flask-app"
    assert metadata["vmcp-domain"] == DOMAIN
    assert metadata["vmcp-min-serial"] == "7"
    assert metadata["vmcp-allow-external-ip"] == "TRUE"
    assert metadata["vmcp-allow-image-project"] == "debian-cloud,mine"
    assert metadata["vmcp-allow-resource-project"] == "host-1"
    assert metadata["vmcp-allow-disk-delete"] == "TRUE"
    assert "vmcp-allow-http" not in metadata and "service-credentials" not in metadata
    trusted = jwk.JWK.from_pem(metadata["vmcp-trust"].encode())
    assert trusted.thumbprint() == world.responder.key.thumbprint()
    assert "PRIVATE" not in json.dumps(body)
    assert report["instances"][0]["outcome"] == "created"
    assert world.saved()["serial"] == 7 and not world.intents()
    assert len(world.responder.server.log) == 1


def test_intent_is_settled_though_the_responder_is_gone(world):
    world.compute.after_insert = lambda request: "drop"
    sent = []

    def before(request):
        if sent:
            return 503, "text/plain", ""
        if request.command == "POST" and request.url.path.endswith("/instances"):
            sent.append(request)
        return None
    world.compute.before = before
    done = world.run("bootstrap", "--service-account", ACCOUNT, "--timeout", "2")
    assert done.returncode and len(world.intents()) == 1
    world.compute.before = world.compute.after_insert = lambda request: None
    world.responder.fail = lambda: (404, "text/plain", "")
    assert world.run("bootstrap", "--service-account", ACCOUNT).report["code"] == "responder-error"
    assert not world.intents() and len(world.compute.instances) == 1


def test_key_of_another_universe(world):
    _, path = world.key_file("https://oauth2.googleapis.com/token", {"universe_domain": "u.example"})
    done = world.refused("credentials", 5, "bootstrap", "--vm-credentials", str(path))
    assert "universe_domain" in done.report["detail"]


def test_scopes(world):
    bootstrap(world, "--scopes", "cloud-platform,compute-ro", "--scopes",
              "https://www.googleapis.com/auth/logging.write")
    assert world.compute.body()["serviceAccounts"][0]["scopes"] == [
        "https://www.googleapis.com/auth/cloud-platform",
        "https://www.googleapis.com/auth/compute.readonly",
        "https://www.googleapis.com/auth/logging.write"]


def script_of(world, *args):
    report = bootstrap(world, "--dry-run", *args)
    return items(report["bodies"][0])["startup-script"]


def test_script_is_constant_but_for_two_values(world):
    url = "https://dl.example.org/vmcp-launch"
    with_values = script_of(world, "--launcher-url", url, "--launcher-sha256", SHA)
    assert with_values.replace(url, "").replace(SHA, "") == script_of(world)
    world.responder.machine["userData"] = "#!/bin/sh\n$(reboot)"
    world.metadata.attributes = {"vmcp-machine": "other"}
    assert script_of(world, "--launcher-url", url, "--launcher-sha256", SHA) == with_values
    subprocess.run(["bash", "-n"], input=with_values, text=True, check=True)
    if shutil.which("shellcheck"):
        subprocess.run(["shellcheck", "-"], input=with_values, text=True, check=True)


@pytest.mark.parametrize("url,sha", [
    ("https://dl.example.org/l", None), (None, SHA), ("https://dl.example.org/l", SHA.upper()),
    ("https://dl.example.org/l", SHA[1:]), ("https://dl.example.org/'; reboot; '", SHA),
    ("https://dl.example.org/$(reboot)", SHA), ("https://dl.example.org/a b", SHA),
    ("file:///etc/passwd", SHA), ("https://dl.example.org", SHA), ("https://dl.example.org/\n", SHA),
    ("-K/etc/passwd", SHA)])
def test_launcher_source_is_checked_by_pattern(world, url, sha):
    args = (["--launcher-url", url] if url else []) + (["--launcher-sha256", sha] if sha else [])
    world.refused("usage", 2, "bootstrap", *args)
    assert not world.responder.server.log


def test_attributes_are_never_read(world):
    world.metadata.attributes = {"vmcp-endpoint": "http://192.0.2.1/", "vmcp-machine": "other",
                                 "vmcp-min-serial": "1000", "service-credentials": "{}"}
    bootstrap(world)
    assert not any("attributes" in r["path"] for r in world.metadata.server.log)


def test_thumbprints_are_refused(world):
    path = world.write("trust.thumbprints", world.responder.key.thumbprint() + "\n")
    world.refused("trust-invalid", 3, "bootstrap", "--endpoint", world.responder.url, "--machine",
                  "flask-app", "--trust", str(path), base=False)
    assert not world.responder.server.log


def test_bad_answer_makes_no_vm(world):
    world.responder.edit_claims = lambda c: c.update(nonce="0" * 64)
    world.refused("salt-mismatch", 1, "bootstrap", "--service-account", ACCOUNT)


def test_verify_endpoint(world):
    """VM-1 reaches the responder at another address; the domain is that of VM-1's."""
    world.responder.domain = "cfg.example.org"
    report = world.launch(
        "bootstrap", "--endpoint", "https://cfg.example.org", "--machine", "flask-app", "--trust",
        str(world.trust), "--verify-endpoint", world.responder.url, base=False)
    metadata = items(world.compute.body())
    assert metadata["vmcp-endpoint"] == "https://cfg.example.org"
    assert metadata["vmcp-domain"] == report["domain"] == "cfg.example.org"


def test_allow_http_is_handed_on(world):
    world.responder.domain = "192.0.2.1"
    args = ["bootstrap", "--endpoint", "http://192.0.2.1/vmcp", "--machine", "flask-app", "--trust",
            str(world.trust), "--verify-endpoint", world.responder.url]
    world.refused("plain-http", 2, *args, base=False)
    world.launch(*args, "--allow-http", base=False)
    assert items(world.compute.body())["vmcp-allow-http"] == "TRUE"


def test_vm_credentials(world):
    _, path = world.key_file("https://oauth2.googleapis.com/token")
    done = world.run("bootstrap", "--vm-credentials", str(path), "--dry-run")
    assert done.returncode == 0 and "BEGIN PRIVATE" not in done.stdout + done.stderr
    assert "not shown" in items(done.report["bodies"][0])["service-credentials"]
    report = world.launch("bootstrap", "--vm-credentials", str(path))
    body = world.compute.body()
    assert items(body)["service-credentials"] == path.read_text()
    assert "serviceAccounts" not in body
    assert any("can read it" in w for w in report["warnings"])
    assert not world.intents()


def test_vm_credentials_of_another_kind(world):
    _, path = world.key_file("https://oauth2.googleapis.com/token", {"type": "authorized_user"})
    world.refused("credentials", 5, "bootstrap", "--vm-credentials", str(path))


@pytest.mark.parametrize("args", [
    ["--name", "VM_1"], ["--scopes", "compute"], ["--zone", "us-a", "--zone", "us-b"],
    ["--service-account", "nobody"], ["--service-account", ACCOUNT, "--scopes", "everything"],
    ["--machine-type", "e2/small"]])
def test_usage(world, args):
    world.refused("usage", 2, "bootstrap", *args)


def test_again_is_the_same_vm(world):
    bootstrap(world)
    assert bootstrap(world)["instances"][0]["outcome"] == "running"
    assert len(world.compute.inserts()) == 1


def test_again_with_other_settings(world):
    bootstrap(world)
    done = world.refused("session-conflict", 1, "bootstrap", "--launcher-url",
                         "https://dl.example.org/l", "--launcher-sha256", SHA, writes=2)
    assert "startup-script" in done.report["detail"]


def test_again_with_other_bounds_or_account(world):
    """An operator who tightens bounds is not told that it worked."""
    bootstrap(world, "--allow-external-ip")
    for more in ([], ["--allow-external-ip", "--machine-type", "e2-micro"]):
        done = world.refused("session-conflict", 1, "bootstrap", "--service-account", ACCOUNT,
                             *more, writes=2)
        assert "differs" in done.report["detail"]


def test_again_when_it_is_stopped(world):
    bootstrap(world)
    world.compute.instances[ZONE, "vm-1"]["status"] = "TERMINATED"
    done = world.refused("session-conflict", 1, "bootstrap", "--service-account", ACCOUNT,
                         writes=2)
    assert "TERMINATED" in done.report["detail"]


def test_name_of_another_vm(world):
    world.compute.add("vm-1")
    world.refused("session-conflict", 1, "bootstrap", "--service-account", ACCOUNT)


# --- the script itself, in a mount namespace whose /var/lib is empty

def namespaces():
    done = subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False)
    return done.returncode == 0


needs_namespaces = pytest.mark.skipif(not namespaces(), reason="no mount namespaces here")


def run_script(world, script, times=1, prepare=""):
    path = world.write("startup.sh", script, 0o755)
    command = (f"mount -t tmpfs tmpfs /var/lib && {prepare or 'true'} && "
               + " && ".join([str(path)] * times))
    return subprocess.run(["unshare", "-rm", "bash", "-c", command], env=world.env,
                          capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def vm1(world):
    """VM-1's metadata as bootstrap made it, the launcher on a web server."""
    sha = hashlib.sha256(LAUNCH.read_bytes()).hexdigest()
    world.served = LAUNCH.read_bytes()
    world.metadata.tree["launcher"] = ""

    def answer(request, otherwise=world.metadata.server.handle_one):
        if request.url.path == "/launcher":
            return 200, "application/octet-stream", world.served
        return otherwise(request)
    world.metadata.server.handle_one = answer
    del world.responder.machine["apiPort"]
    bootstrap(world, "--launcher-url", f"http://{world.metadata.host}/launcher",
              "--launcher-sha256", sha)
    world.metadata.attributes = items(world.compute.body())
    return world


@needs_namespaces
def test_script_launches(vm1):
    done = run_script(vm1, vm1.metadata.attributes["startup-script"], times=2)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^vmcp-bootstrap: starting /var/lib/vmcp/bin/vmcp-launch$", done.stdout, re.M)
    reports = [json.loads(l) for l in done.stdout.splitlines() if l.startswith("{")]
    assert [r["instances"][0]["outcome"] for r in reports] == ["created", "running"]
    assert "vmcp-launch ended with exit code 0" in done.stdout
    assert (ZONE, "flask-app") in vm1.compute.instances
    assert len([r for r in vm1.metadata.server.log if r["path"] == "/launcher"]) == 1


@needs_namespaces
def test_script_refuses_another_launcher(vm1):
    vm1.served += b"\n"
    done = run_script(vm1, vm1.metadata.attributes["startup-script"])
    assert done.returncode == 4 and "another SHA-256" in done.stdout
    assert (ZONE, "flask-app") not in vm1.compute.instances


@needs_namespaces
def test_script_tells_the_launchers_exit_code(vm1):
    vm1.responder.edit_claims = lambda c: c.update(nonce="0" * 64)
    done = run_script(vm1, vm1.metadata.attributes["startup-script"])
    assert done.returncode == 1 and '"code":"salt-mismatch"' in done.stdout
    assert "vmcp-launch ended with exit code 1" in done.stdout

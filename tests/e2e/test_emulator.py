# SPDX-License-Identifier: Apache-2.0
"""gce-emulator: what users and launchers see of it, with the VM driver `none`."""
import base64
import json
import os
import re
import signal
import socket
import stat
import subprocess
import threading
import time
import urllib.parse
import uuid

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from emulator import (CLOUD_PLATFORM, EMULATOR, IMAGE, LAUNCHER, NOBODY, PROJECT, ZONE, Emulator,
                      eventually, instance_body, remove, scratch)

GOOGLE_TOKEN = "https://oauth2.googleapis.com/token"
COMPUTE_RO = "https://www.googleapis.com/auth/compute.readonly"
V1 = "/computeMetadata/v1/"


@pytest.fixture(scope="module")
def cloud():
    folder = scratch()
    emulator = Emulator(
        folder, "--project", PROJECT, "--service-account", "vm1-launcher", "--service-account",
        "nobody", "--grant", "vm1-launcher=roles/compute.instanceAdmin.v1", "--grant",
        "vm1-launcher=roles/iam.serviceAccountUser", "--key",
        f"vm1-launcher={folder}/key.json", "--key", f"nobody={folder}/nobody.json",
        "--request-log", f"{folder}/requests.jsonl", "--folder", f"{folder}/cloud").start()
    yield emulator
    code = emulator.stop()
    stderr = (emulator.folder / "stderr").read_text()
    remove(folder)
    assert code == 0, stderr


def slow(folder, *more):
    """One whose operations take their time."""
    return Emulator(folder, "--project", PROJECT, "--operation-delay", "1500", *more).start()


@pytest.fixture(scope="module")
def key(cloud):
    return json.loads((cloud.folder / "key.json").read_text())


@pytest.fixture(scope="module")
def nobody(cloud):
    """A token of an account that may do nothing."""
    return cloud.grant(sign(json.loads((cloud.folder / "nobody.json").read_text()))).json[
        "access_token"]


def sign(key, headers=True, algorithm="RS256", **claims):
    """A JWT bearer assertion as google-auth makes it; claims set to None are left out."""
    now = int(time.time())
    payload = {"iss": key["client_email"], "scope": CLOUD_PLATFORM, "aud": GOOGLE_TOKEN, "iat": now,
               "exp": now + 3600, **claims}
    payload = {k: v for k, v in payload.items() if v is not None}
    headers = {"kid": key["private_key_id"]} if headers is True else headers or {}
    return jwt.encode(payload, key["private_key"], algorithm=algorithm, headers=headers)


def requests_of(cloud):
    text = (cloud.folder / "requests.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


# The metadata server: who may ask


def test_metadata_without_flavor_is_403(cloud):
    answer = cloud.metadata(V1, flavor=None)
    assert answer.status == 403
    assert answer.headers["Content-Type"] == "text/html; charset=UTF-8"
    assert answer.headers["Metadata-Flavor"] == "Google"
    assert answer.headers["Connection"].lower() == "close"
    assert "Error 403 (Forbidden)!!1" in answer.text
    assert 'Missing required header "Metadata-Flavor": "Google"' in answer.text


@pytest.mark.parametrize("flavor", ["google", "Amazon", "GoogleGoogle", "Google, Google"])
def test_metadata_with_wrong_flavor_is_403(cloud, flavor):
    assert cloud.metadata(V1, flavor=flavor).status == 403


def test_metadata_flavor_name_in_any_case(cloud):
    assert cloud.metadata(V1, flavor=None, headers={"metadata-flavor": "Google"}).status == 200
    assert cloud.metadata(V1, flavor=None,
                          headers={"X-Google-Metadata-Request": "True"}).status == 200


def test_metadata_through_a_proxy_is_403(cloud):
    for value in ("10.0.0.1", ""):
        assert cloud.v1("instance/id", headers={"X-Forwarded-For": value}).status == 403


def test_metadata_from_a_web_page_is_403(cloud):
    answer = cloud.v1("instance/service-accounts/default/token",
                      headers={"Origin": "http://evil.example"})
    assert answer.status == 403 and "ya29" not in answer.text


def test_metadata_root_is_a_probe(cloud):
    for headers in ({}, {"X-Forwarded-For": "1.2.3.4"}):
        answer = cloud.metadata("/", flavor=None, headers=headers)
        assert (answer.status, answer.text) == (200, "computeMetadata/\n")
        assert answer.headers["Metadata-Flavor"] == "Google"
        assert answer.headers["ETag"] is None
    head = cloud.metadata("/", flavor=None, method="HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Server"] == "Metadata Server for VM"


def test_metadata_methods(cloud):
    for method in ("POST", "PUT", "DELETE"):
        answer = cloud.v1("instance/id", method=method)
        assert answer.status == 405 and answer.headers["Metadata-Flavor"] == "Google"
    assert cloud.v1("instance/id", method="HEAD").status == 200


def test_metadata_headers_of_answers(cloud):
    answer = cloud.v1("project/project-id")
    assert answer.text == PROJECT
    assert answer.headers["Content-Type"] == "application/text"
    assert answer.headers["Server"] == "Metadata Server for VM"
    assert answer.headers["X-XSS-Protection"] == "0"
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert re.fullmatch("[0-9a-f]{15,17}", answer.headers["ETag"])
    assert cloud.v1("project/project-id").headers["ETag"] == answer.headers["ETag"]
    assert cloud.v1("instance/name").headers["ETag"] != answer.headers["ETag"]


@pytest.mark.parametrize("path", [
    "instance/nothing", "instance/machineType", "instance/id/", "instance/id/x", "instance/disks/9",
    "instance/attributes/none", "instance/-id", "instance/network-interfaces/00/ip"])
def test_metadata_unknown_path_is_a_404_page(cloud, path):
    answer = cloud.v1(path)
    assert answer.status == 404 and "Error 404 (Not Found)!!1" in answer.text
    assert answer.headers["Metadata-Flavor"] == "Google"


def test_metadata_legacy_paths_are_404(cloud):
    for path in ("/0.1/meta-data/instance-id", "/computeMetadata/v1beta1/instance/id", "/x",
                 "/computeMetadata/v12/"):
        assert cloud.metadata(path).status == 404


# Directories and leaves


def test_metadata_directory_without_slash_redirects(cloud):
    for path in ("instance", "project", "universe", "instance/attributes",
                 "instance/network-interfaces/0", "instance/service-accounts/default"):
        answer = cloud.v1(path, headers={"Host": "metadata.google.internal:8080"})
        assert answer.status == 301
        assert answer.headers["Location"] == (
            f"http://metadata.google.internal:8080/computeMetadata/v1/{path}/")
        assert answer.text == f"/computeMetadata/v1/{path}/\n"
        assert answer.headers["Content-Type"] == "text/html"
        assert cloud.v1(path + "?recursive=true").status == 200


def test_metadata_listings(cloud):
    assert cloud.metadata("/computeMetadata/").text == "v1/\n"
    assert cloud.v1("").text == "instance/\noslogin/\nproject/\nuniverse/\n"
    assert cloud.v1("instance/service-accounts/").text == f"default/\n{LAUNCHER}/\n"
    listing = cloud.v1("instance/")
    assert {"attributes/", "id", "machine-type", "network-interfaces/", "tags",
            "zone"} <= set(listing.text.split("\n"))
    assert listing.headers["Content-Type"] == "application/text"
    assert cloud.v1("instance/service-accounts/default/").text == (
        "aliases\nemail\nidentity\nscopes\ntoken\n")
    assert cloud.v1("instance/service-accounts/default/scopes").text == CLOUD_PLATFORM + "\n"
    assert cloud.v1("instance/service-accounts/default/aliases").text == "default\n"


def test_metadata_repeated_slashes_count_once(cloud):
    tree = cloud.metadata("/computeMetadata/v1//?recursive=True")
    assert tree.status == 200 and tree.json["project"]["projectId"] == PROJECT
    assert cloud.metadata("//computeMetadata///v1/instance//name").text == "workstation"


def test_metadata_universe(cloud):
    for name in ("universe-domain", "universe_domain"):
        assert cloud.v1("universe/" + name).text == "googleapis.com"


def test_metadata_bad_queries_are_400(cloud):
    for query in ("alt=xml", "timeout_sec=soon", "timeout_sec=-1"):
        assert cloud.v1("instance/id?" + query).status == 400
    # Extras that stand alone do no harm.
    assert cloud.v1("instance/?recursive=true&alt=json&timeout_sec=10&last_etag=NONE").status == 200


def test_metadata_of_the_workstation(cloud):
    assert cloud.v1("instance/service-accounts/default/email").text == LAUNCHER
    number = cloud.v1("project/numeric-project-id").text
    assert number.isdigit()
    assert cloud.v1("instance/zone").text == f"projects/{number}/zones/{ZONE}"


def test_metadata_token(cloud):
    first = cloud.v1("instance/service-accounts/default/token")
    assert first.headers["Content-Type"] == "application/json"
    assert first.headers["ETag"] is None
    assert first.json["token_type"] == "Bearer" and 3000 < first.json["expires_in"] <= 3600
    again = cloud.v1(f"instance/service-accounts/{LAUNCHER}/token")
    assert again.json["access_token"] == first.json["access_token"]
    narrow = cloud.v1("instance/service-accounts/default/token?scopes=" + COMPUTE_RO)
    assert narrow.json["access_token"] != first.json["access_token"]
    assert cloud.v1("instance/service-accounts/default/token?scopes=https://x.example/").status == 400
    assert cloud.v1(f"instance/service-accounts/{NOBODY}/token").status == 404


# Instances; what their metadata servers say is in test_emulator_views.py


@pytest.fixture(scope="module")
def vm(cloud):
    """An instance with everything that shows in its metadata."""
    cloud.insert(
        "view", machineType=f"zones/{ZONE}/machineTypes/n1-standard-2",
        metadata={"items": [{"key": "zeta", "value": "z\nz"}, {"key": "alpha", "value": "ü"}]},
        tags={"items": ["web", "vmcp-api-5000"]}, description="a VM",
        serviceAccounts=[{"email": LAUNCHER, "scopes": [COMPUTE_RO]}],
        networkInterfaces=[{"accessConfigs": [{"type": "ONE_TO_ONE_NAT", "name": "External NAT"}]}],
        scheduling={"provisioningModel": "SPOT"}, labels={"role": "web"})
    return cloud.instance("view")


def test_instance_resource(cloud, vm):
    base = f"https://www.googleapis.com/compute/v1/projects/{PROJECT}"
    assert vm["kind"] == "compute#instance" and vm["status"] == "RUNNING"
    assert vm["selfLink"] == f"{base}/zones/{ZONE}/instances/view"
    assert vm["zone"] == f"{base}/zones/{ZONE}"
    assert vm["machineType"] == f"{base}/zones/{ZONE}/machineTypes/n1-standard-2"
    assert isinstance(vm["id"], str) and vm["id"].isdigit() and int(vm["id"]) < 2**64
    for fingerprint in (vm["fingerprint"], vm["labelFingerprint"], vm["tags"]["fingerprint"],
                        vm["metadata"]["fingerprint"], vm["networkInterfaces"][0]["fingerprint"]):
        assert len(base64.b64decode(fingerprint, validate=True)) == 8
    nic, disk = vm["networkInterfaces"][0], vm["disks"][0]
    assert nic["name"] == "nic0" and re.fullmatch(r"10\.128\.\d+\.\d+", nic["networkIP"])
    assert nic["accessConfigs"][0]["natIP"]
    assert disk["boot"] is True and disk["diskSizeGb"] == "10"
    assert disk["source"] == f"{base}/zones/{ZONE}/disks/view"
    assert {"type": "UEFI_COMPATIBLE"} in disk["guestOsFeatures"]
    assert vm["scheduling"] == {"provisioningModel": "SPOT", "preemptible": False,
                                "automaticRestart": False, "onHostMaintenance": "TERMINATE"}
    assert vm["shieldedInstanceConfig"] == {
        "enableSecureBoot": False, "enableVtpm": True, "enableIntegrityMonitoring": True}
    assert vm["serviceAccounts"] == [{"email": LAUNCHER, "scopes": [COMPUTE_RO]}]
    assert cloud.zone("GET", f"instances/{vm['id']}").json == vm


def test_first_address_and_hole(cloud):
    folder = scratch()
    own = Emulator(folder).start()
    try:
        for name in ("a", "b", "c"):
            own.insert(name)
        address = {n: own.instance(n)["networkInterfaces"][0]["networkIP"] for n in "abc"}
        assert address == {"a": "10.128.0.2", "b": "10.128.0.3", "c": "10.128.0.4"}
        own.wait(own.zone("DELETE", "instances/b").json)
        own.insert("d")
        assert own.instance("d")["networkInterfaces"][0]["networkIP"] == "10.128.0.3"
        asked = own.insert("e", networkInterfaces=[{"networkIP": "10.128.3.7"}])
        assert own.instance("e")["networkInterfaces"][0]["networkIP"] == "10.128.3.7"
        again = own.zone("POST", "instances", instance_body(
            "f", networkInterfaces=[{"networkIP": "10.128.3.7"}]))
        assert again.status == 400 and "already being used" in again.message and asked
        for outside in ("10.128.0.1", "10.128.16.1", "192.168.1.1", "x"):
            answer = own.zone("POST", "instances", instance_body(
                "g", networkInterfaces=[{"networkIP": outside}]))
            assert answer.status == 400, outside
    finally:
        own.stop()
        remove(folder)


# Waiting for a change


def test_wait_returns_at_timeout_with_the_value(cloud):
    begin = time.monotonic()
    answer = cloud.v1("instance/maintenance-event?wait_for_change=true&timeout_sec=1")
    assert (answer.status, answer.text) == (200, "NONE")
    assert 0.9 < time.monotonic() - begin < 5


def test_wait_with_another_etag_returns_at_once(cloud):
    for tag in ("NONE", "0", "f00"):
        begin = time.monotonic()
        answer = cloud.v1(f"instance/id?wait_for_change=true&last_etag={tag}&timeout_sec=30")
        assert answer.status == 200 and time.monotonic() - begin < 3
    etag = cloud.v1("instance/id").headers["ETag"]
    begin = time.monotonic()
    cloud.v1(f"instance/id?wait_for_change=TRUE&last_etag={etag}&timeout_sec=1")
    assert time.monotonic() - begin > 0.9


def test_wait_is_not_ended_by_other_changes(cloud):
    """A wake-up that is about something else neither answers nor prolongs the wait."""
    result = {}

    def wait():
        begin = time.monotonic()
        result["answer"] = cloud.v1("?recursive=true&wait_for_change=true&timeout_sec=2")
        result["took"] = time.monotonic() - begin

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.3)
    for i in range(3):
        cloud.insert(f"noise-{i}")
        time.sleep(0.2)
    thread.join()
    assert result["answer"].status == 200 and 1.8 < result["took"] < 4


def test_wait_on_a_directory_needs_recursive(cloud):
    assert cloud.v1("instance/?wait_for_change=true").status == 400
    assert cloud.v1("instance/nothing?wait_for_change=true").status == 404


# The API: who may call


def test_api_without_token_is_401(cloud):
    for token, headers in ((None, {}), (None, {"Authorization": "Basic eDp5"}), ("ya29.wrong", {}),
                           ("", {"Authorization": "Bearer "})):
        answer = cloud.zone("GET", "instances", token=token, headers=headers)
        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer ")
        assert answer.json["error"]["code"] == 401
        assert answer.json["error"]["status"] == "UNAUTHENTICATED"
        assert answer.json["error"]["errors"][0]["location"] == "Authorization"
        assert answer.reason in ("authError", "required")


def test_api_token_is_checked_whole(cloud):
    token = cloud.token()
    for wrong in (token[:-1], token + "A", token.swapcase()):
        assert cloud.zone("GET", "instances", token=wrong).status == 401


def test_api_with_a_scope_too_small_is_403(cloud):
    answer = cloud.zone("GET", "instances", token=cloud.token(COMPUTE_RO))
    assert answer.status == 200
    answer = cloud.zone("POST", "instances", instance_body("x"), token=cloud.token(COMPUTE_RO))
    assert answer.status == 403 and answer.reason == "insufficientPermissions"
    assert answer.message == "Request had insufficient authentication scopes."
    other = cloud.token("https://www.googleapis.com/auth/devstorage.read_only")
    assert cloud.zone("GET", "instances", token=other).status == 403


def test_api_without_grant_is_403(cloud, nobody):
    answer = cloud.zone("POST", "instances", instance_body("denied"), token=nobody)
    assert answer.status == 403 and answer.reason == "forbidden"
    assert answer.message == (
        "Required 'compute.instances.create' permission for "
        f"'projects/{PROJECT}/zones/{ZONE}/instances/denied'")
    assert cloud.instance("denied") is None
    answer = cloud.zone("GET", "instances", token=nobody)
    assert answer.status == 403
    assert answer.message == (
        f"Required 'compute.instances.list' permission for 'projects/{PROJECT}'")
    assert cloud.zone("DELETE", "instances/view", token=nobody).status == 403


@pytest.mark.parametrize("path", ["/token", f"/compute/v1/projects/{PROJECT}", "/nothing"])
def test_api_refuses_an_origin(cloud, path):
    for origin in ("http://evil.example", f"http://127.0.0.1:{cloud.api_port}", "null"):
        for method in ("GET", "POST", "OPTIONS"):
            answer = cloud.api(method, path, headers={"Origin": origin})
            assert answer.status == 403 and "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("path", ["/token", f"/compute/v1/projects/{PROJECT}"])
def test_api_refuses_another_host(cloud, path):
    port = cloud.api_port
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port + 1}",
                 f"localhost.evil.example:{port}", "", None, f"127.0.0.1:{port}@evil.example",
                 f"127.0.0.2:{port}"):
        # Without any Host, HTTP/1.1 itself is broken (RFC 9112, section 3.2).
        answer = cloud.api("POST" if path == "/token" else "GET", path, headers={"Host": host})
        assert answer.status == (400 if host is None else 403), host
        assert b"ya29" not in answer.body
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"LOCALHOST:{port}"):
        assert cloud.api("GET", f"/compute/v1/projects/{PROJECT}",
                         headers={"Host": host}).status == 200


def raw(port, head):
    """The status line for a request as it is written here."""
    with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
        s.sendall(head.encode())
        return s.makefile("rb").readline().decode()


def test_two_hosts_are_refused(cloud):
    for port, path in ((cloud.api_port, f"/compute/v1/projects/{PROJECT}"),
                       (cloud.metadata_port, "/"), (cloud.metadata_port, V1 + "instance/name")):
        own = f"127.0.0.1:{port}"
        for first, second in ((own, own), (own, "evil.example"), ("evil.example", own)):
            line = raw(port, f"GET {path} HTTP/1.1\r\nHost: {first}\r\nMetadata-Flavor: Google\r\n"
                       f"hOST: {second}\r\n\r\n")
            assert line.split()[1] == "400", (path, first, second)


def test_host_of_an_absolute_target_counts(cloud):
    """RFC 9112, section 3.2.2: the Host header beside it is not looked at."""
    for port, path in ((cloud.api_port, "/discovery/v1/apis/compute/v1/rest"),
                       (cloud.metadata_port, V1 + "instance/name")):
        own = f"127.0.0.1:{port}"
        good = raw(port, f"GET {path} HTTP/1.1\r\nHost: {own}\r\nMetadata-Flavor: Google\r\n\r\n")
        for target, host, status in ((own, "evil.example", good.split()[1]),
                                     ("evil.example", own, "403")):
            line = raw(port, f"GET http://{target}{path} HTTP/1.1\r\nHost: {host}\r\n"
                       "Metadata-Flavor: Google\r\n\r\n")
            assert line.split()[1] == status != "400", (path, target, line)


def test_metadata_refuses_another_host(cloud):
    port = cloud.metadata_port
    for host in ("evil.example", f"evil.example:{port}", f"127.0.0.1:{port}@evil.example", "",
                 "metadata.google.internal.evil.example", "localhost.evil.example", "10.0.0.1",
                 "[::2]", ":80", f"x127.0.0.1:{port}", "metadata:80:80", "[", "]"):
        for path in ("/", V1 + "instance/service-accounts/default/token"):
            answer = cloud.metadata(path, headers={"Host": host})
            assert answer.status == 403 and b"ya29" not in answer.body, host
    for host in ("metadata", "metadata.google.internal", "Metadata.Google.Internal:80",
                 "169.254.169.254", "169.254.169.254:80", f"127.0.0.1:{port}", "127.0.0.1",
                 f"localhost:{port}", "metadata.google.internal."):
        assert cloud.v1("instance/name", headers={"Host": host}).text == "workstation", host
    # Before HTTP/1.1 there was no Host; no browser is that old.
    line = raw(port, f"GET {V1}instance/name HTTP/1.0\r\nMetadata-Flavor: Google\r\n\r\n")
    assert line.split()[1] == "200"


def test_token_refuses_a_good_assertion_from_a_page(cloud, key):
    body = urllib.parse.urlencode({
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": sign(key)})
    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
        answer = cloud.post_form(body, headers)
        assert answer.status == 403 and "ya29" not in answer.text
    assert cloud.post_form(body).status == 200


def test_api_unknown_paths_and_methods(cloud):
    answer = cloud.api("GET", "/compute/v1/nothing")
    assert answer.status == 404 and answer.reason == "notFound"
    assert cloud.api("PUT", "zones").status == 405
    assert cloud.api("GET", "/compute/v1/projects/other/zones").status == 404
    answer = cloud.api("GET", "zones/us-central1-q/instances")
    assert answer.status == 400 and "Unknown zone" in answer.message
    assert cloud.api("GET", "zones/us-central1-q").status == 404
    assert cloud.api("GET", f"/compute/v1/projects/{PROJECT}/zones?$.xgafv=1&alt=json").status == 200


# The key file and the JWT bearer grant


def test_key_file(cloud, key):
    path = cloud.folder / "key.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert key["type"] == "service_account" and key["project_id"] == PROJECT
    assert key["client_email"] == LAUNCHER
    assert re.fullmatch("[0-9a-f]{40}", key["private_key_id"])
    assert re.fullmatch("[0-9]{21}", key["client_id"])
    assert key["token_uri"] == f"http://127.0.0.1:{cloud.api_port}/token"
    assert key["universe_domain"] == "googleapis.com"
    private = serialization.load_pem_private_key(key["private_key"].encode(), None)
    assert private.key_size == 2048
    assert key["private_key"].startswith("-----BEGIN PRIVATE KEY-----\n")


def test_grant(cloud, key):
    answer = cloud.grant(sign(key))
    assert answer.status == 200, answer.text
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store"
    token = answer.json
    assert token["access_token"].startswith("ya29.") and token["token_type"] == "Bearer"
    assert 3500 < token["expires_in"] <= 3600
    assert cloud.zone("GET", "instances", token=token["access_token"]).status == 200
    assert cloud.grant(sign(key)).json["access_token"] != token["access_token"]


def test_grant_without_kid(cloud, key):
    assert cloud.grant(sign(key, headers=None)).status == 200


def test_grant_audiences(cloud, key):
    own = [f"http://{h}:{cloud.api_port}/token" for h in ("127.0.0.1", "localhost")]
    for aud in (GOOGLE_TOKEN, "https://accounts.google.com/o/oauth2/token",
                "https://www.googleapis.com/oauth2/v4/token", *own):
        assert cloud.grant(sign(key, aud=aud)).status == 200, aud
    for aud in ("https://evil.example/token", own[0] + "/", "https://compute.googleapis.com/", None,
                [GOOGLE_TOKEN]):
        answer = cloud.grant(sign(key, aud=aud))
        assert answer.status == 400 and answer.json == {
            "error": "invalid_grant",
            "error_description": "Invalid JWT: Failed audience check."}, aud


def test_grant_with_padded_base64url(cloud, key):
    """Old libcloud pads the parts, and signs them padded."""
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding
    private = serialization.load_pem_private_key(key["private_key"].encode(), None)
    now = int(time.time())
    parts = [json.dumps({"alg": "RS256", "typ": "JWT"}),
             json.dumps({"iss": LAUNCHER, "scope": CLOUD_PLATFORM, "aud": GOOGLE_TOKEN, "iat": now,
                         "exp": now + 3600})]
    parts = [p + " " * (3 - len(p) % 3 + 1) for p in parts]
    text = b".".join(base64.urlsafe_b64encode(p.encode()) for p in parts)
    assert b"=" in text
    signature = private.sign(text, padding.PKCS1v15(), hashes.SHA256())
    good = text + b"." + base64.urlsafe_b64encode(signature)
    assert cloud.grant(good.decode()).status == 200
    bare = text.replace(b"=", b"") + b"." + base64.urlsafe_b64encode(signature)
    assert cloud.grant(bare.decode()).json["error"] == "invalid_grant"


def other_key(key):
    private = rsa.generate_private_key(65537, 2048)
    pem = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                serialization.NoEncryption()).decode()
    return dict(key, private_key=pem)


def test_grant_with_a_wrong_signature(cloud, key):
    signature = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
    assert cloud.grant(sign(other_key(key))).json == signature
    assert cloud.grant(sign(other_key(key), headers=None)).json == signature
    assert cloud.grant(sign(key, headers={"kid": "0" * 40})).json == signature
    nobody_key = json.loads((cloud.folder / "nobody.json").read_text())
    assert cloud.grant(sign(dict(nobody_key, client_email=LAUNCHER))).json == signature
    head, body, tail = sign(key).split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["scope"] += " email"
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    assert cloud.grant(f"{head}.{body}.{tail}").json == signature


def test_grant_times(cloud, key):
    now = int(time.time())
    for iat, exp in ((now - 4000, now - 400), (now + 400, now + 1000), (now, now + 3601),
                     (now, now), (None, now + 60), (now, None), (now, "x")):
        answer = cloud.grant(sign(key, iat=iat, exp=exp))
        assert answer.status == 400 and answer.json["error"] == "invalid_grant", (iat, exp)
        assert "short-lived token (60 minutes)" in answer.json["error_description"]
    for iat, exp in ((now - 3600, now - 200), (now + 200, now + 3800), (now - 10, now + 3590)):
        assert cloud.grant(sign(key, iat=iat, exp=exp)).status == 200, (iat, exp)


def test_grant_errors(cloud, key):
    unknown = cloud.grant(sign(key, iss=f"gone@{PROJECT}.iam.gserviceaccount.com"))
    assert unknown.json == {"error": "invalid_grant",
                            "error_description": "Invalid grant: account not found"}
    for scope in ("", None, " "):
        assert cloud.grant(sign(key, scope=scope)).json["error"] == "invalid_scope"
    scope = cloud.grant(sign(key, scope="https://evil.example/scope")).json
    assert scope == {"error": "invalid_scope", "error_description":
                     "https://evil.example/scope is not a valid audience string."}
    answer = cloud.grant(sign(key, sub="admin@example.com"))
    assert (answer.status, answer.json["error"]) == (401, "unauthorized_client")
    assert cloud.grant(sign(key, sub=LAUNCHER)).status == 200
    answer = cloud.grant("x", grant_type="password")
    assert answer.json == {"error": "unsupported_grant_type",
                           "error_description": "Invalid grant_type: password"}
    assert cloud.grant(None).json["error"] == "invalid_request"
    assert cloud.grant("x", grant_type=None).json["error"] == "invalid_request"
    for junk in ("x", "a.b.c", "..", "e30.e30.", "é.é.é", "=.=.=", "ey" + "A" * 20000):
        assert cloud.grant(junk).json["error"] == "invalid_grant", junk
    hmac = jwt.encode({"iss": LAUNCHER}, "k" * 40, algorithm="HS256")
    assert cloud.grant(hmac).json["error"] == "invalid_grant"
    assert cloud.grant(sign(key, algorithm="RS512")).json["error"] == "invalid_grant"
    good = urllib.parse.quote(sign(key))
    grant = "grant_type=" + urllib.parse.quote("urn:ietf:params:oauth:grant-type:jwt-bearer")
    assert cloud.post_form(f"assertion={good}&{grant}").status == 200
    for body in (f"{grant}&assertion={good}&assertion={good}", f"{grant}&assertion={good}%",
                 "", f"{grant}&assertion={good}&x=%00"):
        assert cloud.post_form(body).json["error"] == "invalid_request"
    answer = cloud.post_form(f"{grant}&assertion={good}", {"Content-Type": "application/json"})
    assert answer.json["error"] == "invalid_request"


def test_grant_scopes_bound_the_token(cloud, key):
    token = cloud.grant(sign(key, scope=COMPUTE_RO + " email")).json["access_token"]
    assert cloud.zone("GET", "instances", token=token).status == 200
    assert cloud.zone("DELETE", "instances/none", token=token).status == 403


def test_self_signed_jwt_as_bearer(cloud, key):
    for aud in ("https://compute.googleapis.com/", f"http://127.0.0.1:{cloud.api_port}/",
                f"http://localhost:{cloud.api_port}"):
        token = sign(key, sub=LAUNCHER, aud=aud, scope=None)
        assert cloud.zone("GET", "instances", token=token).status == 200, aud
    assert cloud.zone("GET", "instances",
                      token=sign(key, sub=LAUNCHER, aud=None)).status == 200
    for claims in ({"aud": "https://storage.googleapis.com/"}, {"aud": GOOGLE_TOKEN},
                   {"aud": None, "scope": None}, {"sub": "x"}, {"sub": None},
                   {"exp": int(time.time()) - 4000}):
        claims = {"sub": LAUNCHER, "aud": "https://compute.googleapis.com/", "scope": None, **claims}
        assert cloud.zone("GET", "instances", token=sign(key, **claims)).status == 401, claims
    forged = sign(other_key(key), sub=LAUNCHER, aud="https://compute.googleapis.com/", scope=None)
    assert cloud.zone("GET", "instances", token=forged).status == 401
    readonly = sign(key, sub=LAUNCHER, aud=None, scope=COMPUTE_RO)
    assert cloud.zone("DELETE", "instances/none", token=readonly).status == 403


# Instances and operations


def test_insert_operation_and_instance(cloud):
    folder = scratch()
    own = slow(folder)
    try:
        operation = own.insert("life", wait=False)
        assert operation["kind"] == "compute#operation" and operation["status"] in (
            "PENDING", "RUNNING")
        assert operation["progress"] == 0 and "error" not in operation
        assert re.fullmatch(r"operation-\d+-[0-9a-f]+-[0-9a-f]+-[0-9a-f]+", operation["name"])
        assert operation["operationType"] == "insert" and operation["id"].isdigit()
        base = f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/zones/{ZONE}"
        assert operation["zone"] == base
        assert operation["targetLink"] == f"{base}/instances/life"
        assert operation["selfLink"] == f"{base}/operations/{operation['name']}"
        assert operation["user"].endswith("-compute@developer.gserviceaccount.com")
        assert "clientOperationId" not in operation
        seen = []
        path = f"operations/{operation['name']}"

        def look():
            # The operation first: what is done when it says so is done in the instance too.
            operation = own.zone("GET", path).json["status"]
            status = own.instance("life")["status"], operation
            if status not in seen:
                seen.append(status)
            return status[1] == "DONE"

        assert eventually(look)
        assert [s for s, _ in seen if s != "PROVISIONING"][:1] == ["STAGING"]
        assert seen[-1] == ("RUNNING", "DONE")
        done = own.zone("GET", path).json
        assert done["progress"] == 100 and done["targetId"] == own.instance("life")["id"]
        for name in ("insertTime", "startTime", "endTime"):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", done[name])
        assert own.zone("GET", f"operations/{done['id']}").json == done
    finally:
        own.stop()
        remove(folder)


def test_wait_is_woken_when_done():
    folder = scratch()
    own = slow(folder)
    try:
        operation = own.insert("waited", wait=False)
        begin = time.monotonic()
        # Clients send nothing, or two quotation marks.
        answer = own.zone("POST", f"operations/{operation['name']}/wait", b'""')
        took = time.monotonic() - begin
        assert answer.json["status"] == "DONE" and 0.5 < took < 5
        begin = time.monotonic()
        own.wait(operation)
        assert time.monotonic() - begin < 0.5
        assert own.zone("POST", "operations/operation-none/wait").status == 404
    finally:
        own.stop()
        remove(folder)


def test_a_waiting_client_does_not_hinder_the_stop():
    folder = scratch()
    own = Emulator(folder, "--operation-delay", "60000").start()
    try:
        operation = own.insert("never", wait=False)
        thread = threading.Thread(target=lambda: own.zone(
            "POST", f"operations/{operation['name']}/wait"))
        thread.start()
        time.sleep(0.3)
        begin = time.monotonic()
        assert own.stop() == 0
        assert time.monotonic() - begin < 5
        thread.join(timeout=5)
        assert not thread.is_alive()
    finally:
        own.stop(signal.SIGKILL)
        remove(folder)


def test_request_id(cloud):
    first_id, second_id = str(uuid.uuid4()), str(uuid.uuid4())
    first = cloud.insert("once", f"?requestId={first_id}")
    assert first["clientOperationId"] == first_id
    again = cloud.zone("POST", f"instances?requestId={first_id.upper()}", instance_body("other"))
    assert again.status == 200 and again.json["name"] == first["name"]
    assert again.json["status"] == "DONE"
    assert cloud.instance("other") is None
    taken = cloud.zone("POST", f"instances?requestId={second_id}", instance_body("once"))
    assert taken.status == 409 and taken.reason == "alreadyExists"
    assert taken.message == (
        f"The resource 'projects/{PROJECT}/zones/{ZONE}/instances/once' already exists")
    # The same id on another method is another request.
    gone = cloud.zone("DELETE", f"instances/once?requestId={first_id}")
    assert gone.status == 200 and gone.json["name"] != first["name"]
    cloud.wait(gone.json)
    replay = cloud.zone("DELETE", f"instances/once?requestId={first_id}")
    assert replay.json["name"] == gone.json["name"] and cloud.instance("once") is None
    listed = cloud.zone("GET", "operations?filter=" + urllib.parse.quote(
        f'clientOperationId = "{first_id}"')).json["items"]
    assert {o["operationType"] for o in listed} == {"insert", "delete"}


@pytest.mark.parametrize("request_id", [
    "00000000-0000-0000-0000-000000000000", "x", "0123456789abcdef0123456789abcdef",
    "01234567-89ab-cdef-0123-456789abcdeg", str(uuid.uuid4()) + "0"])
def test_bad_request_id_is_400(cloud, request_id):
    answer = cloud.zone("POST", f"instances?requestId={request_id}", instance_body("bad-id"))
    assert answer.status == 400 and "Invalid value for field 'requestId'" in answer.message
    assert cloud.instance("bad-id") is None


def test_requests_at_once_with_one_id_make_one_instance(cloud):
    request_id = str(uuid.uuid4())
    cloud.token()
    answers = []

    def insert(i):
        answers.append(cloud.zone("POST", f"instances?requestId={request_id}",
                                  instance_body(f"race-{i}")))

    threads = [threading.Thread(target=insert, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {a.status for a in answers} == {200}
    assert len({a.json["name"] for a in answers}) == 1
    names = [i["name"] for i in cloud.zone("GET", "instances").json["items"]]
    assert len([n for n in names if n.startswith("race-")]) == 1


def test_delete(cloud):
    cloud.insert("doomed")
    operation = cloud.zone("DELETE", "instances/doomed").json
    assert operation["operationType"] == "delete"
    cloud.wait(operation)
    answer = cloud.zone("GET", "instances/doomed")
    assert answer.status == 404 and answer.message == (
        f"The resource 'projects/{PROJECT}/zones/{ZONE}/instances/doomed' was not found")
    assert cloud.zone("DELETE", "instances/doomed").status == 404


def test_deletion_protection(cloud):
    cloud.insert("kept", deletionProtection=True)
    assert cloud.zone("DELETE", "instances/kept").status == 400
    assert cloud.instance("kept")["status"] == "RUNNING"


def test_stop_and_start(cloud):
    cloud.insert("power")
    cloud.wait(cloud.zone("POST", "instances/power/stop").json)
    stopped = cloud.instance("power")
    assert stopped["status"] == "TERMINATED" and stopped["lastStopTimestamp"]
    assert cloud.zone("POST", "instances/power/reset").status == 400
    cloud.wait(cloud.zone("POST", "instances/power/start").json)
    assert cloud.instance("power")["status"] == "RUNNING"
    cloud.wait(cloud.zone("POST", "instances/power/reset").json)
    assert cloud.instance("power")["status"] == "RUNNING"


def test_delete_while_the_insert_is_under_way():
    folder = scratch()
    own = slow(folder)
    try:
        insert = own.insert("brief", wait=False)
        gone = own.zone("DELETE", "instances/brief").json
        assert own.instance("brief")["status"] == "STOPPING"
        own.wait(insert)
        own.wait(gone)
        assert own.instance("brief") is None
    finally:
        own.stop()
        remove(folder)


def test_lists(cloud):
    folder = scratch()
    own = Emulator(folder).start()
    try:
        empty = own.zone("GET", "instances").json
        assert empty["kind"] == "compute#instanceList" and "items" not in empty
        for name, role in (("web-1", "web"), ("web-2", "web"), ("db-1", "db")):
            own.insert(name, labels={"role": role})
        own.wait(own.zone("POST", "instances/web-2/stop").json)

        def names(query):
            return [i["name"] for i in own.zone("GET", "instances?" + urllib.parse.urlencode(
                query)).json.get("items", [])]

        assert names({}) == ["db-1", "web-1", "web-2"]
        assert names({"filter": "name=web-1"}) == ["web-1"]
        assert names({"filter": "name eq web-.*"}) == ["web-1", "web-2"]
        assert names({"filter": "name ne web-.*"}) == ["db-1"]
        assert names({"filter": "(labels.role = web) AND (status = RUNNING)"}) == ["web-1"]
        assert names({"filter": 'labels.role:* status!="RUNNING"'}) == ["web-2"]
        assert names({"filter": "name:eb"}) == ["web-1", "web-2"]
        for wrong in ("name", "=x", "a=b OR", "(a=b", "a=b)", "NOT", "name eq (", "name eq a{9}{9}",
                      "name=", "(" * 40 + "a=b" + ")" * 40, "name eq (a)\\1"):
            assert own.zone("GET", "instances?filter=" + urllib.parse.quote(wrong)).status == 400
        page = own.zone("GET", "instances?maxResults=2").json
        assert [i["name"] for i in page["items"]] == ["db-1", "web-1"]
        assert names({"maxResults": 2, "pageToken": page["nextPageToken"]}) == ["web-2"]
        scopes = own.api("GET", "aggregated/instances?includeAllScopes=True&maxResults=500").json
        assert scopes["kind"] == "compute#instanceAggregatedList"
        assert len(scopes["items"][f"zones/{ZONE}"]["instances"]) == 3
        assert scopes["items"]["zones/us-east1-b"]["warning"]["code"] == "NO_RESULTS_ON_PAGE"
    finally:
        own.stop()
        remove(folder)


def test_set_metadata_labels_tags(cloud):
    cloud.insert("changed", metadata={"items": [{"key": "a", "value": "1"}]})
    vm = cloud.instance("changed")
    body = {"fingerprint": vm["metadata"]["fingerprint"],
            "items": [{"key": "a", "value": "2"}, {"key": "b", "value": "3"}]}
    cloud.wait(cloud.zone("POST", "instances/changed/setMetadata", body).json)
    now = cloud.instance("changed")["metadata"]
    assert now["items"] == body["items"] and now["fingerprint"] != body["fingerprint"]
    stale = cloud.zone("POST", "instances/changed/setMetadata", body)
    assert stale.status == 412 and stale.reason == "conditionNotMet"
    assert cloud.zone("POST", "instances/changed/setMetadata", {"items": []}).status == 400
    body = {"labelFingerprint": vm["labelFingerprint"], "labels": {"x": "y"}}
    cloud.wait(cloud.zone("POST", "instances/changed/setLabels", body).json)
    assert cloud.instance("changed")["labels"] == {"x": "y"}
    body = {"fingerprint": vm["tags"]["fingerprint"], "items": ["t1"]}
    cloud.wait(cloud.zone("POST", "instances/changed/setTags", body).json)
    assert cloud.instance("changed")["tags"]["items"] == ["t1"]


@pytest.mark.parametrize("members, message", [
    ({"name": "Upper"}, "Must be a match of regex"),
    ({"name": "a" * 64}, "Must be a match of regex"),
    ({"name": "ends-"}, "Must be a match of regex"),
    ({"name": "1st"}, "Must be a match of regex"),
    ({"name": None}, "Must be a match of regex"),
    ({"name": 5}, "(TYPE_STRING), 5"),
    ({"machineType": None}, "Required field 'resource.machineType' not specified"),
    ({"machineType": f"zones/{ZONE}/machineTypes/e2-huge"},
     f"Machine type with name 'e2-huge' does not exist in zone '{ZONE}'."),
    ({"machineType": "zones/us-east1-b/machineTypes/e2-small"}, "must be in the instance's zone"),
    ({"machineType": "e2-small"}, "The URL is malformed"),
    ({"machineType": f"zones/{ZONE}/machineTypes/e2-custom-3-4096"}, "Number of CPUs 3"),
    ({"machineType": f"zones/{ZONE}/machineTypes/e2-custom-2-4000"}, "multiple of 256"),
    ({"machineType": f"zones/{ZONE}/machineTypes/e2-custom-2-99840"}, "between 1024 MiB"),
    ({"disks": []}, "first disk must be the boot disk"),
    ({"disks": None}, "first disk must be the boot disk"),
    ({"disks": [{"boot": True}]}, "needs a source image"),
    ({"disks": [{"boot": "yes"}]}, "Invalid value at 'resource.disks[0].boot' (TYPE_BOOL)"),
    ({"disks": [{"boot": True, "initializeParams": {"sourceImage": IMAGE, "diskSizeGb": "9"}}]},
     "cannot be smaller than the image size (10 GB)"),
    ({"disks": [{"boot": True, "initializeParams": {"sourceImage": IMAGE, "diskSizeGb": "9x"}}]},
     "(TYPE_INT64)"),
    ({"networkInterfaces": []}, "At least one network interface is required"),
    ({"networkInterfaces": [{}, {}]}, "Networks must be distinct"),
    ({"metadata": {"items": [{"key": "a b", "value": ""}]}}, "[a-zA-Z0-9-_]+"),
    ({"metadata": {"items": [{"key": "k" * 128, "value": ""}]}}, "less than 128"),
    ({"metadata": {"items": [{"key": "k", "value": "v" * 262145}]}}, "is too large"),
    ({"metadata": {"items": [{"key": f"k{i}", "value": "v" * 200000} for i in range(3)]}},
     "Metadata is too large"),
    ({"metadata": {"items": [{"key": "k", "value": "1"}, {"key": "k", "value": "2"}]}},
     "duplicate keys"),
    ({"serviceAccounts": [{"email": LAUNCHER}, {"email": NOBODY}]}, "At most one service account"),
    ({"serviceAccounts": [{"email": "who@other.iam.gserviceaccount.com"}]},
     "does not have access to service account 'who@other"),
    ({"labels": {"Role": "x"}}, "Label keys"), ({"labels": {"role": "X"}}, "Label values"),
    ({"tags": {"items": ["Web"]}}, "Must be a match of regex"),
    ({"scheduling": {"provisioningModel": "SPOT", "automaticRestart": True}}, "automatic restart"),
    ({"scheduling": {"preemptible": True, "onHostMaintenance": "MIGRATE"}}, "TERMINATE"),
    ({"hostname": "short"}, "fully qualified"),
    ({"colour": "blue"}, 'Unknown name "colour"'),
    ({"disks": [{"boot": True, "siez": 1}]}, "Unknown name \"siez\" at 'resource.disks[0]'"),
])
def test_insert_refuses(cloud, members, message):
    answer = cloud.zone("POST", "instances", instance_body(**{"name": "refused", **members}))
    assert answer.status == 400, answer.text
    assert message in answer.message and answer.json["error"]["errors"][0]["message"] == (
        answer.message)
    assert answer.json["error"]["status"] == "INVALID_ARGUMENT"
    assert cloud.instance("refused") is None


@pytest.mark.parametrize("members", [
    {"disks": [{"boot": True, "initializeParams": {
        "sourceImage": "projects/debian-cloud/global/images/family/debian-99"}}]},
    {"disks": [{"boot": True, "initializeParams": {"sourceImage": "global/images/mine"}}]},
    {"networkInterfaces": [{"network": "global/networks/other"}]},
])
def test_insert_of_what_is_not_there_is_404(cloud, members):
    answer = cloud.zone("POST", "instances", instance_body("refused", **members))
    assert answer.status == 404 and answer.reason == "notFound"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"name":"a","name":"b"}', b"\xff", b'""',
                                  b'{"a":' * 100 + b"1" + b"}" * 100])
def test_insert_of_broken_json_is_400(cloud, body):
    answer = cloud.zone("POST", "instances", body)
    assert answer.status == 400 and answer.reason == "parseError"


def test_insert_takes_the_spellings_of_clients(cloud):
    base = f"https://compute.googleapis.com/compute/v1/projects/{PROJECT}"
    cloud.insert(
        "spelled", machineType=f"{base}/zones/{ZONE}/machineTypes/e2-custom-medium-4096",
        networkInterfaces=[{"network": f"{base}/global/networks/default", "name": "nic0",
                            "subnetwork": "regions/us-central1/subnetworks/default"}],
        disks=[{"boot": True, "initializeParams": {
            "sourceImage": "projects/debian-cloud/zones/-/imageFamilyViews/debian-12",
            "diskSizeGb": 20, "diskType": f"zones/{ZONE}/diskTypes/pd-balanced"}},
            {"initializeParams": {"diskSizeGb": "100"}}],
        serviceAccounts=[{"email": "default", "scopes": [CLOUD_PLATFORM]}], description=None)
    vm = cloud.instance("spelled")
    assert vm["serviceAccounts"][0]["email"].endswith("-compute@developer.gserviceaccount.com")
    assert [d["diskSizeGb"] for d in vm["disks"]] == ["20", "100"]
    assert vm["machineType"].endswith("/machineTypes/e2-custom-medium-4096")


def test_a_body_over_the_limit_is_413(cloud):
    with socket.create_connection(("127.0.0.1", cloud.api_port), timeout=5) as s:
        s.sendall((f"POST /compute/v1/projects/{PROJECT}/zones/{ZONE}/instances HTTP/1.1\r\n"
                   f"Host: 127.0.0.1:{cloud.api_port}\r\nContent-Length: 1100000\r\n\r\n{{"
                   ).encode())
        answer = s.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413 ") and b'"uploadTooLarge"' in answer


# What there is to choose from


def test_catalogue(cloud):
    image = cloud.api("GET", "/compute/v1/projects/debian-cloud/global/images/family/debian-12")
    assert image.status == 200 and image.json["kind"] == "compute#image"
    assert image.json["family"] == "debian-12" and image.json["status"] == "READY"
    link = image.json["selfLink"].removeprefix("https://www.googleapis.com")
    assert cloud.api("GET", link).json == image.json
    assert {"type": "UEFI_COMPATIBLE"} in image.json["guestOsFeatures"]
    view = cloud.api("GET", "/compute/v1/projects/debian-cloud/zones/-/imageFamilyViews/debian-12")
    assert view.json == {"image": image.json}
    for path in ("debian-cloud/global/images/family/debian-99", "debian-cloud/global/images/x",
                 "no-such-project/global/images/family/debian-12"):
        assert cloud.api("GET", "/compute/v1/projects/" + path).status == 404
    zone = cloud.api("GET", f"zones/{ZONE}").json
    assert zone["status"] == "UP" and zone["region"].endswith("/regions/us-central1")
    assert len(cloud.api("GET", "zones").json["items"]) > 3
    small = cloud.zone("GET", "machineTypes/e2-small").json
    assert (small["guestCpus"], small["memoryMb"], small["isSharedCpu"]) == (2, 2048, True)
    custom = cloud.zone("GET", "machineTypes/n2-custom-4-20480").json
    assert (custom["guestCpus"], custom["memoryMb"]) == (4, 20480)
    assert cloud.zone("GET", "machineTypes/e2-none").status == 404
    assert cloud.zone("GET", "machineTypes/n2-custom-3-4096").status == 400
    project = cloud.api("GET", f"/compute/v1/projects/{PROJECT}").json
    assert project["defaultServiceAccount"].endswith("-compute@developer.gserviceaccount.com")
    number = cloud.v1("project/numeric-project-id").text
    assert cloud.api("GET", f"/compute/v1/projects/{number}").json == project


@pytest.mark.parametrize("name, good", [
    ("custom-1-1024", True), ("custom-2-13312", True), ("custom-2-13568", False),
    ("n1-custom-3-4096", False), ("n1-custom-2-65536-ext", True), ("n2-custom-36-73728", True),
    ("n2-custom-34-69632", False), ("n2d-custom-6-8192", False), ("n2d-custom-16-8192", True),
    ("e2-custom-32-131072", True), ("e2-custom-32-131328", False), ("e2-custom-2-4096-ext", False),
    ("e2-custom-micro-1024", True), ("e2-custom-micro-2304", False), ("e2-custom-small-2048", True),
    ("e2-custom-2-0", False), ("e2-custom-02-4096", False), ("e2-custom-2-4096-x", False),
    ("e2-custom-99999999999-4096", False), ("n4-custom-2-4096", False)])
def test_custom_machine_types(cloud, name, good):
    assert (cloud.zone("GET", f"machineTypes/{name}").status == 200) == good


def test_serial_port(cloud):
    cloud.insert("quiet")
    answer = cloud.zone("GET", "instances/quiet/serialPort?port=1&start=0").json
    assert answer["kind"] == "compute#serialPortOutput"
    assert (answer["contents"], answer["start"], answer["next"]) == ("", "0", "0")
    assert cloud.zone("GET", "instances/quiet/serialPort?port=9").status == 400
    assert cloud.zone("GET", "instances/none/serialPort").status == 404


# The log


def test_request_log(cloud, key):
    marker = f"instances/log-{uuid.uuid4().hex[:8]}"
    cloud.zone("GET", marker + "?secret=query")
    operation = cloud.insert("logged")
    token = cloud.grant(sign(key)).json["access_token"]
    rows = eventually(lambda: [r for r in requests_of(cloud) if r["path"].endswith(marker)])
    assert rows[0]["method"] == "GET" and rows[0]["status"] == 404
    assert rows[0]["account"] == LAUNCHER and rows[0]["listener"] == "api"
    assert rows[0]["peer"] == "127.0.0.1" and "time" in rows[0]
    made = eventually(lambda: [r for r in requests_of(cloud)
                               if r.get("operation") == operation["name"]])
    assert made[0]["path"].endswith("/instances") and made[0]["method"] == "POST"
    text = (cloud.folder / "requests.jsonl").read_text()
    assert "query" not in text and token not in text and cloud.token() not in text
    assert "ya29" not in text and "assertion" not in text
    assert stat.S_IMODE((cloud.folder / "requests.jsonl").stat().st_mode) == 0o600
    refused = [r for r in requests_of(cloud) if r["status"] == 401]
    assert refused and all("account" not in r for r in refused)


@pytest.mark.parametrize("role, allowed", [
    (None, False), ("roles/compute.admin", False), ("roles/iam.serviceAccountTokenCreator", False),
    ("roles/iam.serviceAccountUser", True), ("roles/editor", True), ("roles/owner", True)])
def test_who_may_give_a_vm_an_account(role, allowed):
    folder = scratch()
    operator = f"operator@{PROJECT}.iam.gserviceaccount.com"
    own = Emulator(folder, "--project", PROJECT, "--service-account", "operator", "--grant",
                   "operator=roles/compute.instanceAdmin.v1", "--service-account", "vm1-launcher",
                   *(["--grant", f"operator={role}"] if role else [])).start()
    try:
        own.insert("plain")
        default = own.api("GET", f"/compute/v1/projects/{PROJECT}").json["defaultServiceAccount"]
        for email, called in ((LAUNCHER, LAUNCHER), ("default", default), (operator, operator)):
            name = called.partition("@")[0][-20:].lstrip("0123456789-")
            body = instance_body(name, serviceAccounts=[
                {"email": email, "scopes": [CLOUD_PLATFORM]}])
            answer = own.zone("POST", "instances", body)
            if allowed:
                assert answer.status == 200, answer.text
                continue
            assert answer.status == 403 and answer.reason == "forbidden"
            assert answer.message == (
                f"The user does not have access to service account '{called}'.  User: "
                f"'{operator}'.  Ask a project owner to grant you the iam.serviceAccountUser role "
                "on the service account")
            assert own.instance(name) is None
    finally:
        own.stop()
        remove(folder)


def test_the_default_account_alone_may_do_all():
    folder = scratch()
    own = Emulator(folder, "--project", PROJECT).start()
    try:
        own.insert("vm", serviceAccounts=[{"email": "default", "scopes": [CLOUD_PLATFORM]}])
    finally:
        own.stop()
        remove(folder)


# State


def test_state_survives_kill():
    folder = scratch()
    state = f"{folder}/state.db"
    options = ["--state", state, "--service-account", "vm1-launcher", "--grant",
               "vm1-launcher=roles/compute.admin"]
    own = Emulator(folder, *options).start()
    try:
        token = own.token()
        request_id = str(uuid.uuid4())
        operation = own.insert("durable", f"?requestId={request_id}")
        own.wait(own.zone("POST", "instances/durable/stop").json)
        names = []
        for i in range(5):
            names.append(f"fast-{i}")
            own.insert(names[-1], wait=False)
        own.stop(signal.SIGKILL)
        assert stat.S_IMODE(os.stat(state).st_mode) == 0o600
        with open(state, "rb") as f:
            assert token.encode() not in f.read()
        own.start()
        assert own.zone("GET", "instances", token=token).status == 200
        assert own.instance("durable")["status"] == "TERMINATED"
        for name in names:
            assert eventually(lambda n=name: own.instance(n)["status"] == "RUNNING")
        replay = own.zone("POST", f"instances?requestId={request_id}", instance_body("durable"))
        assert replay.status == 200 and replay.json["name"] == operation["name"]
        operations = own.zone("GET", "operations").json["items"]
        for op in operations:
            own.wait(op)
        assert len(operations) == 7
    finally:
        own.stop(signal.SIGKILL)
        remove(folder)


def test_operations_that_a_kill_cut_off_are_carried_on():
    folder = scratch()
    own = slow(folder, "--state", f"{folder}/state.db")
    try:
        own.insert("old")
        cut = [own.insert("new", wait=False), own.zone("DELETE", "instances/old").json]
        time.sleep(0.2)
        own.stop(signal.SIGKILL)
        own.start()
        for operation in cut:
            own.wait(operation)
        assert own.instance("new")["status"] == "RUNNING" and own.instance("old") is None
    finally:
        own.stop(signal.SIGKILL)
        remove(folder)


def run(*args):
    return subprocess.run([EMULATOR, "--vm-driver", "none", "--metadata", "127.0.0.1:0", "--api",
                           "127.0.0.1:0", *args], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=20, check=False)


def test_state_refusals():
    folder = scratch()
    state = f"{folder}/state.db"
    own = Emulator(folder, "--state", state).start()
    try:
        second = run("--state", state)
        assert second.returncode == 3 and "another gce-emulator" in second.stderr
        own.stop()
        os.chmod(state, 0o644)
        assert run("--state", state).returncode == 3
        with open(f"{folder}/junk", "w", encoding="utf-8") as f:
            f.write("not a database, but long enough to be looked at\n" * 100)
        os.chmod(f"{folder}/junk", 0o600)
        assert run("--state", f"{folder}/junk").returncode == 3
        assert run("--state", f"{folder}/no/such").returncode == 3
    finally:
        own.stop()
        remove(folder)


def test_key_file_is_never_overwritten_and_outlives_a_restart():
    folder = scratch()
    options = ["--state", f"{folder}/state.db", "--service-account", "a1", "--key",
               f"a1={folder}/a1.json"]
    own = Emulator(folder, *options).start()
    try:
        port = own.api_port
        before = (own.folder / "a1.json").read_text()
        own.stop()
        # On the same port the file's token_uri is still right: it stays as it is.
        own.options[own.options.index("--api") + 1] = f"127.0.0.1:{port}"
        own.start()
        assert (own.folder / "a1.json").read_text() == before
        assert own.grant(sign(json.loads(before))).status == 200
        own.stop()
        other = run("--service-account", "a1", "--key", f"a1={folder}/a1.json")
        assert other.returncode == 3 and "a1.json" in other.stderr
        assert (own.folder / "a1.json").read_text() == before
    finally:
        own.stop()
        remove(folder)


# The command line


@pytest.mark.parametrize("args, message", [
    (["--project", "Bad_Project"], "not a project id"), (["--zone", "mars-1-a"], "no such zone"),
    (["--grant", "ghost=roles/viewer"], "no such service account"),
    (["--service-account", "a1", "--grant", "a1=roles/compute.instanceadmin.v1"],
     "did you mean roles/compute.instanceAdmin.v1?"),
    (["--service-account", "a1", "--grant", "a1"], "EMAIL=ROLE"),
    (["--key", "x"], "EMAIL=FILE"), (["--key", "ghost=/tmp/x"], "no such service account"),
    (["--service-account", "A B"], "not a service account"), (["--vm-driver", "cloud"], "cloud"),
    (["--operation-delay", "-1"], "whole number"), (["--quota", "CPUS"], "NAME=NUMBER"),
    (["--quota", "CPUS=-1"], "NAME=NUMBER"), (["--quota", "CPUS=1x"], "NAME=NUMBER"),
    (["--quota", "GPUS=1"], "no such quota"), (["--nothing"], "no option --nothing"),
    (["extra"], "one too many"), (["--api", "127.0.0.1"], "ADDR:PORT")])
def test_usage_errors(args, message):
    if args[0] in ("--vm-driver", "--api"):
        done = subprocess.run([EMULATOR, "--metadata", "127.0.0.1:0", *args, *(
            ["--api", "127.0.0.1:0"] if args[0] != "--api" else ["--vm-driver", "none"])],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False)
    else:
        done = run(*args)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr and done.stdout == ""


def test_a_verb_that_is_not_there():
    done = subprocess.run([EMULATOR, "start"], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "start: there is no such verb" in done.stderr


def test_env_and_run(cloud):
    where = ["--metadata", f"127.0.0.1:{cloud.metadata_port}", "--api",
             f"127.0.0.1:{cloud.api_port}", "--project", PROJECT, "--zone", ZONE]
    lines = subprocess.run([EMULATOR, "env", *where], capture_output=True, text=True, timeout=20,
                           check=True).stdout.splitlines()
    env = dict(re.fullmatch(r"export (\w+)='([^']*)'", line).groups() for line in lines)
    address = f"127.0.0.1:{cloud.metadata_port}"
    assert env == {
        "GCE_METADATA_HOST": address, "GCE_METADATA_ROOT": address, "GCE_METADATA_IP": address,
        "METADATA_SERVER_DETECTION": "assume-present",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE":
            f"http://127.0.0.1:{cloud.api_port}/compute/v1/",
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS": f"http://127.0.0.1:{cloud.api_port}/",
        "GOOGLE_CLOUD_PROJECT": PROJECT, "CLOUDSDK_COMPUTE_ZONE": ZONE}
    done = subprocess.run([EMULATOR, "run", *where, "--", "sh", "-c",
                           "echo $GCE_METADATA_HOST; exit 7"], capture_output=True, text=True,
                          timeout=20, check=False)
    assert (done.returncode, done.stdout) == (7, address + "\n")
    assert subprocess.run([EMULATOR, "run"], capture_output=True, timeout=20,
                          check=False).returncode == 2


def test_stop_leaves_no_folder():
    parent = scratch()
    env = dict(os.environ, TMPDIR=parent)
    process = subprocess.Popen([EMULATOR, "--vm-driver", "none", "--metadata", "127.0.0.1:0",
                                "--api", "127.0.0.1:0"], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=env)
    try:
        process.stdout.readline()
        process.stdout.readline()
        assert len(os.listdir(parent)) == 1
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0
        assert os.listdir(parent) == []
    finally:
        process.kill()
        process.stdout.close()
        remove(parent)


def test_broken_http_does_not_end_it(cloud):
    for junk in (b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
                 b"\x16\x03\x01\x02\x00\x01\x00", b"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n",
                 b"POST /token HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
                 b"GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n"):
        for port in (cloud.api_port, cloud.metadata_port):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as s:
                s.sendall(junk)
                s.settimeout(0.3)
                try:
                    s.recv(4096)
                except (TimeoutError, ConnectionError):
                    pass
    assert cloud.v1("instance/name").text == "workstation"
    assert cloud.api("GET", "zones").status == 200

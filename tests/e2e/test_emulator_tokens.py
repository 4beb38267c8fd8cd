# SPDX-License-Identifier: Apache-2.0
"""gce-emulator: tokens of every kind: who gets them, what they say, where they come from."""
import base64
import http.server
import json
import os
import stat
import subprocess
import threading
import time
import urllib.parse
from pathlib import Path

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from emulator import (CLOUD_PLATFORM, EMULATOR, PROJECT, Emulator, ask, eventually, remove, scratch)

COMPUTE = "https://www.googleapis.com/auth/compute"
TOKEN = "instance/service-accounts/default/token"
IDENTITY = "instance/service-accounts/default/identity?audience="
CREATOR = "roles/iam.serviceAccountTokenCreator"


def email(name):
    return f"{name}@{PROJECT}.iam.gserviceaccount.com"


@pytest.fixture(scope="module")
def cloud():
    folder = scratch()
    names = ("maker", "target", "middle", "nobody")
    emulator = Emulator(
        folder, "--project", PROJECT, *[o for n in names for o in ("--service-account", n)],
        *[o for n in names for o in ("--key", f"{n}={folder}/{n}.json")],
        "--grant", f"maker={CREATOR}", "--grant", f"middle={CREATOR}",
        "--grant", "target=roles/compute.instanceAdmin.v1").start()
    yield emulator
    assert emulator.stop() == 0
    remove(folder)


def key_of(cloud, name):
    return json.loads((cloud.folder / f"{name}.json").read_text())


def assertion(key, **claims):
    now = int(time.time())
    payload = {"iss": key["client_email"], "scope": CLOUD_PLATFORM, "iat": now, "exp": now + 3600,
               "aud": "https://oauth2.googleapis.com/token", **claims}
    return jwt.encode({k: v for k, v in payload.items() if v is not None}, key["private_key"],
                      algorithm="RS256", headers={"kid": key["private_key_id"]})


def bearer(cloud, name, scope=CLOUD_PLATFORM):
    answer = cloud.grant(assertion(key_of(cloud, name), scope=scope))
    assert answer.status == 200, answer.text
    return answer.json["access_token"]


def iam(cloud, caller, account, method, body, scope=CLOUD_PLATFORM):
    token = caller and bearer(cloud, caller, scope)
    account = account if "@" in account or account.isdigit() else email(account)
    return cloud.api("POST", f"/v1/projects/-/serviceAccounts/{account}:{method}", body,
                     token=token)


def public_key(cloud, kid, path="/oauth2/v1/certs"):
    pem = cloud.api("GET", path, token=None).json[kid]
    return x509.load_pem_x509_certificate(pem.encode()).public_key()


def identity(cloud, token, audience):
    head = jwt.get_unverified_header(token)
    return jwt.decode(token, public_key(cloud, head["kid"]), algorithms=["RS256"],
                      audience=audience, issuer="https://accounts.google.com")


# /token


def test_grant_with_target_audience(cloud):
    """Auth section 3: an identity token alone, no access token beside it."""
    key = key_of(cloud, "maker")
    answer = cloud.grant(assertion(key, scope=None, target_audience="https://x.example/"))
    assert answer.status == 200 and set(answer.json) == {"id_token"}
    claims = identity(cloud, answer.json["id_token"], "https://x.example/")
    assert claims["email"] == email("maker") and claims["email_verified"] is True
    assert claims["azp"] == email("maker") and claims["sub"] == key["client_id"]
    both = cloud.grant(assertion(key, target_audience="a"))
    assert set(both.json) == {"id_token"}
    for wrong in ("", 5, "a" * 2049):
        answer = cloud.grant(assertion(key, target_audience=wrong))
        assert (answer.status, answer.json["error"]) == (400, "invalid_scope")


def test_the_keys_are_kept_with_the_state(cloud):
    folder = scratch()
    own = Emulator(folder, "--state", f"{folder}/state.db").start()
    token = own.v1(IDENTITY + "a").text
    kid = jwt.get_unverified_header(token)["kid"]
    own.stop(9)
    own.start()
    try:
        assert identity(own, token, "a")["aud"] == "a"
        assert jwt.get_unverified_header(own.v1(IDENTITY + "a").text)["kid"] == kid
        assert stat.S_IMODE(os.stat(f"{folder}/state.db").st_mode) == 0o600
    finally:
        assert own.stop() == 0
        remove(folder)
    other = cloud.v1(IDENTITY + "a").text
    assert jwt.get_unverified_header(other)["kid"] != kid


def test_tokeninfo(cloud):
    token = bearer(cloud, "maker", COMPUTE)
    client = key_of(cloud, "maker")["client_id"]
    for path in ("/oauth2/v1/tokeninfo", "/oauth2/v2/tokeninfo"):
        info = cloud.api("GET", f"{path}?access_token={token}", token=None).json
        assert 3500 < info.pop("expires_in") <= 3600
        assert info == {"issued_to": client, "audience": client, "user_id": client, "scope": COMPUTE,
                        "email": email("maker"), "verified_email": True, "access_type": "online"}
    info = cloud.api("GET", f"/oauth2/v3/tokeninfo?access_token={token}", token=None).json
    assert info["aud"] == info["azp"] == client and info["email_verified"] == "true"
    assert abs(int(info["exp"]) - time.time() - 3600) < 60 and int(info["expires_in"]) > 3500
    both = cloud.api("GET", f"/tokeninfo?access_token={token}", token=None).json
    assert both["audience"] == both["aud"] == client
    posted = ask("127.0.0.1", cloud.api_port, "POST", "/tokeninfo",
                 {"Content-Type": "application/x-www-form-urlencoded"},
                 f"access_token={token}".encode())
    assert posted.json["email"] == email("maker")


def test_tokeninfo_of_identity_tokens(cloud):
    token = cloud.v1(IDENTITY + "https://x.example/&format=full").text
    info = cloud.api("GET", f"/tokeninfo?id_token={token}", token=None).json
    assert info["aud"] == "https://x.example/" and info["email_verified"] == "true"
    assert info["alg"] == "RS256" and info["iss"] == "https://accounts.google.com"
    head, body, tail = token.split(".")
    forged = json.loads(base64.urlsafe_b64decode(body + "=="))
    forged["email"] = "evil@example.com"
    body = base64.urlsafe_b64encode(json.dumps(forged).encode()).rstrip(b"=").decode()
    for wrong in (f"{head}.{body}.{tail}", "x", "a.b.c", ""):
        answer = cloud.api("GET", f"/tokeninfo?id_token={wrong}", token=None)
        assert answer.status == 400 and answer.json["error"] == "invalid_token"
    for query in ("", "?access_token=ya29.wrong"):
        assert cloud.api("GET", "/tokeninfo" + query, token=None).status == 400


# The IAM Credentials API


def test_generate_access_token(cloud):
    answer = iam(cloud, "maker", "target", "generateAccessToken", {"scope": [COMPUTE], "lifetime": "600s"})
    assert answer.status == 200, answer.text
    token = answer.json["accessToken"]
    left = time.mktime(time.strptime(answer.json["expireTime"], "%Y-%m-%dT%H:%M:%SZ")) - (
        time.mktime(time.gmtime()))
    assert 540 < left <= 600
    info = cloud.api("GET", f"/tokeninfo?access_token={token}", token=None).json
    assert (info["email"], info["scope"]) == (email("target"), COMPUTE) and info["expires_in"] <= 600
    # It is the target that acts: with its roles, which the caller has not.
    assert cloud.zone("GET", "instances", token=token).status == 200
    assert cloud.zone("GET", "instances", token=bearer(cloud, "maker")).status == 403


def test_generate_access_token_by_unique_id(cloud):
    account = key_of(cloud, "target")["client_id"]
    assert iam(cloud, "maker", account, "generateAccessToken", {"scope": [COMPUTE]}).status == 200


@pytest.mark.parametrize("body", [
    {}, {"scope": []}, {"scope": "x"}, {"scope": [5]}, {"scope": ["a b"]},
    {"scope": [COMPUTE], "lifetime": "3601s"}, {"scope": [COMPUTE], "lifetime": "0s"},
    {"scope": [COMPUTE], "lifetime": "1h"}, {"scope": [COMPUTE], "lifetime": 60},
    {"scope": [COMPUTE], "lifetime": "60sx"}, {"scope": [COMPUTE], "delegates": "x"},
    {"scope": [COMPUTE], "delegates": ["x"]}])
def test_generate_access_token_refuses(cloud, body):
    answer = iam(cloud, "maker", "target", "generateAccessToken", body)
    assert answer.status == 400 and answer.json["error"]["status"] == "INVALID_ARGUMENT"


def test_generate_id_token(cloud):
    body = {"audience": "https://x.example/"}
    plain = identity(cloud, iam(cloud, "maker", "target", "generateIdToken", body).json["token"],
                     "https://x.example/")
    assert "email" not in plain and plain["sub"] == key_of(cloud, "target")["client_id"]
    body["includeEmail"] = True
    full = identity(cloud, iam(cloud, "maker", "target", "generateIdToken", body).json["token"],
                    "https://x.example/")
    assert full["email"] == email("target") and full["email_verified"] is True
    assert iam(cloud, "maker", "target", "generateIdToken", {}).status == 400


def test_sign_jwt_is_the_accounts_own(cloud):
    now = int(time.time())
    claims = {"iss": email("target"), "sub": email("target"), "aud": "https://compute.googleapis.com/",
              "iat": now, "exp": now + 600}
    answer = iam(cloud, "maker", "target", "signJwt", {"payload": json.dumps(claims)}).json
    path = f"/robot/v1/metadata/x509/{email('target')}"
    key = public_key(cloud, answer["keyId"], path)
    assert jwt.decode(answer["signedJwt"], key, algorithms=["RS256"], audience=claims["aud"]) == claims
    jwks = cloud.api("GET", f"/service_accounts/v1/jwk/{email('target')}", token=None).json
    assert [k["kid"] for k in jwks["keys"]] == [answer["keyId"]]
    # A bearer on the API, as if the account had signed it.
    assert cloud.zone("GET", "instances", token=answer["signedJwt"]).status == 200
    # But nobody signs as another one with it.
    claims["iss"] = claims["sub"] = email("middle")
    stolen = iam(cloud, "maker", "target", "signJwt", {"payload": json.dumps(claims)}).json
    assert cloud.zone("GET", "instances", token=stolen["signedJwt"]).status == 401
    late = dict(claims, exp=now + 12 * 3600 + 60)
    for payload in (json.dumps(late), "x", "[]", None, {"exp": 1}):
        assert iam(cloud, "maker", "target", "signJwt", {"payload": payload}).status == 400
    answer = cloud.api("GET", f"/robot/v1/metadata/x509/{email('none')}", token=None)
    assert answer.status == 404


def test_sign_blob(cloud):
    blob = os.urandom(100)
    body = {"payload": base64.b64encode(blob).decode()}
    answer = iam(cloud, "maker", "target", "signBlob", body).json
    key = public_key(cloud, answer["keyId"], f"/robot/v1/metadata/x509/{email('target')}")
    key.verify(base64.b64decode(answer["signedBlob"]), blob, padding.PKCS1v15(), hashes.SHA256())
    for payload in ("=", "a", "é", None):
        assert iam(cloud, "maker", "target", "signBlob", {"payload": payload}).status == 400


BODIES = {"generateAccessToken": {"scope": [COMPUTE]}, "generateIdToken": {"audience": "a"},
          "signJwt": {"payload": "{}"}, "signBlob": {"payload": "AAAA"}}


@pytest.mark.parametrize("method", BODIES)
def test_iam_needs_the_role(cloud, method):
    body = BODIES[method]
    assert iam(cloud, "maker", "target", method, body).status == 200
    refused = iam(cloud, "nobody", "target", method, body)
    assert refused.status == 403 and "ya29" not in refused.text
    assert refused.json["error"]["status"] == "PERMISSION_DENIED"
    assert "(or it may not exist)." in refused.message
    assert iam(cloud, None, "target", method, body).status == 401
    assert iam(cloud, "maker", "target", method, body, scope=COMPUTE).status == 403
    # Who may not learns nothing about who is there.
    assert iam(cloud, "nobody", "gone", method, body).message == refused.message
    assert iam(cloud, "maker", "gone", method, body).status == 404


@pytest.mark.parametrize("method", BODIES)
def test_iam_delegates(cloud, method):
    def names(*accounts):
        return [f"projects/-/serviceAccounts/{email(a)}" for a in accounts]

    body = dict(BODIES[method], delegates=names("middle"))
    assert iam(cloud, "maker", "target", method, body).status == 200
    assert iam(cloud, "nobody", "target", method, body).status == 403
    for chain, status in ((("nobody",), 403), (("middle", "nobody"), 403), (("nobody", "middle"), 403),
                          (("middle", "middle"), 200), (("gone",), 404)):
        body["delegates"] = names(*chain)
        assert iam(cloud, "maker", "target", method, body).status == status, chain


def test_iam_null_is_absent(cloud):
    """As gcloud sends it."""
    body = {"scope": [COMPUTE], "delegates": None, "lifetime": None}
    assert iam(cloud, "maker", "target", "generateAccessToken", body).status == 200


def test_iam_unknown_methods_and_bodies(cloud):
    assert iam(cloud, "maker", "target", "generateGold", {}).status == 404
    assert cloud.api("POST", f"/v1/projects/-/serviceAccounts/{email('target')}", {},
                     token=bearer(cloud, "maker")).status == 404
    for body in (b"", b"[]", b"{", b'{"a":1,"a":2}'):
        assert iam(cloud, "maker", "target", "signJwt", body).status == 400


# Guest attributes at the API; the metadata server's side is in test_emulator_rows.py


def test_get_guest_attributes():
    folder = scratch()
    own = Emulator(folder).start()
    try:
        own.insert("quiet")
        own.insert("open", metadata={"items": [{"key": "enable-guest-attributes", "value": "TRUE"}]})
        assert own.zone("GET", "instances/quiet/getGuestAttributes").status == 412
        assert own.zone("GET", "instances/gone/getGuestAttributes").status == 404
        answer = own.zone("GET", "instances/open/getGuestAttributes?queryPath=hostkeys/")
        assert answer.status == 404 and answer.reason == "notFound"
    finally:
        assert own.stop() == 0
        remove(folder)


# Where tokens come from


class Source(Emulator):
    """`gce-emulator metadata` with tokens from elsewhere."""

    def __init__(self, folder, *options, env=None):
        super().__init__(folder)
        self.options = ["metadata", "--metadata", "127.0.0.1:0", *options]
        self.env = env or {}

    def start(self):
        with open(self.folder / "stderr", "ab") as log:
            self.process = subprocess.Popen(
                [EMULATOR, *self.options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=log, text=True, env={**os.environ, "TMPDIR": str(self.folder), **self.env})
        line = self.process.stdout.readline()
        assert line.startswith("ready metadata http://"), line + self.stderr
        self.metadata_port = int(line.rsplit(":", 1)[1])
        return self

    @property
    def stderr(self):
        return (self.folder / "stderr").read_text()


@pytest.fixture
def source():
    folder = scratch()
    started = []

    def make(*options, **env):
        started.append(Source(folder, *options, env=env).start())
        return started[-1]

    make.folder = folder
    yield make
    for one in started:
        assert one.stop() == 0
    remove(folder)


def unsigned(**claims):
    key = rsa.generate_private_key(65537, 2048)
    return jwt.encode(claims, key, algorithm="RS256", headers={"kid": "a"})


def test_source_env(source):
    own = source("--token-source", "env", GOOGLE_ACCESS_TOKEN="ya29.from-env", GOOGLE_ID_TOKEN="a.b.c",
                 GOOGLE_PROJECT_ID="their-project", GOOGLE_NUMERIC_PROJECT_ID="12345",
                 GOOGLE_SERVICE_ACCOUNT="who@their-project.iam.gserviceaccount.com")
    token = own.v1(TOKEN)
    assert token.json["access_token"] == "ya29.from-env" and token.json["token_type"] == "Bearer"
    assert 3500 < token.json["expires_in"] <= 3600 and token.headers["ETag"] is None
    assert own.v1(IDENTITY + "x").text == "a.b.c"
    assert own.v1(IDENTITY).status == 400
    assert own.v1("project/project-id").text == "their-project"
    assert own.v1("project/numeric-project-id").text == "12345"
    account = "who@their-project.iam.gserviceaccount.com"
    assert own.v1("instance/service-accounts/default/email").text == account
    assert own.v1(f"instance/service-accounts/{account}/token").status == 200
    assert "WARNING" in own.stderr and "OTHER MACHINES" not in own.stderr
    assert "ya29" not in own.stderr


def test_source_env_over_a_metadata_file(source):
    from test_emulator_rows import CONFIG
    (config := source.folder + "/config.json")
    with open(config, "w", encoding="utf-8") as f:
        json.dump(CONFIG, f)
    own = source("--token-source", "env", "--metadata-file", config, GOOGLE_ACCESS_TOKEN="ya29.e",
                 GOOGLE_PROJECT_ID="their-project", GOOGLE_SERVICE_ACCOUNT="who@example.com")
    assert own.v1("project/project-id").text == "their-project"
    assert own.v1("project/numeric-project-id").text == "708288290784"
    assert own.v1("instance/service-accounts/").text == "who@example.com/\ndefault/\n"
    assert own.v1("instance/name").text == "vm" and own.v1(TOKEN).json["access_token"] == "ya29.e"
    assert own.v1(IDENTITY + "x").status == 500  # there is no GOOGLE_ID_TOKEN


def fake_gcloud(folder, script):
    path = os.path.join(folder, "bin")
    os.makedirs(path, exist_ok=True)
    with open(f"{path}/gcloud", "w", encoding="utf-8") as f:
        f.write(f"#!/bin/sh\necho \"$*\" >> {folder}/calls\n{script}\n")
    os.chmod(f"{path}/gcloud", 0o755)
    return f"{path}:{os.environ['PATH']}"


def calls(folder):
    with open(f"{folder}/calls", encoding="utf-8") as f:
        return f.read().splitlines()


def test_source_gcloud(source):
    token = unsigned(aud="a", exp=int(time.time()) + 3000)
    path = fake_gcloud(source.folder, f"""
[ -z "$GCE_METADATA_HOST" ] || exit 9
echo "a warning" >&2
case "$*" in
"auth print-access-token") echo ya29.from-gcloud ;;
*) echo {token} ;;
esac""")
    own = source("--token-source", "gcloud", PATH=path, GCE_METADATA_HOST="127.0.0.1:1")
    answers = [own.v1(TOKEN), own.v1(TOKEN + "?scopes=" + COMPUTE), own.v1(TOKEN)]
    assert {a.json["access_token"] for a in answers} == {"ya29.from-gcloud"}
    assert all(0 < a.json["expires_in"] <= 300 for a in answers)
    assert own.v1(IDENTITY + "https://x.example/").text == token
    assert own.v1(IDENTITY + "https://x.example/").text == token
    assert calls(source.folder) == ["auth print-access-token",
                                    "auth print-identity-token --audiences=https://x.example/"]
    assert "WARNING" in own.stderr and "ya29" not in own.stderr


def test_source_gcloud_that_fails(source):
    path = fake_gcloud(source.folder, "echo 'ERROR: you are not logged in' >&2; exit 1")
    own = source("--token-source", "gcloud", PATH=path)
    answer = own.v1(TOKEN)
    assert answer.status == 500 and "you are not logged in" in answer.text
    fake_gcloud(source.folder, "echo two words")
    assert eventually(lambda: "no token" in own.v1(TOKEN).text)
    fake_gcloud(source.folder, "echo ya29.good")
    assert eventually(lambda: own.v1(TOKEN).status == 200)


def test_source_gcloud_that_is_slow_holds_up_nobody(source):
    path = fake_gcloud(source.folder, "sleep 3; echo ya29.slow")
    own = source("--token-source", "gcloud", PATH=path)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(own.v1(TOKEN))) for _ in range(12)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    begin = time.monotonic()
    assert own.v1("instance/name").status == 200
    assert time.monotonic() - begin < 2
    for thread in threads:
        thread.join()
    assert [a.json["access_token"] for a in answers] == ["ya29.slow"] * 12
    assert len(calls(source.folder)) == 1


def test_source_gcloud_that_hangs_does_not_hinder_the_stop(source):
    path = fake_gcloud(source.folder, "sleep 1000")
    own = source("--token-source", "gcloud", PATH=path)
    thread = threading.Thread(target=lambda: own.v1(TOKEN))
    thread.start()
    assert eventually(lambda: os.path.exists(f"{source.folder}/calls"))
    begin = time.monotonic()
    assert own.stop() == 0 and time.monotonic() - begin < 10
    thread.join()


class Endpoint(http.server.BaseHTTPRequestHandler):
    """A token endpoint that checks what it is sent with other people's code."""

    public, asked, status = None, [], 200

    def do_POST(self):
        form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        claims = jwt.decode(form["assertion"][0], self.public, algorithms=["RS256"],
                            options={"verify_aud": False})
        Endpoint.asked.append((form["grant_type"][0], claims, jwt.get_unverified_header(
            form["assertion"][0])))
        if self.status != 200:
            body = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
        elif "target_audience" in claims:
            body = {"id_token": unsigned(aud=claims["target_audience"], exp=int(time.time()) + 3600)}
        else:
            body = {"access_token": f"ya29.real-{len(self.asked)}", "expires_in": 3599,
                    "token_type": "Bearer"}
        text = json.dumps(body).encode()
        self.send_response(self.status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


@pytest.fixture
def endpoint():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    Endpoint.asked, Endpoint.status = [], 200
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def write_key(folder, uri, mode=0o600, **members):
    key = rsa.generate_private_key(65537, 2048)
    Endpoint.public = key.public_key()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                            serialization.NoEncryption()).decode()
    path = f"{folder}/real.json"
    with open(path, "w", encoding="utf-8") as f:
        json.dump({"type": "service_account", "project_id": "real-project", "private_key_id": "k1",
                   "private_key": pem, "client_email": "sa@real-project.iam.gserviceaccount.com",
                   "token_uri": uri, **members}, f)
    os.chmod(path, mode)
    return path


def test_source_key(source, endpoint):
    uri = f"http://127.0.0.1:{endpoint.server_address[1]}/token"
    path = write_key(source.folder, uri)
    own = source("--token-source", f"key:{path}")
    account = "sa@real-project.iam.gserviceaccount.com"
    assert own.v1("instance/service-accounts/default/email").text == account
    assert own.v1("project/project-id").text == "real-project"
    first = own.v1(TOKEN).json
    assert first["access_token"] == "ya29.real-1" and 3500 < first["expires_in"] <= 3599
    assert own.v1(TOKEN).json["access_token"] == "ya29.real-1"
    assert own.v1(f"{TOKEN}?scopes={COMPUTE}").json["access_token"] == "ya29.real-2"
    token = own.v1(IDENTITY + "https://x.example/").text
    assert jwt.decode(token, options={"verify_signature": False})["aud"] == "https://x.example/"
    grant, claims, head = Endpoint.asked[0]
    assert grant == "urn:ietf:params:oauth:grant-type:jwt-bearer" and head["kid"] == "k1"
    assert claims["iss"] == account and claims["aud"] == uri and claims["scope"] == CLOUD_PLATFORM
    assert claims["exp"] - claims["iat"] == 3600
    assert [c.get("target_audience") for _, c, _ in Endpoint.asked] == [None, None, "https://x.example/"]
    assert account in own.stderr and "WARNING" in own.stderr and "ya29" not in own.stderr


def test_source_key_that_is_refused(source, endpoint):
    path = write_key(source.folder, f"http://127.0.0.1:{endpoint.server_address[1]}/token")
    Endpoint.status = 400
    own = source("--token-source", f"key:{path}")
    answer = own.v1(TOKEN)
    assert answer.status == 500 and "invalid_grant Invalid JWT Signature." in answer.text
    Endpoint.status = 200
    assert eventually(lambda: own.v1(TOKEN).status == 200)


@pytest.mark.parametrize("spec, said", [
    ("gold", "local, key:FILE, gcloud and env"), ("key:", "key:FILE wants a file"),
    ("key:/nowhere/key.json", "/nowhere/key.json"), ("env", "GOOGLE_ACCESS_TOKEN"),
    ("gcloud", "no gcloud on PATH"), ("gcloud:x", "nothing behind it")])
def test_source_that_cannot_be(spec, said):
    env = {"PATH": "/nowhere"}
    done = subprocess.run([EMULATOR, "metadata", "--metadata", "127.0.0.1:0", "--token-source", spec],
                          capture_output=True, text=True, env=env, timeout=20, check=False)
    assert done.returncode in (2, 3) and said in done.stderr and done.stdout == ""


@pytest.mark.parametrize("uri, mode, members, said", [
    ("http://token.example/", 0o600, {}, "token_uri is not https"),
    ("http://127.0.0.1@evil.example/", 0o600, {}, "token_uri is not https"),
    ("http://127.evil.example/", 0o600, {}, "token_uri is not https"),
    ("http://localhost:80@evil.example/", 0o600, {}, "token_uri is not https"),
    ("http://[::1].evil.example:80/", 0o600, {}, "token_uri is not https"),
    ("https://x.example/", 0o644, {}, "chmod"),
    ("https://x.example/", 0o600, {"type": "authorized_user"}, "not a service-account key")])
def test_key_that_is_refused_at_the_start(uri, mode, members, said):
    folder = scratch()
    path = write_key(folder, uri, mode, **members)
    done = subprocess.run([EMULATOR, "metadata", "--metadata", "127.0.0.1:0", "--token-source",
                           f"key:{path}"], capture_output=True, text=True, timeout=20, check=False)
    remove(folder)
    assert done.returncode in (2, 3) and said in done.stderr and "PRIVATE KEY" not in done.stderr


def test_real_tokens_that_vms_can_take_are_warned_about():
    folder = scratch()
    own = Emulator(folder, "--token-source", "env", driver="process")
    os.environ["GOOGLE_ACCESS_TOKEN"] = "ya29.e"
    try:
        own.start()
        assert "WARNING: VMs CAN TAKE THEM" in Path(folder, "stderr").read_text()
    finally:
        del os.environ["GOOGLE_ACCESS_TOKEN"]
        own.stop()
        remove(folder)


def test_real_tokens_beyond_loopback_are_warned_about(source):
    own = source("--token-source", "env", "--metadata-also", "0.0.0.0:0", GOOGLE_ACCESS_TOKEN="ya29.e")
    assert eventually(lambda: "OTHER MACHINES CAN TAKE THEM" in own.stderr)

# SPDX-License-Identifier: Apache-2.0
"""vmcp-launch and its credentials: every type, in Google's order, and where each may go."""
import email.utils
import json
import time
import urllib.parse

import pytest
from jwcrypto import jws

from launch_world import PROJECT, World, api_error

EMAIL = f"deployer@{PROJECT}.iam.gserviceaccount.com"
USER = {"type": "authorized_user", "client_id": "id.apps.example", "client_secret": "cl1ent-s3cret",
        "refresh_token": "1//refr3sh"}


@pytest.fixture
def world(tmp_path):
    w = World(tmp_path)
    w.endpoint = Endpoint(w)
    w.env["CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS"] = w.compute.server.origin + "/"
    yield w
    w.close()


class Endpoint:
    """Token endpoints, on the Compute API's own origin: /token, /sts and IAM Credentials."""

    def __init__(self, world):
        self.url = world.compute.server.origin + "/token"
        self.sts = world.compute.server.origin + "/sts"
        self.forms = []      # what /token and /sts were sent
        self.generated = []  # (account, caller's token, body) of generateAccessToken
        self.answers = {"access_token": "ya29.key", "token_type": "Bearer", "expires_in": 3599}
        self.fail = lambda: None
        self.clock = 0       # seconds that it is ahead of ours
        world.compute.tokens |= {"ya29.impersonated"}
        world.compute.before = self.before

    def before(self, request):
        request.date_time_string = lambda *_: email.utils.formatdate(time.time() + self.clock,
                                                                     usegmt=True)
        path = request.url.path
        if path in ("/token", "/sts"):
            self.forms.append(dict(urllib.parse.parse_qsl(request.body.decode())))
            return self.fail() or (200, "application/json", self.answers)
        if path.endswith(":generateAccessToken"):
            caller = request.headers["Authorization"].removeprefix("Bearer ")
            account = path.rsplit("/", 1)[1].split(":")[0]
            self.generated.append((account, caller, json.loads(request.body)))
            expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + self.clock + 3600))
            return self.fail() or (200, "application/json", {
                "accessToken": "ya29.impersonated", "expireTime": expires})
        return None


def write(world, document, name="credentials.json"):
    return str(world.write(name, json.dumps(document)))


def launched_with(world, *args, **kwargs):
    """The token of the insert; nothing secret was printed."""
    done = world.run(*args, **kwargs)
    assert done.returncode == 0, done.stderr
    for secret in ("ya29", "cl1ent-s3cret", "refr3sh", "subj3ct"):
        assert secret not in done.stdout + done.stderr
    return world.compute.inserts()[-1]["headers"]["Authorization"].removeprefix("Bearer ")


def asked_metadata(world):
    return [r for r in world.metadata.server.log if r["path"].endswith("/token")]


# --- the order

def login(world, document=None):
    (world.folder / "gcloud").mkdir(exist_ok=True)
    return write(world, document or {**USER, "token_uri": world.endpoint.url},
                 "gcloud/application_default_credentials.json")


def test_order(world):
    assert launched_with(world) == "ya29.metadata"
    login(world)
    world.endpoint.answers["access_token"] = "ya29.key"
    assert launched_with(world, "--name-suffix", "b") == "ya29.key"
    assert world.endpoint.forms[-1]["grant_type"] == "refresh_token"
    _, key = world.key_file(world.endpoint.url)
    world.metadata.attributes = {"service-credentials": key.read_text()}
    launched_with(world, "--name-suffix", "c")
    assert "assertion" in world.endpoint.forms[-1]
    env = dict(world.env, GOOGLE_APPLICATION_CREDENTIALS=write(
        world, {**USER, "refresh_token": "from-environment", "token_uri": world.endpoint.url}))
    launched_with(world, "--name-suffix", "d", env=env)
    assert world.endpoint.forms[-1]["refresh_token"] == "from-environment"
    flag = write(world, {**USER, "refresh_token": "from-flag", "token_uri": world.endpoint.url},
                 "flag.json")
    launched_with(world, "--name-suffix", "e", "--credentials", flag, env=env)
    assert world.endpoint.forms[-1]["refresh_token"] == "from-flag"


def test_home_of_a_login(world):
    folder = world.folder / ".config/gcloud"
    folder.mkdir(parents=True)
    write(world, {**USER, "token_uri": world.endpoint.url},
          ".config/gcloud/application_default_credentials.json")
    env = {k: v for k, v in world.env.items() if k != "CLOUDSDK_CONFIG"}
    assert launched_with(world, env=dict(env, HOME=str(world.folder))) == "ya29.key"


@pytest.mark.parametrize("text,code,exit_code", [
    (None, "file", 3), ("", "credentials", 5), ("{", "credentials", 5), ("{}", "credentials", 5),
    ('{"type": "gdch_service_account"}', "credentials", 5)])
def test_what_was_named_is_never_fallen_from(world, text, code, exit_code):
    path = world.folder / "named.json"
    if text is not None:
        world.write("named.json", text)
    env = dict(world.env, GOOGLE_APPLICATION_CREDENTIALS=str(path))
    done = world.refused(code, exit_code, env=env)
    assert "named.json" in done.stderr and not asked_metadata(world)


def test_a_broken_login_is_an_error(world):
    login(world, {"type": "authorized_user"})
    world.refused("credentials", 5)
    assert not asked_metadata(world)


def test_a_login_that_others_can_read(world):
    path = world.folder / "gcloud/application_default_credentials.json"
    login(world)
    path.chmod(0o644)
    world.refused("file-mode", 3)


def test_nothing_at_all(world):
    env = {k: v for k, v in world.env.items() if k != "GCE_METADATA_HOST"}
    done = world.run("--project", PROJECT, "--zone", "us-central1-a", env=env)
    if done.report["code"] != "ok":
        assert done.report["code"] == "credentials"
        for word in ("--credentials", "GOOGLE_APPLICATION_CREDENTIALS", "gcloud"):
            assert word in done.report["detail"]


@pytest.mark.parametrize("document", [
    USER, {"type": "external_account", "audience": "a", "subject_token_type": "t",
           "credential_source": {"file": "/etc/passwd"}}])
def test_metadata_names_service_accounts_only(world, document):
    world.metadata.attributes = {"service-credentials": json.dumps(
        {**document, "token_uri": world.endpoint.url, "token_url": world.endpoint.sts})}
    done = world.refused("credentials", 5)
    assert "metadata" in done.report["detail"] and not world.endpoint.forms


# --- a person's login

def test_authorized_user(world):
    path = write(world, {**USER, "token_uri": world.endpoint.url})
    assert launched_with(world, "--credentials", path) == "ya29.key"
    assert world.endpoint.forms == [{
        "grant_type": "refresh_token", "client_id": USER["client_id"],
        "client_secret": USER["client_secret"], "refresh_token": USER["refresh_token"]}]


def test_login_expired(world):
    world.endpoint.fail = lambda: (400, "application/json", {
        "error": "invalid_grant", "error_description": "Token has been expired or revoked."})
    done = world.refused("credentials", 5, "--credentials",
                         write(world, {**USER, "token_uri": world.endpoint.url}), writes=1)
    assert "gcloud auth application-default login" in done.report["detail"]
    assert "a person's login" in done.report["where"]


# --- workload identity

def external(world, source, **more):
    return write(world, {
        "type": "external_account", "audience": "//iam.googleapis.com/projects/1/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": world.endpoint.sts, "credential_source": source, **more})


def test_external_account_from_a_file(world):
    subject = world.write("subject", "subj3ct.text\n")
    path = external(world, {"file": str(subject)})
    assert launched_with(world, "--credentials", path) == "ya29.key"
    form, = world.endpoint.forms
    assert form == {
        "grant_type": "urn:ietf:params:oauth:grant-type:token-exchange",
        "audience": "//iam.googleapis.com/projects/1/x",
        "scope": "https://www.googleapis.com/auth/compute",
        "requested_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "subject_token": "subj3ct.text",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt"}


def test_external_account_from_json(world):
    subject = world.write("subject", json.dumps({"a": {}, "token": "subj3ct.json"}))
    launched_with(world, "--credentials", external(world, {
        "file": str(subject), "format": {"type": "json", "subject_token_field_name": "token"}}))
    assert world.endpoint.forms[0]["subject_token"] == "subj3ct.json"
    done = world.run("--name-suffix", "b", "--credentials", external(world, {
        "file": str(subject), "format": {"type": "json", "subject_token_field_name": "other"}}))
    assert (done.returncode, "other" in done.report["detail"]) == (5, True)


def test_external_account_from_a_url(world):
    world.responder.fail = lambda: None
    world.metadata.tree["subject"] = "subj3ct.url"
    path = external(world, {"url": f"http://{world.metadata.host}/computeMetadata/v1/subject",
                            "headers": {"Metadata-Flavor": "Google", "X-Other": "1"}})
    launched_with(world, "--credentials", path)
    assert world.endpoint.forms[0]["subject_token"] == "subj3ct.url"
    asked, = [r for r in world.metadata.server.log if r["path"].endswith("/subject")]
    assert asked["headers"]["X-Other"] == "1" and "Authorization" not in asked["headers"]


@pytest.mark.parametrize("url", [
    "http://tokens.example/subject", "http://10.0.0.1/subject", "http://metadata.google.internal.evil/",
    "http://127.0.0.1.evil.example/", "http://127.0.0.1@evil.example/", "HTTP://127.0.0.1/", "ftp://127.0.0.1/",
    "https://user:pw@tokens.example/", "http://evil.example?x=http://127.0.0.1/", "", "https://a/\t"])
def test_external_account_over_plain_http(world, url):
    done = world.refused("credentials", 5, "--credentials", external(world, {"url": url}))
    assert "credential_source" in done.report["detail"] and not world.endpoint.forms


def test_external_account_with_a_query(world):
    world.metadata.tree["subject"] = "subj3ct.url"
    path = external(world, {"url": f"http://{world.metadata.host}/computeMetadata/v1/subject?a=1&b=%20",
                            "headers": {"Metadata-Flavor": "Google"}})
    launched_with(world, "--credentials", path)


def test_external_account_whose_url_says_nothing(world):
    world.metadata.server.handle_one, kept = lambda request: time.sleep(60), \
        world.metadata.server.handle_one
    url = world.metadata.server.origin
    world.env.pop("GCE_METADATA_HOST")
    start = time.monotonic()
    done = world.run("--credentials", external(world, {"url": url + "/subject"}), "--project", PROJECT,
                     "--zone", "us-central1-a", "--timeout", "3")
    world.metadata.server.handle_one = kept
    assert (done.report["code"], done.returncode) == ("credentials", 5), done.stderr
    assert "credential_source.url" in done.report["detail"] and "workload" in done.report["where"]
    assert time.monotonic() - start < 9


@pytest.mark.parametrize("value", [1, "a\r\nX-Other: b", None])
def test_external_account_with_a_wrong_header(world, value):
    path = external(world, {"url": f"http://{world.metadata.host}/computeMetadata/v1/subject",
                            "headers": {"Metadata-Flavor": "Google", "X-Other": value}})
    done = world.refused("credentials", 5, "--credentials", path)
    assert "headers" in done.report["detail"]


def test_external_account_impersonates(world):
    subject = world.write("subject", "subj3ct")
    world.endpoint.answers["access_token"] = "federated"
    path = external(
        world, {"file": str(subject)}, service_account_impersonation={"token_lifetime_seconds": 1800},
        service_account_impersonation_url=f"{world.compute.server.origin}/v1/projects/-/"
                                          f"serviceAccounts/{EMAIL}:generateAccessToken")
    assert launched_with(world, "--credentials", path) == "ya29.impersonated"
    assert world.endpoint.forms[0]["scope"].endswith("/auth/cloud-platform")
    (account, caller, body), = world.endpoint.generated
    assert (account, caller, body["lifetime"]) == (EMAIL, "federated", "1800s")
    assert body["scope"] == ["https://www.googleapis.com/auth/compute"]


@pytest.mark.parametrize("source", [
    {"executable": {"command": "/bin/true"}}, {"environment_id": "aws1"}, {}, None,
    {"file": "/a", "url": "http://127.0.0.1/"}])
def test_external_account_of_other_sources(world, source):
    done = world.refused("credentials", 5, "--credentials", external(world, source))
    assert "credential_source" in done.report["detail"]


# --- impersonation

def test_impersonation_by_way_of_delegates(world):
    args = ["--impersonate-service-account", f"a@{PROJECT}.example,b@{PROJECT}.example,{EMAIL}"]
    assert launched_with(world, *args) == "ya29.impersonated"
    (account, caller, body), = world.endpoint.generated
    assert (account, caller) == (EMAIL, "ya29.metadata")
    assert body["delegates"] == [f"projects/-/serviceAccounts/{n}@{PROJECT}.example" for n in "ab"]


def test_impersonated_service_account(world):
    path = write(world, {
        "type": "impersonated_service_account", "delegates": [f"a@{PROJECT}.example"],
        "service_account_impersonation_url": f"{world.compute.server.origin}/v1/projects/-/"
                                             f"serviceAccounts/{EMAIL}:generateAccessToken",
        "source_credentials": {**USER, "token_uri": world.endpoint.url}})
    assert launched_with(world, "--credentials", path) == "ya29.impersonated"
    (account, caller, body), = world.endpoint.generated
    assert (account, caller) == (EMAIL, "ya29.key") and len(body["delegates"]) == 1


def test_impersonation_is_denied(world):
    world.endpoint.fail = lambda: api_error(
        403, "forbidden", "Permission 'iam.serviceAccounts.getAccessToken' denied on resource")
    done = world.refused("credentials", 5, "--impersonate-service-account", EMAIL, writes=1)
    assert "roles/iam.serviceAccountTokenCreator" in done.report["detail"]
    assert EMAIL in done.report["where"]


def test_lifetime_is_told_by_the_endpoints_clock(world):
    """Our clock is an hour behind: the token is good for an hour all the same."""
    world.endpoint.clock = 3600
    assert launched_with(world, "--impersonate-service-account", EMAIL) == "ya29.impersonated"
    assert len(world.endpoint.generated) == 1


@pytest.mark.parametrize("email", ["", "nobody", "default", "../../x@y.example", "a,b"])
def test_impersonation_of_nobody(world, email):
    done = world.run("--impersonate-service-account", email)
    assert done.returncode in (2, 5) and not world.compute.writes()


def test_nested_too_deep(world):
    document = {**USER, "token_uri": world.endpoint.url}
    for _ in range(4):
        document = {"type": "impersonated_service_account", "source_credentials": document,
                    "service_account_impersonation_url": world.compute.server.origin + "/v1/x"}
    world.refused("credentials", 5, "--credentials", write(world, document))


# --- a token of somebody else's

def test_access_token_file(world):
    path = world.write("token", "ya29.key\n")
    assert launched_with(world, "--access-token-file", str(path)) == "ya29.key"
    assert not asked_metadata(world)
    path.chmod(0o644)
    world.refused("file-mode", 3, "--access-token-file", str(path),
                  writes=len(world.compute.writes()))


def test_access_token_file_is_read_again_after_a_401(world):
    path = world.write("token", "ya29.old")
    before = world.endpoint.before

    def renew(request):
        if request.headers.get("Authorization") == "Bearer ya29.old":
            path.write_text("ya29.key")
        return before(request)
    world.compute.before = renew
    assert launched_with(world, "--access-token-file", str(path)) == "ya29.key"


@pytest.mark.parametrize("text", ["", "two words", "a\nb", "x\r\nHost: evil"])
def test_broken_access_token_file(world, text):
    world.refused("credentials", 5, "--access-token-file", str(world.write("token", text)))


def test_access_token_file_comes_first(world):
    env = dict(world.env, GOOGLE_APPLICATION_CREDENTIALS="/nonexistent/key.json")
    path = world.write("token", "ya29.key\n")
    assert launched_with(world, "--access-token-file", str(path), env=env) == "ya29.key"


# --- a service account's key

def self_signed(world, *args, key_changes=None, **kwargs):
    key, path = world.key_file("https://oauth2.googleapis.com/token", key_changes)
    seen = []
    before = world.endpoint.before

    def check(request):
        seen.append(request.headers["Authorization"].removeprefix("Bearer "))
        world.compute.tokens.add(seen[-1])
        return before(request)
    world.compute.before = check
    world.launch("--credentials", str(path), *args, **kwargs)
    token = jws.JWS()
    token.deserialize(seen[-1], key)
    assert len(set(seen)) == 1 and not world.endpoint.forms
    return json.loads(token.payload)


def test_self_signed_jwt(world):
    claims = self_signed(world, "--self-signed-jwt")
    assert claims["aud"] == world.compute.server.origin + "/"
    assert claims["iss"] == claims["sub"] == f"vm1@{PROJECT}.iam.gserviceaccount.com"
    assert 3000 < claims["exp"] - time.time() <= 3600 and "scope" not in claims


def test_self_signed_jwt_in_another_universe(world):
    self_signed(world, key_changes={"universe_domain": "universe.example"},
                env=dict(world.env, GOOGLE_CLOUD_UNIVERSE_DOMAIN="universe.example"))


def keyed(world, *args):
    _, path = world.key_file(world.endpoint.url)
    return ["--credentials", str(path), *args]


@pytest.mark.parametrize("clock,words", [(-400, "400 s ahead"), (900, "900 s behind"),
                                         (0, "clock right")])
def test_clock_skew_is_told(world, clock, words):
    world.endpoint.clock = clock
    world.endpoint.fail = lambda: (400, "application/json", {
        "error": "invalid_grant",
        "error_description": "Invalid JWT: Token must be a short-lived token (60 minutes) and in a "
                             "reasonable timeframe. Check your iat and exp values in the JWT claim."})
    done = world.refused("credentials", 5, *keyed(world), writes=1)
    told = done.report["detail"]
    assert "invalid_grant" in told
    assert any(words.replace(str(abs(clock)), str(abs(clock) + d)) in told for d in (-1, 0, 1)), told


@pytest.mark.parametrize("description,advice", [
    ("Invalid JWT Signature.", "new key file"), ("Invalid grant: account not found", "gone"),
    ("The account has been deleted", "gone"), ("Invalid JWT: Failed audience check.", "token_uri")])
def test_advice(world, description, advice):
    world.endpoint.fail = lambda: (400, "application/json", {
        "error": "invalid_grant", "error_description": description})
    done = world.refused("credentials", 5, *keyed(world), writes=1)
    assert advice in done.report["detail"] and "vm1@" in done.report["where"]


@pytest.mark.parametrize("failure", [
    (503, "text/html", "<html>"), (500, "application/json", {}), (504, "text/plain", ""),
    (429, "application/json", {}), (408, "text/plain", ""),
    (400, "application/json", {"error": "temporarily_unavailable"})])
def test_endpoint_is_asked_again(world, failure):
    left = [failure]
    world.endpoint.fail = lambda: left.pop() if left else None
    world.launch(*keyed(world))
    assert len(world.endpoint.forms) == 2


@pytest.mark.parametrize("answer", [
    {}, {"access_token": "a b", "token_type": "Bearer", "expires_in": 3599},
    {"access_token": "x", "token_type": "mac", "expires_in": 3599},
    {"access_token": "x", "token_type": "Bearer", "expires_in": -1},
    {"access_token": "x", "token_type": "Bearer"}])
def test_what_is_no_token(world, answer):
    world.endpoint.answers = answer
    world.refused("credentials", 5, *keyed(world), writes=1)


@pytest.mark.parametrize("failure", ["503", "silence"])
def test_tokens_are_asked_for_within_the_time_out(world, failure):
    """Five tries of a token endpoint, or four of the metadata server, would take longer."""
    world.endpoint.fail = lambda: (503, "text/plain", "") if failure == "503" else time.sleep(30)
    start = time.monotonic()
    done = world.run(*keyed(world), "--timeout", "3")
    assert done.returncode in (4, 5) and time.monotonic() - start < 8, done.stderr


def test_metadata_is_asked_within_the_time_out(world):
    answer = world.metadata.answer
    world.metadata.server.handle_one = lambda request: \
        time.sleep(30) if request.url.path.endswith("/token") else answer(request)
    start = time.monotonic()
    done = world.run("--timeout", "2")
    assert done.returncode == 4 and time.monotonic() - start < 8, done.stderr


@pytest.mark.parametrize("seconds,times", [(3599, 1), (226, 1), (224, None)])
def test_renewed_before_it_ends(world, seconds, times):
    world.endpoint.answers["expires_in"] = seconds
    world.launch(*keyed(world))
    calls = [r for r in world.compute.server.log if r["path"].startswith("/compute/")]
    # the clock may pass a second between the first and the last call
    assert times is None or len(world.endpoint.forms) <= times + (seconds == 226)
    assert times is not None or len(world.endpoint.forms) == len(calls)


# --- the universe

def of_every_type(world, **more):
    """A good file of each type, with these members besides."""
    subject = world.write("subject", "subj3ct")
    _, key = world.key_file(world.endpoint.url)
    url = f"{world.compute.server.origin}/v1/projects/-/serviceAccounts/{EMAIL}:generateAccessToken"
    user = {**USER, "token_uri": world.endpoint.url}
    yield {**json.loads(key.read_text()), **more}
    yield {**user, **more}
    yield {**json.loads(open(external(world, {"file": str(subject)})).read()), **more}
    yield {"type": "impersonated_service_account", "service_account_impersonation_url": url,
           "source_credentials": user, **more}
    yield {"type": "impersonated_service_account", "service_account_impersonation_url": url,
           "source_credentials": {**user, **more}}


@pytest.mark.parametrize("universe", ["evil.example", "com", "", None, 7, "googleapis.com.evil.example"])
def test_no_file_chooses_its_universe(world, universe):
    for document in of_every_type(world, universe_domain=universe):
        done = world.run("--credentials", write(world, document))
        assert (done.report["code"], done.returncode) == ("credentials", 5), (document, done.stderr)
        assert "GOOGLE_CLOUD_UNIVERSE_DOMAIN" in done.report["detail"]
        assert "--universe" not in done.report["detail"]
    assert not world.compute.server.log and not world.endpoint.forms


def test_a_file_of_the_runs_universe(world):
    for n, document in enumerate(of_every_type(world, universe_domain="googleapis.com")):
        launched_with(world, "--credentials", write(world, document), "--name-suffix", f"n{n}")


def test_a_file_of_no_universe_is_googles(world):
    env = dict(world.env, GOOGLE_CLOUD_UNIVERSE_DOMAIN="universe.example")
    for document in list(of_every_type(world))[:4]:
        done = world.run("--credentials", write(world, document), env=env)
        assert (done.report["code"], done.returncode) == ("credentials", 5)
        assert "googleapis.com" in done.report["detail"]
    assert not world.compute.server.log


def test_metadata_chooses_no_universe(world):
    _, path = world.key_file("https://evil.example/token", {"universe_domain": "evil.example"})
    world.metadata.attributes = {"service-credentials": path.read_text()}
    world.refused("credentials", 5)


# --- where a credential goes

ELSEWHERE = ["https://evil.example/", "http://oauth2.googleapis.com/", "https://evilgoogleapis.com/",
             "https://googleapis.com.evil.example/", "http://127.0.0.1:1/"]


@pytest.mark.parametrize("url", ELSEWHERE)
def test_where_credentials_do_not_go(world, url):
    subject = world.write("subject", "subj3ct")
    documents = [
        {**USER, "token_uri": url + "token"},
        json.loads(open(external(world, {"file": str(subject)}, token_url=url + "sts")).read()),
        json.loads(open(external(world, {"file": str(subject)},
                                 service_account_impersonation_url=url + "v1/x")).read()),
        {"type": "impersonated_service_account", "service_account_impersonation_url": url + "v1/x",
         "source_credentials": {**USER, "token_uri": world.endpoint.url}},
        {"type": "impersonated_service_account",
         "service_account_impersonation_url": world.compute.server.origin + "/v1/x",
         "source_credentials": {**USER, "token_uri": url + "token"}}]
    for document in documents:
        done = world.run("--credentials", write(world, document))
        assert done.report["code"] == "credentials", (document, done.stderr)
    assert not world.compute.server.log and not world.endpoint.forms


def test_impersonation_does_not_go_elsewhere(world):
    env = dict(world.env, CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS="https://evil.example/")
    world.refused("credentials", 5, "--impersonate-service-account", EMAIL, env=env)
    assert not asked_metadata(world)

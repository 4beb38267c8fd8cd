# SPDX-License-Identifier: Apache-2.0
"""vmcp-launch run-job: a signed job against receivers that answer in every way, or not at all."""
import base64
import json
import os
import signal
import sqlite3
import ssl
import subprocess
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jwt
import pytest

from conftest import DOMAIN, MACHINE, ROOT, eventually, write_json
from emulator import LAUNCHER, NOBODY, PROJECT, ZONE, Emulator

AUDIENCE = "https://receiver.example/"
LONG = AUDIENCE + "a/%" * 660  # 2,006 characters, and more than twice as many in a URL


class Receiver:
    """Answers what a test queued for a request, 200 {} otherwise; None holds it until the end, and a
    function is asked, with the request's headers."""

    def __init__(self, tls=None):
        outer = self
        self.requests, self.answers, self.release = [], [], threading.Event()

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                outer.requests.append((self.command, self.path, self.headers, body))
                said = outer.answers.pop(0) if outer.answers else (200, {})
                said = said(self.headers) if callable(said) else said
                if said is None:
                    outer.release.wait(60)
                    self.close_connection = True
                elif said == "cut":
                    self.close_connection = True
                else:
                    status, value, *headers = said
                    text = value if isinstance(value, bytes) else json.dumps(value).encode()
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(text)))
                    for name, content in headers:
                        self.send_header(name, content)
                    self.end_headers()
                    self.wfile.write(text)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = answer

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.origin = f"http{'s' if tls else ''}://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(name="receiver")
def receiver_fixture():
    receiver = Receiver()
    yield receiver
    receiver.stop()


class World:
    """A responder with one job, `j`, and a launcher with a state of its own."""

    def __init__(self, bin_, server, folder, pub, clean):
        self.bin, self.server, self.state, self.pub = bin_, server, folder / "state", pub
        self.env = clean

    def publish(self, job, serial=1):
        write_json(self.server.folder / "configs/jobs/j.json", {"serial": serial, "job": job})
        self.server.process.send_signal(signal.SIGHUP)
        path, want = "/jobs/j", {"serial": serial, "job": job}

        def served():
            answer = self.server.v2(path)
            if answer.status != 200:
                return False
            body = answer.text.split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
            return {"serial": claims["serial"], "job": claims["job"]} == want
        assert eventually(served), self.server.log

    def argv(self, *options, allow):
        origin = f"http://127.0.0.1:{self.server.port}"
        return [self.bin.launch, "run-job", "j", "--endpoint", origin, "--domain", DOMAIN, "--trust",
                self.pub, "--state-dir", self.state, "--boot-timeout", "1", "--json",
                *(o for a in allow for o in ("--allow-uri", a)), *options]

    def start(self, *options, allow=()):
        return subprocess.Popen(list(map(str, self.argv(*options, allow=allow))), env=self.env,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True)

    def run(self, *options, allow=(), code=0):
        process = self.start(*options, allow=allow)
        out, err = process.communicate(timeout=90)
        assert process.returncode == code, (out, err)
        return json.loads(out)

    def rows(self, table="attempt"):
        db = sqlite3.connect(f"file:{self.state}/history.db?mode=ro", uri=True)
        db.row_factory = sqlite3.Row
        try:
            return [dict(r) for r in db.execute(f"SELECT * FROM {table} ORDER BY id")]
        except sqlite3.OperationalError:
            return []  # it has no tables yet
        finally:
            db.close()


@pytest.fixture(name="world")
def world_fixture(bin, vmcpd, keys, tmp_path):
    server = vmcpd({"web": MACHINE, "jobs/j": {"job": {"schedule": "0 1 * * *", "launch": "web"}}},
                   key=("ed25519",))
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("GOOGLE", "CLOUDSDK", "GCE"))}
    return World(bin, server, tmp_path, keys["ed25519"].pub, {**clean, "HOME": str(tmp_path)})


def job(receiver, path="/do", **more):
    target = {"uri": f"{receiver.origin}{path}", **more.pop("target", {})}
    return {"schedule": "0 1 * * *", "httpTarget": target, **more}


RETRY = {"retryCount": 2, "minBackoffDuration": "0.2s", "maxBackoffDuration": "1s"}


# What is sent


def test_headers_of_cloud_scheduler(world, receiver):
    world.publish(job(receiver, target={"headers": {"X-Mine": "${vmcp.attempt}", "X-Empty": "",
                                                    "User-Agent": "mine"},
                                        "body": base64.b64encode(b"hello").decode()}))
    told = world.run(allow=[receiver.origin])
    method, path, headers, body = receiver.requests[0]
    assert (method, path, body) == ("POST", "/do", b"hello") and told["outcome"] == "succeeded"
    assert headers["User-Agent"] == "Google-Cloud-Scheduler"
    assert headers["X-CloudScheduler"] == "true" and headers["X-CloudScheduler-JobName"] == "j"
    assert headers["X-CloudScheduler-ScheduleTime"].endswith("Z")
    assert headers["Content-Type"] == "application/octet-stream"
    assert headers["X-Mine"] == "1" and headers["X-Empty"] == "" and "Authorization" not in headers


def test_macros_where_they_stand(world, receiver):
    previous = {"a": {"b": 'x/ü "&'}, "n": 7, "yes": True}
    world.publish(job(receiver, "/p/${vmcp.previous.a.b}?q=${vmcp.previous.a.b}&t=${vmcp.scheduleTime}",
                      previousDefault=previous,
                      target={"headers": {"X-N": "${vmcp.previous.n}/${vmcp.previous.yes}"},
                              "bodyJson": {"a": "<${vmcp.previous.a.b}>", "l": ["$${vmcp.uuid}"],
                                           "id": "${vmcp.uuid}", "n": 5}}))
    told = world.run(allow=[receiver.origin])
    _, path, headers, body = receiver.requests[0]
    when = headers["X-CloudScheduler-ScheduleTime"].replace(":", "%3A")
    assert path == f"/p/x%2F%C3%BC%20%22%26?q=x%2F%C3%BC%20%22%26&t={when}"
    request_id = told["run"]["attempts"][0]["requestId"]
    assert json.loads(body) == {"a": '<x/ü "&>', "l": ["${vmcp.uuid}"], "id": request_id, "n": 5}
    assert uuid.UUID(request_id).version == 5
    assert headers["X-N"] == "7/true" and headers["Content-Type"] == "application/json"


def test_macros_in_a_json_body_of_bytes(world, receiver):
    text = b'{"a": "${vmcp.previous.a}"}'
    world.publish(job(receiver, previousDefault={"a": 'q"\\\n'},
                      target={"headers": {"content-type": "application/json; charset=utf-8"},
                              "body": base64.b64encode(text).decode()}))
    world.run(allow=[receiver.origin])
    assert json.loads(receiver.requests[0][3]) == {"a": 'q"\\\n'}


def test_the_last_success_is_what_previous_means(world, receiver):
    world.publish(job(receiver, "/n/${vmcp.previous.next}", previousDefault={"next": "first"}))
    receiver.answers = [(200, {"next": "second"}), (500, {"next": "never"}), (200, {"other": 1}),
                        (200, {})]
    for code in (0, 7, 0, 0):
        world.run(allow=[receiver.origin], code=code)
    assert [r[1] for r in receiver.requests] == ["/n/first", "/n/second", "/n/second", "/n/first"]


@pytest.mark.parametrize("default, target, why", [
    (None, {"headers": {"X": "${vmcp.previous.a}"}}, "no such field"),
    ({"a": "x\ny"}, {"headers": {"X": "${vmcp.previous.a}"}}, "control character"),
    ({"b": 1}, {"bodyJson": ["${vmcp.previous.a}"]}, "no such field"),
])
def test_what_cannot_be_expanded_is_not_sent(world, receiver, default, target, why):
    more = {"previousDefault": default} if default else {}
    world.publish(job(receiver, target=target, retryConfig=RETRY, **more))
    told = world.run(allow=[receiver.origin], code=1)
    assert why in told["detail"] and told["outcome"] == "refused"
    assert not receiver.requests and world.rows() == []


def test_a_value_over_its_limit(world, receiver):
    world.publish(job(receiver, "/${vmcp.previous.a}", previousDefault={"a": "first"}))
    receiver.answers = [(200, {"a": "x" * 1024}), (200, {"a": "x" * 1025})]
    world.run(allow=[receiver.origin])
    world.run(allow=[receiver.origin])
    assert "over 1024 bytes" in world.run(allow=[receiver.origin], code=1)["detail"]
    assert len(receiver.requests) == 2


# Where it may go


@pytest.mark.parametrize("allow, path, good", [
    ("{}", "/a", True), ("{}/a", "/a", True), ("{}/a", "/a/b", True), ("{}/a", "/a?b", True),
    ("{}/a/", "/a/b", True), ("{}/a", "/ab", False), ("{}/a/", "/a", False),
    ("{}/a", "/a/..%2Fb", False), ("{}/a", "/a/%2e.%5cb", False), ("{}/a", "/a/b%2f..", False),
    ("{}/a", "/a/..;x/b", False), ("{}/a", "/a/..%3B/b", False), ("{}/a", "/a/...;x/%2Fb", True),
    ("{}/a", "/a?b=/../", True), ("{}/a", "/a/../b", False), ("{}/a", "/a/%2E%2e/b", False), ("{}/a", "/a/./b", False),
    ("https://127.0.0.1/", "/a", False), (None, "/a", False)])
def test_allow_uri(world, receiver, allow, path, good):
    world.publish(job(receiver, path))
    told = world.run(allow=[allow.format(receiver.origin)] if allow else [], code=0 if good else 1)
    assert bool(receiver.requests) == good
    assert good or told["code"] == "policy"


def test_a_value_does_not_climb_out(world, receiver):
    """An encoded slash stays one segment, and so it is refused where a server that decodes it first
    would climb."""
    world.publish(job(receiver, "/a/${vmcp.previous.x}", previousDefault={"x": ".."}))
    assert world.run(allow=[f"{receiver.origin}/a"], code=1)["code"] == "policy"
    world.publish(job(receiver, "/a/${vmcp.previous.x}", previousDefault={"x": "../b"}), serial=2)
    assert world.run(allow=[f"{receiver.origin}/a"], code=1)["code"] == "policy"
    world.publish(job(receiver, "/a/${vmcp.previous.x}", previousDefault={"x": "x/..b"}), serial=3)
    world.run(allow=[f"{receiver.origin}/a"])
    assert [r[1] for r in receiver.requests] == ["/a/x%2F..b"]


def test_redirects_are_not_followed(world, receiver):
    world.publish(job(receiver))
    receiver.answers = [(302, {}, ("Location", f"{receiver.origin}/else"))]
    assert world.run(allow=[receiver.origin], code=7)["outcome"] == "failed"
    assert len(receiver.requests) == 1


# Until it is done


@pytest.mark.parametrize("status", [400, 403, 404, 409, 429, 500, 503])
def test_failures_are_tried_again(world, receiver, status):
    world.publish(job(receiver, retryConfig=RETRY))
    receiver.answers = [(status, {"error": {"message": "because"}})] * 3
    told = world.run(allow=[receiver.origin], code=7)
    attempts = told["run"]["attempts"]
    assert [a["status"] for a in attempts] == [status] * 3 and "because" in told["detail"]
    assert len({a["requestId"] for a in attempts}) == 3
    gaps = [b["startedMs"] - a["endedMs"] for a, b in zip(attempts, attempts[1:])]
    assert gaps[0] >= 200 and gaps[1] >= 400


def test_a_later_attempt_succeeds(world, receiver):
    world.publish(job(receiver, retryConfig=RETRY, target={"headers": {"N": "${vmcp.attempt}"}}))
    receiver.answers = [(500, {}), (204, b"")]
    assert world.run(allow=[receiver.origin])["outcome"] == "succeeded"
    assert [r[2]["N"] for r in receiver.requests] == ["1", "2"]


def test_nothing_listens(world, receiver):
    receiver.stop()
    world.publish(job(receiver, retryConfig=RETRY))
    told = world.run(allow=[receiver.origin], code=7)
    assert [a["outcome"] for a in told["run"]["attempts"]] == ["failed"] * 3


def test_a_lost_answer_is_in_doubt(world, receiver):
    world.publish(job(receiver, retryConfig=RETRY))
    receiver.answers = ["cut"]
    told = world.run(allow=[receiver.origin], code=7)
    assert told["outcome"] == "in doubt" and len(receiver.requests) == 1


def test_a_lost_answer_is_repeated_where_the_job_says_so(world, receiver):
    world.publish(job(receiver, onDoubt="retry", target={"headers": {"U": "${vmcp.uuid}"}},
                      retryConfig={"minBackoffDuration": "0.1s"}))
    receiver.answers = ["cut"]
    told = world.run(allow=[receiver.origin])
    assert [a["outcome"] for a in told["run"]["attempts"]] == ["in doubt", "succeeded"]
    assert len({r[2]["U"] for r in receiver.requests}) == 2


def test_what_may_be_repeated_is_sent_again_as_the_same_attempt(world, receiver):
    world.publish(job(receiver, target={"httpMethod": "PUT", "headers": {"U": "${vmcp.uuid}"},
                                        "body": "eA=="}))
    receiver.answers = ["cut", "cut"]
    told = world.run(allow=[receiver.origin])
    assert len(told["run"]["attempts"]) == 1 and len(receiver.requests) == 3
    assert len({r[2]["U"] for r in receiver.requests}) == 1


def test_what_is_kept_of_an_answer(world, receiver):
    world.publish(job(receiver))
    receiver.answers = [(200, b"\xff" + b"x" * 100_000)]
    told = world.run(allow=[receiver.origin])
    assert "body" not in told["run"]["attempts"][0]  # it is no UTF-8
    assert len(world.rows()[0]["body"]) == 64 * 1024
    assert os.stat(world.state / "history.db").st_mode & 0o777 == 0o600


def test_two_at_once(world, receiver):
    world.publish(job(receiver))
    receiver.answers = [None]
    first = world.start(allow=[receiver.origin])
    assert eventually(lambda: receiver.requests)
    assert world.run(allow=[receiver.origin], code=3)["code"] == "state-busy"
    first.kill()
    first.communicate()


# kill -9


def killed_while(world, receiver, allow):
    before = len(receiver.requests)
    process = world.start(allow=allow)
    assert eventually(lambda: len(receiver.requests) > before)
    process.kill()
    process.communicate()


@pytest.mark.parametrize("method, outcomes", [("POST", ["in doubt", "succeeded"]),
                                              ("PUT", ["succeeded", "succeeded"])])
def test_killed_while_it_waits_for_the_answer(world, receiver, method, outcomes):
    world.publish(job(receiver, target={"httpMethod": method, "headers": {"U": "${vmcp.uuid}"}}))
    receiver.answers = [None]
    killed_while(world, receiver, [receiver.origin])
    assert [(a["outcome"], a["ended_ms"]) for a in world.rows()] == [(0, 0)]
    world.run(allow=[receiver.origin])
    names = {1: "succeeded", 2: "failed", 3: "in doubt"}
    assert [names[r["outcome"]] for r in world.rows("run")] == outcomes
    sent = [r[2]["U"] for r in receiver.requests]
    assert len(sent) == 2 if method == "POST" else (len(sent) == 3 and sent[0] == sent[1] != sent[2])


def test_killed_and_signed_anew(world, receiver):
    """Another serial may say another thing: it is not sent as the attempt that was cut off."""
    world.publish(job(receiver, target={"httpMethod": "PUT", "headers": {"X": "old"}}))
    receiver.answers = [None]
    killed_while(world, receiver, [receiver.origin])
    world.publish(job(receiver, target={"httpMethod": "PUT", "headers": {"X": "new"}}), serial=2)
    world.run(allow=[receiver.origin])
    assert [r["outcome"] for r in world.rows("run")] == [3, 1]
    assert [r[2]["X"] for r in receiver.requests] == ["old", "new"]


def test_killed_between_two_attempts(world, receiver):
    world.publish(job(receiver, retryConfig={"retryCount": 1, "minBackoffDuration": "5s"}))
    receiver.answers = [(500, {})]
    process = world.start(allow=[receiver.origin])
    assert eventually(lambda: world.state.joinpath("history.db").exists() and
                      [r for r in world.rows() if r["ended_ms"]])
    process.kill()
    process.communicate()
    world.run(allow=[receiver.origin])
    assert [(a["run"], a["number"], a["outcome"]) for a in world.rows()] == [
        (1, 1, 2), (1, 2, 1), (2, 1, 1)]


def test_killed_at_many_moments(world, receiver):
    """Whenever it falls: each attempt that was sent is in the history, and none is left open."""
    world.publish(job(receiver, target={"headers": {"U": "${vmcp.uuid}"}}))
    for i in range(25):
        process = world.start(allow=[receiver.origin])
        time.sleep(0.002 * i)
        process.kill()
        process.communicate()
    world.run(allow=[receiver.origin])
    rows = world.rows()
    assert {r["request_id"] for r in rows} >= {r[2]["U"] for r in receiver.requests}
    assert len(receiver.requests) == len({r[2]["U"] for r in receiver.requests})
    assert all(r["outcome"] for r in rows) and all(r["outcome"] for r in world.rows("run"))


# Tokens, and Google's APIs


@pytest.fixture(name="cloud")
def cloud_fixture(tmp_path):
    folder = tmp_path / "cloud"
    folder.mkdir()
    roles = ("compute.admin", "iam.serviceAccountUser", "iam.serviceAccountTokenCreator")
    emulator = Emulator(folder, "--service-account", "vm1-launcher", "--service-account", "nobody",
                        *(o for r in roles for o in ("--grant", f"vm1-launcher=roles/{r}")),
                        "--key", f"vm1-launcher={folder}/key.json", "--request-log",
                        f"{folder}/requests.jsonl", "--operation-delay", "300").start()
    yield emulator
    assert emulator.stop() == 0


COMPUTE = f"https://compute.googleapis.com/compute/v1/projects/{PROJECT}/zones/{ZONE}/"


def cloud_options(cloud):
    base = f"http://127.0.0.1:{cloud.api_port}/"
    return ["--credentials", cloud.folder / "key.json", "--token-endpoint", f"{base}token",
            "--api-endpoint", f"{base}compute/v1/", "--project", PROJECT, "--zone", ZONE]


def at(cloud, world):
    world.env["CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS"] = f"http://127.0.0.1:{cloud.api_port}/"
    return cloud_options(cloud)


def requests_of(cloud):
    text = (cloud.folder / "requests.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def insert_job(name="made-${vmcp.uuid}", disk="debian-12", **oauth):
    body = {"name": name, "machineType": f"zones/{ZONE}/machineTypes/e2-small",
            "disks": [{"boot": True, "initializeParams": {
                "sourceImage": f"projects/debian-cloud/global/images/family/{disk}"}}],
            "networkInterfaces": [{}]}
    return {"schedule": "0 1 * * *", "waitForOperation": True,
            "httpTarget": {"uri": f"{COMPUTE}instances", "bodyJson": body, "oauthToken": oauth}}


def instances(cloud):
    return [i["name"] for i in cloud.zone("GET", "instances").json.get("items", [])]


def test_a_new_name_each_time_and_an_operation_followed(world, cloud):
    world.publish(insert_job())
    told = world.run(*at(cloud, world))
    world.run(*at(cloud, world))
    attempt = told["run"]["attempts"][0]
    assert attempt["operation"].startswith(f"http://127.0.0.1:{cloud.api_port}/compute/v1/")
    assert json.loads(attempt["body"])["status"] == "DONE"
    assert len(instances(cloud)) == 2 and f"made-{attempt['requestId']}" in instances(cloud)
    secret = cloud.token().encode()
    for path in world.state.rglob("*"):
        assert path.is_dir() or (b"Bearer" not in path.read_bytes() and
                                 secret not in path.read_bytes()), path


def test_an_operation_that_fails_is_the_jobs_failure(world, cloud):
    cloud.api("POST", "/emulator/faults", {"method": "instances.insert", "fault": "stockout",
                                          "count": 1}, token=False)
    world.publish(insert_job())
    told = world.run(*at(cloud, world), code=7)
    assert "ZONE_RESOURCE_POOL_EXHAUSTED" in told["detail"] and instances(cloud) == []


def test_killed_while_an_operation_is_followed(world, cloud):
    world.publish(insert_job())
    process = world.start(*at(cloud, world))
    assert eventually(lambda: world.state.joinpath("history.db").exists() and
                      [r for r in world.rows() if r["operation"]])
    process.kill()
    process.communicate()
    world.run(*at(cloud, world))
    assert [r["outcome"] for r in world.rows("run")] == [1, 1] and len(instances(cloud)) == 2


def test_killed_while_compute_answers(world, cloud):
    """The insert was taken, and its answer never came: the requestId finds it again."""
    world.publish(insert_job())
    options = at(cloud, world)
    proxy = Cutting(cloud.api_port)
    options[options.index("--api-endpoint") + 1] = f"http://127.0.0.1:{proxy.port}/compute/v1/"
    process = world.start(*options)
    assert eventually(lambda: proxy.held)
    process.kill()
    process.communicate()
    proxy.stop()
    world.run(*at(cloud, world))
    assert len(instances(cloud)) == 2 and [r["outcome"] for r in world.rows("run")] == [1, 1]


class Cutting:
    """Passes requests on, and keeps the answer of the first POST."""

    def __init__(self, port):
        import http.client
        outer = self
        self.held = False

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                there = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                there.request(self.command, self.path, body, dict(self.headers))
                there.getresponse().read()
                outer.held = True
                time.sleep(30)

            do_POST = pass_on

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def test_another_account_is_impersonated(world, cloud):
    world.publish({"schedule": "0 1 * * *", "httpTarget": {
        "uri": f"{COMPUTE}instances", "httpMethod": "GET",
        "oauthToken": {"serviceAccountEmail": NOBODY}}})
    assert "403" in world.run(*at(cloud, world), code=7)["detail"]  # as nobody, who may do nothing
    world.publish({"schedule": "0 1 * * *", "httpTarget": {
        "uri": f"{COMPUTE}instances", "httpMethod": "GET",
        "oauthToken": {"serviceAccountEmail": LAUNCHER}}}, serial=2)
    world.run(*at(cloud, world))


@pytest.fixture(name="https")
def https_fixture(tmp_path):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert, "-subj",
                    "/CN=receiver", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"],
                   check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    receiver = Receiver(context)
    receiver.ca = cert
    yield receiver
    receiver.stop()


@pytest.mark.parametrize("account, audience", [
    (None, AUDIENCE), (None, None), (NOBODY, AUDIENCE), (None, LONG), (NOBODY, LONG)],
    ids=["own", "of the uri", "another's", "own, long", "another's, long"])
def test_identity_tokens_that_the_receiver_checks(world, cloud, https, account, audience):
    oidc = {k: v for k, v in (("serviceAccountEmail", account), ("audience", audience)) if v}
    world.publish(job(https, "/hook", target={"oidcToken": oidc}))
    world.env["SSL_CERT_FILE"] = str(https.ca)
    world.run(*at(cloud, world), allow=[https.origin])
    claims = claims_of(cloud, https, audience or f"{https.origin}/hook")
    assert claims["email"] == (account or LAUNCHER)


def claims_of(cloud, receiver, audience):
    """What the token of the first request says, if it is for this audience and good."""
    token = receiver.requests[0][2]["Authorization"].removeprefix("Bearer ")
    certs = json.loads(cloud.api("GET", "/oauth2/v3/certs", token=False).text)
    kid = jwt.get_unverified_header(token)["kid"]
    key = next(jwt.PyJWK(k).key for k in certs["keys"] if k["kid"] == kid)
    return jwt.decode(token, key, algorithms=["RS256"], audience=audience)


@pytest.mark.parametrize("audience", [AUDIENCE, LONG], ids=["short", "long"])
def test_identity_token_of_the_vm(world, cloud, https, audience):
    """The metadata server is asked for the whole of the audience: for a part of it, the token would be
    good at another receiver."""
    world.publish(job(https, "/hook", target={"oidcToken": {"audience": audience}}))
    world.env.update(SSL_CERT_FILE=str(https.ca), GCE_METADATA_HOST=f"127.0.0.1:{cloud.metadata_port}")
    credentials, rest = at(cloud, world)[:2], at(cloud, world)[2:]
    assert credentials[0] == "--credentials"
    world.run(*rest, allow=[https.origin])
    assert claims_of(cloud, https, audience)["aud"] == audience


def test_an_access_token_stays_in_the_universe(bin, vmcpd, keys, tmp_path, cloud):
    """The responder's universe is not this launcher's: what lint let through is refused at the run."""
    there = {"schedule": "0 1 * * *", "httpTarget": {"uri": "https://api.receiver.example/x",
                                                     "oauthToken": {}}}
    server = vmcpd({"web": MACHINE, "jobs/j": {"job": there}}, "--universe-domain",
                   "receiver.example", key=("ed25519",))
    world = World(bin, server, tmp_path, keys["ed25519"].pub, dict(os.environ))
    told = world.run(*at(cloud, world), allow=["https://api.receiver.example"], code=1)
    assert told["outcome"] == "refused" and "googleapis.com" in told["detail"]
    assert not [r for r in requests_of(cloud) if r["path"] == "/token"]


# The samples of configs/jobs, as they are but for project and zone


def sample(name):
    text = (ROOT / "configs/jobs" / f"{name}.json").read_text()
    return json.loads(text.replace("my-project", PROJECT).replace("europe-west1-b", ZONE))["job"]


def done(cloud, answer):
    """Follow an operation of any scope."""
    assert answer.status == 200, answer.text
    path = answer.json["selfLink"].split("/compute/v1/")[1]
    return eventually(lambda: cloud.api("GET", f"/compute/v1/{path}").json["status"] == "DONE")


def test_sample_resize_web(world, cloud):
    template = insert_job("template")["httpTarget"]["bodyJson"]
    del template["name"]
    template["machineType"] = "e2-small"
    done(cloud, cloud.api("POST", "global/instanceTemplates", {"name": "web", "properties": template}))
    done(cloud, cloud.zone("POST", "instanceGroupManagers", {
        "name": "web", "baseInstanceName": "web", "targetSize": 1,
        "instanceTemplate": f"projects/{PROJECT}/global/instanceTemplates/web"}))
    world.publish(sample("resize-web"))
    told = world.run(*at(cloud, world))
    assert json.loads(told["run"]["attempts"][0]["body"])["status"] == "DONE"
    assert eventually(lambda: len(instances(cloud)) == 3)
    assert len(world.run(*at(cloud, world))["run"]["attempts"]) == 1  # the next five minutes


def test_sample_allow_office(world, cloud):
    done(cloud, cloud.api("POST", "global/securityPolicies", {"name": "web", "rules": [
        {"priority": 2147483647, "action": "deny(403)",
         "match": {"versionedExpr": "SRC_IPS_V1", "config": {"srcIpRanges": ["*"]}}},
        {"priority": 1000, "action": "allow",
         "match": {"versionedExpr": "SRC_IPS_V1", "config": {"srcIpRanges": ["203.0.113.0/24"]}}}]}))
    world.publish(sample("allow-office"))
    world.run(*at(cloud, world))
    rules = cloud.api("GET", "global/securityPolicies/web").json["rules"]
    rule = next(r for r in rules if r["priority"] == 1000)
    assert rule["match"]["config"]["srcIpRanges"] == ["192.0.2.0/24", "198.51.100.0/24"]


def test_sample_nightly_worker_to_its_failure(world, cloud):
    """What Cloud Scheduler cannot do: a name of its own each time, and an operation that fails."""
    world.publish(sample("nightly-worker"))
    world.run(*at(cloud, world))
    cloud.api("POST", "/emulator/faults", {"method": "instances.insert", "fault": "stockout",
                                          "count": 1}, token=False)
    told = world.run(*at(cloud, world), code=7)
    assert told["run"]["attempts"][0]["status"] == 200 and told["outcome"] == "failed"
    world.run(*at(cloud, world))
    assert len(set(instances(cloud))) == 2


# A machine instead of a target


def test_a_job_that_launches_a_machine(world, cloud):
    options = at(cloud, world)
    world.publish({"schedule": "0 1 * * *", "launch": "web"})
    told = world.run(*options)
    assert json.loads(told["run"]["attempts"][0]["body"])["verb"] == "launch"
    assert instances(cloud) == ["web"]
    world.run(*options)
    assert instances(cloud) == ["web"]


def test_a_machine_that_the_launcher_refuses(world, cloud):
    write_json(world.server.folder / "configs/web.json",
               {"machine": MACHINE, "gce": {"serviceAccounts": [{"email": NOBODY}]}})
    world.publish({"schedule": "0 1 * * *", "launch": "web"}, serial=3)
    told = world.run(*at(cloud, world), code=7)
    assert "ended with 1" in told["detail"] and instances(cloud) == []

# SPDX-License-Identifier: Apache-2.0
"""vmcp-launch run-job against receivers, operators and moments that mean no good."""
import base64
import json
import os
import shlex
import signal
import sqlite3
import subprocess
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jwt
import pytest

from conftest import DOMAIN, eventually, write_json
from emulator import LAUNCHER, NOBODY
from test_run_job import (COMPUTE, Cutting, at, cloud_fixture, https_fixture, insert_job, instances,
                          job, killed_while, receiver_fixture, requests_of, sample, world_fixture)

__all__ = ["cloud_fixture", "https_fixture", "receiver_fixture", "world_fixture"]

OPERATION = {"name": "projects/p/operations/x", "metadata": {}}


def outcomes(world):
    return [r["outcome"] for r in world.rows("run")]


# An attempt that was cut off


@pytest.mark.parametrize("age_ms, first", [(20 * 60_000, 1), (60 * 60_000, 3), (-60 * 60_000, 3)])
def test_a_request_id_is_used_again_for_half_an_hour_only(world, cloud, age_ms, first):
    """Compute forgets it: what is sent again later would be done again."""
    world.publish(insert_job())
    options = at(cloud, world)
    proxy = Cutting(cloud.api_port)
    options[options.index("--api-endpoint") + 1] = f"http://127.0.0.1:{proxy.port}/compute/v1/"
    process = world.start(*options)
    assert eventually(lambda: proxy.held)
    process.kill()
    process.communicate()
    proxy.stop()
    with sqlite3.connect(world.state / "history.db") as db:
        db.execute("UPDATE attempt SET started_ms = started_ms - ?", (age_ms,))
    sent = len(requests_of(cloud))
    world.run(*at(cloud, world))
    inserts = [r for r in requests_of(cloud)[sent:] if r["method"] == "POST" and
               r["path"].split("?")[0].endswith("/instances")]
    assert outcomes(world) == [first, 1] and len(inserts) == (2 if first == 1 else 1)


@pytest.mark.parametrize("method", ["PUT", "GET"])
def test_killed_and_changed_without_a_new_serial(world, receiver, method):
    world.publish(job(receiver, "/a", target={"httpMethod": method}))
    receiver.answers = [None]
    killed_while(world, receiver, [receiver.origin])
    world.publish(job(receiver, "/b", target={"httpMethod": "POST"}))
    world.run(allow=[receiver.origin])
    assert [(r[0], r[1]) for r in receiver.requests] == [(method, "/a"), ("POST", "/b")]
    assert outcomes(world) == [3, 1]


def test_a_token_does_not_follow_an_older_jobs_operation(world, cloud, receiver):
    """What was signed since has a token, and the operation that was left is another host's."""
    world.publish(job(receiver, "/v1/do", waitForOperation=True))
    receiver.answers = [(200, OPERATION), None]
    process = world.start(allow=[receiver.origin])
    assert eventually(lambda: len(receiver.requests) == 2)
    process.kill()
    process.communicate()
    world.publish({"schedule": "0 1 * * *", "httpTarget": {
        "uri": f"{COMPUTE}instances", "httpMethod": "GET", "oauthToken": {}}}, serial=2)
    world.run(*at(cloud, world))
    assert len(receiver.requests) == 2 and outcomes(world) == [3, 1]
    assert not any(r[2]["Authorization"] for r in receiver.requests)


@pytest.mark.parametrize("manual, age_s, missed, first", [
    (1, 1, "skip", 5), (0, 1, "skip", 1), (0, 3600, "skip", 5), (0, 3600, "runOnce", 1)])
def test_killed_before_the_first_attempt(world, receiver, manual, age_s, missed, first):
    """The run is in the history, and no attempt."""
    world.publish(job(receiver, onMissed=missed))
    world.run(allow=[receiver.origin])
    at_ms = int((time.time() - age_s) * 1000)
    with sqlite3.connect(world.state / "history.db") as db:
        db.execute("INSERT INTO run (domain, job, schedule_ms, serial, manual, started_ms)"
                   " VALUES (?, 'j', ?, 1, ?, ?)", (DOMAIN, at_ms, manual, at_ms))
    world.run(allow=[receiver.origin])
    assert outcomes(world) == [1, first, 1] and len(receiver.requests) == (3 if first == 1 else 2)


def test_a_pause_of_a_clock_that_was_wrong(world, receiver):
    """The last attempt ended in a year's time: nobody waits for that."""
    world.publish(job(receiver, retryConfig={"retryCount": 1, "minBackoffDuration": "5s"}))
    receiver.answers = [(500, {})]
    process = world.start(allow=[receiver.origin])
    assert eventually(lambda: (world.state / "history.db").exists() and
                      [r for r in world.rows() if r["ended_ms"]])
    process.kill()
    process.communicate()
    with sqlite3.connect(world.state / "history.db") as db:
        db.execute("UPDATE attempt SET ended_ms = ended_ms + 31536000000")
    world.run(allow=[receiver.origin])
    assert outcomes(world) == [1, 1] and len(receiver.requests) == 3


def test_killed_while_it_launches(world, cloud):
    """Its child goes on, with the machine's lock; the next one waits for that."""
    world.publish({"schedule": "0 1 * * *", "launch": "web"})
    process = world.start(*at(cloud, world))
    log = cloud.folder / "requests.jsonl"
    assert eventually(lambda: log.exists() and [
        r for r in requests_of(cloud) if r["method"] == "POST" and "/instances" in r["path"]])
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    child = int(children[0])
    os.kill(child, signal.SIGSTOP)
    process.kill()
    process.wait()
    try:
        later = world.start(*at(cloud, world))
        time.sleep(1.5)  # it finds the lock taken
    finally:
        os.kill(child, signal.SIGCONT)
    out, err = later.communicate(timeout=60)
    assert later.returncode == 0, (out, err)
    assert outcomes(world) == [1, 1] and instances(cloud) == ["web"]


# Receivers


def test_another_receiver_names_no_compute_operation(world, cloud, receiver):
    world.publish(job(receiver, waitForOperation=True))
    receiver.answers = [(200, {"kind": "compute#operation", "status": "RUNNING",
                               "selfLink": f"{COMPUTE}operations/operation-1"})]
    told = world.run(*at(cloud, world), allow=[receiver.origin], code=7)
    assert told["outcome"] == "in doubt" and "another API" in told["detail"]
    assert not [r for r in requests_of(cloud) if "operation-1" in r["path"]]


@pytest.mark.parametrize("name", ["projects/p/operations/../x", "operations/x?y", "operations/x#",
                                  "operations/%2e%2e", "//evil.example/operations/x", "operations/é"])
def test_names_of_operations_lead_nowhere_else(world, receiver, name):
    world.publish(job(receiver, "/v1/do", waitForOperation=True))
    receiver.answers = [(200, {"name": name, "metadata": {}}), (200, {"name": name, "done": True})]
    told = world.run(allow=[receiver.origin], code=0 if name.startswith("//") else 7)
    paths = [r[1] for r in receiver.requests]
    assert paths[0] == "/v1/do" and (told["outcome"] == "in doubt" or paths[1:] == [f"/v1/{name}"])


def test_an_operation_whose_error_is_null(world, receiver):
    world.publish(job(receiver, "/v1/do", waitForOperation=True))
    receiver.answers = [(200, OPERATION), (200, {**OPERATION, "done": True, "error": None})]
    assert world.run(allow=[receiver.origin])["outcome"] == "succeeded"


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("status, wait, outcome", [(200, False, "succeeded"), (500, False, "failed"),
                                                   (200, True, "in doubt")])
def test_an_answer_that_is_too_large_has_a_status(world, receiver, method, status, wait, outcome):
    world.publish(job(receiver, waitForOperation=wait, target={"httpMethod": method}))
    receiver.answers = [(status, b"x" * (9 << 20))]
    told = world.run(allow=[receiver.origin], code=0 if outcome == "succeeded" else 7)
    assert told["outcome"] == outcome and told["run"]["attempts"][0]["status"] == status
    assert len(receiver.requests) == 1


def test_an_answer_is_not_cut_through_a_character(world, receiver):
    world.publish(job(receiver))
    receiver.answers = [(200, b"x" * 65535 + "é".encode() * 9)]
    told = world.run(allow=[receiver.origin])
    assert told["run"]["attempts"][0]["body"] == "x" * 65535


def test_an_echo_of_the_token_is_not_kept(world, cloud, https):
    world.publish(job(https, "/hook", target={"oidcToken": {}}))
    world.env["SSL_CERT_FILE"] = str(https.ca)
    https.answers = [lambda headers: (401, {"you": headers["Authorization"]}),
                     lambda headers: (403, {"error": {"message": headers["Authorization"]}})]
    told = world.run(*at(cloud, world), allow=[https.origin], code=7)
    tokens = [r[2]["Authorization"].removeprefix("Bearer ") for r in https.requests]
    assert len(tokens) == 2 and all(len(t) > 100 for t in tokens)
    text = json.dumps(told) + str(world.rows())
    for token in tokens:
        assert token[:60] not in text and token[-60:] not in text
        for path in world.state.rglob("*"):
            assert path.is_dir() or token[:60].encode() not in path.read_bytes(), path


def test_an_audience_of_its_own_each_time(world, cloud, https):
    """More tokens than are kept at once."""
    world.publish(job(https, "/hook/${vmcp.attempt}", target={"oidcToken": {}}, retryConfig={
        "retryCount": 1, "maxRetryDuration": "600s", "minBackoffDuration": "0s",
        "maxBackoffDuration": "0s"}))
    world.env["SSL_CERT_FILE"] = str(https.ca)
    https.answers = [(500, {})] * 260
    told = world.run(*at(cloud, world), allow=[https.origin])
    assert told["outcome"] == "succeeded" and https.requests[-1][1] == "/hook/261"
    assert [a["number"] for a in world.rows()] == list(range(62, 262))  # what is kept of a run


# Values that a receiver chose


def json_body(text, **headers):
    return {"body": base64.b64encode(text.encode()).decode(), **({"headers": headers} if headers else {})}


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize("text, headers, value, sent", [
    ('{"n": ${vmcp.previous.a}}', JSON, 5, {"n": 5}),
    ('{"n": ${vmcp.previous.a}}', JSON, True, {"n": True}),
    ('{"n": [${vmcp.previous.a}]}', JSON, "1, 2", None),
    ('{"n": ${vmcp.previous.a}}', JSON, '1, "admin": true', None),
    ('{"n": ${vmcp.previous.a}}', JSON, "", None),
    ('{"n": "\\"", "m": ${vmcp.previous.a}}', JSON, "[]", None),
    ('{"n": "\\"${vmcp.previous.a}"}', JSON, '"', {"n": '""'}),
    (' {"n": "${vmcp.previous.a}"}', {}, '", "admin": "', {"n": '", "admin": "'}),
    ('{"n": "${vmcp.previous.a}"}', {"content-type": " application/json"}, '"', {"n": '"'}),
])
def test_a_value_stays_one_value_of_a_json_body(world, receiver, text, headers, value, sent):
    world.publish(job(receiver, previousDefault={"a": value}, target=json_body(text, **headers)))
    told = world.run(allow=[receiver.origin], code=0 if sent else 1)
    assert [json.loads(r[3]) for r in receiver.requests] == ([sent] if sent else [])
    assert sent or told["outcome"] == "refused"


@pytest.mark.parametrize("value", ["a\rb", "a\nX-Admin: 1", "a\x7f", "a\x01", "a\u0085b", "a\u009f"])
def test_control_characters_refuse_a_run(world, receiver, value):
    world.publish(job(receiver, previousDefault={"a": value},
                      target={"headers": {"X": "${vmcp.previous.a}"}}))
    assert "control character" in world.run(allow=[receiver.origin], code=1)["detail"]
    assert not receiver.requests


# Requests as they are sent


def test_the_jobs_own_accept_and_a_length(world, receiver):
    world.publish(job(receiver, target={"httpMethod": "PUT", "headers": {"accept": "text/plain"}}))
    world.run(allow=[receiver.origin])
    headers = receiver.requests[0][2]
    assert headers.get_all("Accept") == ["text/plain"] and headers["Content-Length"] == "0"


def test_no_request_id_where_compute_knows_none(world, cloud):
    world.publish(sample("allow-office"))
    world.run(*at(cloud, world), code=7)  # there is no such policy
    sent = [r["path"] for r in requests_of(cloud) if "patchRule" in r["path"]]
    assert sent and not any("requestId" in p for p in sent)


@pytest.mark.parametrize("uri", ["https://compute.googleapis.com/compute/beta/projects/p",
                                 "https://compute.googleapis.com/batch/compute/v1",
                                 "https://www.googleapis.com/compute/beta/projects/p"])
def test_what_the_api_endpoint_does_not_stand_in_for(world, cloud, uri):
    """Given an API of our own, no token goes to Google's."""
    world.publish({"schedule": "0 1 * * *", "httpTarget": {"uri": uri, "oauthToken": {}}})
    origin = "/".join(uri.split("/")[:3])
    told = world.run(*at(cloud, world), allow=[origin], code=1)
    assert told["code"] == "policy" and "--api-endpoint" in told["detail"]


def test_a_self_signed_token_is_for_whom_it_is_sent_to(world, cloud, receiver):
    """`aud` is the origin of --api-endpoint, not Google's: there it would be good too."""
    world.publish({"schedule": "0 1 * * *", "httpTarget": {
        "uri": f"{COMPUTE}instances", "httpMethod": "GET", "oauthToken": {}}})
    options = at(cloud, world)
    options[options.index("--api-endpoint") + 1] = f"{receiver.origin}/compute/v1/"
    world.run(*options, "--self-signed-jwt")
    _, path, headers, _ = receiver.requests[0]
    token = headers["Authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert claims.get("aud") == f"{receiver.origin}/" and path.startswith("/compute/v1/projects/")


@pytest.mark.parametrize("number, text", [(b"0.1", "0.1"), (b"1e300", "1e300"), (b"-7", "-7"),
                                          (b"0.30000000000000004", "0.30000000000000004"),
                                          (b"9007199254740993", "9007199254740993")])
def test_numbers_keep_their_digits(world, receiver, number, text):
    world.publish(job(receiver, "/${vmcp.previous.a.0}", previousDefault={"a": [0]}))
    receiver.answers = [(200, b'{"a": [' + number + b"]}")]
    world.run(allow=[receiver.origin])
    world.run(allow=[receiver.origin])
    assert receiver.requests[1][1] == f"/{text}"


# Responders


class Swapping:
    """Stands before the responder and answers each question with what `choose` makes of it."""

    def __init__(self, port):
        outer = self
        self.choose, self.answers = lambda path: path, []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                chosen = outer.choose(self.path)
                if isinstance(chosen, str):
                    request = urllib.request.Request(f"http://127.0.0.1:{port}{chosen}",
                                                     headers={"Accept": "application/jose"})
                    chosen = urllib.request.urlopen(request, timeout=10).read()
                    outer.answers.append(chosen)
                self.send_response(200)
                self.send_header("Content-Type", "application/jose")
                self.end_headers()
                self.wfile.write(chosen)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def test_a_responder_that_lies(world, receiver):
    write_json(world.server.folder / "configs/jobs/other.json", {"job": job(receiver, "/other")})
    world.publish(job(receiver), serial=5)
    between = Swapping(world.server.port)
    direct, world.server.port = world.server.port, between.port
    allow = [receiver.origin]
    try:
        world.run(allow=allow)
        assert len(receiver.requests) == 1
        replayed = between.answers[0]
        for choose in (lambda _: replayed,                                  # of another salt
                       lambda path: path.replace("/jobs/j", "/jobs/other"),  # another job
                       lambda path: path.replace("/jobs/j", "/vmcp/web"),    # a machine
                       lambda _: b"", lambda _: replayed[:-4] + b"AAAA"):
            between.choose = choose
            told = world.run(allow=allow, code=1)
            assert told["code"] != "policy" and "run" not in told
        between.choose = lambda path: path
        world.server.port = direct
        world.publish(job(receiver), serial=4)
        world.server.port = between.port
        assert world.run(allow=allow, code=1)["code"] == "serial-rollback"
        assert len(receiver.requests) == 1 and outcomes(world) == [1]
    finally:
        between.stop()


# The disk


def test_nothing_is_sent_that_cannot_be_written_down(world, receiver):
    """What was not recorded is not sent, and what ended meanwhile is not sent twice."""
    world.publish(job(receiver))
    world.state.mkdir(mode=0o700)
    run = " ".join(shlex.quote(str(a)) for a in world.argv(allow=[receiver.origin]))
    script = (f"mount -t tmpfs -o size=1m,mode=700 tmpfs {world.state} && {run} && "
              f"(dd if=/dev/zero of={world.state}/full bs=4k 2>/dev/null; true) && "
              f"(timeout 60 {run}; echo code=$?; rm {world.state}/full; {run}; "
              f"cp {world.state}/history.db* {world.state}/../)")
    done = subprocess.run(["unshare", "-m", "sh", "-c", script], env=world.env, timeout=90,
                          capture_output=True, text=True)
    assert "code=3" in done.stdout, (done.stdout, done.stderr)
    assert len(receiver.requests) == 2


# Whose token it is, on a VM


def on_a_vm(cloud, world):
    """The credential is the metadata server's: that of vm1-launcher."""
    world.env["GCE_METADATA_HOST"] = f"127.0.0.1:{cloud.metadata_port}"
    options = at(cloud, world)
    i = options.index("--credentials")
    return options[:i] + options[i + 2:]


@pytest.mark.parametrize("account", [None, LAUNCHER, NOBODY])
def test_identity_tokens_of_a_vm(world, cloud, https, account):
    oidc = {"audience": "https://a.example/x?y=z&format=standard"}
    oidc.update({"serviceAccountEmail": account} if account else {})
    world.publish(job(https, "/hook", target={"oidcToken": oidc}))
    world.env["SSL_CERT_FILE"] = str(https.ca)
    world.run(*on_a_vm(cloud, world), allow=[https.origin])
    token = https.requests[0][2]["Authorization"].removeprefix("Bearer ")
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["aud"], claims["email"]) == (oidc["audience"], account or LAUNCHER)


def test_access_tokens_of_a_vm(world, cloud):
    for serial, (account, code) in enumerate([(None, 0), (LAUNCHER, 0), (NOBODY, 7)], 1):
        oauth = {"serviceAccountEmail": account} if account else {}
        world.publish({"schedule": "0 1 * * *", "httpTarget": {
            "uri": f"{COMPUTE}instances", "httpMethod": "GET", "oauthToken": oauth}}, serial)
        world.run(*on_a_vm(cloud, world), code=code)


def test_an_account_that_may_not_be_acted_as(world, cloud, https):
    """No token of its own goes instead."""
    stranger = NOBODY.replace("nobody", "stranger")
    world.publish(job(https, "/hook", target={"oidcToken": {"serviceAccountEmail": stranger}}))
    world.env["SSL_CERT_FILE"] = str(https.ca)
    told = world.run(*on_a_vm(cloud, world), allow=[https.origin], code=7)
    assert told["outcome"] == "failed" and not https.requests

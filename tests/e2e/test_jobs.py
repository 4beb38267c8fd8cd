# SPDX-License-Identifier: Apache-2.0
"""Signed jobs: linted, served, fetched, verified; and never taken for a machine."""
import json
import pathlib
import shutil
import signal

import jwcrypto.jwk
import jwcrypto.jws
import pytest

from conftest import DOMAIN, MACHINE, eventually, run, write_json

SAMPLES = pathlib.Path(__file__).parents[2] / "configs" / "jobs"
JOB = {"serial": 7, "job": {"schedule": "*/5 * * * *", "httpTarget": {
    "uri": "https://compute.googleapis.com/compute/v1/projects/p/zones/z/instances/v/start",
    "oauthToken": {"scope": "https://www.googleapis.com/auth/compute"}}}}
PASTED = {**JOB["job"], "name": "projects/p/locations/l/jobs/other", "state": "ENABLED",
          "lastAttemptTime": "2026-11-20T05:00:00Z", "scheduleTime": "2026-11-20T05:05:00Z",
          "userUpdateTime": "2026-11-01T00:00:00Z", "status": {}}


@pytest.fixture(name="tool")
def any_vmcp(bin):
    """Whatever comes of it."""
    return lambda *argv, **more: run(bin.vmcp, *argv, **more)


@pytest.fixture
def server(vmcpd):
    """A responder with the machine `web` and the jobs `web` and `nightly`."""
    return vmcpd({"web": MACHINE, "jobs/web": JOB,
                  "jobs/nightly": {"job": {"schedule": "0 1 * * *", "launch": "web"}}})


def folder(server):
    return server.folder / "configs"


def test_the_answer_by_other_peoples_code(server, keys):
    answer = server.v2("/jobs/web")
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/jose"
    assert answer.headers["Cache-Control"] == "no-store" and answer.headers["Vary"] == "Accept"
    assert "ETag" not in answer.headers
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    token = jwcrypto.jws.JWS()
    token.deserialize(answer.body.decode())
    token.verify(jwcrypto.jwk.JWK.from_pem(pathlib.Path(f"{keys['ed25519'].path}.pub").read_bytes()))
    claims = json.loads(token.payload)
    assert json.loads(token.objects["protected"])["typ"] == "vmcp-job+jwt"
    assert (claims["sub"], claims["iss"], claims["nonce"], claims["aud"]) == (
        "web", DOMAIN, "Salt-1", "host-1")
    assert claims["serial"] == 7 and claims["job"] == JOB["job"]
    assert not {"machine", "gce", "count"} & set(claims)
    assert server.v2("/jobs/web").body != answer.body  # a jti of its own


def test_what_is_refused(server):
    for target, status, code in (
            ("/jobs/none", 404, "job-unknown"), ("/jobs/Web", 400, "name-malformed"),
            ("/jobs/", 404, "not-found"), ("/jobs", 404, "not-found"),
            ("/jobs/web?vm=other", 400, "name-conflict"), ("/vmcp/nightly", 404, "machine-unknown"),
            ("/vmcp?vm=nightly", 404, "machine-unknown")):
        answer = server.v2(target)
        assert (answer.status, answer.code) == (status, code), target
        assert answer.headers["Cache-Control"] == "no-store"
    assert server.v2("/jobs/web?vm=web").status == 200
    old = server.v1("/jobs/web")
    assert (old.status, old.code) == (406, "version-2-only") and b"is a job" in old.body
    assert server.ask("/jobs/web", Accept="application/jose").code == "salt-missing"
    assert server.ask("/jobs/web?cvm_salt=a", Accept="application/jose").code == "hostid-required"
    assert server.ask("/jobs/web", "POST").status == 405
    head = server.ask("/jobs/web?cvm_salt=a&cvm_hostid=h", "HEAD", Accept="application/jose")
    assert head.status == 200 and head.body == b""
    # a machine is the default one, whatever jobs there are; a job never is
    assert server.v2("/vmcp").status == 200


def test_version_1_is_refused_without_an_rsa_key_too(vmcpd):
    server = vmcpd({"web": MACHINE, "jobs/web": JOB}, key=("ed25519",))
    assert server.v1("/jobs/web").code == "version-2-only"
    assert server.v1("/vmcp/web").code == "no-rsa-key"


def test_fetch(server, tool, keys):
    trust = ("--trust", f"{keys['ed25519'].path}.pub", "--domain", DOMAIN)
    base = f"http://127.0.0.1:{server.port}"
    for url, *more in ((f"{base}/vmcp", "--job", "web"), (f"{base}", "--job", "web"),
                       (f"{base}/", "--job", "web"), (f"{base}/jobs", "--job", "web"),
                       (f"{base}/jobs/web", "--job", "web"), (f"{base}/jobs/web",)):
        done = tool("fetch", url, *trust, *more)
        assert done.code == 0 and done.json == JOB["job"], (url, more, done)
    report = tool("fetch", f"{base}/jobs/web", *trust, "--json").json
    assert (report["sub"], report["serial"], report["job"]) == ("web", 7, JOB["job"])
    assert "machine" not in report and "count" not in report
    for code, url, *more in (
            (2, f"{base}/vmcp", "--job", "web", "--machine", "web"),
            (2, f"{base}/jobs/web", "--job", "nightly"), (2, f"{base}/vmcp/web", "--job", "web"),
            (2, f"{base}/vmcp?vm=web", "--job", "web"), (2, f"{base}/vmcp", "--job", "W"),
            (2, f"{base}/jobs/web", "--format", "v1"), (4, f"{base}/vmcp", "--job", "none"),
            (1, f"{base}/vmcp", "--job", "web", "--min-serial", "8")):
        done = tool("fetch", url, *trust, *more)
        assert done.code == code and not done.out, (url, more, done)


def test_never_one_for_the_other(server, tool, keys):
    expect = ("--trust", f"{keys['ed25519'].path}.pub", "--domain", DOMAIN, "--salt", "Salt-1",
              "--hostid", "host-1")
    job, machine = server.v2("/jobs/web").body, server.v2("/vmcp/web").body
    assert tool("verify", *expect, "--job", "web", stdin=job).json == JOB["job"]
    assert tool("verify", *expect, "--machine", "web", stdin=machine).code == 0
    for answer, kind in ((job, "--machine"), (machine, "--job")):
        done = tool("verify", *expect, kind, "web", "--json", stdin=answer)
        assert done.code == 1 and done.json["code"] == "typ-wrong", done
    assert tool("verify", *expect, stdin=job).code == 1
    done = tool("verify", *expect, "--job", "nightly", "--json", stdin=job)
    assert done.json["code"] == "job-mismatch"
    assert tool("verify", *expect, "--job", "a", "--machine", "a", stdin=job).code == 2
    told = tool("explain", *expect, "--job", "web", stdin=job)
    assert told.code == 0 and "a JWS of type vmcp-job+jwt" in told.out and "job (sub)" in told.out


def test_sign(tool, keys, scratch):
    expect = ("--domain", DOMAIN, "--salt", "s", "--hostid", "h")
    write_json(scratch / "web.json", {"serial": 2, "job": PASTED})
    key = keys["p-256"].path
    for more, name in (((), "web"), (("--job", "other"), "other")):
        done = tool("sign", "--key", key, *expect, *more, scratch / "web.json")
        assert done.code == 0, done
        found = tool("verify", "--trust", f"{key}.pub", *expect, "--job", name,
                     stdin=done.out.encode())
        assert found.json == JOB["job"], found  # nothing that only Cloud Scheduler writes
    done = tool("sign", "--key", key, *expect, "--job", "x", "-", stdin=json.dumps(JOB).encode())
    assert done.code == 0
    for more in (("--machine", "x"), ("--format", "v1", "--key", keys["rsa-2048"].path)):
        assert tool("sign", "--key", key, *expect, *more, scratch / "web.json").code in (2, 3)
    assert tool("canon", "--salt", "s", scratch / "web.json").code == 3


def test_lint(tool, scratch):
    for sample in sorted(SAMPLES.glob("*.json")):
        assert tool("lint", "--strict", sample).code == 0, sample
    assert len(list(SAMPLES.glob("*.json"))) >= 3
    configs = scratch / "configs"
    write_json(configs / "web.json", MACHINE)
    write_json(configs / "jobs" / "web.json", JOB)
    done = tool("lint", configs)
    assert done.code == 0 and "1 machine file, 1 job file: 0 errors" in done.err, done
    assert "1 job file: 0 errors" in tool("lint", configs / "jobs").err
    (configs / "jobs" / "bad.json").write_text('{"job": {"schedule": "*/5 * * 13 *",\n'
                                               ' "httpTraget": {}, "launch": "web"}}')
    done = tool("lint", configs)
    assert done.code == 3
    assert f"{configs}/jobs/bad.json:1:31: error: a month is 1 to 12" in done.out
    assert f"{configs}/jobs/bad.json:2:2: error: `httpTraget` is unknown here; did you mean " \
           "`httpTarget`?" in done.out
    zone = {"job": {**JOB["job"], "timeZone": "Europe/Atlantis"}}
    done = tool("lint", "-", stdin=json.dumps(zone).encode())
    assert done.code == 0 and "warning: there is no such time zone on this machine" in done.out
    # where a file lies says what it has to be
    write_json(configs / "stray.json", JOB)
    write_json(configs / "jobs" / "machine.json", MACHINE)
    write_json(configs / "jobs" / "machine2.json", {"machine": MACHINE})
    out = tool("lint", configs).out
    assert "stray.json:3:2" in out and "belongs into the folder `jobs`" in out
    assert "machine.json:1:1: error" in out and "a machine: its file does not belong" in out
    assert tool("lint", configs / "stray.json").code == 0
    assert tool("lint", "-", stdin=json.dumps(JOB).encode()).code == 0
    assert tool("lint", "--machine", "x", "-", stdin=json.dumps(JOB).encode()).code == 3
    assert tool("lint", "--job", "x", "-", stdin=json.dumps(MACHINE).encode()).code == 3


def test_where_a_token_may_go(tool, bin, keys, scratch):
    evil = {"job": {"schedule": "* * * * *", "httpTarget": {
        "uri": "https://compute.example.org/x", "oauthToken": {}}}}
    write_json(scratch / "configs" / "jobs" / "evil.json", evil)
    done = tool("lint", scratch / "configs")
    assert done.code == 3 and "googleapis.com and hosts under it only" in done.out
    assert tool("lint", "--universe-domain", "example.org", scratch / "configs").code == 0
    check = (bin.vmcpd, "--domain", DOMAIN, "--key", keys["ed25519"].path, "--configs",
             scratch / "configs", "--check")
    done = run(*check)
    assert done.code == 3 and "jobs/evil.json:5:11: error: an access token" in done.err, done
    assert run(*check, "--universe-domain", "example.org").code == 0


def test_reload_and_watch(vmcpd):
    server = vmcpd({"web": MACHINE}, "--watch")
    ready = lambda: server.ask("/readyz").json
    assert ready()["jobs"] == 0 and server.v2("/jobs/web").status == 404
    digest = ready()["digest"]
    write_json(folder(server) / "jobs" / "web.json", JOB)  # the folder comes while it runs
    assert eventually(lambda: server.v2("/jobs/web").status == 200)
    assert ready()["jobs"] == 1 and ready()["digest"] != digest
    write_json(folder(server) / "jobs" / "web.json", {**JOB, "serial": 8})
    assert eventually(lambda: "1 machine, 1 job, catalogue" in server.log
                      and ready()["reload"]["done"] >= 2)
    (folder(server) / "jobs" / "bad.json").write_text('{"job": 5}')
    assert eventually(lambda: ready()["reload"]["failed"] >= 1)
    assert "jobs/bad.json:1:9: error: a job is a JSON object" in server.log
    assert server.v2("/jobs/web").status == 200  # the old set stays
    shutil.rmtree(folder(server) / "jobs")
    assert eventually(lambda: server.v2("/jobs/web").status == 404)
    assert ready()["digest"] == digest


def test_jobs_alone(vmcpd):
    server = vmcpd({"jobs/web": JOB})
    assert server.v2("/jobs/web").status == 200 and server.v2("/vmcp").status == 404


def test_log_metrics_and_page(vmcpd):
    server = vmcpd({"web": MACHINE, "jobs/nightly": JOB}, "--list-machines", "--log-format", "json")
    assert server.v2("/jobs/nightly").status == 200
    assert eventually(lambda: '"job":"nightly"' in server.log)
    line = next(json.loads(l) for l in server.log.splitlines() if '"job":"nightly"' in l)
    assert line["route"] == "/jobs/{name}" and line["serial"] == 7 and "machine" not in line
    facts = server.ask("/", Accept="application/json").json
    assert (facts["jobs"], facts["job_names"], facts["names"]) == (1, ["nightly"], ["web"])
    assert b"<li><code>nightly</code></li>" in server.ask("/", Accept="text/html").body
    quiet = vmcpd({"web": MACHINE, "jobs/nightly": JOB})
    assert b"nightly" not in quiet.ask("/", Accept="text/html").body
    assert "job_names" not in quiet.ask("/", Accept="application/json").json


def test_a_linked_folder_inside_the_sandbox(scratch, vmcpd, monkeypatch):
    """The folder of jobs may be a link to elsewhere, as where jobs are kept in a repository of
    their own; a reload reads it again inside the sandbox."""
    monkeypatch.setenv("ASAN_OPTIONS", "detect_leaks=0")  # that search makes calls which are refused
    elsewhere = scratch / "repository" / "jobs"
    write_json(elsewhere / "web.json", JOB)
    server = vmcpd({"web": MACHINE})
    server.stop()
    (folder(server) / "jobs").symlink_to(elsewhere)
    server.argv += ["--sandbox", "on"]
    server.start()
    assert server.v2("/jobs/web").status == 200
    write_json(elsewhere / "web.json", {**JOB, "serial": 9})
    server.process.send_signal(signal.SIGHUP)
    assert eventually(lambda: "reload (SIGHUP): 1 machine, 1 job," in server.log), server.log

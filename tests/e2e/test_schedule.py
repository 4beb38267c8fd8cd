# SPDX-License-Identifier: Apache-2.0
"""vmcp-launch schedule and jobs: signed jobs at their times, by a clock that the tests set."""
import glob
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import threading
import time
import urllib.request
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from conftest import DOMAIN, MACHINE, eventually, run, write_json
from terminal import Terminal

FAKETIME = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")


class Receiver:
    """Answers with what a test says; keeps what came."""

    def __init__(self):
        outer = self
        self.requests, self.status, self.hold = [], 200, None

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.requests.append((self.path, dict(self.headers)))
                if outer.hold:
                    outer.hold.wait(60)
                self.send_response(outer.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.origin = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=[0.02], daemon=True).start()

    def times(self, path="/do"):
        return [h["X-CloudScheduler-ScheduleTime"] for p, h in self.requests if p == path]

    def stop(self):
        if self.hold:
            self.hold.set()
        self.server.shutdown()
        self.server.server_close()


class Schedule:
    """A scheduler whose clock is this one's, moved."""

    def __init__(self, world, names, options, offset):
        self.world = world
        self.clock = world.folder / f"clock-{len(world.started)}"
        self.log = world.folder / f"log-{len(world.started)}"
        self.set(offset)
        env = {**world.env, "LD_PRELOAD": FAKETIME[0], "FAKETIME_TIMESTAMP_FILE": str(self.clock),
               "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
        argv = [world.bin.launch, "schedule", *(o for n in names for o in ("--job", n)),
                *world.common(), "--allow-uri", world.receiver.origin, "--max-skew", "3600", *options]
        with open(self.log, "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([str(a) for a in argv], env=env, stderr=log,
                                            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def set(self, offset):
        """Seconds that its clock is ahead of ours."""
        self.offset = offset
        self.clock.write_text(f"{offset:+d}\n")

    def jump(self, seconds):
        self.set(self.offset + seconds)
        self.process.send_signal(signal.SIGHUP)  # it would look within ten seconds by itself

    def now(self):
        return datetime.now(timezone.utc) + timedelta(seconds=self.offset)

    def says(self, pattern, seconds=15):
        found = eventually(lambda: re.search(pattern, self.log.read_text()), seconds)
        assert found, self.log.read_text()
        return found

    def stop(self, signum=signal.SIGTERM, code=0):
        self.process.send_signal(signum)
        assert self.process.wait(20) == code, self.log.read_text()


class World:
    def __init__(self, bin_, server, folder, pub):
        self.bin, self.server, self.folder, self.pub = bin_, server, folder, pub
        self.state = folder / "state"
        self.receiver = Receiver()
        self.started = []
        clean = {k: v for k, v in os.environ.items()
                 if not k.startswith(("GOOGLE", "CLOUDSDK", "GCE", "VMCP"))}
        self.env = {**clean, "HOME": str(folder)}

    def job(self, schedule="* * * * *", path="/do", **more):
        return {"schedule": schedule, "httpTarget": {"uri": f"{self.receiver.origin}{path}"}, **more}

    def publish(self, name, job, serial=1):
        path = self.server.folder / f"configs/jobs/{name}.json"
        before = self.server.v2(f"/jobs/{name}").status
        path.unlink(missing_ok=True)
        if job:
            write_json(path, {"serial": serial, "job": job})
        loads = self.server.log.count("catalogue")
        self.server.process.send_signal(signal.SIGHUP)
        want = 200 if job else 404
        if before == want:
            assert eventually(lambda: self.server.log.count("catalogue") > loads or None, 5) or True
        assert eventually(lambda: self.server.v2(f"/jobs/{name}").status == want)

    def common(self):
        return ["--endpoint", f"http://127.0.0.1:{self.server.port}", "--domain", DOMAIN, "--trust",
                self.pub, "--state-dir", self.state]

    def start(self, *names, offset=None, options=()):
        """By default two seconds before a full minute, by its own clock."""
        if not FAKETIME:
            pytest.skip("libfaketime is not there")
        if "address" in str(self.bin.launch) or "thread" in str(self.bin.launch):
            pytest.skip("libfaketime and sanitizers both want to be loaded first")
        if offset is None:
            offset = 58 - int(time.time()) % 60
        self.started.append(Schedule(self, names or ["j"], options, offset))
        return self.started[-1]

    def jobs(self, *words, code=0):
        done = run(self.bin.launch, "jobs", *words, "--state-dir", self.state, env=self.env)
        assert done.code == code, done
        return done

    def runs(self, name="j", domain=DOMAIN):
        if not (self.state / "history.db").exists():
            return []
        done = self.jobs("history", name, "--domain", domain, "--json", "--limit", "100")
        return list(reversed(done.json["runs"]))

    def outcomes(self, name="j"):
        return [r["outcome"] for r in self.runs(name)]


@pytest.fixture(name="world")
def world_fixture(bin, vmcpd, keys, tmp_path):
    never = {"job": {"schedule": "0 0 1 1 *", "launch": "web"}}
    server = vmcpd({"web": MACHINE, "jobs/j": never, "jobs/k": never}, key=("ed25519",))
    world = World(bin, server, tmp_path, keys["ed25519"].pub)
    yield world
    for started in world.started:
        started.process.kill()
        started.process.wait()
    world.receiver.stop()


def minutes(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def test_at_its_times(world):
    world.publish("j", world.job())
    s = world.start()
    s.says("1 job of .* on schedule")
    assert eventually(lambda: world.outcomes() == ["succeeded"])
    s.jump(60)
    assert eventually(lambda: world.outcomes() == ["succeeded", "succeeded"])
    first, second = world.receiver.times()
    assert minutes(second) - minutes(first) == timedelta(minutes=1) and first.endswith(":00Z")
    [_, headers] = world.receiver.requests[0]
    assert headers["X-CloudScheduler"] == "true" and headers["X-CloudScheduler-JobName"] == "j"
    s.says(r"j of \S+: succeeded, 1 attempt$")
    s.stop()


def test_it_is_fetched_anew_before_each_run(world):
    """What is withdrawn, or changed, between two runs is not run as it was."""
    world.publish("j", world.job(path="/old"))
    s = world.start()
    assert eventually(lambda: world.outcomes() == ["succeeded"])
    world.publish("j", None)
    s.set(s.offset + 60)
    s.says("j is stopped: .*job-unknown")
    assert eventually(lambda: world.outcomes() == ["succeeded", "refused"])
    s.jump(60)
    world.publish("j", world.job(path="/new"), serial=2)
    s.process.send_signal(signal.SIGHUP)
    s.says("j is good again, serial 2")
    s.jump(60)
    assert eventually(lambda: world.receiver.times("/new"))
    assert len(world.receiver.times("/old")) == 1
    world.publish("j", world.job(path="/stale"), serial=1)  # an older one: a replay
    s.jump(60)
    assert eventually(lambda: "j is stopped: " in s.log.read_text().split("good again")[1])
    assert not world.receiver.times("/stale")


@pytest.mark.parametrize("missed", ("skip", "runOnce"))
def test_a_clock_that_goes_forward(world, missed):
    world.publish("j", world.job("*/10 * * * *", onMissed=missed))
    offset = 600 - int(time.time()) % 600 - 2
    s = world.start(offset=offset)
    assert eventually(lambda: world.outcomes() == ["succeeded"])
    s.jump(1805)  # 30 minutes and a little: by half a minute late, which is no reason to skip it
    assert eventually(lambda: len(world.receiver.times()) == 2)
    s.jump(1390)  # 23 minutes: the last of what went by is three minutes old
    wanted = ["succeeded", "succeeded", "missed" if missed == "skip" else "succeeded"]
    assert eventually(lambda: world.outcomes() == wanted), (world.runs(), s.log.read_text())
    assert len(world.receiver.times()) == (2 if missed == "skip" else 3)


def test_a_clock_that_goes_back(world):
    """What has run does not run again."""
    world.publish("j", world.job())
    s = world.start()
    assert eventually(lambda: world.outcomes() == ["succeeded"])
    s.jump(-300)
    s.jump(240)  # 4 minutes of the same time again
    s.jump(120)
    assert eventually(lambda: world.outcomes() == ["succeeded"] * 2)
    assert len(set(world.receiver.times())) == len(world.receiver.times()) == 2


@pytest.mark.parametrize("missed", ("skip", "runOnce"))
def test_a_downtime(world, missed):
    world.publish("j", world.job("*/10 * * * *", onMissed=missed))
    offset = 600 - int(time.time()) % 600 - 2
    s = world.start(offset=offset)
    assert eventually(lambda: world.outcomes() == ["succeeded"])
    s.stop()
    again = world.start(offset=offset + 1500)
    wanted = ["succeeded", "missed" if missed == "skip" else "succeeded"]
    assert eventually(lambda: world.outcomes() == wanted), again.log.read_text()
    first, second = (r["scheduleMs"] for r in world.runs())
    assert second - first == 20 * 60 * 1000


def test_a_first_time_that_was_missed(world):
    """runOnce counts from when the job was seen first, though it has never run."""
    world.publish("j", world.job("*/10 * * * *", onMissed="runOnce"))
    offset = 600 - int(time.time()) % 600 - 300
    s = world.start(offset=offset)
    s.says("on schedule")
    assert eventually(lambda: "j" in world.jobs("list").out)
    s.stop()
    world.start(offset=offset + 600)
    assert eventually(lambda: world.outcomes() == ["succeeded"])


def test_no_overlap_and_the_end_of_an_attempt(world):
    """A slow one delays the next, which follows at once; SIGTERM lets what is sent come home."""
    world.receiver.hold = threading.Event()
    world.publish("j", world.job())
    s = world.start()
    assert eventually(lambda: len(world.receiver.requests) == 1)
    s.jump(125)
    done = run(world.bin.launch, "run-job", "j", *world.common(), "--json", env=world.env)
    assert done.json["code"] == "state-busy", done
    time.sleep(0.3)
    assert len(world.receiver.requests) == 1
    world.receiver.hold.set()
    assert eventually(lambda: world.outcomes()[:2] == ["succeeded", "succeeded"])
    first, second = (minutes(t) for t in world.receiver.times()[:2])
    assert second - first == timedelta(minutes=2)

    world.receiver.hold = threading.Event()
    s.jump(60)
    assert eventually(lambda: len(world.receiver.requests) == 3)
    s.process.send_signal(signal.SIGTERM)
    s.says("stopping: 1 job at work")
    assert s.process.poll() is None
    world.receiver.hold.set()
    assert s.process.wait(10) == 0
    assert world.outcomes() == ["succeeded"] * 3


def test_what_was_cut_off_is_settled_at_the_next_start(world):
    """The grace is over: the attempt stays open, and is settled before anything else."""
    world.receiver.hold = threading.Event()
    world.publish("j", world.job("0 * * * *"))
    offset = 3600 - int(time.time()) % 3600 - 2
    s = world.start(offset=offset, options=["--stop-grace", "0"])
    assert eventually(lambda: len(world.receiver.requests) == 1)
    s.stop()
    s.says("what is open is settled at the next start")
    assert world.outcomes() == ["open"]
    world.receiver.hold.set()
    world.start(offset=offset)
    # a POST to who knows whom cannot be asked about
    assert eventually(lambda: world.outcomes() == ["in doubt"])
    assert len(world.receiver.requests) == 1


def test_attempts_with_pauses_between(world):
    """No thread waits for a pause; the other job runs meanwhile on the only one."""
    world.receiver.status = 503
    world.publish("j", world.job("0 * * * *", retryConfig={"retryCount": 1,
                                                           "minBackoffDuration": "30s"}))
    world.publish("k", world.job("0 * * * *", path="/k"))
    s = world.start("j", "k", offset=3600 - int(time.time()) % 3600 - 2,
                    options=["--parallel", "1"])
    assert eventually(lambda: world.receiver.times() and world.outcomes("k") == ["failed"])
    assert world.outcomes() == ["open"]
    world.receiver.status = 200
    s.jump(31)
    assert eventually(lambda: world.outcomes() == ["succeeded"]), s.log.read_text()
    assert len(set(world.receiver.times())) == 1 and len(world.receiver.times()) == 2
    s.says("succeeded, 2 attempts")


@pytest.mark.parametrize("grace", (0, 3600))
def test_without_a_responder(world, grace):
    world.publish("j", world.job())
    s = world.start(options=["--offline-grace", str(grace), "--boot-timeout", "1"])
    assert eventually(lambda: world.outcomes() == ["succeeded"])
    world.server.stop()
    s.jump(60)
    s.says("the responder does not answer")
    wanted = "succeeded" if grace else "refused"
    assert eventually(lambda: world.outcomes() == ["succeeded", wanted]), s.log.read_text()
    assert len(world.receiver.requests) == (2 if grace else 1)
    if not grace:
        assert "responder could not be asked" in world.runs()[-1]["error"]


def test_pause_and_resume(world):
    world.publish("j", world.job(onMissed="runOnce"))
    s = world.start()
    assert eventually(lambda: world.outcomes() == ["succeeded"])
    world.jobs("pause", "j")
    s.jump(60)
    s.jump(60)
    assert "paused" in world.jobs("list").out
    time.sleep(0.5)
    assert world.outcomes() == ["succeeded"]
    s.stop()
    world.jobs("resume", "j")
    with sqlite3.connect(world.state / "history.db") as db:  # resumed by the clock of the others
        db.execute("UPDATE watched SET from_ms = ?", [int(s.now().timestamp() * 1000)])
    again = world.start(offset=s.offset)
    again.says("on schedule")
    time.sleep(0.5)
    assert world.outcomes() == ["succeeded"]
    again.jump(60)
    assert eventually(lambda: world.outcomes() == ["succeeded", "succeeded"])


def test_metrics(world):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    world.publish("j", world.job())
    world.publish("k", None)
    s = world.start("j", "k", options=["--metrics", f"127.0.0.1:{port}"])
    assert eventually(lambda: world.outcomes() == ["succeeded"])
    s.says("k is stopped")

    def page():
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            return dict(line.rsplit(" ", 1) for line in answer.read().decode().splitlines()
                        if not line.startswith("#"))
    assert eventually(lambda: page()['vmcp_launch_job_runs_total{job="j",outcome="succeeded"}']
                      == "1")
    now = page()
    assert now['vmcp_launch_job_attempts_total{job="j"}'] == "1"
    assert now['vmcp_launch_job_stopped{job="j"}'] == "0"
    assert now['vmcp_launch_job_stopped{job="k"}'] == "1"
    assert now['vmcp_launch_refusals_total{code="responder-error"}'] == "1"
    coming = int(now['vmcp_launch_job_next_run_timestamp_seconds{job="j"}'])
    assert coming % 60 == 0 and 0 < coming - s.now().timestamp() <= 60
    last = int(now['vmcp_launch_job_last_success_timestamp_seconds{job="j"}'])
    assert abs(last - s.now().timestamp()) < 30
    assert now["vmcp_launch_responder_up"] == "1" and now["vmcp_launch_jobs"] == "2"
    assert now["vmcp_launch_history_failures_total"] == "0"


def test_systemd_is_told(world, tmp_path):
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as place:
        place.bind(str(path))
        place.settimeout(10)
        world.env["NOTIFY_SOCKET"] = str(path)
        s = world.start(offset=0)
        said = ""
        while "STATUS=" not in said:
            said += place.recv(4096).decode() + "\n"
        assert "READY=1" in said and "WATCHDOG=1" in said
        s.process.send_signal(signal.SIGTERM)
        while "STOPPING=1" not in said:
            said += place.recv(4096).decode() + "\n"
    assert s.process.wait(10) == 0


def test_explain(world):
    """Times with their zone, over the end of summer time; nothing is run."""
    world.publish("j", world.job("30 2 * * *", timeZone="Europe/Berlin"))
    plain = run(world.bin.launch, "schedule", "--job", "j", "--explain", *world.common(),
                env=world.env)
    assert plain.code == 0 and plain.out.startswith("j: 30 2 * * *, Europe/Berlin\n")
    lines = plain.out.splitlines()[1:]
    assert len(lines) == 10 and all(re.fullmatch(r"  \S+T02:30:00\+0[12]:00", x) for x in lines)
    done = run(world.bin.launch, "schedule", "--job", "j", "--explain", "--json", *world.common(),
               env=world.env)
    [job] = done.json["jobs"]
    assert job["times"] == [x.strip() for x in lines] and job["serial"] == 1
    assert not world.receiver.requests
    none = run(world.bin.launch, "schedule", "--job", "j", "--job", "none", "--explain",
               *world.common(), env=world.env)
    assert none.code == 4 and "none" in none.err and plain.out in none.out


def test_names(world, tmp_path):
    names = tmp_path / "names"
    for text, why in (("j\nj\n", "named twice"), ("j\nJ\n", "line 2"), ("# none\n\n", "no job"),
                      ("k k", None), ("../x", "line 1")):
        names.write_text(text)
        done = run(world.bin.launch, "schedule", "--jobs-from", names, "--explain", *world.common(),
                   env=world.env)
        assert done.code == (2 if why else 0), done
        assert not why or why in done.err, done
    done = run(world.bin.launch, "schedule", "--jobs-from", tmp_path / "nowhere", *world.common(),
               env=world.env)
    assert done.code == 3 and "nowhere" in done.err


# What is shown


def fill(world):
    """A history of every kind of run, as SQLite has it."""
    world.jobs("list")
    now = int(datetime(2026, 3, 1, 10, tzinfo=timezone.utc).timestamp() * 1000)
    with sqlite3.connect(world.state / "history.db") as db:
        for i, outcome in enumerate((1, 2, 3, 4, 5, 0)):
            at = now + i * 300000
            [run_id] = db.execute(
                "INSERT INTO run (domain, job, schedule_ms, serial, manual, started_ms, ended_ms,"
                " outcome, error) VALUES (?, 'j', ?, 7, ?, ?, ?, ?, ?) RETURNING id",
                (DOMAIN, at, i == 1, at, at + 500 if outcome else 0, outcome,
                 "\x1b[31mstatus 503" if outcome > 1 else "")).fetchone()
            if outcome in (1, 2, 3):
                db.execute("INSERT INTO attempt (run, number, request_id, method, uri, started_ms,"
                           " ended_ms, outcome, status, error, body) VALUES (?, 1, 'r', 'POST',"
                           " 'https://a.example/', ?, ?, ?, 503, 'said \x1b[2J', ?)",
                           (run_id, at, at + 230, outcome, b'{"a": "\x1b]0;x\x07"}'))


def test_the_timeline(world):
    fill(world)
    text = world.jobs("list").out
    line, legend = text.splitlines()[0], text.splitlines()[-1]
    assert re.search(r"^j +\+ ! \? x \. ~  2026-03-01T10:25:00Z open$", line), text
    assert legend == "+ succeeded   ! failed   ? in doubt   x refused   . missed   ~ open"
    [job] = world.jobs("list", "--json").json["jobs"]
    assert job["timeline"] == ["succeeded", "failed", "in doubt", "refused", "missed", "open"]
    assert job["outcome"] == "open" and job["runs"] == 6 and job["paused"] is False
    assert world.jobs("list", "--domain", "other.example").out == ""


def test_colours_only_on_a_terminal(world):
    fill(world)
    argv = [world.bin.launch, "jobs", "list", "--state-dir", world.state]
    assert "\x1b" not in world.jobs("list").out
    for env, coloured in (({"NO_COLOR": ""}, True), ({"NO_COLOR": "1"}, False),
                          ({"TERM": "dumb"}, False)):
        terminal = Terminal(argv, **env)
        text = terminal.read()
        assert terminal.close() == 0
        assert ("\x1b[32m+\x1b[0m" in text) == coloured, (env, text)
        assert ("\x1b" in text) == coloured


def test_history_and_show(world):
    fill(world)
    text = world.jobs("history", "j").out
    assert "\x1b" not in text and text.count("attempt 1") == 3 and "failed, by hand" in text
    assert "said  [2J" in text and "requestId r" in text and "HTTP 503, 230 ms" in text
    assert "answer" not in text
    runs = world.jobs("history", "j", "--limit", "2", "--json").json["runs"]
    assert [r["outcome"] for r in runs] == ["open", "missed"]
    with sqlite3.connect(world.state / "history.db") as db:
        db.execute("DELETE FROM run WHERE outcome <> 1")
    shown = world.jobs("show", "j")
    assert 'answer {"a": ' in shown.out and "\x1b" not in shown.out
    done = world.jobs("show", "j", "--json").json
    assert done["runs"][0]["attempts"][0]["body"].startswith('{"a": ') and done["runsKept"] == 1


def test_which_job_is_meant(world):
    for words, why in ((["pause", "j"], "give --domain"), (["show"], "name of a job"),
                       (["list", "j"], "no name"), (["frob", "j"], "is wanted"),
                       (["pause", "J"], ""), (["list", "--limit", "3"], "for history"),
                       (["pause", "j", "--domain", "a b"], "")):
        done = world.jobs(*words, code=2)
        assert why in done.err, done
    for domain in ("a.example", "b.example"):
        world.jobs("pause", "j", "--domain", domain)
    assert "more than one domain" in world.jobs("resume", "j", code=2).err
    assert world.jobs("resume", "j", "--domain", "a.example", "--json").json["paused"] is False
    jobs = world.jobs("list", "--json").json["jobs"]
    assert {(j["domain"], j["paused"]) for j in jobs} == {("a.example", False), ("b.example", True)}

# SPDX-License-Identifier: Apache-2.0
"""vmcpd's access log: what a line says, what it never says, logrotate, a full disk, the journal."""
import hashlib
import json
import os
import re
import resource
import signal
import socket
import stat
import threading
import time

import pytest

from conftest import DOMAIN, MACHINE, Vmcpd, eventually, run, write_json
from terminal import Terminal
from test_vmcpd import claims

SALT, HOSTID = "Salt-nobody-may-see", "host-nobody-may-see"
SECRETS = (SALT, HOSTID, MACHINE["secret"], "user-data-nobody-may-see", "cvm_salt", "cvm_hostid")
WEB = {"serial": 7, "machine": {**MACHINE, "userData": SECRETS[3]}}


def host_digits(hostid):
    return hashlib.sha256(hostid.encode()).hexdigest()[:12]


@pytest.fixture
def log(scratch):
    return scratch / "access.log"


@pytest.fixture
def server(vmcpd, log):
    return vmcpd({"web": WEB}, "--access-log", log, "--log-format", "json")


def lines(path, count=1):
    """The lines of a JSON log as soon as there are `count`, each a whole object."""
    eventually(lambda: path.exists() and path.read_text().count("\n") >= count)
    text = path.read_text()
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def test_a_line_of_an_answer(server, log, keys):
    before = time.time()
    answer = server.v2(salt=SALT, hostid=HOSTID)
    [line] = lines(log)
    c = claims(answer)
    when = line.pop("time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", when)
    seconds = time.mktime(time.strptime(when[:19], "%Y-%m-%dT%H:%M:%S")) - time.timezone
    assert before - 2 < seconds < time.time() + 2
    assert 0 < line.pop("micros") < 20_000_000
    assert line == {"method": "GET", "path": "/vmcp/web", "route": "/vmcp/{name}", "status": 200,
                    "code": "ok", "client": "127.0.0.1", "machine": "web", "serial": 7,
                    "jti": c["jti"], "host": host_digits(HOSTID), "alg": "EdDSA", "format": "v2",
                    "key": keys["ed25519"].thumbprint}


def test_a_line_of_a_version_1_answer(server, log, keys):
    server.v1(salt=SALT)
    [line] = lines(log)
    assert line["format"] == "v1" and line["alg"] == "RS512" and line["machine"] == "web"
    assert line["key"] == keys["rsa-2048"].thumbprint
    assert "jti" not in line and "host" not in line  # it has none, and nobody gave one


def test_lines_of_everything_else(server, log):
    asked = [("/healthz", 200, "ok", "/healthz"), ("/none", 404, "not-found", None),
             ("/vmcp/none?cvm_salt=" + SALT, 404, "machine-unknown", "/vmcp/{name}"),
             (f"/vmcp?cvm_salt={SALT}%2B", 400, "salt-malformed", "/vmcp")]
    for target, status, _, _ in asked:
        assert server.ask(target).status == status
    assert server.ask("/vmcp/web", method="POST").status == 405
    got = lines(log, 5)
    assert len(got) == 5 and not any("machine" in line for line in got)
    for target, status, code, route in asked:
        [line] = [one for one in got if one["path"] == target.split("?")[0]]
        assert (line["status"], line["code"], line.get("route")) == (status, code, route)
    [post] = [one for one in got if one["method"] == "POST"]
    assert post["code"] == "method-not-allowed" and "route" not in post


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_request_without_a_path(vmcpd, log, form):
    """What is refused before there is one: `-`, in JSON null."""
    server = vmcpd({"web": WEB}, "--access-log", log, "--log-format", form)
    assert server.ask(f"/vmcp%00?cvm_salt={SALT}").status == 400
    eventually(lambda: log.exists() and log.read_text().endswith("\n"))
    text = log.read_text()
    if form == "text":
        assert re.fullmatch(r"\S+Z GET - 400 request-malformed \d+us client=\S+\n", text)
    else:
        assert json.loads(text)["path"] is None and "route" not in json.loads(text)


def test_text(vmcpd, log):
    server = vmcpd({"web": WEB}, "--access-log", log)
    answer = server.v2(salt=SALT, hostid=HOSTID)
    server.ask("/n%22o%5C%20%C3%A9%7f?cvm_salt=" + SALT)
    server.ask("/none?cvm_salt=" + SALT)
    eventually(lambda: log.read_text().count("\n") == 3)
    by_status = {line.split()[3]: line for line in log.read_text().splitlines()}
    one, two, three = (by_status[status] for status in ("200", "400", "404"))
    assert re.fullmatch(
        r"\S+Z GET /vmcp/web 200 ok \d+us client=127\.0\.0\.1 machine=web serial=7 "
        rf"jti={claims(answer)['jti']} host={host_digits(HOSTID)} key=\S{{43}} alg=EdDSA "
        r"format=v2", one)
    assert re.fullmatch(r"\S+Z GET (-|/\S*) 400 request-malformed \d+us client=127\.0\.0\.1", two)
    assert re.fullmatch(r"\S+Z GET /none 404 not-found \d+us client=127\.0\.0\.1", three)


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("place", ["file", "-"])
def test_what_a_line_never_says(vmcpd, log, form, place):
    server = vmcpd({"web": WEB}, "--access-log", log if place == "file" else "-", "--log-format",
                   form)
    query = f"cvm_salt={SALT}&cvm_hostid={HOSTID}"
    for target in (f"/vmcp/web?{query}", f"/vmcp?vm=web&{query}", f"/none?{query}",
                   f"/vmcp/web?{query}&cvm_salt={SALT}", f"/vmcp/web?cvm_salt={SALT}%00",
                   f"/vmcp/web%3Fx?{query}", f"http://h/vmcp/web?{query}", f"/?{query}#{SALT}"):
        for accept in ("application/jose", "*/*"):
            server.ask(target, Accept=accept, Authorization="Bearer token-nobody-may-see",
                       Referer=f"http://x/?{query}", Cookie=SALT)
    server.stop()
    text = server.log + (log.read_text() if log.exists() else "")
    assert text.count("/vmcp/web") >= 8
    for secret in (*SECRETS, "token-nobody"):
        assert secret not in text, secret


def test_the_file(server, log, scratch, bin, keys):
    server.ask("/healthz")
    assert len(lines(log)) == 1 and stat.S_IMODE(log.stat().st_mode) == 0o640
    assert server.stop() == 0
    again = Vmcpd(bin.vmcpd, scratch, *server.argv[1:]).start()  # is appended to
    again.ask("/healthz")
    assert len(lines(log, 2)) == 2
    assert again.stop() == 0
    missing = run(*[a if a != str(log) else str(scratch / "no/such.log") for a in server.argv])
    assert missing.code == 3 and "no/such.log" in missing.err and "[file]" in missing.err
    wrong = run(bin.vmcpd, "--domain", DOMAIN, "--key", keys["ed25519"].path, "--configs",
                server.folder / "configs", "--check", "--log-format", "xml")
    assert wrong.code == 2 and "text or json is wanted" in wrong.err


@pytest.mark.parametrize("how", ["SIGHUP", "vmcpd reload"])
def test_logrotate(vmcpd, log, scratch, bin, how):
    """Moved away and opened again under load: every request has its line, in one of the files."""
    server = vmcpd({"web": WEB}, "--access-log", log, "--log-format", "json", "--control",
                   scratch / "control")
    count, stop = [0, 0, 0], threading.Event()

    def client(number):
        while not stop.is_set():
            assert server.ask("/healthz").status == 200
            count[number] += 1

    clients = [threading.Thread(target=client, args=(i,)) for i in range(3)]
    for thread in clients:
        thread.start()
    for i in range(5):
        os.rename(log, scratch / f"access.log.{i}")
        if how == "SIGHUP":
            server.process.send_signal(signal.SIGHUP)
        else:
            assert run(bin.vmcpd, "reload", "--control", scratch / "control").code == 0
        assert eventually(log.exists)
        before = sum(count)
        assert eventually(lambda: sum(count) > before + 5)
    stop.set()
    for thread in clients:
        thread.join(20)
    assert server.stop() == 0
    files = sorted(scratch.glob("access.log*"))
    assert len(files) == 6 and all(stat.S_IMODE(f.stat().st_mode) == 0o640 for f in files)
    written = [json.loads(line) for f in files for line in f.read_text().splitlines()]
    assert len(written) == sum(count)


def test_what_cannot_be_opened_again(server, log, scratch):
    server.ask("/healthz")
    lines(log)
    os.rename(log, scratch / "moved")
    log.mkdir()
    server.process.send_signal(signal.SIGHUP)
    assert eventually(lambda: "access log cannot be opened" in server.log)
    server.ask("/healthz")  # the old file goes on
    assert len(lines(scratch / "moved", 2)) == 2


def test_a_reload_says_that_the_log_was_not_opened_again(vmcpd, log, bin, scratch):
    """The new set is served; the outcome is a failure all the same, and a metric says so."""
    control, metrics = scratch / "control", scratch / "metrics.sock"
    server = vmcpd({"web": WEB}, "--access-log", log, "--control", control, "--metrics",
                   f"unix:{metrics}")

    def reload(*options):
        return run(bin.vmcpd, "reload", "--control", control, *options)

    def gauge():
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(str(metrics))
            s.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
        return int(re.search(r"^vmcpd_log_last_reopen_successful (\d)", text, re.M)[1])

    assert reload().code == 0 and gauge() == 1
    os.rename(log, scratch / "moved")
    log.mkdir()
    write_json(server.folder / "configs/db.json", MACHINE)
    done = reload()
    assert done.code == 1 and "generation 3, 2 machines" in done.err, done
    assert f"error: the new set is served, the log is the old one: {log}: the access" in done.err
    assert gauge() == 0 and server.v2("/vmcp/db").status == 200
    assert eventually(lambda: "/vmcp/db 200" in (scratch / "moved").read_text())
    report = reload("--json").json
    assert (report["code"], report["loaded"], report["generation"]) == ("file", True, 4)
    (server.folder / "configs/db.json").write_text("{")
    done = reload()
    assert done.code == 1 and "the old set stays" in done.err and f"{log}: error: " in done.err
    (server.folder / "configs/db.json").unlink()
    log.rmdir()
    assert reload().code == 0 and gauge() == 1


def test_a_full_disk(vmcpd):
    server = vmcpd({"web": WEB}, "--access-log", "/dev/full")
    for _ in range(50):
        assert server.v2().status == 200
    assert eventually(lambda: server.log.count("No space left on device") == 1)
    assert "answers go on" in server.log
    server.process.send_signal(signal.SIGHUP)  # told once for each time that it is opened
    assert eventually(lambda: "reload (SIGHUP)" in server.log)
    assert server.v2().status == 200
    assert eventually(lambda: server.log.count("No space left on device") == 2)


def test_a_line_that_was_cut_ends_before_the_next(server, log):
    """A write that stops in the middle, as on a disk that fills up."""
    for _ in range(5):
        server.ask("/healthz")
    lines(log, 5)
    size = log.stat().st_size
    unlimited = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (size + 20, unlimited[1]))
    for _ in range(3):
        assert server.ask("/healthz").status == 200
    assert eventually(lambda: log.stat().st_size == size + 20)
    assert eventually(lambda: "lines are dropped" in server.log)
    time.sleep(0.3)  # the third line may still be on its way
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, unlimited)
    server.ask("/readyz")
    assert eventually(lambda: log.read_text().endswith("}\n"))
    *_, whole, cut, after = log.read_text().splitlines()
    assert json.loads(whole)["path"] == "/healthz" and len(cut) == 20
    assert json.loads(after)["path"] == "/readyz"


def test_a_pipe_that_nobody_reads(bin, keys, scratch):
    """Standard error is a pipe that is full: answers go on as fast as ever."""
    write_json(scratch / "configs/web.json", WEB)
    argv = [bin.vmcpd, "--domain", DOMAIN, "--key", keys["ed25519"].path, "--configs",
            scratch / "configs", "--listen", "127.0.0.1:0"]
    for kind in ("pipe", "socket"):
        if kind == "pipe":
            ends = os.pipe()
        else:
            pair = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            ends = [s.detach() for s in pair]
        server = Vmcpd(argv[0], scratch, *argv[1:]).start(stderr=ends[1])
        os.close(ends[1])
        try:
            for _ in range(3000):
                assert server.ask("/healthz").status == 200
            assert server.v2().status == 200
        finally:
            os.set_blocking(ends[0], False)
            while True:  # what stands in the way of its last words
                try:
                    if not os.read(ends[0], 65536):
                        break
                except BlockingIOError:
                    break
            assert server.stop() == 0
            os.close(ends[0])


def test_the_journal(bin, keys, scratch, monkeypatch):
    """A stream that JOURNAL_STREAM names gets levels and no times; any other does not."""
    folder = scratch / "configs"
    write_json(folder / "web.json", {**MACHINE, "zone": "nobody-reads-this"})
    err = scratch / "vmcpd.err"
    err.touch()
    st = err.stat()
    monkeypatch.setenv("JOURNAL_STREAM", f"{st.st_dev}:{st.st_ino}")
    server = Vmcpd(bin.vmcpd, scratch, "--domain", DOMAIN, "--key", keys["ed25519"].path,
                   "--configs", folder, "--listen", "127.0.0.1:0").start()
    server.ask("/healthz")
    (folder / "web.json").write_text("{")
    server.process.send_signal(signal.SIGHUP)
    assert eventually(lambda: "old set stays" in server.log)
    assert server.stop() == 0
    kinds = {"warning: `zone`": "<4>/", "GET /healthz 200": "<6>20", ": error: ": "<3>/",
             "old set stays": "<3>vmcpd: error: ", "stopping on SIGTERM": "<6>vmcpd: "}
    for text, start in kinds.items():
        [line] = [one for one in server.log.splitlines() if text in one][:1]
        assert line.startswith(start), (text, line)
    assert all(re.match("<[346]>", line) for line in server.log.splitlines())
    monkeypatch.setenv("JOURNAL_STREAM", f"{st.st_dev}:{st.st_ino + 1}")
    done = run(bin.vmcpd, "--domain", DOMAIN, "--key", keys["ed25519"].path, "--configs", folder,
               "--check")
    assert done.code == 3 and "error: " in done.err and "<" not in done.err


def test_times(bin, keys, scratch):
    """Where nobody else adds one: in a file or a pipe, of a server; not on a terminal."""
    folder = scratch / "configs"
    write_json(folder / "web.json", {**MACHINE, "zone": "nobody-reads-this"})
    argv = [bin.vmcpd, "--domain", DOMAIN, "--key", keys["ed25519"].path, "--configs", folder]
    server = Vmcpd(*argv[:1], scratch, *argv[1:], "--listen", "127.0.0.1:0").start()
    server.ask("/healthz")
    assert server.stop() == 0
    form = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z (GET|vmcpd:|/\S+: warning:) .*")
    written = server.log.splitlines()
    assert len(written) > 3 and [line for line in written if not form.fullmatch(line)] == []
    assert written == sorted(written)  # with the access log, one format
    assert form.fullmatch(run(bin.vmcpd, "--bogus").err.strip())
    assert run(*argv, "--check").err.startswith(f"{folder}/web.json:")
    shell = Terminal([*argv, "--listen", "127.0.0.1:0", "--default", "none"])
    assert re.search(r"^vmcpd: error: --default none", shell.read(), re.M)
    assert shell.close() == 3

# SPDX-License-Identifier: Apache-2.0
"""vmcpd from its command line to its end: what it refuses to start on, --check, signals."""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from conftest import DOMAIN, MACHINE, Vmcpd, eventually, run, write_json
from test_vmcp_verify import unb64

QUESTION = "/vmcp/web?cvm_salt=Salt-1&cvm_hostid=host-1"


@pytest.fixture
def configs(scratch):
    write_json(scratch / "configs" / "web.json", {"serial": 7, "machine": MACHINE})
    return scratch / "configs"


@pytest.fixture
def check(bin, keys, configs):
    """vmcpd --check on the configs and a key, and other options."""

    def call(*options, code=0, key="ed25519", folder=configs):
        done = run(bin.vmcpd, "--domain", DOMAIN, "--key", keys[key].path, "--configs", folder,
                   "--check", *options)
        assert done.code == code, done
        return done

    return call


# -- the command line ------------------------------------------------------------------------------

def test_help_and_version(bin):
    done = run(bin.vmcpd, "--help")
    assert done.code == 0 and done.out.startswith("vmcpd - ")
    for option in ("--domain", "--key", "--configs", "--listen", "--default", "--check", "--ttl",
                   "--alg", "--secret", "--access-log"):
        assert re.search(rf"^  {option}\b", done.out, re.M), option
    assert re.fullmatch(r"vmcpd \d+\.\d+\.\d+\n", run(bin.vmcpd, "--version").out)


def test_usage(bin, keys, configs):
    good = ["--domain", DOMAIN, "--key", keys["ed25519"].path, "--configs", configs]

    def refused(*argv, code="usage"):
        done = run(bin.vmcpd, *argv)
        assert done.code == 2 and f"[{code}]" in done.err and "ready" not in done.out, done

    refused()
    refused(*good)  # neither --listen nor --check
    refused(*good[2:], "--check")
    refused(*good[:4], "--check")
    refused(*good[:2], *good[4:], "--check")  # no key
    refused(*good, "--check", "operand")
    refused(*good, "--check", "--ttl", "29")
    refused(*good, "--check", "--ttl", "3601")
    refused(*good, "--check", "--alg", "HS256")
    refused(*good, "--check", "--log-format", "xml")
    twice = run(bin.vmcpd, *good, "--check", "--key", keys["ed25519"].path)
    assert twice.code == 3 and "given twice" in twice.err
    refused("--domain", "Not.A.Domain:80", *good[2:], "--check", code="domain-malformed")
    for address in ("", "80", "127.0.0.1", "127.0.0.1:", ":80", "::1:80", "127.0.0.1:x",
                    "127.0.0.1:99999", "no.such.host.invalid:80"):
        refused(*good, "--listen", address)


def test_a_port_that_is_taken(bin, keys, configs):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = run(bin.vmcpd, "--domain", DOMAIN, "--key", keys["ed25519"].path, "--configs",
                   configs, "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert done.code == 4 and "cannot listen" in done.err


def test_ipv6(bin, keys, configs, scratch):
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 on this machine")
    server = Vmcpd(bin.vmcpd, scratch, "--domain", DOMAIN, "--key", keys["ed25519"].path,
                   "--configs", configs, "--listen", "[::1]:0").start()
    connection = http.client.HTTPConnection("::1", server.port, timeout=20)
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    connection.close()
    assert server.url.startswith("http://[::1]:")
    assert server.stop() == 0


# -- what it refuses to start on -------------------------------------------------------------------

def test_check(check):
    done = check()
    assert "all good" in done.out and "1 machine" in done.out and done.err == ""
    assert check("--listen", "127.0.0.1:0").code == 0  # and it ends


def test_check_reports_all_that_is_wrong(check, configs):
    (configs / "a.json").write_text('{\n "machine": {"name": "n",\n  "secret": 7}}')
    (configs / "b.json").write_text('{"serial": 1,\n "serial": 2}')
    (configs / ".hidden.json").write_text("{")
    (configs / "notes.txt").write_text("{")
    done = check(code=3)
    assert re.search(rf"^{configs}/a.json:3:13: error: ", done.err, re.M)
    assert re.search(rf"^{configs}/b.json:2:2: error: ", done.err, re.M)
    assert "2 machine files are wrong" in done.err and "[config-invalid]" in done.err
    assert "all good" not in done.out


@pytest.mark.parametrize("text, place", [
    ("{", "1:"), ('{"name":"n"}', "1:1"), ('{"machine":{"name":"n","secret":"s"},"x":1}', "1:38"),
    ('{"name":"n","secret":"s",\n"userDataFile":"../../etc/hostname"}', "2:16"),
    ('{"name":"n","secret":"s",\n"userData":"${vmcp.wrong}"}', "2:12"),
    ('{"name":"n",\n"secret":"${vmcp.uuid}"}', "2:10"),
])
def test_a_broken_file_is_fatal(bin, keys, scratch, text, place):
    (scratch / "c").mkdir()
    (scratch / "c" / "web.json").write_text(text)
    for how in (("--check",), ("--listen", "127.0.0.1:0")):
        done = run(bin.vmcpd, "--domain", DOMAIN, "--key", keys["ed25519"].path, "--configs",
                   scratch / "c", *how)
        assert done.code == 3 and "ready" not in done.out, done
        line = done.err if how == ("--check",) else done.err.split("Z ", 1)[1]  # behind the time
        assert line.startswith(f"{scratch}/c/web.json:{place}"), done


def test_warnings_are_told_and_not_fatal(check, configs):
    write_json(configs / "odd.json", {**MACHINE, "zone": "z"})
    done = check()
    assert re.search(r"odd.json:\d+:\d+: warning: `zone`", done.err) and "all good" in done.out


def test_folders_without_machines(check, scratch):
    (scratch / "empty").mkdir()
    assert "no machine file" in check(code=3, folder=scratch / "empty").err
    assert "[config-invalid]" in check(code=3, folder=scratch / "absent").err


def test_default_that_is_not_there(check):
    check("--default", "web")
    assert "--default db" in check("--default", "db", code=3).err


def test_keys_that_are_refused(check, bin, keys, configs, scratch, vmcp):
    argv = [bin.vmcpd, "--domain", DOMAIN, "--configs", configs, "--check", "--key"]
    lax = scratch / "lax.key"
    lax.write_bytes(keys["ed25519"].path.read_bytes())
    lax.chmod(0o640)
    done = run(*argv, lax)
    assert done.code == 3 and f"chmod 600 {lax}" in done.err
    lax.chmod(0o400)
    assert run(*argv, lax).code == 0
    assert "[key-public-only]" in run(*argv, keys["ed25519"].pub).err
    assert run(*argv, scratch / "absent").code == 3
    for alg, options in (("X25519", []), ("EC", ["-pkeyopt", "ec_paramgen_curve:P-384"]),
                         ("RSA", ["-pkeyopt", "rsa_keygen_bits:1024"])):
        path = scratch / f"{alg}.key"
        subprocess.run(["openssl", "genpkey", "-algorithm", alg, *options, "-out", path],
                       check=True, capture_output=True, timeout=30)
        path.chmod(0o600)
        done = run(*argv, path)
        assert done.code == 3 and "[key-unsupported]" in done.err, done
    locked = scratch / "locked.key"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ED25519", "-aes256", "-pass", "pass:x",
                    "-out", locked], check=True, capture_output=True, timeout=30)
    locked.chmod(0o600)
    done = run(*argv, locked)
    assert done.code == 3 and "[passphrase]" in done.err


def test_keys_of_openssl(bin, configs, scratch):
    """PEM and DER, PKCS#8 and the older forms, as the openssl command writes them."""

    def openssl(*argv):
        subprocess.run(["openssl", *argv], check=True, capture_output=True, timeout=30)

    openssl("genrsa", "-traditional", "-out", scratch / "1.key", "2048")
    openssl("rsa", "-in", scratch / "1.key", "-traditional", "-outform", "DER", "-out",
            scratch / "2.key")
    openssl("pkcs8", "-topk8", "-nocrypt", "-in", scratch / "1.key", "-outform", "DER", "-out",
            scratch / "3.key")
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-out", scratch / "4.key")
    openssl("ec", "-in", scratch / "4.key", "-outform", "DER", "-out", scratch / "5.key")
    openssl("genpkey", "-algorithm", "ED25519", "-outform", "DER", "-out", scratch / "6.key")
    thumbprints = []
    for i in range(1, 7):
        path = scratch / f"{i}.key"
        path.chmod(0o600)
        done = run(bin.vmcpd, "--domain", DOMAIN, "--configs", configs, "--check", "--key", path)
        assert done.code == 0, (i, done)
        thumbprints.append(re.search(r"key (\S{43}) ", done.out)[1])
    assert thumbprints[0] == thumbprints[1] == thumbprints[2] and thumbprints[3] == thumbprints[4]


def test_secrets_that_are_refused(check, configs, scratch):
    secret = scratch / "secret"
    write_json(configs / "web.json", {"name": "n", "secret": "${vmcp.hmac.s}"})
    assert "--secret" in check(code=3).err  # the machine needs one
    secret.write_bytes(b"x" * 31)
    secret.chmod(0o600)
    assert "31 bytes" in check("--secret", secret, code=3).err
    secret.write_bytes(b"x" * 32)
    check("--secret", secret)
    secret.chmod(0o644)
    assert "[file-mode]" in check("--secret", secret, code=3).err


def test_check_verifies_an_answer_of_each_machine(check, configs, scratch):
    """A machine that no client could take is found here, not at boot."""
    (configs / "big.sh").write_text("x" * 200_000)
    write_json(configs / "big.json", {"machine": {**MACHINE, "userDataFile": "big.sh",
                                                  "p1": "y" * 200_000, "p2": "z" * 200_000,
                                                  "p3": "z" * 200_000}})
    done = check(code=3)
    assert "big: " in done.err and "[limit]" in done.err
    (configs / "big.json").unlink()
    check()


# -- running ---------------------------------------------------------------------------------------

def test_what_it_says_at_start(vmcpd, keys):
    server = vmcpd({"web": MACHINE, "db": MACHINE})
    text = "".join(server.lines)
    assert keys["ed25519"].thumbprint in text and keys["rsa-2048"].thumbprint in text
    assert f"domain {DOMAIN}, 2 machines" in text
    assert re.search(r"^vmcpd: ready on http://127\.0\.0\.1:\d+/vmcp$", text, re.M)


def test_access_log_off(vmcpd):
    server = vmcpd({"web": MACHINE}, "--access-log", "off")
    assert server.v2().status == 200
    assert server.stop() == 0 and "/vmcp" not in server.log


def test_ttl(vmcpd):
    claims = json.loads(unb64(vmcpd({"web": MACHINE}, "--ttl", "60").v2().text.split(".")[1]))
    assert claims["exp"] - claims["iat"] == 60


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_signals_stop_it_cleanly(vmcpd, signum):
    server = vmcpd()
    idle = [server.connect() for _ in range(5)]  # open and silent: nobody waits for them
    start = time.monotonic()
    assert server.stop(signum) == 0
    assert time.monotonic() - start < 5
    assert f"stopping on {signal.Signals(signum).name}" in server.log
    for s in idle:
        s.close()
    with pytest.raises(ConnectionRefusedError):
        server.connect()


def test_requests_in_flight_are_finished(vmcpd):
    """Under load from many clients, a SIGTERM: no answer is cut, and the exit code is 0."""
    server = vmcpd({"web": {**MACHINE, "userData": "x" * 20000}}, "--access-log", "off",
                   key=("rsa-2048",))
    whole, broken, begun = [], [], threading.Event()
    stop = threading.Event()

    def client():
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        while not stop.is_set():
            try:
                connection.request("GET", QUESTION, headers={"Accept": "application/jose"})
                response = connection.getresponse()
            except (OSError, http.client.HTTPException):
                break  # refused, or closed before an answer began: the server has stopped
            try:
                text = response.read().decode()
                assert response.status == 200 and len(text.split(".")) == 3
                whole.append(1)
            except (OSError, http.client.HTTPException, AssertionError) as e:
                broken.append(e)
            begun.set()
        connection.close()

    clients = [threading.Thread(target=client) for _ in range(8)]
    for thread in clients:
        thread.start()
    assert begun.wait(20)
    time.sleep(0.3)
    code = server.stop()
    stop.set()
    for thread in clients:
        thread.join(20)
    assert code == 0 and whole and not broken, (code, len(whole), broken)


def test_a_request_that_comes_slowly_is_waited_for(vmcpd):
    """Its head is half here when the signal comes; it is answered, and then all is closed."""
    server = vmcpd()
    with server.connect() as s:
        s.sendall(f"GET {QUESTION} HTTP/1.1\r\nHost: x\r\n".encode())
        time.sleep(0.2)
        server.process.send_signal(signal.SIGTERM)
        assert eventually(lambda: "stopping" in server.log)
        time.sleep(0.2)
        s.sendall(b"\r\n")
        data = b""
        while piece := s.recv(65536):
            data += piece
        assert data.startswith(b"HTTP/1.1 200 ") and b"connection: close" in data.lower()
    assert server.process.wait(20) == 0


def test_a_request_that_never_ends_does_not_hold_it(vmcpd):
    server = vmcpd()
    with server.connect() as s:
        s.sendall(b"GET /vmcp/web HTTP/1.1\r\nHost: x\r\n")
        time.sleep(0.2)
        start = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - start < 15


def refuses(server):
    try:
        server.connect().close()
        return False
    except ConnectionRefusedError:
        return True


def test_a_second_signal_ends_the_grace(vmcpd):
    """And the log says how many requests came to their end, and how many did not."""
    server = vmcpd({"web": MACHINE}, "--grace", "60s", "--header-timeout", "0")
    with server.connect() as never, server.connect() as late:
        for s in (never, late):
            s.sendall(f"GET {QUESTION} HTTP/1.1\r\nHost: x\r\n".encode())
        time.sleep(0.2)
        server.process.send_signal(signal.SIGTERM)
        assert eventually(lambda: "stopping on SIGTERM" in server.log)
        assert eventually(lambda: refuses(server))  # the line comes first, then it stops accepting
        time.sleep(0.5)
        late.sendall(b"\r\n")
        assert late.recv(100).startswith(b"HTTP/1.1 200 ")
        with pytest.raises(subprocess.TimeoutExpired):
            server.process.wait(1)
        start = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - start < 5
    assert "stopping at once on a second signal" in server.log
    assert "stopped: 1 request finished, 1 cut that did not come to an end" in server.log


STRAY = ["HUP", "USR1", "USR2", "PIPE", "ALRM", "VTALRM", "PROF", "IO", "XFSZ"]


def test_stray_signals_end_nothing(vmcpd):
    server = vmcpd()
    for name in STRAY:
        server.process.send_signal(getattr(signal, f"SIG{name}"))
    assert eventually(lambda: server.ask("/readyz").json["generation"] == 2)  # the reload of HUP
    for name in ("USR1", "USR2"):
        assert eventually(lambda n=name: f"SIG{n} means nothing here" in server.log)
    assert server.v2().status == 200


def test_signals_that_come_before_it_is_ready(bin, vmcp, scratch):
    """While it loads, here while it waits for a passphrase: nothing ends the start, and a SIGHUP is
    a reload as soon as one can be done."""
    write_json(scratch / "configs/web.json", MACHINE)
    (scratch / "words").write_text("correct horse\n")
    (scratch / "words").chmod(0o600)
    vmcp("keygen", "--alg", "ed25519", "--passphrase", f"file:{scratch}/words", "--out",
         scratch / "cfg.key")
    with open(scratch / "vmcpd.err", "ab") as log:
        process = subprocess.Popen(
            [bin.vmcpd, "--domain", DOMAIN, "--key", scratch / "cfg.key", "--passphrase", "fd:0",
             "--configs", scratch / "configs", "--listen", "127.0.0.1:0"], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        held = 1 << (signal.SIGHUP - 1)
        status = Path(f"/proc/{process.pid}/status")
        assert eventually(lambda: int(re.search(r"SigBlk:\s+(\w+)", status.read_text())[1], 16)
                          & held)
        for name in STRAY:
            process.send_signal(getattr(signal, f"SIG{name}"))
        time.sleep(0.3)
        assert process.poll() is None
        process.stdin.write("correct horse\n")
        process.stdin.close()
        assert any("ready on" in line for line in process.stdout)
        log = scratch / "vmcpd.err"
        assert eventually(lambda: "reload (SIGHUP): 1 machine," in log.read_text())
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_many_clients_at_once(vmcpd):
    server = vmcpd({"web": MACHINE}, "--access-log", "off")
    opened = [server.connect() for _ in range(200)]
    for i, s in enumerate(opened):
        s.sendall(f"GET /vmcp/web?cvm_salt=S-{i}&cvm_hostid=h HTTP/1.1\r\nHost: x\r\n"
                  "Accept: application/jose\r\n\r\n".encode())
    for i, s in enumerate(opened):
        data = b""
        while data.count(b".") < 2 + data[:data.find(b"\r\n\r\n")].count(b"."):
            piece = s.recv(65536)
            assert piece
            data += piece
        body = data.split(b"\r\n\r\n", 1)[1].decode()
        assert json.loads(unb64(body.split(".")[1]))["nonce"] == f"S-{i}"
        s.close()


def test_the_process_has_no_more_open_than_it_needs(vmcpd):
    """Each connection that ends gives its descriptor back."""
    server = vmcpd({"web": MACHINE}, "--access-log", "off")
    folder = f"/proc/{server.process.pid}/fd"
    for _ in range(20):
        server.v2()
    before = len(os.listdir(folder))
    for _ in range(200):
        server.v2()
    assert eventually(lambda: len(os.listdir(folder)) <= before + 2)

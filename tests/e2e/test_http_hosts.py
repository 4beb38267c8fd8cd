# SPDX-License-Identifier: Apache-2.0
"""For which names a server answers: a web page whose name was made to lead here reads nothing."""
import json
import socket

import pytest

from conftest import MACHINE, run, write_json
from test_http_tls import context, world_fixture  # noqa: F401 (a fixture)

QUESTION = "/vmcp/web?cvm_salt=S-1&cvm_hostid=h-1"
OURS = ["127.0.0.1", "127.0.0.1:8080", "[::1]", "[::1]:80", "localhost", "LocalHost:8080", "localhost.",
        "a.localhost:80", "10.1.2.3", "[2001:db8::1]:80", "x", "vmcpd:8080", "cfg.example.org",
        "CFG.example.org.:8080", ""]
OTHERS = ["evil.example", "evil.example:8080", "evil.example.", "127.0.0.1.evil.example", "localhost.evil.example",
          "evillocalhost.example", "xcfg.example.org", "cfg.example.org.evil", "a@127.0.0.1.x", "[::1].x",
          "127.0.0.1:80:80.x", "2130706433.x", "evil.localhost.x:80"]


def exchange(connect, target, host, version="HTTP/1.1", tls=None):
    """The status and body of one answer."""
    s = connect()
    s.settimeout(10)
    with (tls.wrap_socket(s, server_hostname="127.0.0.1") if tls else s) as s:
        lines = [f"GET {target} {version}", *([] if host is None else [f"Host: {host}"]), "Connection: close"]
        s.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        text = b""
        while piece := s.recv(65536):
            text += piece
    head, _, body = text.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def dial(port, host="127.0.0.1"):
    return lambda: socket.create_connection((host, port), 10)


def unix(path):
    def connect():
        s = socket.socket(socket.AF_UNIX)
        s.connect(str(path))
        return s

    return connect


def test_a_rebound_name_reads_nothing(vmcpd):
    """On loopback, without any option; whatever is asked but the probes."""
    server = vmcpd(None, "--listen", "[::1]:0", "--listen", "0.0.0.0:0")
    v6, every = (int(server.process.stdout.readline().rsplit(":", 1)[1].split("/")[0]) for _ in range(2))
    for connect in (dial(server.port), dial(v6, "::1"), dial(every)):
        for host in OTHERS:
            for target in (QUESTION, "/", "/.well-known/jwks.json", "/nothing"):
                status, body = exchange(connect, target, host)
                assert status == 421 and json.loads(body)["code"] == "misdirected", (host, target, body)
                assert b"secret" not in body
    for host in OURS:
        assert exchange(dial(server.port), QUESTION, host)[0] == 200, host
    # A target in absolute form has the name that counts (RFC 9112, section 3.2.2).
    assert exchange(dial(server.port), "http://evil.example" + QUESTION, "127.0.0.1")[0] == 421
    assert exchange(dial(server.port), "http://127.0.0.1" + QUESTION, "evil.example")[0] == 200
    # Before HTTP/1.1 there was no Host; no browser is that old.
    assert exchange(dial(server.port), QUESTION, None, "HTTP/1.0")[0] == 200


@pytest.mark.parametrize("target", ["/healthz", "/readyz"])
def test_probes_are_answered_under_any_name(vmcpd, target):
    server = vmcpd(None, "--host", "one.example")
    assert exchange(dial(server.port), target, "backend.pool.example")[0] == 200


def test_names_that_are_given_are_all(vmcpd, scratch, world):
    path = scratch / "s"
    server = vmcpd(None, "--host", "one.example", "--host", "two.example", "--listen", f"unix:{path}")
    secured = vmcpd(None, "--host", "one.example", *world.options)
    tls = context(world.ours)
    for host, status in (("one.example", 200), ("TWO.example:80", 200), ("cfg.example.org", 200),
                         ("127.0.0.1", 200), ("evil.example", 421)):
        assert exchange(dial(server.port), QUESTION, host)[0] == status, host
        assert exchange(unix(path), QUESTION, host)[0] == status, host
        if host != "TWO.example:80":
            assert exchange(dial(secured.port), QUESTION, host, tls=tls)[0] == status, host


def test_where_nothing_can_be_rebound_every_name_is_good(vmcpd, scratch, world):
    """Over TLS, where the certificate has the names, and at Unix sockets; and with --host '*'."""
    path = scratch / "s"
    server = vmcpd(None, "--listen", f"unix:{path}")
    secured = vmcpd(None, *world.options)
    anyone = vmcpd(None, "--host", "*")
    assert exchange(unix(path), QUESTION, "any.example")[0] == 200
    assert exchange(dial(secured.port), QUESTION, "any.example", tls=context(world.ours))[0] == 200
    assert exchange(dial(anyone.port), QUESTION, "any.example")[0] == 200
    assert server.stop() == 0


def test_metrics_too(vmcpd):
    server = vmcpd(None, "--metrics", "127.0.0.1:0", "--host", "one.example")
    port = int(next(line for line in server.lines if "metrics on" in line).rsplit(":", 1)[1].split("/")[0])
    for host, status in (("127.0.0.1", 200), ("localhost", 200), ("one.example", 200), ("evil.example", 421)):
        assert exchange(dial(port), "/metrics", host)[0] == status, host
    assert exchange(dial(server.port), QUESTION, "evil.example")[0] == 421
    text = exchange(dial(port), "/metrics", "localhost")[1].decode()
    assert 'vmcpd_refusals_total{code="misdirected"} 1' in text
    assert 'vmcpd_requests_total{route="other",status="421"} 1' in text


@pytest.mark.parametrize("name", ["", "http://one.example", "one.example:80", "one example", "*.example"])
def test_what_is_no_name_is_told(bin, keys, scratch, name):
    write_json(scratch / "configs" / "web.json", MACHINE)
    done = run(bin.vmcpd, "--domain", "cfg.example.org", "--key", keys["ed25519"].path, "--configs",
               scratch / "configs", "--listen", "127.0.0.1:0", "--host", name)
    assert done.code == 2 and "[usage]" in done.err and "host name" in done.err, done

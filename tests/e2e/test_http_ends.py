# SPDX-License-Identifier: Apache-2.0
"""Connections that the server ends by itself: each is counted by its reason, and told now and then."""
import contextlib
import datetime
import http.client
import re
import socket
import ssl
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from conftest import eventually
from test_http_limits import REQUEST, dial, is_closed
from test_http_tls import Authority, context, is_served, named, world_fixture  # noqa: F401

METRICS = ("--metrics", "127.0.0.1:0")


def metrics(server):
    [place] = re.findall(r"metrics on http://(\S+)/metrics", "".join(server.lines))
    connection = http.client.HTTPConnection(place, timeout=10)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    return text


def ended(server):
    """How many of each reason."""
    return {reason: int(count) for reason, count in
            re.findall(r'^vmcpd_connections_ended_total{reason="([a-z-]+)"} (\d+)$', metrics(server), re.M)}


def refused(server, status):
    found = re.search(rf'^vmcpd_requests_total{{route="other",status="{status}"}} (\d+)$', metrics(server), re.M)
    return int(found[1]) if found else 0


@pytest.mark.parametrize("most", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=str)
def test_client_certificates_that_are_refused(vmcpd, world, most):
    server = vmcpd(None, *METRICS, *world.options, "--client-ca", world.ours.pem)
    for client in (None, None, world.stranger, world.expired, world.of_a_server):
        assert not is_served(server.port, context(world.ours, client, most))
    want = {"client-certificate-missing": 2, "client-certificate-expired": 1, "client-certificate-refused": 2}
    assert eventually(lambda: ended(server) == want), ended(server)
    assert is_served(server.port, context(world.ours, world.good, most))
    assert ended(server) == want
    for reason in want:  # one line of each, however many there were
        assert len(re.findall(rf"from 127\.0\.0\.1 ended: .* \[{reason}\]", server.log)) == 1, server.log


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_handshakes_that_fail(vmcpd, world):
    server = vmcpd(None, *METRICS, *world.options)
    with dial(server.port) as s:  # no TLS
        s.sendall(REQUEST)
        assert is_closed(s, 5) or True
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    assert not is_served(server.port, old)
    assert eventually(lambda: ended(server) == {"tls-handshake": 2}), ended(server)
    for _ in range(5):  # who only looks whether somebody listens has failed at nothing
        dial(server.port).close()
    with socket.create_connection(("127.0.0.1", server.port)) as plain, \
            context(world.ours).wrap_socket(plain, server_hostname="127.0.0.1"):
        pass
    time.sleep(0.5)
    assert ended(server) == {"tls-handshake": 2}
    assert "[tls-handshake]" in server.log


def issue_until(authority, folder, seconds):
    """A client's certificate that is good for so long."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.utcnow()
    cert = (x509.CertificateBuilder().subject_name(named("short")).issuer_name(named(authority.name))
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(seconds=seconds))
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .sign(authority.key, hashes.SHA256()))
    path = folder / "short.pem"
    path.write_bytes(cert.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    return path


def test_a_client_certificate_that_expires_on_a_living_connection(vmcpd, world, scratch):
    server = vmcpd(None, *METRICS, *world.options, "--client-ca", world.ours.pem)
    tls = ssl.create_default_context(cafile=world.ours.pem)
    tls.load_cert_chain(issue_until(world.ours, scratch, 4))
    connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=10, context=tls)
    begun = time.monotonic()
    for _ in range(2):
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b"ok\n"
        time.sleep(1)
    sock = connection.sock
    time.sleep(max(0, begun + 6 - time.monotonic()))
    assert connection.sock is sock
    with pytest.raises((http.client.HTTPException, OSError)):
        connection.request("GET", "/healthz")
        connection.getresponse()
    connection.close()
    assert eventually(lambda: ended(server) == {"client-certificate-expired": 1}), ended(server)


def test_a_client_certificate_that_expires_before_the_first_request(vmcpd, world, scratch):
    server = vmcpd(None, *METRICS, *world.options, "--client-ca", world.ours.pem)
    tls = context(world.ours)
    tls.load_cert_chain(issue_until(world.ours, scratch, 3))
    with dial(server.port) as plain, tls.wrap_socket(plain, server_hostname="127.0.0.1") as s:
        time.sleep(5)
        with contextlib.suppress(OSError):
            s.sendall(REQUEST)
            assert s.recv(4096) == b""
    assert eventually(lambda: ended(server) == {"client-certificate-expired": 1}), ended(server)


def test_time_is_over(vmcpd):
    server = vmcpd(None, *METRICS, "--header-timeout", "1")
    silent = vmcpd(None, *METRICS, "--header-timeout", "60", "--idle-timeout", "1")
    with dial(server.port) as slow, dial(silent.port) as s:
        slow.sendall(b"GET / HT")
        assert is_closed(slow, 5) and is_closed(s, 5)
    assert eventually(lambda: ended(server) == {"header-timeout": 1}), ended(server)
    assert eventually(lambda: ended(silent) == {"idle-timeout": 1}), ended(silent)
    assert "[idle-timeout]" not in silent.log
    with dial(silent.port) as s:  # and a client that ends by itself is not counted
        s.sendall(REQUEST)
        s.recv(4096)
    time.sleep(1.5)
    assert ended(silent) == {"idle-timeout": 1}


@pytest.mark.parametrize("options, reason", [
    (("--max-connections", "10"), "max-connections"), (("--max-connections-each", "10"), "max-connections-each"),
    (("--connection-rate", "1"), "connection-rate")], ids=lambda v: v if isinstance(v, str) else "")
def test_limits(vmcpd, options, reason):
    server = vmcpd(None, *METRICS, *options)
    held = []
    for _ in range(40):
        with contextlib.suppress(OSError):
            held.append(dial(server.port))
    assert eventually(lambda: ended(server).get(reason, 0) >= 10), ended(server)
    assert set(ended(server)) == {reason}
    assert server.log.count(f"[{reason}]") == 1
    for s in held:
        s.close()


@pytest.mark.parametrize("status, text", [
    (414, b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n\r\n"),
    (431, b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 20000 + b"\r\n\r\n"),
    (431, b"GET / HTTP/1.1\r\nHost: x\r\nCookie: " + b"a=b;" * 800 + b"\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nX: no host\r\n\r\n"), (400, b"GET / HTTP/x.y\r\nHost: x\r\n\r\n")],
    ids=["target", "header", "cookies", "host", "line"])
def test_what_is_no_request_is_counted(vmcpd, status, text):
    server = vmcpd(None, *METRICS)
    with dial(server.port) as s:
        with contextlib.suppress(OSError):
            s.sendall(text)
        is_closed(s, 5)
    assert eventually(lambda: refused(server, status) == 1), metrics(server)

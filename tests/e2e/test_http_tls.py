# SPDX-License-Identifier: Apache-2.0
"""TLS: certificates of servers and clients, before and after a reload; and places to listen at."""
import ctypes
import datetime
import http.client
import ipaddress
import os
import re
import re
import signal
import socket
import ssl
import stat
import struct
import subprocess
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from conftest import MACHINE, Vmcpd, eventually, run, write_json

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
QUESTION = "/vmcp/web?cvm_salt=S-1&cvm_hostid=h-1"


def named(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


class Authority:
    """A certificate authority of its own, by python3-cryptography."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        builder = self.builder(name, self.key).issuer_name(named(name)).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.pem = self.write(f"{name}.pem", builder.sign(self.key, hashes.SHA256()))

    @staticmethod
    def builder(name, key, days=2):
        now = datetime.datetime.utcnow()
        return (x509.CertificateBuilder().subject_name(named(name)).public_key(key.public_key())
                .serial_number(x509.random_serial_number())
                .not_valid_before(now - datetime.timedelta(days=3))
                .not_valid_after(now + datetime.timedelta(days=days)))

    def write(self, file, *certificates):
        path = self.folder / file
        path.write_bytes(b"".join(c.public_bytes(serialization.Encoding.PEM)
                                  for c in certificates))
        return path

    def issue(self, name, purpose=ExtendedKeyUsageOID.CLIENT_AUTH, days=2):
        """A certificate and its key: files, for a server at 127.0.0.1 or a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (self.builder(name, key, days).issuer_name(named(self.name))
                   .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
                   .add_extension(x509.SubjectAlternativeName(
                       [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False))
        cert = self.write(f"{name}.crt", builder.sign(self.key, hashes.SHA256()))
        path = self.folder / f"{name}.key"
        path.write_bytes(key.private_bytes(serialization.Encoding.PEM,
                                           serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()))
        path.chmod(0o600)
        return SimpleNamespace(cert=cert, key=path)


@pytest.fixture(name="world")
def world_fixture(scratch):
    ours, foreign = Authority(scratch, "ours"), Authority(scratch, "foreign")
    server = ours.issue("server", ExtendedKeyUsageOID.SERVER_AUTH)
    return SimpleNamespace(
        ours=ours, foreign=foreign, server=server,
        options=("--tls-cert", server.cert, "--tls-key", server.key),
        good=ours.issue("good"), expired=ours.issue("expired", days=-1),
        stranger=foreign.issue("stranger"),
        of_a_server=ours.issue("of-a-server", ExtendedKeyUsageOID.SERVER_AUTH))


def context(ca, client=None, most=None):
    made = ssl.create_default_context(cafile=ca.pem)
    if client:
        made.load_cert_chain(client.cert, client.key)
    if most:
        made.maximum_version = most
    return made


def talk(port, tls):
    """What comes back to a request, all of it; b"" where the connection just ends."""
    text = b""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as plain, \
                tls.wrap_socket(plain, server_hostname="127.0.0.1") as s:
            s.sendall(REQUEST)
            while not text.endswith(b"ok\n"):
                piece = s.recv(4096)
                if not piece:
                    break
                text += piece
    except (ssl.SSLError, ConnectionError):
        pass
    return text


def is_served(port, tls):
    text = talk(port, tls)
    assert text == b"" or (text.startswith(b"HTTP/1.1 200") and text.endswith(b"ok\n"))
    return text != b""


@pytest.mark.parametrize("most", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=str)
def test_tls_versions(vmcpd, world, most):
    server = vmcpd(None, *world.options)
    assert is_served(server.port, context(world.ours, most=most))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_older_versions_are_refused(vmcpd, world):
    server = vmcpd(None, *world.options)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.load_verify_locations(world.ours.pem)
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    assert not is_served(server.port, old)


@pytest.mark.parametrize("most", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=str)
def test_only_clients_with_a_good_certificate_are_answered(vmcpd, world, most):
    server = vmcpd(None, *world.options, "--client-ca", world.ours.pem)

    def served():
        return [is_served(server.port, context(world.ours, client, most)) for client in
                (None, world.stranger, world.expired, world.of_a_server, world.good)]

    assert served() == [False, False, False, False, True]
    server.process.send_signal(signal.SIGHUP)
    assert eventually(lambda: "generation 2" in server.log)
    assert served() == [False, False, False, False, True]
    world.ours.pem.write_bytes(world.foreign.pem.read_bytes())  # now the others come in
    server.process.send_signal(signal.SIGHUP)
    assert eventually(lambda: "generation 3" in server.log)
    clients = [context(world.foreign, client, most)
               for client in (None, world.good, world.stranger)]
    for tls in clients:  # the server's own certificate is not what this is about
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    assert [is_served(server.port, tls) for tls in clients] == [False, False, True]


def test_a_client_that_is_no_longer_let_in_ends_with_its_next_request(vmcpd, world):
    server = vmcpd(None, *world.options, "--client-ca", world.ours.pem)
    tls = context(world.ours, world.good)
    connections = []
    for _ in range(2):
        connection = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=5, context=tls)
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b"ok\n"
        connections.append(connection)
    sock = connections[0].sock
    server.process.send_signal(signal.SIGHUP)  # the same authority: keep-alive goes on
    assert eventually(lambda: "generation 2" in server.log)
    connections[0].request("GET", "/healthz")
    assert connections[0].getresponse().read() == b"ok\n" and connections[0].sock is sock
    world.ours.pem.write_bytes(world.foreign.pem.read_bytes())
    server.process.send_signal(signal.SIGHUP)
    assert eventually(lambda: "generation 3" in server.log)
    for connection in connections:
        with pytest.raises((http.client.HTTPException, OSError)):
            connection.request("GET", "/healthz")
            connection.getresponse()
        connection.close()


def serial_of(port):
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 5) as plain, \
            tls.wrap_socket(plain) as s:
        return x509.load_der_x509_certificate(s.getpeercert(True)).serial_number


def test_a_new_certificate_without_a_restart(vmcpd, world):
    server = vmcpd(None, *world.options)
    before = serial_of(server.port)
    old = http.client.HTTPSConnection("127.0.0.1", server.port, timeout=5, context=context(world.ours))
    old.request("GET", "/healthz")
    assert old.getresponse().read() == b"ok\n"
    world.ours.issue("server", ExtendedKeyUsageOID.SERVER_AUTH)
    assert serial_of(server.port) == before
    server.process.send_signal(signal.SIGHUP)
    assert eventually(lambda: "generation 2" in server.log)
    after = serial_of(server.port)
    assert after != before
    old.request("GET", "/healthz")  # a connection from before goes on
    assert old.getresponse().read() == b"ok\n"
    old.close()
    world.server.cert.write_text("no certificate")  # and a broken one changes nothing
    server.process.send_signal(signal.SIGHUP)
    assert eventually(lambda: "the old set stays" in server.log and "server.crt" in server.log)
    assert serial_of(server.port) == after


@pytest.mark.parametrize("spoil, code", [
    (lambda w: w.server.key.chmod(0o640), "file-mode"),
    (lambda w: w.server.key.write_bytes(w.good.key.read_bytes()), "key-malformed"),
    (lambda w: w.server.key.write_text("x"), "key-malformed"),
    (lambda w: w.server.cert.write_text(""), "key-malformed"),
    (lambda w: w.ours.pem.write_text("x"), "trust-invalid"),
    (lambda w: w.ours.pem.write_text(""), "trust-invalid"),
    (lambda w: w.ours.pem.unlink(), "file")],
    ids=lambda value: value if isinstance(value, str) else "")
def test_broken_files_are_told(bin, keys, scratch, world, spoil, code):
    write_json(scratch / "configs" / "web.json", MACHINE)
    spoil(world)
    done = run(bin.vmcpd, "--domain", "cfg.example.org", "--key", keys["ed25519"].path, "--configs",
               scratch / "configs", "--listen", "127.0.0.1:0", *world.options, "--client-ca",
               world.ours.pem)
    assert done.code == 3 and f"[{code}]" in done.err, done


@pytest.mark.parametrize("days, words", [
    (-1, "the certificate expired at 20"), (13, "the certificate expires at 20"), (15, None)])
def test_a_certificate_that_ends_soon_is_told(vmcpd, world, days, words):
    """At the start, at a reload, and by a metric."""
    world.ours.issue("server", ExtendedKeyUsageOID.SERVER_AUTH, 30)
    server = vmcpd(None, "--metrics", "127.0.0.1:0", *world.options)
    assert "server.crt: warning:" not in server.log
    [place] = [line.split("http://")[1].split("/")[0] for line in server.lines if "metrics on" in line]
    made = world.ours.issue("server", ExtendedKeyUsageOID.SERVER_AUTH, days)
    server.process.send_signal(signal.SIGHUP)
    assert eventually(lambda: "generation 2" in server.log)
    again = vmcpd(None, *world.options)
    for log in (server.log, again.log):
        assert ("server.crt: warning: " in log) == (words is not None) and (words or "") in log, log
    connection = http.client.HTTPConnection(place, timeout=5)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    until = x509.load_pem_x509_certificate(made.cert.read_bytes()).not_valid_after
    stamp = int(until.replace(tzinfo=datetime.timezone.utc).timestamp())
    assert f"\nvmcpd_tls_certificate_not_after_timestamp_seconds {stamp}\n" in text


def test_fetch_over_tls(vmcpd, vmcp, keys, world):
    server = vmcpd(None, *world.options)
    done = vmcp("fetch", server.url, "--machine", "web", "--domain", "cfg.example.org", "--trust",
                keys["ed25519"].pub, "--hostid", "h-1", "--cacert", world.ours.pem)
    assert done.json["name"] == "web"


# Places


def ask_unix(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect(str(path))
        s.sendall(REQUEST)
        return s.recv(4096)


def test_several_places(vmcpd, scratch):
    path = scratch / "s"
    server = vmcpd(None, "--listen", "[::1]:0", "--listen", f"unix:{path}", "--listen-mode", "0600",
                   "--listen", "127.0.0.2:0")
    lines = [server.lines[-1]] + [server.process.stdout.readline() for _ in range(3)]
    assert [line.split("ready on ")[1].rsplit(":", 1)[0] for line in lines[:2]] == \
        ["http://127.0.0.1", "http://[::1]"]
    assert lines[2].endswith(f"ready on unix:{path}\n")
    for line, family, host in ((lines[1], socket.AF_INET6, "::1"),
                               (lines[3], socket.AF_INET, "127.0.0.2")):
        with socket.socket(family) as s:
            s.connect((host, int(line.rsplit(":", 1)[1].split("/")[0])))
            s.sendall(REQUEST)
            assert s.recv(4096).startswith(b"HTTP/1.1 200")
    assert ask_unix(path).startswith(b"HTTP/1.1 200")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert server.stop() == 0 and not path.exists()


def test_a_socket_has_its_mode_from_the_beginning(vmcpd, scratch):
    """Nothing is done by its name afterwards, when the name may be another file's."""
    libc, folder = ctypes.CDLL(None, use_errno=True), scratch / "run"
    folder.mkdir()
    watch = libc.inotify_init1(os.O_NONBLOCK)
    attrib, create = 0x4, 0x100
    assert watch >= 0 and libc.inotify_add_watch(watch, bytes(folder), attrib | create) >= 0
    for i, mode in enumerate((0o600, 0o660, 0o666)):
        path = folder / f"s{i}"
        vmcpd(None, "--listen", f"unix:{path}", "--listen-mode", f"{mode:04o}")
        assert ask_unix(path).startswith(b"HTTP/1.1 200")
        assert stat.S_IMODE(path.stat().st_mode) == mode
        _, events, _, _ = struct.unpack_from("iIII", os.read(watch, 4096))
        assert events == create
        with pytest.raises(BlockingIOError):
            os.read(watch, 4096)
    os.close(watch)


def test_a_name_to_listen_at(vmcpd):
    """Its first address, which the line says."""
    server = vmcpd(None, "--listen", "localhost:0")
    line = server.process.stdout.readline()
    assert re.match(r"vmcpd: ready on http://(127\.0\.0\.1|\[::1\]):\d+/vmcp$", line), line


def test_a_stale_socket_is_replaced_and_a_living_one_is_not(vmcpd, bin, keys, scratch):
    path = scratch / "s"
    first = vmcpd(None, "--listen", f"unix:{path}")
    first.process.kill()
    first.process.wait()
    assert path.exists()
    first.stop = lambda: 0  # killed on purpose
    second = vmcpd(None, "--listen", f"unix:{path}")
    assert ask_unix(path).startswith(b"HTTP/1.1 200")
    third = run(bin.vmcpd, *second.argv[1:])
    assert third.code != 0 and "another server answers there" in third.err
    assert ask_unix(path).startswith(b"HTTP/1.1 200")
    assert second.stop() == 0 and not path.exists()
    path.write_text("mine")
    third = run(bin.vmcpd, *second.argv[1:])
    assert third.code != 0 and "no socket" in third.err and path.read_text() == "mine"


ACTIVATE = """
import os, socket, sys
names, count = sys.argv[1], int(sys.argv[2])
sockets = []
for i in range(count):
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(16)
    sockets.append(s)
print(*[s.getsockname()[1] for s in sockets], flush=True)
for i, s in enumerate(sockets):
    os.dup2(os.dup(s.fileno()), 100 + i)
for i in range(count):
    os.dup2(100 + i, 3 + i)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(count), LISTEN_FDNAMES=names)
os.execv(sys.argv[3], sys.argv[3:])
"""


def activated(bin, keys, folder, count, *options):
    """As systemd does it: descriptors from 3 on, and the environment that tells of them."""
    write_json(folder / "configs" / "web.json", MACHINE)
    return Vmcpd("/usr/bin/python3", folder, "-c", ACTIVATE, "http:more", count, bin.vmcpd,
                 "--domain", "cfg.example.org", "--key", keys["ed25519"].path, "--configs",
                 folder / "configs", *options)


@pytest.mark.parametrize("quiet", [None, "allowed", "tls"])
def test_plain_http_for_others_is_told(vmcpd, scratch, world, quiet):
    """Each place once, by its name; loopback and Unix sockets are nobody else's to listen to."""
    options = {None: (), "allowed": ("--allow-http",),
               "tls": ("--tls-cert", world.server.cert, "--tls-key", world.server.key)}[quiet]
    server = vmcpd(None, "--listen", f"unix:{scratch}/s", "--listen", "127.0.0.2:0", "--listen",
                   "0.0.0.0:0", "--listen", "[::1]:0", "--listen", "[::]:0", *options)
    told = re.findall(r"warning: (\S+):\d+ is plain HTTP: .*--tls-cert.*--allow-http", server.log)
    assert told == ([] if quiet else ["0.0.0.0", "[::]"]), server.log
    check = run(*server.argv, "--check")
    told = re.findall(r"warning: (\S+):0 is plain HTTP: .*--tls-cert.*--allow-http", check.err)
    assert check.code == 0 and told == ([] if quiet else ["0.0.0.0", "[::]"]), check


def test_socket_activation(bin, keys, scratch):
    server = activated(bin, keys, scratch, 2).start()
    ports = [int(p) for p in server.lines[0].split()]
    try:
        for port in ports:
            with socket.create_connection(("127.0.0.1", port), 5) as s:
                s.sendall(REQUEST)
                assert s.recv(4096).startswith(b"HTTP/1.1 200")
    finally:
        assert server.stop() == 0


def test_sockets_for_another_process_are_not_taken(bin, keys, scratch):
    write_json(scratch / "configs" / "web.json", MACHINE)
    env = dict(os.environ, LISTEN_PID="1", LISTEN_FDS="1")
    done = run(bin.vmcpd, "--domain", "cfg.example.org", "--key", keys["ed25519"].path, "--configs",
               scratch / "configs", env=env)
    assert done.code == 2 and "--listen" in done.err


def test_a_descriptor_that_is_no_listening_socket_is_told(bin, keys, scratch):
    write_json(scratch / "configs" / "web.json", MACHINE)
    command = "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\" 3</dev/null"
    done = run("sh", "-c", command, "sh", bin.vmcpd, "--domain", "cfg.example.org", "--key",
               keys["ed25519"].path, "--configs", scratch / "configs")
    assert done.code == 2 and "descriptor 3" in done.err

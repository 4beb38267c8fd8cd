# SPDX-License-Identifier: Apache-2.0
"""vmcp-launch with nothing but its defaults: Google's own names over https by way of a proxy, and the
system's CAs. Nothing leaves this machine: in a mount namespace those names are no hosts, the proxy
leads to the servers of these tests, and the CAs are theirs."""
import datetime
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from launch_world import LAUNCH, World

RESPONDER, API = "cfg.example.org", "compute.googleapis.com"
TOKENS, IAM = "oauth2.googleapis.com", "iamcredentials.googleapis.com"
EMAIL = "deployer@web-1.iam.gserviceaccount.com"

pytestmark = pytest.mark.skipif(
    subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode != 0,
    reason="no mount namespaces here")


class Authority:
    """A CA, and servers' certificates by it."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(self.sign(name, self.key, True))

    def sign(self, name, key, ca, names=()):
        now = datetime.datetime.utcnow()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(days=1))
                   .not_valid_after(now + datetime.timedelta(days=1))
                   .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True))
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False)
        certificate = builder.sign(self.key, hashes.SHA256())
        return certificate.public_bytes(serialization.Encoding.PEM)

    def context(self, *names):
        key = ec.generate_private_key(ec.SECP256R1())
        path = self.folder / f"{names[0]}.pem"
        path.write_bytes(self.sign(names[0], key, False, names) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


class Tunnels:
    """A proxy that knows CONNECT alone (RFC 9110, section 9.3.6), and where each name leads."""

    def __init__(self, places):
        self.places = places  # "host:port" -> port here
        self.asked, self.heads = [], []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=[peer], daemon=True).start()

    def one(self, peer):
        head = b""
        while b"\r\n\r\n" not in head:
            more = peer.recv(65536)
            if not more:
                return
            head += more
        method, target, _ = head.decode().split("\r\n")[0].split(" ")
        self.asked.append(target)
        self.heads.append(head.decode())
        if method != "CONNECT" or target not in self.places:
            peer.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            peer.close()
            return
        there = socket.create_connection(("127.0.0.1", self.places[target]))
        peer.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        threading.Thread(target=self.relay, args=[there, peer], daemon=True).start()
        self.relay(peer, there)

    @staticmethod
    def relay(a, b):
        try:
            while data := a.recv(65536):
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def wrap(server, context):
    server.socket = context.wrap_socket(server.socket, server_side=True,
                                        do_handshake_on_connect=False)


@pytest.fixture
def world(tmp_path):
    w = World(tmp_path)
    w.authority = Authority(tmp_path, "ca")
    w.responder.domain = RESPONDER
    wrap(w.responder.server, w.authority.context(RESPONDER))
    wrap(w.compute.server, w.authority.context(API, TOKENS, IAM))
    api = w.compute.server.server_port
    w.proxy = Tunnels({f"{RESPONDER}:443": w.responder.server.server_port,
                       f"{API}:443": api, f"{TOKENS}:443": api, f"{IAM}:443": api})
    w.bundle = w.authority.path
    del w.env["CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE"]
    w.base = ["--endpoint", f"https://{RESPONDER}", "--machine", "flask-app", "--trust",
              str(w.trust), "--state-dir", str(w.state), "--json"]
    yield w
    w.proxy.socket.close()
    w.close()


def inside(world, *args, proxy="https_proxy", **env):
    """Run it where no name is known and the system's CAs are world.bundle."""
    hosts = world.write("hosts", "127.0.0.1 localhost\n", 0o644)
    empty = world.write("empty", "", 0o644)
    switch = world.write("nsswitch", "hosts: files\n", 0o644)
    # /etc/ssl/certs as update-ca-certificates makes it: the bundle, and a link by hash
    certs = world.folder / "certs"
    shutil.rmtree(certs, ignore_errors=True)
    certs.mkdir()
    shutil.copy(world.bundle, certs / "ca-certificates.crt")
    shutil.copy(world.bundle, certs / "one.pem")
    subprocess.run(["openssl", "rehash", certs], check=True, capture_output=True)
    mounts = [(hosts, "/etc/hosts"), (switch, "/etc/nsswitch.conf"), (empty, "/etc/resolv.conf"),
              (certs, "/etc/ssl/certs")]
    script = " && ".join(f"mount --bind {a} $(readlink -f {b})" for a, b in mounts
                         if os.path.exists(b))
    done = subprocess.run(
        ["unshare", "-rm", "bash", "-c", f'{script} && exec "$@"', "bash", str(LAUNCH), *args,
         *world.base], env={**world.env, **({proxy: world.proxy.url} if proxy else {}), **env},
        capture_output=True, text=True, timeout=60, check=False)
    done.report = json.loads(done.stdout) if done.stdout else None
    assert done.report, done.stderr
    return done


def good(world, *args, **more):
    done = inside(world, *args, **more)
    assert done.returncode == 0, done.stderr
    return done.report


@pytest.mark.parametrize("variable", ["https_proxy", "HTTPS_PROXY", "all_proxy"])
def test_a_launch_with_defaults(world, variable):
    """The responder and Google by way of the proxy, the metadata server never."""
    assert good(world, proxy=variable)["instances"][0]["outcome"] == "created"
    assert set(world.proxy.asked) == {f"{RESPONDER}:443", f"{API}:443"}
    insert, = world.compute.inserts()
    assert insert["headers"]["Host"] == API
    assert insert["headers"]["Authorization"] == "Bearer ya29.metadata"
    # the proxy is told where to, and nothing else
    assert not any("ya29" in h or "Authorization" in h for h in world.proxy.heads)
    assert world.metadata.server.log


def test_no_proxy(world):
    """Whoever is named there is asked directly, and here nobody knows that name."""
    for name in ("no_proxy", "NO_PROXY"):
        done = inside(world, "--boot-timeout", "0", **{name: "else.example,.example.org"})
        assert (done.report["code"], done.returncode) == ("network", 4)
    assert not world.proxy.asked
    done = inside(world, "--timeout", "1", no_proxy="googleapis.com")
    assert (done.report["code"], done.returncode) == ("network", 4), done.stderr
    assert set(world.proxy.asked) == {f"{RESPONDER}:443"} and not world.compute.server.log


def test_a_proxy_that_says_no(world):
    del world.proxy.places[f"{RESPONDER}:443"]
    done = inside(world, "--boot-timeout", "0")
    assert (done.report["code"], done.returncode) == ("network", 4)
    assert "403" in done.report["detail"] and not world.responder.server.log


def test_token_endpoint_and_impersonation_at_google(world):
    forms = []

    def before(request):
        if request.url.path == "/token":
            forms.append(request.headers["Host"])
            return 200, "application/json", {"access_token": "ya29.key", "token_type": "Bearer",
                                             "expires_in": 3599}
        if request.url.path.endswith(":generateAccessToken"):
            forms.append(request.headers["Host"])
            return 200, "application/json", {
                "accessToken": "ya29.other", "expireTime": time.strftime(
                    "%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))}
        return None
    world.compute.before = before
    world.compute.tokens = {"ya29.other"}
    _, key = world.key_file(f"https://{TOKENS}/token")
    good(world, "--credentials", str(key), "--impersonate-service-account", EMAIL)
    assert forms == [TOKENS, IAM]


# --- who vouches for the other side

def refused(world, *args, **env):
    done = inside(world, "--boot-timeout", "0", *args, **env)
    assert (done.report["code"], done.returncode) == ("network", 4), done.stderr
    assert "certificate" in done.report["detail"] or "SSL" in done.report["detail"]
    assert not world.compute.server.log
    return done


def test_system_cas(world):
    """They are what counts: with others there, nothing is believed."""
    (world.folder / "else").mkdir()
    world.bundle = Authority(world.folder / "else", "other").path
    refused(world)
    assert not world.responder.server.log


def test_ssl_cert_file(world):
    """It names all CAs, as for OpenSSL's own programs; --cacert is nearer."""
    shutil.copy(world.bundle, world.folder / "own.pem")
    (world.folder / "else").mkdir()
    world.bundle = Authority(world.folder / "else", "other").path
    refused(world)
    refused(world, SSL_CERT_FILE="")
    refused(world, "--cacert", str(world.bundle), SSL_CERT_FILE=str(world.folder / "own.pem"))
    done = inside(world, "--boot-timeout", "60", SSL_CERT_FILE="/nonexistent/ca.pem")
    assert (done.report["code"], done.returncode) == ("file", 3)
    good(world, SSL_CERT_FILE=str(world.folder / "own.pem"))


def test_name_of_the_certificate(world):
    """One of the same CA for another host."""
    world.proxy.places[f"{RESPONDER}:443"] = world.compute.server.server_port
    refused(world)


def test_cacert_is_instead_of_the_systems(world):
    """One who names a CA of their own does not believe all others besides."""
    (world.folder / "else").mkdir()
    refused(world, "--cacert", str(Authority(world.folder / "else", "other").path))


def test_cacert_is_for_the_responder_alone(world):
    """Google is judged by the system's CAs though the responder has one of its own."""
    shutil.copy(world.bundle, world.folder / "own.pem")
    (world.folder / "else").mkdir()
    world.bundle = Authority(world.folder / "else", "other").path
    done = inside(world, "--cacert", str(world.folder / "own.pem"), "--timeout", "1")
    assert (done.report["code"], done.returncode) == ("network", 4), done.stderr
    assert len(world.responder.server.log) == 1 and not world.compute.server.log


def test_old_tls_is_refused(world):
    context = world.authority.context(RESPONDER)
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    world.responder.server.socket._context = context  # of what is accepted from here on
    done = inside(world, "--boot-timeout", "0")
    assert (done.report["code"], done.returncode) == ("network", 4), done.stderr
    assert not world.responder.server.log

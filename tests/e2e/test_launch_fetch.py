# SPDX-License-Identifier: Apache-2.0
"""vmcp-launch and its responder: TLS, proxies, patience, bounds; and what it remembers."""
import datetime
import email.utils
import ipaddress
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

from launch_world import DOMAIN, Server, World


@pytest.fixture
def world(tmp_path):
    w = World(tmp_path)
    yield w
    w.close()


def ask_at(world, url, *args, domain=DOMAIN):
    """The arguments of a launch that asks somewhere else."""
    return ["--endpoint", url, "--machine", "flask-app", "--trust", str(world.trust), "--domain",
            domain, *args]


# --- TLS

def certificate(name, key, issuer_key, ca=False):
    now = datetime.datetime.utcnow()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ca")])
    return (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(
                [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
            .sign(issuer_key, hashes.SHA256()))


def pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption()).decode()


@pytest.fixture
def tls(world):
    """The responder on https, with files: ca.pem, client.pem, client.key."""
    keys = {n: ec.generate_private_key(ec.SECP256R1()) for n in ("ca", "server", "client")}
    for name, key in keys.items():
        cert = certificate(name, key, keys["ca"], ca=name == "ca")
        world.write(f"{name}.pem", cert.public_bytes(serialization.Encoding.PEM).decode(), 0o644)
        world.write(f"{name}.key", pem(key))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(world.folder / "server.pem", world.folder / "server.key")
    context.load_verify_locations(world.folder / "ca.pem")
    server = world.responder.server
    server.socket = context.wrap_socket(server.socket, server_side=True,
                                        do_handshake_on_connect=False)
    world.tls = context
    return ask_at(world, f"https://127.0.0.1:{server.server_port}/vmcp")


def test_https_with_its_own_ca(world, tls):
    done = world.run(*tls, "--boot-timeout", "0", base=False)
    assert (done.returncode, done.report["code"]) == (4, "network")
    assert "certificate" in done.report["detail"]
    world.launch(*tls, "--cacert", str(world.folder / "ca.pem"), base=False)


def test_client_certificate(world, tls):
    world.tls.verify_mode = ssl.CERT_REQUIRED
    tls += ["--cacert", str(world.folder / "ca.pem"), "--boot-timeout", "0"]
    assert world.run(*tls, base=False).report["code"] == "network"
    key = world.folder / "client.key"
    tls += ["--client-cert", str(world.folder / "client.pem"), "--client-key", str(key)]
    world.launch(*tls, base=False)
    key.chmod(0o644)
    world.refused("file-mode", 3, *tls, base=False, writes=len(world.compute.writes()))


@pytest.mark.parametrize("args,code,exit_code", [
    (["--cacert", "/nonexistent/ca.pem"], "file", 3),
    (["--client-cert", "/nonexistent/c.pem", "--client-key", "/nonexistent/k.pem"], "file", 3),
    (["--client-cert", "/dev/null"], "usage", 2)])
def test_files_of_tls_are_looked_at_first(world, args, code, exit_code):
    world.refused(code, exit_code, *args)
    assert not world.responder.server.log


# --- proxies

class Proxy:
    """Takes absolute URLs and relays them to the responder."""

    def __init__(self, world):
        self.server = Server(self.answer)
        self.world = world

    def answer(self, request):
        request.query = dict(p.split("=") for p in request.url.query.split("&"))
        return self.world.responder.answer(request)


@pytest.fixture
def proxy(world):
    p = Proxy(world)
    yield p
    p.server.close()


def test_proxy_of_the_environment(world, proxy):
    env = dict(world.env, http_proxy=proxy.server.origin)
    world.responder.domain = "cfg.example.org"
    args = ask_at(world, "http://cfg.example.org/vmcp", "--allow-http", domain="cfg.example.org")
    world.launch(*args, base=False, env=env)
    asked, = proxy.server.log
    assert asked["path"] == "/vmcp" and not world.responder.server.log
    world.run(*args, "--boot-timeout", "0", base=False,
              env=dict(env, no_proxy="other.example,cfg.example.org"))
    assert len(proxy.server.log) == 1


def test_no_proxy_for_loopback_and_metadata(world, proxy):
    world.launch(env=dict(world.env, http_proxy=proxy.server.origin,
                          all_proxy=proxy.server.origin, no_proxy="elsewhere.example"))
    assert not proxy.server.log


def test_no_proxy_for_a_metadata_server_elsewhere(world, proxy):
    """Not even for one that no list of ours names: tokens come from it."""
    port = world.metadata.server.server_port
    world.launch(env=dict(world.env, http_proxy=proxy.server.origin,
                          GCE_METADATA_HOST=f"[::ffff:127.0.0.1]:{port}"))
    assert not proxy.server.log


@pytest.mark.parametrize("api", ["http://[::1]:1", "http://[0:0::1]:1", "http://[fe80::1]:1",
                                 "http://[fe80:0:0::2]:1", "http://127.8.9.1:1", "http://localhost:1"])
def test_no_token_to_a_proxy(world, proxy, api):
    """Plain http is taken for such an API because the token does not leave the link."""
    done = world.run("--api-endpoint", f"{api}/compute/v1/", "--timeout", "2",
                     env=dict(world.env, http_proxy=proxy.server.origin, all_proxy=proxy.server.origin))
    assert done.report["code"] == "network" and not proxy.server.log


# --- patience

def asked(world):
    return [r["time"] for r in world.responder.server.log]


@pytest.mark.parametrize("status", [500, 502, 503, 504, 429])
def test_asked_again(world, status):
    answers = [(status, "text/plain", "no")]
    world.responder.fail = lambda: answers.pop() if answers else None
    world.launch()
    first, second = asked(world)
    assert 0.45 < second - first < 1.6
    assert len({r["query"]["cvm_salt"] for r in world.responder.server.log}) == 2


def test_retry_after_is_honoured(world):
    answers = [(503, "text/plain", "no", {"Retry-After": "3"})]
    world.responder.fail = lambda: answers.pop() if answers else None
    world.launch()
    first, second = asked(world)
    assert second - first >= 2.9


def test_retry_after_as_a_date(world):
    """By the responder's own clock, which is a day ahead of ours."""
    clock = lambda seconds: email.utils.formatdate(time.time() + 86400 + seconds, usegmt=True)
    answers = [1]

    def answer(request):
        request.date_time_string = lambda *_: clock(0)
        if answers:
            answers.pop()
            return 503, "text/plain", "no", {"Retry-After": clock(3)}
        return world.responder.answer(request)
    world.responder.server.handle_one = answer
    world.launch()
    first, second = asked(world)
    assert 1.9 < second - first < 5


def test_retry_after_beyond_the_end(world):
    world.responder.fail = lambda: (429, "text/plain", "no", {"Retry-After": "3000"})
    start = time.monotonic()
    world.refused("responder-error", 4, "--boot-timeout", "60")
    assert len(asked(world)) == 1 and time.monotonic() - start < 10


@pytest.mark.parametrize("status", [400, 403, 404, 406])
def test_not_asked_again(world, status):
    world.responder.fail = lambda: (status, "text/plain", "no")
    world.refused("responder-error", 4)
    assert len(asked(world)) == 1


def test_pauses_grow_and_are_not_all_the_same(world):
    world.responder.fail = lambda: (503, "text/plain", "no")
    world.refused("responder-error", 4, "--boot-timeout", "5")
    times = asked(world)
    pauses = [b - a for a, b in zip(times, times[1:])]
    assert len(pauses) >= 2 and pauses[1] > 0.95
    assert 0.45 < pauses[0] < 1.6


# --- answers that are none

class Raw:
    """A responder that writes what a test says, on a bare socket."""

    def __init__(self, speak):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.socket.getsockname()[1]}/vmcp"
        self.sent = 0
        self.speak = speak
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=[peer], daemon=True).start()

    def one(self, peer):
        try:
            peer.recv(65536)
            self.speak(self, peer)
        except OSError:
            pass
        peer.close()

    def send(self, peer, data):
        peer.sendall(data)
        self.sent += len(data)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/jose\r\n"


def silent(raw, peer):
    time.sleep(60)


def slow(raw, peer):
    for byte in HEAD * 100:
        raw.send(peer, bytes([byte]))
        time.sleep(0.2)


def truncated(raw, peer):
    raw.send(peer, HEAD + b"Content-Length: 1000\r\n\r\neyJhbGciOiJFZERTQSJ9.")


def endless(raw, peer):
    raw.send(peer, HEAD + b"\r\n")
    while True:
        raw.send(peer, b"a" * 65536)


def endless_chunked(raw, peer):
    raw.send(peer, HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        raw.send(peer, b"10000\r\n" + b"a" * 65536 + b"\r\n")


def declared(raw, peer):
    raw.send(peer, HEAD + b"Content-Length: 1048577\r\n\r\n")
    while True:
        raw.send(peer, b"a" * 65536)


@pytest.fixture
def raw():
    made = []

    def make(speak):
        made.append(Raw(speak))
        return made[-1]
    yield make
    for r in made:
        r.socket.close()


@pytest.mark.parametrize("speak", [silent, slow, truncated])
def test_no_answer_in_time(world, raw, speak):
    start = time.monotonic()
    world.refused("network", 4, *ask_at(world, raw(speak).url, "--boot-timeout", "2"), base=False)
    assert time.monotonic() - start < 6


@pytest.mark.parametrize("speak", [endless, endless_chunked, declared])
def test_no_more_than_a_mebibyte_is_kept(world, raw, speak):
    server = raw(speak)
    start = time.monotonic()
    world.refused("answer-too-large", 1, *ask_at(world, server.url, "--boot-timeout", "20"),
                  base=False)
    # what the sockets between hold is more than what is kept
    assert server.sent < 16 * 1024 * 1024 and time.monotonic() - start < 10


def test_a_metric_ton_of_headers(world, raw):
    def headers(server, peer):
        server.send(peer, b"HTTP/1.1 200 OK\r\n")
        while True:
            server.send(peer, b"X-Nothing: " + b"a" * 8000 + b"\r\n")
    server = raw(headers)
    world.refused("network", 4, *ask_at(world, server.url, "--boot-timeout", "0"), base=False)
    assert server.sent < 16 * 1024 * 1024


# --- state

def state(world, *args, code=0):
    done = world.run("state", *args, base=False)
    assert done.returncode == code, done.stderr
    return done.report


def test_state_show(world):
    assert state(world, "show")["machines"] == []
    world.launch()
    machine, = state(world, "show")["machines"]
    assert (machine["domain"], machine["machine"], machine["serial"]) == (DOMAIN, "flask-app", 7)
    assert machine["vms"][0]["id"] == "4000000000" and machine["intents"] == []
    assert state(world, "show", DOMAIN, "flask-app")["machines"] == [machine]
    assert state(world, "show", "cfg.example.org")["machines"] == []
    text = subprocess.run([*world.command("state", "show", base=False)[:-1]], env=world.env,
                          capture_output=True, text=True, check=True, timeout=30).stdout
    assert "serial 7" in text and "4000000000" in text


def test_state_reset_forgets_the_serial_floor(world):
    world.launch()
    local_id = (world.state / "local-id").read_text()
    world.responder.serial = 6
    world.refused("serial-rollback", 1, writes=len(world.compute.writes()))
    assert state(world, "reset", DOMAIN, "flask-app", "--dry-run")["known"] is True
    world.refused("serial-rollback", 1, writes=len(world.compute.writes()))
    assert state(world, "reset", DOMAIN, "flask-app")["known"] is True
    assert state(world, "reset", DOMAIN, "flask-app")["known"] is False
    world.launch()
    assert world.saved()["serial"] == 6
    assert (world.state / "local-id").read_text() == local_id


def test_state_reset_mends_a_damaged_one(world):
    world.launch()
    path = world.state / f"machines/{DOMAIN}/flask-app/state.json"
    path.write_text("{")
    shown = state(world, "show", code=3)
    assert shown["code"] == "state-damaged" and "damaged" in shown["machines"][0]
    state(world, "reset", DOMAIN, "flask-app")
    world.launch()


def test_state_reset_keeps_what_is_not_settled(world):
    world.compute.pending = 1000
    assert world.run("--timeout", "1").returncode == 8
    machine, = state(world, "show")["machines"]
    assert machine["intents"][0]["name"] == "flask-app" and "body" not in machine["intents"][0]
    assert state(world, "reset", DOMAIN, "flask-app", code=3)["code"] == "state-busy"
    assert len(world.intents()) == 1
    state(world, "reset", DOMAIN, "flask-app", "--force")
    assert not world.intents()


@pytest.mark.parametrize("args", [
    [], ["frobnicate"], ["reset"], ["reset", DOMAIN], ["reset", DOMAIN, "../../etc"],
    ["reset", "../..", "web"], ["show", "a", "b", "c"]])
def test_state_usage(world, args):
    assert state(world, *args, code=2)["code"] in ("usage", "domain-malformed", "name-malformed")

# SPDX-License-Identifier: Apache-2.0
"""Limits of connections and requests: whoever is over one, the others are still served."""
import contextlib
import http.client
import os
import resource
import selectors
import signal
import socket
import ssl
import subprocess
import threading
import time
from types import SimpleNamespace

import pytest

from conftest import BIN, MACHINE, eventually, run, write_json

QUESTION = "/vmcp/web?cvm_salt=S-1&cvm_hostid=h-1"
HEAD = f"GET {QUESTION} HTTP/1.1\r\nHost: x\r\nAccept: application/jose\r\nX-Long: ".encode()
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"

# A sanitizer makes everything several times slower.
PATIENCE = 0.5 if any(word in str(BIN) for word in ("address", "thread", "san")) else 0.1


@pytest.fixture(autouse=True)
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def dial(port, source="127.0.0.1", timeout=5):
    return socket.create_connection(("127.0.0.1", port), timeout, source_address=(source, 0))


def ask(port, source="127.0.0.1", target="/healthz", headers=None, timeout=5):
    """One request on a connection of its own: the response, its body read."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout, source_address=(source, 0))
    try:
        connection.request("GET", target, headers=headers or {})
        response = connection.getresponse()
        response.text = response.read().decode()
        return response
    finally:
        connection.close()


@pytest.mark.parametrize("places", [8, 64])
def test_who_does_not_read_an_answer_gives_way(vmcpd, scratch, places):
    """All places are taken by clients that asked and never read; what they are sent fits into no
    buffer of the kernel. Another client is answered at once, again and again."""
    path = scratch / "slow"
    server = vmcpd({"web": MACHINE, "big": {**MACHINE, "userData": "x" * 250_000,
                                            "more": "y" * 250_000}},
                   "--listen", f"unix:{path}", "--max-connections", str(places))
    slow = []
    for _ in range(places):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(5)
        s.connect(str(path))
        s.sendall(HEAD.replace(b"/web", b"/big") + b"x\r\n\r\n")
        slow.append(s)
    for s in slow:  # each has the beginning of its answer, so it was accepted and is being answered
        assert s.recv(12) == b"HTTP/1.1 200"
    for _ in range(2 * places):
        start = time.monotonic()
        assert ask(server.port, target=QUESTION).status == 200
        assert time.monotonic() - start < 5
    cut = 0
    for s in slow:
        got = 12
        with contextlib.suppress(ConnectionError):
            while piece := s.recv(65536):
                got += len(piece)
                if got > 650_000:
                    break
        cut += got < 650_000
        s.close()
    assert cut >= 1


def is_closed(s, within):
    """The other side closes within so many seconds, without a word."""
    s.settimeout(within)
    try:
        return s.recv(4096) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


class SlowSenders:
    """Clients whose headers never end: one byte a second each, from a thread of its own."""

    def __init__(self, port, sources, count):
        self.sockets = [dial(port, sources[i % len(sources)]) for i in range(count)]
        for i, s in enumerate(self.sockets):
            s.setblocking(False)
            with contextlib.suppress(OSError):
                s.send(HEAD[:1 + i % len(HEAD)])
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stopping.wait(1):
            for s in self.sockets:
                with contextlib.suppress(OSError):
                    s.send(b"a")

    def open(self):
        """How many the server has not closed."""
        count = 0
        for s in self.sockets:
            try:
                count += s.recv(1) != b""
            except BlockingIOError:
                count += 1
            except OSError:
                pass
        return count

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()
        for s in self.sockets:
            s.close()


@pytest.mark.parametrize("sources", [("127.0.0.2", "127.0.0.3"), ("127.0.0.1",)],
                         ids=["others", "own"])
def test_a_thousand_slow_senders(vmcpd, sources):
    """With the limits as shipped, an honest client is answered within 100 ms throughout."""
    server = vmcpd({"web": {"name": "web", "secret": "a-long-enough-secret"}}, "--access-log",
                   "off", key=("ed25519",))
    with SlowSenders(server.port, sources, 1000) as slow:
        assert slow.open() == 1000
        times, until = [], time.monotonic() + 6
        while time.monotonic() < until:
            begun = time.monotonic()
            answer = ask(server.port, target=QUESTION, headers={"Accept": "application/jose"})
            times.append(time.monotonic() - begun)
            assert answer.status == 200 and answer.text.count(".") == 2
            time.sleep(0.01)
        assert len(times) > 100 and max(times) < PATIENCE, sorted(times)[-5:]
        assert slow.open() == 1000  # nobody's place was needed


def test_headers_have_to_end_in_time(vmcpd):
    """However steadily the bytes arrive, and after an answer too."""
    server = vmcpd(None, "--header-timeout", "2")
    with dial(server.port) as first, dial(server.port) as later:
        later.sendall(REQUEST)
        assert later.recv(4096).startswith(b"HTTP/1.1 200")
        begun, ends = time.monotonic(), {}
        first.settimeout(0.2)
        later.settimeout(0.2)
        for name in ("first", "later"):
            (first if name == "first" else later).sendall(HEAD)
        while len(ends) < 2 and time.monotonic() - begun < 8:
            for name, s in (("first", first), ("later", later)):
                if name in ends:
                    continue
                with contextlib.suppress(TimeoutError):
                    try:
                        s.sendall(b"a")
                        if s.recv(1) == b"":
                            ends[name] = time.monotonic() - begun
                    except ConnectionError:
                        ends[name] = time.monotonic() - begun
        assert set(ends) == {"first", "later"} and all(1.5 < t < 4 for t in ends.values()), ends


def test_a_handshake_has_to_end_in_time(vmcpd, certificates):
    server = vmcpd(None, "--header-timeout", "1", *certificates.options)
    with dial(server.port) as s:
        s.sendall(b"\x16\x03\x01\x01\x00\x01")  # the beginning of a ClientHello
        assert is_closed(s, 4)


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def client_hello():
    plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    plain.check_hostname, plain.verify_mode = False, ssl.CERT_NONE
    sent = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        plain.wrap_bio(ssl.MemoryBIO(), sent).do_handshake()
    return sent.read()


@pytest.mark.parametrize("share", [0, 1, 50, 100])
def test_a_handshake_that_stands_still_costs_nothing(vmcpd, certificates, share):
    """In percent of a ClientHello."""
    server = vmcpd(None, *certificates.options)
    hello = client_hello()
    with contextlib.ExitStack() as stack:
        for _ in range(4):
            s = stack.enter_context(dial(server.port))
            s.sendall(hello[:(len(hello) * share + 99) // 100])
        time.sleep(0.5)
        before = cpu_seconds(server.process.pid)
        time.sleep(1.5)
        assert cpu_seconds(server.process.pid) - before < 0.2


@pytest.fixture(name="certificates")
def certificates_fixture(scratch):
    """A certificate for 127.0.0.1, made by openssl."""
    cert, key = scratch / "server.pem", scratch / "server.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
                    "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"],
                   check=True, capture_output=True, timeout=30)
    key.chmod(0o600)
    return SimpleNamespace(cert=cert, options=("--tls-cert", cert, "--tls-key", key))


def test_silence_ends(vmcpd):
    server = vmcpd(None, "--idle-timeout", "1", "--header-timeout", "60")
    with dial(server.port) as silent:
        assert is_closed(silent, 5)


@pytest.mark.parametrize("text", [b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HT"],
                         ids=["answered", "unfinished"])
def test_a_client_that_closes_its_side_is_let_go(vmcpd, text):
    """At once, when its end comes while it is being answered, and later."""
    server = vmcpd(None, "--idle-timeout", "60", "--header-timeout", "60")
    for pause in [0] * 20 + [0.3]:
        with dial(server.port) as s:
            s.sendall(text)
            time.sleep(pause)
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_WR)
            s.settimeout(5)
            while s.recv(4096):
                pass


@pytest.mark.parametrize("flooders", [("127.0.0.2",), ("127.0.0.2", "127.0.0.3"), ("127.0.0.1",)],
                         ids=["one", "two", "own"])
def test_a_full_table_locks_nobody_out(vmcpd, flooders):
    server = vmcpd(None, "--max-connections", "60", "--max-connections-each", "40")
    held = []
    for i in range(200):
        with contextlib.suppress(OSError):
            held.append(dial(server.port, flooders[i % len(flooders)]))
            held[-1].sendall(b"GET / HTTP/1.1\r\nX: ")
        if i % 10 == 0:
            assert ask(server.port).status == 200
    for _ in range(50):
        assert ask(server.port).status == 200
    for s in held:
        s.close()


def test_one_address_has_its_share(vmcpd):
    """The oldest that waits goes; what another address holds stays."""
    server = vmcpd(None, "--max-connections-each", "10")
    with dial(server.port, "127.0.0.2") as other:
        held = []
        for _ in range(10):
            held.append(dial(server.port))
            time.sleep(0.15)
        eleventh = dial(server.port)
        eleventh.sendall(REQUEST)
        assert eleventh.recv(4096).startswith(b"HTTP/1.1 200")
        assert is_closed(held[0], 2)
        held[-1].sendall(REQUEST)
        assert held[-1].recv(4096).startswith(b"HTTP/1.1 200")
        other.sendall(REQUEST)
        assert other.recv(4096).startswith(b"HTTP/1.1 200")
        for s in (*held, eleventh):
            s.close()


def test_too_few_descriptors(vmcpd, bin, keys, scratch):
    """More clients than the process may have descriptors: they are pushed out, nobody hangs."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    server = vmcpd()
    resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (64, hard[1]))
    held = []
    for _ in range(150):
        with contextlib.suppress(OSError):
            held.append(dial(server.port, "127.0.0.2"))
    for _ in range(20):
        assert ask(server.port).status == 200
    for s in held:
        s.close()
    assert eventually(lambda: ask(server.port).status == 200)


def test_requests_of_one_address(vmcpd):
    server = vmcpd(None, "--rate", "2", "--rate-burst", "6", "--access-log", "off")
    answers = [ask(server.port, target=QUESTION) for _ in range(12)]
    refused = [a for a in answers if a.status == 429]
    assert [a.status for a in answers[:6]] == [200] * 6 and len(refused) >= 5
    last = answers[-1]
    assert last.status == 429 and '"code":"rate-limited"' in last.text
    assert last.getheader("Content-Type") == "application/problem+json"
    assert last.getheader("Cache-Control") == "no-store"
    wait = int(last.getheader("Retry-After"))
    assert 1 <= wait <= 2
    assert ask(server.port, "127.0.0.2", QUESTION).status == 200  # the others are still served
    time.sleep(wait)
    assert ask(server.port, target=QUESTION).status == 200
    with dial(server.port) as s:  # a refusal keeps the connection
        for _ in range(4):
            s.sendall(b"GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n")
            assert s.recv(4096).startswith((b"HTTP/1.1 404", b"HTTP/1.1 429"))


def test_probes_are_answered_beside_a_neighbour_over_the_rate(vmcpd):
    server = vmcpd(None, "--rate", "1", "--rate-burst", "2")
    assert [ask(server.port, target=QUESTION).status for _ in range(6)].count(429) >= 3
    for _ in range(20):
        assert ask(server.port, target="/healthz").status == 200
        assert ask(server.port, target="/readyz").status == 200
    assert ask(server.port, target="/nothing").status == 429
    assert ask(server.port, target="/%zz").status == 400  # and a wrong request counts too


def served(port, source, tls=None):
    """Is a new connection answered?"""
    try:
        with dial(port, source) as plain, (tls.wrap_socket(plain, server_hostname="127.0.0.1") if tls
                                           else plain) as s:
            s.sendall(REQUEST)
            return s.recv(4096).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


@pytest.mark.parametrize("secured", [False, True], ids=["plain", "tls"])
def test_connections_of_one_address_have_a_rate(vmcpd, certificates, secured):
    server = vmcpd(None, "--connection-rate", "1", "--trusted-proxy", "127.0.0.9",
                   *(certificates.options if secured else ()))
    tls = ssl.create_default_context(cafile=certificates.cert) if secured else None
    answers = [served(server.port, "127.0.0.1", tls) for _ in range(40)]
    assert all(answers[:20]) and not any(answers[30:])
    assert served(server.port, "127.0.0.2", tls)  # the others are still served
    assert all(served(server.port, "127.0.0.9", tls) for _ in range(40))  # a proxy is many
    assert eventually(lambda: served(server.port, "127.0.0.1", tls), 5)
    with dial(server.port, "127.0.0.2") as plain, \
            (tls.wrap_socket(plain, server_hostname="127.0.0.1") if tls else plain) as s:
        for _ in range(40):  # keep-alive is one connection
            s.sendall(REQUEST)
            text = b""
            while not text.endswith(b"ok\n"):
                assert (piece := s.recv(4096))
                text += piece


def test_slow_ones_of_many_addresses_do_not_push_out_idle_ones_of_one(vmcpd):
    """The largest honest address is not the victim of an attack from everywhere."""
    server = vmcpd(None, "--max-connections", "100", "--access-log", "off")
    idle, slow = [dial(server.port) for _ in range(40)], []
    for s in idle:
        s.sendall(REQUEST)
        assert s.recv(4096).startswith(b"HTTP/1.1 200")
    for second in range(2):
        for i in range(60):
            slow.append(dial(server.port, f"127.7.{second}.{i + 1}"))
            slow[-1].sendall(b"GET / HTTP/1.1\r\nX: ")
        time.sleep(1.3)
    for s in idle:
        s.sendall(REQUEST)
        assert s.recv(4096).startswith(b"HTTP/1.1 200")
    assert sum(is_closed(s, 0.01) for s in slow) >= 60
    for s in (*idle, *slow):
        s.close()


def test_trusted_proxies_speak_for_their_clients(vmcpd):
    server = vmcpd(None, "--rate", "1", "--rate-burst", "3", "--trusted-proxy", "127.0.0.9",
                   "--trusted-proxy", "10.0.0.0/8")

    def statuses(count, source, header):
        return [ask(server.port, source, QUESTION, header(i)).status for i in range(count)]

    def forged(i):
        return {"X-Forwarded-For": f"198.51.100.{i}", "Forwarded": f"for=198.51.100.{i}"}

    assert statuses(20, "127.0.0.1", forged).count(429) >= 15  # not a proxy: not believed
    assert statuses(20, "127.0.0.9",
                    lambda i: {"X-Forwarded-For": f"198.51.100.{i}"}) == [200] * 20
    assert statuses(20, "127.0.0.9",
                    lambda i: {"Forwarded": f"for=203.0.113.{i}"}) == [200] * 20
    # Only what trusted proxies wrote counts: the client wrote the left part.
    assert statuses(20, "127.0.0.9", lambda i: {
        "X-Forwarded-For": f"1.1.1.{i}, 192.0.2.7, 10.1.1.1"}).count(429) >= 15
    assert statuses(20, "127.0.0.9", lambda i: {
        "X-Forwarded-For": f"2001:db8::{i:x}"}).count(429) >= 15  # one /64


def test_a_thousand_vms_behind_one_address(vmcpd):
    """All at once, as shipped, and each is answered."""
    server = vmcpd(None, "--access-log", "off", key=("ed25519",))
    selector = selectors.DefaultSelector()
    begun, answered = time.monotonic(), {}
    for i in range(1000):
        s = dial(server.port)
        s.sendall(HEAD + b"a\r\nConnection: close\r\n\r\n")
        s.setblocking(False)
        selector.register(s, selectors.EVENT_READ, i)
        answered[i] = b""
    open_ones = 1000
    while open_ones and time.monotonic() - begun < 60:
        for key, _ in selector.select(1):
            data = key.fileobj.recv(65536)
            answered[key.data] += data
            if not data:
                selector.unregister(key.fileobj)
                key.fileobj.close()
                open_ones -= 1
    assert open_ones == 0
    assert all(text.startswith(b"HTTP/1.1 200") for text in answered.values())


def sized(kind, size):
    """A request of so many bytes to the end of its headers: a long header, target, or many."""
    if kind == "headers":
        lines = b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
        while len(lines) < size - 40:
            lines += b"X-%04d: %s\r\n" % (len(lines), b"a" * 30)
        return lines + b"\r\n"
    start, end = {"header": (b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: ", b"\r\n\r\n"),
                  "target": (b"GET " + QUESTION.encode() + b"&x=", b" HTTP/1.1\r\nHost: x\r\n"
                             b"Accept: application/jose\r\n\r\n")}[kind]
    return start + b"a" * (size - len(start) - len(end)) + end


def first_line(port, text):
    """Of the answer, or b"" where the server just closes."""
    with dial(port) as s:
        try:
            s.sendall(text)
            return s.recv(4096).split(b"\r\n")[0]
        except ConnectionError:
            return b""


@pytest.mark.parametrize("kind", ["header", "target"])
def test_request_line_and_headers_have_8_kib(vmcpd, kind):
    server = vmcpd()
    for size in (7000, 8191, 8192):
        assert first_line(server.port, sized(kind, size)) == b"HTTP/1.1 200 OK", size
    for size in (8193, 9000, 11000, 16000, 100_000):
        assert first_line(server.port, sized(kind, size))[9:12] in (b"431", b"414"), size


@pytest.mark.parametrize("kind", ["header", "target", "headers"])
def test_no_size_of_headers_hangs(vmcpd, kind):
    """Around the memory that a connection has: an error, or the end, at once."""
    server = vmcpd()
    for size in range(9_600, 10_500, 60):
        begun = time.monotonic()
        assert first_line(server.port, sized(kind, size))[9:12] in (b"431", b"414", b""), size
        assert time.monotonic() - begun < 3
    assert ask(server.port).status == 200


@pytest.mark.parametrize("coding", ["chunked", "gzip"])
@pytest.mark.parametrize("first", ["length", "coding"])
def test_a_length_and_a_coding_end_the_connection(vmcpd, coding, first):
    """At once, and what comes behind is nobody's request (RFC 9112, section 6.1)."""
    lines = ["Content-Length: 0", f"Transfer-Encoding: {coding}"][::1 if first == "length" else -1]
    text = "\r\n".join(["GET /healthz HTTP/1.1", "Host: x", *lines, "", "0", "", ""]).encode()
    with dial(vmcpd().port) as s, s.makefile("rb") as answers:
        s.sendall(text + REQUEST)
        with contextlib.suppress(ConnectionResetError):  # of what it has not read
            got = answers.read()
            assert got.startswith(b"HTTP/1.1 400 ") and got.count(b"HTTP/1.1") == 1, got
            assert b"both Content-Length and Transfer-Encoding" in got


def test_a_stop_does_not_wait_for_ever(vmcpd):
    server = vmcpd(None, "--grace", "1")
    with dial(server.port) as s:
        s.sendall(b"GET /healthz HTTP/1.1\r\n")  # begun, and never ended
        time.sleep(0.2)
        begun = time.monotonic()
        assert server.stop(signal.SIGTERM) == 0
        assert 0.8 < time.monotonic() - begun < 3


def test_a_connection_that_was_accepted_is_answered_at_the_stop(vmcpd):
    """Whatever the kernel took before the signal: none is reset."""
    server = vmcpd(None, "--access-log", "off")
    server.process.send_signal(signal.SIGSTOP)
    sockets = [dial(server.port) for _ in range(500)]
    for s in sockets:
        s.sendall(REQUEST)
    server.process.send_signal(signal.SIGTERM)
    server.process.send_signal(signal.SIGCONT)
    assert all(s.recv(4096).startswith(b"HTTP/1.1 200") for s in sockets)
    for s in sockets:
        s.close()
    assert server.stop() == 0


@pytest.mark.parametrize("options", [
    ("--trusted-proxy", "10.0.0.1/8"), ("--trusted-proxy", "example.org"), ("--rate", "-1"),
    ("--max-connections", "many"), ("--header-timeout", "soon"), ("--client-ca", "x.pem"),
    ("--tls-cert", "x.pem"), ("--listen-mode", "rw"), ("--listen", "127.0.0.1"),
    ("--listen", "unix:"), ("--listen", "unix:" + "a" * 200)], ids=" ".join)
def test_wrong_limits_are_usage_errors(bin, keys, scratch, options):
    write_json(scratch / "configs" / "web.json", MACHINE)
    done = run(bin.vmcpd, "--domain", "cfg.example.org", "--key", keys["ed25519"].path, "--configs",
               scratch / "configs", "--listen", "127.0.0.1:0", *options)
    assert done.code == 2 and "[usage]" in done.err, done


def test_a_server_without_tls_is_told_from_one_with(vmcpd, certificates):
    server = vmcpd(None, *certificates.options)
    with dial(server.port) as s:
        s.sendall(REQUEST)
        assert not s.recv(4096).startswith(b"HTTP")
    context = ssl.create_default_context(cafile=certificates.cert)
    with context.wrap_socket(dial(server.port), server_hostname="127.0.0.1") as s:
        for _ in range(3):  # keep-alive
            s.sendall(REQUEST)
            text = b""
            while not text.endswith(b"ok\n"):
                text += s.recv(4096)
            assert text.startswith(b"HTTP/1.1 200")

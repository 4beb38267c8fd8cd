# SPDX-License-Identifier: Apache-2.0
"""Ten thousand malformed requests, and a good one after each 500: never a crash, a hang or a wrong
answer. VMCP_SEED repeats a run."""
import json
import os
import random
import re
import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from conftest import MACHINE
from honest import Client, Verifier, on_tcp, on_unix
from malformed import CLOSED, KINDS
from test_http_tls import context, world_fixture  # noqa: F401 (a fixture)

SEED = int(os.environ.get("VMCP_SEED") or random.SystemRandom().randrange(2**31))
BETWEEN = 500  # malformed ones, from one good one to the next
HANG = 10


def read_answer(s):
    """The first answer: its status, and its bytes; CLOSED if the connection ends before one."""
    data = b""
    while True:
        head, found, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if found and length and len(body) >= int(length[1]):
            break
        try:
            piece = s.recv(65536)
        except (ConnectionError, ssl.SSLError):
            piece = b""
        if not piece:
            break
        data += piece
    status = re.match(rb"HTTP/1\.[01] (\d{3}) ", data)
    assert status or not data, f"no answer at all: {data[:200]!r}"
    return (int(status[1]) if status else CLOSED), data


def send(connect, text, tls):
    s = connect()
    s.settimeout(HANG)
    try:
        try:
            s.sendall(text)
            if not tls:
                s.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has answered before it read all of it
        return read_answer(s)
    finally:
        s.close()


def is_told_well(data):
    """An error of ours says what it is, and is kept by nobody."""
    head, _, body = data.partition(b"\r\n\r\n")
    if b"application/problem+json" not in head:
        return True
    problem = json.loads(body)
    status = int(data.split(b" ", 2)[1])
    return problem["status"] == status and re.fullmatch("[a-z0-9-]+", problem["code"])


def one(connect, number, tls):
    """Send the request of that number; gives what was wrong, or None."""
    r = random.Random(f"{SEED}/{number}")
    # Over TLS a request that never ends cannot be ended from one side: it would take the time-out.
    names = [n for n in KINDS if not tls or CLOSED not in KINDS[n][1]]
    name = names[number % len(names)]
    make, statuses = KINDS[name]
    text = make(r)
    try:
        status, data = send(connect, text, tls)
    except TimeoutError:
        return f"{name}: no answer within {HANG} s to {text[:300]!r}"
    if status not in statuses or 200 <= status < 300 or not is_told_well(data):
        return f"{name}: {status}, not one of {sorted(statuses)}: {text[:300]!r}: {data[:300]!r}"
    return None


def flood(server, connect, client, first, count, tls=False):
    """`count` malformed requests, and after every BETWEEN of them the good one. Gives the number of
    good answers."""
    good = 0
    with ThreadPoolExecutor(64) as pool:
        wrong = []
        for done, one_wrong in enumerate(pool.map(lambda n: one(connect, n, tls),
                                                  range(first, first + count)), 1):
            wrong += [one_wrong] if one_wrong else []
            if done % BETWEEN:
                continue
            assert not wrong, f"VMCP_SEED={SEED}: {len(wrong)} wrong: " + "\n".join(wrong[:10])
            for is_v2 in (True, False):
                begun = time.monotonic()
                assert client.ask(is_v2=is_v2)["machine"] == MACHINE, f"VMCP_SEED={SEED}"
                assert time.monotonic() - begun < 5 and server.process.poll() is None
                good += 1
            client.close()
    return good


@pytest.fixture
def verifier(keys):
    print(f"VMCP_SEED={SEED}")
    return Verifier(keys["ed25519"].pub, keys["rsa-2048"].pub)


def test_there_are_enough_kinds():
    assert len(KINDS) >= 20
    assert not any(200 <= s < 400 for _, statuses in KINDS.values() for s in statuses)


def test_malformed_requests(vmcpd, verifier, scratch):
    """7,000 over TCP and 2,000 over a Unix socket; what the log has of them is one line each."""
    log = scratch / "access.log"
    server = vmcpd(None, "--listen", f"unix:{scratch}/s", "--rate", "0", "--access-log", log)
    good = 0
    for connect, first, count in ((on_tcp(lambda: server.port), 0, 7000),
                                  (on_unix(scratch / "s"), 7000, 2000)):
        good += flood(server, connect, Client(connect, verifier), first, count)
    assert good == 36 and server.stop() == 0
    lines = log.read_bytes().splitlines()
    line = re.compile(rb"\S+Z \S+ \S+ \d{3} [a-z0-9-]+ \d+us client=\S+( [\x21-\x7e]+)*")
    assert [text for text in lines if not line.fullmatch(text)] == []
    assert sum(text.split()[3] == b"200" for text in lines) == good


def test_malformed_requests_over_tls(vmcpd, verifier, world):
    server = vmcpd(None, "--rate", "0", *world.options)
    trusted, plain = context(world.ours), on_tcp(lambda: server.port)

    def connect():
        return trusted.wrap_socket(plain(), server_hostname="127.0.0.1")

    client = Client(connect, verifier)
    flood(server, connect, client, 9000, 500, tls=True)
    for number in range(9500, 10000):  # what is not even TLS: no answer, and no word of HTTP
        make, _ = list(KINDS.values())[number % len(KINDS)]
        s = plain()
        s.settimeout(HANG)
        with s:
            try:
                s.sendall(make(random.Random(f"{SEED}/{number}")))
                s.shutdown(socket.SHUT_WR)
                data = s.recv(65536)
            except TimeoutError:
                raise
            except OSError:
                data = b""  # it has hung up
            assert not data.startswith(b"HTTP"), data
    assert client.ask()["machine"] == MACHINE
    client.close()

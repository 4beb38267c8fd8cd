# SPDX-License-Identifier: Apache-2.0
"""Honest clients: connections that are kept, both formats in turn, and every answer is verified, by
other people's code."""
import base64
import http.client
import itertools
import json
import socket
import threading
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from conftest import DOMAIN
from test_vmcp_verify import unb64, v1_text


class Wrong(Exception):
    """An answer that must never be given."""


class Verifier:
    """Decides whether an answer is good; gives back what it says of the machine."""

    def __init__(self, ed25519, rsa):
        self.ed25519, self.rsa = (load_pem_public_key(p.read_bytes()) for p in (ed25519, rsa))

    def v2(self, text, salt, hostid):
        header, payload, signature = text.split(".")
        self.ed25519.verify(unb64(signature), f"{header}.{payload}".encode())
        claims = json.loads(unb64(payload))
        if (claims["iss"], claims["nonce"], claims["aud"]) != (DOMAIN, salt, hostid) or \
                claims["exp"] - claims["iat"] != 300:
            raise Wrong(claims)
        return claims

    def v1(self, text, salt):
        params = json.loads(text)
        self.rsa.verify(base64.b64decode(params.pop("signature")), v1_text(params, salt).encode(),
                        padding.PKCS1v15(), hashes.SHA512())
        return {"sub": params["name"], "machine": params}

    def check(self, status, text, salt, hostid, is_v2):
        if status != 200:
            raise Wrong(f"{status} {text[:500]}")
        try:
            return self.v2(text, salt, hostid) if is_v2 else self.v1(text, salt)
        except (InvalidSignature, ValueError, KeyError) as e:
            raise Wrong(f"{e!r}: {text[:500]}") from e


def on_tcp(port, source="127.0.0.1"):
    return lambda: socket.create_connection(("127.0.0.1", port()), 20, source_address=(source, 0))


def on_unix(path):
    def connect():
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(20)
        s.connect(str(path))
        return s

    return connect


class Client:
    """One kept connection. `ask` gives a good answer's content, or an OSError or HTTPException where
    the connection failed, or Wrong."""

    def __init__(self, connect, verifier):
        self.connect, self.verifier = connect, verifier
        self.connection = None
        self.numbers = itertools.count()

    def ask(self, is_v2=True, path="/vmcp/web"):
        salt, hostid = f"Salt-{next(self.numbers)}", f"host-{id(self)}"
        if not self.connection:
            self.connection = http.client.HTTPConnection("localhost")
            self.connection.auto_open = 0
            try:
                self.connection.sock = self.connect()
            except OSError:
                self.close()
                raise
        try:
            self.connection.request("GET", f"{path}?cvm_salt={salt}&cvm_hostid={hostid}",
                                    headers={"Accept": "application/jose"} if is_v2 else {})
            response = self.connection.getresponse()
            text = response.read().decode()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        return self.verifier.check(response.status, text, salt, hostid, is_v2)

    def close(self):
        if self.connection:
            self.connection.close()
        self.connection = None


class Crowd:
    """Several clients at once, each with a thread, until the end of a `with`. `good` counts their
    answers, `wrong` has those that must not be, `failed` what happened to connections."""

    def __init__(self, connects, verifier, check=lambda claims: True, pause=0):
        self.clients = [Client(connect, verifier) for connect in connects]
        self.check, self.pause = check, pause
        self.good, self.slowest = [0] * len(self.clients), 0
        self.wrong, self.failed = [], []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self.run, args=(i,))
                        for i in range(len(self.clients))]

    def run(self, i):
        client, turn = self.clients[i], i
        while not self.stopping.wait(self.pause):
            turn += 1
            begun = time.monotonic()
            try:
                if not self.check(client.ask(is_v2=turn % 2 == 0)):
                    raise Wrong("the machine is not one that there was")
                self.good[i] += 1
                self.slowest = max(self.slowest, time.monotonic() - begun)
            except Wrong as e:
                self.wrong.append(e)
            except (OSError, http.client.HTTPException) as e:
                self.failed.append(e)
                time.sleep(0.005)
        client.close()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(30)


def cpu_seconds(pid):
    """CPU time of a process, from its beginning."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100

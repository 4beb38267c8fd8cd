# SPDX-License-Identifier: Apache-2.0
"""gce-emulator's memory: flat over 100,000 requests of every cheap kind, answered and refused."""
import socket

import pytest

from emulator import BIN, PROJECT, ZONE, Emulator

BATCH, ROUNDS = 100, 1000
ROOM_KIB = 1024  # what the allocator may still take; a leak of 11 bytes each is more


def resident_kib(emulator):
    with open(f"/proc/{emulator.process.pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))


class Pipe:
    """One connection, on which a batch of requests is sent at once and its answers are counted."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)

    def ask(self, targets, headers):
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self.socket.sendall("".join(f"GET {target} HTTP/1.1\r\nHost: localhost:{self.port}\r\n{head}\r\n"
                                    for target in targets).encode())
        self.read(len(targets))

    @property
    def port(self):
        return self.socket.getpeername()[1]

    def read(self, count):
        file = self.socket.makefile("rb")
        for _ in range(count):
            status = file.readline()
            assert status.startswith(b"HTTP/1.1 "), status
            length = None
            while (line := file.readline().strip().lower()):
                if line.startswith(b"content-length:"):
                    length = int(line.split(b":")[1])
            assert length is not None, "an answer without a length"
            file.read(length)


@pytest.mark.skipif("address" in str(BIN), reason="the sanitizer keeps what is freed")
def test_memory_is_flat_over_a_hundred_thousand_requests(tmp_path):
    emulator = Emulator(tmp_path).start()
    try:
        v1, account = "/computeMetadata/v1/", "instance/service-accounts/default/"
        zone = f"/compute/v1/projects/{PROJECT}/zones/{ZONE}"
        bearer = {"Authorization": f"Bearer {emulator.token()}"}
        metadata, api = Pipe(emulator.metadata_port), Pipe(emulator.api_port)
        known = [v1 + path for path in ("?recursive=true", "instance/name", "nothing/there", "instance",
                                        "?alt=xml", account + "token", "instance/tags?wait_for_change="
                                        "true&timeout_sec=0", "instance/attributes/?recursive=true&alt=text")]
        calls = [zone + path for path in ("/instances", "/instances/none", "", "/operations?maxResults=x",
                                          "/instances?filter=(name=a)", "/nothing")]

        def run(rounds):
            for i in range(rounds):
                flavor = {} if i % 10 == 9 else {"Metadata-Flavor": "Google"}
                if flavor:
                    metadata.ask([known[(i + j) % len(known)] for j in range(BATCH - 20)], flavor)
                else:  # a refusal ends its connection
                    emulator.v1("instance/name", flavor=None)
                    emulator.metadata(v1 + "instance/name", headers={"Origin": "https://a.example"})
                api.ask([calls[(i + j) % len(calls)] for j in range(20 if flavor else BATCH)],
                        bearer if i % 2 else {"Authorization": f"Bearer wrong-{i}"})

        run(ROUNDS // 10)  # whatever is made once
        before = resident_kib(emulator)
        run(ROUNDS)
        assert resident_kib(emulator) - before < ROOM_KIB
    finally:
        emulator.stop()

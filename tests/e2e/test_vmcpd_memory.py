# SPDX-License-Identifier: Apache-2.0
"""Memory: what a fleet's machines and connections cost, and that reloads leave nothing behind.
`make bench SOAK=1` looks at the same for minutes of full load."""
import contextlib
import resource
import signal

import pytest

from conftest import BIN, eventually, write_json
from honest import Crowd, Verifier, on_tcp

RESIDENT_MAX = 30_000_000  # bytes
COUNT = 1000

pytestmark = pytest.mark.skipif("address" in str(BIN) or "thread" in str(BIN),
                                reason="a sanitizer has memory of its own")


@pytest.fixture(autouse=True)
def many_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def machine(i):
    """A file of 2 KiB."""
    made = {"serial": i, "machine": {"name": f"m{i}", "secret": "a-long-enough-secret", "cpus": 2,
                                     "userData": "#!/bin/bash\n"}}
    made["machine"]["userData"] += "echo the quick brown fox jumps over the lazy dog\n" * 38
    return made


def resident(server):
    with open(f"/proc/{server.process.pid}/statm", encoding="ascii") as f:
        return int(f.read().split()[1]) * resource.getpagesize()


def with_idle_connections(server):
    """Resident bytes while so many connections, each answered once, wait."""
    with contextlib.ExitStack() as stack:
        for i in range(COUNT):
            s = stack.enter_context(server.connect())
            s.sendall(f"GET /vmcp/m{i}?cvm_salt=S&cvm_hostid=h HTTP/1.1\r\nHost: x\r\n"
                      "Accept: application/jose\r\n\r\n".encode())
            assert s.recv(16384).startswith(b"HTTP/1.1 200")
        return resident(server)


def test_a_fleet_fits(vmcpd, keys):
    fleet = {f"m{i}": machine(i) for i in range(COUNT)}
    server = vmcpd({**fleet, "web": machine(0)}, "--access-log", "off", "--rate", "0")
    at_rest = resident(server)
    assert with_idle_connections(server) <= RESIDENT_MAX
    verifier = Verifier(keys["ed25519"].pub, keys["rsa-2048"].pub)
    with Crowd([on_tcp(lambda: server.port)] * 4, verifier,
               lambda claims: claims["machine"]["cpus"] == 2) as crowd:
        for i in range(8):
            write_json(server.folder / "configs" / "web.json", machine(i))
            server.process.send_signal(signal.SIGHUP)
            assert eventually(lambda: server.ask("/readyz").json["generation"] == i + 2, 20)
            # The old set goes when the last request that uses it is over.
            assert eventually(lambda: resident(server) < at_rest + 3_000_000), resident(server)
    assert not crowd.wrong and not crowd.failed
    assert with_idle_connections(server) <= RESIDENT_MAX

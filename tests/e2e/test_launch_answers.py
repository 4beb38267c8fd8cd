# SPDX-License-Identifier: Apache-2.0
"""vmcp-launch and servers that answer with anything: whoever it is, the run ends in time with an exit
code that says whose fault it was, nothing is made, and nothing secret is told."""
import time

import pytest

from launch_world import World
from test_launch_credentials import Endpoint, external
from test_launch_faults import HEAD, endlessly, raw, slowly


@pytest.fixture
def world(tmp_path):
    w = World(tmp_path)
    w.endpoint = Endpoint(w)
    yield w
    w.close()


def headers_without_end(connection):
    while True:
        connection.sendall(b"X-Nothing: " + b"a" * 8000 + b"\r\n")


def json_nested(depth):
    return "[" * depth + "]" * depth


ANSWERS = {
    "nothing": raw(b""),
    "cut in the header": raw(b"HTTP/1.1 200 O"),
    "truncated": raw(HEAD + b"Content-Length: 400\r\n\r\n", b'{"access_token": "ya29.se'),
    "no http": raw(b"220 mail.example ESMTP\r\n"),
    "endless": raw(HEAD + b"\r\n", then=endlessly),
    "endless headers": raw(b"HTTP/1.1 200 OK\r\n", then=headers_without_end),
    "too large by its word": raw(HEAD + b"Content-Length: 99999999999\r\n\r\n{}"),
    "html": (200, "text/html", "<html>hotel wireless: please log in</html>"),
    "empty": (200, "application/json", ""),
    "half json": (200, "application/json", '{"access_token": "ya29.se'),
    "array": (200, "application/json", "[]"),
    "deep": (200, "application/json", json_nested(100000)),
    "wrong types": (200, "application/json", {
        "access_token": {"a": 1}, "token_type": 7, "expires_in": "soon", "name": ["x"],
        "status": {}, "id": None, "selfLink": 9, "diskSizeGb": [], "guestOsFeatures": "x"}),
    "duplicate keys": (200, "application/json",
                       '{"access_token": "ya29.a", "access_token": "ya29.b", "name": "a", "name": "b"}'),
    "not utf-8": (200, "application/json", b'{"access_token": "\xff\xfe", "name": "\xff"}'),
    "204": (204, "application/json", ""),
    "100 for ever": raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, then=slowly),
}
# What takes as long as somebody is waited for is looked at elsewhere.
QUICK = [name for name in ANSWERS if name != "100 for ever"]


def ended(world, done, codes, start, within):
    assert done.returncode in codes, done.stderr
    assert time.monotonic() - start < within
    assert not world.compute.inserts() and not world.intents()
    assert done.report["detail"] and "ya29" not in done.stdout + done.stderr


@pytest.mark.parametrize("what,how", [
    *(("/images/", how) for how in ANSWERS),
    *(("/instances/", how) for how in ("truncated", "endless", "array", "wrong types"))])
def test_compute_api(world, what, how):
    before = world.endpoint.before
    world.compute.before = lambda r: ANSWERS[how] if what in r.url.path else before(r)
    start = time.monotonic()
    ended(world, world.run("--timeout", "2"), (4, 6), start, 15)


@pytest.mark.parametrize("how", QUICK)
def test_token_endpoint(world, how):
    _, path = world.key_file(world.endpoint.url)
    # once: what fails and may help is asked for again
    left = [ANSWERS[how]] * 5
    world.endpoint.fail = lambda: left.pop() if left else None
    start = time.monotonic()
    done = world.run("--credentials", str(path), "--timeout", "5")
    ended(world, done, (1, 4, 5), start, 40)


@pytest.mark.parametrize("how", QUICK)
def test_metadata_token(world, how):
    answer = world.metadata.server.handle_one
    world.metadata.server.handle_one = lambda r: (
        ANSWERS[how] if r.url.path.endswith("/token") else answer(r))
    start = time.monotonic()
    ended(world, world.run(), (1, 4, 5), start, 30)


@pytest.mark.parametrize("how", ANSWERS)
def test_metadata_attributes(world, how):
    answer = world.metadata.server.handle_one
    world.metadata.server.handle_one = lambda r: (
        ANSWERS[how] if r.url.path.endswith("/attributes/") else answer(r))
    start = time.monotonic()
    done = world.run()
    if how == "wrong types":  # members of other names are nobody's business
        assert done.returncode == 0
    else:
        ended(world, done, (1, 4), start, 40)
        assert not world.responder.server.log


@pytest.mark.parametrize("how", ["html", "half json", "array", "endless", "not utf-8"])
def test_subject_of_an_external_account(world, how):
    answer = world.metadata.server.handle_one
    world.metadata.server.handle_one = lambda r: (
        ANSWERS[how] if r.url.path.endswith("/subject") else answer(r))
    path = external(world, {"url": f"http://{world.metadata.host}/computeMetadata/v1/subject",
                            "format": {"type": "json", "subject_token_field_name": "t"}})
    start = time.monotonic()
    ended(world, world.run("--credentials", path), (1, 4, 5), start, 40)
    assert not world.endpoint.forms


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00", "{}" * 1000, json_nested(100000),
                                  '{"type": "authorized_user", "type": "service_account"}'],
                         ids=range(8))
def test_credential_files(world, text):
    path = world.write("key.json", text)
    start = time.monotonic()
    ended(world, world.run("--credentials", str(path)), (3, 5), start, 10)
    assert not world.endpoint.forms

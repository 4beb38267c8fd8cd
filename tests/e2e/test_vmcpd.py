# SPDX-License-Identifier: Apache-2.0
"""vmcpd's HTTP interface: every rule of the question, every header, and the life of connections."""
import base64
import hashlib
import hmac
import json
import re
import time

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from conftest import DOMAIN, MACHINE, Vmcpd, eventually, write_json
from test_vmcp_verify import unb64, v1_sign, v1_text

QUESTION = "cvm_salt=Salt-1&cvm_hostid=host-1"


def claims(answer):
    return json.loads(unb64(answer.text.split(".")[1]))


def is_private(answer):
    """What everything below /vmcp carries, errors too."""
    h = answer.headers
    assert h["Cache-Control"] == "no-store" and h["Vary"] == "Accept", answer
    # What reads as a script is no other page's to load (Fetch, "Cross-Origin-Resource-Policy").
    assert h["Cross-Origin-Resource-Policy"] == "same-origin", answer
    for name in ("ETag", "Accept-Ranges", "Access-Control-Allow-Origin", "Last-Modified"):
        assert h[name] is None, answer
    return True


def problem(answer, status, code):
    """An RFC 9457 body with the stable code."""
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "application/problem+json", answer
    body = answer.json
    assert body["status"] == status and body["code"] == code and body["type"] == "about:blank"
    assert body["title"] and body["detail"], answer
    return True


# -- answers ---------------------------------------------------------------------------------------

def test_version_2(vmcpd, vmcp, keys):
    server = vmcpd({"web": {"serial": 7, "machine": MACHINE, "gce": {"labels": {"a": "é"}},
                            "count": 2}})
    before = int(time.time())
    answer = server.v2()
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/jose"
    assert is_private(answer)
    c = claims(answer)
    assert (c["iss"], c["sub"], c["aud"], c["nonce"]) == (DOMAIN, "web", "host-1", "Salt-1")
    assert (c["serial"], c["count"], c["gce"]) == (7, 2, {"labels": {"a": "é"}})
    assert before <= c["iat"] <= time.time() and c["exp"] == c["iat"] + 300
    assert vmcp("verify", "--trust", keys["ed25519"].pub, "--domain", DOMAIN, "--hostid", "host-1",
                "--salt", "Salt-1", "--machine", "web", "--complete",
                stdin=answer.body).json == MACHINE
    assert server.v2().text != answer.text  # each has an id of its own


def test_version_1(vmcpd, keys):
    server = vmcpd({"web": {**MACHINE, "on": True}})
    answer = server.v1()
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/json"
    assert is_private(answer)
    key = load_pem_private_key(keys["rsa-2048"].path.read_bytes(), None)
    assert answer.json == v1_sign(key, {**MACHINE, "on": 1}, "Salt-1")
    assert server.ask(f"/vmcp/web?{QUESTION}").status == 200  # with a host id too


def test_which_machine(vmcpd):
    server = vmcpd({"web": {**MACHINE, "name": "w"}, "db": {**MACHINE, "name": "d"}})

    def name(target):
        return claims(server.ask(target, Accept="application/jose"))["machine"]["name"]

    assert name(f"/vmcp/web?{QUESTION}") == "w"
    assert name(f"/vmcp/db?{QUESTION}") == "d"
    assert name(f"/vmcp?vm=db&{QUESTION}") == "d"
    assert name(f"/vmcp?{QUESTION}&vm=db") == "d"
    assert name(f"/vmcp/db?{QUESTION}&vm=db") == "d"
    assert name(f"/vmcp/d%62?{QUESTION}") == "d"
    assert name(f"/vmcp?{QUESTION}&v%6d=d%62") == "d"
    assert problem(server.ask(f"/vmcp/web?{QUESTION}&vm=db"), 400, "name-conflict")
    for target in ("/vmcp/no", "/vmcp?vm=no"):
        answer = server.ask(f"{target}{'&' if '?' in target else '?'}{QUESTION}")
        assert problem(answer, 404, "machine-unknown") and is_private(answer)
    answer = server.ask(f"/vmcp?{QUESTION}")  # two machines, and no default
    assert problem(answer, 404, "machine-unknown")
    assert "web" not in answer.text and "db" not in answer.text  # it lists nothing


def test_default_machine(vmcpd):
    only = vmcpd({"web": MACHINE})
    assert claims(only.v2("/vmcp"))["sub"] == "web"
    named = vmcpd({"web": MACHINE, "db": MACHINE}, "--default", "db")
    assert claims(named.v2("/vmcp"))["sub"] == "db"
    assert claims(named.v2("/vmcp/web"))["sub"] == "web"


def test_keys_and_their_order(vmcpd, keys):
    all_keys = ("rsa-2048", "p-256", "ed25519")

    def alg(server):
        answer = server.v2()
        head = json.loads(unb64(answer.text.split(".")[0]))
        return head["alg"], head["kid"]

    assert alg(vmcpd(key=all_keys)) == ("EdDSA", keys["ed25519"].thumbprint)
    assert alg(vmcpd(key=all_keys[:2])) == ("ES256", keys["p-256"].thumbprint)
    assert alg(vmcpd(key=all_keys[:1])) == ("PS256", keys["rsa-2048"].thumbprint)
    assert alg(vmcpd(None, "--alg", "RS512", key=all_keys[:1]))[0] == "RS512"
    assert alg(vmcpd(None, "--alg", "RS512", key=all_keys))[0] == "EdDSA"


def test_what_version_1_cannot_carry(vmcpd):
    server = vmcpd({"gce": {"machine": MACHINE, "gce": {"labels": {}}},
                    "forced": {"machine": MACHINE, "gce": {"labels": {}}, "v1": True},
                    "many": {"machine": MACHINE, "count": 2, "v1": True},
                    "plain": {"machine": MACHINE}})
    for name, status in (("gce", 406), ("forced", 200), ("many", 406), ("plain", 200)):
        answer = server.v1(f"/vmcp/{name}")
        assert answer.status == status and is_private(answer), name
        assert status == 200 or problem(answer, 406, "version-2-only")
        assert server.v2(f"/vmcp/{name}").status == 200
    assert "gce" not in server.v1("/vmcp/forced").json


def test_version_1_without_an_rsa_key(vmcpd):
    answer = vmcpd(key=("ed25519", "p-256")).v1()
    assert problem(answer, 406, "no-rsa-key") and is_private(answer)


def test_macros(vmcpd, scratch):
    secret = scratch / "secret"
    secret.write_bytes(bytes(range(32)))
    secret.chmod(0o600)
    machine = {"name": "n-${vmcp.hostid}", "secret": "${vmcp.hmac.session}",
               "userData": "${vmcp.salt}|${vmcp.now}|${vmcp.uuid}|${HOME}|${name}|$${vmcp.salt}"}
    server = vmcpd({"web": machine, "same": MACHINE}, "--secret", secret)
    one, two = claims(server.v2(hostid="h1"))["machine"], claims(server.v2(hostid="h2"))["machine"]
    assert (one["name"], two["name"]) == ("n-h1", "n-h2")
    message = b"\0".join([b"vmcp-hmac-v1", DOMAIN.encode(), b"web", b"session", b"h1"])
    assert one["secret"] == hmac.new(bytes(range(32)), message, hashlib.sha256).hexdigest()
    assert one["secret"] != two["secret"]
    assert claims(server.v2(hostid="h1"))["machine"]["secret"] == one["secret"]
    salt, now, uid, home, name, literal = one["userData"].split("|")
    assert (salt, home, name, literal) == ("Salt-1", "${HOME}", "${name}", "${vmcp.salt}")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", now)
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", uid)
    # version 1 has them too, and wants a host id where they do
    v1 = server.ask("/vmcp/web?cvm_salt=Salt-1&cvm_hostid=h1").json
    assert v1["name"] == "n-h1" and v1["secret"] == one["secret"]
    assert problem(server.v1(), 400, "hostid-required")
    assert server.v1("/vmcp/same").status == 200
    assert one["secret"] not in server.log


# -- the question ----------------------------------------------------------------------------------

BAD_QUESTIONS = [
    ("", "salt-missing"),
    ("cvm_hostid=h", "salt-missing"),
    ("cvm_salt=Salt-1", "hostid-required"),  # version 2
    ("cvm_salt=&cvm_hostid=h", "salt-malformed"),
    ("cvm_salt&cvm_hostid=h", "salt-malformed"),
    ("cvm_salt=a+b&cvm_hostid=h", "salt-malformed"),
    ("cvm_salt=a%20b&cvm_hostid=h", "salt-malformed"),
    ("cvm_salt=a%3Db&cvm_hostid=h", "salt-malformed"),
    ("cvm_salt=a=b&cvm_hostid=h", "salt-malformed"),
    ("cvm_salt=a_b&cvm_hostid=h", "salt-malformed"),
    ("cvm_salt=a.b&cvm_hostid=h", "salt-malformed"),
    ("cvm_salt=caf%C3%A9&cvm_hostid=h", "salt-malformed"),
    ("cvm_salt=a%FF&cvm_hostid=h", "salt-malformed"),
    ("cvm_salt=a%2500&cvm_hostid=h", "salt-malformed"),  # decoded once, not twice
    (f"cvm_salt={'a' * 257}&cvm_hostid=h", "salt-malformed"),
    ("cvm_salt=s&cvm_hostid=", "hostid-malformed"),
    ("cvm_salt=s&cvm_hostid=a%3Db", "hostid-malformed"),
    (f"cvm_salt=s&cvm_hostid={'a' * 257}", "hostid-malformed"),
    ("cvm_salt=s&cvm_hostid=h&vm=", "name-malformed"),
    ("cvm_salt=s&cvm_hostid=h&vm=Web", "name-malformed"),
    ("cvm_salt=s&cvm_hostid=h&vm=..%2Fetc", "name-malformed"),
    (f"cvm_salt=s&cvm_hostid=h&vm={'a' * 64}", "name-malformed"),
    # a NUL or control byte anywhere, in parameters that are not ours too
    ("cvm_salt=abc%00def&cvm_hostid=h", "request-malformed"),
    ("cvm_salt=zone%3Devil%0Aabc&cvm_hostid=h", "request-malformed"),
    ("cvm_salt=s%0D%0A&cvm_hostid=h", "request-malformed"),
    ("cvm_salt=s&cvm_hostid=h%00", "request-malformed"),
    ("cvm_salt=s&cvm_hostid=h&x=%00", "request-malformed"),
    ("cvm_salt=s&cvm_hostid=h&x=%7F", "request-malformed"),
    ("cvm_salt=s&cvm_hostid=h&%00=1", "request-malformed"),
    ("cvm_salt=s&cvm_hostid=h&vm=web%00x", "request-malformed"),
    # broken escapes
    ("cvm_salt=s%&cvm_hostid=h", "request-malformed"),
    ("cvm_salt=s%4&cvm_hostid=h", "request-malformed"),
    ("cvm_salt=s%zz&cvm_hostid=h", "request-malformed"),
    ("cvm_salt=s&cvm_hostid=h%4", "request-malformed"),
    ("cvm_salt=s&cvm_hostid=h&x=%", "request-malformed"),
    # twice, however spelled
    ("cvm_salt=s&cvm_salt=s&cvm_hostid=h", "parameter-repeated"),
    ("cvm_salt=s&cvm%5Fsalt=s&cvm_hostid=h", "parameter-repeated"),
    ("cvm_salt=s&cvm_salt=&cvm_hostid=h", "parameter-repeated"),
    ("cvm_salt=s&cvm_hostid=h&cvm_hostid=h", "parameter-repeated"),
    ("cvm_salt=s&cvm_hostid=h&vm=web&vm=web", "parameter-repeated"),
    ("cvm_salt=s&cvm_hostid=h&" + "&".join(f"p{i}=1" for i in range(31)), "request-malformed"),
]


@pytest.fixture(scope="module")
def shared(bin, keys, tmp_path_factory):
    """One server for the questions that change nothing."""
    folder = tmp_path_factory.mktemp("shared")
    write_json(folder / "configs" / "web.json", {"serial": 7, "machine": MACHINE})
    server = Vmcpd(bin.vmcpd, folder, "--domain", DOMAIN, "--key", keys["ed25519"].path, "--key",
                   keys["rsa-2048"].path, "--configs", folder / "configs", "--listen",
                   "127.0.0.1:0").start()
    yield server
    code = server.stop()
    assert code == 0, server.log


@pytest.mark.parametrize("query, code", BAD_QUESTIONS)
def test_bad_questions(shared, query, code):
    for path in ("/vmcp", "/vmcp/web"):
        answer = shared.ask(f"{path}?{query}", Accept="application/jose")
        assert problem(answer, 400, code) and is_private(answer)
        assert "\n" not in answer.json["detail"]
    if code != "hostid-required":  # the same without a format, and without a body
        assert problem(shared.ask(f"/vmcp?{query}"), 400, code)
        head = shared.ask(f"/vmcp?{query}", method="HEAD")
        assert head.status == 400 and head.body == b"" and is_private(head)


@pytest.mark.parametrize("path", ["/vmcp/we%00b", "/vmcp/web%0A", "/vmcp%00/web", "/vmcp/%",
                                  "/vmcp/w%2", "/vmcp/web%2Fx", "/vmcp/%2e%2e%2Fetc", "/%76mcp%0A"])
def test_bad_paths(shared, path):
    answer = shared.ask(f"{path}?{QUESTION}")
    assert problem(answer, 400, "request-malformed") and is_private(answer)


@pytest.mark.parametrize("path", ["/vmcp/Web", "/vmcp/-a", "/vmcp/a_b", "/vmcp/..", "/vmcp/%2e%2e",
                                  "/vmcp/caf%C3%A9", "/vmcp/a%20b", "/vmcp/" + "a" * 64])
def test_bad_names(shared, path):
    answer = shared.ask(f"{path}?{QUESTION}")
    assert problem(answer, 400, "name-malformed") and is_private(answer)


@pytest.mark.parametrize("query", [
    f"cvm_salt={'a' * 256}&cvm_hostid={'b' * 256}", "cvm_salt=-&cvm_hostid=-",
    "&&cvm_salt=s&&cvm_hostid=h&&", "x=1&cvm_salt=s&y&cvm_hostid=h&=&z=caf%C3%A9+",
    "cvm_salt=s&cvm_hostid=h&CVM_SALT=other&Vm=X", "cvm%5fsalt=%73&cvm_hostid=h"])
def test_good_questions(shared, query):
    assert shared.ask(f"/vmcp/web?{query}", Accept="application/jose").status == 200


@pytest.mark.parametrize("accept, media_type", [
    (None, "json"), ("*/*", "json"), ("application/*", "json"), ("application/jose;q=0", "json"),
    ("application/jose;q=0.0, */*", "json"), ("application/json", "json"),
    ("application/jose", "jose"), ("APPLICATION/Jose", "jose"),
    ("application/jose;q=0.1, application/json", "jose"), ("text/html,application/jose", "jose"),
    ("application/jose; q=0.001", "jose")])
def test_accept(shared, accept, media_type):
    answer = shared.ask(f"/vmcp/web?{QUESTION}", headers={"Accept": accept} if accept else {})
    assert answer.headers["Content-Type"] == f"application/{media_type}"


# -- the forgery -----------------------------------------------------------------------------------

def test_a_salt_with_a_newline_forges_parameters(shared, vmcp, keys):
    """Why the salt's alphabet is what it is.

    Who sits between a client and a signer that takes any salt asks with `zone=evil`, a newline and
    the client's own salt. The signed text then reads as one more parameter and that salt, and the
    client, which sent only its salt, takes the answer with `zone` added for good."""
    salt = "aB3dE-fGhIjKlMnOpQrStUvWxYz0123456789abcdefghijklmnopqrstuvwxyz-0"
    key = load_pem_private_key(keys["rsa-2048"].path.read_bytes(), None)

    def unguarded(params, asked):
        """A signer by the rules of version 1 that signs whatever salt it gets."""
        sig = key.sign(v1_text(params, asked).encode(), padding.PKCS1v15(), hashes.SHA512())
        return {**params, "signature": base64.b64encode(sig).decode()}

    forged = {**unguarded(MACHINE, f"zone=evil\n{salt}"), "zone": "evil"}
    load_pem_public_key(keys["rsa-2048"].pub.read_bytes()).verify(
        base64.b64decode(forged["signature"]), v1_text(forged, salt).encode(), padding.PKCS1v15(),
        hashes.SHA512())
    done = vmcp("verify", "--format", "v1", "--trust", keys["rsa-2048"].pub, "--salt", salt,
                "--expect-name", "web", stdin=json.dumps(forged).encode())
    assert done.json == {**MACHINE, "zone": "evil"}  # the client cannot see it

    for injected in (f"zone=evil%0A{salt}", f"zone%3Devil%0A{salt}", f"zone%3Devil%0a{salt}",
                     f"zone%3Devil%0D%0A{salt}", f"zone%3Devil%25%30%41{salt}"):
        answer = shared.ask(f"/vmcp/web?cvm_salt={injected}")
        assert answer.status == 400 and "signature" not in answer.text
        assert answer.code in ("request-malformed", "salt-malformed")
    # and by hand, where no client library stands in between
    with shared.connect() as s:
        s.sendall(f"GET /vmcp/web?cvm_salt=zone=evil\n{salt} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert b"signature" not in read_all(s)
    for verb in (("sign", "--key", keys["rsa-2048"].path, "--format", "v1"), ("canon",)):
        vmcp(*verb, "--salt", f"zone=evil\n{salt}", "-", stdin=json.dumps(MACHINE).encode(), code=2)


# -- methods, other paths, headers -----------------------------------------------------------------

@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"])
def test_methods(shared, method):
    for path in ("/vmcp", "/vmcp/web", "/%76mcp/web", "/.well-known/jwks.json", "/healthz"):
        answer = shared.ask(f"{path}?{QUESTION}", method=method)
        assert problem(answer, 405, "method-not-allowed")
        assert sorted(answer.headers["Allow"].split(", ")) == ["GET", "HEAD"]
        assert is_private(answer)


def test_head_checks_and_signs_nothing(shared):
    for accept in ("application/jose", "application/json"):
        answer = shared.ask(f"/vmcp/web?{QUESTION}", method="HEAD", Accept=accept)
        assert answer.status == 200 and answer.body == b"" and is_private(answer)
        assert answer.headers["Content-Type"] == accept
    assert shared.ask("/vmcp/no?" + QUESTION, method="HEAD").status == 404
    lines = eventually(lambda: re.findall("Z HEAD /vmcp/web 200.*", shared.log))
    assert lines and not any("jti=" in line or "key=" in line for line in lines)


@pytest.mark.parametrize("path", ["/vmcpd", "/vmcp/", "/vmcp/web/", "/vmcp/web/x", "/VMCP",
                                  "//vmcp", "/x", "/healthz/", "/.well-known/", "/vmcp/../vmcp/web"])
def test_paths_that_are_not_there(shared, path):
    assert problem(shared.ask(f"{path}?{QUESTION}"), 404, "not-found")


def test_origin_and_host_change_nothing(shared):
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"},
                    {"Range": "bytes=0-1"}, {"If-None-Match": "*"},
                    {"If-Modified-Since": "Sat, 01 Jan 2099 00:00:00 GMT"}):
        answer = shared.ask(f"/vmcp/web?{QUESTION}", headers=headers)
        assert answer.status == 200 and is_private(answer)


def test_health(shared):
    answer = shared.ask("/healthz")
    assert (answer.status, answer.body) == (200, b"ok\n")
    assert answer.headers["Content-Type"] == "text/plain"
    ready = shared.ask("/readyz")
    assert ready.status == 200 and ready.json["status"] == "ready" and ready.json["machines"] == 1
    assert re.fullmatch("[0-9a-f]{64}", ready.json["digest"])


def test_key_set(shared, keys):
    answer = shared.ask("/.well-known/jwks.json")
    assert answer.status == 200 and answer.headers["Content-Type"] == "application/jwk-set+json"
    found = {k["kid"]: k for k in answer.json["keys"]}
    assert set(found) == {keys["ed25519"].thumbprint, keys["rsa-2048"].thumbprint}
    assert all(k["use"] == "sig" and k["status"] == "active" for k in found.values())
    assert not {"d", "p", "q", "dp", "dq", "qi"} & {m for k in found.values() for m in k}
    etag = answer.headers["ETag"]
    assert re.fullmatch(r'"[^"]+"', etag) and "Cache-Control" in answer.headers
    for known in (etag, f'"x", {etag}', "*", f"W/{etag}"):
        again = shared.ask("/.well-known/jwks.json", headers={"If-None-Match": known})
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", etag)
    assert shared.ask("/.well-known/jwks.json", headers={"If-None-Match": '"x"'}).status == 200
    head = shared.ask("/.well-known/jwks.json", method="HEAD")
    assert head.status == 200 and head.headers["ETag"] == etag and head.body == b""


# -- connections -----------------------------------------------------------------------------------

def read_all(s):
    """Until the other side closes."""
    data = b""
    try:
        while piece := s.recv(65536):
            data += piece
    except ConnectionResetError:
        pass
    return data


def read_answer(s, data=b""):
    """One answer with a Content-Length: status, headers, body, and what came behind it."""
    while b"\r\n\r\n" not in data:
        piece = s.recv(65536)
        assert piece, data
        data += piece
    head, rest = data.split(b"\r\n\r\n", 1)
    length = int(re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)[1])
    while len(rest) < length:
        piece = s.recv(65536)
        assert piece, data
        rest += piece
    return int(head.split()[1]), head, rest[:length], rest[length:]


def request(target=f"/vmcp/web?{QUESTION}", *headers):
    return ("\r\n".join([f"GET {target} HTTP/1.1", "Host: x", *headers]) + "\r\n\r\n").encode()


def test_connections_are_kept(shared):
    """Answers, errors of handlers and errors of the glue alike leave the connection open."""
    with shared.connect() as s:
        for target, status in ((f"/vmcp/web?{QUESTION}", 200), ("/vmcp/web?cvm_salt=%0A", 400),
                               ("/vmcp?cvm_salt=a&cvm_salt=a", 400), ("/nothing", 404),
                               ("/vmcp/no?cvm_salt=s", 404), (f"/vmcp/web?{QUESTION}", 200)) * 20:
            s.sendall(request(target))
            got, head, _, rest = read_answer(s)
            assert got == status and rest == b""
            assert b"connection: close" not in head.lower(), head
        s.sendall(b"POST /vmcp HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        assert read_answer(s)[0] == 405
        s.sendall(request())
        assert read_answer(s)[0] == 200
        s.sendall(request(f"/vmcp/web?{QUESTION}", "Connection: close"))
        assert read_all(s).startswith(b"HTTP/1.1 200 ")


def first_of_two(server, text):
    """A request and another behind it: the first's status, and whether the second is answered."""
    with server.connect() as s:
        s.sendall(text + b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        data = b""
        while piece := s.recv(65536):
            data += piece
    return int(data.split()[1]), data.endswith(b"ok\n"), data


@pytest.mark.parametrize("line", [
    "Host: y", "X: a\rY: b", "X: a\r", "X: a\0b", "X: a\r\n b", "Content-Length: 0\r\nContent-Length: 0",
    "X: " + "y" * 8300], ids=["hosts", "cr", "cr-crlf", "nul", "fold", "lengths", "long"])
def test_a_head_that_can_be_read_in_two_ways_ends_its_connection(shared, line):
    status, goes_on, data = first_of_two(
        shared, f"GET /nothing HTTP/1.1\r\nHost: x\r\n{line}\r\n\r\n".encode())
    assert status in (400, 431) and not goes_on, data
    assert b"\r\nConnection: close\r\n" in data and b"application/problem+json" in data


@pytest.mark.parametrize("target", ["/vmcp/web?cvm_salt=%zz", "/vmcp/web", "/nothing", "/%00"])
def test_a_question_that_is_wrong_keeps_its_connection(shared, target):
    status, goes_on, data = first_of_two(shared, request(target))
    assert status in (400, 404) and goes_on, data


def test_lines_that_end_with_lf_alone(shared):
    """RFC 9112, section 2.2: it may be taken for the end of a line."""
    for text in (b"GET /healthz HTTP/1.1\nHost: x\nX: y\nConnection: close\n\n",
                 b"GET /healthz HTTP/1.0\n\n", b"GET /healthz HTTP/1.0\r\n\r\n"):
        assert first_of_two(shared, text)[:2] == (200, True), text


def test_pipelined_requests(shared):
    """Sent at once, answered in order, each with its own salt."""
    salts = [f"Salt-{i}" for i in range(50)]
    with shared.connect() as s:
        s.sendall(b"".join(request(f"/vmcp/web?cvm_salt={salt}&cvm_hostid=h",
                                   "Accept: application/jose") for salt in salts))
        rest = b""
        for salt in salts:
            status, _, body, rest = read_answer(s, rest)
            assert status == 200
            assert json.loads(unb64(body.decode().split(".")[1]))["nonce"] == salt
        assert rest == b""


def test_requests_in_pieces(shared):
    with shared.connect() as s:
        for byte in request():
            s.sendall(bytes([byte]))
        assert read_answer(s)[0] == 200


def test_http_1_0(shared):
    with shared.connect() as s:
        s.sendall(f"GET /vmcp/web?{QUESTION} HTTP/1.0\r\n\r\n".encode())
        assert re.match(rb"HTTP/1\.[01] 200 ", read_all(s))


@pytest.mark.parametrize("data", [
    b"GET /vmcp/web?" + b"x=1&" * 4096 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /vmcp/web HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 16384 + b"\r\n\r\n",
    b"GET /vmcp/web HTTP/1.1\r\nHost: x\r\n" + b"X: y\r\n" * 4096 + b"\r\n",
    b"GET " + b"/" * 100000], ids=["query", "header", "headers", "endless"])
def test_headers_are_limited(shared, data):
    """Over 8 KiB: an error or a closed connection, and the server goes on."""
    with shared.connect() as s:
        try:
            s.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = read_all(s)
        assert answer == b"" or re.match(rb"HTTP/1\.1 (4\d\d|5\d\d) ", answer), answer[:200]
    assert shared.ask("/healthz").status == 200


def test_headers_below_the_limit(shared):
    answer = shared.ask(f"/vmcp/web?{QUESTION}&x={'y' * 2000}", headers={"X-Y": "z" * 2000})
    assert answer.status == 200


def test_bodies_are_limited(shared):
    with shared.connect() as s:  # announced: refused before it is sent
        s.sendall(b"POST /vmcp HTTP/1.1\r\nHost: x\r\nContent-Length: 1099511627776\r\n\r\n")
        answer = read_all(s)
        assert answer.startswith(b"HTTP/1.1 413 ") and b'"limit"' in answer
        assert b"no-store" in answer
    with shared.connect() as s:  # in chunks: cut off
        s.sendall(b"POST /vmcp HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(40):
                s.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            pass
        else:
            assert not read_all(s).startswith(b"HTTP/1.1 2")
    assert shared.ask("/vmcp", method="POST", body=b"x" * 1000).status in (405, 413)
    assert shared.ask("/healthz").status == 200


@pytest.mark.parametrize("origin", ["http://cfg.example.org", "HTTP://x:8443", "https://[::1]:1"])
def test_targets_in_absolute_form(shared, origin):
    """RFC 9112, section 3.2.2: no client of ours sends them, and a server must take them."""
    with shared.connect() as s:
        s.sendall(request(f"{origin}/vmcp/web?{QUESTION}", "Accept: application/jose"))
        status, head, _, data = read_answer(s)
        assert status == 200 and b"application/jose" in head
        s.sendall(request(f"{origin}?{QUESTION}"))
        assert b"text/html" in read_answer(s, data)[1]  # the path is "/"
        s.sendall(request(f"{origin}/healthz"))
        assert read_answer(s, data)[0] == 200


@pytest.mark.parametrize("line", [
    f"/vmcp/web?cvm_hostid=h&cvm_salt=abc\0def", f"/vmcp/web?{QUESTION}\0", f"/vmcp/web\0?{QUESTION}",
    f"/vmcp/web\0x?{QUESTION}", f"\0/vmcp/web?{QUESTION}", f"/vmcp/web?{QUESTION}&\0vm=db"])
def test_a_raw_nul_hides_nothing(shared, line):
    """The HTTP library hands out C strings: what stands behind a NUL would not be seen."""
    with shared.connect() as s:
        s.sendall(request(line, "Accept: application/jose"))
        status, _, body, _ = read_answer(s)
        assert status == 400 and json.loads(body)["code"] == "request-malformed"


def test_accept_in_several_lines(shared):
    """RFC 9110, section 5.3: they are one list."""
    for lines, media_type in [
            (["text/html", "application/jose"], b"application/jose"),
            (["application/jose;q=0", "text/html", "application/jose;q=0.1"], b"application/jose"),
            (["text/html", "application/jose;q=0"], b"application/json"),
            (['text/x;a="b', 'application/jose"'], b"application/json")]:
        with shared.connect() as s:
            s.sendall(request(f"/vmcp/web?{QUESTION}", *(f"Accept: {line}" for line in lines)))
            status, head, _, _ = read_answer(s)
            assert status == 200 and b"Content-Type: " + media_type in head, (lines, head)


@pytest.mark.parametrize("target", ["vmcp", "*", "?x=1", "http:/vmcp", "http://", "http:///vmcp",
                                    "http://user@x/vmcp", "http://user:pass@x/vmcp", "ftp://x/",
                                    "http://x\\y/vmcp", "http://x#/vmcp"])
def test_targets_that_are_no_path(shared, target):
    with shared.connect() as s:
        s.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        status, _, body, _ = read_answer(s)
        assert status == 400 and json.loads(body)["code"] == "request-malformed"


@pytest.mark.parametrize("data", [
    b"\r\n\r\n\r\n", b"\0\0\0\0\r\n\r\n", b"GET\r\n\r\n", b"nonsense\r\n\r\n",
    b"GET /vmcp HTTP/9.9\r\nHost: x\r\n\r\n", b"CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 3],
    ids=["empty lines", "NULs", "no target", "one word", "version", "CONNECT", "TLS"])
def test_what_is_no_request(shared, data):
    with shared.connect() as s:
        s.sendall(data)
        s.settimeout(0.5)  # an error, a closed connection, or patience; but no answer
        try:
            answer = s.recv(65536)
        except (TimeoutError, ConnectionResetError):
            answer = b""
        assert not answer.startswith(b"HTTP/1.1 2"), answer
    assert shared.ask("/healthz").status == 200


def test_the_log_holds_no_query_and_no_line_of_others(shared):
    shared.ask("/vmcp/web?cvm_salt=VerySaltySalt&cvm_hostid=VeryHostly")
    shared.ask("/x%22y%25z/%C3%A9%20a?cvm_salt=VerySaltySalt")
    assert eventually(lambda: "/x%22y%25z/%C3%A9%20a 404 not-found" in shared.log)
    log = shared.log
    assert "VerySaltySalt" not in log and "VeryHostly" not in log
    good = re.compile(r"\S+Z [A-Z]+ /?\S* \d{3} [a-z-]+ \d+us client=\S+( machine=\S+ serial=\d+"
                      r"( jti=\S+)?( host=\S{12})? key=\S{43} alg=\S+ format=v[12])?")
    sandbox = re.compile(r"\S+Z vmcpd: (warning: it runs as root; |sandbox: )[^=]*")
    assert [line for line in log.splitlines()
            if not good.fullmatch(line) and not sandbox.fullmatch(line)] == []

# SPDX-License-Identifier: Apache-2.0
"""vmcpd's page: its facts and headers, and, in a real browser, answers that are verified there,
good ones and such as somebody changed on the way.

VMCP_SCREENSHOT=FILE keeps a picture of an authenticated answer.
"""
import base64
import hashlib
import html
import html.parser
import http.client
import http.server
import json
import os
import re
import threading
import time
import uuid
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

import browser as chromium
from conftest import DOMAIN, MACHINE, eventually, run

NASTY = {"serial": 9, "machine": {**MACHINE, "userData": "<b id=\"pwned\">&amp;</b></pre><script>"}}


# -- without a browser -----------------------------------------------------------------------------

@pytest.fixture
def server(vmcpd):
    return vmcpd({"web": NASTY, "db": {"serial": 1, "machine": MACHINE}}, "--default", "web")


@pytest.mark.parametrize("accept,is_json", [
    (None, False), ("*/*", False), ("text/html", False), ("application/json", True),
    ("text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8", False),
    ("application/json, */*", True), ("application/json;q=0", False),
    ("text/html;q=0.5, application/json;q=0.6", True), ("application/json, text/html", False)])
def test_html_or_json(server, accept, is_json):
    answer = server.ask("/", headers={"Accept": accept} if accept else {})
    kind = "application/json" if is_json else "text/html; charset=utf-8"
    assert (answer.status, answer.headers["Content-Type"]) == (200, kind)
    assert answer.headers["Vary"] == "Accept"
    assert server.ask("/", method="HEAD", Accept=accept or "*/*").body == b""
    assert server.ask("/", method="POST").status == 405


def test_the_facts(server, vmcpd, keys):
    facts = server.ask("/", Accept="application/json").json
    ready = server.ask("/readyz").json
    assert facts == {
        "program": "vmcpd", "version": facts["version"], "domain": DOMAIN, "machines": 2, "jobs": 0,
        "generation": 1, "digest": ready["digest"], "loaded": facts["loaded"],
        "keys": [{"thumbprint": keys[k].thumbprint, "type": t, "status": "active"}
                 for k, t in (("ed25519", "Ed25519"), ("rsa-2048", "RSA-2048"))]}
    assert abs(facts["loaded"] - time.time()) < 30
    page = server.ask("/").text
    for text in (DOMAIN, facts["version"], ready["digest"], *(keys[k].thumbprint for k in
                                                              ("ed25519", "rsa-2048"))):
        assert text in page
    for hidden in (">web<", ">db<", '"db"', MACHINE["secret"]):
        assert hidden not in page and hidden not in str(facts)
    listing = vmcpd({"web": NASTY, "db": MACHINE}, "--list-machines")
    assert listing.ask("/", Accept="application/json").json["names"] == ["db", "web"]
    assert listing.ask("/", Accept="application/json").json["names_left_out"] == 0
    page = listing.ask("/").text
    assert "<code>db</code>" in page and "<code>web</code>" in page
    assert MACHINE["secret"] not in page


def test_a_large_catalogue_is_listed_in_part(vmcpd):
    """The answer does not grow with the machines, and says how many there are."""
    server = vmcpd({f"m{i:04}": MACHINE for i in range(1005)}, "--list-machines", key=("ed25519",))
    facts = server.ask("/", Accept="application/json").json
    assert facts["names"] == [f"m{i:04}" for i in range(1000)]
    assert (facts["machines"], facts["names_left_out"]) == (1005, 5)
    page = server.ask("/").text
    assert page.count("<li><code>") == 1000 and page.count('<option value="m') == 1000
    assert "And 5 more." in page and "m1000" not in page


def test_keys_and_their_status(vmcpd, vmcp, scratch):
    folder = scratch / "keys"
    for state in ("active", "next", "retired"):
        (folder / state).mkdir(parents=True)
        vmcp("keygen", "--alg", "p-256", "--out", folder / state / "1.key")
    server = vmcpd(None, "--keys", folder, key=())
    facts = server.ask("/", Accept="application/json").json
    assert {k["status"]: k["type"] for k in facts["keys"]} == {
        "active": "P-256", "next": "P-256", "retired": "P-256"}
    by_status = {k["status"]: k["thumbprint"] for k in facts["keys"]}
    rows = re.findall(r"<tr><td>(\S{43})</td><td>P-256</td><td>(\w+)</td></tr>",
                      server.ask("/").text)
    assert {status: thumbprint for thumbprint, status in rows} == by_status
    jwks = server.ask("/.well-known/jwks.json").json["keys"]
    assert {k["status"]: k["kid"] for k in jwks} == by_status
    forgotten = vmcpd(None, "--keys", folder, "--retire-after", "0s", key=())
    time.sleep(1.1)
    assert by_status["retired"] not in forgotten.ask("/").text
    assert len(forgotten.ask("/", Accept="application/json").json["keys"]) == 2


class Tags(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found, self.open, self.raw = [], [], {"script": "", "style": ""}
        self.feed(text)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in ("meta", "input", "link", "br", "option"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        if self.open and self.open[-1] in self.raw:
            self.raw[self.open[-1]] += data

    def all(self, tag):
        return [attrs for name, attrs in self.found if name == tag]


def test_the_policy(server):
    for target in ("/", f"/?vm=web&cvm_salt=S&cvm_hostid=h", "/?vm=%3Cscript%3E"):
        answer = server.ask(target)
        tags = Tags(answer.text)
        assert len(tags.all("script")) == len(tags.all("style")) == 1

        def digest(text):
            return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

        assert answer.headers["Content-Security-Policy"] == (
            f"default-src 'none'; script-src 'sha256-{digest(tags.raw['script'])}'; "
            f"style-src 'sha256-{digest(tags.raw['style'])}'; connect-src 'self'; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        for _, attrs in tags.found:
            assert not any(name.startswith("on") or name == "style" for name in attrs), attrs
            for name in ("src", "href", "action"):
                assert not re.match(r"[a-z]+:|//", attrs.get(name) or ""), attrs
        assert "innerHTML" not in tags.raw["script"] and "eval(" not in tags.raw["script"]
        labels = {attrs["for"] for attrs in tags.all("label")}
        assert {attrs["id"] for attrs in tags.all("input")} == labels


def test_the_form_without_a_script(server, vmcp, keys):
    """A plain GET: the signed answer comes as text of the page."""
    answer = server.ask("/?vm=web&cvm_salt=Plain-salt&cvm_hostid=plain-host", Accept="text/html")
    assert answer.status == 200 and answer.headers["Cache-Control"] == "no-store"
    jws = html.unescape(re.search(r'<pre id="answer" tabindex="0">([^<]*)</pre>', answer.text)[1])
    assert vmcp("verify", "--trust", keys["ed25519"].pub, "--domain", DOMAIN, "--salt",
                "Plain-salt", "--hostid", "plain-host", "--machine", "web", "--complete",
                stdin=jws.encode()).json == NASTY["machine"]
    assert server.ask("/?vm=&cvm_salt=S&cvm_hostid=h").status == 200  # empty is not asked
    for target, status, code in (("/?vm=none&cvm_salt=S&cvm_hostid=h", 404, "machine-unknown"),
                                 ("/?vm=web&cvm_salt=S", 400, "hostid-required"),
                                 ("/?vm=web&cvm_salt=a%20b&cvm_hostid=h", 400, "salt-malformed"),
                                 ("/?cvm_salt=a&cvm_salt=b", 400, "parameter-repeated")):
        refused = server.ask(target)
        assert refused.status == status and f"Refused: {code}" in refused.text
    assert eventually(lambda: "GET / 404 machine-unknown" in server.log)
    assert "Plain-salt" not in server.log


@pytest.mark.parametrize("param", ["vm", "cvm_hostid", "cvm_salt", "x"])
def test_nothing_gets_out_of_its_place(server, param):
    evil = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E%27%26%7B%7Bdomain%7D%7D"
    answer = server.ask(f"/?{param}={evil}&x={evil}")
    tags = Tags(answer.text)
    assert len(tags.all("script")) == 1 and "<script>alert" not in answer.text
    if param in ("vm", "cvm_hostid"):
        [value] = [a["value"] for a in tags.all("input") if a.get("name") == param]
        assert value == "\"><script>alert(1)</script>'&{{domain}}"


# -- in a browser ----------------------------------------------------------------------------------

needs_browser = pytest.mark.skipif(not chromium.is_here(), reason=(
    "Chromium is not here (Debian's packages chromium and chromium-driver; CHECK_LARGE=1)"))


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    b = chromium.Browser(tmp_path_factory.mktemp("browser"), hosts=("far.example",))
    yield b
    b.close()


@pytest.fixture
def middle(server):
    """Somebody between the browser and the server, who may change what comes below /vmcp."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        change = staticmethod(lambda status, kind, body, path: (status, kind, body))

        def do_GET(self):
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
            try:
                connection.request("GET", self.path, headers={"Accept": self.headers["Accept"]})
                answer = connection.getresponse()
                headers, body = dict(answer.getheaders()), answer.read()
            finally:
                connection.close()
            status, kind = answer.status, headers["Content-Type"]
            if self.path.startswith("/vmcp") or self.path.startswith("/.well-known"):
                status, kind, body = Handler.change(status, kind, body, self.path)
            self.send_response(status)
            for name, value in {**headers, "Content-Type": kind,
                                "Content-Length": str(len(body))}.items():
                if name not in ("Date", "Connection"):
                    self.send_header(name, value)
            if status == 302:
                self.send_header("Location", "/healthz")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    proxy = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=proxy.serve_forever)
    thread.start()
    Handler.url = f"http://127.0.0.1:{proxy.server_port}/"
    yield Handler
    proxy.shutdown()
    thread.join()
    proxy.server_close()


def visit(window, url):
    window.open(url)
    window.wait(lambda: window.find("form[data-ready]"))
    window.console()


def ask(window, machine="", thumbprint=""):
    """Fill in the form, click, and wait: (verdict, what is said, the checks)."""
    window.type("#vm", machine)
    window.type("#thumbprint", thumbprint)
    window.click("#send")
    window.wait(lambda: window.find("#send:enabled") and window.text("#verdict-title") != "Asking…")
    checks = [(e.split("\n")[0].split()[-1], *e.split("\n")[1:])
              for e in window.texts("#checks li")]
    return window.text("#verdict-title"), window.text("#verdict-text"), checks


CHECKS = ["Form", "Header", "Key", "Signature", "Domain", "Machine's name", "Host id", "Salt",
          "Time", "Serial", "Machine"]


@needs_browser
def test_a_good_answer(window, server, keys):
    visit(window, f"http://127.0.0.1:{server.port}/")
    verdict, text, checks = ask(window, "web", keys["ed25519"].thumbprint)
    assert verdict == "Authenticated" and DOMAIN in text
    assert [c[1] for c in checks] == CHECKS
    assert all(c[0] == "passed" for c in checks)
    said = {c[1]: c[2] for c in checks}
    assert keys["ed25519"].thumbprint in said["Key"] and "EdDSA" in said["Header"]
    assert said["Serial"].startswith("9;") and "sub is web" in said["Machine's name"]
    window.click("#machine-box summary")
    assert json.loads(window.text("#machine"))["machine"] == NASTY["machine"]
    assert not window.find("#pwned")
    assert window.console() == []
    if os.environ.get("VMCP_SCREENSHOT"):
        window.click("#machine-box summary")
        window.screenshot(Path(os.environ["VMCP_SCREENSHOT"]))


@needs_browser
def test_without_a_thumbprint(window, server):
    visit(window, f"http://127.0.0.1:{server.port}/")
    verdict, text, checks = ask(window)  # the default machine
    assert verdict == "Consistent, not authenticated" and "thumbprint" in text
    assert [c[1] for c in checks] == CHECKS
    assert [c[1] for c in checks if c[0] != "passed"] == ["Key"]
    assert window.console() == []


@needs_browser
def test_each_question_has_a_salt_of_its_own(window, server):
    visit(window, f"http://127.0.0.1:{server.port}/")
    salts = set()
    for _ in range(5):
        ask(window, "web")
        salts.add(window.value("#salt"))
    assert len(salts) == 5 and all(re.fullmatch("[A-Za-z0-9-]{64}", s) for s in salts)
    assert re.fullmatch("[0-9a-f]{64}", window.value("#hostid"))
    seen = window.run("let s = ''; for (let i = 0; i < 300; i++) s += freshSalt(); return s")
    assert len(seen) == 300 * 64 and len(set(seen)) == 63
    assert max(seen.count(c) for c in set(seen)) < 2 * len(seen) / 63


@needs_browser
@pytest.mark.parametrize("key,options,alg", [
    ("p-256", (), "ES256"), ("rsa-2048", (), "PS256"), ("rsa-2048", ("--alg", "RS256"), "RS256"),
    ("rsa-2048", ("--alg", "RS512"), "RS512")])
def test_every_algorithm(window, vmcpd, keys, key, options, alg):
    server = vmcpd({"web": MACHINE}, *options, key=(key,))
    visit(window, f"http://127.0.0.1:{server.port}/")
    verdict, _, checks = ask(window, "web", keys[key].thumbprint)
    assert verdict == "Authenticated" and f"vmcp+jwt, {alg}," in str(checks)
    verdict, text, _ = ask(window, "web", keys["ed25519"].thumbprint)
    assert (verdict, text.split(":")[0]) == ("Refused", "key-untrusted")


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def change_machine(status, kind, body, path):
    """Another number of CPUs; header and signature as they were."""
    if not path.startswith("/vmcp"):
        return status, kind, body
    header, payload, signature = body.decode().split(".")
    payload = b64(unb64(payload).replace(b'"cpus":2', b'"cpus":3'))
    return status, kind, f"{header}.{payload}.{signature}".encode()


@needs_browser
@pytest.mark.parametrize("attack", ["change", "replay", "swap", "own-key", "alg-none", "html",
                                    "redirect", "too-large", "gone"])
def test_a_man_in_the_middle(window, middle, server, keys, attack):
    good, forger = {}, ec.generate_private_key(ec.SECP256R1())

    def forge(status, kind, body, path):
        """His own key, in the key set too: only a thumbprint from elsewhere finds that out."""
        n = forger.public_key().public_numbers()
        jwk = {"crv": "P-256", "kty": "EC", "x": b64(n.x.to_bytes(32, "big")),
               "y": b64(n.y.to_bytes(32, "big"))}
        kid = b64(hashlib.sha256(json.dumps(jwk, separators=(",", ":")).encode()).digest())
        if path.startswith("/.well-known"):
            return 200, kind, json.dumps({"keys": [{**jwk, "kid": kid}]}).encode()
        header = b64(json.dumps({"alg": "ES256", "kid": kid, "typ": "vmcp+jwt"}).encode())
        signed = f"{header}.{body.decode().split('.')[1]}"
        r, s = decode_dss_signature(forger.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
        return 200, kind, f"{signed}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}".encode()

    def below_vmcp(change):
        return staticmethod(lambda status, kind, body, path: change(status, kind, body)
                            if path.startswith("/vmcp") else (status, kind, body))

    def remember(status, kind, body):
        good.setdefault("answer", body)
        return status, kind, body

    def swap(status, kind, body):
        return 200, kind, server.v2("/vmcp/db", salt=window.value("#salt"),
                                    hostid=window.value("#hostid")).body

    def none(status, kind, body):
        header = b64(b'{"alg":"none","typ":"vmcp+jwt"}')
        return 200, kind, f"{header}.{body.decode().split('.')[1]}.".encode()

    visit(window, middle.url)
    middle.change = below_vmcp(remember)
    trusted = keys["ed25519"].thumbprint
    assert ask(window, "web", trusted)[0] == "Authenticated"
    changes = {"change": (staticmethod(change_machine), "signature-invalid"),
               "replay": (below_vmcp(lambda *a: (200, a[1], good["answer"])), "salt-mismatch"),
               "swap": (below_vmcp(swap), "machine-mismatch"),
               "own-key": (staticmethod(forge), "key-untrusted"),
               "alg-none": (below_vmcp(none), "alg-refused"),
               "html": (below_vmcp(lambda *a: (200, "text/html", b"<b id=pwned>")), "content-type"),
               "redirect": (below_vmcp(lambda *a: (302, a[1], b"")), "network"),
               "too-large": (below_vmcp(lambda *a: (200, a[1], b"x" * 1200000)),
                             "answer-too-large"),
               "gone": (below_vmcp(lambda *a: (503, a[1], b"\xff")), "503")}
    middle.change, code = changes[attack]
    verdict, text, checks = ask(window, "web", trusted)
    assert (verdict, text.split(":")[0]) == ("Refused", code)
    assert checks[-1][:2] == ("failed", code) and all(c[0] == "passed" for c in checks[:-1])
    assert [c[1] for c in checks[:-1]] == CHECKS[:len(checks) - 1]
    assert not window.shown("#machine-box") and not window.find("#pwned")
    assert window.run("return document.getElementById('machine').textContent") == ""
    if attack == "own-key":  # without a thumbprint it is as good as any: and is not called more
        assert ask(window, "web")[0] == "Consistent, not authenticated"
    middle.change = below_vmcp(remember)
    assert ask(window, "web", trusted)[0] == "Authenticated"


def odd_answers(keys):
    """{what: answer}: good ones and broken ones of every kind, for salt S, host h, machine web."""
    ed = load_pem_private_key(keys["ed25519"].path.read_bytes(), None)
    p256 = load_pem_private_key(keys["p-256"].path.read_bytes(), None)
    rsa2048 = load_pem_private_key(keys["rsa-2048"].path.read_bytes(), None)
    now = int(time.time())
    head = {"alg": "EdDSA", "kid": keys["ed25519"].thumbprint, "typ": "vmcp+jwt"}
    body = {"iss": DOMAIN, "sub": "web", "aud": "h", "nonce": "S", "iat": now, "exp": now + 300,
            "jti": str(uuid.uuid4()), "serial": 7, "machine": MACHINE}

    def compact(value):
        return value if isinstance(value, bytes) else json.dumps(value).encode()

    def sign(header, payload, signer=ed.sign):
        signed = f"{b64(compact(header))}.{b64(compact(payload))}"
        return f"{signed}.{b64(signer(signed.encode()))}"

    def es256(data):
        r, s = decode_dss_signature(p256.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def pss(salt):
        return lambda data: rsa2048.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), salt),
                                         hashes.SHA256())

    text = json.dumps(body)
    es = {**head, "alg": "ES256", "kid": keys["p-256"].thumbprint}
    ps = {**head, "alg": "PS256", "kid": keys["rsa-2048"].thumbprint}
    made = {"good": sign(head, body), "es256": sign(es, body, es256),
            "ps256": sign(ps, body, pss(32)), "ps256 salt": sign(ps, body, pss(20)),
            "es256 der": sign(es, body, lambda d: p256.sign(d, ec.ECDSA(hashes.SHA256()))),
            "rs256": sign({**ps, "alg": "RS256"}, body,
                          lambda d: rsa2048.sign(d, padding.PKCS1v15(), hashes.SHA256())),
            "alg of another key": sign({**es, "alg": "EdDSA"}, body),
            "no kid": sign({k: v for k, v in head.items() if k != "kid"}, body)}
    for name, header in {
            "alg Ed25519": {"alg": "Ed25519"}, "alg none": {"alg": "none"}, "alg HS": {"alg": "HS256"},
            "alg 7": {"alg": 7}, "alg case": {"alg": "eddsa"}, "alg proto": {"alg": "toString"},
            "typ": {"typ": "JWT"}, "typ case": {"typ": "VMCP+jwt"}, "typ null": {"typ": None},
            "kid 7": {"kid": 7}, "kid other": {"kid": "x" * 43}, "kid empty": {"kid": ""},
            "kid null": {"kid": None}, "unknown": {"cty": "x"},
            **{n: {n: []} for n in ("crit", "jwk", "jku", "x5c", "x5u", "x5t", "x5t#S256", "zip",
                                    "b64")}}.items():
        made[f"header {name}"] = sign({**head, **header}, body)
    for name, claims_ in {
            "iss": {"iss": "other.example"}, "sub": {"sub": "db"}, "aud": {"aud": "H"},
            "aud array": {"aud": ["h"]}, "nonce": {"nonce": "s"}, "jti": {"jti": None},
            "nonce 7": {"nonce": 7}, "iat str": {"iat": str(now)}, "iat real": {"iat": now + 0.5},
            "iat 1.0": {"iat": float(now)}, "iat -1": {"iat": -1}, "future": {
                "iat": now + 900, "exp": now + 1000}, "skewed": {"iat": now + 200, "exp": now + 300},
            "expired": {"iat": now - 1000, "exp": now - 700}, "just": {
                "iat": now - 400, "exp": now - 100}, "long": {"exp": now + 3601},
            "longest": {"exp": now + 3600}, "no life": {"exp": now}, "backwards": {"exp": now - 10},
            "exp big": {"exp": 2 ** 53}, "serial str": {"serial": "7"}, "serial -": {"serial": -7},
            "serial big": {"serial": 2 ** 53}, "serial max": {"serial": 2 ** 53 - 1},
            "serial null": {"serial": None}, "extra": {"foo": {"bar": [1.5]}}, "gce": {"gce": {}},
            "gce []": {"gce": []}, "job": {"job": {}}, "count": {"count": 3}, "count 0": {"count": 0},
            "count 1001": {"count": 1001}, "count real": {"count": 1.5}, "machine []": {
                "machine": []}, "machine str": {"machine": "web"}}.items():
        made[f"claim {name}"] = sign(head, {**body, **claims_})
    for missing in body:
        made[f"without {missing}"] = sign(head, {k: v for k, v in body.items() if k != missing})
    for name, more in {
            "cpus str": {"cpus": "2"}, "cpus 0": {"cpus": 0}, "cpus real": {"cpus": 2.0},
            "cpus bool": {"cpus": True}, "case": {"Secret": "x"}, "unknown": {"zone": "z"},
            "unknown real": {"zone": 1.5}, "unknown null": {"zone": None}, "two cases": {
                "zone": 1, "Zone": 2}, "key": {"a=b": 1}, "digit": {"1a": 1}, "empty key": {"": 1},
            "signature": {"signature": "x"}, "Signature": {"Signature": "x"}, "nested": {"x": {}},
            "both": {"memory": 1, "ram": 1}, "diskURL": {"diskURL": "u"}, "disk": {
                "diskURL": "u", "diskChecksum": "c"}, "checksum": {"diskChecksum": "c"},
            "int32": {"zone": 2 ** 31 - 1}, "over": {"zone": 2 ** 31}, "under": {
                "zone": -2 ** 31 - 1}, "port": {"apiPort": 65536}, "port 0": {"apiPort": 0},
            "cap": {"executionCap": 101}, "no secret": {"secret": ""}, "proto": {"__proto__": "x"},
            "constructor": {"constructor": "x"}, "long key": {"k" * 129: 1}, "key 128": {
                "k" * 128: 1}, "long": {"userData": "ü" * 131073}, "longest": {
                    "userData": "ü" * 131072}, "many": {f"k{i}": i for i in range(254)}}.items():
        made[f"machine {name}"] = sign(head, {**body, "machine": {**MACHINE, **more}})
    for name, payload in {
            "twice": text[:-1] + ',"iss":"x"}', "twice deep": text.replace(
                '"machine": {', '"machine": {"name": "n", '), "escaped twice": text[:-1]
            + ',"\\u0069ss":"x"}', "after": text + "x", "blank": " " + text + "\r\n\t",
            "array": f"[{text}]", "bom": "\ufeff" + text, "nul": text.replace(DOMAIN, "a\\u0000"),
            "half": text[:-1] + ',"x":"\\ud800"}', "half 2": text[:-1] + ',"x":"\\udc00\\ud800"}',
            "pair": text[:-1] + ',"x":"\\ud83d\\ude00"}', "trailing": text[:-1] + ",}",
            "single": text.replace('"', "'"), "comment": text + "//", "nan": text[:-1] + ',"x":NaN}',
            "plus": text[:-1] + ',"x":+1}', "zero": text[:-1] + ',"x":01}', "dot": text[:-1]
            + ',"x":1.}', "exp": text[:-1] + ',"x":1e5}', "huge": text[:-1] + ',"x":1e999}',
            "int64": text[:-1] + f',"x":{2 ** 63 - 1}}}', "over": text[:-1] + f',"x":{2 ** 63}}}',
            "control": text[:-1] + ',"x":"\t"}', "escape": text[:-1] + ',"x":"\\x41"}',
            "deepest": text[:-1] + ',"x":' + "[" * 31 + "]" * 31 + "}",
            "too deep": text[:-1] + ',"x":' + "[" * 32 + "]" * 32 + "}",
            "key": text[:-1] + ",1:2}", "empty": "", "null": "null", "utf": None,
            "form feed": text + "\f", "nbsp": text + "\u00a0"}.items():
        made[f"json {name}"] = sign(head, b'{"a":"\xff"}' if payload is None else payload.encode())
    good = made["good"]
    a, b, c = good.split(".")
    last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    for name, answer in {
            "two parts": f"{a}.{b}", "four parts": good + ".", "no payload": f"{a}..{c}",
            "no header": f".{b}.{c}", "no signature": f"{a}.{b}.", "newline": f"{a}.\n{b}.{c}",
            "space": " " + good, "padding": good + "==", "plus": f"{a}.{b}.+{c[1:]}",
            "bits": good[:-1] + last[last.index(good[-1]) ^ 1], "short": f"{a}.{b}.{c[:-2]}",
            "odd": good + "A", "flip": f"{a}.{b}.{'B' if c[0] == 'A' else 'A'}{c[1:]}",
            "cut": good[:-43], "empty": "", "too large": good + "A" * 2 ** 20, "unicode": "ü"
            + good}.items():
        made[f"form {name}"] = answer
    return made


@needs_browser
def test_the_browser_judges_as_vmcp_does(window, server, keys, scratch, bin):
    """Each odd answer gets the same code from the page's script and from `vmcp verify`."""
    answers = odd_answers(keys)
    three = [keys[k] for k in ("ed25519", "p-256", "rsa-2048")]
    trust = scratch / "all.pem"
    trust.write_text("".join(k.pub.read_text() for k in three))
    jwks = json.dumps({"keys": [json.loads(run(bin.vmcp, "pubkey", k.path, "--format", "jwk").out)
                                for k in three]})
    visit(window, f"http://127.0.0.1:{server.port}/")
    said = window.run("""
        const [answers, set, trusted, domain] = arguments;
        return Promise.all(answers.map(text => verifyAnswer(new TextEncoder().encode(text), {
            domain, machine: "web", hostid: "h", salt: "S", trusted, set: parseJson(set),
            now: Math.floor(Date.now() / 1000)}, () => {}).then(() => "ok", e => e.code || e.stack)));
        """, list(answers.values()), jwks, [k.thumbprint for k in three], DOMAIN)
    different = []
    for (name, answer), browsers in zip(answers.items(), said):
        done = run(bin.vmcp, "verify", "--trust", trust, "--domain", DOMAIN, "--salt", "S",
                   "--hostid", "h", "--machine", "web", "--complete", stdin=answer.encode())
        code = "ok" if done.code == 0 else re.findall(r"\[([a-z-]+)\]", done.err)[-1]
        if code != browsers:
            different.append((name, code, browsers))
    assert different == []
    assert len(answers) > 150 and 15 < said.count("ok") < 50 and len(set(said)) >= 18


@needs_browser
def test_what_the_responder_refuses(window, server):
    visit(window, f"http://127.0.0.1:{server.port}/")
    verdict, text, checks = ask(window, "none-such")
    assert verdict == "Refused" and text.startswith("machine-unknown: there is no machine")
    assert len(checks) == 1
    assert ask(window, "web", "not a thumbprint")[1].startswith("trust-invalid")


@needs_browser
def test_a_browser_without_ed25519(window, server, keys):
    visit(window, f"http://127.0.0.1:{server.port}/")
    window.run("const real = crypto.subtle.importKey.bind(crypto.subtle);"
               "crypto.subtle.importKey = (form, key, alg, ...rest) => alg === 'Ed25519' ? "
               "Promise.reject(new DOMException('no', 'NotSupportedError')) : "
               "real(form, key, alg, ...rest)")
    verdict, text, checks = ask(window, "web", keys["ed25519"].thumbprint)
    assert verdict == "Refused" and "this browser cannot verify Ed25519" in text
    assert checks[-1][:2] == ("failed", "browser")


@needs_browser
def test_a_page_under_a_rebound_name(window, server):
    """The browser was told that this machine is far.example: nothing of the responder is shown."""
    window.open(f"http://far.example:{server.port}/vmcp/web?cvm_salt=S-1&cvm_hostid=h-1")
    window.wait(lambda: "misdirected" in window.text("body"))
    assert "secret" not in window.text("body")


@needs_browser
def test_no_subtle_cryptography(window, vmcpd):
    """Plain http beyond this machine: it says why, and the form shows the answer."""
    server = vmcpd({"web": NASTY}, "--host", "far.example")
    window.open(f"http://far.example:{server.port}/")
    window.wait(lambda: window.shown("#insecure"))
    assert "https" in window.text("#insecure") and "vmcp fetch" in window.text("#insecure")
    assert not window.shown("#thumbprint")
    assert re.fullmatch("[A-Za-z0-9-]{64}", window.value("#salt"))
    window.type("#vm", "web")
    window.click("#send")
    window.wait(lambda: window.find("#answer"))
    assert window.text("#answer").count(".") == 2


@needs_browser
def test_no_javascript(server, tmp_path, vmcp, keys):
    window = chromium.Browser(tmp_path, {"profile.managed_default_content_settings.javascript": 2})
    try:
        window.open(f"http://127.0.0.1:{server.port}/")
        assert "verifies nothing" in window.text("noscript")
        for field, value in (("#vm", "web"), ("#hostid", "my-host"), ("#salt", "my-own-salt")):
            window.type(field, value)
        window.click("#send")
        window.wait(lambda: window.find("#answer"))
        answer = window.text("#answer")
        assert window.console() == []
    finally:
        window.close()
    assert vmcp("verify", "--trust", keys["ed25519"].pub, "--domain", DOMAIN, "--salt",
                "my-own-salt", "--hostid", "my-host", "--machine", "web", "--complete",
                stdin=answer.encode()).json == NASTY["machine"]


LUMINANCE = """
const parse = c => c.match(/[\\d.]+/g).map(Number);
const light = c => { const [r, g, b] = parse(c).map(v => v / 255).map(
    v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
const back = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
    if (parse(c)[3] !== 0) return c; } return 'rgb(255, 255, 255)'; };
const found = [];
for (const e of document.querySelectorAll('body *')) {
    const text = Array.from(e.childNodes).some(n => n.nodeType === 3 && n.data.trim());
    if (!(text || e.tagName === 'INPUT') || !e.checkVisibility()) continue;
    const [a, b] = [light(getComputedStyle(e).color), light(back(e))].sort((x, y) => y - x);
    found.push([(a + 0.05) / (b + 0.05), e.tagName + '#' + e.id + ' ' + e.textContent.slice(0, 30)]);
}
return found;
"""


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read(window, server, keys, scheme):
    """Contrast of all text (WCAG 2.1, 1.4.3), and no line wider than a phone."""
    try:
        window.devtools("Emulation.setEmulatedMedia",
                        features=[{"name": "prefers-color-scheme", "value": scheme}])
        visit(window, f"http://127.0.0.1:{server.port}/")
        seen = []
        for machine, thumbprint in (("web", keys["ed25519"].thumbprint), ("web", ""),
                                    ("none", "")):
            ask(window, machine, thumbprint)
            seen += window.run(LUMINANCE)
        assert len(seen) > 60 and [one for one in seen if one[0] < 4.5] == []
        window.devtools("Emulation.setDeviceMetricsOverride", width=360, height=740,
                        deviceScaleFactor=2, mobile=True)
        ask(window, "web", keys["ed25519"].thumbprint)
        assert window.run("return document.documentElement.scrollWidth") <= 360
    finally:
        window.devtools("Emulation.clearDeviceMetricsOverride")
        window.devtools("Emulation.setEmulatedMedia", features=[])


@needs_browser
def test_the_keyboard_is_enough(window, server, keys):
    visit(window, f"http://127.0.0.1:{server.port}/")
    window.run("document.getElementById('vm').focus()")
    window.press(*"web", "\ue004", *keys["ed25519"].thumbprint, "\ue007")  # Tab, Enter
    window.wait(lambda: window.text("#verdict-title") == "Authenticated")
    assert window.run("return document.getElementById('verdict').getAttribute('role')") == "status"

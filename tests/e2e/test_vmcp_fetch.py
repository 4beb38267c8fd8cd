# SPDX-License-Identifier: Apache-2.0
"""vmcp fetch, against vmcpd and against servers that lie."""
import hashlib
import http.server
import json
import re
import socket
import ssl
import subprocess
import threading
import time
import urllib.parse
from types import SimpleNamespace

import pytest

from cryptography.x509.oid import ExtendedKeyUsageOID

from conftest import BIN, DOMAIN, MACHINE, run
from test_http_tls import Authority
from test_vmcp_verify import good_claims, private, token, v1_sign


class Liar:
    """An HTTP server on a free port that answers what `respond(path, query, headers)` says:
    (status, headers, body)."""

    def __init__(self, respond, context=None):
        self.asked = []
        liar = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                url = urllib.parse.urlsplit(self.path)
                query = dict(urllib.parse.parse_qsl(url.query))
                liar.asked.append((self.path, dict(self.headers)))
                status, headers, body = respond(url.path, query, self.headers)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if "Content-Length" not in headers:
                    self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    pass

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self.port}/vmcp"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def liar():
    made = []

    def make(respond, **more):
        made.append(Liar(respond, **more))
        return made[-1]

    yield make
    for each in made:
        each.stop()


JOSE = {"Content-Type": "application/jose"}


@pytest.fixture
def honest(keys):
    """What an honest responder says, with claims to be changed."""

    def respond(query, **changes):
        claims = good_claims(iss="127.0.0.1", aud=query.get("cvm_hostid"),
                             nonce=query.get("cvm_salt"))
        claims.update(changes)
        return 200, JOSE, token(private(keys, "ed25519"), "EdDSA", claims).encode()

    return respond


# -- against vmcpd ---------------------------------------------------------------------------------

def test_fetch(vmcpd, vmcp, keys):
    server = vmcpd({"web": {"serial": 7, "machine": MACHINE}, "db": {**MACHINE, "name": "d"}},
                   domain="127.0.0.1")
    trust = ("--trust", keys["ed25519"].pub)
    done = vmcp("fetch", f"{server.url}/web", *trust)
    assert done.json == MACHINE and "note: the answer is the machine web\n" in done.err
    done = vmcp("fetch", server.url, "--machine", "db", *trust)
    assert done.json["name"] == "d" and done.err.startswith("note: not checked: serial (")
    done = vmcp("fetch", f"{server.url}?vm=web", "--min-serial", "7", "--machine", "web", *trust)
    assert done.json == MACHINE and done.err == ""
    assert vmcp("fetch", f"{server.url}?vm=db", *trust).json["name"] == "d"
    assert vmcp("fetch", f"http://127.0.0.1:{server.port}", "--machine", "web",
                *trust).json == MACHINE  # an empty path is /vmcp
    report = vmcp("fetch", f"{server.url}/web", *trust, "--json").json
    assert report["sub"] == "web" and report["serial"] == 7 and report["iss"] == "127.0.0.1"
    vmcp("fetch", f"{server.url}/web", *trust, "--hostid", "my-host", "--min-serial", "7")


def test_fetch_by_thumbprint(vmcpd, vmcp, keys, scratch):
    server = vmcpd({"web": MACHINE}, domain="127.0.0.1")
    assert vmcp("fetch", server.url, "--thumbprint", keys["ed25519"].thumbprint).json == MACHINE
    lines = scratch / "trust"
    lines.write_text(keys["ed25519"].thumbprint)
    assert vmcp("fetch", server.url, "--trust", lines).json == MACHINE
    done = vmcp("fetch", server.url, "--thumbprint", keys["p-256"].thumbprint, "--json", code=1)
    assert done.json["code"] == "key-untrusted"


def test_fetch_version_1(vmcpd, vmcp, keys):
    server = vmcpd({"web": MACHINE}, domain="127.0.0.1")
    trust = ("--trust", keys["rsa-2048"].pub)
    assert vmcp("fetch", f"{server.url}/web", "--format", "v1", *trust).json == MACHINE
    done = vmcp("fetch", f"{server.url}/web", "--format", "v1", *trust, "--expect-name", "db",
                "--json", code=1)
    assert done.json["code"] == "machine-mismatch"


def test_refused_by_vmcpd_s_answer(vmcpd, vmcp, keys):
    server = vmcpd({"web": {"serial": 7, "machine": MACHINE}}, domain="127.0.0.1")

    def code(*options, exit_code=1, trust=keys["ed25519"].pub):
        return vmcp("fetch", server.url, "--trust", trust, *options, "--json",
                    code=exit_code).json["code"]

    assert code("--domain", DOMAIN) == "domain-mismatch"
    elsewhere = vmcpd({"web": MACHINE}, domain=DOMAIN)
    done = vmcp("fetch", elsewhere.url, "--trust", keys["ed25519"].pub, code=1)
    assert "127.0.0.1, the URL's host; --domain D" in done.err and "[domain-mismatch]" in done.err
    assert code("--min-serial", "8") == "serial-rollback"
    assert code(trust=keys["p-256"].pub) == "key-untrusted"
    assert code("--machine", "db", exit_code=4) == "responder-error"
    done = vmcp("fetch", server.url, "--trust", keys["ed25519"].pub, "--machine", "db", code=4)
    assert "404 machine-unknown" in done.err


# -- what is asked ---------------------------------------------------------------------------------

def test_the_question(vmcp, keys, liar, honest):
    server = liar(lambda path, query, headers: honest(query))
    trust = ("--trust", keys["ed25519"].pub)
    salts, hosts = set(), set()
    for _ in range(3):
        vmcp("fetch", server.url, "--machine", "web", *trust)
        path, headers = server.asked[-1]
        match = re.fullmatch(r"/vmcp\?cvm_salt=([A-Za-z0-9-]{64})&cvm_hostid=([0-9a-f]{64})&vm=web",
                             path)
        assert match and headers["Accept"] == "application/jose"
        salts.add(match[1])
        hosts.add(match[2])
    assert len(salts) == 3 and len(hosts) == 3  # nothing is kept from run to run
    vmcp("fetch", f"{server.url}?vm=web&x=1", *trust)
    assert re.fullmatch(r"/vmcp\?vm=web&x=1&cvm_salt=[^&]+&cvm_hostid=[^&]+", server.asked[-1][0])
    vmcp("fetch", f"http://127.0.0.1:{server.port}/other/path", *trust)
    assert server.asked[-1][0].startswith("/other/path?cvm_salt=")
    vmcp("fetch", server.url, *trust, "--hostid", "my-own")
    assert "cvm_hostid=my-own" in server.asked[-1][0]


@pytest.mark.parametrize("url, options, code", [
    ("ftp://127.0.0.1/vmcp", [], "url-malformed"),
    ("file:///etc/passwd", [], "url-malformed"),
    ("127.0.0.1:80/vmcp", [], "url-malformed"),
    ("", [], "url-malformed"),
    ("http://", [], "url-malformed"),
    ("http://user@127.0.0.1/vmcp", [], "url-malformed"),
    ("http://user:secret@127.0.0.1/vmcp", [], "url-malformed"),
    ("http://127.0.0.1/vmcp#fragment", [], "url-malformed"),
    ("http://127.0.0.1/vmcp#", [], "url-malformed"),
    ("http://@127.0.0.1/vmcp", [], "url-malformed"),
    ("http://:@127.0.0.1/vmcp", [], "url-malformed"),
    ("http://127.0.0.1/vmcp?vm=", [], "name-malformed"),
    ("http://127.0.0.1/vmcp?vm=&x=1", ["--machine", "web"], "name-malformed"),
    ("http://127.0.0.1/vm cp", [], "url-malformed"),
    ("http://127.0.0.1/vmcp?vm=web", ["--machine", "db"], "name-conflict"),
    ("http://127.0.0.1/vmcp/web", ["--machine", "db"], "name-conflict"),
    ("http://127.0.0.1/vmcp?vm=Web", [], "name-malformed"),
    ("http://127.0.0.1/vmcp", ["--machine", "Web"], "name-malformed"),
    ("http://127.0.0.1/vmcp", ["--hostid", "a b"], "hostid-malformed"),
    ("http://127.0.0.1/vmcp", ["--domain", "A.b"], "domain-malformed"),
    ("http://127.0.0.1/vmcp", ["--format", "v3"], "usage"),
    ("http://cfg.example.org/vmcp", [], "plain-http"),
    ("http://10.0.0.1/vmcp", [], "plain-http"),
    ("http://localhost.example.org/vmcp", [], "plain-http"),
    ("http://127.0.0.1.example.org/vmcp", [], "plain-http"),
])
def test_questions_that_are_not_asked(vmcp, keys, url, options, code):
    done = vmcp("fetch", url, "--trust", keys["ed25519"].pub, *options, "--json", code=2)
    assert done.json["code"] == code and "secret" not in done.err


def test_no_trust_no_question(vmcp):
    assert vmcp("fetch", "http://127.0.0.1:9/vmcp", "--json", code=2).json["code"] == "usage"
    vmcp("fetch", code=2)


@pytest.mark.parametrize("host", ["CFG.Example.org", "cfg.example.org.", "CFG.EXAMPLE.ORG.:8080"])
def test_the_default_domain(vmcp, keys, liar, honest, monkeypatch, host):
    """The endpoint's host, in lower case, without port and trailing dot."""
    proxy = liar(lambda path, query, headers: honest(query, iss="cfg.example.org"))
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{proxy.port}")
    report = vmcp("fetch", f"http://{host}/vmcp", "--allow-http", "--trust", keys["ed25519"].pub,
                  "--json").json
    assert report["iss"] == "cfg.example.org" and proxy.asked


def test_the_clock_is_read_behind_the_last_byte(vmcp, keys, liar, honest):
    """An answer that was good when it was asked for, and came too late, is not good any more."""
    def slow(path, query, headers):
        now = int(time.time())
        answer = honest(query, iat=now - 299, exp=now + 1)
        time.sleep(2.5)
        return answer

    server = liar(slow)
    done = vmcp("fetch", server.url, "--trust", keys["ed25519"].pub, "--max-skew", "0", "--json",
                code=1)
    assert done.json["code"] == "expired"


# -- servers that lie, or are broken ---------------------------------------------------------------

@pytest.mark.parametrize("changes, code", [
    ({"nonce": "another-salt"}, "salt-mismatch"), ({"aud": "another-host"}, "hostid-mismatch"),
    ({"sub": "db"}, "machine-mismatch"), ({"iss": DOMAIN}, "domain-mismatch"),
    ({"iat": 1000000000, "exp": 1000000300}, "expired")])
def test_answers_to_other_questions(vmcp, keys, liar, honest, changes, code):
    server = liar(lambda path, query, headers: honest(query, **changes))
    done = vmcp("fetch", server.url, "--machine", "web", "--trust", keys["ed25519"].pub, "--json",
                code=1)
    assert done.json["code"] == code


def test_a_replayed_answer(vmcp, keys, liar, honest):
    kept = []

    def replay(path, query, headers):
        kept.append(honest(query))
        return kept[0]

    server = liar(replay)
    argv = ("fetch", server.url, "--hostid", "h", "--trust", keys["ed25519"].pub, "--json")
    assert vmcp(*argv).json["code"] == "ok"
    assert vmcp(*argv, code=1).json["code"] == "salt-mismatch"


def test_other_content_types(vmcp, keys, liar, honest):
    for content_type in ("application/json", "text/plain", "application/jwt", ""):
        headers = {"Content-Type": content_type} if content_type else {}
        server = liar(lambda path, query, h, headers=headers: (200, headers, honest(query)[2]))
        done = vmcp("fetch", server.url, "--trust", keys["ed25519"].pub, "--json", code=4)
        assert done.json["code"] == "content-type"
    server = liar(lambda p, query, h: (200, {"Content-Type": "Application/JOSE; charset=utf-8"},
                                       honest(query)[2]))
    vmcp("fetch", server.url, "--trust", keys["ed25519"].pub)


def test_version_1_is_never_fallen_back_to(vmcp, keys, liar):
    key = private(keys, "rsa-2048")

    def respond(path, query, headers):
        body = json.dumps(v1_sign(key, MACHINE, query["cvm_salt"])).encode()
        return 200, {"Content-Type": respond.content_type}, body

    server = liar(respond)
    trust = ("--trust", keys["rsa-2048"].pub, "--json")
    respond.content_type = "application/json"
    assert vmcp("fetch", server.url, *trust, "--format", "v1").json["code"] == "ok"
    assert vmcp("fetch", server.url, *trust, code=4).json["code"] == "content-type"
    respond.content_type = "application/jose"
    assert vmcp("fetch", server.url, *trust, code=1).json["code"] == "answer-malformed"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(vmcp, keys, liar, honest, status):
    target = liar(lambda path, query, headers: honest(query))
    server = liar(lambda path, query, headers: (status, {"Location": f"{target.url}?{'x'}"}, b""))
    done = vmcp("fetch", server.url, "--trust", keys["ed25519"].pub, "--json", code=4)
    assert done.json["code"] == "redirect-refused" and target.asked == []


@pytest.mark.parametrize("status", [204, 400, 401, 404, 429, 500, 503])
def test_other_statuses(vmcp, keys, liar, honest, status):
    """Even with a good answer in them; a message is quoted in printable ASCII only."""
    server = liar(lambda path, query, headers: (
        status, {"Content-Type": "application/problem+json"},
        b"" if status == 204 else json.dumps({"code": "x\x1b[2J", "detail": "é\n"}).encode()))
    done = vmcp("fetch", server.url, "--trust", keys["ed25519"].pub, code=4)
    assert f"answered {status}" in done.err and "\x1b" not in done.err and done.out == ""
    assert done.err.count("\n") == 1


def test_too_much(vmcp, keys, liar):
    """No more than 1 MiB is read, announced or not."""
    big = b"A" * (3 * 1024 * 1024)
    for headers in (JOSE, {**JOSE, "Content-Length": str(10**15)}):
        server = liar(lambda path, query, h, headers=headers: (200, headers, big))
        done = vmcp("fetch", server.url, "--trust", keys["ed25519"].pub, "--json", code=1)
        assert done.json["code"] == "answer-too-large"


def test_nobody_there(vmcp, keys):
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    done = vmcp("fetch", f"http://127.0.0.1:{port}/vmcp", "--trust", keys["ed25519"].pub, "--json",
                code=4)
    assert done.json["code"] == "network" and str(port) in done.json["where"]


def test_a_cut_answer(vmcp, keys, liar, honest):
    server = liar(lambda path, query, h: (200, {**JOSE, "Content-Length": "100000",
                                                "Connection": "close"}, honest(query)[2]))
    done = vmcp("fetch", server.url, "--trust", keys["ed25519"].pub, "--json", code=4)
    assert done.json["code"] == "network"


def test_proxies_are_not_asked_for_loopback(vmcp, keys, liar, honest, monkeypatch):
    """Nor does a proxy see a question to this machine, whatever the environment says."""
    proxy = liar(lambda path, query, headers: (500, {}, b""))
    server = liar(lambda path, query, headers: honest(query))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
    vmcp("fetch", server.url, "--trust", keys["ed25519"].pub)
    assert proxy.asked == []


def test_https(vmcp, keys, liar, honest, scratch):
    """A certificate that nobody vouches for is refused; --cacert names who does."""
    cert, key = scratch / "cert.pem", scratch / "cert.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", cert, "-days", "1",
                    "-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"], check=True,
                   capture_output=True, timeout=30)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    server = liar(lambda path, query, headers: honest(query), context=context)
    trust = ("--trust", keys["ed25519"].pub)
    assert vmcp("fetch", server.url, *trust, "--json", code=4).json["code"] == "network"
    assert server.asked == []
    assert vmcp("fetch", server.url, *trust, "--cacert", cert).json == MACHINE
    named = server.url.replace("127.0.0.1", "localhost")  # the certificate is for the address only
    vmcp("fetch", named, *trust, "--cacert", cert, "--domain", "127.0.0.1", code=4)


@pytest.fixture(name="authority")
def authority_fixture(scratch):
    """ours, and files: the server's pair, a client's, ones of another authority and an old one."""
    ours, foreign = Authority(scratch, "ours"), Authority(scratch, "foreign")
    purpose = ExtendedKeyUsageOID.SERVER_AUTH
    made = {"ours": ours, "foreign": foreign, "good": ours.issue("good"),
            "stranger": foreign.issue("stranger"), "server": ours.issue("server", purpose),
            "old": ours.issue("old", purpose, days=-1)}
    return SimpleNamespace(**made)


def served_with(pair, *more):
    return ("--tls-cert", pair.cert, "--tls-key", pair.key, *more)


def test_what_is_wrong_with_a_certificate(vmcpd, vmcp, keys, authority):
    """In words that say what would help."""
    trust = ("--trust", keys["ed25519"].pub, "--domain", DOMAIN)
    server, ours = vmcpd(None, *served_with(authority.server)), ("--cacert", authority.ours.pem)

    def refused(url, *options):
        done = vmcp("fetch", url, *trust, *options, code=4)
        assert "[network]" in done.err and done.out == ""
        return done.err

    assert "; --cacert FILE names who did" in refused(server.url)
    assert f"by nobody in {authority.foreign.pem}, of --cacert" in refused(
        server.url, "--cacert", authority.foreign.pem)
    text = refused(server.url.replace("127.0.0.1", "localhost"), *ours)
    assert "is for IP Address:127.0.0.1, not for localhost, the host of the URL" in text
    assert "https:// is wanted" in refused(server.url.replace("https", "http"))
    text = refused(vmcpd(None, *served_with(authority.old)).url, *ours)
    assert "has expired: it is 20" in text and "this clock is wrong" in text
    assert "no TLS is spoken there" in refused(vmcpd().url.replace("http", "https"), *ours)


def test_client_certificate(vmcpd, vmcp, keys, authority):
    server = vmcpd(None, *served_with(authority.server, "--client-ca", authority.ours.pem))
    fetch = ("fetch", server.url, "--trust", keys["ed25519"].pub, "--domain", DOMAIN, "--cacert",
             authority.ours.pem)
    good, stranger = ([("--client-cert", pair.cert), ("--client-key", pair.key)]
                      for pair in (authority.good, authority.stranger))
    assert "; a server that wants its clients' certificates ends so" in vmcp(*fetch, code=4).err
    done = vmcp(*fetch, *stranger[0], *stranger[1], code=4)
    assert "is the certificate of --client-cert one that it lets in?" in done.err
    assert vmcp(*fetch, *good[0], *good[1]).json == MACHINE
    both = vmcp(*fetch, *good[0], code=2).err
    assert "--client-cert and --client-key belong together [usage]" in both
    assert vmcp(*fetch, *good[1], code=2).err == both
    one, two = (f"{option} <(cat {file})" for option, file in good)  # a pipe can be read once
    for pipes in (f"{one} {two}", f"{one} {' '.join(map(str, good[1]))}",
                  f"{' '.join(map(str, good[0]))} {two}"):
        done = run("bash", "-c", f'"$@" {pipes}', "bash", BIN / "vmcp", *fetch)
        assert done.code == 0 and done.json == MACHINE, done


def test_files_of_tls_come_first(vmcp, keys, authority, scratch):
    """Nobody is asked with a file that is wrong: it is told, with its option."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(0.2)
    fetch = ("fetch", f"https://127.0.0.1:{listener.getsockname()[1]}/vmcp", "--trust",
             keys["ed25519"].pub)
    cert, key = authority.good.cert, authority.good.key
    locked = scratch / "locked.key"
    subprocess.run(["openssl", "pkcs8", "-topk8", "-in", key, "-out", locked, "-passout",
                    "pass:a-passphrase"], check=True, timeout=30)
    locked.chmod(0o600)
    loose = scratch / "loose.key"
    loose.write_bytes(key.read_bytes())
    loose.chmod(0o644)
    for options, file, option, code in (
            (("--cacert", scratch / "none.pem"), "none.pem", "--cacert: cannot be opened: No such",
             "file"),
            (("--cacert", scratch), scratch.name, "--cacert: is a folder", "file"),
            (("--cacert", key), "good.key", "--cacert: no certificate of an", "trust-invalid"),
            (("--client-cert", key, "--client-key", key), "good.key", "--client-cert: not a cert",
             "key-malformed"),
            (("--client-cert", cert, "--client-key", cert), "good.crt", "--client-key: ",
             "file-mode"),
            (("--client-cert", cert, "--client-key", loose), "loose.key", "--client-key: mode 0644",
             "file-mode"),
            (("--client-cert", cert, "--client-key", locked), "locked.key", "is encrypted; one wit",
             "key-malformed"),
            (("--client-cert", cert, "--client-key", authority.stranger.key), "stranger.key",
             f"--client-key: is not the key of the certificate in {cert}", "key-malformed")):
        done = vmcp(*fetch, *options, "--json", code=3, stdin=b"")
        assert (done.json["code"], option in done.json["detail"]) == (code, True), done
        assert done.json["where"].endswith(file)
    with pytest.raises(TimeoutError):
        listener.accept()
    listener.close()


def test_unix_socket(vmcpd, vmcp, keys, authority, scratch):
    """unix:PATH as vmcpd prints it; with TLS and all else, --unix-socket and a URL."""
    place, none = scratch / "s.sock", scratch / "none.sock"
    trust, domain = ("--trust", keys["ed25519"].pub), ("--domain", DOMAIN)
    vmcpd(None, "--listen", f"unix:{place}")
    assert vmcp("fetch", f"unix:{place}", *domain, *trust).json == MACHINE
    done = vmcp("fetch", f"unix:{place}", *domain, "--machine", "db", *trust, code=4)
    assert "404 machine-unknown" in done.err
    url = f"http://{DOMAIN}/vmcp/web"  # no --allow-http: it goes over no network
    assert vmcp("fetch", "--unix-socket", place, url, *trust).json == MACHINE
    assert "say --domain D [usage]" in vmcp("fetch", f"unix:{place}", *trust, code=2).err
    both = ("fetch", f"unix:{place}", "--unix-socket", place, *domain, *trust)
    assert "one of them is wanted" in vmcp(*both, code=2).err
    for path in ("", "x" * 108):
        done = vmcp("fetch", f"unix:{path}", *domain, *trust, code=2)
        assert "has 1 to 107 bytes [usage]" in done.err
    done = vmcp("fetch", f"unix:{none}", *domain, *trust, "--json", code=4)
    assert done.json["where"].endswith("none.sock") and "No such file" in done.json["detail"]
    secure = scratch / "tls.sock"
    vmcpd(None, "--listen", f"unix:{secure}", *served_with(authority.server))
    assert "https:// is wanted" in vmcp("fetch", f"unix:{secure}", *domain, *trust, code=4).err
    assert vmcp("fetch", "--unix-socket", secure, "https://127.0.0.1", *domain, *trust, "--cacert",
                authority.ours.pem).json == MACHINE


def test_the_host_id(vmcp, keys, liar, honest):
    """Its form is a SHA-256; of what is the client's secret."""
    server = liar(lambda path, query, headers: honest(query))
    vmcp("fetch", server.url, "--trust", keys["ed25519"].pub)
    hostid = urllib.parse.parse_qs(urllib.parse.urlsplit(server.asked[0][0]).query)["cvm_hostid"][0]
    assert hostid != hashlib.sha256(b"|127.0.0.1").hexdigest()
    assert time.time() and re.fullmatch("[0-9a-f]{64}", hostid)

# SPDX-License-Identifier: Apache-2.0
"""vmcp verify and explain: what is refused, with which code, and what it costs."""
import base64
import hashlib
import hmac
import json
import os
import re
import shutil
import statistics
import time
import urllib.parse
import uuid

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, utils
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from conftest import DOMAIN, MACHINE, ROOT, run, write_json

SIGN = ("--domain", DOMAIN, "--hostid", "host-1", "--salt", "Salt-1")
EXPECT = (*SIGN, "--machine", "web")
KEY_OF = {"EdDSA": "ed25519", "ES256": "p-256", "PS256": "rsa-2048", "RS256": "rsa-2048",
          "RS512": "rsa-2048"}
ALGS = list(KEY_OF)


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def good_claims(**changes):
    now = int(time.time())
    claims = {"iss": DOMAIN, "sub": "web", "aud": "host-1", "nonce": "Salt-1", "iat": now,
              "exp": now + 300, "jti": str(uuid.uuid4()), "serial": 7, "machine": MACHINE}
    claims.update(changes)
    return {k: v for k, v in claims.items() if v is not None}


def private(keys, kind):
    return load_pem_private_key(keys[kind].path.read_bytes(), None)


def raw_sign(key, alg, data):
    """By python3-cryptography alone, from the RFCs."""
    if alg == "EdDSA":
        return key.sign(data)
    if alg == "ES256":
        r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")
    if alg == "PS256":
        return key.sign(data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    return key.sign(data, padding.PKCS1v15(),
                    hashes.SHA512() if alg == "RS512" else hashes.SHA256())


def token(key, alg, claims, **header):
    head = {"alg": alg, "typ": "vmcp+jwt", **header}
    text = b64(json.dumps(head).encode()) + "." + b64(json.dumps(claims).encode())
    return text + "." + b64(raw_sign(key, alg, text.encode()))


@pytest.fixture
def web(scratch):
    return write_json(scratch / "web.json", {"serial": 7, "machine": MACHINE,
                                             "gce": {"labels": {"é": "€"}}})


@pytest.fixture
def sign(vmcp, keys, web):
    def call(alg="EdDSA", *more):
        return vmcp("sign", "--key", keys[KEY_OF[alg]].path, "--alg", alg, *SIGN, *more,
                    web).out.strip()
    return call


# -- version 1 -------------------------------------------------------------------------------------

def v1_text(params, salt):
    """The signed text, from the published rules."""
    lines = ""
    for key in sorted(params, key=lambda k: k.encode()):
        if key != "signature":
            value = params[key]
            text = str(int(value)) if isinstance(value, (bool, int)) else value
            lines += f"{key.lower()}={urllib.parse.quote(text, safe='-_.~')}\n"
    return lines + salt


def v1_sign(key, params, salt):
    sig = key.sign(v1_text(params, salt).encode(), padding.PKCS1v15(), hashes.SHA512())
    return {**params, "signature": base64.b64encode(sig).decode()}


V1_MACHINE = {"name": "Wéb /%~", "secret": "s=\n+&", "Zone": "a", "cpus": 2, "disk": 0, "neg": -7,
              "userData": "tab\there €\U0001f680"}


def test_version_1_signature_computed_again(vmcp, keys, scratch):
    """PKCS#1 v1.5 has no random in it: the two signatures are the same bytes."""
    path = write_json(scratch / "m.json", {**V1_MACHINE, "on": True})
    ours = vmcp("sign", "--key", keys["rsa-2048"].path, "--format", "v1", "--salt", "Salt-1",
                path).json
    assert ours == v1_sign(private(keys, "rsa-2048"), {**V1_MACHINE, "on": 1}, "Salt-1")


def test_version_1_of_theirs(vmcp, keys):
    text = json.dumps(v1_sign(private(keys, "rsa-2048"), V1_MACHINE, "Salt-1")).encode()
    options = ("verify", "--format", "v1", "--trust", keys["rsa-2048"].pub)
    done = vmcp(*options, "--salt", "Salt-1", stdin=text)
    assert done.json == V1_MACHINE
    assert done.err.endswith("time, serial (version 1 does not carry them)\n"
                             "note: not checked: name (no expectation was given)\n")
    assert vmcp(*options, "--salt", "Salt-1", "--expect-name", V1_MACHINE["name"],
                stdin=text).json == V1_MACHINE
    done = vmcp(*options, "--salt", "Salt-1", "--machine", "web", "--json", stdin=text, code=1)
    assert done.json["code"] == "machine-mismatch"
    done = vmcp(*options, "--salt", "Salt-2", "--json", stdin=text, code=1)
    assert done.json["code"] == "signature-invalid"
    done = vmcp("verify", "--trust", keys["rsa-2048"].pub, "--salt", "Salt-1", "--json", stdin=text,
                code=1)  # never because an answer looks like it
    assert done.json["code"] == "answer-malformed"


def test_version_1_vectors(vmcp):
    cases = json.loads((ROOT / "tests/vectors/vmcp-v1.json").read_text())["cases"]
    for case in cases:
        params = {k: int(v) if isinstance(v, bool) else v for k, v in case["params"].items()}
        text = json.dumps({**params, "signature": case["signature"]}).encode()
        refused = case["name"] == "numeric-string"
        done = vmcp("verify", "--format", "v1", "--trust",
                    ROOT / "tests/vectors/v1-test-key.pub.pem", "--salt", case["salt"], "--json",
                    stdin=text, code=1 if refused else 0)
        assert done.json["code"] == ("machine-invalid" if refused else "ok"), case["name"]
        assert refused or done.json["machine"] == params


# -- refusals --------------------------------------------------------------------------------------

@pytest.mark.parametrize("code, changes", [
    ("domain-mismatch", {"iss": "other.example.org"}),
    ("machine-mismatch", {"sub": "db"}),
    ("hostid-mismatch", {"aud": "host-2"}),
    ("claims-malformed", {"aud": ["host-1"]}),
    ("salt-mismatch", {"nonce": "Salt-2"}),
    ("claims-malformed", {"jti": None}),
    ("expired", {"iat": 1000000000, "exp": 1000000300}),
    ("not-yet-valid", {"iat": 4000000000, "exp": 4000000300}),
    ("lifetime-invalid", {"exp": int(time.time()) + 86400}),
    ("claims-malformed", {"iat": "now"}),
    ("serial-rollback", {"serial": 6}),
    ("claims-malformed", {"serial": None}),
    ("machine-invalid", {"machine": {"name": "n"}}),
    ("machine-invalid", {"machine": {**MACHINE, "ApiPort": 80}}),
    ("claims-malformed", {"gce": []}),
    ("claims-malformed", {"count": 0}),
])
def test_refused_claims(vmcp, keys, code, changes):
    text = token(private(keys, "ed25519"), "EdDSA", good_claims(**changes)).encode()
    done = vmcp("verify", "--trust", keys["ed25519"].pub, *EXPECT, "--min-serial", "7", "--json",
                stdin=text, code=1)
    assert done.json["code"] == code
    plain = vmcp("verify", "--trust", keys["ed25519"].pub, *EXPECT, "--min-serial", "7", stdin=text,
                 code=1)
    assert plain.out == "" and f"[{code}]" in plain.err  # nothing unverified is printed
    told = vmcp("explain", "--trust", keys["ed25519"].pub, *EXPECT, "--min-serial", "7", "--json",
                stdin=text, code=1).json
    assert told["code"] == code and told["checks"][-1]["code"] == code
    assert all(c["code"] == "ok" for c in told["checks"][:-1])


def test_unknown_parameters_are_warned_about(vmcp, keys):
    machine = {**MACHINE, "zone": "a"}
    text = token(private(keys, "ed25519"), "EdDSA", good_claims(machine=machine)).encode()
    done = vmcp("verify", "--trust", keys["ed25519"].pub, *EXPECT, "--min-serial", "7", stdin=text)
    assert done.json == machine and done.err.count("\n") == 1
    assert done.err.startswith("warning: /machine/zone: ")


@pytest.mark.parametrize("code, header", [
    ("typ-wrong", {"typ": "JWT"}), ("typ-wrong", {"typ": "VMCP+JWT"}),
    ("header-refused", {"crit": ["exp"]}), ("header-refused", {"jwk": {}}),
    ("header-refused", {"jku": "https://evil.example"}), ("header-refused", {"x5c": []}),
    ("header-refused", {"b64": False}), ("key-untrusted", {"kid": "A" * 43}),
])
def test_refused_headers(vmcp, keys, code, header):
    text = token(private(keys, "ed25519"), "EdDSA", good_claims(), **header).encode()
    done = vmcp("verify", "--trust", keys["ed25519"].pub, *EXPECT, "--json", stdin=text, code=1)
    assert done.json["code"] == code
    told = vmcp("explain", "--trust", keys["ed25519"].pub, *EXPECT, "--json", stdin=text, code=1).json
    assert told["code"] == told["checks"][-1]["code"] == code
    assert told["checks"][-1]["detail"] == done.json["detail"]  # and the same sentence


def test_none_and_hmac(vmcp, keys):
    """The classics: no signature at all, and the public key as an HMAC secret."""
    body = b64(json.dumps(good_claims()).encode())
    for sig in ("", "AAAA"):
        text = b64(b'{"alg":"none","typ":"vmcp+jwt"}') + f".{body}.{sig}"
        done = vmcp("verify", "--trust", keys["rsa-2048"].pub, *EXPECT, "--json",
                    stdin=text.encode(), code=1)
        assert done.json["code"] == "alg-refused"
    head = b64(b'{"alg":"HS256","typ":"vmcp+jwt"}')
    mac = hmac.new(keys["rsa-2048"].pub.read_bytes(), f"{head}.{body}".encode(), hashlib.sha256)
    done = vmcp("verify", "--trust", keys["rsa-2048"].pub, *EXPECT, "--json",
                stdin=f"{head}.{body}.{b64(mac.digest())}".encode(), code=1)
    assert done.json["code"] == "alg-refused"


def test_a_strangers_key(vmcp, keys):
    stranger = ed25519.Ed25519PrivateKey.generate()
    text = token(stranger, "EdDSA", good_claims(), kid=keys["ed25519"].thumbprint).encode()
    done = vmcp("verify", "--trust", keys["ed25519"].pub, *EXPECT, "--json", stdin=text, code=1)
    assert done.json["code"] == "signature-invalid"


def test_sizes(vmcp, keys, scratch):
    big = scratch / "big"
    big.write_bytes(b"A" * (1024 * 1024 + 1))
    for path in (big, "/dev/zero"):
        done = vmcp("verify", "--trust", keys["ed25519"].pub, *EXPECT, "--json", path, code=1)
        assert done.json["code"] == "answer-too-large"


# -- what it costs ---------------------------------------------------------------------------------

def cpu_ms(argv):
    """Processor time of a whole process, user and system, by the kernel's count."""
    quiet = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2)]
    pid = os.posix_spawn(argv[0], argv, os.environ, file_actions=quiet)
    _, status, used = os.wait4(pid, 0)
    assert status == 0
    return (used.ru_utime + used.ru_stime) * 1000


def test_verify_is_cheap(bin, vmcp, keys, scratch):
    """Under 10 ms of processor time for an answer of 4 KiB, median of 20."""
    program = bin.vmcp.read_bytes()
    if b"__asan_init" in program or b"__tsan_init" in program or b"__ubsan_handle" in program:
        pytest.skip("a build with sanitizers is slow on purpose")
    machine = write_json(scratch / "web.json",
                         {**MACHINE, "userData": "#!/bin/bash\n" + 'echo "0123456789"\n' * 128})
    answer = scratch / "answer"
    answer.write_bytes(vmcp("sign", "--key", keys["ed25519"].path, *SIGN, machine).bytes.strip())
    assert 4096 <= answer.stat().st_size < 4300
    argv = [str(a) for a in (bin.vmcp, "verify", "--trust", keys["ed25519"].pub, *EXPECT,
                             "--complete", answer)]
    assert statistics.median(cpu_ms(argv) for _ in range(20)) < 10


def libraries(*argv, **more):
    """What the dynamic linker says that it loads."""
    done = run(*argv, env={**os.environ, "LD_DEBUG": "libs"}, **more)
    return done, set(re.findall(r"calling init: \S*/(lib[a-z]+)", done.err))


def test_verify_does_not_load_libcurl(bin, sign, keys):
    done, loaded = libraries(bin.vmcp, "verify", "--trust", keys["ed25519"].pub, *EXPECT,
                             stdin=sign().encode())
    assert done.code == 0 and "libjansson" in loaded and "libcurl" not in loaded
    done, loaded = libraries(bin.vmcp, "fetch", "http://127.0.0.1:1/vmcp", "--trust",
                             keys["ed25519"].pub)
    assert done.code == 4 and "libcurl" in loaded


def test_libcurl_that_is_missing(bin, keys, scratch):
    """Told by name, with what to do; a library that is another is not called."""
    fake = scratch / "libcurl.so.4"
    fetch = (bin.vmcp, "fetch", "http://127.0.0.1:1/vmcp", "--trust", keys["ed25519"].pub, "--json")
    env = {**os.environ, "LD_LIBRARY_PATH": str(scratch)}
    fake.touch()
    done = run(*fetch, env=env)
    assert done.code == 3 and done.json["code"] == "file" and "install it" in done.json["detail"]
    other = run(bin.vmcp, "version", env={**os.environ, "LD_DEBUG": "libs"}).err
    shutil.copy(re.search(r"calling init: (\S*/libjansson\S*)", other)[1], fake)
    done = run(*fetch, env=env)
    assert done.code == 3 and "it has no curl_" in done.json["detail"]


# -- the command line ------------------------------------------------------------------------------

def test_where_the_answer_comes_from(vmcp, sign, keys, scratch):
    text = sign()
    path = scratch / "answer"
    for content in (text, text + "\n"):  # as `vmcp sign` and an editor end it
        path.write_text(content)
        for source in ([path], ["-"], []):
            done = vmcp("verify", "--trust", keys["ed25519"].pub, *EXPECT, "--min-serial", "7",
                        "--complete", *source, stdin=content.encode())
            assert done.json == MACHINE and done.err == ""
    path.write_text(text + "\n\n")
    vmcp("verify", "--trust", keys["ed25519"].pub, *EXPECT, path, code=1)
    vmcp("verify", "--trust", keys["ed25519"].pub, *EXPECT, scratch / "absent", code=3)


def test_report(vmcp, sign, keys):
    report = vmcp("verify", "--trust", keys["ed25519"].pub, *EXPECT, "--json",
                  stdin=sign().encode()).json
    assert report["code"] == "ok" and report["format"] == "v2" and report["alg"] == "EdDSA"
    assert report["kid"] == keys["ed25519"].thumbprint
    assert (report["iss"], report["sub"], report["serial"]) == (DOMAIN, "web", 7)
    assert report["machine"] == MACHINE and report["gce"] == {"labels": {"é": "€"}}
    assert report["exp"] - report["iat"] == 300 and report["count"] == 1


def test_what_was_not_expected_is_said(vmcp, sign, keys):
    text, trust = sign().encode(), ("--trust", keys["ed25519"].pub)
    done = vmcp("verify", *trust, "--salt", "Salt-1", stdin=text)
    assert done.json == MACHINE
    assert "not checked: domain, machine, host id, serial (" in done.err
    done = vmcp("verify", *trust, "--salt", "Salt-1", "--domain", DOMAIN, stdin=text)
    assert "not checked: machine, host id, serial (" in done.err
    done = vmcp("verify", *trust, *EXPECT, stdin=text)
    assert "not checked: serial (" in done.err
    done = vmcp("verify", *trust, *EXPECT, "--min-serial", "7", stdin=text)
    assert done.err == ""
    told = vmcp("explain", *trust, "--salt", "Salt-1", "--json", stdin=text).json
    assert [c["check"] for c in told["checks"] if c["code"] == "not-checked"] == [
        "iss", "sub", "aud", "serial"]


@pytest.mark.parametrize("options, code", [
    ([], "usage"),                                               # no salt
    (["--salt", "Salt-1", "--complete"], "usage"),               # and no domain, no host id
    (["--salt", "Salt-1", "--complete", "--domain", DOMAIN], "usage"),
    (["--salt", "a b"], "salt-malformed"),
    (["--salt", "a\nb"], "salt-malformed"),
    (["--salt", "s", "--hostid", "a=b"], "hostid-malformed"),
    (["--salt", "s", "--domain", "A.B"], "domain-malformed"),
    (["--salt", "s", "--machine", "A"], "name-malformed"),
    (["--salt", "s", "--format", "v3"], "usage"),
    (["--salt", "s", "--max-skew", "3601"], "usage"),
    (["--salt", "s", "--min-serial", "-1"], "usage"),
    (["--salt", "s", "--salt", "s"], "usage"),
    (["--salt", "s", "a", "b"], "usage"),
    (["--salt", "s", "--format", "v1", "--complete"], "usage"),  # and no name
])
@pytest.mark.parametrize("verb", ["verify", "explain"])
def test_usage(vmcp, sign, keys, verb, options, code):
    done = vmcp(verb, "--trust", keys["ed25519"].pub, *options, "--json", stdin=sign().encode(),
                code=2)
    assert done.json["code"] == code


def test_complete_lets_the_machine_be_reported(vmcp, sign, keys):
    done = vmcp("verify", "--trust", keys["ed25519"].pub, *SIGN, "--complete", "--json",
                stdin=sign().encode())
    assert done.json["sub"] == "web" and "not checked: machine" in done.err


def test_forms_of_trust(vmcp, sign, keys, scratch):
    text, key = sign().encode(), keys["ed25519"]
    jwks = scratch / "keys.jwks"
    jwks.write_bytes(vmcp("pubkey", key.pub, "--format", "jwks").bytes)
    der = scratch / "key.der"
    der.write_bytes(vmcp("pubkey", key.pub, "--format", "der").bytes)
    several = scratch / "several.pem"
    several.write_text(keys["p-256"].pub.read_text() + key.pub.read_text())
    lines = scratch / "lines"
    lines.write_text(f"# ours\n{key.thumbprint}\n")

    def verify(*trust, code=0):
        return vmcp("verify", *trust, *EXPECT, "--json", stdin=text, code=code).json["code"]

    for path in (key.pub, jwks, der, several):
        assert verify("--trust", path) == "ok"
    assert verify("--trust", key.pub, "--trust", key.pub) == "ok"
    assert verify("--trust", keys["p-256"].pub, "--trust", key.pub) == "ok"
    assert verify("--trust", lines, "--jwks", jwks) == "ok"
    assert verify("--thumbprint", key.thumbprint, "--jwks", jwks) == "ok"
    assert verify("--trust", lines, code=1) == "key-untrusted"
    assert verify("--thumbprint", keys["p-256"].thumbprint, "--jwks", jwks,
                  code=1) == "key-untrusted"
    assert verify(code=2) == "usage"
    assert verify("--thumbprint", "short", code=3) == "trust-invalid"
    assert verify("--trust", key.path, code=3) == "trust-invalid"  # a private key
    assert verify("--trust", scratch / "absent", code=3) == "trust-invalid"
    (scratch / "empty").touch()
    assert verify("--trust", scratch / "empty", code=3) == "trust-invalid"


def test_retired_keys(vmcp, sign, keys, scratch):
    document = vmcp("pubkey", keys["ed25519"].pub, "--format", "jwks").json
    document["keys"].append(vmcp("pubkey", keys["p-256"].pub, "--format", "jwk").json)
    for status, code in (("active", 0), ("next", 0), ("retired", 1)):
        document["keys"][0]["status"] = status
        path = write_json(scratch / "keys.jwks", document)
        done = vmcp("verify", "--trust", path, *EXPECT, "--json", stdin=sign().encode(), code=code)
        assert code == 0 or (done.json["code"] == "key-untrusted" and "retired" in done.json["detail"])
    del document["keys"][1]  # nothing is left that may answer
    done = vmcp("verify", "--trust", write_json(scratch / "keys.jwks", document), *EXPECT, "--json",
                stdin=sign().encode(), code=3)
    assert done.json["code"] == "trust-invalid" and "retired" in done.json["detail"]


def test_a_thumbprint_without_its_key(vmcp, sign, keys):
    for verb in ("verify", "explain"):
        done = vmcp(verb, "--thumbprint", keys["ed25519"].thumbprint, *EXPECT, "--json",
                    stdin=sign().encode(), code=1)
        assert done.json["code"] == "key-untrusted" and "only its thumbprint is known" in done.out


def test_skew(vmcp, keys):
    now = int(time.time())
    text = token(private(keys, "ed25519"), "EdDSA", good_claims(iat=now - 400, exp=now - 100))
    trust = ("--trust", keys["ed25519"].pub)
    vmcp("verify", *trust, *EXPECT, stdin=text.encode())
    vmcp("verify", *trust, *EXPECT, "--max-skew", "0", stdin=text.encode(), code=1)


def test_explain(vmcp, sign, keys):
    done = vmcp("explain", "--trust", keys["ed25519"].pub, *EXPECT, "--min-serial", "7",
                stdin=sign().encode())
    lines = done.out.splitlines()
    assert all(line.startswith("ok ") for line in lines) and len(lines) == 11
    done = vmcp("explain", "--trust", keys["ed25519"].pub, "--domain", DOMAIN, "--salt", "Salt-2",
                stdin=sign().encode(), code=1)
    assert "FAIL salt (nonce)     wanted: Salt-2\n" in done.out and "salt-mismatch" in done.out and "\x1b" not in done.out
    assert done.out.splitlines()[-1].lstrip().startswith("^")


@pytest.mark.parametrize("changes, words", [
    ({"iss": "other.example.org"}, f"the answer is of other.example.org; {DOMAIN} was wanted"),
    ({"sub": "db"}, "the answer is the machine db; web was wanted"),
    ({"aud": "host-2"}, "the answer was made for the host id host-2; ours is host-1"),
    ({"aud": "host-2" * 40}, "for the host id host-2host-2…; ours is host-1"),  # a secret of its own
    ({"nonce": "Salt-2"}, "the answer was made for the salt Salt-2; Salt-1 was sent: it is a replay"),
    ({"nonce": "S" * 200}, f"for the salt {'S' * 64}…; Salt-1 was sent: it is a replay"),
])
def test_a_mismatch_shows_both(vmcp, keys, changes, words):
    """Behind a good signature the answer's own words help whoever reads them."""
    text = token(private(keys, "ed25519"), "EdDSA", good_claims(**changes)).encode()
    for verb in ("verify", "explain"):
        done = vmcp(verb, "--trust", keys["ed25519"].pub, *EXPECT, stdin=text, code=1)
        assert words in done.out + done.err


@pytest.mark.parametrize("at, words", [
    ("2026-11-20T05:00:00Z", None), ("1795150800", None), ("2026-11-20T06:30:00.5+01:30", None),
    ("2026-11-20 05:10:00Z", None),  # within the skew
    ("2026-11-21T07:05:00Z", "expired 26 h ago, at 2026-11-20T05:05:00Z: "),
    ("2026-11-29T07:05:00Z", "expired 9 days ago, at 2026-11-20T05:05:00Z: "),
    ("2026-11-20T04:48:00Z", "issued 12 min in the future, at 2026-11-20T05:00:00Z: "
                             "are the clocks right? (300 s apart are allowed)"),
])
def test_explain_as_of_then(vmcp, keys, at, words):
    iat = 1795150800
    text = token(private(keys, "ed25519"), "EdDSA", good_claims(iat=iat, exp=iat + 300)).encode()
    done = vmcp("explain", "--trust", keys["ed25519"].pub, *EXPECT, "--at", at, stdin=text,
                code=1 if words else 0)
    assert (words or "ok   time") in done.out and "now 2026-11-2" in done.out


@pytest.mark.parametrize("at", ["", "yesterday", "2026-11-20", "2026-11-20T05:00:00", "-1",
                                "2026-11-31T05:00:00Z", "2026-13-01T05:00:00Z", "1969-12-31T23:59:59Z",
                                "2026-11-20T24:00:00Z", "2026-11-20T05:00:00+1:00", "99999999999999999",
                                "2026-11-20T05:00:00Zz", "2026-11-2"])
def test_explain_as_of_no_time(vmcp, keys, sign, at):
    done = vmcp("explain", "--trust", keys["ed25519"].pub, *EXPECT, "--at", at, "--json",
                stdin=sign().encode(), code=2)
    assert done.json["code"] == "usage" and "is not a time" in done.json["detail"]
    vmcp("verify", "--trust", keys["ed25519"].pub, *EXPECT, "--at", "1", code=2)  # explain's alone


def test_an_untrusted_key_is_told_the_trusted_ones(vmcp, keys, sign):
    thumbprints = {k: vmcp("thumbprint", keys[k].path).out.strip() for k in ("ed25519", "p-256")}
    done = vmcp("verify", "--trust", keys["p-256"].pub, *EXPECT, stdin=sign().encode(), code=1)
    assert (f"the answer names the key {thumbprints['ed25519']}, which is not among the trusted "
            f"ones of {DOMAIN}: {thumbprints['p-256']} [key-untrusted]") in done.err
    more = [x for i in range(9) for x in ("--thumbprint", f"{i}" * 43)]
    done = vmcp("verify", *more, *EXPECT, stdin=sign().encode(), code=1)
    assert f": {'0' * 43}, {'1' * 43} and 7 more [" in done.err


def test_the_other_version_and_nothing(vmcp, keys, sign):
    trust = ("--trust", keys["rsa-2048"].pub, "--trust", keys["ed25519"].pub)
    v1 = json.dumps(v1_sign(private(keys, "rsa-2048"), V1_MACHINE, "Salt-1")).encode()
    for text, options, words in ((v1, (), "--format v1"), (b" \n" + v1, (), "--format v1"),
                                 (sign().encode(), ("--format", "v1"), "--format v2"),
                                 (b"", (), "empty"), (b"\n", ("--format", "v1"), "empty")):
        done = vmcp("verify", *trust, *EXPECT, *options, "--json", stdin=text, code=1)
        assert done.json["code"] == "answer-malformed" and words in done.json["detail"]


def test_what_version_1_cannot_be_held_against(vmcp, keys):
    text = json.dumps(v1_sign(private(keys, "rsa-2048"), V1_MACHINE, "Salt-1")).encode()
    options = ("--format", "v1", "--trust", keys["rsa-2048"].pub, *SIGN, "--min-serial", "3",
               "--expect-name", V1_MACHINE["name"])
    note = "note: --domain, --hostid, --min-serial: version 1 carries nothing"
    assert note in vmcp("verify", *options, stdin=text).err
    done = vmcp("explain", *options, stdin=text)
    assert note in done.err
    assert re.findall("^skip ([a-z]+)", done.out, re.M) == ["domain", "host", "time", "serial"]
    told = vmcp("explain", *options, "--json", stdin=text).json["checks"]
    assert [c["check"] for c in told if c["code"] == "not-checked"] == ["iss", "aud", "time", "serial"]
    done = vmcp("verify", *options[:-1], "db", stdin=text, code=1)
    assert f"the answer's name is \"{V1_MACHINE['name']}\"; \"db\" was wanted" in done.err
    assert "--expect-name" in done.err


def test_skew_as_time(vmcp, keys):
    now = int(time.time())
    text = token(private(keys, "ed25519"), "EdDSA", good_claims(iat=now - 700, exp=now - 400)).encode()
    trust = ("--trust", keys["ed25519"].pub)
    vmcp("verify", *trust, *EXPECT, stdin=text, code=1)
    vmcp("verify", *trust, *EXPECT, "--max-skew", "10m", stdin=text)


EVIL = "\x1b]0;evil\x07\n\x7f\x9b\u202eeslaf\u2066"


def is_clean(text, lines=None):
    """Nothing in it steers a terminal or makes a line of its own."""
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", text), text
    return lines is None or text.count("\n") == lines


@pytest.mark.parametrize("where", ["kid", "typ", "alg", "iss", "sub", "aud", "nonce", "jti", "key",
                                   "value", "not JSON", "duplicate"])
def test_what_nobody_has_verified_is_shown_clean(vmcp, keys, where):
    """A word of an answer is anybody's word before the signature is checked, and shown as text."""
    header, claims = {}, good_claims()
    if where in ("kid", "typ"):
        header[where] = EVIL
    elif where in claims:
        claims[where] = EVIL if where != "jti" else [EVIL]
    elif where == "key":
        claims["machine"] = {**MACHINE, EVIL: 1}
    elif where == "value":
        claims["machine"] = {**MACHINE, "cpus": EVIL}
    text = token(private(keys, "ed25519"), "EdDSA", claims, **header)
    if where == "alg":
        text = b64(json.dumps({"alg": EVIL, "typ": "vmcp+jwt"}).encode()) + text[text.index("."):]
    if where == "not JSON":
        text = b64(EVIL.encode()) + text[text.index("."):]
    if where == "duplicate":
        name = json.dumps(EVIL)
        text = b64(f"{{{name}: 1, {name}: 1}}".encode()) + text[text.index("."):]
    for verb in ("verify", "explain"):
        for more in ([], ["--json"]):
            done = vmcp(verb, "--trust", keys["ed25519"].pub, *EXPECT, *more, stdin=text.encode(),
                        code=1)
            assert is_clean(done.out) and is_clean(done.err)
    assert is_clean(done.err, lines=0) and json.loads(done.out)["code"] != "ok"


def test_what_nobody_has_verified_of_version_1(vmcp, keys):
    params = v1_sign(private(keys, "rsa-2048"), {**MACHINE, "name": EVIL}, "Salt-1")
    broken = [{**params, "cpus": EVIL}, {**params, EVIL: 1}, {**params, "signature": EVIL}]
    for answer in broken:
        for verb in ("verify", "explain"):
            done = vmcp(verb, "--format", "v1", "--trust", keys["rsa-2048"].pub, "--salt", "Salt-1",
                        "--expect-name", "web", stdin=json.dumps(answer).encode(), code=1)
            assert is_clean(done.out) and is_clean(done.err) and MACHINE["secret"] not in done.out
    done = vmcp("explain", "--format", "v1", "--trust", keys["rsa-2048"].pub, "--salt", "Salt-1",
                "--expect-name", "web", stdin=json.dumps(params).encode(), code=1)
    assert is_clean(done.out) and "machine-mismatch" in done.out

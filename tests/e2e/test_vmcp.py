# SPDX-License-Identifier: Apache-2.0
"""vmcp: each verb as an operator types it - results, errors, exit codes, --json, --help."""
import base64
import json
import os
import re
import stat
import subprocess
import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (load_der_public_key,
                                                          load_pem_private_key,
                                                          load_pem_public_key)
from jwcrypto import jwk

from conftest import DOMAIN, MACHINE, write_json

VERBS = ("keygen", "pubkey", "thumbprint", "keystore", "lint", "sign", "verify", "explain", "canon",
         "fetch", "completion", "version")
SIGN = ("--domain", DOMAIN, "--hostid", "host-1", "--salt", "Salt-1")
EXPECT = ("--domain", DOMAIN, "--hostid", "host-1", "--salt", "Salt-1", "--machine", "web")


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.fixture
def web(scratch):
    """A machine file."""
    return write_json(scratch / "web.json", {"serial": 7, "machine": MACHINE})


@pytest.fixture
def answer(vmcp, keys, web, scratch):
    """A good version 2 answer, as a file."""
    path = scratch / "answer.jose"
    path.write_text(vmcp("sign", "--key", keys["ed25519"].path, *SIGN, web).out)
    return path


# -- the frame ---------------------------------------------------------------------------------

def test_help(vmcp):
    text = vmcp("--help").out
    for verb in VERBS:
        assert re.search(rf"^  {verb} +\S", text, re.M), verb
    assert vmcp("-h").out == text
    assert vmcp(code=2).out == ""


@pytest.mark.parametrize("verb", VERBS)
def test_help_of_each_verb(vmcp, verb):
    text = vmcp(verb, "--help").out
    assert text.startswith(f"vmcp {verb} - ")
    assert f"usage: vmcp {verb} " in text
    assert "--json" in text and "--help" in text
    assert f"vmcp {verb}" in text.split("example:\n")[1]


@pytest.mark.parametrize("verb", VERBS)
def test_mistyped_options(vmcp, verb):
    done = vmcp(verb, "--jsn", code=2)
    assert done.out == "" and "did you mean --json?" in done.err and "[usage]" in done.err
    done = vmcp(verb, "--json", "--no-such-thing", code=2)
    assert done.json["code"] == "usage" and "no-such-thing" in done.json["detail"]


def test_mistyped_verbs(vmcp):
    assert vmcp("verfiy", code=2).err == ("vmcp: error: there is no verb verfiy; did you mean "
                                          "verify? [usage]\n")
    assert "did you mean" not in vmcp("frobnicate", code=2).err
    assert vmcp("frobnicate", "--json", code=2).json["code"] == "usage"
    assert vmcp("", code=2).out == ""


def test_version(vmcp):
    text = vmcp("version").out
    assert re.fullmatch(r"vmcp \d+\.\d+\.\d+\n", text)
    assert vmcp("--version").out == text
    assert vmcp("version", "--json").json == {"code": "ok", "version": text.split()[1]}


def test_output_that_cannot_be_written(bin):
    """A full disk is an error, not a silent success."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run([bin.vmcp, "version"], stdout=full, stderr=subprocess.PIPE,
                              check=False, timeout=20)
    assert done.returncode == 3 and b"standard output" in done.stderr


# -- keygen, pubkey, thumbprint ------------------------------------------------------------------

@pytest.mark.parametrize("alg, type_name, kind", [
    ("ed25519", "Ed25519", ed25519.Ed25519PrivateKey),
    ("p-256", "P-256", ec.EllipticCurvePrivateKey),
    ("rsa-2048", "RSA-2048", rsa.RSAPrivateKey)])
def test_keygen(vmcp, scratch, alg, type_name, kind):
    path, umask = scratch / "k.key", os.umask(0)
    try:
        done = vmcp("keygen", "--alg", alg, "--out", path, "--json")
    finally:
        os.umask(umask)
    assert mode(path) == 0o600 and mode(f"{path}.pub") == 0o644
    key = load_pem_private_key(path.read_bytes(), None)
    assert isinstance(key, kind)
    public = (scratch / "k.key.pub").read_bytes()
    thumbprint = jwk.JWK.from_pem(public).thumbprint()
    assert done.json == {"code": "ok", "type": type_name, "thumbprint": thumbprint,
                         "private": str(path), "public": f"{path}.pub"}
    assert load_pem_public_key(public).public_numbers() == key.public_key().public_numbers() \
        if alg != "ed25519" else True
    assert subprocess.run(["openssl", "pkey", "-in", path, "-noout", "-check"], check=False,
                          capture_output=True, timeout=20).returncode == 0


def test_keygen_never_overwrites(vmcp, scratch):
    path = scratch / "k.key"
    vmcp("keygen", "--alg", "ed25519", "--out", path)
    before = path.read_bytes(), (scratch / "k.key.pub").read_bytes()
    done = vmcp("keygen", "--alg", "ed25519", "--out", path, "--json", code=3)
    assert done.json["code"] == "file-exists"
    assert (path.read_bytes(), (scratch / "k.key.pub").read_bytes()) == before
    path.unlink()  # the public half alone is not overwritten either, and no private one appears
    assert "file-exists" in vmcp("keygen", "--alg", "p-256", "--out", path, code=3).err
    assert not path.exists() and (scratch / "k.key.pub").read_bytes() == before[1]


def test_keygen_errors(vmcp, scratch):
    vmcp("keygen", code=2)
    vmcp("keygen", "--alg", "ed25519", code=2)
    vmcp("keygen", "--out", scratch / "k", code=2)
    vmcp("keygen", "--alg", "rsa-1024", "--out", scratch / "k", code=2)
    vmcp("keygen", "--alg", "ed25519", "--out", scratch / "k", "operand", code=2)
    vmcp("keygen", "--alg", "ed25519", "--out", scratch / "no" / "k", code=3)
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("alg", ["ed25519", "p-256", "rsa-2048"])
def test_pubkey(vmcp, keys, alg):
    key = keys[alg]
    pem = key.pub.read_bytes()
    want = load_pem_public_key(pem)
    for source in (key.path, key.pub):
        assert vmcp("pubkey", source).bytes == pem
        assert vmcp("pubkey", source, "--format=pem").bytes == pem
        der = load_der_public_key(vmcp("pubkey", source, "--format", "der").bytes)
        jwks = vmcp("pubkey", source, "--format", "jwks").json
        single = vmcp("pubkey", source, "--format", "jwk").json
        assert jwks == {"keys": [single]}
        assert vmcp("pubkey", source, "--json").json == {"code": "ok", "jwk": single}
        assert single["kid"] == key.thumbprint and single["use"] == "sig" and "d" not in single
        imported = jwk.JWK(**single)
        assert imported.thumbprint() == key.thumbprint
        if alg != "ed25519":
            assert der.public_numbers() == want.public_numbers()
            assert imported.get_op_key("verify").public_numbers() == want.public_numbers()


def test_pubkey_errors(vmcp, keys, scratch):
    vmcp("pubkey", code=2)
    vmcp("pubkey", keys["p-256"].pub, keys["p-256"].pub, code=2)
    vmcp("pubkey", keys["p-256"].pub, "--format", "ssh", code=2)
    vmcp("pubkey", scratch / "absent", code=3)
    vmcp("pubkey", scratch, code=3)
    open_key = scratch / "open.key"
    open_key.write_bytes(keys["ed25519"].path.read_bytes())
    open_key.chmod(0o644)
    done = vmcp("pubkey", open_key, code=3)
    assert "[file-mode]" in done.err and f"chmod 600 {open_key}" in done.err and not done.out
    (scratch / "no.pem").write_text("nothing here")
    assert "[key-malformed]" in vmcp("pubkey", scratch / "no.pem", code=3).err


def test_thumbprint(vmcp, keys, scratch):
    files = [keys["ed25519"].path, keys["p-256"].pub, keys["rsa-2048"].pub]
    want = [keys[k].thumbprint for k in ("ed25519", "p-256", "rsa-2048")]
    assert vmcp("thumbprint", *files).out.split() == want
    report = vmcp("thumbprint", *files, "--json").json
    assert [k["thumbprint"] for k in report["keys"]] == want
    assert [k["type"] for k in report["keys"]] == ["Ed25519", "P-256", "RSA-2048"]
    for path, expected in zip(files[1:], want[1:]):
        assert jwk.JWK.from_pem(path.read_bytes()).thumbprint() == expected
    vmcp("thumbprint", code=2)
    assert vmcp("thumbprint", scratch / "absent", "--json", code=3).json["code"] == "file"


# -- sign, canon -----------------------------------------------------------------------------------

def claims(token):
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))


def test_sign_names_the_machine_after_its_file(vmcp, keys, web, scratch):
    p = claims(vmcp("sign", "--key", keys["ed25519"].path, *SIGN, web).out.strip())
    assert p["sub"] == "web" and p["serial"] == 7 and p["machine"] == MACHINE
    assert p["exp"] - p["iat"] == 300 and abs(p["iat"] - time.time()) < 60
    p = claims(vmcp("sign", "--key", keys["ed25519"].path, *SIGN, "--machine", "other", "--ttl",
                    "60", web).out.strip())
    assert p["sub"] == "other" and p["exp"] - p["iat"] == 60
    bare = write_json(scratch / "bare.json", MACHINE)
    p = claims(vmcp("sign", "--key", keys["ed25519"].path, *SIGN, bare).out.strip())
    assert p["sub"] == "bare" and p["serial"] == 0
    p = claims(vmcp("sign", "--key", keys["ed25519"].path, *SIGN, "--machine", "piped", "-",
                    stdin=json.dumps(MACHINE).encode()).out.strip())
    assert p["sub"] == "piped"


def test_sign_chooses_the_key(vmcp, keys, web):
    """Ed25519, P-256, RSA for version 2, whatever the order; with --alg, the one that it fits."""
    paths = [o for k in ("rsa-2048", "p-256", "ed25519") for o in ("--key", keys[k].path)]

    def alg(*more, key_options=paths):
        token = vmcp("sign", *key_options, *SIGN, *more, web).out.strip()
        return json.loads(base64.urlsafe_b64decode(token.split(".")[0] + "=="))["alg"]

    assert alg() == "EdDSA"
    assert alg(key_options=paths[:4]) == "ES256"
    assert alg(key_options=paths[:2]) == "PS256"
    for name in ("EdDSA", "ES256", "PS256", "RS256", "RS512"):
        assert alg("--alg", name) == name
    v1 = vmcp("sign", *paths, "--salt", "Salt-1", "--format", "v1", web).json
    assert len(base64.b64decode(v1["signature"])) == 256


def test_sign_json(vmcp, keys, web):
    report = vmcp("sign", "--key", keys["ed25519"].path, *SIGN, "--json", web).json
    assert report["code"] == "ok" and claims(report["answer"])["sub"] == "web"


@pytest.mark.parametrize("options, exit_code, code", [
    (["--salt", "s"], 2, "usage"),                                            # version 2 needs both
    (["--salt", "s", "--domain", DOMAIN], 2, "usage"),
    (["--domain", DOMAIN, "--hostid", "h"], 2, "usage"),                      # no salt
    (["--salt", "a b", "--domain", DOMAIN, "--hostid", "h"], 2, "salt-malformed"),
    (["--salt", "zone=evil\nabc", "--domain", DOMAIN, "--hostid", "h"], 2, "salt-malformed"),
    (["--salt", "s", "--domain", "Not A Domain", "--hostid", "h"], 2, "domain-malformed"),
    (["--salt", "s", "--domain", DOMAIN, "--hostid", "h=1"], 2, "hostid-malformed"),
    ([*SIGN, "--machine", "No Name"], 2, "name-malformed"),
    ([*SIGN, "--alg", "HS256"], 2, "usage"),
    ([*SIGN, "--alg", "none"], 2, "usage"),
    ([*SIGN, "--alg", "ES256"], 3, "key-unsupported"),
    ([*SIGN, "--ttl", "10"], 2, "usage"),
    ([*SIGN, "--format", "v3"], 2, "usage"),
    (["--salt", "s", "--format", "v1"], 3, "no-rsa-key"),
])
def test_sign_errors(vmcp, keys, web, options, exit_code, code):
    done = vmcp("sign", "--json", "--key", keys["ed25519"].path, *options, web, code=exit_code)
    assert done.json["code"] == code


def test_sign_input_errors(vmcp, keys, web, scratch):
    key = ("--key", keys["ed25519"].path)
    vmcp("sign", *SIGN, web, code=2)
    assert "[key-public-only]" in vmcp("sign", "--key", keys["ed25519"].pub, *SIGN, web,
                                       code=3).err
    vmcp("sign", "--key", scratch / "absent", *SIGN, web, code=3)
    vmcp("sign", *key, *SIGN, scratch / "absent.json", code=3)
    vmcp("sign", *key, *SIGN, "-", stdin=b"{}", code=2)  # standard input has no name
    broken = scratch / "broken.json"
    broken.write_text('{"name": "n",\n "secret": 1}')
    done = vmcp("sign", *key, *SIGN, broken, code=3)
    assert f"{broken}:2:12: " in done.err and done.out == ""
    only_v2 = write_json(scratch / "gce.json", {"machine": MACHINE, "gce": {"labels": {}}})
    done = vmcp("sign", "--key", keys["rsa-2048"].path, "--salt", "s", "--format", "v1", only_v2,
                code=3)
    assert "[version-2-only]" in done.err and "neither `gce`" in done.err


def test_sign_with_a_secret(vmcp, keys, scratch):
    secret = scratch / "secret"
    machine = write_json(scratch / "web.json", {**MACHINE, "secret": "${vmcp.hmac.session}"})
    argv = ("sign", "--key", keys["ed25519"].path, *SIGN, "--secret", secret, machine)
    for length, mode, code in ((32, 0o600, None), (31, 0o600, "file"), (32, 0o644, "file-mode")):
        secret.write_bytes(bytes(length))
        secret.chmod(mode)
        done = vmcp(*argv, code=3 if code else 0)
        assert f"[{code}]" in done.err if code else len(
            claims(done.out)["machine"]["secret"]) == 64
        secret.chmod(0o600)
    secret.unlink()
    assert "[file]" in vmcp(*argv, code=3).err


def test_canon(vmcp, scratch):
    path = write_json(scratch / "t.json", {"name": "My first VM", "secret": "s/ é", "Zeta": 1,
                                           "on": True})
    want = "Zeta=1\nname=My%20first%20VM\non=1\nsecret=s%2F%20%C3%A9\nSalt-1".replace("Zeta",
                                                                                      "zeta")
    assert vmcp("canon", "--salt", "Salt-1", path).out == want
    assert vmcp("canon", "--salt", "Salt-1", "-", stdin=path.read_bytes()).out == want
    assert vmcp("canon", "--salt", "Salt-1", "--json", path).json == {"code": "ok", "text": want}
    vmcp("canon", path, code=2)
    vmcp("canon", "--salt", "a\nb", path, code=2)


# -- keystore --------------------------------------------------------------------------------------

def test_keystore(vmcp, keys, scratch):
    root = scratch / "root.key"
    vmcp("keygen", "--alg", "rsa-2048", "--out", root)
    listed = f"{DOMAIN}={keys['rsa-2048'].pub}"
    done = vmcp("keystore", "sign", "--root", root, "--out", scratch, listed, "--json")
    assert done.json == {"code": "ok", "domains": {DOMAIN: keys["rsa-2048"].thumbprint}}
    text = (scratch / "domainkeys.lst").read_text()
    domain, encoded = text.strip().split("=", 1)
    assert domain == DOMAIN
    assert load_der_public_key(base64.b64decode(encoded, validate=True)).public_numbers() == \
        load_pem_public_key(keys["rsa-2048"].pub.read_bytes()).public_numbers()
    check = subprocess.run(["openssl", "dgst", "-sha512", "-verify", f"{root}.pub", "-signature",
                            scratch / "domainkeys.sig", scratch / "domainkeys.lst"], check=False,
                           capture_output=True, timeout=20)
    assert check.returncode == 0, check
    assert DOMAIN in vmcp("keystore", "verify", "--root", f"{root}.pub", scratch).out
    (scratch / "domainkeys.lst").write_text(text.replace(DOMAIN, "evil.example.org"))
    done = vmcp("keystore", "verify", "--root", f"{root}.pub", scratch, "--json", code=1)
    assert done.json["code"] == "signature-invalid" and "the list" in done.json["detail"]
    # the root key may not be one of the listed ones
    vmcp("keystore", "sign", "--root", root, "--out", scratch, f"{DOMAIN}={root}.pub", code=3)
    done = vmcp("keystore", "sign", "--root", root, "--out", scratch / "a", listed, code=3)
    assert f"make it with: mkdir -p {scratch / 'a'} [file]" in done.err
    vmcp("keystore", "sign", "--root", root, "--out", scratch, listed, listed, code=2)
    vmcp("keystore", "sign", "--root", root, "--out", scratch, DOMAIN, code=2)
    vmcp("keystore", "frobnicate", "--root", root, scratch, code=2)
    vmcp("keystore", "verify", scratch, code=2)


def test_completion(vmcp, scratch):
    script = vmcp("completion", "bash").out
    (scratch / "c").write_text(script)
    ask = ("source ./c; COMP_WORDS=(vmcp {}); COMP_CWORD={}; _vmcp; echo ${{COMPREPLY[@]}}")

    def complete(words, at):
        return subprocess.run(["bash", "-c", ask.format(words, at)], cwd=scratch, text=True,
                              capture_output=True, check=True, timeout=20).stdout.split()

    assert complete("ver", 1) == ["verify", "version"]
    assert "--complete" in complete("verify --co", 2)
    assert complete("sign --ttl", 2) == ["--ttl"]
    vmcp("completion", "fish", code=2)


def test_help_of_a_verb(vmcp):
    for verb in VERBS:
        assert vmcp("help", verb).out == vmcp(verb, "--help").out
    assert vmcp("help").out == vmcp("--help").out
    assert "did you mean sign?" in vmcp("help", "sing", code=2).err


def test_sign_for_some_minutes(vmcp, keys, scratch):
    path = write_json(scratch / "web.json", MACHINE)
    token = vmcp("sign", "--key", keys["ed25519"].path, "--domain", DOMAIN, "--hostid", "h", "--salt",
                 "s", "--ttl", "5m", path).out
    part = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert claims["exp"] - claims["iat"] == 300
    done = vmcp("sign", "--key", keys["ed25519"].path, "--domain", DOMAIN, "--hostid", "h", "--salt",
                "s", "--json", write_json(scratch / "bad.json", {"secret": "s"}), code=3)
    assert done.json["code"] == "config-invalid" and "no `name`" in done.json["detail"]

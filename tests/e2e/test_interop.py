# SPDX-License-Identifier: Apache-2.0
"""Our answers read by other people's code, and theirs by ours."""
import base64
import functools
import json
import shutil
import subprocess

import jwt
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, utils
from cryptography.hazmat.primitives.serialization import (load_pem_private_key,
                                                          load_pem_public_key)
from jwcrypto import jwk, jws

from conftest import DOMAIN, MACHINE
from test_vmcp_verify import (ALGS, EXPECT, KEY_OF, SIGN, V1_MACHINE, b64, good_claims, private,
                              sign, token, unb64, v1_sign, v1_text, web, write_json)

__all__ = ["sign", "web"]  # fixtures of theirs


def raw_verify(key, alg, data, sig):
    if alg == "EdDSA":
        key.verify(sig, data)
    elif alg == "ES256":
        assert len(sig) == 64
        der = utils.encode_dss_signature(int.from_bytes(sig[:32], "big"),
                                         int.from_bytes(sig[32:], "big"))
        key.verify(der, data, ec.ECDSA(hashes.SHA256()))
    elif alg == "PS256":
        key.verify(sig, data, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())
    else:
        key.verify(sig, data, padding.PKCS1v15(),
                   hashes.SHA512() if alg == "RS512" else hashes.SHA256())


# -- python's libraries ----------------------------------------------------------------------------

@pytest.mark.parametrize("alg", ALGS)
def test_ours_verified_by_cryptography(sign, keys, alg):
    text = sign(alg)
    head, body, sig = text.split(".")
    assert json.loads(unb64(head)) == {"alg": alg, "kid": keys[KEY_OF[alg]].thumbprint,
                                       "typ": "vmcp+jwt"}
    public = load_pem_public_key(keys[KEY_OF[alg]].pub.read_bytes())
    raw_verify(public, alg, f"{head}.{body}".encode(), unb64(sig))
    with pytest.raises(InvalidSignature):
        raw_verify(public, alg, f"{head}.{body}x".encode(), unb64(sig))
    claims = json.loads(unb64(body))
    assert claims["machine"] == MACHINE and claims["gce"] == {"labels": {"é": "€"}}


@pytest.mark.parametrize("alg", ALGS)
def test_ours_verified_by_jwt(sign, keys, alg):
    claims = jwt.decode(sign(alg), keys[KEY_OF[alg]].pub.read_text(), algorithms=[alg],
                        audience="host-1", issuer=DOMAIN,
                        options={"require": ["iss", "sub", "aud", "iat", "exp", "jti", "nonce"]})
    assert claims["nonce"] == "Salt-1" and claims["serial"] == 7


@pytest.mark.parametrize("alg", ALGS)
def test_ours_verified_by_jwcrypto(vmcp, sign, keys, alg):
    """With the key as `vmcp pubkey` publishes it."""
    published = vmcp("pubkey", keys[KEY_OF[alg]].pub, "--format", "jwks").out
    key = jwk.JWKSet.from_json(published).get_key(keys[KEY_OF[alg]].thumbprint)
    read = jws.JWS()
    read.allowed_algs = [alg]
    read.deserialize(sign(alg), key)
    assert json.loads(read.payload)["sub"] == "web"
    assert read.jose_header["typ"] == "vmcp+jwt"


@pytest.mark.parametrize("alg", ALGS)
def test_theirs_verified_by_us(vmcp, keys, alg):
    key = private(keys, KEY_OF[alg])
    pub = keys[KEY_OF[alg]].pub
    by_hand = token(key, alg, good_claims())
    by_jwt = jwt.encode(good_claims(), key, algorithm=alg, headers={"typ": "vmcp+jwt"})
    made = jws.JWS(json.dumps(good_claims()))
    made.add_signature(jwk.JWK.from_pem(keys[KEY_OF[alg]].path.read_bytes()), alg=alg,
                       protected=json.dumps({"alg": alg, "typ": "vmcp+jwt",
                                             "kid": keys[KEY_OF[alg]].thumbprint}))
    for text in (by_hand, by_jwt, made.serialize(compact=True)):
        done = vmcp("verify", "--trust", pub, *EXPECT, "--min-serial", "7", "--complete",
                    stdin=text.encode())
        assert done.json == MACHINE and done.err == ""
        broken = text[:-8] + ("AAAAAAAA" if text[-8:] != "AAAAAAAA" else "BBBBBBBB")
        done = vmcp("verify", "--trust", pub, *EXPECT, "--json", stdin=broken.encode(), code=1)
        assert done.json["code"] in ("signature-invalid", "answer-malformed")


def test_the_other_name_of_eddsa(vmcp, keys):
    """RFC 9864's `Ed25519` is the same signature under another name."""
    key, claims = private(keys, "ed25519"), good_claims()
    text = b64(b'{"alg":"Ed25519","typ":"vmcp+jwt"}') + "." + b64(json.dumps(claims).encode())
    text += "." + b64(key.sign(text.encode()))
    assert vmcp("verify", "--trust", keys["ed25519"].pub, *EXPECT,
                stdin=text.encode()).json == MACHINE


def test_a_published_key_set_is_read_by_jwt(vmcp, sign, keys):
    """As PyJWT's users take a token's key out of the set: by its `kid`."""
    document = {"keys": [vmcp("pubkey", keys[kind].pub, "--format", "jwk").json for kind in keys]}
    for alg in ALGS:
        text = sign(alg)
        key, = (k for k in jwt.PyJWKSet.from_dict(document).keys
                if k.key_id == jwt.get_unverified_header(text)["kid"])
        assert jwt.decode(text, key.key, algorithms=[alg], audience="host-1")["sub"] == "web"


@pytest.mark.parametrize("salt", [0, 20, 31, 33, 64, padding.PSS.MAX_LENGTH])
def test_other_salts_of_pss(vmcp, keys, salt):
    """RFC 7518, section 3.5: the salt is as long as the digest, and nothing else is PS256."""
    key = private(keys, "rsa-2048")
    text = token(key, "PS256", good_claims()).rsplit(".", 1)[0]
    sig = key.sign(text.encode(), padding.PSS(padding.MGF1(hashes.SHA256()), salt), hashes.SHA256())
    done = vmcp("verify", "--trust", keys["rsa-2048"].pub, *EXPECT, "--json",
                stdin=f"{text}.{b64(sig)}".encode(), code=1)
    assert done.json["code"] == "signature-invalid"


# -- RSA of each size ------------------------------------------------------------------------------

@pytest.fixture(scope="module")
def rsa(tmp_path_factory):
    """A key of so many bits by openssl; the largest of several primes, which are found faster."""
    folder = tmp_path_factory.mktemp("rsa")

    @functools.cache
    def make(bits):
        path = folder / f"{bits}.key"
        primes = "5" if bits >= 8192 else "2"
        subprocess.run(["openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt",
                        f"rsa_keygen_bits:{bits}", "-pkeyopt", f"rsa_keygen_primes:{primes}",
                        "-out", path], check=True, capture_output=True, timeout=120)
        path.chmod(0o600)
        subprocess.run(["openssl", "pkey", "-in", path, "-pubout", "-out", f"{path}.pub"],
                       check=True, capture_output=True, timeout=20)
        return path

    return make


@pytest.mark.parametrize("bits", [2048, 2049, 3072, 4096, 8192])
def test_sizes_of_rsa(vmcp, rsa, web, bits):
    key, pub = rsa(bits), f"{rsa(bits)}.pub"
    public = load_pem_public_key(open(pub, "rb").read())
    theirs = load_pem_private_key(key.read_bytes(), None) if bits < 8192 else None
    for alg in ("PS256", "RS256", "RS512"):
        text = vmcp("sign", "--key", key, "--alg", alg, *SIGN, web).out.strip()
        signed, sig = text.rsplit(".", 1)
        raw_verify(public, alg, signed.encode(), unb64(sig))
        assert vmcp("verify", "--trust", pub, *EXPECT, stdin=text.encode()).json == MACHINE
        if theirs:
            text = token(theirs, alg, good_claims())
            assert vmcp("verify", "--trust", pub, *EXPECT, stdin=text.encode()).json == MACHINE
    machine = write_json(web.parent / "v1.json", V1_MACHINE)
    ours = vmcp("sign", "--key", key, "--format", "v1", "--salt", "Salt-1", machine).json
    public.verify(base64.b64decode(ours["signature"]), v1_text(V1_MACHINE, "Salt-1").encode(),
                  padding.PKCS1v15(), hashes.SHA512())
    assert not theirs or ours == v1_sign(theirs, V1_MACHINE, "Salt-1")
    assert vmcp("verify", "--format", "v1", "--trust", pub, "--salt", "Salt-1",
                stdin=json.dumps(ours).encode()).json == V1_MACHINE


def test_the_first_rsa_key_signs_version_1(vmcp, keys, rsa, web):
    machine = write_json(web.parent / "v1.json", V1_MACHINE)
    for first, second in ((2048, 3072), (3072, 2048)):
        given = [o for k in (keys["p-256"].path, rsa(first), keys["ed25519"].path, rsa(second))
                 for o in ("--key", k)]
        ours = vmcp("sign", *given, "--format", "v1", "--salt", "Salt-1", machine).json
        theirs = load_pem_private_key(rsa(first).read_bytes(), None)
        assert ours == v1_sign(theirs, V1_MACHINE, "Salt-1")


@pytest.mark.parametrize("bits", [1024, 2047, 8200])
def test_sizes_of_rsa_that_are_refused(vmcp, rsa, sign, web, bits):
    key, pub = rsa(bits), f"{rsa(bits)}.pub"
    done = vmcp("sign", "--key", key, *SIGN, "--json", web, code=3)
    assert done.json["code"] == "key-unsupported" and str(bits) in done.json["detail"]
    done = vmcp("verify", "--trust", pub, *EXPECT, "--json", stdin=sign().encode(), code=3)
    assert done.json["code"] == "trust-invalid" and str(bits) in done.json["detail"]


# -- node's WebCrypto ------------------------------------------------------------------------------

WEBCRYPTO = {"EdDSA": ["Ed25519", "Ed25519"],
             "ES256": [{"name": "ECDSA", "namedCurve": "P-256"}, {"name": "ECDSA",
                                                                  "hash": "SHA-256"}],
             "PS256": [{"name": "RSA-PSS", "hash": "SHA-256"}, {"name": "RSA-PSS",
                                                                "saltLength": 32}],
             "RS256": [{"name": "RSASSA-PKCS1-v1_5", "hash": "SHA-256"}, "RSASSA-PKCS1-v1_5"],
             "RS512": [{"name": "RSASSA-PKCS1-v1_5", "hash": "SHA-512"}, "RSASSA-PKCS1-v1_5"]}

NODE = """
const [key, importAlg, alg, use, text, sig] = JSON.parse(require("fs").readFileSync(0));
const subtle = (globalThis.crypto ?? require("crypto").webcrypto).subtle;
(async () => {
  let k;
  try { k = await subtle.importKey("jwk", {...key, kid: undefined, alg: undefined}, importAlg,
                                   false, [use]); }
  catch (e) { if (e.name === "NotSupportedError") { console.log("unsupported"); return; } throw e; }
  if (use === "verify")
    console.log(await subtle.verify(alg, k, Buffer.from(sig, "base64url"), Buffer.from(text)));
  else
    console.log(Buffer.from(await subtle.sign(alg, k, Buffer.from(text))).toString("base64url"));
})();
"""


def webcrypto(alg, use, key, text, sig=""):
    """What node prints: true or false, or a signature."""
    node = shutil.which("node") or shutil.which("nodejs")
    if not node:
        pytest.skip("node is not installed")
    major = int(subprocess.run([node, "-p", "process.versions.node.split('.')[0]"], text=True,
                               capture_output=True, check=True, timeout=20).stdout)
    if major < 18:
        pytest.skip("node is older than 18")
    done = subprocess.run([node, "-e", NODE], text=True, capture_output=True, check=False,
                          input=json.dumps([key, *WEBCRYPTO[alg], use, text, sig]), timeout=30)
    if done.stdout.strip() == "unsupported":
        pytest.skip(f"this node has no {alg}")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("alg", ALGS)
def test_ours_verified_by_webcrypto(vmcp, sign, keys, alg):
    key = vmcp("pubkey", keys[KEY_OF[alg]].pub, "--format", "jwk").json
    text, sig = sign(alg).rsplit(".", 1)
    assert webcrypto(alg, "verify", key, text, sig) == "true"
    assert webcrypto(alg, "verify", key, text + "A", sig) == "false"


@pytest.mark.parametrize("alg", ALGS)
def test_webcryptos_verified_by_us(vmcp, keys, alg):
    key = jwk.JWK.from_pem(keys[KEY_OF[alg]].path.read_bytes()).export(as_dict=True)
    text = (b64(json.dumps({"alg": alg, "typ": "vmcp+jwt"}).encode()) + "."
            + b64(json.dumps(good_claims()).encode()))
    text += "." + webcrypto(alg, "sign", key, text)
    assert vmcp("verify", "--trust", keys[KEY_OF[alg]].pub, *EXPECT,
                stdin=text.encode()).json == MACHINE


# -- Debian's jose: ES256, PS256, RS256, RS512 -----------------------------------------------------

def jose(*argv):
    if not shutil.which("jose"):
        pytest.skip("jose is not installed")
    return subprocess.run(["jose", *map(str, argv)], capture_output=True, check=False, timeout=20)


@pytest.mark.parametrize("alg", ALGS[1:])
def test_ours_verified_by_jose(vmcp, sign, keys, scratch, alg):
    key = scratch / "key.jwk"
    key.write_bytes(vmcp("pubkey", keys[KEY_OF[alg]].pub, "--format", "jwk").bytes)
    (scratch / "t").write_text(sign(alg))
    done = jose("jws", "ver", "-i", scratch / "t", "-k", key, "-O-")
    assert done.returncode == 0 and json.loads(done.stdout)["sub"] == "web", done
    (scratch / "t").write_text(sign(alg).replace(".", ".e", 1))
    assert jose("jws", "ver", "-i", scratch / "t", "-k", key).returncode != 0


@pytest.mark.parametrize("alg", ALGS[1:])
def test_joses_verified_by_us(vmcp, keys, scratch, alg):
    key = scratch / "key.jwk"
    key.write_text(jwk.JWK.from_pem(keys[KEY_OF[alg]].path.read_bytes()).export())
    write_json(scratch / "claims", good_claims())
    template = json.dumps({"protected": {"alg": alg, "typ": "vmcp+jwt",
                                         "kid": keys[KEY_OF[alg]].thumbprint}})
    done = jose("jws", "sig", "-I", scratch / "claims", "-s", template, "-k", key, "-c")
    assert done.returncode == 0, done
    assert vmcp("verify", "--trust", keys[KEY_OF[alg]].pub, *EXPECT,
                stdin=done.stdout).json == MACHINE

# SPDX-License-Identifier: Apache-2.0
"""What fuzzing begins with: good inputs of each harness, and some that are nearly good.

Made from configs/, tests/vectors and, where they are, other people's vectors (VMCP_VECTORS)."""
import base64
import json
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VECTORS = Path(os.environ.get("VMCP_VECTORS", ROOT / "../shared/vectors"))
SIZE_MAX = 8192

# RFC 8037, appendix A.2, and RFC 7515, appendix A.3.1
OKP = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
EC = {"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
      "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}
THUMBPRINT = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
RSA_PEM = (ROOT / "tests/vectors/v1-test-key.pub.pem").read_bytes()
V1 = json.loads((ROOT / "tests/vectors/vmcp-v1.json").read_text())["cases"]

HEADER = {"alg": "EdDSA", "typ": "vmcp+jwt"}
MACHINE = {"name": "web", "secret": "a-long-enough-secret", "cpus": 2, "memory": 2048,
           "userData": "#!/bin/sh\necho ${HOME} ${vmcp.hostid}\n"}
CLAIMS = {"iss": "cfg.example.org", "sub": "web", "aud": "0123456789abcdef", "nonce": "Salt-1",
          "iat": 1700000000, "exp": 1700000300, "jti": "b4f7f0a6-0000-4000-8000-000000000000",
          "serial": 7, "machine": MACHINE}
GCE = {"machineType": "e2-small", "labels": {"role": "web"}, "disks": [{"boot": True}]}


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def der_of_pem(pem):
    return base64.b64decode(b"".join(pem.splitlines()[1:-1]))


def pem(der):
    return (b"-----BEGIN PUBLIC KEY-----\n" + base64.encodebytes(der) +
            b"-----END PUBLIC KEY-----\n")


def dump(value):
    return json.dumps(value, separators=(",", ":")).encode()


def others(pattern):
    """Other people's files; none where they are not there."""
    return [p.read_bytes() for p in sorted(VECTORS.glob(pattern))
            if p.is_file() and p.stat().st_size <= SIZE_MAX]


ED_DER = bytes.fromhex("302a300506032b6570032100") + unb64(OKP["x"])  # RFC 8410, section 4
EC_DER = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004") + \
    unb64(EC["x"]) + unb64(EC["y"])  # RFC 5480
KEYS = [ED_DER, EC_DER, der_of_pem(RSA_PEM)]


def machine_files():
    yield from (p.read_bytes() for p in sorted((ROOT / "configs").glob("*.json")))
    yield dump({"serial": 7, "machine": MACHINE, "gce": GCE, "v1": True, "count": 3})
    yield dump({"machine": {**MACHINE, "secret": "${vmcp.hmac.session}", "flags": 49, "ram": True,
                            "diskURL": "http://x/d", "diskChecksum": "0" * 64}})
    yield b'{"name":"n","name":"n","secret":7,"Secret":"s","ram":1,"memory":1,"userDataFile":"x"}'


def job_files():
    yield from (p.read_bytes() for p in sorted((ROOT / "configs" / "jobs").glob("*.json")))
    yield dump({"serial": 1, "job": {"schedule": "every 5 minutes", "launch": "web"}})
    yield dump({"job": {
        "schedule": "0,30 9-17/2 1 JAN-MAR MON", "timeZone": "Europe/Berlin", "state": "PAUSED",
        "retryConfig": {"retryCount": 5, "maxRetryDuration": "60s", "minBackoffDuration": "0.5s",
                        "maxBackoffDuration": "9s", "maxDoublings": 2},
        "attemptDeadline": "30s", "onMissed": "runOnce", "onDoubt": "retry",
        "previousDefault": {"a": {"b": 1}},
        "httpTarget": {"uri": "https://a.example:8443/x?y=${vmcp.previous.a.b}",
                       "httpMethod": "PUT", "body": "JHt2bWNwLnV1aWR9",
                       "headers": {"X-A": "${vmcp.attempt} $${vmcp.x"},
                       "oidcToken": {"serviceAccountEmail": "a@b.c", "audience": "d"}}}})


def zones():
    for name in ("Europe/Berlin", "Etc/GMT+3", "Asia/Gaza", "America/Nuuk"):
        yield Path("/usr/share/zoneinfo", name).read_bytes()


def answers():
    for claims in (CLAIMS, {**CLAIMS, "gce": GCE, "count": 3}, {**CLAIMS, "aud": ["x"]},
                   {**CLAIMS, "exp": 1e3}, {**CLAIMS, "serial": 2**53}):
        yield b"v2\n" + dump(HEADER) + b"\n" + dump(claims)
    for extra in ({"kid": THUMBPRINT}, {"crit": ["b64"], "b64": False}, {"jwk": OKP}):
        yield b"v2\n" + dump({**HEADER, **extra}) + b"\n" + dump(CLAIMS)
    for case in V1:
        yield b"v1\n" + dump(case["params"])
        yield b"raw1\n" + dump({**case["params"], "signature": case.get("signature", "AA==")})
    yield b"v1\n" + dump(MACHINE)
    yield from (b"raw2\n" + token for token in tokens())


def tokens():
    for header in (HEADER, {**HEADER, "alg": "ES256", "kid": THUMBPRINT}, {"alg": "none"}):
        yield b".".join((b64(dump(header)), b64(dump(CLAIMS)), b64(bytes(64))))
    yield from (t.strip() for t in others("jose-rfc/*.jwsc"))


def trust_files():
    yield from (pem(der) for der in KEYS)
    yield b"".join(pem(der) for der in KEYS)
    yield dump({"keys": [{**OKP, "use": "sig", "status": "active", "kid": THUMBPRINT},
                         {**EC, "alg": "ES256", "status": "retired"}]})
    yield (THUMBPRINT + "\n# a comment\n" + "A" * 43 + "\n").encode()
    yield from others("jose-rfc/*.jwkset")


def questions():
    yield b"application/jose\nweb\ncvm_salt=Salt-1\ncvm_hostid=host-1\nvm=web\n"
    yield b"text/html, application/jose;q=0.5;x=\"a,b\\\"\", */*;q=0\n\ncvm_salt=Salt-1\nother=1"
    yield b"\n\nvm=web\ncvm_salt=a\0b\ncvm_salt=c"


def targets():
    yield b"/vmcp/web?cvm_salt=Salt-1&cvm_hostid=h%2D1&vm=web"
    yield b"http://cfg.example.org:8443/all/a/b%20c?x=+&=&&y"
    yield b"/a/%62/c/d:verb?%00"
    yield b"http://[::1]?x"


def macros():
    yield b"${vmcp.hostid} ${vmcp.salt} ${vmcp.uuid} ${vmcp.now} ${vmcp.hmac.a_B-1} ${HOME}"
    yield b"$${vmcp.salt} $$${vmcp.salt} ${vmcp.wrong} ${vmcp."


def forwarded():
    yield b"198.51.100.7, 10.1.2.3\nfor=\"[2001:db8::1]:80\";proto=https, for=_x\n10.0.0.0/8\n"
    yield b"2001:db8::1\n\nunix\n"
    yield b"\nFor=192.0.2.60;by=203.0.113.43, for=unknown\n2001:db8::/32"


def keylists():
    line = b"cfg.example.org=" + base64.b64encode(KEYS[2]) + b"\n"
    yield line
    yield line + line.replace(b"cfg", b"two")[:-1]
    yield b"a=" + base64.b64encode(EC_DER)


SEEDS = {"answer": answers, "config": machine_files, "forwarded": forwarded,
         "job": job_files, "json": lambda: [*machine_files(), *others("jsontestsuite/test_*/*.json")],
         "jws": tokens, "key": lambda: [*KEYS, *map(pem, KEYS)], "keylist": keylists,
         "macro": macros, "question": questions, "target": targets, "trust": trust_files,
         "zone": zones}

# Words that mutations are to try.
WORDS = {"answer": [*CLAIMS, *HEADER, *MACHINE, "crit", "b64", "count", "gce", "signature"],
         "config": ["machine", "gce", "v1", "count", "serial", "diskURL", "diskChecksum", "ram",
                    "${vmcp.", "${vmcp.hmac.", "metadata", "items", "networkInterfaces", *MACHINE],
         "job": ["job", "httpTarget", "uri", "headers", "body", "bodyJson", "oauthToken",
                 "oidcToken", "launch", "${vmcp.uuid}", "${vmcp.previous.", "${vmcp.attempt}",
                 "https://", "*/5", "every ", "minutes", "hours", "MON", "serial"],
         "zone": ["TZif2", "TZif3", "CET-1CEST,M3.5.0,M10.5.0/3", ",J60,", "<-03>3"],
         "trust": ["keys", "status", "retired", "next", "use", "key_ops", *EC, "d",
                   "-----BEGIN PUBLIC KEY-----", "-----END PUBLIC KEY-----"],
         "macro": ["${vmcp.", "hostid}", "hmac.", "$$"],
         "question": ["application/jose", ";q=0.", "cvm_salt=", "cvm_hostid=", "vm="],
         "forwarded": ["for=", "unknown", "::ffff:", "10.0.0.1"],
         "target": ["http://", "%00", "%2F", ":verb", "/all/"]}


def write(name, folder):
    """The seeds of a harness, one file each."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, seed in enumerate(SEEDS[name]()):
        (folder / f"{i:03}").write_bytes(seed)


def write_words(name, path):
    """libFuzzer's dictionary: one quoted word a line."""
    words = (w.replace("\\", "\\\\").replace('"', '\\"') for w in WORDS.get(name, []))
    path.write_text("".join(f'"{w}"\n' for w in words))

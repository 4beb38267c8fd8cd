# SPDX-License-Identifier: Apache-2.0
"""Keys by name: encrypted files, standard input, PKCS#11 tokens, TPM 2; what they sign is checked
with other people's code."""
import base64
import json
import os
import pty
import shutil
import signal
import subprocess
import termios
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from fcntl import ioctl
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import (load_der_public_key,
                                                          load_pem_private_key,
                                                          load_pem_public_key)
from jwcrypto import jwk, jws

from conftest import DOMAIN, MACHINE, Vmcpd, eventually, run, write_json

PASS = "correct horse"
PIN = "271828"
SIGN = ("--domain", DOMAIN, "--hostid", "host-1", "--salt", "Salt-1")
SOFTHSM = next((p for p in ("/usr/lib/softhsm/libsofthsm2.so",
                            "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so")
                if Path(p).exists()), None)

# Engine, module and provider leave memory behind when they are unloaded, and LeakSanitizer cannot
# work under strace: a build with sanitizers looks for leaks in the other tests.
NO_LEAKS = {"ASAN_OPTIONS": "detect_leaks=0"}


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"{program} is not here")


def tool(*argv, env=None, **more):
    done = subprocess.run([str(a) for a in argv], capture_output=True, timeout=60, check=False,
                          env={**os.environ, **(env or {})}, **more)
    assert done.returncode == 0, (argv, done.stdout, done.stderr)
    return done.stdout


def private_file(path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.fixture(name="web")
def web_file(scratch):
    return write_json(scratch / "web.json", {"serial": 7, "machine": MACHINE})


def check_v2(token, public, alg):
    """jwcrypto's opinion on a version 2 answer; its claims."""
    checked = jws.JWS()
    checked.allowed_algs = [alg]
    checked.deserialize(token, jwk.JWK.from_pyca(public))
    header = json.loads(checked.objects["protected"])
    assert header["alg"] == alg and header["kid"] == jwk.JWK.from_pyca(public).thumbprint()
    claims = json.loads(checked.payload)
    assert claims["machine"] == MACHINE and claims["nonce"] == "Salt-1"
    return claims


def check_v1(answer, public):
    """The cryptography package's opinion on a version 1 answer of MACHINE."""
    params = {k: v for k, v in answer.items() if k != "signature"}
    text = "".join(f"{k.lower()}={params[k]}\n" for k in sorted(params)) + "Salt-1"
    public.verify(base64.b64decode(answer["signature"]), text.encode(), padding.PKCS1v15(),
                  hashes.SHA512())


# -- encrypted files -------------------------------------------------------------------------------

@pytest.fixture(scope="module", name="sealed")
def sealed_keys(vmcp, tmp_path_factory):
    """An encrypted key of each type: path, thumbprint."""
    folder = tmp_path_factory.mktemp("sealed")
    made = {}
    for alg in ("ed25519", "p-256", "rsa-2048"):
        path = folder / f"{alg}.key"
        done = vmcp("keygen", "--alg", alg, "--out", path, "--passphrase", "env:PASS",
                    env={**os.environ, "PASS": PASS})
        made[alg] = SimpleNamespace(path=path, thumbprint=done.out.strip())
    return made


@pytest.mark.parametrize("alg", ["ed25519", "p-256", "rsa-2048"])
def test_others_open_what_keygen_encrypts(sealed, alg):
    pem = sealed[alg].path.read_bytes()
    assert pem.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    assert sealed[alg].path.stat().st_mode & 0o777 == 0o600
    key = load_pem_private_key(pem, PASS.encode())
    assert jwk.JWK.from_pyca(key.public_key()).thumbprint() == sealed[alg].thumbprint
    with pytest.raises(ValueError):
        load_pem_private_key(pem, b"wrong horse")
    asn1 = tool("openssl", "asn1parse", "-in", sealed[alg].path).decode()
    for word in ("PBES2", "PBKDF2", "hmacWithSHA256", "aes-256-cbc", ":0927C0"):
        assert word in asn1, word


@pytest.mark.parametrize("flags", [["-aes256"], ["-aes-128-cbc"], ["-traditional", "-aes256"]])
def test_we_open_what_others_encrypt(vmcp, keys, scratch, flags):
    path = scratch / "theirs.key"
    tool("openssl", "pkey", "-in", keys["rsa-2048"].path, *flags, "-passout", f"pass:{PASS}",
         "-out", path)
    path.chmod(0o600)
    done = vmcp("thumbprint", path, "--passphrase", "env:PASS", env={**os.environ, "PASS": PASS})
    assert done.out.strip() == keys["rsa-2048"].thumbprint


def test_every_source(vmcp, sealed, scratch, web):
    """One source opens all keys; the same for each verb that takes one."""
    path = private_file(scratch / "pass", PASS + "\n")
    credential = private_file(scratch / "credential", PASS, 0o440)
    env = {**os.environ, "PASS": PASS, "CREDENTIALS_DIRECTORY": str(scratch)}
    everything = [k.path for k in sealed.values()]
    want = [k.thumbprint for k in sealed.values()]
    for source in (f"file:{path}", "env:PASS", f"credential:{credential.name}"):
        assert vmcp("thumbprint", *everything, "--passphrase", source, env=env).out.split() == want
    with open(path, "rb") as file:
        done = vmcp("thumbprint", *everything, "--passphrase", f"fd:{file.fileno()}", env=env,
                    pass_fds=[file.fileno()])
    assert done.out.split() == want
    key = sealed["ed25519"].path
    pub = Path(f"{key}.pub").read_bytes()
    assert vmcp("pubkey", key, "--passphrase", "env:PASS", env=env).bytes == pub
    token = vmcp("sign", "--key", key, *SIGN, web, "--passphrase", "env:PASS", env=env).out.strip()
    check_v2(token, load_pem_public_key(pub), "EdDSA")
    root = sealed["rsa-2048"].path
    vmcp("keygen", "--alg", "rsa-2048", "--out", scratch / "listed.key")
    vmcp("keystore", "sign", "--root", root, "--out", scratch, "--passphrase", "env:PASS",
         f"{DOMAIN}={scratch}/listed.key.pub", env=env)
    assert DOMAIN in vmcp("keystore", "verify", "--root", f"{root}.pub", scratch).out


def test_what_goes_wrong_with_a_passphrase(vmcp, sealed, scratch):
    """Each fault is told apart, and no message holds a passphrase."""
    key = sealed["p-256"].path
    path = private_file(scratch / "pass", "wrong horse", 0o644)
    env = {**os.environ, "WRONG": "wrong horse", "EMPTY": ""}
    env.pop("CREDENTIALS_DIRECTORY", None)
    rows = [("env:WRONG", "passphrase", 3, "does not open"),
            ("env:EMPTY", "passphrase", 3, "empty"),
            ("env:NOT_SET", "passphrase", 3, "not set"),
            (f"file:{path}", "file-mode", 3, f"chmod 600 {path}"),
            (f"file:{scratch}/absent", "file", 3, "absent"),
            ("fd:77", "file", 3, "fd:77"),
            ("credential:x", "passphrase", 3, "CREDENTIALS_DIRECTORY"),
            ("prompt", "passphrase", 3, "no terminal"),
            ("wrong horse", "usage", 2, "file:PATH"),
            ("fd:wrong horse", "usage", 2, "number")]
    for source, code, status, text in rows:
        done = vmcp("pubkey", "--json", key, "--passphrase", source, code=status, env=env,
                    start_new_session=True)
        assert done.json["code"] == code and text in done.err, (source, done)
        assert "wrong horse" not in done.out + done.err, source
    done = vmcp("pubkey", key, code=3, env=env, start_new_session=True)
    assert "--passphrase" in done.err and "[passphrase]" in done.err
    # the public half needs none
    vmcp("pubkey", f"{key}.pub", "--passphrase", "env:NOT_SET", env=env)
    done = vmcp("sign", "--key", f"{key}.pub", *SIGN, scratch / "x.json", code=3)
    assert "[key-public-only]" in done.err


def test_modes_of_encrypted_keys(vmcp, sealed, scratch):
    key = private_file(scratch / "k.key", sealed["p-256"].path.read_text(), 0o644)
    for verb in (["pubkey", key], ["thumbprint", key], ["sign", "--key", key, *SIGN, "x.json"]):
        done = vmcp(*verb, "--passphrase", "env:NOT_SET", code=3)
        assert "[file-mode]" in done.err and f"chmod 600 {key}" in done.err, done


# -- the prompt ------------------------------------------------------------------------------------

class Terminal:
    """A program with a terminal of its own, and what it shows there."""

    def __init__(self, *argv, **more):
        self.master, slave = pty.openpty()
        self.slave = slave
        self.process = subprocess.Popen(
            [str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, start_new_session=True,
            preexec_fn=lambda: ioctl(slave, termios.TIOCSCTTY, 0), **more)
        self.shown = b""
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        while True:
            try:
                data = os.read(self.master, 4096)
            except OSError:
                return
            self.shown += data

    @property
    def echo(self):
        return bool(termios.tcgetattr(self.slave)[3] & termios.ECHO)

    def answer(self, prompt, text):
        """Wait for a prompt with echo off, then type."""
        assert eventually(lambda: prompt in self.shown and not self.echo), self.shown
        self.shown = b""
        os.write(self.master, text.encode() + b"\n")

    def end(self, timeout=20):
        try:
            out, err = self.process.communicate(timeout=timeout)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        code, echo = self.process.returncode, self.echo
        time.sleep(0.05)
        os.close(self.slave)
        os.close(self.master)
        self.reader.join(5)
        return SimpleNamespace(code=code, out=out.decode(), err=err.decode(), echo=echo,
                               shown=self.shown)


@pytest.mark.parametrize("options", [[], ["--passphrase", "prompt"]])
def test_prompt(bin, sealed, options):
    key = sealed["ed25519"]
    terminal = Terminal(bin.vmcp, "thumbprint", key.path, sealed["p-256"].path, *options)
    terminal.answer(b"passphrase of", PASS)
    done = terminal.end()
    assert done.code == 0 and done.echo, done
    # asked once, for both
    assert done.out.split() == [key.thumbprint, sealed["p-256"].thumbprint]
    assert PASS.encode() not in done.shown and PASS not in done.out + done.err


def test_prompt_refuses_and_is_interrupted(bin, sealed):
    key = sealed["ed25519"].path
    terminal = Terminal(bin.vmcp, "pubkey", key)
    terminal.answer(b"passphrase of", "wrong horse")
    done = terminal.end()
    assert done.code == 3 and "does not open" in done.err and done.echo
    assert "wrong horse" not in done.err
    for signum in (signal.SIGINT, signal.SIGTERM):
        terminal = Terminal(bin.vmcp, "pubkey", key)
        assert eventually(lambda t=terminal: b"passphrase of" in t.shown and not t.echo)
        os.kill(terminal.process.pid, signum)
        done = terminal.end()
        assert done.code != 0 and done.out == "" and done.echo, (signum, done)


def test_no_prompt_for_what_needs_none(bin, keys):
    done = Terminal(bin.vmcp, "pubkey", keys["ed25519"].path).end()
    assert done.code == 0 and done.shown == b""


def test_keygen_asks_twice(bin, vmcp, scratch):
    path = scratch / "k.key"
    terminal = Terminal(bin.vmcp, "keygen", "--alg", "ed25519", "--out", path, "--passphrase",
                        "prompt")
    terminal.answer(b"passphrase for", PASS)
    terminal.answer(b"again", PASS)
    done = terminal.end()
    assert done.code == 0 and done.echo, done
    assert load_pem_private_key(path.read_bytes(), PASS.encode())
    terminal = Terminal(bin.vmcp, "keygen", "--alg", "ed25519", "--out", scratch / "l.key",
                        "--passphrase", "prompt")
    terminal.answer(b"passphrase for", PASS)
    terminal.answer(b"again", PASS + "!")
    done = terminal.end()
    assert done.code == 3 and "[passphrase]" in done.err and not (scratch / "l.key").exists()
    done = vmcp("keygen", "--alg", "ed25519", "--out", scratch / "l.key", "--passphrase",
                "env:NOT_SET", code=3)
    assert sorted(p.name for p in scratch.iterdir()) == ["k.key", "k.key.pub"], done


def vmcpd_argv(bin, scratch, *options):
    write_json(scratch / "configs" / "web.json", {"serial": 7, "machine": MACHINE})
    return (bin.vmcpd, "--domain", DOMAIN, "--configs", scratch / "configs", "--check", *options)


def test_vmcpd_prompts_only_when_told_to(bin, sealed, scratch):
    argv = vmcpd_argv(bin, scratch, "--key", sealed["ed25519"].path)
    done = Terminal(*argv).end()
    assert done.code == 3 and "[passphrase]" in done.err and done.shown == b""
    terminal = Terminal(*argv, "--passphrase", "prompt")
    terminal.answer(b"passphrase of", PASS)
    done = terminal.end()
    assert done.code == 0 and sealed["ed25519"].thumbprint in done.out, done


@pytest.fixture(name="serve")
def serve_fixture(bin, scratch):
    """A vmcpd with these options, stopped at the end."""
    started = []

    def start(*options, env=None):
        folder = scratch / "served"
        folder.mkdir(exist_ok=True)
        write_json(folder / "configs" / "web.json", {"serial": 7, "machine": MACHINE})
        argv = ["env", *[f"{k}={v}" for k, v in (env or {}).items()], bin.vmcpd]
        server = Vmcpd(argv[0], folder, *argv[1:], "--domain", DOMAIN, "--configs",
                       folder / "configs", "--listen", "127.0.0.1:0", *options)
        started.append(server)
        return server.start()

    yield start
    for server in started:
        code = server.stop()
        assert code == 0, f"vmcpd ended with {code}: {server.log}"


def test_vmcpd_with_encrypted_keys(serve, sealed, scratch):
    """Also below --keys; the passphrase is kept for reloads."""
    path = private_file(scratch / "pass", PASS)
    for state, alg in (("active", "ed25519"), ("next", "p-256")):
        (scratch / "keys" / state).mkdir(parents=True)
        private_file(scratch / "keys" / state / "1.key", sealed[alg].path.read_text())
    server = serve("--key", sealed["rsa-2048"].path, "--keys", scratch / "keys", "--passphrase",
                   f"file:{path}")
    path.unlink()
    listed = {k["kid"]: k["status"] for k in server.ask("/.well-known/jwks.json").json["keys"]}
    assert listed == {sealed["ed25519"].thumbprint: "active", sealed["p-256"].thumbprint: "next",
                      sealed["rsa-2048"].thumbprint: "active"}
    server.process.send_signal(signal.SIGHUP)
    assert eventually(lambda: "reload" in server.log), server.log
    public = load_pem_public_key(Path(f"{sealed['ed25519'].path}.pub").read_bytes())
    check_v2(server.v2().text, public, "EdDSA")
    assert PASS not in server.log


def test_rotate_with_encrypted_keys(vmcp, sealed, scratch):
    """What rotate makes is encrypted as its forerunner is."""
    (scratch / "active").mkdir()
    private_file(scratch / "active" / "1.key", sealed["ed25519"].path.read_text())
    env = {**os.environ, "PASS": PASS}
    assert "[passphrase]" in vmcp("rotate", scratch, code=3, start_new_session=True).err
    vmcp("rotate", scratch, "--passphrase", "env:PASS", env=env)
    [made] = [p for p in (scratch / "next").iterdir() if p.suffix == ".key"]
    assert load_pem_private_key(made.read_bytes(), PASS.encode())


# -- names -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("alg", ["ed25519", "p-256", "rsa-2048"])
def test_standard_input(vmcp, keys, sealed, scratch, web, alg):
    key = keys[alg]
    pub, private = key.pub.read_bytes(), key.path.read_bytes()
    for half in (pub, private):
        assert vmcp("pubkey", "-", stdin=half).bytes == pub
        assert vmcp("thumbprint", "-", stdin=half).out.strip() == key.thumbprint
    secret = {**os.environ, "PASS": PASS}
    assert vmcp("thumbprint", "-", "--passphrase", "env:PASS", env=secret,
                stdin=sealed[alg].path.read_bytes()).out.strip() == sealed[alg].thumbprint
    token = vmcp("sign", "--key", "-", *SIGN, web, stdin=private).out.strip()
    check_v2(token, load_pem_public_key(pub),
             {"ed25519": "EdDSA", "p-256": "ES256", "rsa-2048": "PS256"}[alg])
    assert "[key-public-only]" in vmcp("sign", "--key", "-", *SIGN, web, stdin=pub, code=3).err
    assert "[key-malformed]" in vmcp("pubkey", "-", stdin=b"junk", code=3).err
    done = vmcp("sign", "--key", "-", *SIGN, "--machine", "m", "-", stdin=private, code=2)
    assert "only one" in done.err


def test_standard_input_is_read_once(vmcp, keys, scratch):
    """Twice was an empty file the second time, and the blame on it."""
    key, pub = keys["ed25519"].path, keys["ed25519"].pub.read_bytes()
    machine = write_json(scratch / "web.json", MACHINE)
    sign = ("sign", *SIGN, machine)
    for argv in (("thumbprint", "-", "-"), ("thumbprint", "-", "--passphrase", "fd:0"),
                 ("pubkey", "-", "--passphrase", "file:-"),
                 ("verify", "--trust", "-", "--salt", "s"),
                 ("explain", "--trust", keys["ed25519"].pub, "--jwks", "-", "--salt", "s", "-"),
                 ("fetch", "http://127.0.0.1:1/", "--trust", "-", "--trust", "-"),
                 (*sign, "--key", "-", "--key", "-"), (*sign, "--key", "-", "--secret", "-"),
                 (*sign[:-1], "-", "--machine", "web", "--key", "-"),
                 ("keystore", "sign", "--root", "-", "--out", scratch, f"{DOMAIN}=-")):
        assert "standard input is wanted 2 times" in vmcp(*argv, stdin=pub, code=2).err, argv
    assert "two files" in vmcp("keygen", "--alg", "ed25519", "--out", "-", code=2, cwd=scratch).err
    assert not (scratch / "-").exists()
    vmcp(*sign, "--key", "-", stdin=key.read_bytes())


def test_keystore_names_no_pin(bin, keys, scratch):
    root = keys["rsa-2048"].path
    for operand in ("a..b=pkcs11:object=x?pin-value=4711", "pkcs11:object=x?pin-value=4711",
                    "pkcs11:object?pin-value=4711", f"{DOMAIN}=pkcs11:object=x?pin-value=4711",
                    f"{DOMAIN}=PKCS11:object=x?pin-value=4711"):
        done = run(bin.vmcp, "keystore", "sign", "--root", root, "--out", scratch, operand,
                   env={**os.environ, **NO_LEAKS})
        assert done.code in (2, 3) and "4711" not in done.err, done


def test_keystore_reads_standard_input(vmcp, keys, scratch):
    root = scratch / "root.key"
    vmcp("keygen", "--alg", "rsa-2048", "--out", root)
    vmcp("keystore", "sign", "--root", "-", "--out", scratch, f"{DOMAIN}={keys['rsa-2048'].pub}",
         stdin=root.read_bytes())
    vmcp("keystore", "sign", "--root", root, "--out", scratch, f"{DOMAIN}=-",
         stdin=keys["rsa-2048"].path.read_bytes())
    done = vmcp("keystore", "verify", "--root", "-", scratch,
                stdin=Path(f"{root}.pub").read_bytes())
    assert keys["rsa-2048"].thumbprint in done.out


def test_paths_and_uris(vmcp, keys, scratch):
    key = keys["p-256"]
    path = private_file(scratch / "a:b", key.path.read_text())
    done = vmcp("thumbprint", "a:b", code=2, cwd=scratch)
    assert "./a:b" in done.err and "pkcs11:" in done.err
    for name in ("./a:b", path, f"file:{path}", f"file://{path}", "file:a%3Ab"):
        assert vmcp("thumbprint", name, cwd=scratch).out.strip() == key.thumbprint, name
    assert "[usage]" in vmcp("thumbprint", "https://example.org/key", code=2).err


def test_what_is_not_a_key_is_told_apart(vmcp, keys, scratch):
    pem, jwks = keys["ed25519"].pub.read_text(), vmcp("pubkey", keys["ed25519"].pub, "--format",
                                                      "jwks").out
    for text, words in ((jwks, "not a key but JSON, as a JWK or a JWK set is"),
                        (pem.replace("M", "#", 1), "not a key but PEM that is damaged"),
                        (pem[:60], "not a key but PEM that is damaged"), (pem[20:], "first line"),
                        ("ssh-ed25519 AAAA root@a\n", "OpenSSH"), ("", "empty"), ("\n", "empty"),
                        ("0\x03\x02\x01\x00", "DER"), ("what", "not a key; PEM or DER of")):
        path = scratch / "what.key"
        path.write_text(text)
        for name in (path, "-"):
            done = vmcp("pubkey", name, "--json", stdin=text.encode(), code=3).json
            assert done["code"] == "key-malformed" and words in done["detail"], text
    done = vmcp("verify", "--trust", keys["ed25519"].pub, "--salt", "s", code=1,
                stdin=b"eyJhbGciOiJFUzI1NiIsImtpZCI6IiIsInR5cCI6InZtY3Arand0In0.e30.")
    assert "[key-untrusted]" in done.err  # an empty `kid` names no key
    assert vmcp("pubkey", keys["ed25519"].pub, "--format", "x", "--json", code=2).json["code"] == "usage"


@pytest.mark.parametrize("attribute", ["?pin-value=", "?PIN-VALUE=", ";pin-value=",
                                       "?a=b&Pin-Value="])
def test_no_pin_in_an_answer_to_any_operand(bin, keys, scratch, attribute):
    """A URI where another thing is wanted: what is echoed has no PIN in it, with --json or without."""
    uri = f"pkcs11:object=x{attribute}Zq:Zq Zq/Zq"
    far = "x" * 90 + uri
    for argv in (["pubkey", uri, uri], ["lint", uri], ["lint", far],
                 ["pubkey", "--format", uri, keys["ed25519"].pub],
                 ["verify", "--trust", uri, "--salt", "s"], ["thumbprint", "./" + uri],
                 ["verify", "--trust", keys["ed25519"].pub, "--salt", "s", uri], ["rotate", uri],
                 ["verify", "--thumbprint", uri, "--salt", "s"], ["keygen", "--alg", uri, "--out", "x"],
                 ["keygen", "--alg", "ed25519", "--out", f"{scratch}/no/{uri}"],
                 ["sign", "--ttl", uri], ["sign", "--key", "k", "--salt", uri, "m.json"],
                 ["fetch", uri, "--trust", "x"], [uri], [f"-{uri}"], [f"--{uri}"]):
        for more in ([], ["--json"]):
            done = run(bin.vmcp, *argv, *more, timeout=20)
            assert done.code != 0 and "Zq" not in done.out + done.err, argv


def test_keygen_explains_half_a_pair(vmcp, scratch):
    """What a run that was killed between the two files leaves, the next one explains."""
    path = scratch / "k.key"
    vmcp("keygen", "--alg", "ed25519", "--out", path)
    pub = (scratch / "k.key.pub").read_bytes()
    (scratch / "k.key.pub").unlink()
    done = vmcp("keygen", "--alg", "ed25519", "--out", path, code=3)
    assert f"vmcp pubkey {path} > {path}.pub" in done.err and "[file-exists]" in done.err
    assert vmcp("pubkey", path).bytes == pub
    path.unlink()
    (scratch / "k.key.pub").write_bytes(pub)
    done = vmcp("keygen", "--alg", "ed25519", "--out", path, code=3)
    assert "without its private half" in done.err and not path.exists()


def test_keygen_killed_anywhere(bin, vmcp, scratch):
    """Killed at each call that changes the folder, it leaves whole files or none."""
    need("strace")
    calls = "openat,write,fsync,linkat,fchmod,unlink,close"
    probe = tool("strace", "-f", "-o", scratch / "trace", "-e", f"trace={calls}", bin.vmcp,
                 "keygen", "--alg", "ed25519", "--out", scratch / "probe.key", env=NO_LEAKS)
    trace = (scratch / "trace").read_text().splitlines()
    first = next(i for i, line in enumerate(trace) if "O_TMPFILE" in line or "O_EXCL" in line)
    seen, states = {}, set()
    for i, line in enumerate(trace):
        name = line.split()[1].split("(")[0] if line.split()[0].isdigit() else line.split("(")[0]
        if name not in calls.split(","):
            continue
        seen[name] = seen.get(name, 0) + 1
        if i < first:
            continue
        out = scratch / f"k{i}.key"
        subprocess.run(["strace", "-f", "-o", "/dev/null", "-e", f"trace={calls}", "-e",
                        f"inject={name}:signal=KILL:when={seen[name]}", str(bin.vmcp), "keygen",
                        "--alg", "ed25519", "--out", str(out)], capture_output=True, timeout=30,
                       check=False, env={**os.environ, **NO_LEAKS})
        pub = Path(f"{out}.pub")
        states.add((out.exists(), pub.exists()))
        if out.exists():  # whole, and its public half can be made
            made = vmcp("pubkey", out).bytes
            assert not pub.exists() or pub.read_bytes() == made
        assert out.exists() or not pub.exists(), line
    assert probe and {(False, False), (True, False), (True, True)} <= states, states
    assert [p.name for p in scratch.iterdir() if ".key" not in p.name] == ["trace"]


# -- tokens ----------------------------------------------------------------------------------------

@pytest.fixture(scope="module", name="token")
def softhsm_token(tmp_path_factory):
    """A SoftHSM token of the test's own, with an RSA and a P-256 key."""
    need("softhsm2-util", "pkcs11-tool")
    if not SOFTHSM or not list(Path("/usr/lib").glob("*/engines-3/pkcs11.so")):
        pytest.skip("libsofthsm2.so or OpenSSL's pkcs11 engine is not here")
    folder = tmp_path_factory.mktemp("softhsm")
    (folder / "tokens").mkdir()
    conf = folder / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {folder}/tokens\nlog.level = ERROR\n")
    env = {"SOFTHSM2_CONF": str(conf), **NO_LEAKS}
    publics = {}
    for label, kinds in (("ops", {"rsa": "rsa:2048", "ec": "EC:prime256v1"}),
                         ("ed", {"ed25519": "EC:edwards25519"})):
        tool("softhsm2-util", "--init-token", "--free", "--label", label, "--pin", PIN, "--so-pin",
             "31415926", env=env)
        base = ["pkcs11-tool", "--module", SOFTHSM, "--token-label", label, "--login", "--pin", PIN]
        for i, (name, kind) in enumerate(kinds.items()):
            # the engine finds a private key's public half by their common id
            tool(*base, "--keypairgen", "--key-type", kind, "--label", name, "--id", f"0{i + 1}",
                 env=env)
            if label == "ops":
                publics[name] = load_der_public_key(tool(
                    *base, "--read-object", "--type", "pubkey", "--label", name, env=env))
    return SimpleNamespace(env={**os.environ, **env, "PIN": PIN, "BAD": "00000000"}, extra=env,
                           public=publics,
                           uri=lambda key, token="ops": f"pkcs11:token={token};object={key}"
                                                        f"?module-path={SOFTHSM}")


@pytest.mark.parametrize("key, alg", [("rsa", None), ("rsa", "PS256"), ("rsa", "RS256"),
                                      ("rsa", "RS512"), ("ec", None), ("ec", "ES256")])
def test_token_signs_v2(vmcp, token, web, key, alg):
    done = vmcp("sign", "--key", token.uri(key), "--passphrase", "env:PIN", *SIGN, web,
                *(["--alg", alg] if alg else []), env=token.env)
    check_v2(done.out.strip(), token.public[key], alg or {"rsa": "PS256", "ec": "ES256"}[key])


def test_token_signs_v1(vmcp, token, web):
    done = vmcp("sign", "--key", token.uri("rsa"), "--passphrase", "env:PIN", "--salt", "Salt-1",
                "--format", "v1", web, env=token.env)
    check_v1(done.json, token.public["rsa"])


@pytest.mark.parametrize("key", ["rsa", "ec"])
def test_token_public_half(vmcp, token, key):
    want = jwk.JWK.from_pyca(token.public[key])
    more = ("--passphrase", "env:PIN")
    assert vmcp("thumbprint", token.uri(key), *more, env=token.env).out.strip() == want.thumbprint()
    pem = vmcp("pubkey", token.uri(key), *more, env=token.env).bytes
    assert jwk.JWK.from_pem(pem).thumbprint() == want.thumbprint()
    shown = vmcp("pubkey", token.uri(key), "--format", "jwk", *more, env=token.env).json
    assert jwk.JWK(**shown).thumbprint() == want.thumbprint() and "d" not in shown


def test_token_signs_a_key_list(vmcp, token, keys, scratch):
    vmcp("keystore", "sign", "--root", token.uri("rsa"), "--passphrase", "env:PIN", "--out", scratch,
         f"{DOMAIN}={keys['rsa-2048'].pub}", env=token.env)
    token.public["rsa"].verify((scratch / "domainkeys.sig").read_bytes(),
                               (scratch / "domainkeys.lst").read_bytes(), padding.PKCS1v15(),
                               hashes.SHA512())


def test_where_a_pin_comes_from(vmcp, token, scratch):
    path = private_file(scratch / "pin", PIN + "\n")
    uri = token.uri("ec")
    want = jwk.JWK.from_pyca(token.public["ec"]).thumbprint()
    for name, options in ((uri, ["--passphrase", f"file:{path}"]), (f"{uri}&pin-value={PIN}", []),
                          (f"{uri}&pin-source=file:{path}", [])):
        done = vmcp("thumbprint", name, *options, "--json", env=token.env)
        assert [k["thumbprint"] for k in done.json["keys"]] == [want], name
        assert PIN not in done.out + done.err
    module_in_environment = {**token.env, "PKCS11_MODULE_PATH": SOFTHSM}
    assert vmcp("thumbprint", "pkcs11:token=ops;object=ec", "--passphrase", "env:PIN",
                env=module_in_environment).out.strip() == want


def test_a_pin_is_asked_for(bin, token, web):
    terminal = Terminal(bin.vmcp, "sign", "--key", token.uri("ec"), *SIGN, web, env=token.env)
    terminal.answer(b"PIN of pkcs11:token=ops;object=ec", PIN)
    done = terminal.end()
    assert done.code == 0 and PIN.encode() not in done.shown, done
    check_v2(done.out.strip(), token.public["ec"], "ES256")


def test_what_goes_wrong_with_a_token(vmcp, token, web):
    rows = [(token.uri("rsa"), "env:BAD", "passphrase", "PIN is wrong"),
            (f"{token.uri('rsa')}&pin-value=99999999", None, "passphrase", "PIN is wrong"),
            (token.uri("rsa"), None, "passphrase", "--passphrase"),
            (token.uri("nokey"), "env:PIN", "key-device", "no token here has such a key"),
            (token.uri("rsa", "notoken"), "env:PIN", "key-device", "no token here"),
            (token.uri("ed25519", "ed"), "env:PIN", "key-device", "Ed25519"),
            ("pkcs11:object=x?module-path=/nowhere.so", "env:PIN", "key-device", "module"),
            ("pkcs11:object=x?module-path=nowhere.so", "env:PIN", "usage", "absolute")]
    for uri, source, code, text in rows:
        options = ["--passphrase", source] if source else []
        done = vmcp("sign", "--json", "--key", uri, *options, "--format", "v1", "--salt", "s", web,
                    code=2 if code == "usage" else 3, env=token.env, start_new_session=True)
        assert done.json["code"] == code and text in done.json["detail"], (uri, done)
        assert "99999999" not in done.out + done.err and "00000000" not in done.out + done.err
        assert PIN not in done.out + done.err


def test_a_pin_is_not_told_later_either(vmcp, bin, token, scratch, web):
    uri = f"{token.uri('rsa')}&pin-value={PIN}"
    for name in (uri, uri.replace("?", f";pin-value={PIN}?", 1).split("&")[0]):
        twice = ("--key", name, "--key", name)
        done = vmcp("sign", *twice, *SIGN, web, "--json", code=3, env=token.env)
        assert "twice" in done.err and "pkcs11:token=ops" in done.err, done
        assert PIN not in done.out + done.err
        done = run(*vmcpd_argv(bin, scratch, *twice), env=token.env)
        assert done.code == 3 and "twice" in done.err and PIN not in done.out + done.err, done


def test_vmcpd_with_a_token(serve, token, scratch):
    """Many at once, through a reload, both versions; and it ends well."""
    path = private_file(scratch / "pin", PIN)
    server = serve("--key", token.uri("ec"), "--key", token.uri("rsa"), "--passphrase",
                   f"file:{path}", "--sandbox", "on", env=token.extra)
    assert "warning: sandbox: off: a key is in a token or a TPM" in server.log
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    assert "\nSeccomp:\t0\n" in status  # the token's module could not work inside

    def both(i):
        if i == 20:
            server.process.send_signal(signal.SIGHUP)
        check_v2(server.v2().text, token.public["ec"], "ES256")
        check_v1(server.v1().json, token.public["rsa"])
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(both, range(60)))
    assert eventually(lambda: "reload" in server.log), server.log
    check_v2(server.v2().text, token.public["ec"], "ES256")
    kids = [k["kid"] for k in server.ask("/.well-known/jwks.json").json["keys"]]
    assert kids == [jwk.JWK.from_pyca(token.public[k]).thumbprint() for k in ("ec", "rsa")]
    assert PIN not in server.log


def test_vmcpd_refuses_a_wrong_pin(bin, token, scratch):
    argv = vmcpd_argv(bin, scratch, "--key", f"{token.uri('rsa')}&pin-value=99999999")
    done = run(*argv, env=token.env)
    assert done.code == 3 and "[passphrase]" in done.err and "99999999" not in done.out + done.err


# -- TPM 2 -----------------------------------------------------------------------------------------

@pytest.fixture(scope="module", name="tpm")
def swtpm(tmp_path_factory):
    """A TPM in software: a persistent P-256 key, an RSA and a P-256 key in files."""
    need("swtpm", "tpm2_createprimary", "openssl")
    if not list(Path("/usr/lib").glob("*/ossl-modules/tpm2.so")):
        pytest.skip("OpenSSL's tpm2 provider is not here")
    folder = tmp_path_factory.mktemp("tpm")
    (folder / "state").mkdir()
    # a socket's path is at most 107 bytes long
    short = Path(os.path.relpath(folder))
    short = folder if len(str(folder)) < 90 else short
    process = subprocess.Popen(
        ["swtpm", "socket", "--tpm2", "--tpmstate", f"dir={folder}/state", "--server",
         f"type=unixio,path={short}/s", "--ctrl", f"type=unixio,path={short}/s.ctrl", "--flags",
         "not-need-init,startup-clear"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    tcti = f"swtpm:path={short}/s"
    env = {"TPM2TOOLS_TCTI": tcti, "TPM2OPENSSL_TCTI": tcti, "TSS2_LOG": "all+NONE", **NO_LEAKS}
    try:
        up = eventually(lambda: (folder / "s.ctrl").exists() or process.poll() is not None,
                        5)
        if not up or process.poll() is not None:
            pytest.skip("swtpm does not run here")
        yield make_tpm_keys(folder, env)
    finally:
        process.terminate()
        process.communicate(timeout=10)


def make_tpm_keys(folder, env):
    provider = ("-provider", "tpm2", "-provider", "default", "-propquery", "?provider=tpm2")
    for command in ("tpm2_createprimary -C o -G ecc -c p.ctx", "tpm2_flushcontext -t",
                    "tpm2_create -C p.ctx -G ecc256:ecdsa -u k.pub -r k.priv",
                    "tpm2_flushcontext -t", "tpm2_load -C p.ctx -u k.pub -r k.priv -c k.ctx",
                    "tpm2_flushcontext -t", "tpm2_evictcontrol -C o -c k.ctx 0x81000001",
                    "tpm2_readpublic -c 0x81000001 -f pem -o handle.pem"):
        tool(*command.split(), env=env, cwd=folder)
    for name, options in (("rsa", ("RSA", "-pkeyopt", "bits:2048")),
                          ("ec", ("EC", "-pkeyopt", "group:P-256")),
                          ("locked", ("EC", "-pkeyopt", "group:P-256", "-pkeyopt",
                                      f"user-auth:{PASS}"))):
        tool("openssl", "genpkey", *provider, "-algorithm", *options, "-out",
             folder / f"{name}.key", env=env)
        (folder / f"{name}.key").chmod(0o600)
        tool("openssl", "pkey", *provider, "-in", folder / f"{name}.key", "-passin", f"pass:{PASS}",
             "-pubout", "-out", folder / f"{name}.pem", env=env)
    names = {"handle": "handle:0x81000001", **{n: folder / f"{n}.key"
                                               for n in ("rsa", "ec", "locked")}}
    publics = {n: load_pem_public_key((folder / f"{n}.pem").read_bytes()) for n in names}
    return SimpleNamespace(env={**os.environ, **env}, extra=env, name=names, public=publics,
                           folder=folder)


@pytest.mark.parametrize("key, alg", [("handle", "ES256"), ("ec", "ES256"), ("rsa", "PS256"),
                                      ("rsa", "RS256"), ("rsa", "RS512")])
def test_tpm_signs_v2(vmcp, tpm, web, key, alg):
    done = vmcp("sign", "--key", tpm.name[key], *SIGN, "--alg", alg, web, env=tpm.env)
    check_v2(done.out.strip(), tpm.public[key], alg)


def test_tpm_signs_v1(vmcp, tpm, web):
    done = vmcp("sign", "--key", tpm.name["rsa"], "--salt", "Salt-1", "--format", "v1", web,
                env=tpm.env)
    check_v1(done.json, tpm.public["rsa"])


@pytest.mark.parametrize("key", ["handle", "rsa", "ec"])
def test_tpm_public_half(vmcp, tpm, key):
    want = jwk.JWK.from_pyca(tpm.public[key]).thumbprint()
    assert vmcp("thumbprint", tpm.name[key], env=tpm.env).out.strip() == want
    pem = vmcp("pubkey", tpm.name[key], env=tpm.env).bytes
    assert jwk.JWK.from_pem(pem).thumbprint() == want


def test_tpm_key_with_a_passphrase(vmcp, tpm, web):
    env = {**tpm.env, "PASS": PASS, "BAD": "wrong horse"}
    sign = ("sign", "--key", tpm.name["locked"], *SIGN, web)
    done = vmcp(*sign, "--passphrase", "env:PASS", env=env)
    check_v2(done.out.strip(), tpm.public["locked"], "ES256")
    done = vmcp(*sign, "--passphrase", "env:BAD", env=env, code=3)
    assert "[key-device]" in done.err and "auth" in done.err, done
    done = vmcp(*sign, env=env, code=3, start_new_session=True)
    assert "[passphrase]" in done.err and "--passphrase" in done.err, done


def test_what_goes_wrong_with_a_tpm(vmcp, tpm, scratch, web):
    sign = ("--domain", DOMAIN, "--hostid", "h", "--salt", "s", web)
    done = vmcp("sign", "--key", "handle:0x81000009", *sign, code=3, env=tpm.env)
    assert "[key-device]" in done.err and "no such key" in done.err
    gone = {**tpm.env, "TPM2OPENSSL_TCTI": f"swtpm:path={scratch}/none"}
    done = vmcp("sign", "--key", "handle:0x81000001", *sign, code=3, env=gone)
    assert "[key-device]" in done.err and "tpm2-openssl" in done.err
    exposed = private_file(scratch / "open.key", tpm.name["ec"].read_text(), 0o644)
    assert "[file-mode]" in vmcp("sign", "--key", exposed, *sign, code=3, env=tpm.env).err


def test_a_key_in_a_tpm_is_followed_by_none_in_a_file(vmcp, tpm, scratch):
    def files():
        return {str(p.relative_to(scratch)) for p in scratch.rglob("*.key*")}

    (scratch / "active").mkdir()
    shutil.copy(tpm.name["ec"], scratch / "active" / "a.key")
    done = vmcp("rotate", scratch, "--now", env=tpm.env, code=3)
    assert "[key-device]" in done.err and "next/" in done.err and files() == {"active/a.key"}
    vmcp("keygen", "--alg", "p-256", "--out", scratch / "next" / "b.key")
    vmcp("rotate", scratch, "--now", env=tpm.env)
    assert {"retired/a.key", "active/b.key", "active/b.key.pub"} < files()
    assert len(files()) == 5
    shutil.rmtree(scratch / "next")
    (scratch / "next").mkdir()
    os.rename(scratch / "retired" / "a.key", scratch / "next" / "a.key")
    vmcp("rotate", scratch, "--now", env=tpm.env)
    assert {"retired/b.key", "retired/b.key.pub", "active/a.key"} == files()


def test_vmcpd_with_a_tpm(serve, tpm):
    server = serve("--key", tpm.name["handle"], "--key", tpm.name["rsa"], env=tpm.extra)

    def both(_):
        check_v2(server.v2().text, tpm.public["handle"], "ES256")
        check_v1(server.v1().json, tpm.public["rsa"])
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(both, range(8)))


def test_ordinary_starts_load_neither(bin, keys, web):
    """What is not used costs nothing."""
    need("strace")
    done = subprocess.run(["strace", "-f", "-e", "trace=openat", str(bin.vmcp), "sign", "--key",
                           str(keys["ed25519"].path), *SIGN, str(web)], capture_output=True,
                          timeout=30, check=True, env={**os.environ, **NO_LEAKS})
    assert b"libcrypto" in done.stderr
    for word in (b"engines-3", b"ossl-modules", b"pkcs11", b"tss2"):
        assert word not in done.stderr, word

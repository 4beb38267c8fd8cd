# SPDX-License-Identifier: Apache-2.0
"""vmcpd started in wrong ways: each message names the option, the value, what was wrong and what
would be right, with the exit code of the table; and --check finds it beforehand."""
import os
import socket
import subprocess

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from conftest import DOMAIN, MACHINE, eventually, run, write_json
from test_http_tls import Authority


@pytest.fixture(name="desk")
def desk_fixture(scratch, keys):
    """A folder with what a start needs, and what is wrong with it."""
    for name in ("cfg.key", "open.key", "keys/active/1.key", "bad/active/1.key"):
        path = scratch / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((keys["ed25519"].pub if name[:3] == "bad" else keys["ed25519"].path)
                         .read_bytes())
        path.chmod(0o644 if name == "open.key" else 0o600)
    write_json(scratch / "configs/web.json", MACHINE)
    write_json(scratch / "twins/web.json", MACHINE)
    write_json(scratch / "twins/WEB.json", MACHINE)
    (scratch / "empty").mkdir()
    for name in ("one", "two"):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-keyout", scratch / f"{name}.key",
                        "-out", scratch / f"{name}.pem", "-subj", "/CN=x"], check=True,
                       capture_output=True, timeout=30)
        (scratch / f"{name}.key").chmod(0o600)
    subprocess.run(["openssl", "pkcs8", "-topk8", "-in", scratch / "cfg.key", "-passout",
                    "pass:x", "-out", scratch / "locked.key"], check=True, timeout=30)
    (scratch / "locked.key").chmod(0o600)
    (scratch / "short").write_text("short")
    (scratch / "short").chmod(0o600)
    return scratch


KEY, CONFIGS, LISTEN = "--key cfg.key ", "--configs configs ", "--listen 127.0.0.1:0 "
ALL, TLS = KEY + CONFIGS + LISTEN, KEY + CONFIGS + LISTEN + "--tls-cert one.pem --tls-key one.key "
LONG = "unix:" + 120 * "x"

WRONG = [
    # the command line
    (ALL + "--domain cfg.example.org", 2, "--domain is given twice [usage]"),
    (ALL + "--defalt web", 2, "no option --defalt; did you mean --default? [usage]"),
    (ALL + "reload", 2, "`reload` is one too many; usage: vmcpd [options] | vmcpd reload [opt"),
    ("check", 2, "there is no verb check; did you mean --check? [usage]"),
    (ALL + "--trusted-proxy 10.0.0.0/33", 2, "--trusted-proxy 10.0.0.0/33: not a block of"),
    (ALL + "--trusted-proxy 10.0.0.1/8", 2, "--trusted-proxy 10.0.0.1/8: has bits below its mask"),
    (ALL + "--access-log=", 2, "--access-log: off, - or the name of a file is wanted"),
    (ALL + "--host a/b", 2, "--host a/b: not a host name; one is like cfg.example.org"),
    # places
    (KEY + CONFIGS + "--listen 8080", 2, "--listen 8080: not an address to listen on; ADDR:PORT is"),
    (KEY + CONFIGS + "--listen 127.0.0.1:9 --listen 127.0.0.1:9", 2,
     "--listen 127.0.0.1:9: is given twice [usage]"),
    (KEY + CONFIGS + "--listen unix:s --listen unix:s", 2, "--listen unix:s: is given twice"),
    (KEY + CONFIGS + "--listen 127.0.0.1:9 --metrics 127.0.0.1:9", 2,
     "--metrics 127.0.0.1:9: is a place of --listen"),
    (ALL + "--metrics foo", 2, "--metrics foo: not an address to listen on"),
    (ALL + f"--listen {LONG}", 2, f"--listen {LONG}: unix:PATH has a path of 1 to 107 bytes"),
    (ALL + f"--control {LONG[5:]}", 2, f"--control {LONG[5:]}: unix:PATH has a path of 1 to 107"),
    (ALL + "--control /nowhere/control", 4, "--control /nowhere/control: cannot listen here: No"),
    (ALL + "--listen 192.0.2.99:80", 4, "assign requested address; `ip address` shows those of"),
    (ALL + "--listen unix:cfg.key", 4, "--listen unix:cfg.key: something that is no socket lies"),
    # keys
    ("--key none.key " + CONFIGS + LISTEN, 3, "none.key: --key: cannot be opened: No such file"),
    ("--key open.key " + CONFIGS + LISTEN, 3, "open.key: --key: mode 0644 lets others at a priv"),
    ("--key open.key " + CONFIGS + LISTEN, 3, "chmod 600 open.key [file-mode]"),
    ("--keys keys/active " + CONFIGS + LISTEN, 3,
     "keys/active: --keys: there is no folder `active` in it; a keys folder is the one that has"),
    ("--keys bad " + CONFIGS + LISTEN, 3, "bad/active/1.key: --keys: this is a public key"),
    ("--key locked.key --passphrase env:NONE " + CONFIGS + LISTEN, 3,
     "env:NONE: --passphrase: the variable is not set [passphrase]"),
    ("--key locked.key --passphrase file:none " + CONFIGS + LISTEN, 3,
     "none: --passphrase: cannot be opened: No such file or directory"),
    ("--key locked.key " + CONFIGS + LISTEN, 3, "locked.key: --key: needs the passphrase of"),
    (ALL + "--secret none", 3, "none: --secret: cannot be opened: No such file or directory [file]"),
    (ALL + "--secret short", 3, "short: --secret: a secret of 5 bytes; at least 32 random ones are"),
    (ALL + "--keystore empty", 3, "empty/domainkeys.lst: --keystore: cannot be opened"),
    # machines
    (KEY + LISTEN + "--configs none", 3, "none: --configs: the folder cannot be opened: No such"),
    (KEY + LISTEN + "--configs empty", 3, "empty: --configs: there is no machine file in it"),
    (KEY + LISTEN + "--configs twins", 3, "twins/WEB.json: error: the file is named after its"),
    (KEY + LISTEN + "--configs twins", 3, "twins: 1 machine file is wrong [config-invalid]"),
    (KEY + LISTEN + "--configs none/none --watch", 3, "none: --watch: cannot be watched: No such"),
    # TLS
    (ALL + "--tls-cert none.pem --tls-key one.key", 3, "none.pem: --tls-cert: cannot be opened"),
    (ALL + "--tls-cert one.pem --tls-key none.key", 3, "none.key: --tls-key: cannot be opened"),
    (ALL + "--tls-cert one.pem --tls-key two.key", 3,
     "two.key: --tls-key: is not the key of the certificate in one.pem"),
    (ALL + "--tls-cert cfg.key --tls-key one.key", 3,
     "cfg.key: --tls-cert: there is no certificate in it; PEM is wanted, which begins with -----B"),
    (TLS + "--client-ca short", 3, "short: --client-ca: no certificate of an authority in it"),
    # the log
    (ALL + "--access-log /nowhere/a.log", 3, "/nowhere/a.log: the access log cannot be opened for"),
    (ALL + "--access-log empty", 3, "empty: the access log cannot be opened for appending: Is a d"),
]


@pytest.mark.parametrize("options,code,text", WRONG)
def test_wrong(bin, desk, options, code, text):
    domain = () if options == "check" else ("--domain", DOMAIN)
    argv = options.split() if options == "check" else [*domain, *options.split()]
    done = run(bin.vmcpd, *argv, cwd=desk)
    assert done.code == code and text in done.err and "ready" not in done.out, done
    assert done.err.count("vmcpd: error: ") == 1


@pytest.mark.parametrize("domain", ["CFG.example.org", "https://cfg.example.org", "a:80", ""])
def test_a_domain(bin, desk, domain):
    done = run(bin.vmcpd, "--domain", domain, *ALL.split(), cwd=desk)
    assert done.code == 2 and f"--domain {domain}: a domain is a host name in lower" in done.err


@pytest.mark.parametrize("option", ["--listen", "--metrics"])
def test_a_port_that_is_taken(bin, desk, option):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run(bin.vmcpd, "--domain", DOMAIN, *ALL.split(), option, place, cwd=desk)
    assert done.code == 4 and "`ss -ltnp` shows who does [network]" in done.err
    assert f"vmcpd: error: {option} {place}: cannot listen here: Address already in use" in done.err


def test_free_ports_may_be_given_twice(bin, desk):
    argv = ["--domain", DOMAIN, *ALL.split(), *LISTEN.split(), "--metrics", "127.0.0.1:0"]
    assert run(bin.vmcpd, *argv, "--check", cwd=desk).code == 0


# -- --check ---------------------------------------------------------------------------------------

TRIED = [(options, code, text) for options, code, text in WRONG if options != "check"]


@pytest.mark.parametrize("options,code,text", TRIED)
def test_check_finds_what_a_start_would(bin, desk, options, code, text):
    """The same message and exit code, and nothing is left behind."""
    before = sorted(desk.rglob("*"))
    done = run(bin.vmcpd, "--domain", DOMAIN, *options.split(), "--check", cwd=desk)
    assert done.code == code and text in done.err and "all good" not in done.out, done
    assert sorted(desk.rglob("*")) == before


def test_check_beside_the_running_server(bin, desk, vmcpd, keys):
    """Places in use are a doubt, and no failure; the server that has them does not notice."""
    places = desk / "s.sock", desk / "metrics.sock", desk / "control"
    server = vmcpd(None, "--listen", f"unix:{places[0]}", "--metrics", f"unix:{places[1]}",
                   "--control", places[2], "--access-log", desk / "access.log")
    argv = [o if o != "127.0.0.1:0" else f"127.0.0.1:{server.port}" for o in server.argv]
    before = [p.stat().st_ino for p in places]
    done = run(*argv, "--check")
    assert done.code == 0 and "all good" in done.out, done
    warnings = done.err.splitlines()
    assert len(warnings) == 4 and all("warning: --" in line for line in warnings), done
    assert f"--listen 127.0.0.1:{server.port}: cannot listen here: Address already" in done.err
    for option, place in zip(("listen unix:", "metrics unix:", "control "), places):
        assert f"--{option}{place}: a socket lies there already; it is repl" in done.err
    assert [p.stat().st_ino for p in places] == before and server.v2().status == 200
    log = desk / "access.log"  # has the question above, and nothing else
    assert eventually(lambda: log.read_text().count("\n") == 1)


def test_check_writes_nothing(bin, desk):
    options = ALL + "--listen unix:s --metrics unix:m --control c --access-log a.log"
    before = sorted(desk.rglob("*"))
    done = run(bin.vmcpd, "--domain", DOMAIN, *options.split(), "--check", cwd=desk)
    assert done.code == 0 and done.err == "" and sorted(desk.rglob("*")) == before
    done = run(bin.vmcpd, "--domain", DOMAIN, *(KEY + CONFIGS).split(), "--check", cwd=desk)
    assert done.code == 0 and done.err == "" and "no --listen: it starts only with a" in done.out


def test_check_as_another_user(bin, desk, keys):
    """The folders are tried as the user of --user; a port below 1024 is no doubt then, for root."""
    if os.geteuid() != 0:
        pytest.skip("root is needed to become somebody else")
    for path in [desk, *desk.parents][:-2]:
        path.chmod(path.stat().st_mode | 0o055)
    for path in (desk / "cfg.key", desk / "configs", desk / "configs/web.json"):
        os.chown(path, 65534, 65534)
    argv = ["--domain", DOMAIN, *(KEY + CONFIGS).split(), "--user", "nobody", "--check"]
    assert run(bin.vmcpd, *argv, "--listen", "127.0.0.1:0", cwd=desk).code == 0
    done = run(bin.vmcpd, *argv, "--listen", "127.0.0.1:0", "--access-log", "a.log", cwd=desk)
    assert done.code == 3 and "a.log: the access log cannot be opened" in done.err
    done = run(bin.vmcpd, *argv, "--listen", "unix:s", cwd=desk)
    assert done.code == 4 and "--listen unix:s: cannot listen here: Permission denied" in done.err


@pytest.mark.parametrize("days,text", [(-2, "expired at 20"), (3, "expires at 20"), (60, None)])
def test_a_certificate_that_ends(bin, desk, days, text):
    authority = Authority(desk, "authority")
    pair = authority.issue("server", ExtendedKeyUsageOID.SERVER_AUTH, days=days)
    argv = ["--domain", DOMAIN, *ALL.split(), "--tls-cert", pair.cert, "--tls-key", pair.key]
    done = run(bin.vmcpd, *argv, "--check", cwd=desk)
    assert done.code == 0
    assert done.err == "" if not text else f"{pair.cert}: warning: the certificate {text}" in done.err

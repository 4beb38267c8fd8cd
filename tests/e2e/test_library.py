# SPDX-License-Identifier: Apache-2.0
"""libvmcp as others use it: `make install` into a scratch folder, and the program of docs/library.md
compiled against that with pkg-config and run."""
import os
import re
import shutil
import subprocess
from types import SimpleNamespace

import pytest

from conftest import BIN, DOMAIN, MACHINE, ROOT, run, write_json

PAGE = (ROOT / "docs/library.md").read_text(encoding="utf-8")
RELEASE = ["-std=c11", "-O2", "-D_FORTIFY_SOURCE=2", "-fstack-protector-strong", "-Wall", "-Wextra",
           "-Werror"]
LIBRARY = BIN.parent / "libvmcp.a"
# what links with a library of a sanitizer build needs the sanitizers too
HAS_ASAN = LIBRARY.exists() and b"__asan_init" in LIBRARY.read_bytes()
SANITIZE = "address,undefined" if HAS_ASAN else ""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A packager's way: staged below DESTDIR, then put where PREFIX says."""
    if not shutil.which("pkg-config"):
        pytest.skip("pkg-config is not here")
    folder = tmp_path_factory.mktemp("install")
    prefix, stage = folder / "prefix", folder / "stage"
    subprocess.run(["make", "-C", ROOT, f"B={BIN.parent}", f"PREFIX={prefix}", f"DESTDIR={stage}",
                    *([f"SANITIZE={SANITIZE}"] if SANITIZE else []), "install"],
                   check=True, capture_output=True, timeout=500)
    (stage / prefix.relative_to("/")).rename(prefix)
    env = dict(os.environ, PKG_CONFIG_PATH=str(prefix / "lib/pkgconfig"))
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "--static", "libvmcp"], env=env,
                           check=True, capture_output=True, text=True, timeout=20).stdout.split()
    return SimpleNamespace(prefix=prefix, env=env, flags=flags, folder=folder)


def compile_with(installed, compiler, source, out, *options):
    sanitize = [f"-fsanitize={SANITIZE}"] if SANITIZE else []
    return subprocess.run([*compiler, *options, *sanitize, "-o", out, source, *installed.flags],
                          capture_output=True, text=True, check=False, timeout=120)


def test_what_is_installed(installed):
    prefix = installed.prefix
    for name in ("vmcp", "vmcpd", "vmcp-launch", "gce-emulator"):
        assert os.access(prefix / "bin" / name, os.X_OK)
    headers = {p.name for p in (prefix / "include/vmcp").iterdir()}
    assert headers == {p.name for p in (ROOT / "vmcp/lib").glob("*.h")}
    assert (prefix / "lib/libvmcp.a").stat().st_mode & 0o777 == 0o644
    pages = {p.name for p in (prefix / "share/man").glob("man?/*")}
    assert {"vmcp.1", "vmcp-launch.1", "gce-emulator.1", "vmcpd.8"} <= pages
    version = subprocess.run(["pkg-config", "--modversion", "libvmcp"], env=installed.env,
                             check=True, capture_output=True, text=True, timeout=20).stdout
    assert run(prefix / "bin/vmcp", "version").out == f"vmcp {version}"
    assert str(ROOT) not in (prefix / "lib/pkgconfig/libvmcp.pc").read_text()
    unit = (prefix / "lib/systemd/system/vmcpd.service").read_text()
    assert f"\nExecStart={prefix}/bin/vmcpd $VMCPD_OPTIONS\n" in unit
    assert f"\nExecReload={prefix}/bin/vmcpd reload\n" in unit and "/usr/bin" not in unit
    for name in ("lib/systemd/system/vmcpd.socket", "lib/sysusers.d/vmcp.conf",
                 "lib/tmpfiles.d/vmcp.conf", "share/bash-completion/completions/vmcp",
                 "share/bash-completion/completions/vmcp-launch"):
        assert (prefix / name).read_text(), name


@pytest.fixture(scope="module")
def check(installed):
    """The program of the page."""
    source, = re.findall(r"^```c\n(.*?)^```$", PAGE, re.S | re.M)
    assert len([line for line in source.splitlines() if line.strip()]) <= 30
    path = installed.folder / "check.c"
    path.write_text(source)
    done = compile_with(installed, ["gcc"], path, installed.folder / "check", *RELEASE)
    assert done.returncode == 0, done.stderr
    return installed.folder / "check"


@pytest.mark.parametrize("alg", ["ed25519", "p-256", "rsa-2048"])
def test_the_program_verifies(check, vmcp, keys, scratch, alg):
    web = write_json(scratch / "web.json", {"serial": 7, "machine": MACHINE})
    token = vmcp("sign", "--key", keys[alg].path, "--domain", DOMAIN, "--hostid", "h1", "--salt",
                 "abc", web).out.strip()
    answer = scratch / "answer"

    def ask(text, *, trust=keys[alg].pub, domain=DOMAIN, machine="web", hostid="h1", salt="abc"):
        answer.write_text(text)
        return run(check, trust, answer, domain, machine, hostid, salt)

    good = ask(token)
    assert (good.code, good.out, good.err) == (0, "web, serial 7\n", "")
    middle = token.index(".") + 40
    changed = token[:middle] + ("A" if token[middle] != "A" else "B") + token[middle + 1:]
    other = keys["p-256" if alg != "p-256" else "ed25519"].pub
    for done, code in [(ask(changed), None), (ask(token, salt="abd"), "salt-mismatch"),
                       (ask(token, domain="a.example"), "domain-mismatch"),
                       (ask(token, machine="db"), "machine-mismatch"),
                       (ask(token, hostid="h2"), "hostid-mismatch"),
                       (ask(token, trust=other), "key-untrusted"), (ask(""), "answer-malformed"),
                       (ask(token, trust=web), "trust-invalid")]:
        assert done.code == 1 and done.out == ""
        assert code is None or done.err.startswith(f"{code}: "), done
    assert run(check).code == 2


@pytest.mark.parametrize("header", sorted(p.name for p in (ROOT / "vmcp/lib").glob("*.h")))
def test_each_header_stands_alone(installed, scratch, header):
    source = scratch / "one.c"
    source.write_text(f"#include <vmcp/{header}>\nint main(void) {{ return 0; }}\n")
    done = compile_with(installed, ["gcc"], source, scratch / "one", *RELEASE, "-fsyntax-only")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("standard", ["c++11", "c++20"])
def test_from_cpp(installed, scratch, standard):
    if not shutil.which("g++"):
        pytest.skip("g++ is not here")
    source = scratch / "salt.cc"
    source.write_text('#include <string>\n#include <vmcp/vmcp.h>\nint main()\n{\n'
                      '    char salt[VMCP_SALT_LEN + 1] = "";\n    vmcp_error err = {};\n'
                      '    if (vmcp_salt_make(salt, &err) < 0)\n        return 1;\n'
                      '    return std::string(salt).size() == VMCP_SALT_LEN ? 0 : 1;\n}\n')
    done = compile_with(installed, ["g++"], source, scratch / "salt", f"-std={standard}", "-Wall",
                        "-Wextra", "-Werror")
    assert done.returncode == 0, done.stderr
    assert run(scratch / "salt").code == 0

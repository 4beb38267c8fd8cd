#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Install the packages in a fresh Debian root, run vmcpd there, purge them, and see that nothing
stays.

usage: fresh_root.py FOLDER_OF_DEBS [--cache FILE.tar]

As root, with a Debian mirror in reach (VMCP_MIRROR, http://deb.debian.org/debian by default) unless
the cache is there already. Ends with the plain line "N passed, N failed".
"""
import argparse
import glob
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SUITE = "bookworm"
MIRROR = os.environ.get("VMCP_MIRROR", "http://deb.debian.org/debian")
PACKAGES = ["vmcpd", "vmcp", "gce-emulator", "libvmcp-dev"]
INSTALL = "apt-get -q install -y --no-install-recommends /debs/*.deb"
BUILD_LIMIT, STEP_LIMIT = 600, 180  # seconds
# What apt and dpkg keep for themselves, and what is no file.
NOT_COMPARED = ("proc", "sys", "dev", "tmp", "debs", "var/lib/apt", "var/cache", "var/lib/dpkg",
                "var/log/apt", "var/log/dpkg.log", "var/log/alternatives.log",
                "etc/passwd-", "etc/shadow-", "etc/group-", "etc/gshadow-", "etc/.pwd.lock")
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
               "DEBIAN_FRONTEND": "noninteractive"}


class Root:
    def __init__(self, path):
        self.path = path

    def run(self, *argv, check=True, **more):
        done = subprocess.run(["chroot", self.path, *map(str, argv)], env=ENVIRONMENT,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors="replace", timeout=STEP_LIMIT, check=False, **more)
        if check and done.returncode:
            raise AssertionError(f"{argv}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def files(self):
        """Every path of the root, with its kind, mode and owner."""
        found = {}
        for folder, folders, names in os.walk(self.path):
            inside = os.path.relpath(folder, self.path)
            folders[:] = [f for f in folders
                          if os.path.normpath(f"{inside}/{f}") not in NOT_COMPARED]
            for name in folders + names:
                path = os.path.normpath(f"{inside}/{name}")
                if path not in NOT_COMPARED:
                    st = os.lstat(f"{folder}/{name}")
                    found[path] = (oct(st.st_mode), st.st_uid, st.st_gid)
        return found


def depends(debs):
    """What the packages need beside each other: the first of alternatives."""
    names = set()
    for deb in debs:
        fields = subprocess.run(["dpkg-deb", "-f", deb, "Depends"], capture_output=True, text=True,
                                check=True).stdout.strip()
        names |= {re.split(r"[ |(]", entry.strip())[0] for entry in fields.split(",")}
    return sorted(names - set(PACKAGES) - {""})


def make_root(folder, cache, debs):
    """A minimal Debian with the dependencies of the packages, from the cache if it is there."""
    root = Root(folder)
    if cache and cache.exists():
        subprocess.run(["tar", "-xf", cache, "-C", folder], check=True, timeout=STEP_LIMIT)
        return root
    subprocess.run(["debootstrap", "--variant=minbase", "--include=ca-certificates", SUITE, folder,
                    MIRROR], check=True, timeout=BUILD_LIMIT, stdout=subprocess.DEVNULL)
    shutil.copy("/etc/resolv.conf", f"{folder}/etc/resolv.conf")
    root.run("apt-get", "-q", "install", "-y", "--no-install-recommends", *depends(debs))
    if cache:
        subprocess.run(["tar", "-cf", f"{cache}.new", "-C", folder, "."], check=True,
                       timeout=STEP_LIMIT)
        os.rename(f"{cache}.new", cache)
    return root


class Skipped(Exception):
    pass


class Checks:
    def __init__(self):
        self.passed = self.failed = 0

    def step(self, name, function, *args):
        start = time.monotonic()
        try:
            value = function(*args)
        except Skipped as why:
            print(f"  skipped {name}: {why}", flush=True)
            return None
        except Exception as error:  # told, counted, and the next step is tried
            self.failed += 1
            print(f"  FAILED {name}: {error}", flush=True)
            return None
        self.passed += 1
        print(f"  passed {name} ({time.monotonic() - start:.1f} s)", flush=True)
        return value


def lint(debs):
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error", *debs], text=True,
                          capture_output=True, timeout=STEP_LIMIT, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def install(root):
    done = root.run("sh", "-c", INSTALL)
    assert "vmcpd" in done.stdout
    assert "gce-emulator" in root.run("gce-emulator", "--help").stdout
    for program in ("vmcpd", "vmcp", "vmcp-launch"):
        assert root.run(program, "--version").stdout.startswith(program)
    stat = root.run("stat", "-c", "%U:%G %a", "/etc/vmcp/keys", "/etc/vmcp/keys/active",
                    "/etc/vmcp/configs", "/etc/vmcp/tls", "/etc/vmcp").stdout.split("\n")
    assert stat[:5] == ["vmcpd:vmcpd 700"] * 2 + ["root:vmcpd 750"] * 2 + ["root:root 755"], stat


def install_again(root):
    """The scripts are idempotent, and an upgrade keeps what the administrator changed."""
    options = Path(root.path, "etc/default/vmcpd")
    text = options.read_text().replace("127.0.0.1:8080", "127.0.0.1:0")
    options.write_text(text)
    root.run("sh", "-c", "dpkg -i /debs/*.deb")
    root.run("dpkg-reconfigure", "vmcpd")
    assert options.read_text() == text


def unit(root):
    """What the installed service says, by key."""
    text = Path(root.path, "usr/lib/systemd/system/vmcpd.service").read_text()
    return dict(line.split("=", 1) for line in text.splitlines()
                if "=" in line and not line.startswith("#"))


def options_of(root):
    text = Path(root.path, "etc/default/vmcpd").read_text()
    return shlex.split(re.search(r"^VMCPD_OPTIONS=(.*)$", text, re.M)[1])[0].split()


def serve(root):
    """Start it as the unit does: its user, no capabilities, its command line and environment."""
    service = unit(root)
    key = "/etc/vmcp/keys/active/1.key"
    root.run("runuser", "-u", service["User"], "--", "vmcp", "keygen", "--alg", "ed25519", "--out", key)
    Path(root.path, "etc/vmcp/configs/web.json").write_text(json.dumps(
        {"serial": 1, "machine": {"name": "web", "secret": "a-long-enough-secret", "cpus": 2}}))
    root.run("install", "-d", "-o", service["User"], "/run/vmcpd")
    command = [w for word in service["ExecStart"].split()
               for w in (options_of(root) if word == "$VMCPD_OPTIONS" else [word])]
    server = subprocess.Popen(
        ["chroot", root.path, "setpriv", f"--reuid={service['User']}",
         f"--regid={service['Group']}", "--init-groups", "--no-new-privs", "--inh-caps=-all",
         "--bounding-set=-all", "--", *command],
        env={**ENVIRONMENT, "RUNTIME_DIRECTORY": "/run/vmcpd"}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        lines = []
        for line in server.stdout:
            lines.append(line)
            if "ready on" in line:
                break
        port = re.search(r"ready on http://127\.0\.0\.1:(\d+)/vmcp", "".join(lines))
        assert port, lines
        status = Path(f"/proc/{server.pid}/status").read_text()
        assert re.search(r"^Seccomp:\s+2$", status, re.M), status
        assert re.search(r"^NoNewPrivs:\s+1$", status, re.M), status
        assert re.search(r"^CapEff:\s+0+$", status, re.M), status
        fetched = root.run("vmcp", "fetch", f"http://127.0.0.1:{port[1]}", "--machine", "web",
                           "--domain", "cfg.example.org", "--trust", f"{key}.pub")
        assert json.loads(fetched.stdout)["name"] == "web"
        root.run(*service["ExecReload"].split())
    finally:
        server.send_signal(signal.SIGTERM)
        code = server.wait(30)
        server.stdout.close()
    assert code == 0, code
    shutil.rmtree(f"{root.path}/run/vmcpd")


def give_certificate(root):
    """Where vmcpd.socket waits for it; for 127.0.0.1, and signed by itself."""
    tls = f"{root.path}/etc/vmcp/tls"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{tls}/key.pem", "-out",
                    f"{tls}/cert.pem"], check=True, capture_output=True, timeout=STEP_LIMIT)
    root.run("chown", "vmcpd:", "/etc/vmcp/tls/key.pem")
    root.run("chmod", "0600", "/etc/vmcp/tls/key.pem")
    root.run("chmod", "0644", "/etc/vmcp/tls/cert.pem")


PROBE = """[Unit]
After=vmcpd.service
[Service]
Type=oneshot
ExecStart=-/bin/sh /debs/probe.sh
ExecStopPost=/bin/systemctl --no-block poweroff
StandardOutput=append:/debs/probe.out
StandardError=append:/debs/probe.out
[Install]
WantedBy=multi-user.target
"""


def under_systemd(root):
    """The root boots, and the installed units run: the sandbox of systemd around vmcpd's own."""
    units = Path(root.path, "etc/systemd/system")
    made = [units / "probe.service"]
    made[0].write_text(PROBE)
    shutil.copy(Path(__file__).parent / "probe.sh", f"{root.path}/debs/probe.sh")
    options = Path(root.path, "etc/default/vmcpd")
    options.write_text(options.read_text().replace(
        "127.0.0.1:0", "127.0.0.1:8080 --access-log /var/log/vmcpd/access.log --tls-cert "
        "/etc/vmcp/tls/cert.pem --tls-key /etc/vmcp/tls/key.pem"))
    give_certificate(root)
    root.run("systemctl", "enable", "vmcpd.socket", "vmcpd.service", "probe.service")
    boot = subprocess.run(
        ["systemd-nspawn", "--register=no", "--keep-unit", "--private-network", "--system-call-"
         "filter=landlock_create_ruleset landlock_add_rule landlock_restrict_self", "-D", root.path,
         "-b"], stdin=subprocess.DEVNULL, capture_output=True, timeout=STEP_LIMIT, check=False)
    out = Path(root.path, "debs/probe.out")
    if not out.exists() and boot.returncode:
        raise Skipped("systemd-nspawn cannot boot it here: "
                      + boot.stderr.decode(errors="replace").strip())
    text = out.read_text() if out.exists() else boot.stdout.decode(errors="replace")
    facts = dict(line.split("=", 1) for line in text.splitlines() if re.match(r"\w+=", line))
    assert facts.get("end") == "end", text
    uid = root.run("id", "-u", "vmcpd").stdout.strip()
    assert facts["Uid"].split() == [uid] * 4 and set(facts["CapEff"] + facts["CapBnd"]) == {"0"}
    assert facts["Seccomp"] == "2" and facts["NoNewPrivs"] == "1", facts
    assert facts["core"].split()[:2] == ["0", "0"], facts
    for name in ("listen", "socket", "old", "again", "v1"):
        assert '"name": "web"' in facts[name], (name, text)
    codes = {n: facts[n] for n in ("reload", "broken", "mended", "rotated", "encrypted", "credentials",
                                   "reread")}
    assert codes == {n: "1" if n == "broken" else "0" for n in codes}, (codes, text)
    assert re.match(r"vmcpd \S+Z GET /vmcp", facts["log"]), text
    assert "no new privileges, seccomp" in facts["sandbox"] and facts["result"] == "success", text


def purge_keeps_keys(root):
    done = root.run("apt-get", "-q", "purge", "-y", *PACKAGES)
    assert "keys and machine files are left" in done.stdout + done.stderr
    assert Path(root.path, "etc/vmcp/keys/active/1.key").exists()
    assert "vmcpd" in Path(root.path, "etc/passwd").read_text()
    assert not Path(root.path, "usr/bin/vmcpd").exists()
    shutil.rmtree(f"{root.path}/etc/vmcp")


def purge_leaves_nothing(root, before):
    root.run("sh", "-c", INSTALL)
    root.run("apt-get", "-q", "purge", "-y", *PACKAGES)
    after = root.files()
    changed = {p for p in before.keys() | after.keys() if before.get(p) != after.get(p)}
    assert not changed, {p: (before.get(p), after.get(p)) for p in sorted(changed)}
    assert "vmcpd" not in Path(root.path, "etc/passwd").read_text()
    left = root.run("sh", "-c", "dpkg -l | grep -E 'vmcp|gce-emulator' || true").stdout
    assert not left, left


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("debs", type=Path)
    parser.add_argument("--cache", type=Path)
    args = parser.parse_args()
    debs = sorted(glob.glob(f"{args.debs}/*.deb"))
    if os.geteuid() != 0 or len(debs) != len(PACKAGES):
        sys.exit("fresh_root.py: wants root, and the packages that `make deb` makes")
    if "VMCP_FRESH_ROOT" not in os.environ:
        os.environ["VMCP_FRESH_ROOT"] = "in its namespace"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable,
                              *sys.argv])
    checks = Checks()
    with tempfile.TemporaryDirectory(prefix="vmcp-root-") as folder:
        os.chmod(folder, 0o755)
        checks.step("lintian", lint, debs)
        root = checks.step("a fresh root", make_root, folder, args.cache, debs)
        if root:
            # In a mount namespace of this run's own: they end with it.
            subprocess.run(["mount", "-t", "proc", "proc", f"{folder}/proc"], check=True)
            os.mkdir(f"{folder}/debs")
            for deb in debs:
                shutil.copy(deb, f"{folder}/debs")
            before = root.files()
            checks.step("install", install, root)
            checks.step("install again", install_again, root)
            checks.step("start, ask, reload, stop", serve, root)
            subprocess.run(["umount", "-l", f"{folder}/proc"], check=True)
            # What systemd itself leaves is not the packages' doing.
            with tempfile.TemporaryDirectory(prefix="vmcp-root-") as booted:
                subprocess.run(["cp", "-aT", folder, booted], check=True)
                checks.step("the units, under systemd", under_systemd, Root(booted))
            subprocess.run(["mount", "-t", "proc", "proc", f"{folder}/proc"], check=True)
            checks.step("a purge keeps keys", purge_keeps_keys, root)
            checks.step("a purge leaves nothing else", purge_leaves_nothing, root, before)
            subprocess.run(["umount", "-l", f"{folder}/proc"], check=True)
    print(f"{checks.passed} passed, {checks.failed} failed")
    return 1 if checks.failed else 0


if __name__ == "__main__":
    sys.exit(main())

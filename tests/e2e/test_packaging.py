# SPDX-License-Identifier: Apache-2.0
"""The units say what systemd understands, and what vmcpd can do."""
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import DOMAIN, MACHINE, ROOT, run, write_json

PACKAGING = ROOT / "vmcp/packaging"
EXPOSURE_MAX = 2.0

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"),
                                   reason="systemd-analyze is not here")


def settings(name):
    """A unit's settings in their order, comments and sections left out."""
    lines = (PACKAGING / name).read_text().splitlines()
    return [tuple(line.split("=", 1)) for line in lines if re.match(r"[A-Z]\w+=", line)]


@needs_systemd
@pytest.mark.parametrize("unit", ("vmcpd.service", "vmcp-launch-schedule.service"))
def test_exposure(unit):
    done = run("systemd-analyze", "security", "--offline=yes", "--no-pager", PACKAGING / unit)
    found = re.search(rf"Overall exposure level for {unit}: ([\d.]+)", done.out)
    assert found and float(found[1]) <= EXPOSURE_MAX, done


@needs_systemd
def test_units_are_understood(bin, scratch):
    """With the drop-ins too. Where the program will be is not what is asked here."""
    for name in ("vmcpd.service", "vmcpd.socket"):
        text = (PACKAGING / name).read_text().replace("/usr/bin/vmcpd", str(bin.vmcpd))
        (scratch / name).write_text(text)
    drops = scratch / "vmcpd.service.d"
    drops.mkdir()
    for name in (None, "credentials.conf", "devices.conf"):
        if name:
            text = (PACKAGING / name).read_text().replace("/usr/bin/vmcpd", str(bin.vmcpd))
            (drops / name).write_text(text)
        done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
                               scratch / "vmcpd.service", scratch / "vmcpd.socket"], timeout=60,
                              env={"SYSTEMD_UNIT_PATH": f"{scratch}:", "PATH": "/usr/bin:/bin"},
                              capture_output=True, text=True, check=False)
        assert done.returncode == 0 and "vmcpd" not in done.stderr, done.stderr


@needs_systemd
def test_the_unit_of_schedules_is_understood(bin, scratch):
    text = (PACKAGING / "vmcp-launch-schedule.service").read_text()
    (scratch / "vmcp-launch-schedule.service").write_text(
        text.replace("/usr/bin/vmcp-launch", str(bin.launch)))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no",
                           scratch / "vmcp-launch-schedule.service"], timeout=60,
                          env={"SYSTEMD_UNIT_PATH": f"{scratch}:", "PATH": "/usr/bin:/bin"},
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "vmcp-launch" not in done.stderr, done.stderr


def test_the_command_line_of_schedules(bin, keys, scratch):
    """ExecStart with the options that the unit names gets as far as the responder."""
    unit = dict(settings("vmcp-launch-schedule.service"))
    assert unit["Type"] == "notify" and unit["ExecReload"].endswith("-HUP $MAINPID")
    (scratch / "state").mkdir(mode=0o700)
    options = f"--job resize-web --endpoint http://127.0.0.1:1 --trust {keys['ed25519'].pub} --explain"
    words = unit["ExecStart"].replace("$VMCP_SCHEDULE_OPTIONS", options)
    words = words.replace("${STATE_DIRECTORY}", str(scratch / "state")).split()
    done = run(bin.launch, *words[1:], env={"PATH": "/usr/bin", "HOME": str(scratch)})
    assert done.code == 4 and "network" in done.err, done


def test_command_lines_are_vmcpds(bin, keys, scratch):
    """ExecStart with the default options starts, but for where things are; so do the drop-ins'."""
    default = re.search(r"^VMCPD_OPTIONS=(.*)$", (PACKAGING / "vmcpd.default").read_text(), re.M)
    options = shlex.split(default[1])[0]
    for name in ("active", "next", "retired"):
        (scratch / "etc/keys" / name).mkdir(parents=True)
    for path in (scratch / "etc/keys/active/1.key", scratch / "cfg.key"):
        kind = "ed25519" if path.name == "1.key" else "p-256"
        path.write_bytes(keys[kind].path.read_bytes())
        path.chmod(0o600)
    (scratch / "vmcpd.passphrase").write_text("secret\n")
    (scratch / "vmcpd.passphrase").chmod(0o400)
    write_json(scratch / "etc/configs/web.json", MACHINE)
    lines = [v for k, v in settings("vmcpd.service") + settings("credentials.conf")
             if k == "ExecStart" and v]
    assert len(lines) == 2 and f"--domain {DOMAIN}" in options
    for line in lines:
        words = line.replace("$VMCPD_OPTIONS", options).replace("%d", str(scratch))
        words = words.replace("/etc/vmcp", str(scratch / "etc")).split()
        done = run(bin.vmcpd, *words[1:], "--check",
                   env={"CREDENTIALS_DIRECTORY": str(scratch), "PATH": "/usr/bin"})
        assert done.code == 0 and "all good" in done.out, done


def test_the_socket_activates_the_service_of_its_name():
    names = {k for k, _ in settings("vmcpd.socket")}
    assert "ListenStream" in names and "Accept" not in names
    service = dict(settings("vmcpd.service"))
    assert service["Type"] == "notify" and service["ExecReload"] == "/usr/bin/vmcpd reload"
    user = re.search(r"^u (\S+)", (PACKAGING / "vmcp.sysusers").read_text(), re.M)[1]
    assert service["User"] == service["Group"] == user
    folders = (PACKAGING / "vmcp.tmpfiles").read_text()
    for name in ("keys", "keys/active", "keys/next", "keys/retired"):
        assert re.search(rf"^d /etc/vmcp/{name} +0700 {user} +{user} ", folders, re.M), name
    scripts = (PACKAGING / "debian/vmcpd.postinst").read_text()
    assert "for folder in configs tls" in scripts and f"-m 0750 -g {user} " in scripts
    for name in ("configs", "tls"):  # secrets: read by the server, written by root, nobody else's
        assert re.search(rf"^d /etc/vmcp/{name} +0750 root +{user} ", folders, re.M), name


def test_port_443_is_not_open_without_a_certificate():
    """The socket waits for the certificate that the options of /etc/default/vmcpd would name."""
    socket = dict(settings("vmcpd.socket"))
    wanted = socket["ConditionPathExists"]
    options = (PACKAGING / "vmcpd.default").read_text()
    assert f"--tls-cert {wanted} " in options
    plain = re.search(r"^VMCPD_OPTIONS=(.*)$", options, re.M)[1]
    assert re.findall(r"--listen (\S+)", plain) == ["127.0.0.1:8080"]


def test_resources_fit_the_limits():
    """Descriptors for the default of --max-connections, and threads of a machine of many cores."""
    limits = (ROOT / "vmcp/lib/limits.h").read_text()
    connections = int(re.search(r"#define HTTP_CONNECTIONS_MAX +(\d+)", limits)[1])
    service = dict(settings("vmcpd.service"))
    assert connections + 1000 < int(service["LimitNOFILE"]) <= 4 * connections
    threads = 8 + 3 + 1 + 1 + 3 + 7  # of libmicrohttpd, its helpers, main, /metrics, a reload
    assert threads < int(service["TasksMax"]) <= 4 * threads
    assert service["MemoryMax"] == "1G" and service["MemorySwapMax"] == "0"

# SPDX-License-Identifier: Apache-2.0
"""VMs that boot: what a guest is, what it can see, and that nothing of it outlives the emulator.

Each emulator runs in a laboratory (network and mount namespaces) with a made-up machine around it:
an /etc with keys in it, homes with files in them. Everything that no guest may see has MARK in its
name, and everything that a guest leaves running has it in its command line, so both can be looked
for. As root, all of it is done twice: as root, and as a user who enters the laboratory by
`unshare -Urnm`.
"""
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

BIN = Path(os.environ.get("VMCP_BIN", "build/release/bin")).resolve()
EMULATOR = str(BIN / "gce-emulator")
PROJECT = "demo-project"
ZONE = "us-central1-a"
METADATA, API = "127.0.0.1:18080", "127.0.0.1:18081"
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]

# The machine around the emulator. Host files that only their modes would protect are readable to
# all here, so that a guest that could reach them would show them.
LABORATORY = r"""
set -e
work=$1 mark=$2
ip link set lo up
mkdir "$work/etc"
cp -a /etc/. "$work/etc" 2>/dev/null || true
cd "$work/etc"
mkdir -p vmcp/keys ssh ssl/private
for file in vmcp/keys ssh ssl/private; do echo "$mark" > "$file/$mark"; done
echo "$mark" > "secret-$mark"; chmod 600 "secret-$mark"
echo "public" > "public-file"; chmod 644 public-file
rm -f shadow passwd
echo "root:$mark:1::::::" > shadow
chmod 644 shadow
{ cat /etc/passwd; echo 'alice:x:1500:1500::/usr/local/src/alice:/bin/sh'; } > passwd
mount --bind "$work/etc" /etc
for folder in /home /root /usr/local/src /opt /srv; do mount -t tmpfs none "$folder"; done
mkdir -p /home/bob /usr/local/src/alice
for folder in /home/bob /root /usr/local/src/alice /opt /srv /tmp /var/tmp "$work"; do
    echo "$mark" > "$folder/$mark"
done
mkdir "$work/out" "$work/tmp"
echo "$mark-in-the-open" > /usr/local/src/in-the-open
echo ready
exec -a "$mark-laboratory" sleep infinity
"""

# Puts a key named MARK into a session keyring of its own, then becomes the emulator: as when the
# emulator is started from a user's session.
KEYED = r"""
import ctypes, os, sys
libc, mark = ctypes.CDLL(None, use_errno=True), sys.argv[1].encode()
ADD_KEY, KEYCTL = {"x86_64": (248, 250), "aarch64": (217, 219)}[os.uname().machine]
JOIN_SESSION_KEYRING, SESSION = 1, -3
if libc.syscall(KEYCTL, JOIN_SESSION_KEYRING, None) >= 0:
    secret = b"a secret"
    if libc.syscall(ADD_KEY, b"user", mark, secret, len(secret), SESSION) < 0:
        raise OSError(ctypes.get_errno(), "add_key")
    os.execv(sys.argv[2], sys.argv[2:])
if ctypes.get_errno() not in (1, 38):
    raise OSError(ctypes.get_errno(), "keyctl")
os.execv(sys.argv[2], sys.argv[2:])
"""

# Looks for that key by name, as keyctl(1) does.
KEY_SEARCH = r"""
import ctypes, os, sys
libc, mark = ctypes.CDLL(None, use_errno=True), sys.argv[1].encode()
KEYCTL = {"x86_64": 250, "aarch64": 219}[os.uname().machine]
SEARCH, SESSION = 10, -3
print("found" if libc.syscall(KEYCTL, SEARCH, SESSION, b"user", mark, 0) >= 0 else "none")
"""

# What a guest says about itself: "=== NAME" and lines, to the serial port.
FACTS = r"""#!/bin/bash
say() { echo "=== $1"; }
get() { curl -sS --max-time 5 -H 'Metadata-Flavor: Google' "http://$1/computeMetadata/v1/$2"; echo; }
say by-address; get 169.254.169.254 instance/name
say by-name; get metadata.google.internal instance/hostname
say by-short-name; get metadata instance/id
say hostname; hostname; hostname -f; cat /etc/hostname
say address; ip -4 -o addr show dev eth0; ip route; ip -o link show dev eth0
say dmi; cat /sys/class/dmi/id/product_name
say id; id
say writable
for d in / /etc /usr /bin /dev /sys /boot /opt /proc/sys/kernel; do
    touch "$d/x-$$" 2>/dev/null && echo "$d"; done
say private
for d in /tmp /srv /var /root /home /run /dev/shm /var/tmp /var/lib /var/log; do
    touch "$d/x-$$" && echo "$d"; done
say kernel
for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger; do
    { printf x > "$f"; } 2>/dev/null && echo "$f"; done
say marked
find / -path /proc -prune -o -path '/usr/[!l]*' -prune -o -path /usr/lib -prune \
    -o -name '*MARK*' -print
grep -rl MARK /etc /usr/local /home /root /opt /srv /var 2>/dev/null
cat /etc/shadow /proc/1/environ 2>/dev/null | tr '\0' '\n' | grep MARK
say open; cat /etc/public-file; cat /usr/local/src/in-the-open
say mounts; cat /proc/self/mountinfo
say processes; for p in /proc/[0-9]*; do tr '\0' ' ' < "$p/cmdline"; echo; done
say environment; env
say descriptors; for f in /proc/1/fd/*; do readlink "$f"; done
say capabilities; grep -E 'Cap(Eff|Prm)|NoNewPrivs' /proc/self/status
say api; curl -sS --max-time 5 -o /dev/null -w '%{http_code}\n' \
    "$CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE"projects/demo-project/zones/us-central1-a/instances
say keys; python3 -c 'KEY_SEARCH' MARK
say end
echo to-the-console > /dev/ttyS0
mkdir -p /srv/www && hostname > /srv/www/index.html
setsid python3 -m http.server --directory /srv/www 8000 &
(setsid bash -c 'exec -a MARK-daemon sleep 1000' &)
printf 'last words without a newline'
exit 7
"""

FACTS = FACTS.replace("KEY_SEARCH", KEY_SEARCH)

DAEMON = """#!/bin/bash
(setsid bash -c 'exec -a MARK-daemon sleep 1000' &)
"""

ASK = """#!/bin/sh
for i in $(seq 50); do curl -s --max-time 2 http://10.128.0.OTHER:8000/ && exit 0; sleep 0.1; done
exit 1
"""


def modes():
    if os.geteuid() != 0:
        return ["user"]
    return ["root", "user"]


class Laboratory:
    """Namespaces with a made-up machine in them, and an emulator."""

    def __init__(self, mode):
        self.mode = mode
        self.mark = "vmcp-marker-" + secrets.token_hex(6)
        self.work = Path(tempfile.mkdtemp(prefix="vmcp-vms-"))
        self.user = NOBODY if mode == "user" and os.geteuid() == 0 else []
        # The made-up machine covers the folder that the build may lie in.
        self.program = shutil.copy(EMULATOR, self.work)
        if self.user:
            os.chown(self.work, 65534, 65534)
        flags = ["-nm"] if mode == "root" else ["-Urnm"]
        self.log = open(self.work / "laboratory.log", "w+b")
        self.process = subprocess.Popen(
            [*self.user, "unshare", *flags, "bash", "-c", LABORATORY, "laboratory",
             str(self.work), self.mark], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        self.emulator = None
        self.last_pid = 0
        wait(lambda: b"ready" in (self.work / "laboratory.log").read_bytes()
             or self.process.poll() is not None, "the laboratory")
        assert self.process.poll() is None, (self.work / "laboratory.log").read_text()

    def command(self, argv):
        namespaces = ["--net", "--mount"]
        if self.mode == "user":
            namespaces = ["--user", "--preserve-credentials", *namespaces]
        return [*self.user, "nsenter", "--target", str(self.process.pid), *namespaces, "--", *argv]

    def run(self, *argv, **more):
        return subprocess.run(self.command(argv), capture_output=True, text=True, timeout=60,
                              check=False, stdin=more.pop("stdin", subprocess.DEVNULL), **more)

    def start(self, driver, *more, folder=None):
        folder = folder or self.work / "out"
        log = open(self.work / "emulator.log", "wb")
        self.emulator = subprocess.Popen(
            self.command(["/usr/bin/python3", "-c", KEYED, self.mark, self.program, "--metadata", METADATA, "--api", API, "--vm-driver", driver,
                          "--project", PROJECT, "--folder", str(folder), *more]),
            env=dict(os.environ, LEAK=self.mark, TMPDIR=str(self.work / "tmp")),
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        wait(lambda: self.emulator.poll() is not None or "ready api" in self.emulator_log(),
             "the emulator")
        assert self.emulator.poll() is None, self.emulator_log()

    def emulator_log(self):
        return (self.work / "emulator.log").read_text(errors="replace")

    def curl(self, url, *more):
        done = self.run("curl", "-sS", "--max-time", "20", *more, url)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def api(self, method, path, body=None):
        token = json.loads(self.curl(
            f"http://{METADATA}/computeMetadata/v1/instance/service-accounts/default/token",
            "-H", "Metadata-Flavor: Google"))["access_token"]
        more = []
        if body is not None:
            file = self.work / "body.json"
            file.write_text(json.dumps(body))
            file.chmod(0o644)
            more = ["-H", "Content-Type: application/json", "--data-binary", f"@{file}"]
        answer = json.loads(self.curl(
            f"http://{API}/compute/v1/projects/{PROJECT}/zones/{ZONE}/{path}", "-X", method,
            "-H", f"Authorization: Bearer {token}", *more))
        assert "error" not in answer, answer
        return answer

    def do(self, method, path, body=None):
        operation = self.api(method, path, body)
        done = self.api("POST", f"operations/{operation['name']}/wait")
        assert done["status"] == "DONE" and "error" not in done, done

    def insert(self, name, script, wait_for="Finished running startup scripts", metadata=(),
               **more):
        items = [{"key": key, "value": value} for key, value in dict(metadata).items()]
        if script is not None:
            items.append({"key": "startup-script", "value": script.replace("MARK", self.mark)})
        self.do("POST", "instances", {
            **more, "name": name, "machineType": f"zones/{ZONE}/machineTypes/e2-small",
            "disks": [{"boot": True, "initializeParams": {
                "sourceImage": "projects/debian-cloud/global/images/family/debian-12"}}],
            "networkInterfaces": [{"network": "global/networks/default"}],
            "metadata": {"items": items}})
        wait(lambda: re.search(wait_for, self.serial(name)), f"{name}'s {wait_for}")

    def instance(self, name):
        return self.api("GET", f"instances/{name}")

    def address(self, name):
        return self.instance(name)["networkInterfaces"][0]["networkIP"]

    def serial(self, name):
        return self.api("GET", f"instances/{name}/serialPort")["contents"]

    def facts(self, name):
        lines = re.findall(r"^startup-script: (.*)$", self.serial(name), re.M)
        facts, at = {}, None
        for line in lines:
            if line.startswith("=== "):
                at = facts.setdefault(line[4:], [])
            elif at is not None:
                at.append(line)
        return facts

    def daemons(self):
        """What guests left running, as numbered on this machine."""
        wanted = f"{self.mark}-daemon\0".encode()
        return {pid for pid, _, line in processes() if line.startswith(wanted)}

    def descendants(self):
        """Everything that the emulator started and what that started."""
        rows, found = list(processes()), {self.emulator.pid}
        while more := {pid for pid, parent, _ in rows if parent in found} - found:
            found |= more
        return found - {self.emulator.pid}

    def links(self):
        """Interfaces of ours in the laboratory's network."""
        return re.findall(r"^\d+: (gce\w+)", self.run("ip", "-o", "link").stdout, re.M)

    def cables(self):
        """The VMs' ends in the emulator's own network namespace, which hangs on a descriptor."""
        pid = self.emulator_pid()
        own = os.stat(f"/proc/{pid}/ns/net").st_ino
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            try:
                name = os.readlink(fd)
            except OSError:
                continue
            if name.startswith("net:[") and name != f"net:[{own}]":
                enter = ["nsenter", "--target", str(self.process.pid), "--user",
                         "--preserve-credentials"] if self.mode == "user" else []
                done = subprocess.run([*self.user, *enter, "nsenter", f"--net={fd}", "ip", "-o",
                                       "link"], capture_output=True, text=True, check=True)
                return re.findall(r"^\d+: (gcev\d+)", done.stdout, re.M)
        raise AssertionError("no network of the emulator's own")

    def mounts(self):
        return (Path("/proc") / str(self.process.pid) / "mountinfo").read_text()

    def emulator_pid(self):
        """Not that of nsenter(1), which may have made a process for it."""
        self.last_pid = next(pid for pid, _, line in processes()
                             if line.startswith(f"{self.program}\0".encode()))
        return self.last_pid

    def stop(self, sig=signal.SIGTERM):
        """Stop the emulator; its exit code."""
        self.emulator.send_signal(sig)
        code = self.emulator.wait(timeout=30)
        self.emulator = None
        return code

    def close(self):
        if self.emulator:
            self.emulator.kill()
            self.emulator.wait()
        self.process.kill()
        self.process.wait()
        self.log.close()
        for folder in ("/tmp", "/var/tmp"):
            (Path(folder) / self.mark).unlink(missing_ok=True)
        shutil.rmtree(self.work, ignore_errors=True)


def wait(condition, what, seconds=30):
    until = time.monotonic() + seconds
    while not (result := condition()):
        assert time.monotonic() < until, f"{what}: not within {seconds} s"
        time.sleep(0.05)
    return result


def processes():
    """(pid, parent, command line) of everything on this machine."""
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit():
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                yield int(entry.name), int(parent), (entry / "cmdline").read_bytes()
        except OSError:
            pass


def laboratory(mode):
    flags = [] if mode == "root" else ["-Ur"]
    if subprocess.run([*(NOBODY if mode == "user" and os.geteuid() == 0 else []), "unshare",
                       *flags, "-nm", "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip(f"no namespaces for {mode} here: `unshare -Urnm true` fails")
    return Laboratory(mode)


@pytest.fixture(name="lab", params=modes())
def lab_fixture(request):
    lab = laboratory(request.param)
    yield lab
    lab.close()


@pytest.fixture(name="cloud", params=modes(), scope="module")
def cloud_fixture(request):
    """An emulator with two guests that have told their facts."""
    lab = laboratory(request.param)
    try:
        lab.start("netns", "--state", str(lab.work / "out" / f"{lab.mark}.db"))
        lab.insert("vm-one", FACTS)
        lab.insert("vm-two", FACTS)
        yield lab
    finally:
        lab.close()


def test_metadata_server_answers_for_this_vm(cloud):
    for name in ("vm-one", "vm-two"):
        facts = cloud.facts(name)
        assert facts["by-address"] == [name]
        assert facts["by-name"] == [f"{name}.{ZONE}.c.{PROJECT}.internal"]
        assert facts["by-short-name"] == [cloud.instance(name)["id"]]


def test_hostname_and_firmware(cloud):
    facts = cloud.facts("vm-one")
    assert facts["hostname"] == ["vm-one", f"vm-one.{ZONE}.c.{PROJECT}.internal", "vm-one"]
    assert facts["dmi"] == ["Google Compute Engine"]


def test_network_interface(cloud):
    ip = cloud.address("vm-one")
    text = "\n".join(cloud.facts("vm-one")["address"])
    assert re.match(r"10\.128\.\d+\.\d+$", ip)
    assert f"inet {ip}/20" in text
    assert "default via 10.128.0.1" in text
    assert "mtu 1460" in text
    mac = "42:01:" + ":".join(f"{int(octet):02x}" for octet in ip.split("."))
    assert f"link/ether {mac}" in text
    assert cloud.address("vm-two") != ip


def test_another_vm_is_reachable(cloud):
    other = cloud.address("vm-one").rsplit(".", 1)[1]
    cloud.insert("asker", ASK.replace("OTHER", other))
    assert "startup-script: vm-one" in cloud.serial("asker")
    cloud.do("DELETE", "instances/asker")


def test_the_host_reaches_a_vm(cloud):
    assert cloud.curl(f"http://{cloud.address('vm-two')}:8000/") == "vm-two\n"


def test_only_private_folders_are_writable(cloud):
    facts = cloud.facts("vm-one")
    assert facts["writable"] == []
    assert facts["private"] == ["/tmp", "/srv", "/var", "/root", "/home", "/run", "/dev/shm",
                                "/var/tmp", "/var/lib", "/var/log"]
    assert facts["kernel"] == []


def test_nothing_of_the_host_is_visible_that_should_not_be(cloud):
    facts = cloud.facts("vm-one")
    # The look finds what is for all to see, in /usr, and nothing else.
    assert facts["marked"] == ["/usr/local/src/in-the-open"]
    assert facts["open"] == ["public", f"{cloud.mark}-in-the-open"]


def test_only_usr_and_a_copy_of_etc_are_mounted_from_the_host(cloud):
    points = {}
    for line in cloud.facts("vm-one")["mounts"]:
        fields = line.split()
        points[fields[4]] = fields[fields.index("-") + 1]
    from_disk = {p for p, kind in points.items()
                 if kind not in ("tmpfs", "proc", "devpts", "sysfs", "devtmpfs")}
    assert from_disk <= {p for p in points if p == "/usr" or p.startswith(("/usr/", "/lib"))}
    assert points["/etc"] == "tmpfs"


def test_no_key_of_the_session_that_started_the_emulator(cloud):
    assert cloud.facts("vm-one")["keys"] == ["none"]


def test_what_an_application_may_read_without_being_root(lab):
    """In the user's laboratory there is one uid only."""
    if lab.mode != "root":
        pytest.skip("needs more than one uid")
    lab.start("netns")
    lab.insert("vm-one", "#!/bin/sh\nsetpriv --reuid 65534 --regid 65534 --clear-groups"
               " ls /etc/ssl/certs/. /etc/alternatives/. && echo listed\n")
    assert "startup-script: listed\n" in lab.serial("vm-one")


def test_what_can_be_written_has_a_size(cloud):
    for line in cloud.facts("vm-one")["mounts"]:
        fields = line.split()
        at = fields.index("-")
        if fields[at + 1] == "tmpfs" and "rw" in fields[5].split(","):
            # What is not a device: /dev/null and its like are mounts, of the host's /dev.
            assert "size=" in fields[at + 3] or re.match(r"/dev/[a-z]+$", fields[4]), line


def test_no_host_process_is_visible(cloud):
    text = "\n".join(cloud.facts("vm-one")["processes"])
    assert "/run/gce-emulator/init" in text
    assert cloud.mark not in text.replace(f"{cloud.mark}-daemon", "")
    assert "nsenter" not in text and "--vm-driver" not in text


def test_environment_is_that_of_gce_emulator_env(cloud):
    inside = dict(line.split("=", 1) for line in cloud.facts("vm-one")["environment"])
    assert not any(cloud.mark in value for value in inside.values())
    done = cloud.run(cloud.program, "env", "--metadata", METADATA, "--api", API, "--project", PROJECT)
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        key, value = re.match(r"export (\w+)='?([^']*)'?$", line).groups()
        value = value.replace(METADATA, "169.254.169.254:80").replace(API, "169.254.169.252")
        assert inside[key] == value, key


def test_api_is_served_inside_the_guest(cloud):
    assert cloud.facts("vm-one")["api"] == ["401"]


def test_first_process_has_no_descriptor_of_the_emulator(cloud):
    assert all(re.match(r"pipe:|/run/gce-emulator/init", name)
               for name in cloud.facts("vm-one")["descriptors"])


def test_guest_root_has_few_capabilities(cloud):
    text = "\n".join(cloud.facts("vm-one")["capabilities"])
    effective = int(re.search(r"CapEff:\s*(\w+)", text).group(1), 16)
    for number, name in ((21, "SYS_ADMIN"), (12, "NET_ADMIN"), (13, "NET_RAW"), (19, "SYS_PTRACE"),
                         (17, "SYS_RAWIO"), (27, "MKNOD"), (2, "DAC_READ_SEARCH")):
        assert not effective & 1 << number, name
    assert effective & 1 << 10, "NET_BIND_SERVICE"
    assert re.search(r"NoNewPrivs:\s*1", text)


def test_serial_port(cloud):
    text = cloud.serial("vm-one")
    assert "Found startup-script in metadata.\n" in text
    assert "startup-script: last words without a newline\nstartup-script exit status 7\n" in text
    assert "\nto-the-console\n" in text
    [file] = (cloud.work / "out").glob("vm-one-*.serial.log")
    assert file.read_text() == text
    assert file.stat().st_mode & 0o777 == 0o600


def test_serial_port_keeps_the_end_of_a_long_output(cloud):
    cloud.insert("talker", "#!/bin/sh\nyes 0123456789012345678901234567890123456789 |"
                 " head -c 3000000\n")
    [file] = (cloud.work / "out").glob("talker-*.serial.log")
    assert 1 << 20 <= file.stat().st_size <= 2 << 20
    answer = cloud.api("GET", "instances/talker/serialPort")
    assert len(answer["contents"]) == 1 << 20
    assert int(answer["start"]) > 2000000
    assert int(answer["next"]) == int(answer["start"]) + (1 << 20)
    assert file.read_text().endswith(answer["contents"])
    assert answer["contents"].endswith("\nstartup-script exit status 0\n"
                                       "Finished running startup scripts.\n")
    tail = cloud.api("GET", f"instances/talker/serialPort?start={int(answer['next']) - 30}")
    assert tail["contents"] == answer["contents"][-30:]
    cloud.do("DELETE", "instances/talker")


def test_without_a_startup_script(cloud):
    cloud.insert("idle", None, "No startup scripts to run")
    assert cloud.instance("idle")["status"] == "RUNNING"
    cloud.do("DELETE", "instances/idle")


def test_delete_kills_everything(cloud):
    before = cloud.daemons()
    cables = cloud.cables()
    cloud.insert("shortlived", DAEMON)
    new = wait(lambda: cloud.daemons() - before, "the guest's daemon", 5)
    assert len(cloud.cables()) == len(cables) + 1
    cloud.do("DELETE", "instances/shortlived")
    assert not new & cloud.daemons()
    assert cloud.cables() == cables
    assert cloud.links() == ["gcebr0"]


def test_sigterm_leaves_nothing(lab):
    mounts = lab.mounts()
    lab.start("netns")
    lab.insert("vm-one", FACTS)
    lab.insert("vm-two", FACTS)
    assert lab.links() == ["gcebr0"] and len(lab.cables()) == 2
    wait(lambda: len(lab.daemons()) == 2, "the guests' daemons", 5)
    running = lab.descendants()
    assert len(running) >= 6
    assert lab.stop() == 0
    assert not running & {pid for pid, _, _ in processes()}
    assert not lab.daemons()
    assert lab.links() == []
    assert lab.mounts() == mounts
    assert os.listdir(lab.work / "tmp") == []
    assert all(p.name.endswith(".serial.log") for p in (lab.work / "out").iterdir())


def test_kill_leaves_nothing_and_the_next_start_cleans_the_network(lab):
    mounts = lab.mounts()
    lab.start("netns")
    lab.insert("vm-one", FACTS)
    running = lab.descendants()
    wait(lab.daemons, "the guest's daemon", 5)
    lab.stop(signal.SIGKILL)
    wait(lambda: not running & {pid for pid, _, _ in processes()}, "the guest's end", 5)
    assert not lab.daemons()
    assert lab.mounts() == mounts
    lab.start("netns")
    lab.insert("vm-two", FACTS)
    assert lab.facts("vm-two")["by-address"] == ["vm-two"]
    assert lab.stop() == 0
    assert lab.links() == []


def test_two_emulators_do_not_share_a_network(lab):
    lab.start("netns")
    other = lab.run("timeout", "10", lab.program, "--metadata", "127.0.0.1:18180", "--api",
                    "127.0.0.1:18181", "--vm-driver", "netns", "--folder", str(lab.work / "out"))
    assert other.returncode not in (0, 124)
    assert "another gce-emulator" in other.stderr
    assert lab.links() == ["gcebr0"]


def test_routed_addresses_are_refused(lab):
    """As on a real Compute Engine VM, where 10.128.0.0/20 is the network that it lives in."""
    for command in ("link add ens4 type bridge", "addr add 10.128.0.5/32 dev ens4",
                    "link set ens4 up", "route add 10.128.0.1 dev ens4"):
        assert lab.run("ip", *command.split()).returncode == 0
    done = lab.run("timeout", "10", lab.program, "--metadata", METADATA, "--api", API, "--vm-driver",
                   "netns", "--folder", str(lab.work / "out"))
    assert done.returncode not in (0, 124)
    assert "10.128.0.0/20 is routed here already" in done.stderr
    assert "unshare -Urnm" in done.stderr


def test_process_driver(lab):
    lab.start("process")
    lab.insert("vm-one", DAEMON +
               "curl -s -H 'Metadata-Flavor: Google' "
               "http://$GCE_METADATA_HOST/computeMetadata/v1/instance/name; echo\n"
               "env; touch $HOME/x $TMPDIR/y\n"
               f"python3 -c '{KEY_SEARCH}' MARK >key\ncat key; exit 5\n")
    text = lab.serial("vm-one")
    assert "startup-script: vm-one\n" in text
    assert "startup-script exit status 5\n" in text
    assert lab.mark not in text
    assert re.search(r"GCE_METADATA_HOST=127\.0\.0\.1:\d+\n", text)
    assert f"CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE=http://{API}/compute/v1/\n" in text
    assert "startup-script: none\n" in text
    home = Path(re.search(r"startup-script: HOME=(\S+)\n", text).group(1))
    assert home.is_dir() and home.parent.stat().st_mode & 0o777 == 0o700
    wait(lab.daemons, "the guest's daemon", 5)
    lab.do("DELETE", "instances/vm-one")
    assert not lab.daemons()
    assert not home.exists()
    lab.insert("vm-two", DAEMON)
    wait(lab.daemons, "the guest's daemon", 5)
    lab.stop(signal.SIGKILL)
    wait(lambda: not lab.daemons(), "the guest's end", 5)
    wait(lambda: all(p.name.endswith(".serial.log") for p in (lab.work / "out").iterdir()),
         "the guest's folder to go", 5)


def test_auto_says_why_it_falls_back():
    """Outside of a laboratory, as an ordinary user, there is no right to make networks."""
    user = NOBODY if os.geteuid() == 0 else []
    with tempfile.TemporaryDirectory() as work:
        program = shutil.copy(EMULATOR, work)
        if user:
            os.chown(work, 65534, 65534)
        log = Path(work) / "log"
        with open(log, "wb") as out:
            emulator = subprocess.Popen(
                [*user, program, "--metadata", "127.0.0.1:0", "--api", "127.0.0.1:0",
                 "--vm-driver", "auto", "--folder", work], stdin=subprocess.DEVNULL, stdout=out,
                stderr=out)
        try:
            wait(lambda: "ready api" in log.read_text() or emulator.poll() is not None, "ready")
            text = log.read_text()
            assert emulator.poll() is None, text
            assert "process" in text and "unshare -Urnm" in text
        finally:
            emulator.terminate()
            assert emulator.wait(timeout=10) == 0


# Bounded: it ends by itself where nothing stops it.
BOMB = """#!/bin/bash
python3 -c '
import os, sys
for i in range(2300):
    try:
        if os.fork() == 0:
            os.execv("/bin/sleep", ["MARK-bomb", "300"])
    except OSError as error:
        print("refused after", i, error, flush=True)
        break
'
"""

HOG = """#!/bin/bash
python3 -c '
import sys
held = []
try:
    for i in range(3200 // 64):
        held.append(b"x" * (64 << 20))
        print("held", 64 * len(held), flush=True)
except MemoryError:
    print("no memory", flush=True)
'
echo "hog: $?"
"""


def alive(pid):
    try:
        os.kill(pid, 0)
        return True
    except ProcessLookupError:
        return False


def test_the_limits_that_hold_are_said(lab):
    lab.start("netns")
    text = re.search(r"limits: (.*)", lab.emulator_log()).group(1)
    if lab.mode == "user":
        assert "by rlimits" in text and "not limited" in text
    else:
        assert "cgroups" in text or "by rlimits" in text


def test_a_fork_bomb_is_stopped_and_other_vms_go_on(lab):
    """An e2-small's limit is 2048 processes."""
    lab.start("netns")
    lab.insert("bomb", BOMB)
    assert 1500 < int(re.search(r"refused after (\d+)", lab.serial("bomb")).group(1)) < 2048
    lab.insert("neighbour", "#!/bin/sh\nfor i in 1 2 3 4 5; do /bin/true || exit 1; done\n")
    assert "startup-script exit status 0" in lab.serial("neighbour")
    lab.do("DELETE", "instances/bomb")
    assert not [1 for _, _, line in processes() if line.startswith(f"{lab.mark}-bomb".encode())]


def test_a_memory_hog_is_stopped(lab):
    """An e2-small has 2 GiB; this one wants 3.1."""
    lab.start("netns")
    lab.insert("hog", HOG, r"hog: \d+")
    held = [int(n) for n in re.findall(r"held (\d+)", lab.serial("hog"))]
    assert 1024 <= max(held) <= 2048, held
    assert lab.instance("hog")["status"] == "RUNNING"
    assert lab.api("GET", "instances")["items"]


def test_a_vm_leaves_no_control_group_behind(lab):
    def groups():
        return {str(p) for p in Path("/sys/fs/cgroup").rglob("gce-emulator-*")}

    lab.start("netns")
    lab.insert("vm-one", DAEMON)
    made = {p for p in groups() if p.endswith(f"-{lab.emulator_pid()}")}
    if "by cgroups" in lab.emulator_log():
        assert made and all((Path(p) / "vm-1").is_dir() for p in made)
    lab.do("DELETE", "instances/vm-one")
    assert not any((Path(p) / "vm-1").exists() for p in made)
    lab.insert("vm-two", DAEMON)
    lab.stop(signal.SIGKILL)
    wait(lambda: not lab.daemons(), "the guest's end", 5)
    lab.start("netns")
    lab.emulator_pid()
    assert not made & groups()
    assert lab.stop() == 0
    assert not {p for p in groups() if p.endswith(f"-{lab.last_pid}")}


# What of this machine a VM can reach. Each line is tried from inside.
REACH = """#!/usr/bin/python3
import ctypes, errno, socket, sys
def tcp(where, port):
    try:
        with socket.create_connection((where, port), 3) as s:
            return s.recv(100).decode() or "connected"
    except OSError as e:
        return errno.errorcode.get(e.errno, type(e).__name__)
def udp(where, port):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(1)
    s.sendto(b"anybody there?", (where, port))
    try:
        return s.recv(100).decode()
    except OSError as e:
        return errno.errorcode.get(e.errno, type(e).__name__)
def abstract(name):
    try:
        socket.socket(socket.AF_UNIX).connect(chr(0) + name)
        return "connected"
    except OSError as e:
        return errno.errorcode[e.errno]
def family(number):
    try:
        socket.socket(number, socket.SOCK_STREAM).close()
        return "made"
    except OSError as e:
        return errno.errorcode[e.errno]
def call(number):
    ctypes.set_errno(0)
    libc.syscall(number, None, None, None, 0, 0)
    return errno.errorcode.get(ctypes.get_errno(), "done")
libc = ctypes.CDLL(None, use_errno=True)
for where in ("10.128.0.1", "192.0.2.7"):
    print("tcp", where, tcp(where, 5555))
    print("udp", where, udp(where, 5555))
print("allowed", tcp("192.0.2.7", 5556))
print("allowed-loopback", tcp("127.0.0.1", 5557))
print("refused-loopback", tcp("127.0.0.1", 5555))
print("abstract", abstract("MARK-abstract"))
print("vsock", family(40), "alg", family(38), "packet-family", family(17), "inet6", family(10))
import os
keyctl, add_key, request_key = {"x86_64": (250, 248, 249), "aarch64": (219, 217, 218)}[os.uname().machine]
print("keyctl", call(keyctl), "add_key", call(add_key), "request_key", call(request_key))
print("io_uring", call(425))
"""

# Services of this machine, on every address: TCP on 5555 to 5557, UDP on 5555, an abstract socket.
SERVICES = """
import socket, sys, threading
def serve(port):
    s = socket.create_server(("0.0.0.0", port))
    while True:
        c, _ = s.accept()
        c.sendall(b"host-service-%d" % port)
        c.close()
for port in (5555, 5556, 5557):
    threading.Thread(target=serve, args=(port,), daemon=True).start()
u = socket.socket(socket.AF_UNIX)
u.bind(chr(0) + sys.argv[1] + "-abstract")
u.listen()
d = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
d.bind(("0.0.0.0", 5555))
print("up", flush=True)
while True:
    d.sendto(b"host-service-udp", d.recvfrom(100)[1])
"""


@pytest.fixture(name="services")
def services_fixture(lab):
    assert lab.run("ip", "addr", "add", "192.0.2.7/32", "dev", "lo").returncode == 0
    with subprocess.Popen(lab.command(["/usr/bin/python3", "-c", SERVICES, lab.mark]),
                          stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "up\n"
        yield lab
        process.kill()


def reach(lab):
    lab.insert("seeker", REACH)
    return re.findall(r"^startup-script: (.*)$", lab.serial("seeker"), re.M)


def test_services_of_the_host_are_out_of_a_vms_reach(services):
    services.start("netns")
    assert services.curl("http://127.0.0.1:18081/healthz", "-o", "/dev/null") == ""
    found = reach(services)
    assert found[:8] == ["tcp 10.128.0.1 ECONNREFUSED", "udp 10.128.0.1 TimeoutError",
                         "tcp 192.0.2.7 ECONNREFUSED", "udp 192.0.2.7 TimeoutError",
                         "allowed ECONNREFUSED", "allowed-loopback ECONNREFUSED",
                         "refused-loopback ECONNREFUSED", "abstract ECONNREFUSED"]


def test_a_vm_has_no_vsock_no_keyrings_no_io_uring(lab):
    lab.start("netns")
    found = reach(lab)
    assert found[8:] == ["vsock EAFNOSUPPORT alg EAFNOSUPPORT packet-family EAFNOSUPPORT"
                         " inet6 made",
                         "keyctl ENOSYS add_key ENOSYS request_key ENOSYS", "io_uring ENOSYS"]


def test_guest_may_reach_what_is_named_and_nothing_else(services):
    services.start("netns", "--guest-may-reach", "192.0.2.7:5556",
                   "--guest-may-reach", "127.0.0.1:5557")
    found = reach(services)
    assert found[:7] == ["tcp 10.128.0.1 ECONNREFUSED", "udp 10.128.0.1 TimeoutError",
                         "tcp 192.0.2.7 ECONNREFUSED", "udp 192.0.2.7 TimeoutError",
                         "allowed host-service-5556", "allowed-loopback host-service-5557",
                         "refused-loopback ECONNREFUSED"]


@pytest.mark.parametrize("bad", ["", "5556", "192.0.2.7", "192.0.2.7:0", "192.0.2.7:65536",
                                 "192.0.2.7:1x", "localhost:80", "10.128.3.4:80", "0.0.0.0:80",
                                 "169.254.169.254:80"])
def test_guest_may_reach_wants_an_address_and_a_port(bad):
    done = subprocess.run([EMULATOR, "--vm-driver", "none", "--guest-may-reach", bad],
                          capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 2 and "--guest-may-reach" in done.stderr, done.stderr


def test_the_host_reaches_a_vm_with_much_and_by_udp(lab):
    """Through the gate: whole segments, and answers to datagrams."""
    lab.start("netns")
    lab.insert("server", """#!/bin/bash
head -c 5000000 /dev/zero | tr '\\0' x > /srv/big
(setsid python3 -m http.server --directory /srv 8000 &)
(setsid python3 -c '
import socket
d = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); d.bind(("0.0.0.0", 9000))
while True: d.sendto(b"from-the-vm", d.recvfrom(100)[1])' &)
sleep 1
""")
    ip = lab.address("server")
    assert len(lab.curl(f"http://{ip}:8000/big")) == 5000000
    done = lab.run("/usr/bin/python3", "-c", f"""
import socket
d = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); d.settimeout(5)
d.sendto(b"hello", ("{ip}", 9000)); print(d.recv(100).decode())""")
    assert done.stdout == "from-the-vm\n", done.stderr


def status(lab, name, wanted, seconds=30):
    wait(lambda: lab.instance(name)["status"] == wanted, f"{name} to be {wanted}", seconds)


@pytest.mark.parametrize("driver", ["netns", "process"])
def test_a_guest_that_ends_by_itself_is_terminated_and_starts_again(lab, driver):
    lab.start(driver)
    lab.insert("vm-one", "#!/bin/sh\necho here\nsleep 0.3\nkill -TERM $(ps -o ppid= -p $PPID)\n"
               if driver == "process" else "#!/bin/sh\necho here\nsleep 0.3\nkill -TERM 1\n", "here")
    status(lab, "vm-one", "TERMINATED")
    assert lab.instance("vm-one")["lastStopTimestamp"]
    lab.do("POST", "instances/vm-one/start")
    wait(lambda: lab.serial("vm-one").count("startup-script: here") == 2, "a second boot")
    status(lab, "vm-one", "TERMINATED")


def test_stop_start_and_reset_act_on_the_processes_and_keep_the_serial_port(lab):
    lab.start("netns")
    lab.insert("vm-one", DAEMON + "echo boot\n")
    boots = 1
    for verb in ("reset", "stop", "start"):
        before = wait(lambda: lab.daemons() or verb == "start", "the daemon", 5)
        lab.do("POST", f"instances/vm-one/{verb}")
        assert before is True or not before & lab.daemons()
        if verb == "stop":
            assert not lab.daemons() and lab.instance("vm-one")["status"] == "TERMINATED"
        else:
            boots += 1
            wait(lambda: lab.serial("vm-one").count("startup-script: boot") == boots, "boot")


@pytest.mark.parametrize("driver", ["netns", "process"])
def test_the_shutdown_script_runs_at_stop_and_the_words_are_googles(lab, driver):
    lab.start(driver)
    lab.insert("vm-one", DAEMON, metadata={
        "shutdown-script": "#!/bin/sh\necho closing; sleep 0.5; echo closed; exit 3\n"})
    assert ("startup-script exit status 0\nFinished running startup scripts.\n"
            in lab.serial("vm-one"))
    lab.do("POST", "instances/vm-one/stop")
    assert re.search(r"Starting shutdown scripts\.\nFound shutdown-script in metadata\.\n"
                     r"shutdown-script: closing\nshutdown-script: closed\n"
                     r"shutdown-script exit status 3\nFinished running shutdown scripts\.\n$",
                     lab.serial("vm-one"))
    assert lab.instance("vm-one")["status"] == "TERMINATED"


def test_startup_script_url_runs_after_the_startup_script(lab):
    (lab.work / "tmp" / "script").write_text("#!/bin/sh\necho fetched\nexit 4\n")
    (lab.work / "tmp").chmod(0o755)
    web = subprocess.Popen(lab.command(["/usr/bin/python3", "-m", "http.server", "--directory",
                                        str(lab.work / "tmp"), "--bind", "127.0.0.1", "8080"]),
                           stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        lab.start("netns", "--guest-may-reach", "127.0.0.1:8080")
        lab.insert("vm-one", "#!/bin/sh\necho first\n", "Finished running startup scripts",
                   metadata={"startup-script-url": "http://127.0.0.1:8080/script"})
        text = lab.serial("vm-one")
        assert re.search(r"startup-script: first\n[\s\S]*startup-script-url: fetched\n"
                         r"startup-script-url exit status 4\nFinished running", text), text
        assert "startup-script exit status 0\n" in text
        lab.insert("vm-two", None, "Finished running|No startup",
                   metadata={"startup-script-url": "http://127.0.0.1:8080/none"})
        assert "startup-script-url: the script cannot be fetched" in lab.serial("vm-two")
    finally:
        web.kill()
        web.wait()


NOTICED = """#!/bin/bash
while [ "$(curl -s -H 'Metadata-Flavor: Google' \
    'http://169.254.169.254/computeMetadata/v1/instance/preempted?wait_for_change=true')" != TRUE ]
do :; done
echo noticed
"""
SPOT = {"scheduling": {"provisioningModel": "SPOT"}}


def preempt(lab, name):
    (lab.work / "preempt.json").write_text(json.dumps({"instance": name}))
    (lab.work / "preempt.json").chmod(0o644)
    return json.loads(lab.curl(f"http://{API}/emulator/preempt", "-H",
                               "Content-Type: application/json", "--data-binary",
                               f"@{lab.work}/preempt.json"))


def test_a_spot_vm_that_is_preempted_is_told_and_runs_its_shutdown_script(lab):
    lab.start("netns")
    lab.insert("spot", NOTICED, "Found startup-script",
               metadata={"shutdown-script": "#!/bin/sh\nsleep 1\necho saved\n"}, **SPOT)
    time.sleep(0.5)
    assert preempt(lab, "spot")["operationType"] == "compute.instances.preempted"
    status(lab, "spot", "TERMINATED")
    text = lab.serial("spot")
    assert "startup-script: noticed\n" in text and "shutdown-script: saved\n" in text
    lab.do("POST", "instances/spot/start")
    answer = lab.curl(f"http://{API}/emulator/preempt", "-d", "{}", "-H",
                      "Content-Type: application/json")
    assert "instance is wanted" in answer
    lab.insert("regular", None, "No startup scripts")
    assert "no Spot VM" in preempt(lab, "regular")["error"]["message"]


def test_a_preempted_vm_has_30_seconds_and_no_more(lab):
    if lab.mode != "root":
        pytest.skip("once is enough: it takes 30 s")
    lab.start("netns")
    lab.insert("spot", None, "No startup scripts",
               metadata={"shutdown-script": "#!/bin/sh\nsleep 100\n"}, **SPOT)
    start = time.monotonic()
    preempt(lab, "spot")
    time.sleep(20)
    assert lab.instance("spot")["status"] == "STOPPING"
    status(lab, "spot", "TERMINATED")
    assert 25 < time.monotonic() - start < 50


def test_googles_script_runner_runs_the_scripts_where_it_is(lab):
    runner = os.environ.get("VMCP_SCRIPT_RUNNER") or shutil.which("google_metadata_script_runner")
    if not runner:
        pytest.skip("Debian's google-guest-agent is not here (VMCP_SCRIPT_RUNNER)")
    shutil.copy(runner, lab.work / "runner")
    for command in (["mount", "-t", "tmpfs", "none", "/usr/local/bin"],
                    ["cp", str(lab.work / "runner"),
                     "/usr/local/bin/google_metadata_script_runner"]):
        assert lab.run(*command).returncode == 0
    lab.start("netns")
    lab.insert("vm-one", "#!/bin/sh\necho by-google\nexit 0\n",
               "Finished running startup scripts",
               metadata={"shutdown-script": "#!/bin/sh\necho bye\n"})
    text = lab.serial("vm-one")
    assert "Starting startup scripts (version" in text, text
    assert re.search(r"startup-script: by-google", text)
    assert "startup-script exit status 0" in text
    lab.do("POST", "instances/vm-one/stop")
    assert "shutdown-script: bye" in lab.serial("vm-one")
    assert lab.instance("vm-one")["status"] == "TERMINATED"


def test_a_temporary_folder_that_was_left_by_kill_9_goes_at_the_next_start(tmp_path):
    def start():
        process = subprocess.Popen(
            [EMULATOR, "--metadata", "127.0.0.1:0", "--api", "127.0.0.1:0", "--vm-driver", "none"],
            env=dict(os.environ, TMPDIR=str(tmp_path)), stdout=subprocess.PIPE, text=True)
        assert "ready metadata" in process.stdout.readline()
        return process, set(os.listdir(tmp_path))

    (tmp_path / "gce-emulator-abcdef").mkdir(mode=0o755)  # not like ours: it stays
    first, before = start()
    second, both = start()
    assert len(both) == 3 and before < both
    first.kill()
    first.wait()
    third, after = start()
    assert len(after) == 3 and len(after & before) == 1, (before, after)
    for process in (second, third):
        process.terminate()
        assert process.wait(timeout=10) == 0
    assert os.listdir(tmp_path) == ["gce-emulator-abcdef"]


def test_a_hundred_vms_boot_side_by_side_in_under_30_s(lab):
    lab.start("netns")
    start = time.monotonic()
    lab.do("POST", "instances/bulkInsert", {
        "count": 100, "namePattern": "vm-###", "instanceProperties": {
            "machineType": "e2-micro", "disks": [{"boot": True, "initializeParams": {
                "sourceImage": "projects/debian-cloud/global/images/family/debian-12"}}],
            "networkInterfaces": [{"network": "global/networks/default"}]}})
    took = time.monotonic() - start
    items = lab.api("GET", "instances?maxResults=500")["items"]
    assert [i["status"] for i in items] == ["RUNNING"] * 100
    assert len(lab.cables()) == 100
    assert took < 30
    assert lab.stop() == 0
    assert lab.links() == []

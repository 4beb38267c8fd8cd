# SPDX-License-Identifier: Apache-2.0
"""The laboratory: namespaces of our own, so that nothing that the demo makes is left behind or
seen outside. Its network has no way out, and its processes end with its first one.
"""
import ctypes
import os
import signal
import subprocess
import time

INSIDE = "VMCP_LABORATORY"
PR_SET_PDEATHSIG = 1


def unshare_command():
    """How to enter, or None where the kernel does not let us."""
    base = ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if os.geteuid() != 0:
        base[1:1] = ["--user", "--map-root-user"]
    works = subprocess.run([*base, "true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           check=False).returncode == 0
    return base if works else None


def die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [int(p) for p in f.read().split()]
    except OSError:
        return []


def first_process(unshare):
    """The laboratory's PID 1, as it is numbered out here."""
    for _ in range(100):
        found = children(unshare.pid)
        if found or unshare.poll() is not None:
            return found[0] if found else None
        time.sleep(0.05)
    return None


def enter(command, argv, pid_file):
    """Run argv inside and return its exit code. The inside cleans up after itself: it gets Ctrl-C
    from the terminal as we do, and SIGTERM from us."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    unshare = subprocess.Popen([*command, *argv], env=dict(os.environ, **{INSIDE: "1"}),
                               preexec_fn=die_with_parent)
    first = first_process(unshare)
    if first:
        signal.signal(signal.SIGTERM, lambda *_: os.kill(first, signal.SIGTERM))
        with open(pid_file, "w", encoding="ascii") as f:
            f.write(f"{first}\n")
    return unshare.wait()


def is_inside():
    return os.environ.get(INSIDE) == "1"


def set_up():
    """First steps inside."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "address", "add", "192.0.2.1/32", "dev", "lo"], check=True)


def write_entrance(path, work, enter_it):
    """A script that runs a command where the cloud is, with the variables that point clients at it;
    for people who look around from outside."""
    user = "" if os.geteuid() == 0 else " --user --preserve-credentials"
    nsenter = f'nsenter --target "$(cat {work}/pid)"{user} --net --mount --pid -- '
    with open(path, "w", encoding="ascii") as f:
        f.write("#!/bin/sh\n# Run a command where the cloud of this demo is.\n"
                f"set -a\n. {work}/env\nexec {nsenter if enter_it else ''}\"$@\"\n")
    os.chmod(path, 0o755)


def describe(command):
    if command is None:
        return "without a laboratory, for `unshare` gives none here: VMs are plain child processes"
    return "in a laboratory of its own (" + " ".join(command) + ")"


def processes():
    return sorted(int(e) for e in os.listdir("/proc") if e.isdigit())


def read(path):
    with open(path, "rb") as f:
        return f.read()


def guest_pid(name, driver):
    """A process of the VM of that name, its first one, or None."""
    ours = os.readlink("/proc/self/ns/net")
    for pid in processes():
        try:
            if driver == "netns":
                if os.readlink(f"/proc/{pid}/ns/net") == ours:
                    continue
                hostname = read(f"/proc/{pid}/root/etc/hostname").decode().strip()
            else:
                hostname = environment(pid).get("HOSTNAME", "")
            if hostname.split(".")[0] == name:
                return pid
        except OSError:
            continue
    return None


def guest_home(name):
    return environment(guest_pid(name, "process"))["HOME"]


def environment(pid):
    rows = [v.decode() for v in read(f"/proc/{pid}/environ").split(b"\0") if v]
    return dict(row.split("=", 1) for row in rows)


def namespaces(pid):
    """Those that a VM does not share with us, as nsenter's options."""
    kinds = {"user": "--user", "net": "--net", "mnt": "--mount", "pid": "--pid", "uts": "--uts",
             "ipc": "--ipc"}
    return [option for kind, option in kinds.items()
            if os.readlink(f"/proc/{pid}/ns/{kind}") != os.readlink(f"/proc/self/ns/{kind}")]


def guest_command(pid, argv, driver):
    """The command line that runs argv in a VM, as if someone had logged in there."""
    enter_it = ["nsenter", "--target", str(pid), *namespaces(pid), "--"]
    clean = ["env", "-i", *(f"{k}={v}" for k, v in environment(pid).items())]
    return [*(enter_it if driver == "netns" else []), *clean, *argv]

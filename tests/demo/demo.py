#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The whole chain on this machine, with real processes: a signed machine takes VM-1 to VM-2.

usage: demo.py --bin FOLDER [--keep]
"""
import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import lab
from story import (Cloud, Failure, Programs, address, attributes, expect, get, inserts, say, title)

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DOMAIN = "cfg.example.org"
PROJECT = "demo-project"
VM1_ACCOUNT = f"vm1-launcher@{PROJECT}.iam.gserviceaccount.com"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
LAUNCHER = "/var/lib/vmcp/bin/vmcp-launch"
# What the VMs write; as root and without namespaces of their own, they write it on this machine.
VM_FOLDERS = ("/var/lib/vmcp", "/var/lib/vmcp-launch", "/srv/flask-app")


LAPTOP = "192.0.2.1"


class Demo:
    def __init__(self, args, work, driver):
        self.work = work
        self.driver = driver
        self.programs = Programs(os.path.abspath(args.bin), work)
        # In the laboratory the laptop has an address of its own, of which the VMs may reach what the
        # emulator is told (RFC 5737: it is nobody's); else all is on loopback.
        self.laptop = LAPTOP if driver == "netns" else "127.0.0.1"
        self.listen = "0.0.0.0" if driver == "netns" else "127.0.0.1"
        self.cloud = None
        self.vmcpd_port = self.web_port = self.proxy_port = None

    def file(self, name):
        return os.path.join(self.work, name)

    # 1
    def operator(self):
        title("1. The operator makes a domain's keys, checks its machines and starts the responder")
        for alg, name in (("rsa-2048", "rsa.key"), ("ed25519", "ed25519.key")):
            done = self.programs.run("vmcp", "keygen", "--alg", alg, "--out", self.file(name))
            say(f"vmcp keygen --alg {alg}: {done.stdout.strip()}")
        done = self.programs.run("vmcp", "lint", os.path.join(ROOT, "configs"))
        say(f"vmcp lint configs/: {done.stderr.strip()}")
        ready = self.programs.start("vmcpd", [
            self.programs.path("vmcpd"), "--domain", DOMAIN, "--key", self.file("ed25519.key"),
            "--key", self.file("rsa.key"), "--configs", os.path.join(ROOT, "configs"),
            "--listen", f"{self.listen}:0", "--allow-http"], r"ready on http://[^:]+:(\d+)")
        self.vmcpd_port = int(ready.group(1))
        say(f"vmcpd answers on port {self.vmcpd_port} for the domain {DOMAIN}")
        self.start_web()
        self.start_proxy()

    # 2
    def start_cloud(self):
        title("2. A Google Cloud of our own, with a service account that may create instances")
        self.programs.start("gce-emulator", [
            self.programs.path("gce-emulator"), "--metadata", "127.0.0.1:18080", "--api",
            "127.0.0.1:18081", "--vm-driver", self.driver, "--project", PROJECT,
            "--service-account", "operator", "--grant", "operator=roles/compute.instanceAdmin.v1",
            "--grant", "operator=roles/iam.serviceAccountUser",
            "--service-account", "vm1-launcher",
            "--grant", "vm1-launcher=roles/compute.instanceAdmin.v1",
            "--key", f"vm1-launcher={self.file('service-credentials.json')}",
            "--request-log", self.file("requests.jsonl"), "--folder", self.folder("cloud"),
            *(o for p in self.ports() for o in ("--guest-may-reach", f"{self.laptop}:{p}")),
            ], r"ready[^\n]*\n(.*\n)*.*ready")
        done = self.programs.run("gce-emulator", "env", "--metadata", "127.0.0.1:18080", "--api",
                                 "127.0.0.1:18081", "--project", PROJECT)
        with open(self.file("env"), "w", encoding="ascii") as f:
            f.write(f"{done.stdout}export CLOUDSDK_CONFIG='{self.folder('gcloud')}'\n")
        env = {}
        for line in done.stdout.splitlines():
            key, _, value = line.removeprefix("export ").partition("=")
            env[key] = value.strip("'\"")
        self.cloud = Cloud(env)
        say(f"gce-emulator: API {self.cloud.api}, metadata http://{env['GCE_METADATA_HOST']}, "
            f"VMs by {self.driver}")
        say(f"service account {VM1_ACCOUNT} may create instances")

    def ports(self):
        """What a VM may reach of the laptop: without namespaces it reaches all."""
        return (self.vmcpd_port, self.web_port, self.proxy_port) if self.driver == "netns" else ()

    def folder(self, name):
        path = self.file(name)
        os.makedirs(path, mode=0o700, exist_ok=True)
        return path

    def start_web(self):
        """Where VM-1 gets the launcher from: any web server does, the checksum is what counts."""
        www = self.folder("www")
        shutil.copy(self.programs.path("vmcp-launch"), www)
        with open(os.path.join(www, "vmcp-launch"), "rb") as f:
            self.launcher_sha256 = hashlib.sha256(f.read()).hexdigest()
        ready = self.programs.start("web", [
            sys.executable, "-u", "-m", "http.server", "0", "--bind", self.listen, "--directory",
            www], r"port (\d+)")
        self.web_port = int(ready.group(1))

    def bootstrap(self, name, *more, port=None):
        """Insert VM-1 from the laptop."""
        env = dict(os.environ, **self.cloud.env)
        done = self.programs.run(
            "vmcp-launch", "bootstrap", "--name", name,
            "--endpoint", f"http://{self.laptop}:{port or self.vmcpd_port}/vmcp", "--allow-http",
            "--domain", DOMAIN, "--machine", "flask-app",
            "--trust", self.file("ed25519.key.pub"), "--zone", self.cloud.zone,
            "--launcher-url", f"http://{self.laptop}:{self.web_port}/vmcp-launch",
            "--launcher-sha256", self.launcher_sha256, "--json",
            "--state-dir", self.folder("laptop-state"), *more, env=env)
        return json.loads(done.stdout)

    # 3
    def laptop_step(self):
        title("3. The laptop inserts VM-1 with a startup script, the settings it needs, an account")
        report = self.bootstrap("vm-1", "--service-account", VM1_ACCOUNT, "--scopes", SCOPE)
        say(f"vmcp-launch bootstrap: {report['code']}")
        vm1 = self.cloud.instance("vm-1")
        keys = sorted(attributes(vm1))
        expect({"startup-script", "vmcp-endpoint", "vmcp-machine", "vmcp-trust"} <= set(keys),
               "VM-1's metadata: " + ", ".join(keys))
        expect([a["email"] for a in vm1["serviceAccounts"]] == [VM1_ACCOUNT],
               f"VM-1's serviceAccounts: {VM1_ACCOUNT}")

    # 4
    def vm1_boots(self, name):
        found = self.cloud.follow_serial(name, r"startup-script exit status (\d+)")
        if found.group(1) != "0":
            raise Failure(f"{name}'s startup script ended with {found.group(1)}")
        return self.cloud.instance("flask-app")

    def step_vm1(self):
        title("4. VM-1 boots: it asks over a fresh salt, verifies, takes a token, inserts VM-2")
        vm2 = self.vm1_boots("vm-1")
        expect(vm2 and vm2["status"] == "RUNNING",
               "VM-2 (flask-app) is RUNNING, made by VM-1 alone")

    # 5
    def step_vm2(self):
        title("5. VM-2 boots: the application of the signed machine")
        vm2 = self.cloud.instance("flask-app")
        url = self.application_url(vm2)
        status, page = get(url)
        expect(status == 200 and "It works" in page, f"GET {url}: {page.strip()}")
        self.expect_no_token()

    def application_url(self, vm2):
        return f"http://{address(vm2)}:5000/"

    def ask_metadata(self, name, path, *curl):
        """What the metadata server answers inside a VM."""
        host = "metadata.google.internal" if self.driver == "netns" else "$GCE_METADATA_HOST"
        script = f'curl -s -H "Metadata-Flavor: Google" "$@" "http://{host}/computeMetadata/v1/{path}"'
        return self.in_guest(name, ["sh", "-c", script, "sh", *curl]).stdout

    def expect_no_token(self):
        status = self.ask_metadata("flask-app", "instance/service-accounts/default/token", "-o",
                                   "/dev/null", "-w", "%{http_code}")
        expect(status == "404", f"VM-2's metadata server gives no token: {status}")

    def in_guest(self, name, argv):
        pid = lab.guest_pid(name, self.driver)
        if not pid:
            raise Failure(f"no process of the VM {name} is there")
        return subprocess.run(lab.guest_command(pid, argv, self.driver), capture_output=True,
                              text=True, timeout=120, check=False)

    # 6
    def step_key_file(self):
        title("6. The same with an explicit key file, handed to VM-1 and to nobody else")
        self.cloud.delete("flask-app")
        self.cloud.delete("vm-1")
        say("VM-1 and VM-2 of the first way are deleted")
        self.bootstrap("vm-1-key", "--vm-credentials", self.file("service-credentials.json"))
        vm1 = self.cloud.instance("vm-1-key")
        expect("service-credentials" in attributes(vm1) and not vm1.get("serviceAccounts"),
               "VM-1 has the key in its metadata, and no service account")
        vm2 = self.vm1_boots("vm-1-key")
        status, page = get(self.application_url(vm2))
        expect(status == 200 and "It works" in page, f"VM-2 serves: {page.strip()}")
        seen = self.ask_metadata("flask-app", "?recursive=true")
        expect("startup-script" in seen and "service-credentials" not in seen
               and "PRIVATE KEY" not in seen, "VM-2's whole metadata has no trace of the key")

    # 7
    def set_proxy(self, *mode):
        with open(self.file("proxy.new"), "w", encoding="ascii") as f:
            f.write(" ".join(mode))
        os.replace(self.file("proxy.new"), self.file("proxy.mode"))

    def launch_again(self):
        """What someone does who logs in to VM-1: (exit code, report)."""
        launcher = LAUNCHER if self.driver == "netns" or os.geteuid() == 0 else (
            os.path.join(lab.guest_home("vm-1-proxied"), ".local/state/vmcp/bin/vmcp-launch"))
        done = self.in_guest("vm-1-proxied", [launcher, "launch", "--json", "--wait-api"])
        try:
            return done.returncode, json.loads(done.stdout)
        except ValueError as e:
            raise Failure(f"vmcp-launch in VM-1 said:\n{done.stdout}{done.stderr}") from e

    def attack(self, what, code, *mode):
        self.set_proxy(*mode)
        before = inserts(self.file("requests.jsonl"))
        exit_code, report = self.launch_again()
        after = inserts(self.file("requests.jsonl"))
        expect(exit_code == 1 and report["code"] == code and before == after
               and not self.cloud.instance("flask-app"),
               f"{what}: exit {exit_code}, {report['code']}, {after - before} inserts")

    def start_proxy(self):
        self.set_proxy("pass")
        ready = self.programs.start("proxy", [
            sys.executable, os.path.join(ROOT, "tests/demo/proxy.py"), f"{self.listen}:0",
            f"127.0.0.1:{self.vmcpd_port}", self.file("proxy.mode")], r"ready on http://[^:]+:(\d+)")
        self.proxy_port = int(ready.group(1))

    def step_proxy(self):
        title("7. A man in the middle between VM-1 and the responder")
        self.cloud.delete("flask-app")
        self.cloud.delete("vm-1-key")
        self.bootstrap("vm-1-proxied", "--service-account", VM1_ACCOUNT, "--scopes", SCOPE,
                       port=self.proxy_port)
        vm2 = self.vm1_boots("vm-1-proxied")
        expect(vm2 and vm2["status"] == "RUNNING", "unchanged, through the proxy: VM-2 is RUNNING")
        self.cloud.delete("flask-app")
        say("VM-2 is deleted: what now succeeds would have to insert it again")
        self.attack("one character of the machine changed", "signature-invalid", "change")
        self.attack("an old answer replayed", "salt-mismatch", "replay")
        self.attack("another machine's answer swapped in", "machine-mismatch", "swap",
                    "batch-worker")
        self.set_proxy("pass")
        exit_code, report = self.launch_again()
        expect(exit_code == 0 and self.cloud.instance("flask-app"),
               f"and unchanged again: exit {exit_code}, {report['code']}, VM-2 is inserted")

    def tell(self):
        self.operator()
        self.start_cloud()
        self.laptop_step()
        self.step_vm1()
        self.step_vm2()
        self.step_key_file()
        self.step_proxy()

    def look_around(self):
        enter = self.file("in-lab")
        print(f"""
It is all still running. {enter} runs a command where it runs; in another
terminal, after `alias in-lab={enter}`:

the application   in-lab curl -s {self.application_url(self.cloud.instance('flask-app'))}
the responder     in-lab curl -s 'http://127.0.0.1:{self.vmcpd_port}/vmcp/flask-app?cvm_salt=abc&cvm_hostid=h1' -H 'Accept: application/jose'
its keys          in-lab curl -s http://127.0.0.1:{self.vmcpd_port}/.well-known/jwks.json
a token           in-lab curl -s -H 'Metadata-Flavor: Google' http://127.0.0.1:18080/computeMetadata/v1/instance/service-accounts/default/token
the VMs           in-lab gcloud compute instances list
VM-1's console    in-lab gcloud compute instances get-serial-port-output vm-1-proxied
request log       {self.file('requests.jsonl')}
all logs          {self.work}

Ctrl-C here ends it and cleans up.""", flush=True)
        while True:
            time.sleep(3600)


def interrupted(*_):
    raise KeyboardInterrupt


def play(args, work, driver):
    """Tell the story and clean up. Returns the exit code."""
    signal.signal(signal.SIGINT, interrupted)  # it was ignored on the way in
    signal.signal(signal.SIGTERM, interrupted)
    demo = Demo(args, work, driver)
    code = 1
    try:
        demo.tell()
        print("\nThe chain runs: all of it happened.", flush=True)
        code = 0
        if args.keep:
            demo.look_around()
    except KeyboardInterrupt:
        print("\ndemo: interrupted; cleaning up", flush=True)
        code = code and 130
    except (Failure, OSError, ValueError, KeyError) as e:
        print(f"\ndemo: FAILED: {type(e).__name__}: {e}\nlogs: {work}", file=sys.stderr, flush=True)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        demo.programs.stop_all()
    return code


def outside(args):
    """Make the scratch folder, enter the laboratory where there is one, and remove the folder."""
    command = lab.unshare_command() if args.driver != "process" else None
    print("demo: " + lab.describe(command), flush=True)
    work = tempfile.mkdtemp(prefix="vmcp-demo-")
    lab.write_entrance(os.path.join(work, "in-lab"), work, command is not None)
    if command is None:
        there = [f for f in VM_FOLDERS if os.path.exists(f)]
        code = play(args, work, "process")
        for folder in set(VM_FOLDERS) - set(there):
            shutil.rmtree(folder, ignore_errors=True)
    else:
        code = lab.enter(command, [sys.executable, *sys.argv, "--work", work],
                         os.path.join(work, "pid"))
    if code in (0, 130):
        shutil.rmtree(work, ignore_errors=True)
    return code


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--bin", required=True)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--driver", choices=["auto", "process"], default="auto",
                        help="process: VMs as child processes, as where there are no namespaces")
    parser.add_argument("--work", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if lab.is_inside() and args.work:
        lab.set_up()
        return play(args, args.work, "netns")
    return outside(args)


if __name__ == "__main__":
    sys.exit(main())

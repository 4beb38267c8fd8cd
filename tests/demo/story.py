# SPDX-License-Identifier: Apache-2.0
"""The pieces that the demo is told with: steps, programs, the cloud's API."""
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

START = time.monotonic()


class Failure(Exception):
    """Something that the story promises did not happen."""


def say(text, mark=" "):
    print(f"[{time.monotonic() - START:6.2f} s] {mark} {text}", flush=True)


def title(text):
    print(f"\n{text}", flush=True)


def expect(condition, text):
    if not condition:
        raise Failure(text)
    say(text, "✓")


class Programs:
    """What was started, and how to stop it: by its pid, last first."""

    def __init__(self, bin_folder, work):
        self.bin = bin_folder
        self.work = work
        self.running = []

    def path(self, name):
        return os.path.join(self.bin, name)

    def run(self, name, *args, check=True, env=None):
        """Run one of our programs to its end."""
        done = subprocess.run([self.path(name), *args], stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, env=env, timeout=120, check=False)
        if check and done.returncode != 0:
            raise Failure(f"{name} {shlex.join(args)} ended with {done.returncode}:\n"
                          f"{done.stdout}{done.stderr}")
        return done

    def start(self, label, argv, ready=None):
        """Start a server and wait until its log says what `ready` matches. Returns the match."""
        log = os.path.join(self.work, f"{label}.log")
        with open(log, "wb") as f:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=f,
                                       stderr=subprocess.STDOUT, start_new_session=True)
        self.running.append((label, process))
        return self.wait_for_log(label, process, ready) if ready else None

    def wait_for_log(self, label, process, pattern):
        for _ in range(400):
            with open(os.path.join(self.work, f"{label}.log"), encoding="utf-8",
                      errors="replace") as f:
                text = f.read()
            found = re.search(pattern, text)
            if found:
                return found
            if process.poll() is not None:
                break
            time.sleep(0.05)
        raise Failure(f"{label} did not start:\n{text}")

    def stop_all(self):
        for label, process in reversed(self.running):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                print(f"demo: {label} did not stop on SIGTERM", file=sys.stderr)
                process.kill()
                process.wait()
        self.running.clear()


def get(url, headers=None, timeout=5):
    """(status, body) of a GET; no proxy, whatever the environment says."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, headers=headers or {}),
                         timeout=timeout) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as e:
        return e.code, e.read().decode(errors="replace")


class Cloud:
    """The emulator's Compute API, as the operator's laptop uses it."""

    def __init__(self, env):
        self.env = env
        self.api = env["CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE"]
        self.project = env["GOOGLE_CLOUD_PROJECT"]
        self.zone = env["CLOUDSDK_COMPUTE_ZONE"]

    def token(self):
        url = (f"http://{self.env['GCE_METADATA_HOST']}/computeMetadata/v1/instance/"
               "service-accounts/default/token")
        status, body = get(url, {"Metadata-Flavor": "Google"})
        if status != 200:
            raise Failure(f"the laptop got no token: {status} {body}")
        return json.loads(body)["access_token"]

    def call(self, method, path):
        url = f"{self.api}projects/{self.project}/zones/{self.zone}/{path}"
        request = urllib.request.Request(url, method=method, headers={
            "Authorization": f"Bearer {self.token()}"})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=130) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as e:
            return e.code, json.loads(e.read() or b"{}")

    def instance(self, name):
        status, body = self.call("GET", f"instances/{name}")
        return body if status == 200 else None

    def delete(self, name):
        _, operation = self.call("DELETE", f"instances/{name}")
        self.call("POST", f"operations/{operation['name']}/wait")
        if self.instance(name):
            raise Failure(f"{name} is still there after its deletion")

    def serial(self, name):
        status, body = self.call("GET", f"instances/{name}/serialPort")
        return body.get("contents", "") if status == 200 else ""

    def follow_serial(self, name, pattern, seconds=90):
        """Print the VM's serial port as it grows, until a line matches. Returns the match."""
        seen = 0
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            text = self.serial(name)
            lines = text[seen:text.rfind("\n") + 1]
            seen += len(lines)
            for line in lines.splitlines():
                say(f"{name} │ {line[:150]}")
                found = re.search(pattern, line)
                if found:
                    return found
            time.sleep(0.05)
        raise Failure(f"{name}'s serial port never said {pattern!r}")


def address(instance):
    return instance["networkInterfaces"][0]["networkIP"]


def attributes(instance):
    return {i["key"]: i["value"] for i in instance["metadata"].get("items", [])}


def inserts(request_log):
    """How many inserts the emulator's request log has."""
    with open(request_log, encoding="utf-8") as f:
        rows = [json.loads(line) for line in f if line.strip()]
    return sum(1 for r in rows if r["method"] == "POST" and r["path"].endswith("/instances"))

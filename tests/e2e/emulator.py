# SPDX-License-Identifier: Apache-2.0
"""A gce-emulator under test: started on free ports, asked with plain http.client, stopped by pid."""
import base64
import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.parse
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("VMCP_BIN", ROOT / "build/release/bin"))
EMULATOR = BIN / "gce-emulator"
PROJECT, ZONE = "demo-project", "us-central1-a"
LAUNCHER = f"vm1-launcher@{PROJECT}.iam.gserviceaccount.com"
NOBODY = f"nobody@{PROJECT}.iam.gserviceaccount.com"
CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
IMAGE = "projects/debian-cloud/global/images/family/debian-12"


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def message(self):
        return self.json["error"]["message"]

    @property
    def reason(self):
        return self.json["error"]["errors"][0]["reason"]


def ask(host, port, method, target, headers=None, body=None, timeout=30):
    """One request, exactly as given. `headers` replace what http.client would send by itself."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    headers = dict(headers or {})
    connection.putrequest(method, target, skip_host="Host" in headers, skip_accept_encoding=True)
    for name, value in headers.items():
        if value is not None:
            connection.putheader(name, value)
    if body is not None:
        connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    result = Answer(answer.status, answer.headers, answer.read())
    connection.close()
    return result


class Emulator:
    def __init__(self, folder, *options, driver="none"):
        self.folder = Path(folder)
        self.options = ["--vm-driver", driver, "--metadata", "127.0.0.1:0", "--api", "127.0.0.1:0",
                        *options]
        self.process = None
        self.errors = ""
        self._token = {}

    def start(self):
        log = open(self.folder / "stderr", "ab")
        # One that is killed leaves its temporary folder behind: in ours.
        env = dict(os.environ, TMPDIR=str(self.folder))
        self.process = subprocess.Popen([EMULATOR, *self.options], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=log, text=True, env=env)
        log.close()
        lines = [self.process.stdout.readline() for _ in range(2)]
        ports = [re.fullmatch(r"ready (\w+) http://127\.0\.0\.1:(\d+)\n", line) for line in lines]
        assert all(ports), f"{lines} {(self.folder / 'stderr').read_text()}"
        found = {m.group(1): int(m.group(2)) for m in ports}
        self.metadata_port, self.api_port = found["metadata"], found["api"]
        # What else it prints must not fill the pipe.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        self._token = {}
        return self

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(timeout=20)
        return self.process.returncode

    # the metadata server
    def metadata(self, path, headers=None, method="GET", flavor="Google", timeout=30):
        headers = dict(headers or {})
        if flavor:
            headers.setdefault("Metadata-Flavor", flavor)
        return ask("127.0.0.1", self.metadata_port, method, path, headers, timeout=timeout)

    def v1(self, path, **more):
        return self.metadata("/computeMetadata/v1/" + path, **more)

    # tokens
    def token(self, scopes=None):
        """The workstation's token, as the metadata server hands it out."""
        if scopes not in self._token:
            query = f"?scopes={urllib.parse.quote(scopes)}" if scopes else ""
            answer = self.v1(f"instance/service-accounts/default/token{query}")
            assert answer.status == 200, answer.text
            self._token[scopes] = answer.json["access_token"]
        return self._token[scopes]

    def grant(self, assertion, **more):
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
                "assertion": assertion, **more}
        form = {k: v for k, v in form.items() if v is not None}
        return self.post_form(urllib.parse.urlencode(form))

    def post_form(self, body, headers=None):
        headers = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return ask("127.0.0.1", self.api_port, "POST", "/token", headers, body.encode())

    # the API
    def api(self, method, path, body=None, token=True, headers=None, timeout=30):
        """`path` is below projects/PROJECT/, or absolute."""
        if not path.startswith("/"):
            path = f"/compute/v1/projects/{PROJECT}/{path}"
        headers = dict(headers or {})
        if token is True:
            token = self.token()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        return ask("127.0.0.1", self.api_port, method, path, headers, body, timeout)

    def zone(self, method, path, body=None, **more):
        return self.api(method, f"zones/{ZONE}/{path}", body, **more)

    def wait(self, operation):
        answer = self.zone("POST", f"operations/{operation['name']}/wait")
        assert answer.status == 200, answer.text
        assert answer.json["status"] == "DONE", answer.text
        return answer.json

    def insert(self, name, query="", wait=True, **members):
        answer = self.zone("POST", f"instances{query}", instance_body(name, **members))
        assert answer.status == 200, answer.text
        if wait:
            done = self.wait(answer.json)
            assert "error" not in done, done
        return answer.json

    def instance(self, name):
        answer = self.zone("GET", f"instances/{name}")
        return answer.json if answer.status == 200 else None


def instance_body(name, **members):
    body = {
        "name": name,
        "machineType": f"zones/{ZONE}/machineTypes/e2-small",
        "disks": [{"boot": True, "autoDelete": True, "initializeParams": {"sourceImage": IMAGE}}],
        "networkInterfaces": [{"network": "global/networks/default"}],
    }
    body.update(members)
    return {k: v for k, v in body.items() if v is not None}


def scratch():
    return tempfile.mkdtemp(prefix="emulator-test-")


def remove(folder):
    shutil.rmtree(folder, ignore_errors=True)


def b64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def eventually(look, seconds=10):
    """The first true value that `look` gives within some seconds."""
    end = time.monotonic() + seconds
    while True:
        value = look()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.02)


def run_many(cloud, count, connections):
    """Insert so many instances, list them, delete them, each by so many kept connections. What came
    of it, and the seconds that it took until the last one was gone."""
    token = cloud.token()
    base = f"/compute/v1/projects/{PROJECT}/zones/{ZONE}/"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def each(work):
        def run(first):
            link = http.client.HTTPConnection("127.0.0.1", cloud.api_port, timeout=60)
            for i in range(first, count, connections):
                work(link, i)
            link.close()
        threads = [threading.Thread(target=run, args=(n,)) for n in range(connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    failures = []

    def ask_kept(link, method, path, body=None):
        link.request(method, base + path, body, headers)
        answer = link.getresponse()
        text = answer.read()
        if answer.status != 200:
            failures.append(text)
        return json.loads(text)

    def look(query=""):
        link = http.client.HTTPConnection("127.0.0.1", cloud.api_port, timeout=60)
        found, page = [], ""
        while page is not None:
            answer = ask_kept(link, "GET", f"instances?maxResults=500&pageToken={page}{query}")
            found += answer.get("items", [])
            page = answer.get("nextPageToken")
        link.close()
        return found

    bodies = [json.dumps(instance_body(f"many-{i}")) for i in range(count)]
    begin = time.monotonic()
    each(lambda link, i: ask_kept(link, "POST", "instances", bodies[i]))
    inserted = time.monotonic()
    listed = look()
    seen = time.monotonic()
    each(lambda link, i: ask_kept(link, "DELETE", f"instances/many-{i}"))
    left = eventually(lambda: not look(), 60)
    end = time.monotonic()
    assert not failures, failures[0]
    return {"seconds": round(end - begin, 2), "insert": round(inserted - begin, 2),
            "list": round(seen - inserted, 2), "delete": round(end - seen, 2),
            "listed": len(listed), "left": 0 if left else len(look())}

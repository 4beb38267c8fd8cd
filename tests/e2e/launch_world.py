# SPDX-License-Identifier: Apache-2.0
"""A small world for vmcp-launch: a responder that signs with python3-jwcrypto, a metadata server, a
token endpoint and a Compute API that do what a test tells them. None of it shares code with ours."""
import base64
import hashlib
import json
import os
import re
import subprocess
import threading
import time
import urllib.parse
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from jwcrypto import jwk, jws

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("VMCP_BIN", ROOT / "build/release/bin"))
LAUNCH = BIN / "vmcp-launch"
PROJECT, ZONE = "web-1", "us-central1-a"
DOMAIN = "127.0.0.1"
SCRIPT = "#!/bin/bash\necho hello\n"


SCHEMA = ROOT.parent / "shared/reference/compute-v1-subset.json"
SCHEMAS = json.loads(SCHEMA.read_text())["schemas"] if SCHEMA.exists() else {}
S = {"type": "string"}
# Fields that Google added after that document.
I, B = {"type": "integer"}, {"type": "boolean"}
NEWER = {
    "Instance": {"localSsdEncryptionMode": S},
    "AdvancedMachineFeatures": {"turboMode": S, "performanceMonitoringUnit": S},
    "Scheduling": {
        "maxRunDuration": {"$ref": "Duration"}, "terminationTime": S,
        "localSsdRecoveryTimeout": {"$ref": "Duration"}, "hostErrorTimeoutSeconds": I,
        "availabilityDomain": I, "onInstanceStopAction": {"$ref": "OnInstanceStopAction"},
        "gracefulShutdown": {"$ref": "GracefulShutdown"}},
    "ConfidentialInstanceConfig": {"confidentialInstanceType": S},
    "NetworkInterface": {"vlan": I, "parentNicName": S, "igmpQuery": S},
    "AttachedDiskInitializeParams": {"storagePool": S, "enableConfidentialCompute": B},
    "Duration": {"seconds": {**S, "format": "int64"}, "nanos": I},
    "OnInstanceStopAction": {"discardLocalSsd": B},
    "GracefulShutdown": {"enabled": B, "maxDuration": {"$ref": "Duration"}},
}
for _name, _fields in NEWER.items() if SCHEMAS else ():
    _schema = SCHEMAS.setdefault(_name, {"type": "object", "properties": {}})
    _schema["properties"] = {**_fields, **_schema["properties"]}


def check_schema(schema, value, where="body"):
    """A strict validator for the discovery document's schemas: no unknown member anywhere."""
    if "$ref" in schema:
        schema = SCHEMAS[schema["$ref"]]
    kind = schema["type"]
    if kind == "object" and "additionalProperties" in schema:
        for k, v in value.items():
            check_schema(schema["additionalProperties"], v, f"{where}.{k}")
    elif kind == "object":
        assert isinstance(value, dict), where
        for k, v in value.items():
            assert k in schema["properties"], f"{where}.{k}"
            check_schema(schema["properties"][k], v, f"{where}.{k}")
    elif kind == "array":
        assert isinstance(value, list), where
        for i, v in enumerate(value):
            check_schema(schema["items"], v, f"{where}[{i}]")
    else:
        python = {"string": str, "boolean": bool, "integer": int, "number": float}[kind]
        assert type(value) is python, where
        assert "enum" not in schema or value in schema["enum"], where


def check_body(body):
    """Is it an Instance, strictly?"""
    if SCHEMAS:
        check_schema({"$ref": "Instance"}, body)


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, handle):
        self.handle_one = handle
        self.log = []
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, args=[0.02], daemon=True).start()
        self.origin = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request, client_address):
        pass  # a client that was killed is part of the tests

    def close(self):
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def go(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        self.url = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(self.url.query))
        self.server.log.append({"method": self.command, "path": self.url.path, "query": self.query,
                                "headers": dict(self.headers), "body": self.body,
                                "time": time.time()})
        answer = self.server.handle_one(self)
        if answer is None:
            self.close_connection = True
            self.connection.close()
            return
        if callable(answer):  # it speaks for itself, on the bare connection
            self.close_connection = True
            try:
                answer(self.connection)
            except OSError:
                pass
            self.connection.close()
            return
        status, kind, text, *more = answer
        if isinstance(text, (dict, list)):
            text = json.dumps(text)
        data = text.encode() if isinstance(text, str) else text
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, value in (more[0] if more else {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_DELETE = do_PUT = go

    def log_message(self, *args):
        pass


class Responder:
    """Signs what a test puts into `machine`, `gce`, `serial`, …, over the caller's salt."""

    def __init__(self, key=None):
        self.key = key or jwk.JWK.generate(kty="OKP", crv="Ed25519")
        self.machine = {"name": "flask-app", "secret": "a-secret-of-flask-app", "cpus": 2,
                        "memory": 2048, "disk": 10240, "flags": 1, "apiPort": 5000,
                        "userData": SCRIPT}
        self.gce = None
        self.count = None
        self.serial = 7
        self.domain = DOMAIN
        self.edit_claims = lambda claims: None
        self.edit_header = lambda header: None
        self.edit_token = lambda token: token
        self.content_type = "application/jose"
        self.fail = lambda: None  # (status, type, body) or None
        self.server = Server(self.answer)
        self.url = self.server.origin + "/vmcp"

    def answer(self, request):
        failure = self.fail()
        if failure:
            return failure
        now = int(time.time())
        claims = {"iss": self.domain, "sub": request.query.get("vm", "flask-app"),
                  "aud": request.query["cvm_hostid"], "nonce": request.query["cvm_salt"],
                  "iat": now, "exp": now + 300, "jti": str(uuid.uuid4()), "serial": self.serial,
                  "machine": self.machine}
        if self.gce is not None:
            claims["gce"] = self.gce
        if self.count is not None:
            claims["count"] = self.count
        self.edit_claims(claims)
        header = {"alg": "EdDSA", "kid": self.key.thumbprint(), "typ": "vmcp+jwt"}
        self.edit_header(header)
        token = jws.JWS(json.dumps(claims))
        token.add_signature(self.key, None, json.dumps(header), None)
        return 200, self.content_type, self.edit_token(token.serialize(compact=True))

    def pem(self):
        return self.key.export_to_pem().decode()


class Metadata:
    """VM-1's metadata server."""

    def __init__(self):
        self.attributes = {}
        self.tree = {"project/project-id": PROJECT, "instance/zone": f"projects/1/zones/{ZONE}",
                     "instance/name": "vm-1"}
        self.token = "ya29.metadata"
        self.expires_in = 3599
        self.server = Server(self.answer)
        self.host = f"127.0.0.1:{self.server.server_port}"

    def answer(self, request):
        path = request.url.path.removeprefix("/computeMetadata/v1/")
        if request.headers.get("Metadata-Flavor") != "Google":
            return 403, "text/html", "no"
        if path == "instance/attributes/":
            return 200, "application/json", self.attributes
        if path == "instance/service-accounts/default/token" and self.token:
            return 200, "application/json", {"access_token": self.token, "token_type": "Bearer",
                                             "expires_in": self.expires_in}
        if path in self.tree:
            return 200, "application/text", self.tree[path]
        return 404, "text/html", "no"


def api_error(status, reason, message):
    return status, "application/json", {"error": {"code": status, "message": message, "errors": [
        {"message": message, "domain": "global", "reason": reason}]}}


class Compute:
    """The Compute API. `before(request)` may answer instead; `after_insert(request)` is called
    between the insert's effect and its answer, and may answer instead, or "drop" the connection."""

    def __init__(self):
        self.instances = {}    # (zone, name) -> instance
        self.operations = {}   # name -> operation
        self.by_request = {}   # requestId -> operation name
        self.operation_error = lambda zone: None
        self.pending = 0       # how often `wait` answers RUNNING
        self.before = lambda request: None
        self.after_insert = lambda request: None
        self.ip = "10.128.0.2"
        self.nics = None       # networkInterfaces of what is made, instead of that address
        self.image = {"name": "debian-12-bookworm-v20240110", "diskSizeGb": "10",
                      "guestOsFeatures": [{"type": "UEFI_COMPATIBLE"}]}
        self.tokens = {"ya29.metadata", "ya29.key"}
        self.lock = threading.Lock()
        self.wrong_bodies = []
        self.serial = ""       # what every VM wrote to its serial port
        self.guest = {}        # guest attributes of every VM
        self.server = Server(self.answer)
        self.url = self.server.origin + "/compute/v1/"

    # what happened
    def requests(self, method, pattern):
        return [r for r in self.server.log if r["method"] == method
                and re.search(pattern, r["path"])]

    def inserts(self):
        return self.requests("POST", r"/instances$")

    def writes(self):
        return [r for r in self.server.log if r["method"] != "GET"]

    def body(self):
        return json.loads(self.inserts()[-1]["body"])

    def add(self, name="flask-app", zone=ZONE, status="RUNNING", **fields):
        self.instances[zone, name] = {
            "kind": "compute#instance", "id": str(4000000000 + len(self.instances)), "name": name,
            "status": status, "networkInterfaces": self.nics or [{"networkIP": self.ip}],
            "metadata": {"items": []}, **fields}
        return self.instances[zone, name]

    # how it answers
    def answer(self, request):
        scripted = self.before(request)
        if scripted:
            return scripted
        path = request.url.path.removeprefix("/compute/v1/")
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return api_error(401, "authError", "Invalid Credentials")
        image = re.fullmatch(r"projects/([^/]+)/global/images/(family/)?([^/]+)", path)
        if image:
            return 200, "application/json", {"kind": "compute#image", **self.image}
        zonal = re.fullmatch(rf"projects/{PROJECT}/zones/([^/]+)/(.*)", path)
        if not zonal:
            return api_error(404, "notFound", f"no {path}")
        with self.lock:
            return self.zonal(request, zonal.group(1), zonal.group(2))

    def zonal(self, request, zone, path):
        if path == "instances" and request.command == "POST":
            return self.insert(request, zone)
        if path == "operations":
            wanted = request.query.get("filter", "").split('"')[1]
            return 200, "application/json", {"items": [
                o for o in self.operations.values() if o.get("clientOperationId") == wanted]}
        operation = re.fullmatch(r"operations/([^/]+)(/wait)?", path)
        if operation and operation.group(1) in self.operations:
            return self.wait(self.operations[operation.group(1)], operation.group(2))
        instance = re.fullmatch(r"instances/([^/]+)(?:/(\w+))?", path)
        found = instance and self.find(zone, instance.group(1))
        if found and instance.group(2) == "serialPort":
            text = self.serial[int(request.query["start"]):]
            return 200, "application/json", {"contents": text, "start": request.query["start"],
                                             "next": str(len(self.serial))}
        if found and instance.group(2) == "getGuestAttributes":
            value = self.guest.get(request.query["queryPath"])
            return (200, "application/json", {"queryValue": {"items": [{"value": value}]}}) if value \
                else api_error(404, "notFound", "no such attribute")
        if found and request.command == "DELETE":
            del self.instances[zone, found["name"]]
            return 200, "application/json", self.operation("delete", zone,
                                                           request.query.get("requestId"))
        if found and instance.group(2):
            found["status"] = "TERMINATED" if instance.group(2) == "stop" else "RUNNING"
            return 200, "application/json", self.operation(instance.group(2), zone,
                                                           request.query.get("requestId"))
        if found:
            return 200, "application/json", found
        return api_error(404, "notFound", f"The resource '{path}' was not found")

    def find(self, zone, key):
        for (z, name), instance in self.instances.items():
            if z == zone and key in (name, instance["id"]):
                return instance
        return None

    def insert(self, request, zone):
        request_id = request.query.get("requestId")
        if request_id in self.by_request:
            return 200, "application/json", self.operations[self.by_request[request_id]]
        body = json.loads(request.body)
        try:
            check_body(body)
        except AssertionError as e:
            self.wrong_bodies.append(str(e))
        if (zone, body["name"]) in self.instances:
            return api_error(409, "alreadyExists", f"{body['name']} already exists")
        error = self.operation_error(zone)
        if not error:
            fields = {k: v for k, v in body.items() if k not in ("name", "networkInterfaces")}
            self.add(body["name"], zone, **fields)
        operation = self.operation("insert", zone, request_id, error)
        self.lock.release()
        try:
            instead = self.after_insert(request)
        finally:
            self.lock.acquire()
        if instead:
            return None if instead == "drop" else instead
        return 200, "application/json", operation

    def operation(self, kind, zone, request_id, error=None):
        name = f"operation-{len(self.operations)}-{uuid.uuid4().hex[:8]}"
        operation = {"kind": "compute#operation", "id": "7", "name": name, "operationType": kind,
                     "status": "RUNNING", "progress": 0, "clientOperationId": request_id}
        self.operations[name] = operation
        if request_id:
            self.by_request[request_id] = name
        operation["_error"] = error
        return {k: v for k, v in operation.items() if k != "_error"}

    def wait(self, operation, waits):
        if waits and self.pending > 0:
            self.pending -= 1
        else:
            operation["status"] = "DONE"
            if operation["_error"]:
                operation["error"] = {"errors": [operation["_error"]]}
        return 200, "application/json", {k: v for k, v in operation.items() if k != "_error"}


class World:
    """All of it, and vmcp-launch with the arguments that most tests want."""

    def __init__(self, folder):
        self.folder = folder
        self.responder, self.metadata, self.compute = Responder(), Metadata(), Compute()
        self.trust = self.write("trust.pem", self.responder.pem())
        self.state = folder / "state"
        self.env = {k: v for k, v in os.environ.items()
                    if not re.match(r"VMCP_|GCE_|CLOUDSDK_|GOOGLE_|.*_proxy", k, re.I)}
        # no login of whoever runs the tests
        self.env.update(CLOUDSDK_CONFIG=str(folder / "gcloud"), GCE_METADATA_HOST=self.metadata.host,
                        CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE=self.compute.url)
        self.base = ["--endpoint", self.responder.url, "--machine", "flask-app",
                     "--trust", str(self.trust)]

    def write(self, name, text, mode=0o600):
        path = self.folder / name
        path.write_text(text)
        path.chmod(mode)
        return path

    def close(self):
        for part in (self.responder, self.metadata, self.compute):
            part.server.close()
        assert not self.compute.wrong_bodies

    def command(self, *args, base=True):
        verb = [args[0]] if args and not args[0].startswith("-") else []
        return [str(LAUNCH), *verb, *(self.base if base else []), *args[len(verb):],
                "--state-dir", str(self.state), "--json"]

    def run(self, *args, base=True, timeout=60, env=None):
        done = subprocess.run(self.command(*args, base=base), env=env or self.env,
                              capture_output=True, text=True, timeout=timeout, check=False)
        done.report = json.loads(done.stdout) if done.stdout else None
        assert "Sanitizer" not in done.stderr, done.stderr
        return done

    def launch(self, *args, **kwargs):
        """A launch that must succeed; the report."""
        done = self.run(*args, **kwargs)
        assert done.returncode == 0, done.stderr
        assert done.report["code"] == "ok"
        for body in done.report.get("bodies", []):
            check_body(body)
        return done.report

    def refused(self, code, exit_code, *args, writes=0, **kwargs):
        """A launch that must end with this code, and must have written nothing."""
        done = self.run(*args, **kwargs)
        assert (done.report["code"], done.returncode) == (code, exit_code), done.stderr
        assert len(self.compute.writes()) == writes
        return done

    def intents(self):
        return sorted(self.state.glob("machines/*/*/intents/*.json"))

    def saved(self, machine="flask-app"):
        return json.loads((self.state / f"machines/{DOMAIN}/{machine}/state.json").read_text())

    def key_file(self, token_uri, changes=None):
        key = jwk.JWK.generate(kty="RSA", size=2048)
        document = {"type": "service_account", "project_id": PROJECT, "private_key_id": "ab" * 20,
                    "private_key": key.export_to_pem(private_key=True, password=None).decode(),
                    "client_email": f"vm1@{PROJECT}.iam.gserviceaccount.com",
                    "token_uri": token_uri, **(changes or {})}
        return key, self.write("key.json", json.dumps(document))


def session(domain, machine, secret, salt=bytes(range(16))):
    """The value of vmcp-session, made a second time."""
    text = salt + domain.encode() + b"\0" + machine.encode() + b"\0" + secret.encode()
    return f"sha256${salt.hex()}${hashlib.sha256(text).hexdigest()}"


def items(body):
    return {i["key"]: i["value"] for i in body["metadata"]["items"]}

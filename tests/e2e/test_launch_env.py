# SPDX-License-Identifier: Apache-2.0
"""vmcp-launch and what it takes from its environment: every variable, the folders of its state, the
defaults, the trusted keys of the machine."""
import os
import shutil
import stat
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from jwcrypto import jwk

from launch_world import DOMAIN, LAUNCH, PROJECT, ZONE, World, api_error

NOBODY = 65534
OTHER = "cfg.example.org"


@pytest.fixture
def world(tmp_path):
    w = World(tmp_path)
    yield w
    w.close()


def args_of(world, *but):
    """The arguments of most tests without some of them."""
    base = dict(zip(world.base[::2], world.base[1::2]))
    return [word for name, value in base.items() if name not in but for word in (name, value)]


def ran(world, args, env, code="ok", exit_code=0):
    done = world.run(*args, base=False, env={**world.env, **env})
    assert (done.report["code"], done.returncode) == (code, exit_code), done.stderr
    return done


def another_key(world, name="other.pem"):
    key = jwk.JWK.generate(kty="OKP", crv="Ed25519")
    return str(world.write(name, key.export_to_pem().decode()))


# --- one variable at a time: it is taken, and a flag wins over it

def test_endpoint(world):
    args = [*args_of(world, "--endpoint"), "--domain", DOMAIN, "--dry-run"]
    dead = {"VMCP_ENDPOINT": "http://127.0.0.1:1/vmcp"}
    ran(world, args, {"VMCP_ENDPOINT": world.responder.url})
    ran(world, [*args, "--boot-timeout", "0"], dead, "network", 4)
    ran(world, [*args, "--endpoint", world.responder.url], dead)
    ran(world, args, {"VMCP_ENDPOINT": "ftp://127.0.0.1/"}, "url-malformed", 2)


def test_domain(world):
    world.responder.domain = OTHER
    args = [*world.base, "--dry-run"]
    assert ran(world, args, {"VMCP_DOMAIN": OTHER}).report["domain"] == OTHER
    ran(world, args, {}, "domain-mismatch", 1)
    ran(world, [*args, "--domain", "else.example"], {"VMCP_DOMAIN": OTHER}, "domain-mismatch", 1)
    ran(world, args, {"VMCP_DOMAIN": "No_Such"}, "domain-malformed", 2)


def test_trust(world):
    args = [*args_of(world, "--trust"), "--dry-run"]
    wrong = another_key(world)
    ran(world, args, {"VMCP_TRUST": str(world.trust)})
    ran(world, args, {"VMCP_TRUST": wrong}, "key-untrusted", 1)
    ran(world, [*args, "--trust", str(world.trust)], {"VMCP_TRUST": wrong})
    world.metadata.attributes = {"vmcp-trust": world.responder.pem()}
    ran(world, args, {"VMCP_TRUST": wrong}, "key-untrusted", 1)
    ran(world, args, {"VMCP_TRUST": "/nonexistent/trust.pem"}, "trust-invalid", 3)


def test_format(world):
    """It reaches the question: version 1 is of another media type."""
    args = [*world.base, "--dry-run"]
    accepted = lambda: world.responder.server.log[-1]["headers"]["Accept"]
    ran(world, args, {"VMCP_FORMAT": "v2"})
    second = accepted()
    ran(world, args, {"VMCP_FORMAT": "v1"}, "content-type", 4)
    assert accepted() != second == "application/jose"
    ran(world, [*args, "--format", "v2"], {"VMCP_FORMAT": "v1"})
    ran(world, args, {"VMCP_FORMAT": "v3"}, "usage", 2)


def test_project(world):
    args = [*world.base, "--dry-run"]
    project = lambda *more, **env: ran(world, [*args, *more], env).report["instances"][0]["project"]
    world.compute.before = lambda r: api_error(404, "notFound", "x") if "/instances/" in r.url.path \
        else None
    assert project() == PROJECT
    assert project(GOOGLE_CLOUD_PROJECT="web-2") == "web-2"
    assert project("--project", "web-3", GOOGLE_CLOUD_PROJECT="web-2") == "web-3"
    ran(world, args, {"GOOGLE_CLOUD_PROJECT": "a/b"}, "usage", 2)


def test_zone(world):
    args = [*world.base, "--dry-run"]
    zone = lambda *more, **env: ran(world, [*args, *more], env).report["instances"][0]["zone"]
    assert zone() == ZONE
    assert zone(CLOUDSDK_COMPUTE_ZONE="europe-west1-b") == "europe-west1-b"
    assert zone("--zone", "us-east1-c", CLOUDSDK_COMPUTE_ZONE="europe-west1-b") == "us-east1-c"
    ran(world, args, {"CLOUDSDK_COMPUTE_ZONE": "../.."}, "usage", 2)


def test_universe(world):
    """Where the tokens may go follows from it; nobody is asked."""
    world.metadata.token = None
    env = {k: v for k, v in world.env.items() if "OVERRIDES_COMPUTE" not in k}
    done = world.run("--dry-run", env={**env, "GOOGLE_CLOUD_UNIVERSE_DOMAIN": "localhost"})
    assert (done.report["code"], done.returncode) == ("credentials", 5)
    assert "at least two labels" in done.report["detail"]


EVERY = ["VMCP_ENDPOINT", "VMCP_MACHINE", "VMCP_TRUST", "VMCP_DOMAIN", "VMCP_FORMAT",
         "GOOGLE_CLOUD_PROJECT", "CLOUDSDK_COMPUTE_ZONE", "GOOGLE_APPLICATION_CREDENTIALS",
         "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE"]


def test_everything_from_the_environment(world):
    """No flag but where the state is, and no metadata server."""
    token = world.compute.server.origin + "/token"
    _, key = world.key_file(token)
    world.compute.before = lambda r: (200, "application/json", {
        "access_token": "ya29.key", "token_type": "Bearer", "expires_in": 3599}) \
        if r.url.path == "/token" else None
    values = [world.responder.url, "flask-app", str(world.trust), DOMAIN, "v2", PROJECT, ZONE,
              str(key), world.compute.url]
    env = {k: v for k, v in world.env.items() if k != "GCE_METADATA_HOST"}
    done = world.run(base=False, env={**env, **dict(zip(EVERY, values))})
    assert done.returncode == 0, done.stderr
    assert world.compute.inserts()[0]["headers"]["Authorization"] == "Bearer ya29.key"
    assert not world.metadata.server.log


def test_an_empty_variable_is_none(world):
    env = {name: "" for name in EVERY[:-1]}
    report = ran(world, [*world.base, "--dry-run"], env).report
    assert (report["instances"][0]["project"], report["instances"][0]["zone"]) == (PROJECT, ZONE)


def test_help_names_them():
    text = subprocess.run([LAUNCH, "launch", "--help"], capture_output=True, text=True,
                          check=True).stdout
    assert all(name in text for name in EVERY)


# --- where the state is

def as_user(command, env, uid):
    """Run it as somebody who is not root."""
    who = {"user": uid, "group": uid, "extra_groups": []} if os.geteuid() == 0 else {}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False,
                          **who)


@pytest.fixture
def home(world):
    """A home of an ordinary user, with all that is needed in it."""
    path = Path(tempfile.mkdtemp(prefix="vmcp-home."))
    shutil.copy(LAUNCH, path / "vmcp-launch")
    (path / "trust.pem").write_text(world.responder.pem())
    for p in [path, *path.iterdir()] if os.geteuid() == 0 else []:
        os.chown(p, NOBODY, NOBODY)
    world.user = [str(path / "vmcp-launch"), *args_of(world, "--trust"), "--trust",
                  str(path / "trust.pem"), "--json"]
    yield path
    shutil.rmtree(path)


@pytest.mark.parametrize("variable,value,expected", [
    (None, None, ".local/state/vmcp-launch"), ("XDG_STATE_HOME", "{home}/xdg", "xdg/vmcp-launch"),
    ("XDG_STATE_HOME", "", ".local/state/vmcp-launch"),
    # a relative one is to be ignored (XDG Base Directory Specification)
    ("XDG_STATE_HOME", "relative", ".local/state/vmcp-launch")])
def test_state_of_a_user(world, home, variable, value, expected):
    env = {**world.env, "HOME": str(home), "CLOUDSDK_CONFIG": str(home)}
    env.pop("XDG_STATE_HOME", None)
    if variable:
        env[variable] = value.format(home=home)
    done = as_user(world.user, env, NOBODY)
    assert done.returncode == 0, done.stderr
    state = home / expected
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert (state / f"machines/{DOMAIN}/flask-app/state.json").exists()
    files = [p for p in state.rglob("*") if p.is_file()]
    assert files and all(stat.S_IMODE(p.stat().st_mode) == 0o600 for p in files)
    assert as_user(world.user, env, NOBODY).returncode == 0
    assert len(world.compute.inserts()) == 1


def test_state_of_nobody_at_all(world, home):
    env = {k: v for k, v in world.env.items() if k not in ("HOME", "XDG_STATE_HOME")}
    env["CLOUDSDK_CONFIG"] = str(home)
    done = as_user(world.user, env, NOBODY)
    assert done.returncode == 3 and "--state-dir" in done.stderr
    assert not world.compute.writes()


needs_namespaces = pytest.mark.skipif(
    subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode != 0,
    reason="no mount namespaces here")


@needs_namespaces
def test_state_of_root(world):
    """Whatever XDG_STATE_HOME says: the next boot's launcher must find it."""
    script = ('mount -t tmpfs tmpfs /var/lib && "$@" >&2 && stat -c "%a %n" /var/lib/vmcp-launch && '
              'ls /var/lib/vmcp-launch/machines/*')
    env = {**world.env, "XDG_STATE_HOME": str(world.folder / "xdg")}
    done = subprocess.run(["unshare", "-rm", "bash", "-c", script, "bash", str(LAUNCH), *world.base],
                          env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == ["700 /var/lib/vmcp-launch", "flask-app"], done.stderr
    assert not (world.folder / "xdg").exists()


# --- trusted keys of the machine itself

def in_namespace(world, prepare, *args):
    """As root of a mount namespace, after `prepare`."""
    script = f'set -e; {prepare}\nexec "$@"'
    return subprocess.run(["unshare", "-rm", "bash", "-c", script, "bash", str(LAUNCH), *args,
                           "--json"], env={**world.env, "HOME": str(world.folder)},
                          capture_output=True, text=True, timeout=60, check=False)


@needs_namespaces
@pytest.mark.parametrize("suffix", ["pem", "jwks", "thumbprints"])
def test_trust_dir(world, suffix):
    """It comes after the flag and VMCP_TRUST, and before the attribute."""
    key = world.responder.key
    good = {"pem": world.responder.pem(), "jwks": f'{{"keys": [{key.export_public()}]}}',
            "thumbprints": key.thumbprint() + "\n"}[suffix]
    if suffix == "thumbprints":  # they are looked up at the responder
        answer = world.responder.server.handle_one
        world.responder.server.handle_one = lambda r: (
            (200, "application/jwk-set+json", f'{{"keys": [{key.export_public()}]}}')
            if r.url.path == "/.well-known/jwks.json" else answer(r))
    world.write("good", good, 0o644)
    wrong = another_key(world)
    args = [*args_of(world, "--trust"), "--state-dir", str(world.state), "--dry-run"]
    mount = (f"rm -rf {world.folder}/etc; mkdir -p {world.folder}/etc/vmcp/trust.d; "
             f"cp {world.folder}/good {world.folder}/etc/vmcp/trust.d/{DOMAIN}.{suffix}; "
             f"mount -t tmpfs tmpfs /etc; cp -r {world.folder}/etc/vmcp /etc/; ")
    world.metadata.attributes = {"vmcp-trust": open(wrong).read()}
    done = in_namespace(world, mount, *args)
    assert done.returncode == 0, done.stderr
    assert f"/etc/vmcp/trust.d/{DOMAIN}.{suffix}" in done.stderr
    assert in_namespace(world, mount, *args, "--trust", wrong).returncode == 1
    assert in_namespace(world, f"export VMCP_TRUST={wrong}; {mount}", *args).returncode == 1
    # a file of another domain is nobody's
    elsewhere = mount.replace(f"trust.d/{DOMAIN}.", "trust.d/else.example.")
    assert in_namespace(world, elsewhere, *args).returncode == 1


# --- where there is a metadata server

# In a network of its own that has nothing but 169.254.169.254, on a machine of another make.
METADATA = r"""
import http.server, json, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        open(sys.argv[1], "a").write(self.path + "\n")
        attributes = "/attributes/" in self.path
        text = json.dumps({"vmcp-endpoint": "http://127.0.0.1:9/vmcp", "vmcp-machine": "web",
                           "vmcp-trust": open(sys.argv[2]).read()} if attributes else {})
        self.send_response(200 if attributes else 404)
        self.send_header("Content-Length", len(text))
        self.end_headers()
        self.wfile.write(text.encode())
server = http.server.HTTPServer(("169.254.169.254", 80), Handler)
print(flush=True)
server.serve_forever()
"""
ELSEWHERE = r"""
set -e
ip link set lo up; ip addr add 169.254.169.254/32 dev lo
mount -t tmpfs tmpfs /sys/class/dmi 2>/dev/null || mount -t tmpfs tmpfs /sys/class
mkdir -p /sys/class/dmi/id; echo "$2" > /sys/class/dmi/id/product_name
exec 3< <(exec python3 -c "$1" "$3" "$4"); read -r -u 3 line; server=$!
shift 4
unset GCE_METADATA_HOST
rc=0; "$@" || rc=$?
kill $server
exit $rc
"""


@needs_namespaces
@pytest.mark.parametrize("make,asked", [
    ("Google Compute Engine", True), ("Google", True), ("ThinkPad X1", False), ("Googleplex", False),
    ("", False)])
def test_metadata_server_by_the_machines_make(world, make, asked):
    """On a laptop 169.254.169.254 belongs to whoever runs the network."""
    log = world.folder / "asked"
    args = [str(LAUNCH), "launch", "--state-dir", str(world.state), "--json", "--boot-timeout", "0",
            "--project", PROJECT, "--zone", ZONE, "--access-token-file",
            str(world.write("token", "ya29.x"))]
    done = subprocess.run(
        ["unshare", "-rmn", "bash", "-c", ELSEWHERE, "bash", METADATA, make, str(log),
         str(world.trust), *args], env=world.env, capture_output=True, text=True, timeout=60,
        check=False)
    assert log.exists() == asked, done.stderr
    # its responder is asked, and is not there; without it there is nobody to ask
    assert done.returncode == (4 if asked else 2), done.stderr


# --- defaults

def test_default_of_the_boot_timeout(world):
    """Five minutes: who asks for less patience is waited for, who asks for more is not."""
    world.responder.fail = lambda: (503, "text/plain", "", {"Retry-After": "301"})
    start = time.monotonic()
    world.refused("responder-error", 4)
    assert time.monotonic() - start < 20 and len(world.responder.server.log) == 1
    world.responder.fail = lambda: (503, "text/plain", "", {"Retry-After": "290"})
    with subprocess.Popen(world.command(), env=world.env, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if "no answer yet" in line:
                break
        process.kill()
    assert "trying for 300 s more" in line or "trying for 299 s more" in line, line


@pytest.mark.parametrize("skew,args,code", [
    (250, [], "ok"), (350, [], "not-yet-valid"), (350, ["--max-skew", "400"], "ok"),
    (30, ["--max-skew", "10"], "not-yet-valid")])
def test_max_skew(world, skew, args, code):
    """The responder's clock is so many seconds ahead of ours."""
    world.responder.edit_claims = lambda c: c.update(iat=c["iat"] + skew, exp=c["exp"] + skew)
    done = world.run("--dry-run", *args)
    assert (done.report["code"], done.returncode) == (code, 0 if code == "ok" else 1), done.stderr


@pytest.mark.parametrize("seconds", ["3601", "-1", "ten", ""])
def test_max_skew_usage(world, seconds):
    world.refused("usage", 2, "--max-skew", seconds)
    assert not world.responder.server.log


@pytest.mark.parametrize("image,asked,source", [
    (None, "projects/debian-cloud/global/images/family/debian-12", "debian-cloud"),
    (f"projects/{PROJECT}/global/images/family/web", f"projects/{PROJECT}/global/images/family/web",
     PROJECT),
    (f"projects/{PROJECT}/global/images/web-1", f"projects/{PROJECT}/global/images/web-1", PROJECT),
    ("global/images/web-1", f"projects/{PROJECT}/global/images/web-1", PROJECT),
    ("family/web", f"projects/{PROJECT}/global/images/family/web", PROJECT)])
def test_image(world, image, asked, source):
    world.launch(*(["--image", image] if image else []))
    looked, = world.compute.requests("GET", "/images/")
    assert looked["path"] == "/compute/v1/" + asked
    disk = world.compute.body()["disks"][0]["initializeParams"]
    assert disk["sourceImage"] == f"projects/{source}/global/images/debian-12-bookworm-v20240110"


def test_image_of_the_operator_needs_no_second_permission(world):
    """And its project may then be named by the answer too."""
    image = "projects/elsewhere/global/images/web-1"
    world.launch("--image", image, "--dry-run")
    world.responder.machine.update(diskURL="projects/elsewhere/global/images/web-2",
                                   diskChecksum="00" * 20)
    world.launch("--image", image, "--dry-run")
    world.refused("policy", 1, "--dry-run")


@pytest.mark.parametrize("image", [
    "https://evil.example/x", "projects/../global/images/x", "", "x", "family/", "family/a/b",
    "projects/web-1/global/snapshots/x", "projects/web-1/family/x"])
def test_what_is_no_image(world, image):
    done = world.refused("plan-invalid", 3, "--image", image)
    assert done.report["where"] == "--image" and not world.compute.server.log

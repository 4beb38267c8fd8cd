# SPDX-License-Identifier: Apache-2.0
"""gce-emulator: where its metadata server listens, the file that it shows, and commands inside."""
import http.client
import json
import os
import pwd
import shutil
import signal
import socket
import ssl
import stat
import subprocess
import time

import pytest

from emulator import (EMULATOR, LAUNCHER, PROJECT, Emulator, ask, eventually, remove, scratch)
from test_emulator_rows import CONFIG, Fixed, Waiter

V1 = "/computeMetadata/v1/"
NAMESPACES = subprocess.run(["unshare", "-rnm", "ip", "link", "set", "lo", "up"],
                            capture_output=True, check=False).returncode == 0
needs_namespaces = pytest.mark.skipif(not NAMESPACES, reason="no network namespaces here")


@pytest.fixture
def folder():
    path = scratch()
    yield path
    remove(path)


def ready_lines(process, count):
    return [process.stdout.readline() for _ in range(count)]


class Metadata:
    """`gce-emulator metadata` as a person starts it; `lines` are what it printed."""

    def __init__(self, *options, count=1, prefix=()):
        self.process = subprocess.Popen([*prefix, EMULATOR, "metadata", *options], text=True,
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE)
        self.lines = ready_lines(self.process, count)
        assert all(line.startswith("ready ") for line in self.lines), (
            self.lines, self.process.stderr.read())

    def stop(self):
        self.process.terminate()
        _, err = self.process.communicate(timeout=20)
        return self.process.returncode, err

    def __enter__(self):
        return self

    def __exit__(self, *_):
        code, err = self.stop()
        assert code == 0, err


def refused(*options, env=None):
    done = subprocess.run([EMULATOR, *options], capture_output=True, text=True, timeout=20, env=env,
                          check=False)
    assert done.stdout == "" and done.returncode in (2, 3, 4), done
    return done.stderr


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("metadata.google.internal", timeout=20)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self.path)


def over_unix(path, target):
    connection = UnixConnection(path)
    connection.request("GET", V1 + target, headers={"Metadata-Flavor": "Google"})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


# The metadata server alone


def test_metadata_alone():
    with Metadata("--metadata", "127.0.0.1:0") as alone:
        port = int(alone.lines[0].rsplit(":", 1)[1])
        answer = ask("127.0.0.1", port, "GET", V1 + "project/project-id", {"Metadata-Flavor": "Google"})
        assert answer.text == PROJECT
        token = ask("127.0.0.1", port, "GET", V1 + "instance/service-accounts/default/token",
                    {"Metadata-Flavor": "Google"})
        assert token.json["token_type"] == "Bearer"
        listening = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=False).stdout
        assert listening.count(f"pid={alone.process.pid},") <= 1


def test_metadata_alone_with_the_keys_to_verify():
    with Metadata("--metadata", "127.0.0.1:0", "--api", "127.0.0.1:0", count=2) as alone:
        port = int(alone.lines[1].rsplit(":", 1)[1])
        assert ask("127.0.0.1", port, "GET", "/oauth2/v3/certs").json["keys"][0]["alg"] == "RS256"


def test_metadata_alone_has_no_vm_options(folder):
    assert "vm-driver" in refused("metadata", "--vm-driver", "none")
    assert "--api" in refused("metadata", "--metadata", "127.0.0.1:0", "--service-account", "a", "--key",
                              f"a={folder}/a.json")


# Unix sockets


def test_unix_socket(folder):
    path = f"{folder}/metadata.sock"
    with Metadata("--metadata", f"unix:{path}") as server:
        assert server.lines == [f"ready metadata unix:{path}\n"]
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        answer, text = over_unix(path, "project/project-id")
        assert (answer.status, text) == (200, PROJECT)
        answer, text = over_unix(path, "instance")
        assert answer.status == 301
        assert answer.headers["Location"] == f"http://metadata.google.internal{V1}instance/"
        assert json.loads(over_unix(path, "instance/service-accounts/default/token")[1])["access_token"]
    assert not os.path.exists(path)


def test_unix_socket_beside_tcp(folder):
    path = f"{folder}/metadata.sock"
    with Metadata("--metadata", "127.0.0.1:0", "--metadata-also", f"unix:{path}", "--metadata-also",
                  "127.0.0.1:0", count=3) as server:
        ports = {int(line.rsplit(":", 1)[1]) for line in server.lines if "http" in line}
        assert len(ports) == 2 and over_unix(path, "instance/name")[1] == "workstation"
        for port in ports:
            assert ask("127.0.0.1", port, "GET", "/").status == 200


def test_unix_socket_stale_and_taken(folder):
    path = f"{folder}/metadata.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(path)
    left.close()
    with Metadata("--metadata", f"unix:{path}"):
        assert "another server answers there" in refused("metadata", "--metadata", f"unix:{path}")
        assert over_unix(path, "instance/name")[1] == "workstation"


def test_metadata_host_names():
    with Metadata("--metadata", "127.0.0.1:0", "--metadata-host", "emulator.test") as server:
        port = int(server.lines[0].rsplit(":", 1)[1])
        for host, status in (("emulator.test", 200), ("emulator.test:8080", 200), ("other.test", 403)):
            answer = ask("127.0.0.1", port, "GET", V1 + "instance/name",
                         {"Metadata-Flavor": "Google", "Host": host})
            assert answer.status == status, host


# Mutual TLS


@pytest.fixture(scope="module")
def certificates():
    """An authority with a server's and a client's certificate, and another authority's client."""
    path = scratch()

    def openssl(*args):
        subprocess.run(["openssl", *args], cwd=path, check=True, capture_output=True)

    for ca in ("ca", "other"):
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                f"{ca}.key", "-out", f"{ca}.pem", "-subj", f"/CN={ca}", "-days", "2")
    for name, ca, usage in (("server", "ca", "serverAuth"), ("client", "ca", "clientAuth"),
                            ("stranger", "other", "clientAuth"), ("wrong", "ca", "serverAuth")):
        with open(f"{path}/ext", "w", encoding="ascii") as f:
            f.write(f"subjectAltName=IP:127.0.0.1\nextendedKeyUsage={usage}\n")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                f"{name}.key", "-out", "csr", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", "csr", "-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial",
                "-extfile", "ext", "-days", "2", "-out", f"{name}.pem")
    yield path
    remove(path)


def over_tls(port, path, client=None):
    context = ssl.create_default_context(cafile=f"{path}/ca.pem")
    if client:
        context.load_cert_chain(f"{path}/{client}.pem", f"{path}/{client}.key")
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
    try:
        connection.request("GET", V1 + "instance", headers={"Metadata-Flavor": "Google"})
        answer = connection.getresponse()
        return answer.status, answer.headers["Location"]
    finally:
        connection.close()


def tls_options(path):
    return ("--tls-cert", f"{path}/server.pem", "--tls-key", f"{path}/server.key", "--client-ca",
            f"{path}/ca.pem")


def test_mutual_tls(certificates):
    with Metadata("--metadata", "127.0.0.1:0", "--metadata-tls", "127.0.0.1:0",
                  *tls_options(certificates), count=2) as server:
        assert server.lines[1].startswith("ready metadata https://127.0.0.1:")
        port = int(server.lines[1].rsplit(":", 1)[1])
        assert over_tls(port, certificates, "client") == (
            301, f"https://127.0.0.1:{port}{V1}instance/")
        for client in (None, "stranger", "wrong"):
            with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
                over_tls(port, certificates, client)
        with pytest.raises((ConnectionError, http.client.HTTPException)):  # plain HTTP
            ask("127.0.0.1", port, "GET", "/", timeout=5)
        assert over_tls(port, certificates, "client")[0] == 301


def test_waiters_over_tls_are_woken(certificates, folder):
    own = Fixed(folder, "--metadata-tls", "127.0.0.1:0", *tls_options(certificates))
    own.start()
    try:
        line = eventually(lambda: subprocess.run(
            ["ss", "-Hltnp"], capture_output=True, text=True, check=False).stdout)
        ports = {int(row.split()[3].rsplit(":", 1)[1]) for row in line.splitlines()
                 if f"pid={own.process.pid}," in row}
        port, = ports - {own.metadata_port, own.api_port}
        context = ssl.create_default_context(cafile=f"{certificates}/ca.pem")
        context.load_cert_chain(f"{certificates}/client.pem", f"{certificates}/client.key")
        connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=20)
        connection.request("GET", V1 + "instance/attributes/color?wait_for_change=true",
                           headers={"Metadata-Flavor": "Google"})
        time.sleep(0.5)
        own.change(attributes={"color": "red"})
        assert connection.getresponse().read() == b"red"
        connection.close()
    finally:
        assert own.stop() == 0


def test_mutual_tls_wants_all_of_it(certificates):
    path = certificates
    said = refused("metadata", "--metadata", "127.0.0.1:0", "--metadata-tls", "127.0.0.1:0", "--tls-cert",
                   f"{path}/server.pem", "--tls-key", f"{path}/server.key")
    assert "--client-ca" in said
    assert "--metadata-tls" in refused("metadata", "--metadata", "127.0.0.1:0", "--client-ca",
                                       f"{path}/ca.pem")


# 169.254.169.254


def inside(process, *command):
    return subprocess.run(["nsenter", "-t", str(process.pid), "-U", "-n", "--preserve-credentials",
                           *command], capture_output=True, text=True, timeout=30, check=False)


CURL = ["curl", "-sS", "-m", "10", "--noproxy", "*", "-H", "Metadata-Flavor: Google"]


@needs_namespaces
def test_link_local_adds_and_removes_its_address():
    keep = subprocess.Popen(["unshare", "-rn", "sh", "-c", "echo in; exec sleep 60"],
                            stdout=subprocess.PIPE, text=True)
    try:
        assert keep.stdout.readline() == "in\n"
        enter = ["nsenter", "-t", str(keep.pid), "-U", "-n", "--preserve-credentials"]
        with Metadata("--metadata", "127.0.0.1:18080", "--link-local", count=2, prefix=enter) as server:
            assert server.lines[1] == "ready metadata http://169.254.169.254:80\n"
            assert "169.254.169.254/32" in inside(keep, "ip", "addr", "show", "lo").stdout
            answer = inside(keep, *CURL, f"http://169.254.169.254{V1}instance/name")
            assert answer.stdout == "workstation", answer.stderr
        assert "169.254.169.254" not in inside(keep, "ip", "addr", "show", "lo").stdout
        # One that is there already is used, and left.
        inside(keep, "ip", "addr", "add", "169.254.169.254/32", "dev", "lo")
        with Metadata("--metadata", "127.0.0.1:18080", "--link-local", count=2, prefix=enter):
            assert inside(keep, *CURL, f"http://169.254.169.254{V1}instance/name").stdout == "workstation"
        assert "169.254.169.254/32" in inside(keep, "ip", "addr", "show", "lo").stdout
    finally:
        keep.kill()
        keep.wait()


@needs_namespaces
def test_link_local_is_for_this_machine_only():
    """The kernel answers for 169.254.169.254 on every network that it is in; we do not."""
    keep = subprocess.Popen(["unshare", "-rn", "sh", "-c", "echo in; exec sleep 60"],
                            stdout=subprocess.PIPE, text=True)
    enter = ["nsenter", "-t", str(keep.pid), "-U", "-n", "--preserve-credentials"]
    assert keep.stdout.readline() == "in\n"
    neighbour = subprocess.Popen([*enter, "unshare", "-n", "sh", "-c", "echo in; exec sleep 60"],
                                 stdout=subprocess.PIPE, text=True)
    there = ["nsenter", "-t", str(neighbour.pid), "-U", "-n", "--preserve-credentials"]
    try:
        assert neighbour.stdout.readline() == "in\n"
        for lines in ((enter, "link set lo up\nlink add va type veth peer name vb\naddr add 10.9.0.1/24 dev va\n"
                       f"link set va up\nlink set vb netns {neighbour.pid}\n"),
                      (there, "addr add 10.9.0.2/24 dev vb\nlink set vb up\n"
                       "route add 169.254.169.254 dev vb\n")):
            subprocess.run([*lines[0], "ip", "-batch", "-"], input=lines[1], text=True, check=True)
        with Metadata("--metadata", "127.0.0.1:18080", "--metadata-also", "10.9.0.1:80", "--link-local",
                      count=3, prefix=enter):
            def ask_from_there(address):
                return subprocess.run(
                    [*there, "curl", "-sS", "-m", "3", "--noproxy", "*", "-H", "Metadata-Flavor: Google",
                     f"http://{address}{V1}instance/name"], capture_output=True, text=True, check=False).stdout

            assert ask_from_there("10.9.0.1") == "workstation"  # the network itself works
            assert ask_from_there("169.254.169.254") == ""
    finally:
        for process in (neighbour, keep):
            process.kill()
            process.wait()


def test_link_local_without_the_right_says_so():
    if os.geteuid() == 0:
        try:
            uid = pwd.getpwnam("nobody").pw_uid
        except KeyError:
            pytest.skip("no user nobody")
        folder = scratch()
        os.chmod(folder, 0o755)
        program = shutil.copy(EMULATOR, f"{folder}/gce-emulator")
        done = subprocess.run([program, "metadata", "--metadata", "127.0.0.1:0", "--link-local"], user=uid,
                              group=uid, extra_groups=[], cwd="/", capture_output=True, text=True, timeout=20,
                              check=False)
        remove(folder)
        assert done.returncode == 3 and "unshare -Urn" in done.stderr


# The file


def test_metadata_file_reload_and_what_is_broken(folder):
    own = Fixed(folder)
    own.start()
    try:
        etag = own.v1("instance/attributes/?recursive=true").headers["ETag"]
        waiter = Waiter(own, f"instance/attributes/?recursive=true&wait_for_change=true&last_etag={etag}")
        own.write("{ broken")
        assert eventually(lambda: "what was read before stays" in (own.folder / "stderr").read_text())
        assert "config.json" in (own.folder / "stderr").read_text()
        assert own.v1("instance/attributes/color").text == "blue" and waiter.answer is None
        os.unlink(own.config)
        time.sleep(0.5)
        assert own.v1("instance/attributes/color").text == "blue" and waiter.answer is None
        own.change(attributes={"color": "green"})
        assert waiter.end().json == {"color": "green"}
        in_place = json.loads(own.config.read_text())
        in_place["computeMetadata"]["v1"]["instance"]["attributes"]["color"] = "yellow"
        own.config.write_text(json.dumps(in_place))
        assert eventually(lambda: own.v1("instance/attributes/color").text == "yellow")
    finally:
        assert own.stop() == 0


def test_metadata_file_through_a_link(folder):
    """As Kubernetes mounts one: the link is what changes."""
    for name, color in (("a", "blue"), ("b", "red")):
        config = json.loads(json.dumps(CONFIG))
        config["computeMetadata"]["v1"]["instance"]["attributes"]["color"] = color
        os.mkdir(f"{folder}/{name}")
        with open(f"{folder}/{name}/config.json", "w", encoding="ascii") as f:
            json.dump(config, f)
    os.symlink("a", f"{folder}/data")
    own = Emulator(folder, "--metadata-file", f"{folder}/data/config.json").start()
    try:
        assert own.v1("instance/attributes/color").text == "blue"
        os.symlink("b", f"{folder}/new")
        os.rename(f"{folder}/new", f"{folder}/data")
        assert eventually(lambda: own.v1("instance/attributes/color").text == "red")
    finally:
        assert own.stop() == 0


def test_metadata_file_that_says_little(folder):
    own = Fixed(folder, config={"computeMetadata": {"v1": {"project": {"projectId": "small-project"}}}})
    own.start()
    try:
        assert own.v1("project/project-id").text == "small-project"
        assert own.v1("instance/tags").json == [] and own.v1("instance/attributes/").text == ""
        assert own.v1("instance/id").text == "0" and own.v1("instance/service-accounts/").text == ""
        assert own.v1("instance/service-accounts/default/token").status == 404
    finally:
        assert own.stop() == 0


@pytest.mark.parametrize("project", ["example.com:their-project", "$PROJECT", "", "123456"])
def test_metadata_file_shows_projects_of_any_name(folder, project):
    config = json.loads(json.dumps(CONFIG))
    config["computeMetadata"]["v1"]["project"]["projectId"] = project
    own = Fixed(folder, config=config)
    own.start()
    try:
        assert own.v1("project/project-id").text == project
        assert own.zone("GET", "instances").status == 200
    finally:
        assert own.stop() == 0


def test_metadata_file_with_what_is_newer(folder):
    config = json.loads(json.dumps(CONFIG))
    v1 = config["computeMetadata"]["v1"]
    v1["universe"] = {"universeDomain": "example-universe.goog"}
    v1["instance"]["upcomingMaintenance"] = {"canReschedule": "TRUE", "maintenanceStatus": "PENDING"}
    v1["instance"]["shutdownDetails"] = {"stopState": "PENDING_STOP", "maxDuration": 60}
    own = Fixed(folder, config=config)
    own.start()
    try:
        assert own.v1("universe/universe-domain").text == "example-universe.goog"
        assert own.v1("universe/universe_domain").text == "example-universe.goog"
        assert own.v1("instance/upcoming-maintenance/").text == "can-reschedule\nmaintenance-status\n"
        assert own.v1("instance/upcoming-maintenance/can-reschedule").text == "TRUE"
        assert own.v1("instance/shutdown-details/stop-state").text == "PENDING_STOP"
    finally:
        assert own.stop() == 0


def test_metadata_file_names_this_cloud(folder):
    """Its account's token is good at the API of the same emulator, in its project."""
    own = Fixed(folder)
    own.start()
    try:
        assert own.zone("GET", "instances").status == 200
        assert own.api("GET", "/compute/v1/projects/708288290784").json["name"] == PROJECT
        info = ask("127.0.0.1", own.api_port, "GET", f"/tokeninfo?access_token={own.token()}").json
        assert info["email"] == LAUNCHER
    finally:
        assert own.stop() == 0


@pytest.mark.parametrize("change, said", [
    ({"id": "5"}, "/instance/id: an integer is wanted"), ({"id": 1.5}, "/instance/id"),
    ({"attributes": {"a": 1}}, "/instance/attributes: an object of strings is wanted"),
    ({"tags": "a"}, "/instance/tags: a list of strings is wanted"), ({"name": 5}, "/instance/name"),
    ({"serviceAccounts": {"default": {"scopes": []}}}, "/instance/serviceAccounts/default"),
    ({"serviceAccounts": {"default": {"email": "a@b", "scopes": [1]}}}, "serviceAccounts/default"),
    ({"serviceAccounts": {"default": {"email": "a" * 161, "scopes": []}}}, "serviceAccounts/default")])
def test_metadata_file_that_is_wrong(folder, change, said):
    config = json.loads(json.dumps(CONFIG))
    config["computeMetadata"]["v1"]["instance"].update(change)
    with open(f"{folder}/config.json", "w", encoding="ascii") as f:
        json.dump(config, f)
    err = refused("--metadata", "127.0.0.1:0", "--metadata-file", f"{folder}/config.json")
    assert said in err and f"{folder}/config.json" in err


@pytest.mark.parametrize("text, said", [
    ("", "config.json:1:1"), ("[]", "config.json:1:1"), ("{}", "computeMetadata"), ('{"computeMetadata":{}}', "v1"),
    ('{"computeMetadata":{"v1":[]}}', "v1"), ('{"a":1,"a":2}', "config.json:1:8: a key that"),
    ('{"computeMetadata":{"v1":{"instance":{"id":18446744073709551616}}}}', "config.json:1:44")])
def test_metadata_file_that_is_none(folder, text, said):
    with open(f"{folder}/config.json", "w", encoding="ascii") as f:
        f.write(text)
    assert said in refused("--metadata", "127.0.0.1:0", "--metadata-file", f"{folder}/config.json")


# env and run


def run(emulator, *command, options=(), **more):
    return subprocess.run(
        [EMULATOR, "run", "--metadata", f"127.0.0.1:{emulator.metadata_port}", "--api",
         f"127.0.0.1:{emulator.api_port}", *options, "--", *command],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False, **more)


@pytest.fixture(scope="module")
def cloud():
    folder = scratch()
    emulator = Emulator(folder).start()
    yield emulator
    assert emulator.stop() == 0
    remove(folder)


@needs_namespaces
@pytest.mark.parametrize("address", ["169.254.169.254", "metadata.google.internal", "metadata",
                                     "$GCE_METADATA_HOST"])
def test_run_in_a_network_of_its_own(cloud, address):
    done = run(cloud, "sh", "-c", f"curl -sS -m 10 --noproxy '*' -H 'Metadata-Flavor: Google' "
               f"http://{address}{V1}instance/name")
    assert (done.returncode, done.stdout) == (0, "workstation"), done.stderr


@needs_namespaces
def test_run_reaches_the_api_and_nothing_else(cloud):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = run(cloud, "sh", "-c", "curl -sS -m 10 --noproxy '*' -o /dev/null -w '%{http_code}' "
                   f"${{CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE}}projects/{PROJECT}/zones; "
                   f"curl -s -m 5 --noproxy '*' http://127.0.0.1:{port}/; echo \" $?\"")
    assert done.stdout == "401 7\n", (done.stdout, done.stderr)  # 7: could not connect


@needs_namespaces
def test_run_passes_codes_signals_and_the_user(cloud):
    assert run(cloud, "sh", "-c", "exit 42").returncode == 42
    assert run(cloud, "sh", "-c", "kill -9 $$").returncode == 137
    assert run(cloud, "id", "-u").stdout == f"{os.geteuid()}\n"
    assert run(cloud, "/nowhere/command").returncode == 127
    process = subprocess.Popen(
        [EMULATOR, "run", "--metadata", f"127.0.0.1:{cloud.metadata_port}", "--api",
         f"127.0.0.1:{cloud.api_port}", "--", "sh", "-c", "trap 'echo term; exit 5' TERM; echo up; "
         "while :; do sleep 0.1; done"], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.read() == "term\n" and process.wait(timeout=20) == 5
    assert "169.254.169.254" not in subprocess.run(["ip", "addr"], capture_output=True, text=True,
                                                   check=False).stdout
    with open("/etc/hosts", encoding="utf-8") as f:
        assert "metadata.google.internal" not in f.read()


@needs_namespaces
def test_run_as_an_ordinary_user(cloud):
    if os.geteuid() != 0:
        pytest.skip("this is one already")
    user = pwd.getpwnam("nobody")
    folder = scratch()
    os.chmod(folder, 0o755)
    program = shutil.copy(EMULATOR, f"{folder}/gce-emulator")
    done = subprocess.run(
        [program, "run", "--metadata", f"127.0.0.1:{cloud.metadata_port}", "--api",
         f"127.0.0.1:{cloud.api_port}", "--", "sh", "-c", "id -u; curl -sS -m 10 --noproxy '*' -H "
         f"'Metadata-Flavor: Google' http://metadata.google.internal{V1}instance/name"],
        user=user.pw_uid, group=user.pw_gid, extra_groups=[], cwd="/", capture_output=True, text=True,
        timeout=30, check=False)
    remove(folder)
    if "no network of its own" in done.stderr:
        pytest.skip("ordinary users may make no namespaces here")
    assert done.stdout == f"{user.pw_uid}\nworkstation", done.stderr


def test_run_here(cloud):
    done = run(cloud, "sh", "-c", "curl -sS -m 10 --noproxy '*' -H 'Metadata-Flavor: Google' "
               f"http://$GCE_METADATA_HOST{V1}instance/name; ip addr show lo", options=["--here"])
    assert done.stdout.startswith("workstation") and "169.254.169.254" not in done.stdout


@pytest.mark.skipif(not NAMESPACES, reason="no network namespaces here")
def test_run_without_an_emulator_says_so(cloud):
    done = subprocess.run([EMULATOR, "run", "--metadata", "127.0.0.1:9", "--", "echo", "ran"],
                          capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (0, "ran\n")
    assert "nobody listens on 127.0.0.1:9" in done.stderr
    assert "nobody listens" not in run(cloud, "true").stderr


def test_run_where_no_network_can_be_made():
    """An IPv6 place cannot be carried inside."""
    done = subprocess.run([EMULATOR, "run", "--metadata", "[::1]:9", "--", "sh", "-c",
                           "echo $GCE_METADATA_IP"], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (0, "[::1]:9\n")
    assert "only the variables are set" in done.stderr


@pytest.mark.skipif(not NAMESPACES, reason="no network namespaces here")
def test_run_carries_long_waits_and_large_answers(folder):
    own = Fixed(folder)
    own.change(attributes={"big": "x" * 250000, "color": "blue"})
    own.start()
    try:
        script = (f"curl -sS --noproxy '*' -H 'Metadata-Flavor: Google' http://metadata{V1}instance/attributes/big"
                  " | wc -c; curl -sS --noproxy '*' -H 'Metadata-Flavor: Google' "
                  f"'http://metadata{V1}instance/attributes/color?wait_for_change=true'")
        process = subprocess.Popen(
            [EMULATOR, "run", "--metadata", f"127.0.0.1:{own.metadata_port}", "--api",
             f"127.0.0.1:{own.api_port}", "--", "sh", "-c", script], stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "250000\n"
        time.sleep(0.5)
        own.change(attributes={"color": "red"})
        assert process.stdout.read() == "red" and process.wait(timeout=20) == 0
    finally:
        assert own.stop() == 0


def test_env_is_what_run_sets(cloud):
    printed = subprocess.run([EMULATOR, "env", "--metadata", "127.0.0.1:9", "--api", "127.0.0.1:8"],
                             capture_output=True, text=True, check=True).stdout
    names = [line.split("=")[0].removeprefix("export ") for line in printed.splitlines()]
    assert {"GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP", "METADATA_SERVER_DETECTION",
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE",
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS"} <= set(names)
    shell = subprocess.run(["sh", "-c", f"{printed}\nprintenv {names[0]}"], capture_output=True, text=True,
                           check=True).stdout
    assert shell == "127.0.0.1:9\n"

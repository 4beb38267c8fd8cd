# SPDX-License-Identifier: Apache-2.0
"""gce-emulator's metadata server, row by row of what the real one does.

Each test is named after a row of the table in docs/emulator.md; the last test sees that each row
has one. What needs a VM of its own is seen by test_emulator_views.py with the same names.
"""
import json
import re
import resource
import socket
import threading
import time
import urllib.parse
from pathlib import Path

import jwt
import pytest
from cryptography import x509

from emulator import (CLOUD_PLATFORM, LAUNCHER, PROJECT, ROOT, ZONE, Emulator, ask, eventually, remove,
                      scratch)

V1 = "/computeMetadata/v1/"
ACCOUNT = "instance/service-accounts/default/"

CONFIG = {"computeMetadata": {"v1": {
    "instance": {
        "attributes": {"enable-guest-attributes": "TRUE", "color": "blue", "UPPER_1": "x\ny"},
        "cpuPlatform": "Intel Broadwell", "description": "",
        "disks": [{"deviceName": "boot", "index": 0, "interface": "SCSI", "mode": "READ_WRITE",
                   "type": "PERSISTENT-BALANCED"}],
        "guestAttributes": {}, "hostname": f"vm.{ZONE}.c.{PROJECT}.internal",
        "id": 5775171277418378123, "image": "projects/debian-cloud/global/images/debian-12",
        "licenses": [{"id": "3853522013536123851"}],
        "machineType": "projects/708288290784/machineTypes/e2-standard-4",
        "maintenanceEvent": "NONE", "name": "vm",
        "networkInterfaces": [{
            "accessConfigs": [{"externalIp": "203.0.113.1", "type": "ONE_TO_ONE_NAT"}],
            "dnsServers": ["169.254.169.254"], "forwardedIps": [], "gateway": "10.128.0.1",
            "ip": "10.128.0.19", "ipAliases": [], "mac": "42:01:0a:80:00:13", "mtu": 1460,
            "network": "projects/708288290784/networks/default", "subnetmask": "255.255.240.0",
            "targetInstanceIps": []}],
        "partnerAttributes": {"acme": {"deep": {"Key": "v"}}}, "preempted": "FALSE",
        "remainingCpuTime": -1,
        "scheduling": {"automaticRestart": "TRUE", "onHostMaintenance": "MIGRATE",
                       "preemptible": "FALSE"},
        "serviceAccounts": {
            name: {"aliases": ["default"], "email": LAUNCHER, "scopes": [CLOUD_PLATFORM]}
            for name in (LAUNCHER, "default")},
        "tags": ["tag1", "tag2"], "virtualClock": {"driftToken": "0"},
        "zone": f"projects/708288290784/zones/{ZONE}"},
    "oslogin": {"authenticate": {"sessions": {}}},
    "project": {"attributes": {"ssh-keys": "me:ssh-ed25519 AAAA me@here"},
                "numericProjectId": 708288290784, "projectId": PROJECT}}}}


class Fixed(Emulator):
    """An emulator that shows the configuration file to everybody."""

    def __init__(self, folder, *options, config=None):
        self.config = Path(folder) / "config.json"
        self.write(config or CONFIG)
        super().__init__(folder, "--metadata-file", str(self.config), *options)

    def write(self, config):
        new = self.config.with_suffix(".new")
        new.write_text(config if isinstance(config, str) else json.dumps(config))
        new.rename(self.config)

    def change(self, **members):
        config = json.loads(json.dumps(CONFIG))
        config["computeMetadata"]["v1"]["instance"].update(members)
        self.write(config)

    def guest(self, method, path, value=None):
        return ask("127.0.0.1", self.metadata_port, method,
                   f"{V1}instance/guest-attributes/{path}", {"Metadata-Flavor": "Google"}, value)


@pytest.fixture(scope="module")
def vm():
    folder = scratch()
    emulator = Fixed(folder).start()
    yield emulator
    code = emulator.stop()
    stderr = (emulator.folder / "stderr").read_text()
    remove(folder)
    assert code == 0, stderr


@pytest.fixture
def own():
    """One of the test's own, that it may change."""
    folder = scratch()
    emulator = Fixed(folder).start()
    yield emulator
    assert emulator.stop() == 0
    remove(folder)


# Section 2: requests


def test_row_2_1_flavor_header_in_any_case(vm):
    for name in ("Metadata-Flavor", "metadata-flavor", "METADATA-FLAVOR"):
        assert vm.v1("instance/name", flavor=None, headers={name: "Google"}).text == "vm"


def test_row_2_2_without_flavor_is_403(vm):
    for path in (V1, V1 + "instance/name", "/computeMetadata/", "/x"):
        answer = vm.metadata(path, flavor=None)
        assert answer.status == 403 and answer.headers["Metadata-Flavor"] == "Google"
        assert answer.headers["Content-Type"] == "text/html; charset=UTF-8"
        assert answer.headers["Connection"].lower() == "close"
        assert "Error 403 (Forbidden)!!1" in answer.text
        assert 'Missing required header "Metadata-Flavor": "Google"' in answer.text


def test_row_2_3_root_without_flavor_is_the_probe(vm):
    answer = vm.metadata("/", flavor=None)
    assert (answer.status, answer.text) == (200, "computeMetadata/\n")
    assert len(answer.body) == 17 and answer.headers["Metadata-Flavor"] == "Google"


def test_row_2_4_wrong_flavor_is_403(vm):
    for value in ("google", "Amazon", "", "Google "[:-1] + "x"):
        assert vm.v1("instance/name", flavor=None,
                     headers={"Metadata-Flavor": value}).status == 403


def test_row_2_5_forwarded_for_is_403(vm):
    for value in ("", "10.0.0.1", "unknown"):
        answer = vm.v1(ACCOUNT + "token", headers={"X-Forwarded-For": value})
        assert answer.status == 403 and "ya29" not in answer.text
        assert answer.headers["Content-Type"] == "text/html; charset=UTF-8"


def test_row_2_6_legacy_header(vm):
    assert vm.v1("instance/name", flavor=None,
                 headers={"X-Google-Metadata-Request": "True"}).text == "vm"


def test_row_2_7_unknown_path_is_a_404_page(vm):
    answer = vm.v1("instance/nothing")
    assert answer.status == 404 and answer.headers["Metadata-Flavor"] == "Google"
    assert "Error 404 (Not Found)!!1" in answer.text
    assert answer.headers["Content-Type"] == "text/html; charset=UTF-8"


def test_row_2_8_bad_query_is_400(vm):
    for path in ("instance/name?alt=xml", "instance/name?timeout_sec=x", ACCOUNT + "identity",
                 "instance/?wait_for_change=true", ACCOUNT + "token?scopes=https://x.example/"):
        assert vm.v1(path).status == 400, path


def test_row_2_9_what_is_switched_off_is_403(own):
    own.change(attributes={})
    assert eventually(lambda: own.guest("GET", "").status == 403)


def test_row_2_10_methods(vm):
    assert vm.v1("instance/name", method="HEAD").status == 200
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        answer = vm.v1("instance/name", method=method)
        assert answer.status == 405 and answer.headers["Allow"] == "GET, HEAD", method
    answer = vm.v1("instance/guest-attributes/a/b", method="POST")
    assert answer.headers["Allow"] == "GET, HEAD, PUT, DELETE"


def test_row_2_11_slashes_that_repeat(vm):
    tree = vm.metadata("/computeMetadata/v1//?recursive=true&alt=json&last_etag=NONE")
    assert tree.json["instance"]["name"] == "vm"
    assert vm.metadata("//computeMetadata//v1///instance//name").text == "vm"


def test_row_2_12_query_booleans_in_any_case(vm):
    for value in ("true", "True", "TRUE"):
        assert "color" in vm.v1(f"instance/attributes/?recursive={value}").json
    assert vm.v1("instance/attributes/?recursive=false").text.startswith("UPPER_1\n")


def test_row_2_13_host_header(vm):
    for host in ("metadata", "metadata.google.internal", "169.254.169.254", "localhost:9",
                 f"127.0.0.1:{vm.metadata_port}"):
        assert vm.v1("instance/name", headers={"Host": host}).text == "vm"


# Section 3: the headers of answers


def test_row_3_1_headers(vm):
    answer = vm.v1("instance/name")
    for name, value in (("Metadata-Flavor", "Google"), ("Server", "Metadata Server for VM"),
                        ("X-XSS-Protection", "0"), ("X-Frame-Options", "SAMEORIGIN"),
                        ("Content-Length", "2")):
        assert answer.headers[name] == value
    assert answer.headers["Date"]


def test_row_3_2_media_types(vm):
    for path, kind in (("instance/name", "application/text"), ("instance/", "application/text"),
                       ("?recursive=true", "application/json"), ("instance", "text/html"),
                       ("instance/name?alt=json", "application/json"),
                       ("instance/?recursive=true&alt=text", "application/text"),
                       ("instance/tags", "application/json"), (ACCOUNT + "token", "application/json"),
                       (ACCOUNT + "identity?audience=x", "text/html"),
                       ("nothing", "text/html; charset=UTF-8")):
        assert vm.v1(path).headers["Content-Type"] == kind, path


def test_row_3_3_flavor_on_every_answer(vm):
    for path in ("/", "/x", V1 + "instance", V1 + "nothing", V1 + "instance/name?alt=xml",
                 V1 + "instance/name?x=%00"):
        for flavor in ("Google", None):
            assert vm.metadata(path, flavor=flavor).headers["Metadata-Flavor"] == "Google", path


def test_row_3_4_etag_is_of_the_value(own):
    tags = {path: own.v1(path).headers["ETag"] for path in (
        "instance/attributes/color", "instance/attributes/?recursive=true", "instance/name",
        "instance/?recursive=true")}
    assert all(re.fullmatch("[0-9a-f]{16}", tag) for tag in tags.values())
    assert len(set(tags.values())) == 4
    own.change(attributes=dict(CONFIG["computeMetadata"]["v1"]["instance"]["attributes"],
                               color="red"))
    assert eventually(lambda: own.v1("instance/attributes/color").text == "red")
    same = {path for path, tag in tags.items() if own.v1(path).headers["ETag"] == tag}
    assert same == {"instance/name"}
    own.write(CONFIG)
    assert eventually(lambda: own.v1("instance/attributes/color").text == "blue")
    assert {path: own.v1(path).headers["ETag"] for path in tags} == tags


def test_row_3_5_no_etag_on_root_token_identity(vm):
    for path in ("/", V1 + ACCOUNT + "token", V1 + ACCOUNT + "identity?audience=x"):
        answer = vm.metadata(path)
        assert answer.status == 200 and answer.headers["ETag"] is None


# Section 4: directories and leaves


@pytest.mark.parametrize("path", [
    "instance", "project", "oslogin", "universe", "instance/attributes", "project/attributes",
    "instance/disks", "instance/disks/0", "instance/network-interfaces",
    "instance/network-interfaces/0", "instance/network-interfaces/0/access-configs",
    "instance/network-interfaces/0/access-configs/0", "instance/network-interfaces/0/forwarded-ips",
    "instance/network-interfaces/0/ip-aliases", "instance/service-accounts",
    "instance/service-accounts/default", "instance/licenses", "instance/licenses/0",
    "instance/scheduling", "instance/virtual-clock", "instance/guest-attributes",
    "instance/partner-attributes", "instance/partner-attributes/acme/deep"])
def test_row_4_1_directory_without_slash_is_301(vm, path):
    answer = vm.v1(path, headers={"Host": "metadata:8080"})
    assert answer.status == 301 and answer.text == f"{V1}{path}/\n"
    assert answer.headers["Location"] == f"http://metadata:8080{V1}{path}/"
    assert vm.v1(path + "/").status == 200


def test_row_4_2_recursive_needs_no_slash(vm):
    for query in ("recursive=true", "recursive=True&alt=json"):
        assert vm.v1("instance/attributes?" + query).json["color"] == "blue"


def test_row_4_3_listings(vm):
    assert vm.metadata("/computeMetadata/").text == "v1/\n"
    assert vm.v1("").text == "instance/\noslogin/\nproject/\nuniverse/\n"
    assert vm.v1("project/").text == "attributes/\nnumeric-project-id\nproject-id\n"


def test_row_4_4_listings_of_arrays_attributes_accounts(vm):
    assert vm.v1("instance/disks/").text == "0/\n"
    assert vm.v1("instance/attributes/").text == "UPPER_1\ncolor\nenable-guest-attributes\n"
    assert set(vm.v1("instance/service-accounts/").text.split()) == {"default/", LAUNCHER + "/"}


def test_row_4_5_leaves_have_no_newline(vm):
    answer = vm.v1("instance/id")
    assert answer.text == "5775171277418378123" and answer.headers["Content-Length"] == "19"


def test_row_4_6_values_in_lines(vm):
    assert vm.v1(ACCOUNT + "scopes").text == CLOUD_PLATFORM + "\n"
    assert vm.v1(ACCOUNT + "aliases").text == "default\n"
    assert vm.v1("instance/network-interfaces/0/dns-servers").text == "169.254.169.254\n"


def test_row_4_7_leaf_with_slash_is_404(vm):
    for path in ("instance/id/", "instance/attributes/color/", "instance/tags/"):
        assert vm.v1(path).status == 404


# Section 5: queries


def test_row_5_1_recursive(vm):
    assert vm.v1("?recursive=true").json["project"]["projectId"] == PROJECT
    assert vm.v1("instance/name?recursive=true").text == "vm"


def test_row_5_2_alt(vm):
    assert vm.v1("instance/name?alt=json").text == '"vm"'
    assert vm.v1("instance/id?alt=json").text == "5775171277418378123"
    assert vm.v1("instance/name?alt=text").text == "vm"
    lines = vm.v1("instance/?recursive=true&alt=text").text.split("\n")
    assert {"name vm", "attributes/color blue", "network-interfaces/0/mtu 1460",
            "partner-attributes/acme/deep/Key v"} <= set(lines)


class Waiter(threading.Thread):
    """One request that waits; `took` seconds later there is an `answer`."""

    def __init__(self, emulator, path):
        super().__init__(daemon=True)
        self.emulator, self.path, self.answer, self.took = emulator, path, None, None
        self.start()

    def run(self):
        begin = time.monotonic()
        self.answer = self.emulator.v1(self.path, timeout=60)
        self.took = time.monotonic() - begin

    def end(self):
        self.join(timeout=30)
        assert self.answer, f"{self.path} still waits"
        return self.answer


@pytest.mark.parametrize("path", [
    "instance/attributes/color", "instance/attributes?recursive=true", "?recursive=true",
    "instance/tags", "instance/maintenance-event", "instance/disks/0/mode",
    "instance/?recursive=true&alt=text"])
def test_row_5_3_wait_for_change_on_any_node(own, path):
    before = own.v1(path).text
    waiter = Waiter(own, f"{path}{'&' if '?' in path else '?'}wait_for_change=TRUE")
    time.sleep(0.5)
    assert waiter.answer is None
    instance = json.loads(json.dumps(CONFIG["computeMetadata"]["v1"]["instance"]))
    instance["attributes"]["color"] = "red"
    instance["tags"] = ["other"]
    instance["maintenanceEvent"] = "MIGRATE_ON_HOST_MAINTENANCE"
    instance["disks"][0]["mode"] = "READ_ONLY"
    own.change(**instance)
    answer = waiter.end()
    assert answer.status == 200 and answer.text != before and waiter.took < 10
    assert answer.headers["ETag"] == own.v1(path).headers["ETag"]


def test_row_5_4_last_etag(vm):
    etag = vm.v1("instance/name").headers["ETag"]
    for other in ("NONE", "0", "f00", ""):
        waiter = Waiter(vm, f"instance/name?wait_for_change=true&last_etag={other}&timeout_sec=20")
        assert waiter.end().text == "vm" and waiter.took < 10
    waiter = Waiter(vm, f"instance/name?wait_for_change=true&last_etag={etag}&timeout_sec=1")
    assert waiter.end().text == "vm" and waiter.took > 0.9


def test_row_5_5_timeout_sec_gives_the_value(vm):
    waiter = Waiter(vm, "instance/?recursive=true&wait_for_change=true&timeout_sec=2")
    answer = waiter.end()
    assert answer.status == 200 and answer.json["name"] == "vm" and 1.9 < waiter.took < 20


def test_row_5_6_wait_on_a_directory_needs_recursive(vm):
    assert vm.v1("instance/?wait_for_change=true").status == 400


def test_row_5_7_wait_for_a_key_that_is_not_there_yet(own):
    waiter = Waiter(own, "instance/attributes/later?wait_for_change=true")
    late = Waiter(own, "instance/attributes/never?wait_for_change=true&timeout_sec=1")
    assert late.end().status == 404 and late.took > 0.9
    assert own.v1("instance/attributes/x?wait_for_change=true&last_etag=NONE").status == 404
    assert waiter.answer is None
    own.change(attributes={"later": "now"})
    assert waiter.end().text == "now"


def test_row_5_8_deletion_ends_a_wait_with_404(own):
    waiter = Waiter(own, "instance/attributes/color?wait_for_change=true")
    time.sleep(0.5)
    own.change(attributes={})
    assert waiter.end().status == 404


def test_row_5_9_extra_parameters_alone(vm):
    answer = vm.v1("instance/attributes/?recursive=true&alt=json&timeout_sec=10&last_etag=NONE")
    assert answer.json["color"] == "blue"
    assert vm.v1("instance/name?timeout_sec=5").text == "vm"


def test_row_5_10_a_wait_outlives_the_idle_time(vm):
    """Guest agents wait for 60 s, and clients give up at 70 s: nothing in between may cut them."""
    waiter = Waiter(vm, "instance/name?wait_for_change=true&timeout_sec=33")
    waiter.join(timeout=50)
    assert waiter.answer and waiter.answer.text == "vm" and waiter.took > 32.9


# Waiting clients: what they cost


def threads_of(emulator):
    return len(list(Path(f"/proc/{emulator.process.pid}/task").iterdir()))


def descriptors_of(emulator):
    return len(list(Path(f"/proc/{emulator.process.pid}/fd").iterdir()))


def start_waiting(emulator):
    s = socket.create_connection(("127.0.0.1", emulator.metadata_port), timeout=30)
    s.sendall(f"GET {V1}instance/attributes/color?wait_for_change=true HTTP/1.1\r\n"
              f"Host: 127.0.0.1\r\nMetadata-Flavor: Google\r\n\r\n".encode())
    return s


@pytest.fixture(scope="module", autouse=True)
def many_descriptors():
    """A thousand sockets are ours too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_row_5_11_a_thousand_waiters_cost_no_thread(own):
    threads = threads_of(own)
    waiters = [start_waiting(own) for _ in range(1000)]
    assert own.v1("instance/name").text == "vm"
    time.sleep(1)
    assert threads_of(own) <= threads
    assert own.v1("instance/name").text == "vm"  # and nobody else has to wait
    own.change(attributes={"color": "red"})
    for s in waiters:
        head = s.recv(4096)
        assert head.startswith(b"HTTP/1.1 200 ") and head.endswith(b"red"), head
        s.close()


@pytest.mark.parametrize("how", ["closed", "reset", "closed with a request unread"])
def test_row_5_12_a_waiter_whose_client_has_gone_is_freed(own, how):
    assert own.v1("instance/name").text == "vm"
    time.sleep(0.5)
    before = descriptors_of(own)
    waiters = [start_waiting(own) for _ in range(20)]
    assert eventually(lambda: descriptors_of(own) >= before + 20)
    time.sleep(0.5)
    for s in waiters:
        if "unread" in how:
            s.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        if how == "reset":
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        s.close()
    begin = time.monotonic()
    assert eventually(lambda: descriptors_of(own) <= before, seconds=20)
    assert time.monotonic() - begin < 5


def test_row_5_13_ten_thousand_abandoned_waits_leave_nothing(own):
    time.sleep(0.5)
    before = descriptors_of(own)
    for _ in range(20):
        waiters = [start_waiting(own) for _ in range(500)]
        for s in waiters:
            s.close()
        # No more at once than one address may have.
        assert eventually(lambda: descriptors_of(own) < before + 500, seconds=30)
    assert eventually(lambda: descriptors_of(own) <= before, seconds=30), descriptors_of(own)
    assert own.v1("instance/name").text == "vm"


# Section 6: the names in JSON


def test_row_6_1_camel_case_but_not_below_attributes(vm):
    tree = vm.v1("?recursive=true").json
    assert {"machineType", "networkInterfaces", "virtualClock", "cpuPlatform"} <= set(tree["instance"])
    assert tree["instance"]["networkInterfaces"][0]["ipAliases"] == []
    assert "enable-guest-attributes" in tree["instance"]["attributes"]
    assert vm.v1("instance/attributes/UPPER_1").text == "x\ny"


def test_row_6_2_numbers_are_integers_and_booleans_words(vm):
    text = vm.v1("?recursive=true").text
    assert '"id":5775171277418378123' in text and '"numericProjectId":708288290784' in text
    instance = json.loads(text)["instance"]
    assert instance["disks"][0]["index"] == 0 and instance["networkInterfaces"][0]["mtu"] == 1460
    assert instance["remainingCpuTime"] == -1 and instance["preempted"] == "FALSE"
    assert instance["scheduling"]["automaticRestart"] == "TRUE"


def test_row_6_3_drift_token(vm):
    assert vm.v1("instance/?recursive=true").json["virtualClock"] == {"driftToken": "0"}
    assert vm.v1("instance/virtual-clock/drift-token").text == "0"


def test_row_6_4_empty_directories(vm):
    instance = vm.v1("instance/?recursive=true").json
    assert instance["guestAttributes"] == {}
    assert instance["networkInterfaces"][0]["forwardedIps"] == []


def test_row_6_5_no_token_in_a_recursive_answer(vm):
    account = vm.v1("instance/service-accounts/?recursive=true").json["default"]
    assert set(account) == {"aliases", "email", "scopes"}


# Section 7: the tree


@pytest.mark.parametrize("path, value", [
    ("project/project-id", PROJECT), ("project/numeric-project-id", "708288290784"),
    ("project/attributes/ssh-keys", "me:ssh-ed25519 AAAA me@here"),
    ("universe/universe-domain", "googleapis.com"), ("universe/universe_domain", "googleapis.com"),
    ("instance/attributes/color", "blue"), ("instance/cpu-platform", "Intel Broadwell"),
    ("instance/description", ""), ("instance/disks/0/device-name", "boot"),
    ("instance/disks/0/index", "0"), ("instance/disks/0/interface", "SCSI"),
    ("instance/disks/0/mode", "READ_WRITE"), ("instance/disks/0/type", "PERSISTENT-BALANCED"),
    ("instance/hostname", f"vm.{ZONE}.c.{PROJECT}.internal"),
    ("instance/image", "projects/debian-cloud/global/images/debian-12"),
    ("instance/licenses/0/id", "3853522013536123851"),
    ("instance/machine-type", "projects/708288290784/machineTypes/e2-standard-4"),
    ("instance/maintenance-event", "NONE"), ("instance/name", "vm"),
    ("instance/network-interfaces/0/access-configs/0/external-ip", "203.0.113.1"),
    ("instance/network-interfaces/0/ip", "10.128.0.19"),
    ("instance/network-interfaces/0/mac", "42:01:0a:80:00:13"),
    ("instance/network-interfaces/0/mtu", "1460"),
    ("instance/partner-attributes/acme/deep/Key", "v"), ("instance/preempted", "FALSE"),
    ("instance/remaining-cpu-time", "-1"), ("instance/scheduling/automatic-restart", "TRUE"),
    ("instance/scheduling/on-host-maintenance", "MIGRATE"),
    ("instance/scheduling/preemptible", "FALSE"), ("instance/upcoming-maintenance", "NONE"),
    ("instance/virtual-clock/drift-token", "0"), ("instance/zone", f"projects/708288290784/zones/{ZONE}")])
def test_row_7_1_the_tree(vm, path, value):
    answer = vm.v1(path)
    assert (answer.status, answer.text) == (200, value)


def test_row_7_2_tags_are_json_always(vm):
    for query in ("", "?alt=text", "?alt=json"):
        answer = vm.v1("instance/tags" + query)
        assert answer.json == ["tag1", "tag2"]
        assert answer.headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", [
    "oslogin/users?username=bob", "oslogin/authorize?email=x", "instance/gce-workload-certificates",
    "instance/credentials/mds-client-certificate", "instance/workload-identities"])
def test_row_7_3_what_is_not_configured_is_404(vm, path):
    assert vm.v1(path).status == 404


def test_row_7_4_instance_and_project_attributes_are_apart(vm):
    assert vm.v1("instance/attributes/ssh-keys").status == 404
    assert vm.v1("project/attributes/color").status == 404


# Section 8: service accounts


def test_row_8_1_listing_of_an_account(vm):
    for name in ("default", LAUNCHER):
        assert vm.v1(f"instance/service-accounts/{name}/").text == (
            "aliases\nemail\nidentity\nscopes\ntoken\n")
        assert vm.v1(f"instance/service-accounts/{name}/email").text == LAUNCHER


def test_row_8_2_account_recursive(vm):
    assert vm.v1(ACCOUNT + "?recursive=true").json == {
        "aliases": ["default"], "email": LAUNCHER, "scopes": [CLOUD_PLATFORM]}


def test_row_8_3_token_is_handed_out_again(vm):
    first = vm.v1(ACCOUNT + "token").json
    assert set(first) == {"access_token", "expires_in", "token_type"}
    assert first["token_type"] == "Bearer" and 3000 < first["expires_in"] <= 3600
    time.sleep(1.1)
    again = vm.v1(f"instance/service-accounts/{LAUNCHER}/token").json
    assert again["access_token"] == first["access_token"]
    assert again["expires_in"] < first["expires_in"]


def test_row_8_4_token_scopes(vm):
    scope = "https://www.googleapis.com/auth/compute"
    narrow = vm.v1(ACCOUNT + f"token?scopes={scope},{scope}.readonly").json["access_token"]
    quoted = vm.v1(ACCOUNT + "token?scopes=" + urllib.parse.quote(f"{scope},{scope}.readonly",
                                                                  safe="")).json["access_token"]
    assert narrow == quoted != vm.v1(ACCOUNT + "token").json["access_token"]
    info = ask("127.0.0.1", vm.api_port, "GET", f"/tokeninfo?access_token={narrow}").json
    assert info["scope"] == f"{scope} {scope}.readonly" and info["email"] == LAUNCHER
    assert vm.v1(ACCOUNT + "token?scopes=https://evil.example/").status == 400


def test_row_8_5_identity_needs_an_audience(vm):
    for query in ("", "?audience=", "?format=full"):
        answer = vm.v1(ACCOUNT + "identity" + query)
        assert (answer.status, answer.text) == (400, "non-empty audience parameter required")


def certificates(emulator):
    return ask("127.0.0.1", emulator.api_port, "GET", "/oauth2/v1/certs").json


def claims_of(emulator, token, audience):
    """Checked by other people's code against the published certificate."""
    head = jwt.get_unverified_header(token)
    assert head["alg"] == "RS256" and head["typ"] == "JWT"
    key = x509.load_pem_x509_certificate(certificates(emulator)[head["kid"]].encode()).public_key()
    return jwt.decode(token, key, algorithms=["RS256"], audience=audience,
                      issuer="https://accounts.google.com")


def test_row_8_6_identity_standard(vm):
    for query in ("audience=https://x.example/a", "audience=https%3A%2F%2Fx.example%2Fa",
                  "audience=https://x.example/a&format=standard&licenses=FALSE"):
        answer = vm.v1(ACCOUNT + "identity?" + query)
        assert answer.headers["Content-Type"] == "text/html" and "\n" not in answer.text
        claims = claims_of(vm, answer.text, "https://x.example/a")
        assert set(claims) == {"aud", "azp", "exp", "iat", "iss", "sub"}
        assert claims["exp"] - claims["iat"] == 3600 and abs(claims["iat"] - time.time()) < 60
        assert claims["azp"] == claims["sub"] and re.fullmatch("[0-9]{21}", claims["sub"])


def test_row_8_7_identity_full_and_licenses(vm):
    claims = claims_of(vm, vm.v1(ACCOUNT + "identity?audience=a&format=full").text, "a")
    assert claims["email"] == LAUNCHER and claims["email_verified"] is True
    machine = claims["google"]["compute_engine"]
    assert isinstance(machine.pop("instance_creation_timestamp"), int)
    assert machine == {"instance_id": "5775171277418378123", "instance_name": "vm",
                       "project_id": PROJECT, "project_number": 708288290784, "zone": ZONE}
    licensed = claims_of(
        vm, vm.v1(ACCOUNT + "identity?audience=a&format=FULL&licenses=TRUE").text, "a")
    assert licensed["google"]["compute_engine"]["license_id"] == ["3853522013536123851"]
    assert vm.v1(ACCOUNT + "identity?audience=a&format=half").status == 400


def test_row_8_8_keys_are_published_in_both_forms(vm):
    token = vm.v1(ACCOUNT + "identity?audience=a").text
    jwks = ask("127.0.0.1", vm.api_port, "GET", "/oauth2/v3/certs").json
    key, = [k for k in jwks["keys"] if k["kid"] == jwt.get_unverified_header(token)["kid"]]
    assert (key["kty"], key["alg"], key["use"], key["e"]) == ("RSA", "RS256", "sig", "AQAB")
    public = jwt.algorithms.RSAAlgorithm.from_jwk(json.dumps(key))
    assert jwt.decode(token, public, algorithms=["RS256"], audience="a")["aud"] == "a"
    pem = certificates(vm)[key["kid"]]
    assert x509.load_pem_x509_certificate(pem.encode()).public_key().public_numbers() == (
        public.public_numbers())


def test_row_8_9_without_an_account_404(own):
    own.change(serviceAccounts={})
    assert eventually(lambda: own.v1(ACCOUNT + "email").status == 404)
    for leaf in ("", "token", "identity?audience=x", "scopes"):
        assert own.v1(ACCOUNT + leaf).status == 404


# Section 9: guest attributes


def test_row_9_1_disabled_is_403(own):
    own.change(attributes={"enable-guest-attributes": "FALSE"})
    sentence = "Guest attributes endpoint access is disabled."
    assert eventually(lambda: own.guest("GET", "").text == sentence)
    for method, path in (("GET", "a/b"), ("PUT", "a/b"), ("DELETE", "a/b"), ("GET", "?recursive=true")):
        answer = own.guest(method, path, b"x" if method == "PUT" else None)
        assert (answer.status, answer.text) == (403, sentence)


def test_row_9_2_put_get_delete(own):
    assert own.guest("PUT", "hostkeys/ssh-ed25519", b"AAAA").status == 200
    assert own.guest("PUT", "hostkeys/ssh-rsa", "ü\n".encode()).status == 200
    assert own.guest("PUT", "guest-agent/sshable", b"1").status == 200
    assert own.guest("GET", "hostkeys/ssh-rsa").text == "ü\n"
    assert own.guest("GET", "").text == "guest-agent/\nhostkeys/\n"
    assert own.guest("GET", "hostkeys/").text == "ssh-ed25519\nssh-rsa\n"
    everything = {"guest-agent": {"sshable": "1"}, "hostkeys": {"ssh-ed25519": "AAAA", "ssh-rsa": "ü\n"}}
    assert own.guest("GET", "?recursive=true").json == everything
    assert own.v1("?recursive=true").json["instance"]["guestAttributes"] == everything
    assert own.guest("PUT", "guest-agent/sshable", b"2").status == 200
    assert own.guest("GET", "guest-agent/sshable").text == "2"
    assert own.guest("DELETE", "hostkeys/ssh-rsa").status == 200
    assert own.guest("DELETE", "hostkeys/ssh-rsa").status == 404
    assert own.guest("GET", "hostkeys/ssh-rsa").status == 404
    assert own.guest("DELETE", "guest-agent/sshable").status == 200
    assert own.guest("GET", "").text == "hostkeys/\n"


def test_row_9_3_paths_of_two_names(own):
    for path in ("a", "a/b/c", "a/", "/", "", "a/b%20c", "a/" + "k" * 129, "../b", "a/.."):
        for method in ("PUT", "DELETE"):
            assert own.guest(method, path, b"x" if method == "PUT" else None).status == 400, path
    assert own.guest("GET", "").text == ""


def test_row_9_4_limits(own):
    assert own.guest("PUT", "a/big", b"x" * 262144).status == 200
    assert own.guest("PUT", "a/bigger", b"x" * 262145).status == 413
    assert own.guest("PUT", "a/big2", b"x" * 262144).status == 413  # 512 KiB in all
    assert own.guest("PUT", "a/nul", b"a\0b").status == 400
    assert own.guest("PUT", "a/latin", b"\xff").status == 400
    assert own.guest("GET", "a/").text == "big\n"
    time.sleep(1)
    statuses = [own.guest("PUT", f"n/{i}", b"1").status for i in range(40)]
    assert 429 in statuses and statuses[:5] == [200] * 5
    time.sleep(1.1)
    assert own.guest("PUT", "n/later", b"1").status == 200


def test_row_9_5_a_write_wakes_who_waits(own):
    waiter = Waiter(own, "instance/guest-attributes/a/b?wait_for_change=true")
    time.sleep(0.3)
    own.guest("PUT", "a/b", b"here")
    assert waiter.end().text == "here" and waiter.took < 5


# Section 10: legacy


def test_row_10_1_legacy_paths_are_404(vm):
    for path in ("/0.1/meta-data/", "/0.1/meta-data/instance-id", "/computeMetadata/v1beta1/",
                 "/computeMetadata/v1beta1/instance/id"):
        assert vm.metadata(path).status == 404


# All of them


def test_every_row_has_a_test():
    """The table of docs/emulator.md names a test for each row, and each test has its row."""
    text = (ROOT / "docs/emulator.md").read_text()
    rows = set(re.findall(r"^\| (\d+\.\d+) \|", text, re.M))
    tests = {m.replace("_", ".") for m in re.findall(r"^def test_row_(\d+_\d+)_", Path(
        __file__).read_text(), re.M)}
    assert rows and rows == tests, rows ^ tests

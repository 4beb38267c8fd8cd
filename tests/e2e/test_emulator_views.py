# SPDX-License-Identifier: Apache-2.0
"""gce-emulator: each VM's own metadata server. No VM boots here: in a network namespace of our own,
curl asks from the addresses that VMs would have."""
import datetime
import json
import shutil
import subprocess
import time

import jwt
import pytest

from emulator import (CLOUD_PLATFORM, EMULATOR, IMAGE, PROJECT, ZONE, Answer, instance_body, remove,
                      scratch)

V1 = "/computeMetadata/v1/"
NAMES = ["unshare", "nsenter", "ip", "curl"]
SCRIPT = """ip link set lo up
for i in 1 2 3 4 5 9; do ip addr add 10.128.0.$i/32 dev lo; done
exec "$@" """


def works():
    if not all(shutil.which(n) for n in NAMES):
        return False
    return subprocess.run(["unshare", "-rn", "ip", "link", "set", "lo", "up"],
                          capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not works(), reason="no network namespaces here")


class Lab:
    """An emulator on 127.0.0.1:80 and :81 of a network namespace."""

    def __init__(self):
        self.folder = scratch()
        self.process = subprocess.Popen(
            ["unshare", "-rn", "sh", "-ec", SCRIPT, "sh", EMULATOR, "--vm-driver", "none",
             "--metadata", "0.0.0.0:80", "--api", "127.0.0.1:81", "--project", PROJECT,
             "--service-account", "vm1", "--grant", "vm1=roles/compute.admin", "--grant",
             "vm1=roles/iam.serviceAccountUser"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        lines = [self.process.stdout.readline() for _ in range(2)]
        assert lines == ["ready metadata http://0.0.0.0:80\n", "ready api http://127.0.0.1:81\n"], (
            lines, self.process.stderr.read())

    def curl(self, *args, start=False):
        command = ["nsenter", "-t", str(self.process.pid), "-U", "-n", "--preserve-credentials",
                   "curl", "-sS", "-i", "--noproxy", "*", "-m", "30", *args]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        return process if start else self.read(process)

    @staticmethod
    def read(process):
        out, err = process.communicate(timeout=40)
        assert process.returncode == 0, err
        head, _, body = out.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines[1:])
        return Answer(int(lines[0].split()[1]), headers, body)

    def ask(self, path, vm=2, start=False):
        """The metadata server, from a VM's address; from 127.0.0.1 for 0."""
        source = ["--interface", f"10.128.0.{vm}"] if vm else []
        return self.curl(*source, "-H", "Metadata-Flavor: Google",
                         f"http://127.0.0.1{V1}{path}", start=start)

    def api(self, method, path, body=None):
        token = self.ask("instance/service-accounts/default/token", vm=0).json["access_token"]
        more = ["-d", json.dumps(body), "-H", "Content-Type: application/json"] if body else []
        answer = self.curl("-X", method, "-H", f"Authorization: Bearer {token}", *more,
                           f"http://127.0.0.1:81/compute/v1/projects/{PROJECT}/zones/{ZONE}/{path}")
        assert answer.status == 200, answer.text
        return answer.json

    def change(self, method, path, body=None):
        operation = self.api(method, path, body)
        done = self.api("POST", f"operations/{operation['name']}/wait")
        assert done["status"] == "DONE" and "error" not in done

    def stop(self):
        self.process.terminate()
        _, err = self.process.communicate(timeout=20)
        remove(self.folder)
        assert self.process.returncode == 0, err


@pytest.fixture(scope="module")
def lab():
    lab = Lab()
    lab.change("POST", "instances", instance_body(
        "rich", machineType=f"zones/{ZONE}/machineTypes/n1-standard-2",
        metadata={"items": [{"key": "zeta", "value": "z\nz"}, {"key": "alpha", "value": "ü"},
                            {"key": "Mixed_Case-1", "value": ""}]},
        tags={"items": ["web", "vmcp-api-5000"]}, description="a VM",
        serviceAccounts=[{"email": f"vm1@{PROJECT}.iam.gserviceaccount.com",
                          "scopes": ["https://www.googleapis.com/auth/compute"]}],
        networkInterfaces=[{"accessConfigs": [{"type": "ONE_TO_ONE_NAT", "natIP": "203.0.113.9"}]}],
        scheduling={"provisioningModel": "SPOT"}))
    lab.change("POST", "instances", instance_body("plain", hostname="web.example.org"))
    yield lab
    lab.stop()


def test_each_vm_has_its_own(lab):
    assert [lab.ask("instance/name", vm).text for vm in (2, 3, 0)] == ["rich", "plain",
                                                                       "workstation"]
    assert lab.ask("instance/id").text == lab.api("GET", "instances/rich")["id"]


def test_an_address_that_is_no_vms_has_nothing(lab):
    for path in ("", "instance/service-accounts/default/token", "project/project-id"):
        answer = lab.ask(path, vm=9)
        assert answer.status == 404 and "ya29" not in answer.text
    assert lab.ask("instance/name", vm=1).text == "workstation"  # the gateway is the host


def test_leaves(lab):
    number = lab.ask("project/numeric-project-id").text
    expected = {
        "attributes/zeta": "z\nz", "attributes/alpha": "ü", "attributes/Mixed_Case-1": "",
        "description": "a VM", "hostname": f"rich.{ZONE}.c.{PROJECT}.internal",
        "image": IMAGE.replace("family/debian-12", "debian-12-bookworm-v20240910"),
        "licenses/0/id": "2147286739765738111", "maintenance-event": "NONE",
        "machine-type": f"projects/{number}/machineTypes/n1-standard-2", "preempted": "FALSE",
        "remaining-cpu-time": "-1", "scheduling/automatic-restart": "FALSE",
        "scheduling/on-host-maintenance": "TERMINATE", "scheduling/preemptible": "TRUE",
        "zone": f"projects/{number}/zones/{ZONE}",
        "disks/0/device-name": "persistent-disk-0", "disks/0/index": "0",
        "disks/0/interface": "SCSI", "disks/0/mode": "READ_WRITE", "disks/0/type": "PERSISTENT",
        "network-interfaces/0/ip": "10.128.0.2", "network-interfaces/0/mac": "42:01:0a:80:00:02",
        "network-interfaces/0/mtu": "1460", "network-interfaces/0/gateway": "10.128.0.1",
        "network-interfaces/0/subnetmask": "255.255.240.0",
        "network-interfaces/0/network": f"projects/{number}/networks/default",
        "network-interfaces/0/dns-servers": "169.254.169.254\n",
        "network-interfaces/0/access-configs/0/external-ip": "203.0.113.9",
        "network-interfaces/0/access-configs/0/type": "ONE_TO_ONE_NAT",
        "service-accounts/default/email": f"vm1@{PROJECT}.iam.gserviceaccount.com",
        "service-accounts/default/scopes": "https://www.googleapis.com/auth/compute\n"}
    for path, value in expected.items():
        answer = lab.ask("instance/" + path)
        assert (answer.status, answer.text) == (200, value), path
        assert answer.headers["Content-Type"] == "application/text"
    assert lab.ask("instance/hostname", vm=3).text == "web.example.org"


def test_listings_of_arrays_and_attributes(lab):
    assert lab.ask("instance/disks/").text == "0/\n"
    assert lab.ask("instance/attributes/").text == "Mixed_Case-1\nalpha\nzeta\n"
    assert lab.ask("instance/network-interfaces/0/access-configs/").text == "0/\n"
    assert lab.ask("instance/attributes/", vm=3).text == ""


def test_tags_are_always_json(lab):
    for query in ("", "?alt=json", "?alt=text"):
        answer = lab.ask("instance/tags" + query)
        assert answer.json == ["web", "vmcp-api-5000"]
        assert answer.headers["Content-Type"] == "application/json"
    assert lab.ask("instance/tags", vm=3).json == []


def test_alt_json_of_leaves(lab):
    assert lab.ask("instance/name?alt=json").text == '"rich"'
    assert lab.ask("instance/id?alt=JSON").text == lab.ask("instance/id").text
    assert lab.ask("instance/attributes/zeta?alt=json").json == "z\nz"
    assert lab.ask("instance/service-accounts/default/aliases?alt=json").json == ["default"]


def test_recursive_json(lab):
    answer = lab.ask("?recursive=TRUE")
    assert answer.headers["Content-Type"] == "application/json"
    tree = answer.json
    assert set(tree) == {"instance", "oslogin", "project", "universe"}
    vm = tree["instance"]
    assert vm["attributes"] == {"zeta": "z\nz", "alpha": "ü", "Mixed_Case-1": ""}
    assert isinstance(vm["id"], int) and isinstance(tree["project"]["numericProjectId"], int)
    assert vm["networkInterfaces"][0]["accessConfigs"][0]["externalIp"] == "203.0.113.9"
    assert vm["disks"][0]["deviceName"] == "persistent-disk-0" and vm["disks"][0]["index"] == 0
    assert vm["virtualClock"]["driftToken"].isdigit() and vm["guestAttributes"] == {}
    account = vm["serviceAccounts"]["default"]
    assert account == vm["serviceAccounts"][account["email"]]
    assert set(account) == {"aliases", "email", "scopes"}
    assert lab.ask("instance/service-accounts/default/?recursive=true").json == account
    assert lab.ask("instance/attributes?recursive=true&alt=json").json == vm["attributes"]
    assert "ya29" not in answer.text


def test_recursive_text(lab):
    answer = lab.ask("instance/?recursive=true&alt=text")
    assert answer.headers["Content-Type"] == "application/text"
    lines = answer.text.split("\n")
    assert "name rich" in lines and "attributes/alpha ü" in lines
    assert "network-interfaces/0/ip 10.128.0.2" in lines and "tags web" in lines
    assert "network-interfaces/0/access-configs/0/external-ip 203.0.113.9" in lines


def test_a_vm_without_account_has_no_token(lab):
    for path in ("default/token", "default/email", "default/", "default/scopes",
                 f"vm1@{PROJECT}.iam.gserviceaccount.com/token"):
        answer = lab.ask("instance/service-accounts/" + path, vm=3)
        assert answer.status == 404 and "ya29" not in answer.text
    assert lab.ask("instance/service-accounts/", vm=3).text == ""
    assert lab.ask("instance/service-accounts/?recursive=true", vm=3).json == {}


def test_a_vms_token_is_bounded_by_its_scopes(lab):
    answer = lab.ask("instance/service-accounts/default/token")
    assert answer.status == 200
    for wide in (CLOUD_PLATFORM, f"https://www.googleapis.com/auth/compute,{CLOUD_PLATFORM}"):
        refused = lab.ask(f"instance/service-accounts/default/token?scopes={wide}")
        assert refused.status == 400 and "ya29" not in refused.text
    workstation = lab.ask("instance/service-accounts/default/token", vm=0)
    assert workstation.json["access_token"] != answer.json["access_token"]


def test_a_waiter_is_woken_by_a_change(lab):
    etag = lab.ask("instance/attributes/?recursive=true", vm=3).headers["ETag"]
    waiter = lab.ask(f"instance/attributes/?recursive=true&wait_for_change=true&last_etag={etag}",
                     vm=3, start=True)
    unchanged = lab.ask("instance/attributes/?recursive=true&wait_for_change=true&timeout_sec=2",
                        vm=2, start=True)
    first_look = lab.ask("instance/tags?wait_for_change=true", vm=3, start=True)
    begin = time.monotonic()
    time.sleep(0.5)
    old = lab.api("GET", "instances/plain")["metadata"]["fingerprint"]
    lab.change("POST", "instances/plain/setMetadata", {
        "fingerprint": old, "items": [{"key": "now", "value": "here"}]})
    answer = lab.read(waiter)
    assert time.monotonic() - begin < 2 and answer.json == {"now": "here"}
    assert answer.headers["ETag"] != etag
    old = lab.api("GET", "instances/plain")["tags"]["fingerprint"]
    lab.change("POST", "instances/plain/setTags", {"fingerprint": old, "items": ["fresh"]})
    assert lab.read(first_look).json == ["fresh"]
    other = lab.read(unchanged)
    assert time.monotonic() - begin > 1.9 and "now" not in other.json


def test_deletion_ends_a_wait_with_404(lab):
    lab.change("POST", "instances", instance_body("brief"))
    assert lab.ask("instance/name", vm=4).text == "brief"
    waiter = lab.ask("instance/tags?wait_for_change=true", vm=4, start=True)
    time.sleep(0.3)
    lab.change("DELETE", "instances/brief")
    assert lab.read(waiter).status == 404
    assert lab.ask("instance/name", vm=4).status == 404


def write_guest(lab, vm, path, value=None):
    """PUT, or DELETE without a value."""
    more = ["-X", "PUT", "--data-binary", value] if value is not None else ["-X", "DELETE"]
    return lab.curl("--interface", f"10.128.0.{vm}", "-H", "Metadata-Flavor: Google", *more,
                    f"http://127.0.0.1{V1}instance/guest-attributes/{path}")


def test_guest_attributes_of_a_vm(lab):
    """Row 9: the guest writes at its metadata server, the API reads; each VM has its own."""
    switch = {"items": [{"key": "enable-guest-attributes", "value": "TRUE"}]}
    lab.change("POST", "instances", instance_body("guest", metadata=switch))
    lab.change("POST", "instances", instance_body("other", metadata=switch))
    vm, other = (int(lab.api("GET", f"instances/{n}")["networkInterfaces"][0]["networkIP"].split(".")[3])
                 for n in ("guest", "other"))
    assert write_guest(lab, 2, "a/b", "x").status == 403  # it is not enabled for that one
    for path, value in (("hostkeys/ssh-ed25519", "AAAA"), ("hostkeys/ssh-rsa", "BBBB"),
                        ("guest-agent/sshable", "1")):
        assert write_guest(lab, vm, path, value).status == 200
    assert lab.ask("instance/guest-attributes/", vm=other).text == ""
    answer = lab.api("GET", "instances/guest/getGuestAttributes?queryPath=hostkeys/")
    assert answer["kind"] == "compute#guestAttributes" and answer["queryPath"] == "hostkeys/"
    assert answer["queryValue"]["items"] == [
        {"namespace": "hostkeys", "key": "ssh-ed25519", "value": "AAAA"},
        {"namespace": "hostkeys", "key": "ssh-rsa", "value": "BBBB"}]
    one = lab.api("GET", "instances/guest/getGuestAttributes?queryPath=hostkeys/ssh-rsa")
    assert [i["value"] for i in one["queryValue"]["items"]] == ["BBBB"]
    everything = lab.api("GET", "instances/guest/getGuestAttributes")
    assert len(everything["queryValue"]["items"]) == 3
    value = lab.api("GET", "instances/guest/getGuestAttributes?variableKey=guest-agent/sshable")
    assert value["variableValue"] == "1"
    assert write_guest(lab, vm, "hostkeys/ssh-rsa").status == 200
    assert write_guest(lab, vm, "hostkeys/ssh-rsa").status == 404
    # Other changes of the instance leave them as they are; switched off, they are not shown.
    old = lab.api("GET", "instances/guest")["metadata"]["fingerprint"]
    lab.change("POST", "instances/guest/setMetadata", {
        "fingerprint": old, "items": switch["items"] + [{"key": "now", "value": "here"}]})
    assert lab.ask("instance/guest-attributes/hostkeys/ssh-ed25519", vm=vm).text == "AAAA"
    old = lab.api("GET", "instances/guest")["metadata"]["fingerprint"]
    lab.change("POST", "instances/guest/setMetadata", {"fingerprint": old, "items": []})
    assert lab.ask("instance/guest-attributes/", vm=vm).status == 403
    assert lab.ask("instance/?recursive=true", vm=vm).json["guestAttributes"] == {}
    # Another instance at the same address has none of them.
    lab.change("DELETE", "instances/guest")
    lab.change("POST", "instances", instance_body("guest", metadata=switch))
    assert lab.ask("instance/name", vm=vm).text == "guest"
    assert lab.ask("instance/guest-attributes/", vm=vm).text == ""
    for name in ("guest", "other"):
        lab.change("DELETE", f"instances/{name}")


def test_identity_of_a_vm(lab):
    """Row 8: the instance that it names is the one that the API knows."""
    resource = lab.api("GET", "instances/rich")
    token = lab.ask("instance/service-accounts/default/identity?audience=a&format=full&licenses=TRUE").text
    claims = jwt.decode(token, options={"verify_signature": False})
    machine = claims["google"]["compute_engine"]
    created = datetime.datetime.fromisoformat(resource["creationTimestamp"]).timestamp()
    assert machine["instance_id"] == resource["id"] and machine["instance_name"] == "rich"
    assert machine["zone"] == ZONE and machine["project_id"] == PROJECT
    assert abs(machine["instance_creation_timestamp"] - created) <= 1
    assert machine["license_id"] == ["2147286739765738111"]
    assert claims["email"] == f"vm1@{PROJECT}.iam.gserviceaccount.com"
    assert lab.ask("instance/service-accounts/default/identity?audience=a", vm=3).status == 404

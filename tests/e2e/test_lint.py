# SPDX-License-Identifier: Apache-2.0
"""vmcp lint: errors and warnings with their places, and that it says what vmcp-launch then does."""
import json
import os
import random
import re
import resource
import subprocess

import pytest

from conftest import MACHINE, ROOT, write_json
from launch_world import PROJECT, World

SECRET = "0123456789abcdef"
NAT = {"networkInterfaces": [{"network": "global/networks/default", "accessConfigs": [
    {"type": "ONE_TO_ONE_NAT", "name": "External NAT"}]}]}
DOWNLOADS = "#!/bin/sh\napt-get install -y nginx\n"
UBUNTU = "projects/ubuntu-os-cloud/global/images/family/ubuntu-2404-lts-amd64"
SUM = "0" * 64


# -- files, places, errors -------------------------------------------------------------------------

def test_lint_good_files(vmcp, scratch):
    write_json(scratch / "a.json", {"machine": MACHINE})
    write_json(scratch / "b.json", MACHINE)
    (scratch / ".hidden.json").write_text("{")
    (scratch / "notes.txt").write_text("{")
    for paths in ([scratch], [f"{scratch}/"], [scratch / "a.json", scratch / "b.json"]):
        done = vmcp("lint", *paths)
        assert done.out == "" and "2 machine files: 0 errors, 0 warnings" in done.err
    assert vmcp("lint", scratch, "--json").json == {"code": "ok", "files": 2, "errors": 0,
                                                    "warnings": 0, "findings": []}


def test_the_sum_comes_last(bin, scratch):
    """In one log of both streams too."""
    write_json(scratch / "a.json", {**MACHINE, "nobody": 1})
    lines = subprocess.run([bin.vmcp, "lint", scratch], stdout=subprocess.PIPE, text=True,
                           stderr=subprocess.STDOUT, check=True, timeout=20).stdout.splitlines()
    assert "nobody" in lines[0] and lines[-1] == "1 machine file: 0 errors, 1 warning"


def test_lint_samples(vmcp):
    """No errors; what is warned about is what the samples are there to show."""
    report = vmcp("lint", "--json", ROOT / "configs").json
    found = {(os.path.basename(f["file"]), f["pointer"]) for f in report["findings"]}
    assert report["errors"] == 0
    assert found == {("flask-app.json", "/machine/userDataFile"),
                     *(("tutorial.json", p) for p in ("/name", "/userData", "/ram", "/cpus",
                                                      "/disk"))}


def test_lint_line_seven(vmcp, scratch):
    """Inside a nested object, after text that is not ASCII, after the same key elsewhere."""
    path = scratch / "web.json"
    path.write_text('{\n  "serial": 1,\n  "gce": {"labels": {"cpus": "café"}},\n'
                    '  "machine": {\n    "name": "grüß", "secret": "0123456789abcdef",\n'
                    '    "flags": 1,\n    "canOverride": "€", "cpus": "4"\n  }\n}\n',
                    encoding="utf-8")
    done = vmcp("lint", path, code=3)
    column = '    "canOverride": "€", "cpus": '.encode().__len__() + 1
    assert done.out.startswith(f"{path}:7:{column}: error: ")
    finding = vmcp("lint", "--json", path, code=3).json
    assert finding["code"] == "config-invalid" and finding["errors"] == 1
    assert (finding["findings"][0]["line"], finding["findings"][0]["column"]) == (7, column)
    assert finding["findings"][0]["level"] == "error"


@pytest.mark.parametrize("text, where", [
    ("", "1:1"), ("[]", "1:1"), ('{"a":1,\n"a":2}', "2:1"), ('{"name": "n"}', "1:1"),
    ('{"machine": {"name": "n", "secret": "0123456789abcdef"},\n "serail": 1}', "2:2"),
    ('{"name":"n","secret":"0123456789abcdef",\n"userDataFile":"../x"}', "2:16"),
    ('{"name":"n","secret":"0123456789abcdef",\n"userData":"${vmcp.y}"}', "2:12"),
    ('{"name":"n","secret":"0123456789abcdef",\n"ApiPort":80}', "2:1"),
])
def test_lint_errors(vmcp, scratch, text, where):
    path = scratch / "web.json"
    path.write_text(text)
    done = vmcp("lint", path, code=3)
    assert done.out.startswith(f"{path}:{where}: error: "), done
    assert re.search(r"1 machine file: \d+ error", done.err)


def test_lint_warnings(vmcp, scratch):
    path = write_json(scratch / "web.json", {"name": "n", "secret": "short", "zone": "z"})
    done = vmcp("lint", path)
    assert done.out.count("warning:") >= 2 and "under 16 characters" in done.out
    assert f"{path}:4:2: warning: `zone`" in done.out
    vmcp("lint", "--strict", path, code=3)


def test_lint_paths(vmcp, scratch):
    vmcp("lint", code=2)
    assert "[file]" in vmcp("lint", scratch / "absent", code=3).err
    (scratch / "empty").mkdir()
    assert "no machine file" in vmcp("lint", scratch / "empty", code=3).out
    (scratch / "Bad_Name.json").write_text(json.dumps(MACHINE))
    assert "named after its machine" in vmcp("lint", scratch / "Bad_Name.json", code=3).out


def test_lint_says_everything_in_json_too(vmcp, scratch):
    """Keys and file names that are no text do not make findings disappear, or the report."""
    odd = os.fsencode(scratch) + b"/caf\xe9.json"
    with open(odd, "wb") as f:
        f.write(b"{}")
    (scratch / "web.json").write_text('{"name":"n","secret":"0123456789abcdef",'
                                      '"\\u001b[2J\\n' + "é" * 200 + '":1}')
    report = vmcp("lint", "--json", scratch, code=3).json
    assert report["errors"] == len(report["findings"]) >= 2
    plain = vmcp("lint", scratch, code=3)
    assert "\x1b" not in plain.out
    assert len(plain.out.splitlines()) == report["errors"] + report["warnings"]


def test_lint_line_seven_deeper(vmcp, scratch):
    """The same below gce, where the earlier key of that name stands in a sibling."""
    line = '      "größe": "m", "zone": "${vmcp.nowhere}"'
    path = scratch / "web.json"
    path.write_text('{\n  "machine": {"name": "web", "secret": "0123456789abcdef"},\n'
                    '  "gce": {\n    "params": {"zone": "€ ok"},\n    "labels": {"a": "ü"},\n'
                    f'    "scheduling": {{\n{line}\n    }}\n  }}\n}}\n', encoding="utf-8")
    finding, = vmcp("lint", "--json", path, code=3).json["findings"]
    assert finding["pointer"] == "/gce/scheduling/zone"
    assert finding["line"] == 7
    assert finding["column"] == len(line[:line.index('"${')].encode()) + 1 == 31


def test_findings_are_in_the_order_of_the_text(vmcp, scratch):
    path = write_json(scratch / "web.json", {
        "machine": {"name": "Web", "secret": "short", "disk": 1, "cpus": 3, "flags": 2,
                    "zone": "z", "executionCap": 50}, "gce": {"zone": "z", "name": "n"}})
    lines = [int(f["line"]) for f in vmcp("lint", "--json", path).json["findings"]]
    assert lines == sorted(lines) and len(lines) >= 9


def test_each_warning_is_at_its_value(vmcp, scratch):
    path = scratch / "web.json"
    path.write_text('{\n  "gce": {"labels": {"disk": "ü"}},\n  "machine": {\n'
                    '    "name": "web", "secret": "0123456789abcdef",\n'
                    '    "canOverride": "gr\u00fc\u00df", "disk": 10241\n  }\n}\n',
                    encoding="utf-8")
    column = len('    "canOverride": "grüß", "disk": '.encode()) + 1
    out = vmcp("lint", path).out.splitlines()
    assert out[0].startswith(f"{path}:2:30: warning: Compute Engine refuses this value")
    assert out[1].startswith(f"{path}:5:20: warning: `canOverride`")
    assert out[2].startswith(f"{path}:5:{column}: warning: disk 10241 becomes 11 GB")
    assert len(out) == 3


def test_strict_warnings_are_errors(vmcp, scratch):
    path = write_json(scratch / "web.json", {**MACHINE, "executionCap": 50})
    done = vmcp("lint", path)
    assert "warning: `executionCap`" in done.out and "0 errors, 1 warning" in done.err
    done = vmcp("lint", "--strict", path, code=3)
    assert "error: `executionCap`" in done.out and "warning:" not in done.out
    assert "1 error, 0 warnings" in done.err
    report = vmcp("lint", "--strict", "--json", path, code=3).json
    assert report["code"] == "config-invalid"
    assert (report["errors"], report["warnings"]) == (1, 0)
    assert [f["level"] for f in report["findings"]] == ["error"]


def test_standard_input(vmcp, scratch):
    good, wrong = json.dumps(MACHINE).encode(), b'{"name": "n",\n "secret": 1}'
    assert "1 machine file: 0 errors, 0 warnings" in vmcp("lint", "-", stdin=good).err
    assert vmcp("lint", "-", stdin=wrong, code=3).out.startswith("<stdin>:2:12: error: ")
    vmcp("lint", "-", "--machine", "web", stdin=good)
    assert vmcp("lint", "-", "--machine", "No Name", "--json", stdin=good,
                code=2).json["code"] == "name-malformed"
    vmcp("lint", "-", "-", stdin=good, code=2)
    path = write_json(scratch / "web.json", MACHINE)
    vmcp("lint", path, "--machine", "web", code=2)
    assert "2 machine files" in vmcp("lint", path, "-", stdin=good).err
    script = json.dumps({**MACHINE, "userDataFile": "x.sh"}).encode()
    assert "needs a folder" in vmcp("lint", "-", stdin=script, code=3).out
    vmcp("lint", "-", stdin=b" " * (1024 * 1024 + 1), code=3)


def test_file_names_are_shown_clean(vmcp, scratch):
    odd = os.fsencode(scratch) + b"/\x1b[31m\xff\n.json"
    with open(odd, "wb") as f:
        f.write(json.dumps({**MACHINE, "zone": 1}).encode())
    for done in (vmcp("lint", scratch, code=3), vmcp("lint", odd, code=3)):
        assert "\x1b" not in done.out + done.err
        assert len(done.out.splitlines()) == 1 and "/?[31m??.json:1:1: error: " in done.out
    assert "\x1b" not in vmcp("lint", odd + b"x", code=3).err


def test_user_data_files(vmcp, scratch):
    """What is wrong with a script is told where the machine file names it."""
    path = write_json(scratch / "web.json", {**MACHINE, "userDataFile": "web.sh"})
    (scratch / "web.sh").write_text(DOWNLOADS)
    finding, = vmcp("lint", "--json", path).json["findings"]
    assert finding["pointer"] == "/userDataFile" and "line 2 of it" in finding["text"]
    assert finding["line"] == 5 and "apt-get install" in finding["text"]
    (scratch / "web.sh").write_bytes(b"#!" + b"x" * 256 * 1024)
    vmcp("lint", path, code=3)


@pytest.mark.parametrize("metadata, pointer", [
    ({"big": "x" * (256 * 1024 + 1)}, "/gce/metadata/big"),
    ({"items": [{"key": "a", "value": "b"}, {"key": "big", "value": "x" * (256 * 1024 + 1)}]},
     "/gce/metadata/items/1/value"),
])
def test_long_metadata(vmcp, scratch, metadata, pointer):
    path = write_json(scratch / "web.json", {"machine": MACHINE, "gce": {"metadata": metadata}})
    finding, = vmcp("lint", "--json", path, code=3).json["findings"]
    assert finding["pointer"] == pointer and "262144" in finding["text"]


def test_many_findings_in_a_large_file(vmcp, scratch):
    """A thousand places at the end of a megabyte: one walk, not a thousand."""
    macros = ",\n".join('"k%d": "${vmcp.nothing}"' % i for i in range(5000))
    path = scratch / "web.json"
    path.write_text('{"machine": {"name": "n", "secret": "0123456789abcdef"},\n"gce": {"a": ['
                    + "1," * 400000 + "1],\n" + macros + "}}")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    report = vmcp("lint", "--json", path, code=3).json
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert report["errors"] == 1001 and "4000 more" in report["findings"][-1]["text"]
    assert [f["line"] for f in report["findings"][:1000]] == list(range(3, 1003))
    assert after.ru_utime - before.ru_utime < 3


# -- secrets and downloads -------------------------------------------------------------------------

@pytest.mark.parametrize("secret, short", [
    ("x" * 15, True), ("x" * 16, False), ("é" * 15, True), ("é" * 16, False),
    ("${vmcp.hmac.a}", False), ("${vmcp.hostid}", False), ("$${vmcp.a}", True),
])
def test_short_secrets(vmcp, secret, short):
    done = vmcp("lint", "-", stdin=json.dumps({**MACHINE, "secret": secret}).encode())
    assert ("has under 16 characters" in done.out) == short
    assert secret not in done.out  # it is a secret


@pytest.mark.parametrize("script, command", [
    ("#!/bin/sh\napt-get update\n", (2, "apt-get update")),
    ("#!/bin/sh\nsudo -E DEBIAN_FRONTEND=x apt-get \\\n  -y \\\n  install x", (2, "apt-get install")),
    ("#!/bin/sh\n/usr/bin/apt install -y nginx", (2, "apt install")),
    ("#!/bin/sh\nset -e; cd /srv && wget https://example.org/x.tgz", (2, "wget")),
    ("#!/bin/sh\nX=\"$(curl -s https://example.org/)\"\n", (2, "curl")),
    ("#!/bin/sh\nif ! command -v pip; then\n  python3 -m pip install flask; fi", (3, "python3 pip")),
    ("#!/bin/sh\npip3 install flask", (2, "pip3 install")),
    ("#!/bin/sh\nbash -c \"cd /; git clone https://example.org/x\"\n", (2, "git clone")),
    ("#!/bin/sh\ncat <<EOF\napt-get update\ndon't\nEOF\nwget x\n", (6, "wget")),
    ("#!/bin/sh\n(cd /srv; npm ci)", (2, "npm ci")),
    ("#!/bin/sh\ntrue | docker run -d \\\n nginx", (2, "docker run")),
    ("#!/bin/sh\ncase $1 in a) docker pull x;; esac", (2, "docker pull")),
    ("#!/bin/sh\nx=`curl example.org`", (2, "curl")),
    ("#cloud-config\nruncmd:\n  - [ sh, -c, \"curl http://x\" ]\n", (3, "curl")),
    ("#cloud-config\nruncmd:\n  - echo don't\n  - [ wget, x ]\n", (4, "wget")),
    ("#cloud-config\nruncmd:\n  - 'pip install x'\n", (3, "pip install")),
    ("#cloud-config\npackages: [nginx]\n", (2, "packages:")),
    ("#cloud-config\npackage_update: true\n", (2, "package_update: true")),
    ("#include\nhttps://example.org/user-data\n", (1, "#include")),
    # what needs no way out, or is not run
    ("#!/bin/sh\necho hello", None),
    ("#!/bin/sh\n# apt-get update\necho 'curl http://x' \"; wget x\"\n", None),
    ("#!/bin/sh\ncommand -v curl || exit 0\nwhich wget\n", None),
    ("#!/bin/sh\ncurl -H 'Metadata-Flavor: Google' http://metadata.google.internal/x\n", None),
    ("#!/bin/sh\ncurl http://169.254.169.254/x; wget http://localhost:5000/healthz", None),
    ("#!/bin/sh\ncat > x <<-'EOF'\n\tapt-get update\n\tEOF\necho $((1 << 2))\n", None),
    ("#!/bin/sh\ngit -C /srv commit -m clones; apt list; docker ps; pip list; npm run x", None),
    ("#cloud-config\npackage_update: false\n", None),
    ("[amiconfig]\nplugins=cernvm\ncurl x\n", None),
])
def test_downloads(vmcp, script, command):
    def found(gce):
        text = json.dumps({"machine": {**MACHINE, "userData": script}, "gce": gce}).encode()
        report = vmcp("lint", "--json", "-", stdin=text).json
        return [f["text"] for f in report["findings"] if "downloads" in f["text"]]

    want = [f"line {command[0]} of it downloads ({command[1]})"] if command else []
    assert [t.split(",")[0] for t in found({})] == want
    assert [t.split(",")[0] for t in found({"networkInterfaces": [{"accessConfigs": []}]})] == want
    assert found(NAT) == []


def test_downloads_in_metadata(vmcp):
    for metadata in ({"startup-script": DOWNLOADS},
                     {"items": [{"key": "startup-script", "value": DOWNLOADS}]}):
        text = json.dumps({"machine": MACHINE, "gce": {"metadata": metadata}}).encode()
        finding, = vmcp("lint", "--json", "-", stdin=text).json["findings"]
        assert finding["pointer"].startswith("/gce/metadata/") and "line 2" in finding["text"]


# -- lint says what the launcher does ----------------------------------------------------------------

@pytest.fixture
def world(tmp_path):
    w = World(tmp_path)
    yield w
    w.close()


def planned(world, machine, gce):
    """What `vmcp-launch plan` changes, cannot do, or refuses, as lint would point at it."""
    world.responder.machine = json.loads(json.dumps(machine).replace("${vmcp.hostid}", "a" * 64))
    world.responder.gce = gce
    done = world.run("plan", "--allow-external-ip", "--allow-image-project", "debian-cloud",
                     "--allow-image-project", "ubuntu-os-cloud",
                     "--allow-image-project", PROJECT)
    if done.returncode:
        assert (done.report["code"], done.returncode) == ("plan-invalid", 3), done.stderr
        return None
    body, warnings = done.report["bodies"][0], done.report.get("warnings", [])
    changed = set()
    if body["name"] != machine["name"]:
        changed.add(("/machine/name", body["name"]))
    shape = re.search(r"/e2-custom-(\d+)-(\d+)$", body["machineType"])
    if shape:
        made = {"cpus": int(shape[1]), "memory": int(shape[2]), "ram": int(shape[2])}
        changed |= {(f"/machine/{k}", str(made[k])) for k in made
                    if machine.get(k, made[k]) != made[k]}
    size = int(body["disks"][0].get("initializeParams", {}).get("diskSizeGb", 0)) * 1024
    if not (gce or {}).get("disks") and machine.get("disk", size) != size:
        changed.add(("/machine/disk", str(size // 1024)))
    isolated = False
    for text in warnings:
        isolated |= text.startswith("no external address")
        ignored = re.match(r"`?(\w+)`? (means nothing on|is not a parameter)", text)
        label = re.match(r"gce cannot set the label (\S+):", text)
        if text.startswith("flag"):
            changed.add(("/machine/flags", text))
        elif ignored:
            changed.add(f"/machine/{ignored[1]}")
        elif label:
            changed.add(f"/gce/labels/{label[1]}")
        elif text.startswith("diskChecksum"):
            changed.add("/machine/diskChecksum")
        elif text.startswith("userData does not begin with #!"):
            changed.add("/machine/userData")
    if isolated and machine.get("userData") == DOWNLOADS:
        changed.add("/machine/userData")
    return changed


def linted(vmcp, machine, gce):
    text = json.dumps({"machine": machine, **({"gce": gce} if gce else {})}).encode()
    report = vmcp("lint", "--json", "-", stdin=text).json
    if any(re.search("refuses|no machine type", f["text"]) for f in report["findings"]):
        return None
    found = set()
    for finding in report["findings"]:
        pointer, text = finding["pointer"], finding["text"]
        value = re.search(r" becomes `?([^ `]+)", text)
        found.add((pointer, text) if text.startswith("flag") else
                  (pointer, value[1].rstrip(":")) if value else pointer)
    return found


def disk(**params):
    return {"disks": [{"initializeParams": params}]}


@pytest.mark.parametrize("changes, gce", [
    ({}, None),
    ({"name": "My first VM"}, None), ({"name": "web-"}, None), ({"name": "1web"}, None),
    ({"name": "-web"}, None), ({"name": "grüß"}, None), ({"name": "grüße"}, None),
    ({"name": "a" * 63}, None), ({"name": "a" * 64}, None), ({"name": "é" * 31 + "aa"}, None),
    ({"name": "aé" + "b" * 60}, None), ({"name": "aé" + "b" * 61}, None), ({"name": "a.b_c"}, None),
    ({"name": "${vmcp.hostid}"}, None), ({"name": "web-${vmcp.hostid}"}, None),
    ({"cpus": 1}, None), ({"cpus": 3, "memory": 4096}, None), ({"cpus": 2, "memory": 128}, None),
    ({"cpus": 2, "memory": 1025}, None), ({"cpus": 2, "memory": 16384}, None),
    ({"cpus": 2, "memory": 16385}, None), ({"memory": 131072}, None), ({"memory": 131073}, None),
    ({"cpus": 32, "memory": 131072}, None), ({"cpus": 33}, None), ({"cpus": 31}, None),
    ({"cpus": 2, "ram": 512}, None), ({"ram": 1024}, None), ({"cpus": 1, "ram": 20000}, None),
    ({"cpus": 1000, "memory": 3}, {"machineType": "e2-small"}),
    ({"disk": 0}, None), ({"disk": 1}, None), ({"disk": 10240}, None), ({"disk": 10241}, None),
    ({"disk": 1048576}, None), ({"disk": 5}, disk(diskSizeGb="20")),
    ({"disk": 5}, {"disks": [{"diskSizeGb": "20"}]}),
    ({"disk": 5}, {"disks": [{"source": "zones/us-central1-a/disks/mine"}]}),
    ({"flags": 1}, None), ({"flags": 49}, None), ({"flags": 1 + 128}, None),
    ({"flags": 2047}, None), ({"flags": 2}, None), ({"flags": 2048 + 4}, None),
    ({"canOverride": "name", "executionCap": 50}, None),
    ({"cernvmVersion": "latest", "cernvmFlavor": "prod"}, None), ({"zone": "x"}, None),
    ({"diskURL": "http://example.org/x.img", "diskChecksum": SUM}, None),
    ({"diskURL": UBUNTU, "diskChecksum": SUM}, None),
    ({"diskURL": "https://www.googleapis.com/compute/v1/" + UBUNTU, "diskChecksum": SUM}, None),
    ({"diskURL": "global/images/mine", "diskChecksum": SUM}, None),
    ({"diskURL": "family/debian-12", "diskChecksum": SUM}, None),
    ({"diskURL": "family/A", "diskChecksum": SUM}, None),
    ({"diskURL": "projects/p-1/family/a", "diskChecksum": SUM}, None),
    ({"diskURL": "projects/debian-cloud/global/images/A", "diskChecksum": SUM}, None),
    ({"diskURL": "global/images/a/b", "diskChecksum": SUM}, None),
    ({"diskURL": "global/snapshots/a", "diskChecksum": SUM}, None),
    ({}, disk(sourceImage=UBUNTU)), ({}, disk(sourceImage="debian-12")),
    ({"userData": "#cloud-config\n"}, None), ({"userData": "#cloud-config\n"}, disk(sourceImage=UBUNTU)),
    ({"userData": "#cloud-config\n", "diskURL": UBUNTU, "diskChecksum": SUM}, None),
    ({"userData": "#cloud-config\n"}, disk(sourceImage="global/images/mine")),
    ({"userData": ""}, None),
    ({"userData": DOWNLOADS}, None), ({"userData": DOWNLOADS}, NAT),
    ({"userData": DOWNLOADS}, {"networkInterfaces": [{"accessConfigs": []}]}),
    ({}, {"name": "x"}), ({}, {"zone": "x"}), ({}, {"labels": {"role": "web"}}),
    ({}, {"labels": {"Role": "web"}}), ({}, {"labels": {"role": "Web"}}), ({}, {"labels": {"": "x"}}),
    ({}, {"labels": {"1a": "x"}}), ({}, {"labels": {"a_b-1": "_-9"}}), ({}, {"labels": {"a": ""}}),
    ({}, {"labels": {"a" * 63: "b" * 63}}), ({}, {"labels": {"a" * 64: "b"}}),
    ({}, {"labels": {"a": "b" * 64}}), ({}, {"labels": {"a": 7}}), ({}, {"labels": {"a": "é"}}),
    ({}, {"labels": {"vmcp-domain": "NOT OURS"}}),
    ({}, {"labels": {f"a{i}": "x" for i in range(61)}}),
    ({}, {"labels": {f"a{i}": "x" for i in range(62)}}),
    ({}, {"labels": {f"a{i}": "x" for i in range(65)}}),
    ({}, {"machineType": "e2 small"}), ({}, {"machineType": " e2-small"}),
    ({}, {"machineType": "E2-small"}), ({}, {"machineType": ""}), ({}, {"machineType": "n2-standard-4"}),
    ({}, {"metadata": {"vmcp-session": "x"}}), ({}, {"metadata": {"VMCP-x": "y"}}),
    ({}, {"metadata": {"startup-script": "#!/bin/sh\n"}}),
    ({"userData": "#!/bin/sh\n"}, {"metadata": {"startup-script": "#!/bin/sh\n"}}),
    ({"userData": "#!/bin/sh\n"}, {"metadata": {"items": [
        {"key": "startup-script-url", "value": "gs://a/b"}]}}),
])
def test_lint_and_plan_agree(vmcp, world, changes, gce):
    machine = {"name": "web", "secret": SECRET, **changes}
    assert linted(vmcp, machine, gce) == planned(world, machine, gce)


def test_lint_and_plan_agree_on_any_shape(vmcp, world):
    dice = random.Random(7)
    for _ in range(40):
        machine = {"name": "".join(dice.choice("ab0-A ") for _ in range(dice.randint(1, 5))),
                   "secret": SECRET, "cpus": dice.choice([1, 2, 3, 7, 16, 31, 32, 33]),
                   "memory": dice.randint(1, 140000), "disk": dice.randint(0, 100000),
                   "flags": dice.randint(0, 4095)}
        assert linted(vmcp, machine, None) == planned(world, machine, None), machine


def test_names_of_several(vmcp, world):
    """Each VM of a `count` has a number behind its name, which makes it longer."""
    for name, good in (("a" * 61, True), ("a" * 62, False), ("web-", True)):
        machine = {"name": name, "secret": SECRET}
        text = json.dumps({"machine": machine, "count": 3}).encode()
        out = vmcp("lint", "-", stdin=text).out
        world.responder.machine, world.responder.count = machine, 3
        assert world.run("plan").returncode == (0 if good else 3)
        assert ("refuses" in out) == (not good)

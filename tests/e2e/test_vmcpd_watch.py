# SPDX-License-Identifier: Apache-2.0
"""vmcpd --watch: each way in which files change is seen, once, when it has settled."""
import base64
import json
import os
import shutil
import signal
import time

import pytest

from conftest import DOMAIN, MACHINE, Vmcpd, eventually, write_json


@pytest.fixture
def configs(scratch):
    write_json(scratch / "configs" / "web.json", {"serial": 1, "machine": MACHINE})
    return scratch / "configs"


@pytest.fixture
def watch(bin, scratch):
    """Start a vmcpd that watches these folders; each must end with 0."""
    started = []

    def start(*options):
        server = Vmcpd(bin.vmcpd, scratch, "--domain", DOMAIN, *options, "--listen", "127.0.0.1:0",
                       "--watch")
        started.append(server)
        return server.start()

    yield start
    for server in started:
        assert server.stop() == 0, server.log


@pytest.fixture
def server(watch, keys, configs):
    return watch("--key", keys["ed25519"].path, "--configs", configs)


def ready(server):
    return server.ask("/readyz").json


def becomes(server, generation, failed=0):
    """The server comes to this generation, and stays there."""
    assert eventually(lambda: (ready(server)["generation"], ready(server)["reload"]["failed"])
                      == (generation, failed)), (ready(server), server.log)


def test_a_file_is_written(server, configs):
    write_json(configs / "web.json", {"serial": 2, "machine": MACHINE})
    becomes(server, 2)
    write_json(configs / "db.json", {"serial": 2, "machine": MACHINE})
    becomes(server, 3)
    assert server.v2("/vmcp/db").status == 200
    (configs / "db.json").unlink()
    becomes(server, 4)
    assert server.v2("/vmcp/db").status == 404
    assert "reload (a file changed)" in server.log


def test_an_editor_renames_and_replaces(server, configs):
    for generation in (2, 3):
        write_json(configs / ".web.json.swp", {"serial": generation, "machine": MACHINE})
        os.rename(configs / "web.json", configs / "web.json~")
        os.rename(configs / ".web.json.swp", configs / "web.json")
        os.unlink(configs / "web.json~")
        becomes(server, generation)


def test_many_changes_are_one_reload(server, configs):
    for i in range(20):
        write_json(configs / f"m{i}.json", MACHINE)
        time.sleep(0.02)
    becomes(server, 2)
    time.sleep(0.5)
    assert ready(server)["generation"] == 2 and ready(server)["machines"] == 21


def test_a_file_in_the_middle_of_its_writing(server, configs):
    """A script is whole only for who writes it: until it is closed the old set is served."""
    script = configs / "start.sh"
    with open(script, "w", encoding="ascii") as f:
        f.write("#!/bin/sh\nrm -rf /tmp/x")
        f.flush()
        time.sleep(0.6)
        assert ready(server)["generation"] == 1
        f.write("-of-mine\n")
    becomes(server, 2)


def default(server):
    """What a question that names no machine gets: a machine's name, or a refusal's code."""
    answer = server.v2("/vmcp")
    if answer.status != 200:
        return answer.code
    part = answer.text.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))["sub"]


def test_a_set_that_is_being_copied_makes_no_default(server, configs):
    """While files come one by one, one of them is the only one for a moment."""
    (configs / "web.json").unlink()
    write_json(configs / "db.json", {"serial": 1, "machine": MACHINE})
    becomes(server, 2)
    assert server.v2("/vmcp/db").status == 200 and default(server) == "machine-unknown"
    assert "warning: db is the only machine now, and not the default one" in server.log
    write_json(configs / "app.json", {"serial": 1, "machine": MACHINE})
    becomes(server, 3)
    (configs / "app.json").unlink()
    becomes(server, 4)
    assert default(server) == "machine-unknown"
    server.process.send_signal(signal.SIGHUP)  # somebody says that it is all there
    becomes(server, 5)
    assert default(server) == "db"


def test_the_only_machine_stays_the_default_while_it_is(server, configs):
    write_json(configs / "web.json", {"serial": 2, "machine": MACHINE})
    becomes(server, 2)
    assert default(server) == "web" and "not the default one" not in server.log
    write_json(configs / "db.json", {"serial": 1, "machine": MACHINE})
    becomes(server, 3)
    assert default(server) == "machine-unknown"
    (configs / "db.json").unlink()  # and not again by itself
    becomes(server, 4)
    assert default(server) == "machine-unknown"


def test_a_default_that_was_named(watch, keys, configs):
    server = watch("--key", keys["ed25519"].path, "--configs", configs, "--default", "web")
    write_json(configs / "db.json", {"serial": 1, "machine": MACHINE})
    becomes(server, 2)
    assert default(server) == "web"
    (configs / "web.json").unlink()
    becomes(server, 2, failed=1)
    assert default(server) == "web"


def test_a_broken_set(server, configs):
    (configs / "web.json").write_text("{")
    becomes(server, 1, failed=1)
    assert server.v2().status == 200 and f"{configs}/web.json:1:" in server.log
    write_json(configs / "web.json", MACHINE)
    becomes(server, 2, failed=1)


def test_a_folder_is_exchanged(server, configs, scratch):
    write_json(scratch / "new" / "db.json", MACHINE)
    os.rename(configs, scratch / "old")
    os.rename(scratch / "new", configs)
    assert eventually(lambda: server.v2("/vmcp/db").status == 200), server.log
    shutil.rmtree(configs)  # gone, and back
    assert eventually(lambda: ready(server)["reload"]["failed"] > 0)
    write_json(configs / "web.json", MACHINE)
    assert eventually(lambda: server.v2("/vmcp/web").status == 200), server.log
    write_json(configs / "x.json", MACHINE)
    assert eventually(lambda: server.v2("/vmcp/x").status == 200), server.log


def test_a_mounted_configmap(watch, scratch, keys):
    """DIR/web.json -> ..data/web.json, ..data -> ..2026_1: the link is exchanged by a rename."""
    folder = scratch / "mounted"
    for version in (1, 2):
        write_json(folder / f"..2026_{version}" / "web.json",
                   {"serial": version, "machine": {**MACHINE, "cpus": version}})
    os.symlink("..2026_1", folder / "..data")
    os.symlink("..data/web.json", folder / "web.json")
    server = watch("--key", keys["ed25519"].path, "--configs", folder)
    before = ready(server)["digest"]
    os.symlink("..2026_2", folder / "..data_tmp")
    os.rename(folder / "..data_tmp", folder / "..data")
    shutil.rmtree(folder / "..2026_1")
    becomes(server, 2)
    assert ready(server)["digest"] != before


def test_keys_and_what_lies_beside(watch, vmcp, scratch, configs):
    ring = scratch / "keys"
    (ring / "active").mkdir(parents=True)
    vmcp("keygen", "--alg", "ed25519", "--out", ring / "active" / "1.key")
    (configs / "start.sh").write_text("#!/bin/sh\n")
    write_json(configs / "web.json", {"serial": 1, "machine": {**MACHINE,
                                                               "userDataFile": "start.sh"}})
    server = watch("--keys", ring, "--configs", configs)
    vmcp("rotate", ring)
    assert eventually(lambda: len(server.ask("/.well-known/jwks.json").json["keys"]) == 2)
    vmcp("rotate", ring, "--now")
    assert eventually(lambda: len(server.ask("/.well-known/jwks.json").json["keys"]) == 3)
    digest = ready(server)["digest"]
    (configs / "start.sh").write_text("#!/bin/sh\necho\n")
    assert eventually(lambda: ready(server)["digest"] != digest)
    time.sleep(0.6)  # what the rotation left to be seen
    generation = ready(server)["generation"]
    json.loads((configs / "web.json").read_text())  # reading changes nothing
    (scratch / "beside").write_text("nor does what is not ours")
    time.sleep(0.6)
    assert ready(server)["generation"] == generation

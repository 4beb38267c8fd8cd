# SPDX-License-Identifier: Apache-2.0
"""vmcp-launch --json: each verb prints one object, with members that scripts stand on; words for
people go to standard error."""
import json
import os
import pty
import subprocess

import pytest

from launch_world import DOMAIN, LAUNCH, PROJECT, ZONE, World, check_body

KNOWN = ["--domain", DOMAIN, "--machine", "flask-app"]
ANSWER = {"domain": DOMAIN, "machine": "flask-app", "format": "v2", "serial": 7, "alg": "EdDSA"}
VM = {"name": "flask-app", "project": PROJECT, "zone": ZONE}
THERE = {**VM, "id": "4000000000", "status": "RUNNING", "internalIp": "10.128.0.2"}
ACCOUNT = f"deployer@{PROJECT}.iam.gserviceaccount.com"


@pytest.fixture
def world(tmp_path):
    w = World(tmp_path)
    yield w
    w.close()


def said(world, verb, *args, base=True):
    """The one object of a verb that succeeds."""
    done = world.run(verb, *args, base=base)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1 and done.stdout.endswith("}\n")
    assert (done.report.pop("code"), done.report.pop("verb")) == ("ok", verb)
    assert "detail" not in done.report and "where" not in done.report
    return done.report


def answer_of(world, report):
    """Takes out what is said of a good answer."""
    assert report.pop("thumbprint") == world.responder.key.thumbprint()
    for name, value in ANSWER.items():
        assert report.pop(name) == value, name


def test_launch(world):
    report = said(world, "launch")
    answer_of(world, report)
    assert [w[:19] for w in report.pop("warnings")] == ["no external address"]
    assert report == {"instances": [{**THERE, "outcome": "created"}]}


def test_without_a_verb(world):
    done = world.run()
    assert json.loads(done.stdout)["verb"] == "launch"


def test_plan(world):
    for would in ("create", "none"):
        report = said(world, "plan")
        answer_of(world, report)
        body, = report.pop("bodies")
        check_body(body)
        origins, = report.pop("origins")
        assert {frozenset(row) for row in origins} == {frozenset({"path", "value", "from"})}
        row, = report.pop("instances")
        assert row == {**(VM if would == "create" else THERE), "would": would}
        del report["warnings"]
        assert report == {"dryRun": True}
        world.launch()


def test_bootstrap(world):
    report = said(world, "bootstrap", "--service-account", ACCOUNT)
    answer_of(world, report)
    row, = report.pop("instances")
    assert row == {**THERE, "name": "vm-1", "outcome": "created"}
    report.pop("warnings", None)
    assert not report


def test_status(world):
    assert said(world, "status", *KNOWN, base=False) == {"instances": []}
    world.launch()
    assert said(world, "status", *KNOWN, base=False) == {"instances": [THERE]}


@pytest.mark.parametrize("verb,outcome,status", [("stop", "stopped", "TERMINATED"),
                                                 ("delete", "deleted", None)])
def test_stop_and_delete(world, verb, outcome, status):
    world.launch()
    row, = said(world, verb, "--dry-run", *KNOWN, base=False)["instances"]
    assert row == {**THERE, "would": verb}
    row, = said(world, verb, *KNOWN, base=False)["instances"]
    assert row == ({**THERE, "status": status, "outcome": outcome} if status else
                   {**VM, "id": "4000000000", "status": "GONE", "outcome": outcome})
    report = said(world, verb, *KNOWN, base=False)
    assert [r.get("outcome") for r in report["instances"]] == (["none"] if status else [])


def test_logs(world):
    world.launch()
    world.compute.serial = "booting\n\x1b[31mred\x00\\u0000\n"
    report = said(world, "logs", *KNOWN, base=False)
    assert report.pop("contents") == world.compute.serial.replace("\x00", "\ufffd")
    assert report.pop("instances") == [THERE] and not report


def test_logs_follow_has_no_end_to_make_one_object_of(world):
    done = world.run("logs", "--follow", *KNOWN, base=False)
    assert (done.report["code"], done.returncode) == ("usage", 2)


def test_state(world):
    report = said(world, "state", "show", base=False)
    assert report == {"stateDir": str(world.state), "machines": []}
    world.launch()
    machine, = said(world, "state", "show", base=False)["machines"]
    vm, = machine.pop("vms")
    assert machine == {"domain": DOMAIN, "machine": "flask-app", "serial": 7, "intents": []}
    assert {**VM, "id": "4000000000"}.items() <= vm.items()
    report = said(world, "state", "reset", DOMAIN, "flask-app", "--dry-run", base=False)
    assert report == {"stateDir": str(world.state), "dryRun": True, "known": True}
    report = said(world, "state", "reset", DOMAIN, "flask-app", base=False)
    assert report == {"stateDir": str(world.state), "known": True}


def plain(*args):
    done = subprocess.run([LAUNCH, *args], capture_output=True, text=True, check=False, timeout=30,
                          env={"PATH": "/usr/bin:/bin"})
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_verbs_without_a_network():
    role = json.loads(plain("least-privilege", "--json"))
    assert (role["code"], role["verb"]) == ("ok", "least-privilege")
    assert all(p.startswith("compute.") for p in role["includedPermissions"])
    script = json.loads(plain("completion", "bash", "--json"))
    assert (script["code"], script["verb"]) == ("ok", "completion")
    assert script["script"] == plain("completion", "bash")
    version = json.loads(plain("version", "--json"))
    assert (version["code"], version["verb"]) == ("ok", "version")
    assert version["version"] in plain("version")


def test_words_go_to_standard_error(world):
    """Without --json too: standard output has what the verb is asked for, and nothing else."""
    def out(verb, *args, base=True):
        command = [a for a in world.command(verb, *args, base=base) if a != "--json"]
        return subprocess.run(command, env=world.env, capture_output=True, text=True, check=True,
                              timeout=60).stdout
    check_body(json.loads(out("plan")))
    assert out("launch") == ""
    assert out("status", *KNOWN, base=False).split() == [
        "flask-app", "RUNNING", ZONE, "10.128.0.2", "4000000000"]
    assert out("stop", *KNOWN, base=False) == out("delete", *KNOWN, base=False) == ""


def test_an_error_keeps_what_is_known(world):
    """Where it failed, and what was found out before."""
    world.responder.serial = 6
    report = world.run("--min-serial", "7").report
    assert report["code"] == "serial-rollback" and "domain" not in report  # nothing was verified
    world.responder.serial = 7
    world.compute.operation_error = lambda zone: {"code": "QUOTA_EXCEEDED", "message": "CPUS"}
    report = world.run().report
    assert ANSWER.items() <= report.items()
    assert report["instances"][0]["name"] == "flask-app" and report["advice"]


def on_a_terminal(world, *args, base=True):
    """What a run writes to standard output where that is a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(world.command(*args, base=base), env=world.env, stdout=theirs,
                          stderr=subprocess.DEVNULL):
        os.close(theirs)
        text = b""
        try:
            while data := os.read(ours, 65536):
                text += data
        except OSError:
            pass
    os.close(ours)
    return text.decode()


def test_json_steers_no_terminal(world):
    """DEL, C1 and what turns the direction of writing stand in JSON as they are; on a terminal they
    are escapes, which say the same."""
    turns = "\u061c\u200e\u200f\u202a\u202e\u2066\u2069"
    world.launch()
    world.compute.serial = "\x1b]0;x\x07\x7f\u009b31m\u00e9\u2065\u20ac" + turns
    assert said(world, "logs", *KNOWN, base=False)["contents"] == world.compute.serial
    text = on_a_terminal(world, "logs", *KNOWN, base=False).strip()
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 or c in turns for c in text), text
    assert json.loads(text)["contents"] == world.compute.serial
    world.responder.machine["userData"] = "#!/bin/sh\n# \x7f\u009b31m" + turns
    text = on_a_terminal(world, "plan", "--name-suffix", "b").strip()
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 or c in turns for c in text)
    assert "\u009b31m" in json.dumps(json.loads(text), ensure_ascii=False)


# --- and words

def words(world, *args, base=True):
    command = [a for a in world.command(*args, base=base) if a != "--json"]
    done = subprocess.run(command, env=world.env, capture_output=True, text=True, check=False,
                          timeout=60)
    return done.stdout + done.stderr


def test_table_of_a_plan_shows_both_ends(world):
    """An image differs from another by its date, which is last."""
    world.responder.machine["userData"] = "#!/bin/sh\n# " + "\u00e9\u2026" * 200
    text = words(world, "plan")
    row, = [line for line in text.splitlines() if "sourceImage " in line]
    assert "projects/debian-cloud" in row and "...-12-bookworm-v20240110 " in row
    assert "\ufffd" not in text


def test_help_of_a_verb():
    assert plain("help", "delete") == plain("delete", "--help") != plain("help")
    assert plain("help", "help") == plain("help") == plain("--help")
    done = subprocess.run([LAUNCH, "help", "delet"], capture_output=True, text=True, check=False)
    assert done.returncode == 2 and "did you mean delete" in done.stderr


def test_domain_of_an_address(world):
    """Whoever asks at an address is told what the domain then is."""
    world.responder.domain = "cfg.example.org"
    report = world.refused("domain-mismatch", 1).report
    assert "--domain" in report["advice"][0]
    assert "advice" not in world.refused("domain-mismatch", 1, "--domain", "else.example").report


def test_state_of_a_machine_that_never_answered(world):
    world.responder.fail = lambda: (404, "text/plain", "")
    world.refused("responder-error", 4)
    assert "flask-app of 127.0.0.1: no answer yet" in words(world, "state", "show", base=False)

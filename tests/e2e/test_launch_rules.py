# SPDX-License-Identifier: Apache-2.0
"""vmcp-launch and Compute Engine's rules at their edges: custom shapes of each series against a table
of our own, metadata, and what is said of the place that a resource is in."""
import pytest

from launch_world import PROJECT, ZONE, World, check_body, items

GB = 1024


@pytest.fixture
def world(tmp_path):
    w = World(tmp_path)
    yield w
    w.close()


def planned(world, gce=None, *args):
    """The body, or None where the plan is refused."""
    world.responder.gce = gce
    done = world.run("plan", *args)
    if done.returncode == 0:
        check_body(done.report["bodies"][0])
        return done.report["bodies"][0]
    assert (done.report["code"], done.returncode) == ("plan-invalid", 3), done.stderr
    return None


# --- custom shapes (Google's custom-machine-type sample)

CPUS = {"e2": [*range(2, 33, 2)], "n1": [1, *range(2, 97, 2)],
        "n2": [*range(2, 33, 2), *range(36, 129, 4)], "n2d": [2, 4, 8, 16, 32, 48, 64, 80, 96]}
PER_CPU = {"e2": (512, 8192), "n1": (922, 6656), "n2": (512, 8192), "n2d": (512, 8192)}
MOST = {"e2": 128 * GB, "n1": 624 * GB, "n2": 640 * GB, "n2d": 768 * GB}


def is_shape(series, cpus, memory, extended=False):
    low, high = PER_CPU[series]
    most = MOST[series] if extended else min(cpus * high, MOST[series])
    return (cpus in CPUS[series] and memory % 256 == 0 and cpus * low <= memory <= most
            and not (extended and series == "e2"))


def edges(series):
    """CPUs around each end, with the memories around each bound."""
    low, high = PER_CPU[series]
    last = CPUS[series][-1]
    for cpus in (1, 2, 3, 6, 34, last, last + 2, last + 4):
        least = -(-cpus * low // 256) * 256
        most = min(cpus * high, MOST[series])
        for memory in (least - 256, least, least + 1, most, most + 256):
            yield cpus, memory


@pytest.mark.parametrize("series", CPUS)
def test_custom_shapes(world, series):
    prefix = "custom" if series == "n1" else f"{series}-custom"
    seen = {True: 0, False: 0}
    for cpus, memory in edges(series):
        good = is_shape(series, cpus, memory)
        name = f"{prefix}-{cpus}-{memory}"
        assert (planned(world, {"machineType": name}) is not None) == good, name
        seen[good] += 1
    assert seen[True] >= 4 and seen[False] >= 10


@pytest.mark.parametrize("series", CPUS)
def test_extended_memory(world, series):
    for memory in (MOST[series], MOST[series] + 256, 100 * GB, 100 * GB + 1):
        name = f"{series}-custom-8-{memory}-ext"
        good = is_shape(series, 8, memory, True)
        assert (planned(world, {"machineType": name}) is not None) == good, name


@pytest.mark.parametrize("kind,low,high", [("micro", 1, 2), ("small", 2, 4), ("medium", 4, 8)])
def test_shared_core_shapes(world, kind, low, high):
    for memory in (low * GB - 256, low * GB, high * GB, high * GB + 256, low * GB + 1):
        good = low * GB <= memory <= high * GB and memory % 256 == 0
        body = planned(world, {"machineType": f"e2-custom-{kind}-{memory}"})
        assert (body is not None) == good, (kind, memory)


@pytest.mark.parametrize("series", CPUS)
def test_the_smallest_shape_that_holds_both(world, series):
    """By looking through all of them."""
    for cpus, memory in ((1, 1), (1, 7000), (2, 16385), (5, 4096), (7, 57344), (30, 8192), (2, 15000)):
        world.responder.machine.update(cpus=cpus, memory=memory)
        fits = [(c, m) for c in CPUS[series] if c >= cpus
                for m in range(-(-memory // 256) * 256, min(c * 8192, MOST[series]) + 1, 256)
                if is_shape(series, c, m)]
        body = planned(world, None, "--series", series)
        assert body, (cpus, memory)
        name = body["machineType"].rsplit("/", 1)[1]
        assert tuple(map(int, name.split("-")[-2:])) == min(fits), (name, cpus, memory)


def test_no_shape_holds_that(world):
    world.responder.machine.update(cpus=32, memory=128 * GB + 1)
    assert planned(world) is None
    world.responder.machine.update(cpus=33, memory=GB)
    assert planned(world) is None and planned(world, None, "--series", "n2")
    assert planned(world, None, "--series", "z9") is None


# --- names and places

@pytest.mark.parametrize("type", [
    "e2-custom-+2-4096", "e2-custom-2-+4096", "e2-custom- 2-4096", "e2-custom-02-4096",
    "e2-custom-2-4096-", "e2-custom-micro-1024x", "e2-custom-micro-01024", "e2-custom-2", "e2-custom-", "E2-small", "e2 small", "e2-small/", "/",
    "../e2-small", "e2-small?x=1", "zones//machineTypes/e2-small",
    f"zones/{ZONE}/machineTypes/", f"zones/{ZONE}/diskTypes/e2-small",
    "projects/other/zones/us-east1-b/machineTypes/e2-small",
    "https://evil.example/compute/v1/projects/p/zones/us-central1-a/machineTypes/e2-small"])
def test_what_is_no_machine_type(world, type):
    assert planned(world, {"machineType": type}) is None


@pytest.mark.parametrize("type", [
    "e2-small", f"zones/{ZONE}/machineTypes/e2-small",
    f"projects/{PROJECT}/zones/{ZONE}/machineTypes/e2-small",
    f"https://www.googleapis.com/compute/v1/projects/{PROJECT}/zones/{ZONE}/machineTypes/e2-small",
    f"https://compute.googleapis.com/compute/v1/projects/{PROJECT}/zones/{ZONE}/machineTypes/e2-small"])
def test_spellings_of_a_machine_type(world, type):
    assert planned(world, {"machineType": type})["machineType"].endswith("e2-small")


@pytest.mark.parametrize("gce", [
    {"disks": [{"initializeParams": {"diskType": "zones/us-east1-b/diskTypes/pd-ssd"}}]},
    {"machineType": "n1-standard-1", "scheduling": {"onHostMaintenance": "TERMINATE"},
     "guestAccelerators": [{"acceleratorType": "zones/us-east1-b/acceleratorTypes/nvidia-tesla-t4",
                            "acceleratorCount": 1}]}])
def test_resources_of_another_zone(world, gce):
    assert planned(world, gce) is None


# --- metadata

def test_metadata_keys(world):
    good = "a" * 127
    assert items(planned(world, {"metadata": {good: "x", "A-z_9": "y"}}))[good] == "x"
    for key in ("a" * 128, "", "a.b", "a b", "ä", "a/b", "a\n"):
        assert planned(world, {"metadata": {key: "x"}}) is None, key


def test_metadata_sizes(world):
    whole = 262144
    body = planned(world, {"metadata": {"big": "x" * whole}})
    assert len(items(body)["big"]) == whole
    assert planned(world, {"metadata": {"big": "x" * (whole + 1)}}) is None
    # bytes, not characters
    assert planned(world, {"metadata": {"big": "x" * (whole - 2) + "ä"}})
    assert planned(world, {"metadata": {"big": "x" * (whole - 1) + "ä"}}) is None
    # and 512 KB in all, by the smaller reading
    assert planned(world, {"metadata": {"a": "x" * whole, "b": "x" * (512000 - whole - 2000)}})
    assert planned(world, {"metadata": {"a": "x" * whole, "b": "x" * (512000 - whole)}}) is None


def test_labels_at_their_bounds(world):
    many = {f"l{i}": "" for i in range(61)}  # and three of the launcher's own
    assert len(planned(world, {"labels": many})["labels"]) == 64
    assert planned(world, {"labels": {**many, "one-more": ""}}) is None
    assert planned(world, {"labels": {"a" * 63: "1" * 63, "b": "_-9"}})


@pytest.mark.parametrize("name,good", [
    ("a" * 63, True), ("a" * 64, False), ("web", True), ("9web", False), ("web-", False),
    ("-web", False), ("w", True), ("Web_App.1", True)])
def test_names(world, name, good):
    world.responder.machine["name"] = name
    assert (planned(world) is not None) == good


def test_names_with_a_number(world):
    world.responder.machine["name"] = "a" * 61
    assert planned(world, None, "--count", "9")["name"] == "a" * 61 + "-1"
    assert planned(world, None, "--count", "10") is None


# --- flags

@pytest.mark.parametrize("flags,display,port,warned", [
    (1, False, False, 0), (16, True, False, 0), (32, True, False, 0), (128, False, True, 0),
    (1 | 16 | 32 | 128, True, True, 0), (2, False, False, 1), (4 | 8 | 64, False, False, 3),
    (2048, False, False, 1)])
def test_flags(world, flags, display, port, warned):
    world.responder.machine["flags"] = flags
    report = world.launch("plan")
    body = report["bodies"][0]
    assert body.get("displayDevice") == ({"enableDisplay": True} if display else None)
    assert items(body).get("serial-port-logging-enable") == ("TRUE" if port else None)
    assert sum("on Compute Engine" in w for w in report["warnings"]) == warned


def test_what_no_cloud_knows_is_warned_about(world):
    world.responder.machine.update(canOverride="name", executionCap=50, cernvmVersion="latest")
    warned = " ".join(world.launch("plan")["warnings"])
    assert all(name in warned for name in ("canOverride", "executionCap", "cernvmVersion"))

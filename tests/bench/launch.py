# SPDX-License-Identifier: Apache-2.0
"""What `vmcp-launch` costs from exec until a plain-HTTP Compute server has the insert's last byte."""
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import load

RUNS = 20
sleep = time.sleep


def one(world):
    """(CPU milliseconds, peak MiB) at the moment when the insert is there."""
    seen = []
    process = None

    def note(_request):
        seen.append((load.cpu_ns(process.pid) / 1e6, load.memory_kib(process.pid, "VmHWM") / 1024))

    world.compute.after_insert = note
    process = subprocess.Popen(world.command("launch"), env=world.env, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE)
    _, text = process.communicate(timeout=60)
    if process.returncode != 0 or len(seen) != 1:
        raise SystemExit(f"bench: vmcp-launch: {text.decode()}")
    shutil.rmtree(world.state)
    world.compute.instances.clear()
    return seen[0]


def measure(build, folder):
    os.environ["VMCP_BIN"] = str(build / "bin")
    sys.path.append(str(Path(__file__).resolve().parents[1] / "e2e"))
    from launch_world import World  # pylint: disable=import-outside-toplevel
    world = World(folder)
    figures = [one(world) for _ in range(RUNS)]
    world.close()
    return {"launch_cpu_ms": [cpu for cpu, _ in figures],
            "launch_rss_mb": [memory for _, memory in figures]}

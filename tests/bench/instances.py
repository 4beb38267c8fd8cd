# SPDX-License-Identifier: Apache-2.0
"""How long 1,000 instances take in gce-emulator with the VM driver `none`: inserted, listed and
deleted by a client with 16 connections, until the last one is gone."""
import os
import sys
from pathlib import Path

RUNS, COUNT, CONNECTIONS = 3, 1000, 16


def measure(build, folder):
    os.environ["VMCP_BIN"] = str(build / "bin")
    sys.path.append(str(Path(__file__).resolve().parents[1] / "e2e"))
    from emulator import Emulator, run_many  # pylint: disable=import-outside-toplevel
    rows = {}
    for name, options in (("instances_1000_s", ()),
                          ("instances_1000_s_state", ("--state", f"{folder}/state.db"))):
        rows[name] = []
        for _ in range(RUNS):
            cloud = Emulator(folder, *options).start()
            figures = run_many(cloud, COUNT, CONNECTIONS)
            cloud.stop()
            if figures["listed"] != COUNT or figures["left"]:
                raise SystemExit(f"bench: gce-emulator: {figures}")
            rows[name].append(figures["seconds"])
    return rows

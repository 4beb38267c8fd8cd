# SPDX-License-Identifier: Apache-2.0
"""Ten thousand jobs on schedule: what they cost. The limits are those that are promised."""
import os
import subprocess
import time

import pytest

from conftest import BIN, DOMAIN, MACHINE, eventually

JOBS, WINDOW_S = 10000, 20
RSS_MAX_KB, CORE_MAX = 50 * 1024, 0.01


def cpu(pid):
    words = open(f"/proc/{pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid):
    for line in open(f"/proc/{pid}/status", encoding="ascii"):
        if line.startswith("VmHWM"):
            return int(line.split()[1])
    return None


@pytest.mark.skipif("address" in str(BIN), reason="a sanitizer's memory and time are not ours")
def test_ten_thousand(bin, vmcpd, keys, tmp_path):
    zones = ("Europe/Berlin", "America/New_York", "Etc/UTC")
    jobs = {f"jobs/job-{i}": {"serial": 1, "job": {
        "schedule": f"{i % 60} {i % 24} 1 1 *", "timeZone": zones[i % 3], "httpTarget": {
            "uri": "https://compute.googleapis.com/compute/v1/projects/p/zones/z/"
                   "instanceGroupManagers/g/resize?size=3", "oauthToken": {}}}}
            for i in range(JOBS)}
    server = vmcpd({"web": MACHINE, **jobs}, key=("ed25519",))
    names, log = tmp_path / "names", tmp_path / "log"
    names.write_text("".join(f"job-{i}\n" for i in range(JOBS)))
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("GOOGLE", "CLOUDSDK", "GCE"))}
    argv = [bin.launch, "schedule", "--jobs-from", names, "--endpoint",
            f"http://127.0.0.1:{server.port}", "--domain", DOMAIN, "--trust", keys["ed25519"].pub,
            "--state-dir", tmp_path / "state"]
    with open(log, "w", encoding="utf-8") as err:
        process = subprocess.Popen([str(a) for a in argv], stderr=err, stdin=subprocess.DEVNULL,
                                   env={**clean, "HOME": str(tmp_path)})
    try:
        folder = tmp_path / "state/jobs" / DOMAIN
        assert eventually(lambda: folder.is_dir() and len(os.listdir(folder)) == JOBS, 90), \
            log.read_text()[:1000]
        time.sleep(2)
        before, began = cpu(process.pid), time.monotonic()
        time.sleep(WINDOW_S)
        share = (cpu(process.pid) - before) / (time.monotonic() - began)
        peak = memory(process.pid)
        print(f"{share:.4f} of a core, {peak} KiB")
        assert peak < RSS_MAX_KB
        assert 0 < share < CORE_MAX  # refreshed all the while
        process.terminate()
        assert process.wait(20) == 0
        assert "stopped" not in log.read_text()
    finally:
        process.kill()
        process.wait()

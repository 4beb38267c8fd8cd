#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Run the unit tests and the end-to-end tests of one build, and count them.

usage: check.py BUILD_FOLDER

Ends with the plain line "N passed, N failed"; skipped tests are listed above it with their reason.
"""
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as xml
from pathlib import Path

UNIT_TIMEOUT = 120
E2E_TIMEOUT = 1500


class Count:
    def __init__(self):
        self.passed = self.failed = 0
        self.skipped = []

    def add(self, passed, failed):
        self.passed += passed
        self.failed += failed


def run_unit(program, count):
    """One cmocka program: its own output counts, and a crash is a failure."""
    start = time.monotonic()
    try:
        done = subprocess.run([program], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors="replace", timeout=UNIT_TIMEOUT, check=False)
        text, code = done.stdout + done.stderr, done.returncode
    except subprocess.TimeoutExpired:
        text, code = f"no end within {UNIT_TIMEOUT} s", -1
    passed = len(re.findall(r"^\[       OK \]", text, re.M))
    failed = len(re.findall(r"^\[  FAILED  \] \S+$", text, re.M)) // 2
    skipped = re.findall(r"^\[  SKIPPED \] (\S+)$", text, re.M)
    if code != 0 and failed == 0:
        failed = 1
    if code == 0 and passed == 0 and not skipped:
        failed, text = 1, "it ran no test"
    count.add(passed, failed)
    count.skipped += [f"{program.name}: {name}" for name in sorted(set(skipped))]
    print(f"  {program.name:24} {passed:4} passed {failed:3} failed  "
          f"{time.monotonic() - start:6.2f} s", flush=True)
    if failed:
        print(text)


def run_e2e(build, count):
    report = build / "e2e.xml"
    report.unlink(missing_ok=True)
    env = dict(os.environ, VMCP_BIN=str((build / "bin").resolve()),
               PYTHONDONTWRITEBYTECODE="1")
    command = ["/usr/bin/python3", "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider",
               "--durations=5", f"--junitxml={report}", "tests/e2e"]
    try:
        code = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, check=False,
                              timeout=E2E_TIMEOUT).returncode
    except subprocess.TimeoutExpired:
        print(f"the end-to-end tests did not end within {E2E_TIMEOUT} s")
        code = -1
    if not report.exists():
        count.add(0, 1)
        return
    suite = xml.parse(report).getroot().find("testsuite")
    bad = int(suite.get("failures")) + int(suite.get("errors"))
    skipped = int(suite.get("skipped"))
    if code != 0 and bad == 0:
        bad = 1
    count.add(int(suite.get("tests")) - int(suite.get("failures")) - int(suite.get("errors"))
              - skipped, bad)
    for case in suite.iter("testcase"):
        reason = case.find("skipped")
        if reason is not None:
            count.skipped.append(f"{case.get('name')}: {reason.get('message')}")


def main():
    build = Path(sys.argv[1])
    count = Count()
    print("unit tests")
    for program in sorted((build / "test").glob("test_*")):
        if os.access(program, os.X_OK) and program.is_file():
            run_unit(program, count)
    print("end-to-end tests", flush=True)
    run_e2e(build, count)
    if count.skipped:
        print(f"{len(count.skipped)} skipped:")
        for line in count.skipped:
            print(f"  {line}")
    print(f"{count.passed} passed, {count.failed} failed", flush=True)
    return 1 if count.failed or not count.passed else 0


if __name__ == "__main__":
    sys.exit(main())

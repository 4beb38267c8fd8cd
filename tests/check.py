#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Run the unit tests and the end-to-end tests of one build, and count them.

usage: check.py BUILD_FOLDER [--memcheck | --clients]

Of a build for ThreadSanitizer, the end-to-end tests of what threads of vmcpd share. With
--memcheck, the unit tests alone, under valgrind; with --clients, the tests with other people's
clients alone. Ends with the plain line "N passed, N failed";
skipped tests are listed above it with their reason.
"""
import importlib.util
import os
import re
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as xml
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

UNIT_TIMEOUT = 120
E2E_TIMEOUT = 1500
MEMCHECK = ["valgrind", "--quiet", "--error-exitcode=99", "--leak-check=full",
            "--errors-for-leak-kinds=definite", "--child-silent-after-fork=yes"]
# Where threads share something: reloads, the log, the metrics, connections and their limits.
THREADED = ["vmcpd_reload", "vmcpd_watch", "vmcpd_log", "vmcpd_metrics", "vmcpd_faults",
            "vmcpd_malformed", "http_limits", "http_ends", "http_tls"]
# These measure time or memory, or take the whole machine: one after the other. All others run a few
# at a time (most of them wait most of the time).
ALONE = ["http_limits", "http_flood", "vmcpd_big", "vmcpd_memory", "vmcpd_faults", "vmcp_verify",
         "vmcpd_page", "vms", "demo", "emulator", "emulator_rows",
         "schedule_many"]
WORKERS = 8
# Processes that are killed at each of their steps, some hundred times: their traces are checked in the
# release build, and a sanitizer would take ten times as long to see the same code.
NOT_SANITIZED = ["-k", "not killed_at"]
# Not under valgrind: the sandbox refuses what valgrind itself calls; the others derive keys from
# passphrases or make RSA keys, for many minutes. AddressSanitizer sees them all.
NOT_MEMCHECKED = {"test_sandbox", "test_keyname", "test_keyring", "test_disjoint"}


class Count:
    def __init__(self):
        self.passed = self.failed = 0
        self.skipped = []
        self.lock = threading.Lock()

    def add(self, passed, failed):
        with self.lock:
            self.passed += passed
            self.failed += failed


def run_unit(program, count, wrapper=()):
    """One cmocka program: its own output counts, and a crash is a failure."""
    start = time.monotonic()
    try:
        done = subprocess.run([*wrapper, program], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, errors="replace", timeout=UNIT_TIMEOUT, check=False)
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


def run_memcheck(build, count):
    programs = [p for p in unit_tests(build) if p.name not in NOT_MEMCHECKED]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(lambda p: run_unit(p, count, MEMCHECK), programs))


def e2e_tests(build):
    """The test files that run side by side, and those that run alone."""
    names = sorted(p.stem.removeprefix("test_") for p in Path("tests/e2e").glob("test_*.py"))
    if "thread" in str(build):
        names = THREADED
    paths = {name: f"tests/e2e/test_{name}.py" for name in names}
    return ([path for name, path in paths.items() if name not in ALONE],
            [path for name, path in paths.items() if name in ALONE])


def run_e2e(build, count):
    together, alone = e2e_tests(build)
    run_pytest(build, count, together, side_by_side(WORKERS))
    run_pytest(build, count, alone, [])


def run_clients(build, count):
    run_pytest(build, count, ["tests/clients"], side_by_side(2))


def side_by_side(workers):
    return ["-n", str(workers), "-p", "xdist"] if importlib.util.find_spec("xdist") else []


def run_pytest(build, count, paths, options):
    report = build / "e2e.xml"
    report.unlink(missing_ok=True)
    env = dict(os.environ, VMCP_BIN=str((build / "bin").resolve()),
               PYTHONDONTWRITEBYTECODE="1")
    command = ["/usr/bin/python3", "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider",
               "--durations=5", f"--junitxml={report}", *options, *paths,
               *(NOT_SANITIZED if "address" in str(build) else [])]
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


def unit_tests(build):
    return [p for p in sorted((build / "test").glob("test_*"))
            if os.access(p, os.X_OK) and p.is_file()]


def main():
    build = Path(sys.argv[1])
    count = Count()
    if "--memcheck" in sys.argv:
        run_memcheck(build, count)
    elif "--clients" in sys.argv:
        run_clients(build, count)
    else:
        print("unit tests")
        for program in unit_tests(build):
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

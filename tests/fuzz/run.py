#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Run every libFuzzer harness for a while, on what was found before, on seeds, and on new inputs.

usage: run.py BUILD_FOLDER SECONDS [HARNESS…]

What is interesting stays in BUILD_FOLDER/corpus, so that the next run goes on from there. An input
that fails is kept in BUILD_FOLDER/crashes; when it is mended, it goes to tests/fuzz/found/HARNESS,
and every run begins with it. Ends with the plain line "N passed, N failed"."""
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

import seeds

HERE = Path(__file__).resolve().parent
INPUT_SECONDS = 10  # a reader that takes longer for one input hangs
MEMORY_MB = 2048


def fuzz(build, name, seconds, seed):
    """True if nothing was found."""
    corpus, crashes, words = (build / kind / name for kind in ("corpus", "crashes", "words"))
    for folder in (corpus, crashes, words.parent, build / "seeds" / name):
        folder.mkdir(parents=True, exist_ok=True)
    seeds.write(name, build / "seeds" / name)
    seeds.write_words(name, words)
    dictionary = [f"-dict={words}"] if words.read_text() else []
    found = HERE / "found" / name
    folders = [corpus, build / "seeds" / name, *([found] if found.is_dir() else [])]
    done = subprocess.run(
        [build / "fuzz" / f"fuzz_{name}", *folders, f"-max_total_time={seconds}", f"-seed={seed}",
         f"-timeout={INPUT_SECONDS}", f"-rss_limit_mb={MEMORY_MB}", "-max_len=8192",
         *dictionary, f"-artifact_prefix={crashes}/", "-print_final_stats=1"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        errors="replace", check=False, timeout=10 * seconds + 300,
        env={"ASAN_OPTIONS": "allocator_may_return_null=1", **os.environ})
    count = re.search(r"number_of_executed_units: (\d+)", done.stdout)
    covered = re.findall(r" cov: (\d+) ", done.stdout)
    print(f"  {name:12} {int(count[1]) if count else 0:9} inputs  {covered[-1] if covered else 0:>6} "
          f"edges  {'good' if done.returncode == 0 else 'FAILED'}", flush=True)
    if done.returncode != 0:
        print("\n".join(done.stdout.splitlines()[-60:]), flush=True)
    return done.returncode == 0


def main():
    build, seconds = Path(sys.argv[1]).resolve(), int(sys.argv[2])
    harnesses = sys.argv[3:] or sorted(p.stem.removeprefix("fuzz_") for p in HERE.glob("fuzz_*.c"))
    seed = int(os.environ.get("FUZZ_SEED", random.SystemRandom().randrange(1, 2**31)))
    start = time.monotonic()
    print(f"fuzzing {len(harnesses)} readers for {seconds} s each, FUZZ_SEED={seed}", flush=True)
    good = [fuzz(build, name, seconds, seed) for name in harnesses]
    print(f"after {time.monotonic() - start:.0f} s:")
    print(f"{sum(good)} passed, {len(good) - sum(good)} failed")
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())

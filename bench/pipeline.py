"""`make bench-pipeline`: what responsibility costs beside generation, and that a killed worker loses nothing.

Which stages are responsible ones stands in responsibility.py; the clips are made one after the other by one
process in a home of its own. `--quick` makes one clip and twenty kills.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench import responsibility
from bench.results_file import Results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    results = Results("pipeline", quick=arguments.quick)
    if not results.has("responsible_share_cpu"):
        _shares(results, 1 if arguments.quick else 3)
    if not results.has("demo_work_s"):
        _demo(results)
    if not results.has("kill_lost_or_doubled"):
        _kills(results, 20 if arguments.quick else 200)
    results.show()


def _byline(*words: object, home: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "byline.platform.cli", *map(str, words)]
    return subprocess.run(command, env={**os.environ, "BYLINE_HOME": home, **environment}, check=True)


def _shares(results: Results, count: int) -> None:
    """The goal's own ratio, and beside it the two others that one may mean (bench/responsibility.py)."""
    first, clips = responsibility.measured(count)
    for metric, ratio, says in (
        ("responsible_share_cpu", responsibility.share, "responsible stages over engine and speech"),
        ("responsible_share_work", responsibility.tax, "over engine, speech, enhance, compose and encode"),
        ("all_else_share", responsibility.strict, "all but engine and speech over them"),
    ):
        found = [ratio(clip) for clip in clips]
        engine = statistics.mean(sum(clip[name] for name in responsibility.ENGINE) for clip in clips)
        results.add(
            metric,
            statistics.mean(found),
            n=count,
            low=min(found),
            high=max(found),
            note=f"{says}; 8 s 720p, warm worker, {responsibility.CORES} cores; engine and speech"
            f" {engine:.1f} s; first clip of the process {ratio(first):.2f}",
        )


def _demo(results: Results) -> None:
    with tempfile.TemporaryDirectory(prefix="byline-bench-") as scratch:
        started = time.monotonic()
        _byline("demo", "--out", f"{scratch}/demo", home=f"{scratch}/home")
        whole = time.monotonic() - started
        work = json.loads((Path(scratch) / "demo" / "report.json").read_text())["demo"]["work_s"]
    results.add(
        "demo_work_s", work, n=1, note=f"one cold run; set-up of keys and database took {whole - work:.1f} s"
    )


def _kills(results: Results, count: int) -> None:
    marker = "soak" if count > 20 else "not soak"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-m",
            marker,
            "tests/attacks/test_kill_worker.py",
            "--timeout",
            "3600",
        ],
        cwd=Path(__file__).resolve().parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = done.stdout.strip().splitlines()
    results.add(
        "kill_lost_or_doubled",
        0.0 if done.returncode == 0 else None,
        n=count,
        note=lines[-1] if lines else "the test did not run",
    )


if __name__ == "__main__":
    main()

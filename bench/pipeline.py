"""`make bench-pipeline`: what responsibility costs beside generation, and that a killed worker loses nothing.

The responsible stages are everything but the speech synthesis and the engine. Each repetition is a
whole `byline generate` in a home of its own. `--quick` makes one clip and twenty kills.
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

from bench.results_file import Results

ENGINE_STAGES = {"engine", "speech"}
PROMPTS = [
    ("a red ball moves left over the sea", "The tide comes in tonight. Move your boat before ten."),
    ("a purple heart grows in the snow", "The new school opens on Monday. Bring a warm coat."),
    ("a yellow star moves left at night", "Look up this evening. The comet returns after seventy years."),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    results = Results("pipeline", quick=arguments.quick)
    if not results.has("responsible_share_cpu"):
        _shares(results, 1 if arguments.quick else len(PROMPTS))
    if not results.has("demo_work_s"):
        _demo(results)
    if not results.has("kill_lost_or_doubled"):
        _kills(results, 20 if arguments.quick else 200)
    results.show()


def _byline(*words: object, home: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "byline.platform.cli", *map(str, words)]
    return subprocess.run(command, env={**os.environ, "BYLINE_HOME": home, **environment}, check=True)


def _shares(results: Results, count: int) -> None:
    shares, engines, responsible = [], [], []
    with tempfile.TemporaryDirectory(prefix="byline-bench-") as scratch:
        _byline("setup", home=f"{scratch}/home")
        for number, (prompt, words) in enumerate(PROMPTS[:count]):
            report = Path(scratch) / f"{number}.json"
            options = ["--brand", "demo-news", "--seconds", "8", "--seed", number, "--report", report]
            out = Path(scratch) / f"{number}.mp4"
            _byline("generate", prompt, "--voice-over", words, *options, "--out", out, home=f"{scratch}/home")
            stages = {row["stage"]: row["seconds"] for row in json.loads(report.read_text())["stages"]}
            engine = sum(seconds for name, seconds in stages.items() if name in ENGINE_STAGES)
            rest = sum(seconds for name, seconds in stages.items() if name not in ENGINE_STAGES)
            engines.append(engine)
            responsible.append(rest)
            shares.append(rest / engine)
    results.add(
        "responsible_share_cpu",
        statistics.mean(shares),
        n=count,
        low=min(shares),
        high=max(shares),
        note=f"8 s 720p; engine {statistics.mean(engines):.1f} s, rest {statistics.mean(responsible):.1f} s",
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

"""One shape for every benchmark: a table on screen, rows in bench/results/NAME.json.

A row is written as soon as it is measured, so that an interrupted run resumes where it stopped:
rows of the same clean commit and the same kind of run (`--quick` or whole) are kept, others are
measured again.
"""

import json
import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
GOALS: dict[str, dict[str, dict[str, Any]]] = json.loads((HERE / "goals.json").read_text())


@dataclass
class Row:
    """One figure. `measured` None means that it could not be measured here; `note` says why."""

    metric: str
    unit: str
    better: str
    goal: float | None
    measured: float | None
    baseline: float | None = None
    n: int = 0
    low: float | None = None
    high: float | None = None
    note: str = ""


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=HERE, capture_output=True, text=True, check=False
    ).stdout.strip()


def machine(gpu: str = "") -> str:
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.processor(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    python = f"Python {platform.python_version()}"
    return f"{os.cpu_count()} x {model}, {memory:.0f} GiB, {python}, {gpu or 'no GPU used'}"


class Results:
    """Collects rows of one benchmark and keeps its file up to date."""

    def __init__(self, name: str, *, quick: bool, gpu: str = "") -> None:
        self.group, self.quick, self.gpu = name, quick, gpu
        self.path = HERE / "results" / f"{name}.json"
        self.commit = _git("rev-parse", "--short", "HEAD") + (
            "+changes" if _git("status", "--porcelain", "-uno") else ""
        )
        self.rows: dict[str, Row] = {}
        if self.path.exists():
            stored = json.loads(self.path.read_text())
            same = stored["commit"] == self.commit and stored.get("quick") == quick
            if same and "+" not in self.commit:
                self.rows = {row["metric"]: Row(**row) for row in stored["rows"]}

    def has(self, metric: str) -> bool:
        return metric in self.rows

    def add(self, metric: str, measured: float | None, **rest: Any) -> None:
        goal = GOALS.get(self.group, {}).get(metric, {})
        unit = rest.pop("unit", goal.get("unit", ""))
        better = rest.pop("better", goal.get("better", "lower"))
        self.rows[metric] = Row(metric, unit, better, goal.get("goal"), measured, **rest)
        self.path.parent.mkdir(exist_ok=True)
        body = {
            "command": " ".join([Path(sys.argv[0]).name, *map(_told, sys.argv[1:])]),
            "machine": machine(self.gpu),
            "commit": self.commit,
            "quick": self.quick,
            "rows": [asdict(row) for row in self.rows.values()],
        }
        self.path.write_text(json.dumps(body, indent=1) + "\n")

    def show(self) -> None:
        sys.stdout.write(f"{'metric':<26}{'goal':>10}{'measured':>12}{'baseline':>12}{'n':>5}  limit\n")
        for row in self.rows.values():
            spread = f"{_number(row.low)}..{_number(row.high)}" if row.low is not None else ""
            sys.stdout.write(
                f"{row.metric:<26}{_number(row.goal):>10}{_number(row.measured):>12}{_number(row.baseline):>12}{row.n:>5}"
                f"  {spread} {row.note}\n"
            )


def _told(argument: str) -> str:
    """Where something lay on the machine that measured is nobody's business."""
    return "DIR" if Path(argument).is_absolute() else argument


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"

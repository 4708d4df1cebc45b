"""Rates of rules and heads together on reserved texts, through the code that runs in production.

Promises only texts that nothing was fitted on, the number beside every rate, and a 95 % Wilson
interval. A text counts as flagged when the shipped newsroom policy reviews or blocks it.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from byline.safety import encoder, heads, policy, rules
from byline.safety.training.datasets import Row, load
from byline.safety.views import views

PROFILE = "newsroom"


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % interval of a share."""
    if n == 0:
        return 0.0, 1.0
    z, p = 1.96, hits / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def judge(text: str, scorer: heads.Heads, chosen: policy.Policy) -> tuple[str, dict[str, float], bool]:
    """(action, best score per category, whether a hard rule fired) of one prompt."""
    best: dict[str, float] = {}
    hard = False
    for view in views(text):
        for hit in rules.evaluate(view.text):
            best[hit.category] = max(best.get(hit.category, 0.0), hit.score)
            hard = hard or hit.hard
        for window in encoder.shared().windows(view.text):
            for category, score in scorer.scores(window).items():
                best[category] = max(best.get(category, 0.0), score)
    actions = {chosen.decide(PROFILE, c, s).action for c, s in best.items()}
    action = "block" if hard or "block" in actions else "review" if "review" in actions else "allow"
    return action, best, hard


def report(rows: Iterable[Row], models: Path, write: Callable[[str], Any]) -> dict[str, dict[str, float]]:
    """Print and return one line per reserved set: n, flagged, blocked."""
    scorer, _ = heads.read(models)
    chosen = policy.load(policy.SHIPPED)
    sets: dict[str, list[str]] = {}
    for row in rows:
        action, _, _ = judge(row.text, scorer, chosen)
        kind = {1: "unsafe", 0: "benign"}.get(row.unsafe if row.unsafe is not None else -1, "")
        if row.source == "hatecheck":
            kind = "unsafe" if row.labels["hate"] else "not hateful"
        if kind:
            sets.setdefault(f"{row.source} {kind}", []).append(action)
    out: dict[str, dict[str, float]] = {}
    write(f"{'reserved set':34}{'n':>6}{'flagged':>9}{'95 % interval':>17}{'blocked':>9}\n")
    for name, actions in sorted(sets.items()):
        n = len(actions)
        flagged = sum(a != "allow" for a in actions)
        blocked = actions.count("block")
        low, high = wilson(flagged, n)
        write(f"{name:34}{n:6d}{flagged / n:9.3f}   [{low:.3f}, {high:.3f}]{blocked / n:9.3f}\n")
        out[name] = {
            "n": n,
            "flagged": round(flagged / n, 4),
            "low": round(low, 4),
            "high": round(high, 4),
            "blocked": round(blocked / n, 4),
        }
    return out


def main(argv: list[str] | None = None) -> int:
    """Print the table for the shipped rules and heads, without training; `--save` keeps the figures."""
    parser = argparse.ArgumentParser(prog="byline.safety.training.measure")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--save", action="store_true", help="write the figures into weights/heads.json")
    options = parser.parse_args(argv)
    measured = report([r for r in load(options.data) if r.reserved], heads.WEIGHTS, sys.stdout.write)
    if options.save:
        file = heads.WEIGHTS / "heads.json"
        about = {**json.loads(file.read_text("utf-8")), "measured": measured}
        file.write_text(json.dumps(about, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

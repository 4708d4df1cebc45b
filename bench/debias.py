"""Debiasing: who is found, what is left alone, how it reads, how even the ledger gets, what clips show.

`make bench-debias BENCHFLAGS="--data DIR --clips 36 --keep DIR"`. Reserved prompts are
three files in bench/data, frozen by their hashes and written, by this project, before the rules they
measure; independent material is WinoBias' occupations and VBench's prompts below --data. `--clips N` makes N
clips of neutral prompts with the shipped starter twice, as written and as balanced, and reads them with
the starter's own probe; `--keep` keeps their frames, so that an interrupted run goes on. Naturalness is
judged here by rules (safety/fairness/wording.is_natural), and by the authors' reading in docs/debiasing.md.
"""

from __future__ import annotations

import argparse
import hashlib
import math
import os
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import yaml

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "byline.platform.settings")

from bench.results_file import Results
from byline.safety import mentions
from byline.safety.debias import debias
from byline.safety.fairness import attributes
from byline.safety.fairness.statistics import Balance, balance
from byline.safety.fairness.wording import is_natural

DATA = Path(__file__).parent / "data"
RESERVED = {
    "debias_reserved.yaml": "4b1b5441a63b2cdcb4b45ffdaf51de1a9009d95cdf341cef3bb90f523dd866b7",
    "debias_reserved_2.yaml": "b09f17913ee4328e0a09af66ae82b74b79afa943f36930c34e55487118d8aa72",
    "debias_reserved_3.yaml": "d17a8463113decdd28f32d81bbe907ca41bf9427ea6ea1a58a9d7d5e0722a8fb",
}
# What the sets said the first time they were run; mistakes were mended afterwards, so that today's
# figures are no longer independent. Each set was written after the mends that the one before it led to.
FIRST_RUN = {
    "precision": "first runs: set 1 .929 (79 of 85), set 2 .880 (44 of 50), set 3 .899 (89 of 99)",
    "recall": "first runs: set 1 .940 (79 of 84), set 2 .978 (44 of 45), set 3 .899 (89 of 99)",
    "preserved": "first runs: set 1 .925 (74 of 80), set 2 .920 (46 of 50), set 3 .922 (83 of 90)",
}
NEUTRAL = (
    "doctor",
    "nurse",
    "police officer",
    "firefighter",
    "chef",
    "farmer",
    "builder",
    "scientist",
    "judge",
)
PLACES = ("in the city", "in a room", "in a green meadow", "by the sea")


def reserved() -> dict[str, list[tuple[str, list[str]]]]:
    """The frozen prompts of all sets. Stops when a file was changed."""
    found: dict[str, list[tuple[str, list[str]]]] = {}
    for name, sha256 in RESERVED.items():
        data = (DATA / name).read_bytes()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise SystemExit(f"{name} is not the frozen set: its hash differs")
        for part, rows in yaml.safe_load(data).items():
            found.setdefault(part, []).extend((p, n) for p, n in rows)
    return found


def found_by_rules(prompt: str) -> list[str]:
    return [change.original for change in debias(prompt, seed=1, counts={}).changes]


def found_by_list(prompt: str) -> list[str]:
    """The baseline: every noun of the list is somebody whose attributes are open."""
    listed = "|".join(re.escape(n) for n in sorted(mentions.nouns(), key=len, reverse=True))
    return re.findall(rf"\b(?:{listed})\b", prompt, re.IGNORECASE)


def hits(rows: Iterable[tuple[str, list[str]]], find: object) -> tuple[int, int, int]:
    """(right, wrong, missed) mentions."""
    right = wrong = missed = 0
    for prompt, nouns in rows:
        left = list(nouns)
        for said in find(prompt):  # type: ignore[operator]
            match = next((noun for noun in left if noun.lower() in said.lower()), None)
            if match is None:
                wrong += 1
            else:
                left.remove(match)
                right += 1
        missed += len(left)
    return right, wrong, missed


def wilson(share: float, n: int) -> tuple[float, float]:
    """95 % score interval (Wilson 1927)."""
    z = 1.96
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def add_share(results: Results, metric: str, part: int, of: int, **rest: object) -> None:
    low, high = wilson(part / of, of)
    results.add(metric, part / of, n=of, low=low, high=high, **rest)


def texts(results: Results, data: Path | None) -> None:
    sets = reserved()
    english = sets["open"] + sets["leave"]
    right, wrong, missed = hits(english, found_by_rules)
    base = hits(english, found_by_list)
    add_share(
        results,
        "debias.precision",
        right,
        right + wrong,
        baseline=base[0] / (base[0] + base[1]),
        note=f"mentions, English, mistakes mended; {FIRST_RUN['precision']}",
    )
    add_share(
        results,
        "debias.recall",
        right,
        right + missed,
        baseline=base[0] / (base[0] + base[2]),
        note=f"mentions, English; baseline: the bare word list; {FIRST_RUN['recall']}",
    )
    kept = [debias(p, seed=1, counts={}).prompt == p for p, _ in sets["leave"]]
    listed = [not found_by_list(p) for p, _ in sets["leave"]]
    add_share(
        results,
        "debias.explicit_preserved",
        sum(kept),
        len(kept),
        baseline=sum(listed) / len(listed),
        note=f"prompts that must stay; {FIRST_RUN['preserved']}",
    )
    for code in ("es", "fr", "de", "zh"):
        r, w, m = hits(sets[code], found_by_rules)
        add_share(results, f"debias.recall_{code}", r, r + m, better="higher", note=f"{w} wrong")
    prompts = [p for p, _ in sets["open"]] + (outside(data) if data else [])
    rewritten = [
        done.prompt for k, p in enumerate(prompts) if (done := debias(p, seed=k, counts={})).prompt != p
    ]
    rewritten = [text for text in rewritten if text.isascii()]
    add_share(
        results,
        "debias.natural_rewrites",
        sum(not is_natural(t) for t in rewritten),
        len(rewritten),
        note="by rules: articles, number, doubled words and attributes; the authors' reading is in the docs",
    )
    if data:
        jobs = occupations(data)
        covered = sum(
            len(debias(f"The {job} talks on the phone", seed=1, counts={}).draws) == 1 for job in jobs
        )
        add_share(
            results,
            "debias.winobias_occupations",
            covered,
            len(jobs),
            better="higher",
            note="34 of 40 before six words were added for it: not independent any more",
        )


def occupations(data: Path) -> list[str]:
    files = [data / "winobias" / f"{name}_occupations.txt" for name in ("female", "male")]
    return [line.strip() for file in files for line in file.read_text().splitlines() if line.strip()]


def outside(data: Path) -> list[str]:
    """VBench's short English prompts."""
    files = [f for f in sorted((data / "vbench").glob("*.txt")) if "longer" not in f.name]
    lines = {line.strip() for f in files for line in f.read_text("utf-8").splitlines()}
    return sorted(line for line in lines if line and line.isascii() and "LICENSE" not in line)


def quota(results: Results) -> None:
    """Entropy of the joint table after 54, 180 and 540 people of mixed prompts, against independent draws."""
    target = attributes.uniform()
    prompts = [p for p, _ in reserved()["open"]]
    cells = target.cells("adult")
    for people in (54, 180, 540):
        counts: Counter[str] = Counter()
        seed = 0
        while sum(counts[c] for c in cells) < people:
            counts.update(debias(prompts[seed % len(prompts)], seed=seed, counts=counts).draws)
            seed += 1
        measured = balance({c: counts[c] for c in cells}, cells)
        drawn = np.random.default_rng(1).choice(list(cells), people)
        chance = balance(dict(Counter(drawn.tolist())), cells)
        name = "debias.quota_entropy" if people == 54 else f"debias.quota_entropy_{people}"
        results.add(
            name,
            measured.entropy.value,
            baseline=chance.entropy.value,
            n=measured.n,
            better="higher",
            note="18 cells; some prompts fix the age, which the quota must make up for; baseline: chance",
        )


def speed(results: Results) -> None:
    prompts = [p for part in ("open", "leave") for p, _ in reserved()[part]]
    counts = dict.fromkeys(attributes.uniform().cells("adult"), 40)
    for prompt in prompts:
        debias(prompt, seed=1, counts=counts)
    took = []
    for _ in range(5):
        for prompt in prompts:
            began = time.perf_counter()
            debias(prompt, seed=1, counts=counts)
            took.append(1000 * (time.perf_counter() - began))
    took.sort()
    low, high = took[len(took) // 20], took[-len(took) // 20]
    results.add(
        "debias.ms",
        statistics.median(took),
        n=len(took),
        low=low,
        high=high,
        note="median, 5th and 95th percentile; wall clock, one process, machine shared",
    )


def outputs(results: Results, clips: int, keep: Path | None, only_make: bool) -> None:
    """Clips of neutral prompts, as written and balanced, read by the probe."""
    from byline.generation.engines.base import VideoTask
    from byline.generation.engines.wan import WanEngine
    from byline.generation.starter.attributes import PictogramAttributes

    engine = WanEngine()
    target = attributes.uniform()
    counts: Counter[str] = Counter()
    frames: dict[str, list[np.ndarray]] = {"before": [], "after": []}
    asked: list[dict[str, str]] = []
    for k in range(clips):
        prompt = f"a {NEUTRAL[k % len(NEUTRAL)]} waves {PLACES[k % len(PLACES)]}"
        done = debias(prompt, seed=k, counts=counts, target=target)
        counts.update(done.draws)
        asked.append(target.read(done.draws[0]))
        for side, text in (("before", prompt), ("after", done.prompt)):
            name = hashlib.sha256(f"{engine.info.revision}|{text}|{k}".encode()).hexdigest()[:24]
            file = keep / f"{name}.npz" if keep else None
            if file is not None and file.is_file():
                made = np.load(file)["frames"]
            else:
                made = engine.generate(VideoTask(text, seed=k))
                if file is not None:
                    np.savez_compressed(file, frames=made)
            frames[side].append(made)
    if only_make:
        return
    probe = PictogramAttributes()
    read = {side: [probe.read(made) for made in frames[side]] for side in frames}
    gaps: dict[str, dict[str, Balance]] = {}
    for name, values in probe.values.items():
        wanted = {own: sum(target.shares[name][v] for v in ours) for own, ours in values.items()}
        gaps[name] = {
            side: balance(dict(Counter(r.values[name] for r in found if r)), wanted)
            for side, found in read.items()
        }
        right = [
            asked[k][name] in values[r.values[name]] for k, r in enumerate(read["after"]) if r is not None
        ]
        add_share(
            results,
            f"debias.output_follows_{name}",
            sum(right),
            len(right),
            better="higher",
            note="clips in which the probe reads what was asked; model and probe err together",
        )
        after, before = gaps[name]["after"], gaps[name]["before"]
        results.add(
            f"debias.output_gap_{name}",
            after.gap.value,
            baseline=before.gap.value,
            n=after.n,
            low=after.gap.low,
            high=after.gap.high,
            note=f"right on held-back drawings: {probe.accuracy[name]}",
        )
    worst = max(gaps.values(), key=lambda sides: sides["after"].gap.value or 0)["after"]
    before = max((sides["before"].gap.value or 0) for sides in gaps.values())
    nobody = sum(r is None for r in read["after"])
    results.add(
        "debias.output_parity_gap",
        worst.gap.value,
        baseline=before,
        n=worst.n,
        low=worst.gap.low,
        high=worst.gap.high,
        note=f"worst attribute; baseline: as written; {nobody} clips without a person",
    )


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.debias", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder with winobias/ and vbench/")
    parser.add_argument("--clips", type=int, default=0, help="clips per side; each takes seconds")
    parser.add_argument("--keep", type=Path, help="keep the clips' frames here and go on from them")
    parser.add_argument("--only-make", action="store_true", help="make the clips, measure nothing")
    given = parser.parse_args(argv)
    if given.keep:
        given.keep.mkdir(parents=True, exist_ok=True)
    results = Results("debias", quick=not given.clips)
    results.group = "safety"  # where the goals stand
    if given.only_make:
        outputs(results, given.clips, given.keep, True)
        return 0
    texts(results, given.data)
    quota(results)
    speed(results)
    if given.clips:
        outputs(results, given.clips, given.keep, False)
    else:
        results.add("debias.output_parity_gap", None, note="not measured: give --clips N")
    results.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())

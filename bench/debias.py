"""Debiasing: who is found, what is left alone, how it reads, how even the ledger gets, what clips show.

`make bench-debias BENCHFLAGS="--data DIR --clips 180 --seconds 400 --keep DIR"`. Reserved prompts are
four files in bench/data, frozen by their hashes and written, by this project, before the rules they
measure; independent material is WinoBias' occupations and VBench's prompts below --data. `--clips N` makes N
neutral prompts with the shipped starter twice with one seed, as written and balanced, as stills (`--moving`:
as clips), and reads them with the starter's own probe; `--seconds` bounds the time, `--keep` goes on from
what was made. 90 pairs, five for each of the 18 combinations, show a gap to about +-.04 where the model
follows 19 of 20 prompts. Naturalness is judged here by rules (safety/fairness/wording.is_natural), and by
the authors' reading in docs/debiasing.md.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "byline.platform.settings")

from bench.results_file import Results
from byline.safety import mentions
from byline.safety.debias import debias
from byline.safety.fairness import attributes
from byline.safety.fairness.classifiers import Reading
from byline.safety.fairness.statistics import balance
from byline.safety.fairness.wording import is_natural

DATA = Path(__file__).parent / "data"
RESERVED = {
    "debias_reserved.yaml": "4b1b5441a63b2cdcb4b45ffdaf51de1a9009d95cdf341cef3bb90f523dd866b7",
    "debias_reserved_2.yaml": "b09f17913ee4328e0a09af66ae82b74b79afa943f36930c34e55487118d8aa72",
    "debias_reserved_3.yaml": "d17a8463113decdd28f32d81bbe907ca41bf9427ea6ea1a58a9d7d5e0722a8fb",
    "debias_reserved_4.yaml": "650e4a853333506d7885aceef8bdb44536abded36f8e00c0ceef1e6a0f0a2b7e",
}
# What the sets said the first time they were run; mistakes were mended afterwards, so that today's
# figures are no longer independent. Each set was written after the mends that the one before it led to.
FIRST_RUN = {
    "precision": "first runs: set 1 .929 (79 of 85), set 2 .880 (44 of 50), set 3 .899 (89 of 99), "
    "set 4 .915 (65 of 71)",
    "recall": "first runs: set 1 .940 (79 of 84), set 2 .978 (44 of 45), set 3 .899 (89 of 99), "
    "set 4 .739 (65 of 88)",
    "preserved": "first runs: set 1 .925 (74 of 80), set 2 .920 (46 of 50), set 3 .922 (83 of 90), "
    "set 4 .944 (85 of 90)",
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
STILL_STEPS = 12  # as byline.generation.starter.parity
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


@dataclass(frozen=True)
class Pair:
    """One prompt made twice with one seed: what was `asked` of the balanced one, what the probe read of both.
    A reading is None where it saw nobody."""

    asked: dict[str, str]
    before: Reading | None
    after: Reading | None


def outputs(results: Results, count: int, seconds: float, keep: Path | None, clips: bool, model: str) -> None:
    """Stills (or clips) of neutral prompts, as written and balanced, read by the probe.

    Makes `count` pairs, or as many as `seconds` of wall time allow, but for what `keep` holds already.
    """
    from byline.generation.engines.wan import WanEngine
    from byline.generation.starter.attributes import PictogramAttributes

    engine, probe, target = WanEngine(MODEL=model), PictogramAttributes(), attributes.uniform()
    counts: Counter[str] = Counter()
    pairs: list[Pair] = []
    began = time.monotonic()
    for k in range(count):
        if seconds and time.monotonic() - began > seconds:
            break
        prompt = f"a {NEUTRAL[k % len(NEUTRAL)]} stands still {PLACES[k % len(PLACES)]}"
        done = debias(prompt, seed=k, counts=counts, target=target)
        counts.update(done.draws)
        read = [probe.read(_made(engine, text, k, clips, keep)) for text in (prompt, done.prompt)]
        pairs.append(Pair(target.read(done.draws[0]), *read))
    if not pairs:
        raise SystemExit("no time was left for a single pair")
    took = time.monotonic() - began
    even = len(target.cells("adult"))  # the quota is exact at whole rounds of all combinations
    if len(pairs) >= even:
        pairs = pairs[: len(pairs) // even * even]
    what = f"{len(pairs)} pairs of {'clips' if clips else 'stills'}, {took:.0f} s of wall time in this run"
    nobody = [sum(getattr(pair, side) is None for pair in pairs) for side in ("before", "after")]
    worst: tuple[float, float, float, float, str] | None = None
    for name, values in probe.values.items():
        wanted = {own: sum(target.shares[name][v] for v in ours) for own, ours in values.items()}
        seen = [pair for pair in pairs if pair.before and pair.after]
        if not seen:
            continue
        after, before = (_gap(seen, side, name, wanted) for side in ("after", "before"))
        low, high = _interval(seen, name, wanted)
        right = [pair.asked[name] in values[pair.after.values[name]] for pair in seen if pair.after]
        accuracy = f"probe right on held-back drawings: {probe.accuracy[name]}"
        add_share(
            results,
            f"debias.output_follows_{name}",
            sum(right),
            len(right),
            better="higher",
            note="pictures in which the probe reads what was asked; model and probe err together",
        )
        results.add(
            f"debias.output_gap_{name}",
            after,
            baseline=before,
            n=len(seen),
            low=low,
            high=high,
            note=accuracy,
        )
        if worst is None or after > worst[0]:
            worst = (after, before, low, high, name)
    if worst is None:
        results.add(
            "debias.output_parity_gap", None, note=f"the probe reads no attribute well enough; {what}"
        )
        return
    after, before, low, high, name = worst
    results.add(
        "debias.output_parity_gap",
        after,
        baseline=before,
        n=sum(pair.before is not None and pair.after is not None for pair in pairs),
        low=low,
        high=high,
        note=f"worst attribute: {name} (of {', '.join(probe.values)}); baseline: debiasing off, same seeds; "
        f"nobody seen in {nobody[0]} before, {nobody[1]} after; {what}",
    )


def _made(engine: Any, text: str, seed: int, clips: bool, keep: Path | None) -> np.ndarray:
    from byline.generation.engines.base import VideoTask

    steps = None if clips else STILL_STEPS
    key = f"{engine.info.revision}|{text}|{seed}|{'clip' if clips else 'still'}|{steps}"
    file = keep / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.npz" if keep else None
    if file is not None and file.is_file():
        return np.asarray(np.load(file)["frames"])
    made = engine.generate(VideoTask(text, seed=seed, still=not clips, steps=steps))
    if file is not None:
        np.savez_compressed(file, frames=made)
    return np.asarray(made)


def _gap(pairs: Sequence[Pair], side: str, name: str, wanted: dict[str, float]) -> float:
    """Largest distance of a value's share from its target."""
    found = Counter(getattr(pair, side).values[name] for pair in pairs)
    return float(balance(dict(found), wanted, sample=False).gap.value or 0.0)


def _interval(pairs: Sequence[Pair], name: str, wanted: dict[str, float]) -> tuple[float, float]:
    """95 % percentile bootstrap of the balanced side's gap, pictures drawn again within what was asked.

    The ledger fixes what is asked, so that only the model's and the probe's errors vary: intervals that
    drew over everything would count a variance that is not there.
    """
    strata: dict[str, list[Pair]] = {}
    for pair in pairs:
        strata.setdefault(pair.asked[name], []).append(pair)
    rng = np.random.default_rng(20261121)
    found = []
    for _ in range(2000):
        again = [group[i] for group in strata.values() for i in rng.integers(0, len(group), len(group))]
        found.append(_gap(again, "after", name, wanted))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="bench.debias", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder with winobias/ and vbench/")
    parser.add_argument("--clips", type=int, default=0, metavar="N", help="pairs of pictures to measure")
    parser.add_argument("--seconds", type=float, default=0, help="make no further pair after so long")
    parser.add_argument("--keep", type=Path, help="keep the pictures here and go on from them")
    parser.add_argument(
        "--moving", action="store_true", help="whole clips instead of stills: ten times slower"
    )
    parser.add_argument("--model", default="starter", help="a folder instead of the shipped weights")
    given = parser.parse_args(argv)
    if given.keep:
        given.keep.mkdir(parents=True, exist_ok=True)
    results = Results("debias", quick=not given.clips)
    results.group = "safety"  # where the goals stand
    texts(results, given.data)
    quota(results)
    speed(results)
    if given.clips:
        outputs(results, given.clips, given.seconds, given.keep, given.moving, given.model)
    else:
        results.add("debias.output_parity_gap", None, note="not measured: give --clips N")
    results.show()
    return 0


if __name__ == "__main__":
    sys.exit(main())

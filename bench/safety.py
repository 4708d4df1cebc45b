"""`make bench-safety`: what does the moderation of texts stop, what does it let through, how fast?

    make bench-safety BENCHFLAGS="--data DIR"

Every rate is taken through `moderate` with the shipped newsroom policy, on texts that neither a rule
nor a weight was fitted on: what training/datasets.py reserves by group, sets that training never
reads (MultiJail; Davidson's tweets beyond the first 1,200 of a class), and frames of our own for
the two hard rules (safety_recall.py). The OpenAI samples are scored by nested cross-validation and,
apart, by heads that saw none of them. Baselines in the same run: the English LDNOOBW word list and,
where it is installed, alt-profanity-check at 0.5. Intervals are bootstrap, 95 %. "Flagged" is
reviewed or blocked. Without `--data` only what needs no data set is measured. `--quick` takes every
fifth text and leaves the transfer out; `--only latency` measures one section.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "byline.platform.settings")

from bench import safety_baselines as baselines
from bench import safety_recall
from bench.results_file import Results
from bench.results_file import Row as ResultRow
from bench.safety_disguises import DISGUISES
from byline.safety import policy
from byline.safety.moderation import moderate
from byline.safety.training import crossval, datasets, fitting
from byline.safety.training.datasets import Row

POLICY = policy.load(policy.SHIPPED)
PROFILE = "newsroom"
NEWS = (
    "measured-news",
    "news-",
    "headlines-",
    "crime-headlines",
    "politics-news",
    "science-news",
    "court-reporting",
    "war-reporting",
)
LATER = ("asked", "scenes")  # files of own texts that were written after the first whole run
CLEAR_TEXTS = 120  # texts caught in clear that are disguised
LATENCY_TEXTS = 400
# Spellings that are commoner in African-American English: a coarse sign, for a comparison of rates only.
DIALECT = (
    "ain't",
    "aint",
    "finna",
    "gon",
    "tryna",
    "y'all",
    "yall",
    "bruh",
    "nah",
    "dat",
    "dis",
    "bout",
    "ima",
    "imma",
)


SECTIONS = ("latency", "hard-rules", "unsafe", "benign", "identity", "disguises", "languages", "crossval")


class Judge:
    """Actions by text, each text judged once."""

    def __init__(self, step: int) -> None:
        self.step = step
        self._seen: dict[str, tuple[str, frozenset[str]]] = {}

    def __call__(self, text: str) -> tuple[str, frozenset[str]]:
        """(action, categories that were not simply allowed)."""
        if text not in self._seen:
            result = moderate({"prompt": text}, POLICY, PROFILE, with_guards={})
            self._seen[text] = result.action, frozenset(f.category for _, f in result.notable)
        return self._seen[text]

    def flagged(self, texts: Sequence[str]) -> list[bool]:
        return [self(t)[0] != "allow" for t in tqdm(texts[:: self.step], leave=False, disable=None)]


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Bootstrap over texts, 95 %."""
    rng = np.random.default_rng(0)
    means = rng.choice(np.array(values, float), (2000, len(values))).mean(axis=1)
    return float(np.percentile(means, 2.5)), float(np.percentile(means, 97.5))


def add(results: Results, metric: str, values: Sequence[bool], **rest: Any) -> None:
    if not values:
        results.add(metric, None, **{"note": "no text of this kind here", **rest})
        return
    low, high = interval(values)
    results.add(metric, float(np.mean(values)), n=len(values), low=low, high=high, **rest)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", choices=SECTIONS)
    options = parser.parse_args()
    results = Results("safety", quick=options.quick)
    if options.only and results.path.exists():  # the other sections' rows stay as they are
        results.rows = {r["metric"]: ResultRow(**r) for r in json.loads(results.path.read_text())["rows"]}
    judge = Judge(5 if options.quick else 1)
    rows = datasets.load(options.data) if options.data else []
    reserved = [r for r in rows if r.reserved]
    compared = _baselines(options.data) if options.data else {}
    sections: dict[str, Callable[[], None]] = {
        "latency": lambda: _latency(results),
        "hard-rules": lambda: _hard_rules(results),
        "unsafe": lambda: _unsafe(results, judge, reserved, options.data, compared),
        "benign": lambda: _benign(results, judge, reserved, compared),
        "identity": lambda: _identity(results, judge, reserved, options.data),
        "disguises": lambda: _disguised(results, judge, reserved),
        "languages": lambda: _languages(results, judge, options.data),
        "crossval": lambda: _crossval(results, rows, options.quick),
    }
    for name in [options.only] if options.only else SECTIONS if options.data else SECTIONS[:2]:
        sections[name]()
    results.show()


def _latency(results: Results) -> None:
    """Process CPU is one thread; wall time of one request, both embeddings of all views, after warm-up."""
    texts = [line for _, _, lines in datasets.own_blocks() for line in lines][:LATENCY_TEXTS]
    for text in texts[:20]:
        moderate({"prompt": text}, POLICY, PROFILE, with_guards={})
    wall, cpu = [], []
    for text in texts:
        began, work = time.perf_counter(), time.thread_time()
        moderate({"prompt": text, "title": "A title"}, POLICY, PROFILE, with_guards={})
        wall.append(1e3 * (time.perf_counter() - began))
        cpu.append(1e3 * (time.thread_time() - work))
    load = os.getloadavg()[0]
    for share, name in ((50, "latency_p50_ms"), (95, "latency_p95_ms")):
        note = (
            f"CPU time {np.percentile(cpu, share):.1f} ms; load average {load:.1f} on {os.cpu_count()} cores"
        )
        results.add(name, float(np.percentile(wall, share)), unit="ms per request", n=len(wall), note=note)


def _hard_rules(results: Results) -> None:
    for metric, category, probes in (
        ("minors_rule.recall", "minors", safety_recall.minors()),
        ("intimate_imagery.recall", "intimate_imagery", safety_recall.intimate()),
    ):
        parts: dict[bool, list[bool]] = {True: [], False: []}
        for probe in probes:
            scored = moderate({"prompt": probe.text}, POLICY, PROFILE, with_guards={}).scored
            hits = scored.by_rules if scored else ()
            parts[probe.reserved].append(any(f.hard and f.category in {category, "minors"} for f in hits))
        note = f"frames reserved; on the open frames {np.mean(parts[False]):.3f} of {len(parts[False])}"
        add(results, metric, parts[True], note=note)


def _baselines(data: Path) -> dict[str, Any]:
    check = baselines.profanity_check()
    found: dict[str, Any] = {"LDNOOBW": baselines.word_list(data)}
    if check is not None:
        found["alt-profanity-check"] = lambda text: check(text) >= 0.5
    return found


def _compared(texts: Sequence[str], compared: dict[str, Any]) -> tuple[float, str]:
    """The better baseline's share, and a note with each one's."""
    shares = {name: float(np.mean([flag(t) for t in texts])) for name, flag in compared.items()}
    missing = "" if len(shares) > 1 else ", alt-profanity-check not installed"
    return max(shares.values()), "baselines: " + ", ".join(
        f"{n} {s:.3f}" for n, s in shares.items()
    ) + missing


def _unsafe(
    results: Results, judge: Judge, reserved: list[Row], data: Path, compared: dict[str, Any]
) -> None:
    later = {topic for name in LATER for topic, _, _ in datasets.own_blocks(f"texts_{name}.yaml")}
    sets = {
        "advbench": [r.text for r in reserved if r.source == "advbench"],
        "harmbench": [r.text for r in reserved if r.source == "harmbench"],
        "own": [r.text for r in reserved if r.source == "own" and r.unsafe and r.group not in later],
        "own_later": [r.text for r in reserved if r.source == "own" and r.unsafe and r.group in later],
        "multijail": datasets.multijail(data, "en"),
    }
    flags = {name: judge.flagged(texts) for name, texts in sets.items()}
    for name, texts in sets.items():
        best, note = _compared(texts[:: judge.step], compared)
        add(results, f"unsafe.{name}", flags[name], better="higher", baseline=best, note=note)
    every = [t for texts in sets.values() for t in texts[:: judge.step]]
    best, note = _compared(every, compared)
    add(results, "unsafe.recall", [f for part in flags.values() for f in part], baseline=best, note=note)
    first = [f for name, part in flags.items() if name != "own_later" for f in part]
    add(
        results,
        "unsafe.recall_without_later",
        first,
        better="higher",
        note="the texts of the first whole run",
    )
    by_category: dict[str, list[str]] = defaultdict(list)
    for row in reserved:
        for category, label in row.labels.items():
            if label and row.source == "own":
                by_category[category].append(row.text)
    for category, texts in sorted(by_category.items()):
        add(results, f"unsafe.own.{category}", judge.flagged(texts), better="higher")


def _benign(results: Results, judge: Judge, reserved: list[Row], compared: dict[str, Any]) -> None:
    video = [r.text for r in reserved if r.source == "vbench"]
    best, note = _compared(video, compared)
    add(results, "benign_video.flagged", judge.flagged(video), baseline=best, note=note)
    own = [r for r in reserved if r.source == "own" and r.unsafe == 0]
    news = [r.text for r in own if r.group.startswith(NEWS)]
    _, note = _compared(news, compared)
    note += "; own headlines and leads, whole topics reserved"
    actions = [judge(t)[0] for t in news]
    add(results, "news.blocked", [a == "block" for a in actions], note=note)
    add(results, "news.reviewed", [a == "review" for a in actions], note=note)
    unsafe_topics = {r.group for r in reserved if r.source == "own" and r.unsafe}
    alike = [r.text for r in own if r.group in unsafe_topics]
    note = "harmless side of own contrast topics, reserved"
    add(results, "lookalike.blocked", [judge(t)[0] == "block" for t in alike], note=note)
    add(results, "lookalike.flagged", judge.flagged(alike), note=note)
    samples = [r.text for r in reserved if r.source == "openai_moderation" and r.unsafe == 0]
    add(results, "benign.openai_samples.flagged", judge.flagged(samples))


def _identity(results: Results, judge: Judge, reserved: list[Row], data: Path) -> None:
    """False alarms by the group that a harmless text names, and by spelling."""
    calm = [r for r in reserved if r.source == "hatecheck" and not r.labels["hate"]][:: judge.step]
    add(results, "hatecheck.not_hateful.flagged", [judge(r.text)[0] != "allow" for r in calm])
    as_hate = ["hate" in judge(r.text)[1] for r in calm]
    add(results, "hatecheck.not_hateful.as_hate", as_hate)
    add(results, "hatecheck.not_hateful.blocked", [judge(r.text)[0] == "block" for r in calm])
    hateful = [r.text for r in reserved if r.source == "hatecheck" and r.labels["hate"]]
    add(results, "hatecheck.hateful.flagged", judge.flagged(hateful), better="higher")
    for test in sorted({r.group for r in calm}):
        add(
            results,
            f"hatecheck.{test}.flagged",
            [judge(r.text)[0] != "allow" for r in calm if r.group == test],
        )
    groups = datasets.hatecheck_targets(data)
    by_group: dict[str, list[bool]] = defaultdict(list)
    for row in calm:
        if groups.get(row.text):
            by_group[groups[row.text]].append(judge(row.text)[0] != "allow")
    for name, flags in sorted(by_group.items()):
        add(results, f"identity.{name.replace(' ', '_')}.flagged", flags)
    if by_group:
        rates = [float(np.mean(flags)) for flags in by_group.values()]
        note = "largest minus smallest rate over the groups above"
        results.add("identity.gap", max(rates) - min(rates), n=len(by_group), note=note)
    tweets = datasets.davidson_unread(data)[:: judge.step]
    parts: dict[bool, list[bool]] = {True: [], False: []}
    for text in tweets:
        parts[any(w in DIALECT for w in text.lower().split())].append(judge(text)[0] != "allow")
    add(
        results, "dialect.marked.flagged", parts[True], note="harmless tweets with African-American spellings"
    )
    add(results, "dialect.unmarked.flagged", parts[False], note="other harmless tweets")


def _disguised(results: Results, judge: Judge, reserved: list[Row]) -> None:
    sources = {"advbench", "harmbench", "own"}
    unsafe = [r.text for r in reserved if r.source in sources and r.unsafe and 15 < len(r.text) < 200]
    clear = [t for t in unsafe[:: max(1, len(unsafe) // 200)] if judge(t)[0] != "allow"]
    clear = clear[: CLEAR_TEXTS // judge.step]
    calm = [r.text for r in reserved if r.unsafe == 0 and r.source in {"vbench", "own"} and len(r.text) < 200]
    calm = [t for t in calm[:: max(1, len(calm) // 200)]][: CLEAR_TEXTS // judge.step]
    plain = float(np.mean([judge(t)[0] != "allow" for t in calm]))
    shares, extra = {}, {}
    for name, disguise in tqdm(DISGUISES.items(), leave=False, disable=None):
        caught = [judge(disguise(t))[0] != "allow" for t in clear]
        alarms = [judge(disguise(t))[0] != "allow" for t in calm]
        shares[name], extra[name] = float(np.mean(caught)), float(np.mean(alarms)) - plain
        add(results, f"obfuscation.{name}", caught, better="higher", note=f"extra flags {extra[name]:+.3f}")
    n = len(clear)
    worst = min(shares, key=shares.__getitem__)
    results.add("obfuscation.min_share", shares[worst], n=n, note=f"{worst}; of texts caught in clear")
    most = max(extra, key=extra.__getitem__)
    note = f"{most}; mean over disguises {np.mean(list(extra.values())):+.4f}"
    results.add("obfuscation.extra_flags", extra[most], n=len(calm), note=note)


def _languages(results: Results, judge: Judge, data: Path) -> None:
    """Outside English nothing may pass silently; hints say how much of it is named as well."""
    for language in datasets.MULTIJAIL_LANGUAGES:
        texts = datasets.multijail(data, language)[:: 3 * judge.step]
        held = [judge(t) for t in texts]
        named = float(np.mean([bool(c - {"unsupported_language"}) for _, c in held]))
        add(
            results, f"language.{language}.held", [a != "allow" for a, _ in held], better="higher",
            note=f"with a category named {named:.3f}",
        )  # fmt: skip
    for language in datasets.MHC_LANGUAGES:
        texts = datasets.harmless_elsewhere(data, language)[:: 10 * judge.step]
        flags = [judge(t)[0] != "allow" for t in texts]
        add(results, f"language.{language}.harmless_held", flags, note="meant to be held: nothing reads them")


def _crossval(results: Results, rows: list[Row], quick: bool) -> None:
    from sklearn.metrics import average_precision_score

    kept, features = fitting.extract(
        [r for r in rows if r.source == "openai_moderation" or not (r.reserved or quick)]
    )
    for name in ("any", "sexual"):
        scores = crossval.run(kept, features, name)
        for way, values in (("cv", scores.nested), ("transfer", scores.transfer)):
            if values is None:
                continue
            rng = np.random.default_rng(0)
            draws = []
            for _ in range(500):
                at = rng.integers(0, len(values), len(values))
                draws.append(average_precision_score(scores.labels[at], values[at]))
            results.add(
                f"{way}.{name}_auprc", float(average_precision_score(scores.labels, values)), n=len(values),
                better="higher", low=float(np.percentile(draws, 2.5)), high=float(np.percentile(draws, 97.5)),
                note=f"{int(scores.labels.sum())} positive",
            )  # fmt: skip


if __name__ == "__main__":
    main()

"""`make bench-fingerprint`: are copies found, are other clips left alone, and how fast is the search?

Copies of clips whose source pictures no threshold was chosen on (fingerprint_clips.py) are searched
for in an index of all the clips' records, as the verifier does it: look-up, then comparison. False
matches are counted over all pairs of different clips. Look-ups are timed in PostgreSQL at a million
frames and in memory at ten million, every answer checked against brute force (fingerprint_index.py).
`--quick` takes fewer clips and look-ups, and two million hashes in memory.
"""

import argparse
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from bench import fingerprint_clips as clips
from bench import fingerprint_index as index
from bench.results_file import Results
from byline.provenance import fingerprints
from byline.provenance.fingerprints import FrameHash, compare
from byline.provenance.index_directory import DirectoryFrames
from byline.provenance.index_shortlist import ranked

MEMORY_RADIUS, DATABASE_RADIUS = 31, 10
QUICK_COPIES = ("reencode", "crop5", "hflip", "crop25", "crop10", "rot3")
Records = dict[str, tuple[clips.Source, list[FrameHash]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    results = Results("fingerprint", quick=quick)
    with index.database() as server:  # first, since it connects Django
        records = _records(quick)
        names = QUICK_COPIES if quick else tuple(clips.COPIES)
        for name in names:
            if not results.has(f"recall.{name}"):
                _recall(results, name, records)
        _different(results, records)
        _stills(results, records)
        real = [item for _, hashes in records.values() for item in hashes]
        _database(results, server, real, quick)
    _memory(results, real, quick)
    results.show()


def _records(quick: bool) -> Records:
    made: Iterable[clips.Source] = (
        *clips.photos(clips.TEST, 1 if quick else 2),
        *clips.starter(range(10_000, 10_004 if quick else 10_030)),
    )
    return {
        f"{number}": (source, fingerprints.fingerprint_to_store(source.record, clips.FPS))
        for number, source in enumerate(made)
    }


def _recall(results: Results, name: str, records: Records) -> None:
    """Found: the record that the copy was made from is the one that is most similar."""
    lookup = DirectoryFrames({key: hashes for key, (_, hashes) in records.items()})
    found: dict[str, list[bool]] = {"photo": [], "starter": []}
    wrong = 0
    for key, (source, _) in tqdm(records.items(), name, leave=False, disable=None):
        answer = _search(
            lookup, records, fingerprints.fingerprint(clips.COPIES[name](source.copy), clips.FPS)
        )
        found[source.kind].append(answer == key)
        wrong += answer is not None and records[answer][0].name != source.name
    every = found["photo"] + found["starter"]
    low, high = _interval(every)
    parts = ", ".join(f"{kind} {sum(hits)}/{len(hits)}" for kind, hits in found.items())
    results.add(
        f"recall.{name}", float(np.mean(every)), n=len(every), low=low, high=high, better="higher",
        note=f"{parts}; another clip named instead: {wrong}",
    )  # fmt: skip


def _search(lookup: DirectoryFrames, records: Records, query: list[FrameHash]) -> str | None:
    shortlist = ranked(lookup, query, radius=DATABASE_RADIUS, limit=20)
    compared = [(compare(shortlist.telling, records[key][1]), key) for key in shortlist.records]
    similar = [(found.matched, -found.mean_bits, key) for found, key in compared if found.similar]
    return max(similar)[2] if similar else None


def _interval(hits: Sequence[bool]) -> tuple[float, float]:
    """Bootstrap over clips, 95 %."""
    rng = np.random.default_rng(0)
    means = rng.choice(np.array(hits, float), (2000, len(hits))).mean(axis=1)
    return float(np.percentile(means, 2.5)), float(np.percentile(means, 97.5))


def _different(results: Results, records: Records) -> None:
    """Every ordered pair of clips that show different things, compared without a shortlist."""
    counts = {"photo": [0, 0], "starter": [0, 0], "starter, same background": [0, 0]}
    for one, stored in tqdm(records.values(), "pairs", leave=False, disable=None):
        query = fingerprints.plain(stored)
        for other, hashes in records.values():
            if one.name == other.name:
                continue
            kind = "photo" if "photo" in (one.kind, other.kind) else "starter"
            if kind == "starter" and one.scene == other.scene:
                kind = "starter, same background"
            counts[kind][0] += compare(query, hashes).similar
            counts[kind][1] += 1
    wrong, pairs = (sum(values) for values in zip(*counts.values(), strict=True))
    results.add(
        "false_match_rate", wrong / pairs, n=pairs, low=0.0, high=_bound(wrong, pairs),
        note="; ".join(f"{kind} {k}/{n}" for kind, (k, n) in counts.items()),
    )  # fmt: skip


def _stills(results: Results, records: Records) -> None:
    """One picture of each copy, at 2.4 s, against its record and against all records of other clips."""
    found, wrong, pairs = [], 0, 0
    for source, stored in records.values():
        query = fingerprints.fingerprint([clips.encoded(source.copy)[19]], 1.0)
        found.append(compare(query, stored).similar)
        for other, hashes in records.values():
            # The same photograph or the same drawn background may rightly look alike in one picture.
            if other.name != source.name and other.scene != source.scene:
                wrong += compare(query, hashes).similar
                pairs += 1
    low, high = _interval(found)
    results.add("recall.still", float(np.mean(found)), n=len(found), low=low, high=high, better="higher")
    results.add("still_false_match_rate", wrong / pairs, n=pairs, low=0.0, high=_bound(wrong, pairs))


def _bound(wrong: int, pairs: int) -> float:
    """Upper end of the 95 % interval (Clopper-Pearson), as if pairs were independent."""
    from scipy.stats import beta

    return float(beta.ppf(0.95, wrong + 1, pairs - wrong))


def _database(results: Results, server: object, real: list[FrameHash], quick: bool) -> None:
    words = np.array([[int(item.phash64, 16)] for item in real], np.uint64)
    rows = {"postgres_p95_ms_1m": index.clustered_hashes(words, 1_000_000)}
    if not quick:
        rows["postgres_random_p95_ms_1m"] = index.random_hashes(1_000_000, 1)
    for metric, keys in rows.items():
        if results.has(metric):
            continue
        index.fill(server, keys)
        queries = index.near(keys, 400, DATABASE_RADIUS)
        index.ask_database(keys, queries[:20], DATABASE_RADIUS)
        times = index.ask_database(keys, queries, DATABASE_RADIUS)
        results.add(
            metric, times.at(95), n=len(queries), low=times.at(50), high=times.at(100), unit="ms",
            note=f"low is the median, high the slowest; radius {DATABASE_RADIUS}; {times.missed} missed; "
            f"{times.incomplete} answers said that they were cut; {times.cpu_ms:.1f} ms CPU each",
        )  # fmt: skip


def _memory(results: Results, real: list[FrameHash], quick: bool) -> None:
    words = np.frombuffer(bytes.fromhex("".join(item.phash256 for item in real)), np.uint64).reshape(-1, 4)
    count, asked = (2_000_000, 40) if quick else (10_000_000, 100)
    sets = {"index_ms_10m": lambda: index.clustered_hashes(words, count)}
    sets["index_random_ms_10m"] = lambda: index.random_hashes(count, 4)
    for metric, make in sets.items():
        if results.has(metric):
            continue
        hashes = make()
        queries = index.near(hashes, asked, MEMORY_RADIUS)
        with tempfile.TemporaryDirectory(prefix="byline-bench-", dir="/var/tmp") as scratch:
            times, built = index.ask_memory(hashes, queries, MEMORY_RADIUS, Path(scratch))
        flat = index.ask_faiss(hashes, queries[:20])
        small = f"{count:,} hashes only (--quick); " if quick else ""
        note = (
            f"{small}mean; low is the median, high the 95th percentile; radius {MEMORY_RADIUS}; "
            f"{times.missed} missed; built in {built:.0f} s; {times.scans} of {asked} scanned everything"
        )
        mean = float(np.mean(times.milliseconds))
        baseline = float(np.mean(flat.milliseconds)) if flat else None
        results.add(
            metric, None if quick else mean, n=asked, low=times.at(50), high=times.at(95), baseline=baseline,
            note=f"{mean:.2f} ms at {note}" if quick else note, unit="ms",
        )  # fmt: skip
        ratio = "index_vs_faiss_flat" if metric == "index_ms_10m" else "index_random_vs_faiss_flat"
        results.add(
            ratio, baseline / mean if baseline else None, n=asked, better="higher",
            note=f"{small}same run, one thread each" if baseline else "faiss-cpu is not installed",
        )  # fmt: skip


if __name__ == "__main__":
    main()

"""Train and calibrate the moderation heads; writes weights/heads.npz and heads.json.

    OMP_NUM_THREADS=1 python -m byline.safety.training.train_heads --data DIR [--out DIR]

Promises: nothing reserved (training/datasets.py) is seen in fitting or calibration; thresholds come
from cross-fitted scores of benign training texts, all categories jointly. Rates on reserved texts
are measured by `make bench-safety`. Runs in a few minutes on one core.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from byline.safety.categories import CATEGORIES
from byline.safety.heads import WEIGHTS
from byline.safety.training import fitting
from byline.safety.training.datasets import Row, load
from byline.safety.training.fitting import Basis, Features, Fitted

MIN_POSITIVES = 40  # below this a head would learn the examples, not the category
BENIGN_RATE = 0.01  # joint share of everyday training texts at score 0.5
HARD_AT_REVIEW = 0.03  # share of a category's hard negatives at score 0.5, at most
HARD_AT_BLOCK = 0.02  # ... of any one source at score 0.9
MIN_HARD = 100
CALM_AT_BLOCK = 0.001  # share of everyday texts at score 0.9
MIN_SPREAD = 2.0  # logits from review to block: a head that parts few examples well is sure too soon
FOLDS = 3
# Open texts written after the fit that ships; a trial fit with them found less and reviewed more of the news
# (docs/moderation.md), so they wait for the next tuning of the encoder.
_LATER = re.compile(r"^(plain-|news-harsh-|video-harsh-words-calm$|ask-harmless-(three|four)$)")
LEFT_TO_RULES = {"intimate_imagery"}  # blocked without exception, by rule alone: no head may widen that
_SOUNDS_HARMFUL = re.compile("harsh|^ask-harmless")


def cross_fitted(space: Basis, features: Features, rows: Sequence[Row], labels: np.ndarray) -> np.ndarray:
    """(N, H) logits of each window by heads that did not see its group."""
    folds = np.array([hashlib.sha256(f"{r.source}|{r.group}".encode()).digest()[5] % FOLDS for r in rows])
    weights = fitting.row_weights(rows)
    coordinates = space(features.points)
    near = fitting.kernel(features.points, space.landmarks)
    out = np.zeros(labels.shape)
    for fold in range(FOLDS):
        seen, left = folds != fold, folds == fold
        heads = fitting.fit(space, coordinates[seen], features.grams[seen], labels[seen], weights[seen])
        out[left] = heads.logits(near[left], features.grams[left])
    return out


def calibrate(
    logits: np.ndarray, calm: np.ndarray, known: np.ndarray, sources: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Per-head centre (score 0.5) and spread (logits from there to 0.9).

    logits (N, H); calm (N,) bool, the everyday texts; known (N, H) labels 1, 0 or -1; sources (N,). At
    0.5 one quantile is used for all heads and raised until the share of everyday texts above any centre is
    BENIGN_RATE: a conformal quantile of the maximum over heads, each on its own scale. Centres also lie
    above all but HARD_AT_REVIEW of a category's hard negatives (counter-speech, swearing, reports of
    violence: known negatives that are not everyday texts), blocks above all but HARD_AT_BLOCK of
    them in every source that has MIN_HARD and all but CALM_AT_BLOCK of the everyday texts.
    """
    everyday = logits[calm]
    low, high = 0.9, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        rate = float(np.mean(np.any(everyday > np.quantile(everyday, middle, axis=0), axis=1)))
        low, high = (middle, high) if rate > BENIGN_RATE else (low, middle)

    def at(share: float, parts: Iterable[str]) -> np.ndarray:
        out = np.full(logits.shape[1], -np.inf)
        for k in range(logits.shape[1]):
            hard = (known[:, k] == 0) & ~calm
            for part in parts:
                chosen = logits[hard & (sources == part) if part else hard, k]
                if len(chosen) >= MIN_HARD:
                    out[k] = max(out[k], float(np.quantile(chosen, 1 - share)))
        return out

    centre = np.maximum(np.quantile(everyday, high, axis=0), at(HARD_AT_REVIEW, [""]))
    beyond = np.maximum(
        np.quantile(everyday, 1 - CALM_AT_BLOCK, axis=0) + 0.5, at(HARD_AT_BLOCK, sorted(set(sources)))
    )
    return centre, np.maximum(beyond - centre, MIN_SPREAD)


def train(data: Path, out: Path, write: Callable[[str], Any]) -> None:
    """Read, fit, calibrate, write."""
    fitted = [r for r in load(data) if not r.reserved and not _LATER.search(r.group)]
    rows, features = fitting.extract(fitted)
    fit_all(rows, features, out, write)


def fit_all(rows: Sequence[Row], features: Features, out: Path, write: Callable[[str], Any]) -> None:
    weights = fitting.row_weights(rows)
    names = [c for c in [*CATEGORIES, "any"] if c not in LEFT_TO_RULES]
    names = [c for c in names if (fitting.targets(rows, c) == 1).sum() >= MIN_POSITIVES]
    write(f"{len(rows)} texts; heads: {', '.join(names)}\n")
    labels = np.stack([fitting.targets(rows, n) for n in names], axis=1)
    space = fitting.basis(features.points, weights)
    heads = fitting.fit(space, space(features.points), features.grams, labels, weights)
    write("fitted; cross-fitting for the calibration\n")
    logits = cross_fitted(space, features, rows, labels)
    calm = _everyday(rows)
    centre, spread = calibrate(logits, calm, labels, np.array([r.source for r in rows]))
    sha256 = _store(out, space, heads, centre, spread)
    about = {
        "heads": names,
        "cross_fitted": _precision(rows, names, labels, logits),
        "sha256": sha256,
        "training": {
            "windows": len(rows),
            "positives": {n: int((labels[:, k] == 1).sum()) for k, n in enumerate(names)},
            "everyday": int(calm.sum()),
            "benign_rate": BENIGN_RATE,
        },
    }
    (out / "heads.json").write_text(json.dumps(about, indent=1) + "\n", "utf-8")


def _everyday(rows: Sequence[Row]) -> np.ndarray:
    """(N,) whether a row is an ordinary video prompt or news text: of VBench, or of a topic of ours that
    has no harmful side. Contrast topics and those written to sound harmful would set the level for texts
    that are rare in practice."""
    left_out = {r.group for r in rows if r.source == "own" and (r.unsafe or _SOUNDS_HARMFUL.search(r.group))}
    return np.array([r.source == "vbench" or (r.source == "own" and r.group not in left_out) for r in rows])


def _precision(
    rows: Sequence[Row], names: Sequence[str], labels: np.ndarray, logits: np.ndarray
) -> dict[str, dict[str, float]]:
    """Average precision of the cross-fitted heads, pool and all, on the OpenAI samples among the rows."""
    from sklearn.metrics import average_precision_score

    sample = np.array([r.source == "openai_moderation" for r in rows])
    out = {}
    for k, name in enumerate(names):
        known = sample & (labels[:, k] >= 0)
        positives = int((labels[known, k] == 1).sum())
        if positives >= MIN_POSITIVES:
            precision = float(average_precision_score(labels[known, k], logits[known, k]))
            out[name] = {"n": int(known.sum()), "positives": positives, "auprc": round(precision, 4)}
    return out


def _store(out: Path, space: Basis, heads: Fitted, centre: np.ndarray, spread: np.ndarray) -> str:
    sparse = heads.sparse
    scale = np.abs(sparse).max(axis=1) / 127
    file = out / "heads.npz"
    np.savez_compressed(
        file,
        landmarks=space.landmarks.astype(np.float16),
        dense=heads.dense,
        sparse=np.round(sparse / scale[:, None]).astype(np.int8),
        sparse_scale=scale.astype(np.float32),
        bias=heads.bias,
        centre=centre.astype(np.float32),
        spread=spread.astype(np.float32),
    )
    return hashlib.sha256(file.read_bytes()).hexdigest()


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="byline.safety.training.train_heads")
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args(argv)
    train(options.data, options.out, sys.stdout.write)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

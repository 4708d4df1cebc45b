"""Train, calibrate and measure the moderation heads; writes weights/heads.npz and heads.json.

    OMP_NUM_THREADS=1 python -m byline.safety.training.train_heads --data DIR [--out DIR]

Promises: nothing reserved (training/datasets.py) is seen in fitting or calibration; thresholds come
from cross-fitted scores of benign training texts, all categories jointly; rates are reported on
reserved texts only, each with its number. Runs in under three minutes on one core.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from byline.safety import encoder, features
from byline.safety.categories import CATEGORIES
from byline.safety.heads import EMBEDDING_SCALE, NGRAM_SCALE, WEIGHTS
from byline.safety.training.datasets import Row, load
from byline.safety.training.measure import report

MIN_POSITIVES = 20  # below this a head would learn the examples, not the category
BENIGN_RATE = 0.01  # joint share of benign training texts at score 0.5
NEGATIVES_AT_BLOCK = 0.01  # share of a category's known negatives at score 0.9
REGULARISATION = 1.0
FOLDS = 5


def matrix(rows: list[Row]) -> Any:
    """Sparse (N, 384 + 65536) features of the first window of each text."""
    from scipy.sparse import csr_matrix, hstack

    model = encoder.shared()
    windows = [model.windows(r.text)[0] for r in rows]
    dense = np.stack([w.embedding for w in windows]) * EMBEDDING_SCALE
    grams = [features.ngrams(w.text) for w in windows]
    starts = np.cumsum([0] + [len(index) for index, _ in grams])
    values = np.concatenate([v for _, v in grams]) * NGRAM_SCALE
    sparse = csr_matrix(
        (values, np.concatenate([i for i, _ in grams]), starts), shape=(len(rows), features.BUCKETS)
    )
    return hstack([csr_matrix(dense), sparse]).tocsr()


def targets(rows: list[Row], name: str) -> np.ndarray:
    """(N,) of 1, 0 or -1 (not known)."""
    if name == "any":
        return np.array([-1 if r.unsafe is None else r.unsafe for r in rows])
    return np.array([r.labels.get(name, -1) for r in rows])


def _fit(x: Any, y: np.ndarray, weights: np.ndarray) -> Any:
    from sklearn.linear_model import LogisticRegression

    balance = ((y == 0).sum() / max(1, (y == 1).sum())) ** 0.5
    model = LogisticRegression(C=REGULARISATION, solver="liblinear", max_iter=300, random_state=0)
    return model.fit(x, y, sample_weight=weights * np.where(y == 1, balance, 1.0))


def cross_fitted(x: Any, rows: list[Row], y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(N,) logits of each row by a model that did not see the row's group."""
    folds = np.array([hashlib.sha256(f"{r.source}|{r.group}".encode()).digest()[5] % FOLDS for r in rows])
    out = np.zeros(len(rows))
    for fold in range(FOLDS):
        fit_on = (folds != fold) & (y >= 0)
        model = _fit(x[fit_on], y[fit_on], weights[fit_on])
        out[folds == fold] = model.decision_function(x[folds == fold])
    return out


def calibrate(logits: np.ndarray, benign: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Per-head centre and spread so that the benign texts' joint rate at 0.5 is BENIGN_RATE.

    logits (N, H); benign (N,) bool; known (N, H) labels 1, 0 or -1. One quantile is used for all
    heads and raised until the share of benign texts above any centre is the target. A score of 0.9
    lies above every benign text and above all but NEGATIVES_AT_BLOCK of the category's known
    negatives, most of which are hard ones (counter-speech, swearing, reports of violence).
    """
    calm = logits[benign]
    low, high = 0.9, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        rate = float(np.mean(np.any(calm > np.quantile(calm, middle, axis=0), axis=1)))
        low, high = (middle, high) if rate > BENIGN_RATE else (low, middle)
    centre = np.quantile(calm, high, axis=0)
    beyond = calm.max(axis=0) + 0.5
    hard = [np.quantile(logits[known[:, k] == 0, k], 1 - NEGATIVES_AT_BLOCK) for k in range(logits.shape[1])]
    spread = np.maximum(np.maximum(beyond, np.array(hard)) - centre, 0.5)
    return centre, spread


def train(data: Path, out: Path, write: Callable[[str], Any]) -> None:
    """Read, fit, calibrate, measure, write."""
    rows = load(data)
    x = matrix(rows)
    reserved = np.array([r.reserved for r in rows])
    train_rows = [r for r in rows if not r.reserved]
    xt = x[~reserved]
    weights = np.array([r.weight for r in train_rows])
    names = [c for c in [*CATEGORIES, "any"] if (targets(train_rows, c) == 1).sum() >= MIN_POSITIVES]
    write(f"{len(rows)} texts, {reserved.sum()} reserved; heads: {', '.join(names)}\n")
    models, crossed = [], []
    for name in names:
        y = targets(train_rows, name)
        known = y >= 0
        models.append(_fit(xt[known], y[known], weights[known]))
        crossed.append(cross_fitted(xt, train_rows, y, weights))
    logits = np.stack(crossed, axis=1)
    benign = np.array([r.source in {"vbench", "own"} and r.unsafe == 0 for r in train_rows])
    known_labels = np.stack([targets(train_rows, n) for n in names], axis=1)
    centre, spread = calibrate(logits, benign, known_labels)
    _store(out, names, models, centre, spread)
    about = json.loads((out / "heads.json").read_text("utf-8"))
    about["measured"] = report([r for r in rows if r.reserved], out, write)
    about["training"] = {
        "texts": len(train_rows),
        "positives": {n: int((targets(train_rows, n) == 1).sum()) for n in names},
        "calibration_benign": int(benign.sum()),
        "benign_rate": BENIGN_RATE,
    }
    (out / "heads.json").write_text(json.dumps(about, indent=1) + "\n", "utf-8")


def _store(out: Path, names: list[str], models: list[Any], centre: np.ndarray, spread: np.ndarray) -> None:
    coefficients = np.stack([m.coef_[0] for m in models]).astype(np.float32)
    dense, sparse = coefficients[:, :384], coefficients[:, 384:]
    scale = np.abs(sparse).max(axis=1) / 127
    file = out / "heads.npz"
    np.savez_compressed(
        file,
        dense=dense,
        sparse=np.round(sparse / scale[:, None]).astype(np.int8),
        sparse_scale=scale.astype(np.float32),
        bias=np.array([m.intercept_[0] for m in models], dtype=np.float32),
        centre=centre.astype(np.float32),
        spread=spread.astype(np.float32),
    )
    about = {"heads": names, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    (out / "heads.json").write_text(json.dumps(about, indent=1) + "\n", "utf-8")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="byline.safety.training.train_heads")
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    options = parser.parse_args(argv)
    train(options.data, options.out, sys.stdout.write)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

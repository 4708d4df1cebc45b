"""Scores of a text per category: kernel logistic regression over embeddings, plus character n-grams.

Promises scores in [0, 1] that mean the same in every category: 0.5 is the level that the
calibration's benign video prompts and news texts reach, over all categories together, in about one
text of a hundred; 0.9 is beyond nearly every one of them. The kernel is exp(-gamma |x - l|^2) to a few
hundred landmarks, x being both embeddings of a window side by side (byline.safety.encoder); a
linear part reads hashed n-grams. Weights come from training/train_heads.py and are pinned by the
sha256 in weights/heads.json. Categories with too few examples have no head; rules decide there.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from byline.safety.encoder import EncoderUnavailable, Window
from byline.safety.features import ngrams

WEIGHTS = Path(__file__).parent / "weights"
GAMMA = 1.0
REVIEW_AT_MOST = 0.89
# Likeness cannot tell hatred from words quoted, denied or reclaimed: the heads send these to a person,
# and only a rule blocks.
NEEDS_A_READER = frozenset({"hate", "harassment"})


@dataclass(frozen=True)
class Heads:
    """`landmarks` (M, 768), `dense` (H, M) and `sparse` (65536, H) weights, `bias` (H,), and per head
    the logit at which the score is 0.5 (`centre`) and the logits from 0.5 to 0.9 (`spread`)."""

    names: tuple[str, ...]
    landmarks: np.ndarray
    dense: np.ndarray
    sparse: np.ndarray
    bias: np.ndarray
    centre: np.ndarray
    spread: np.ndarray

    def logits(self, windows: Sequence[Window]) -> np.ndarray:
        """(N, H) raw logits of the windows."""
        near = kernel(np.stack([point(w) for w in windows]), self.landmarks, self._squares)
        grams = (ngrams(w.text) for w in windows)
        sparse = np.stack([value @ self.sparse[index] for index, value in grams])
        out: np.ndarray = near @ self.dense.T + sparse + self.bias
        return out

    @functools.cached_property
    def _squares(self) -> np.ndarray:
        return squares(self.landmarks)

    def scores(self, windows: Sequence[Window]) -> list[dict[str, float]]:
        """Score per category of every window; the head "any" is folded into the likeliest category."""
        z = (self.logits(windows) - self.centre) / self.spread
        # log 9 is the distance from 0.5 to 0.9 on the logistic curve
        values = 1.0 / (1.0 + np.exp(-np.clip(z * np.log(9.0), -30, 30)))
        return [self._folded(row) for row in values.tolist()]

    def _folded(self, values: Sequence[float]) -> dict[str, float]:
        scores = dict(zip(self.names, values, strict=True))
        any_score = scores.pop("any", 0.0)
        top = max(scores, key=scores.__getitem__)
        # An unsafe text whose category is unclear is reviewed under the likeliest one, never blocked
        # on the strength of this head alone.
        scores[top] = max(scores[top], min(any_score, REVIEW_AT_MOST))
        for category in NEEDS_A_READER & scores.keys():
            scores[category] = min(scores[category], REVIEW_AT_MOST)
        return scores


def point(window: Window) -> np.ndarray:
    """(768,) both embeddings, of unit length together."""
    joined: np.ndarray = np.concatenate([window.embedding, window.tuned]) * np.float32(0.5**0.5)
    return joined


def squares(points: np.ndarray) -> np.ndarray:
    """(N,) squared lengths of (N, D)."""
    out: np.ndarray = np.einsum("nd,nd->n", points, points)
    return out


def kernel(points: np.ndarray, landmarks: np.ndarray, lengths: np.ndarray | None = None) -> np.ndarray:
    """(N, M) of (N, D) and (M, D); `lengths` (M,) are the landmarks' squared ones, where they are known."""
    both = squares(points)[:, None] + (squares(landmarks) if lengths is None else lengths)[None]
    out: np.ndarray = np.exp(-GAMMA * np.maximum(both - 2 * points @ landmarks.T, 0))
    return out


def read(folder: Path = WEIGHTS) -> tuple[Heads, Mapping[str, object]]:
    """Weights and the metadata beside them. EncoderUnavailable if missing or not the pinned file."""
    try:
        about = json.loads((folder / "heads.json").read_text("utf-8"))
        data = (folder / "heads.npz").read_bytes()
    except OSError as error:
        raise EncoderUnavailable("the moderation heads are missing") from error
    if hashlib.sha256(data).hexdigest() != about["sha256"]:
        raise EncoderUnavailable("heads.npz is not the file that heads.json describes")
    with np.load(folder / "heads.npz", allow_pickle=False) as stored:
        heads = Heads(
            names=tuple(about["heads"]),
            landmarks=stored["landmarks"].astype(np.float32),
            dense=stored["dense"],
            sparse=np.ascontiguousarray((stored["sparse"] * stored["sparse_scale"][:, None]).T),
            bias=stored["bias"],
            centre=stored["centre"],
            spread=stored["spread"],
        )
    return heads, about


@functools.cache
def shared() -> Heads:
    """The shipped heads, read once per process."""
    return read()[0]

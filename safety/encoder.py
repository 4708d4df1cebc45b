"""MiniLM sentence embeddings from one int8 ONNX file, without torch.

Promises: the model and tokenizer files are the pinned ones (sha256 checked at load), one thread,
and the same text gives the same vector whatever else is in the batch: weights are int8 in blocks of
64, activations are quantised row by row, so texts do not touch each other (largest difference to a
run alone 1e-6). All texts of a call are cut into overlapping windows, equal ones are run once, and
windows of about one length go through the model together. Two vectors come out of one pass: the
sentence embedding as published and one tuned for moderation (training/fine_tune.py).
Leaves out every language but English: see byline.safety.language.
"""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from byline.audit.base.errors import MissingWeights
from byline.safety.words import tokenizer_path

MODEL = Path(__file__).parent / "weights" / "minilm-int8.onnx"
MODEL_SHA256 = "e923f26f27c3fbafa508eb48ff38129f21ae9ec5fcd4e1bdb74ecb6e075b7c08"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
WINDOW = 254  # tokens, the model's 256 less the two that mark begin and end
OVERLAP = 40
BATCH = 16  # bounds the memory of one run
CLS, SEP = 101, 102  # BERT's begin and end tokens


class EncoderUnavailable(MissingWeights):
    code = "encoder_unavailable"
    help = "Reinstall byline: the encoder ships with it and must be the pinned file."


@dataclass(frozen=True)
class Window:
    """A stretch of one text: its words, their embedding and the one tuned for moderation, both of unit
    length, float32 (384,)."""

    text: str
    embedding: np.ndarray
    tuned: np.ndarray


class Encoder:
    """Loads once, then `windows` may be called from any thread."""

    def __init__(self, model: Path = MODEL, tokenizer: Path | None = None) -> None:
        import onnxruntime
        from tokenizers import Tokenizer

        words = tokenizer or tokenizer_path()
        _check(model, MODEL_SHA256)
        _check(words, TOKENIZER_SHA256)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session: Any = onnxruntime.InferenceSession(
            str(model), options, providers=["CPUExecutionProvider"]
        )
        self._tokenizer: Any = Tokenizer.from_file(str(words))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def windows(self, text: str) -> list[Window]:
        """The text cut into windows of at most 254 tokens, at least one window."""
        return self.batch([text])[0]

    def batch(self, texts: Sequence[str]) -> list[list[Window]]:
        """The windows of every text, in the order of the texts."""
        cut = [self._cut(text) for text in texts]
        unique = sorted({ids for pieces in cut for _, ids in pieces}, key=len)
        vectors: dict[tuple[int, ...], np.ndarray] = {}
        for group in _groups(unique):
            for ids, pair in zip(group, self._run(group), strict=True):
                vectors[ids] = pair
        return [[Window(piece, *vectors[ids]) for piece, ids in pieces] for pieces in cut]

    def _cut(self, text: str) -> list[tuple[str, tuple[int, ...]]]:
        coded = self._tokenizer.encode(text, add_special_tokens=False)
        ids, offsets = coded.ids, coded.offsets
        out = []
        start = 0
        while True:
            end = min(start + WINDOW, len(ids))
            piece = text[offsets[start][0] : offsets[end - 1][1]] if ids else text
            out.append((piece, (CLS, *ids[start:end], SEP)))
            if end >= len(ids):
                return out
            start = end - OVERLAP

    def _run(self, group: Sequence[tuple[int, ...]]) -> np.ndarray:
        """(B, 2, 384) both embeddings."""
        ids = np.zeros((len(group), max(map(len, group))), dtype=np.int64)
        mask = np.zeros_like(ids)
        for row, tokens in enumerate(group):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        both = self._session.run(["embedding", "tuned"], {"input_ids": ids, "attention_mask": mask})
        return np.stack(both, axis=1)


def _groups(windows: Sequence[tuple[int, ...]]) -> list[list[tuple[int, ...]]]:
    """Windows, sorted by length, put together as long as at most a third of a batch is padding."""
    out: list[list[tuple[int, ...]]] = []
    for ids in windows:
        last = out[-1] if out else []
        padded = len(ids) * (len(last) + 1)
        if last and len(last) < BATCH and sum(map(len, last)) + len(ids) > padded * 2 / 3:
            last.append(ids)
        else:
            out.append([ids])
    return out


def _check(file: Path, sha256: str) -> None:
    try:
        found = hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise EncoderUnavailable(f"cannot read {file.name}") from error
    if found != sha256:
        raise EncoderUnavailable(f"{file.name} has sha256 {found[:12]}…, expected {sha256[:12]}…")


_lock = threading.Lock()


@functools.cache
def _shared() -> Encoder:
    return Encoder()


def shared() -> Encoder:
    """The process's encoder, loaded at first use. EncoderUnavailable if the files are not the pinned ones."""
    with _lock:
        return _shared()

"""MiniLM sentence embeddings from one int8 ONNX file, without torch.

Promises: the model and tokenizer files are the pinned ones (sha256 checked at load), one thread,
the same text always gives the same vector: each window is run by itself, because activations are
quantised per call and a batch would let one text move another's score (measured cosine .967) and
was slower than single runs on one core (padding). Long texts are cut into overlapping windows.
Leaves out every language but English: see byline.safety.language.
"""

from __future__ import annotations

import functools
import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from byline.audit.base.errors import MissingWeights
from byline.safety.words import tokenizer_path

MODEL = Path(__file__).parent / "weights" / "minilm-int8.onnx"
MODEL_SHA256 = "95e2f34a8e9600bce9506408ee3f272fb802498cd673f7a8104d4de530d852d2"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
WINDOW = 254  # tokens, the model's 256 less the two that mark begin and end
OVERLAP = 40
CLS, SEP = 101, 102  # BERT's begin and end tokens


class EncoderUnavailable(MissingWeights):
    code = "encoder_unavailable"
    help = "Reinstall byline: the encoder ships with it and must be the pinned file."


@dataclass(frozen=True)
class Window:
    """A stretch of one text: its words and their unit-length embedding, float32 (384,)."""

    text: str
    embedding: np.ndarray


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
        coded = self._tokenizer.encode(text, add_special_tokens=False)
        ids, offsets = coded.ids, coded.offsets
        out = []
        start = 0
        while True:
            end = min(start + WINDOW, len(ids))
            piece = text[offsets[start][0] : offsets[end - 1][1]] if ids else text
            out.append(Window(piece, self._run([CLS, *ids[start:end], SEP])))
            if end >= len(ids):
                return out
            start = end - OVERLAP

    def _run(self, ids: list[int]) -> np.ndarray:
        row = np.array([ids], dtype=np.int64)
        result = self._session.run(["embedding"], {"input_ids": row, "attention_mask": np.ones_like(row)})
        vector: np.ndarray = result[0][0]
        return vector


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

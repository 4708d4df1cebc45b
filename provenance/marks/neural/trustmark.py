"""TrustMark (Bui et al. 2023, arXiv 2311.18297) behind our Protocol, from its two ONNX files.

The owner publishes an encoder (picture (1, 3, 256, 256) in -1..1, message (1, 100)) and a decoder
(picture -> (1, 100) logits) per variant, MIT. The 100 bits are data, BCH check bits and a schema
number in the last four, exactly as TrustMark's own data layer writes them, so anybody's TrustMark
decoder reads our marks and C2PA's registered name `com.adobe.trustmark.<variant>` is true. The price:
there is no key. Anyone can read the mark and write it, so no false accept bound is stated; what is
read counts only where the id's own authentication holds (ids.open_mark_id). In a video every frame
is marked and the logits are averaged. `signpost` writes BCH_SUPER with the C2PA list number of
another mark and nothing else: "look for that one". Not here: TrustMark's removal network. It is a
third file that no setting takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from byline.audit.base.errors import ConfigurationError
from byline.provenance.marks.algorithms import ALGORITHMS
from byline.provenance.marks.base import (
    BadPayload,
    Frame,
    UnmarkableInput,
    VideoFinding,
    check_candidates,
)
from byline.provenance.marks.neural import bch
from byline.provenance.marks.neural.message import bits_of, value_of
from byline.provenance.marks.neural.weights import Pinned, onnx

BITS, VERSION_BITS = 100, 4
# name -> (number in the last four bits, data bits, errors corrected)
SCHEMAS = {
    "BCH_5": (1, 61, 5),
    "BCH_4": (2, 68, 4),
    "BCH_3": (3, 75, 3),
    "BCH_SUPER": (5, 40, 8),
}
MIN_SIDE = 150  # the owner's own limit
SIZE = 256
_LIMIT = 0.2  # of the residual, in -1..1, as in the owner's code
UNBOUNDED = "no bound stated: TrustMark has no key; it counts only where the id's own authentication holds"


class DataLayer:
    """The 100 bits of one schema. BadPayload, ConfigurationError for an unknown schema."""

    def __init__(self, schema: str) -> None:
        if schema not in SCHEMAS:
            raise ConfigurationError(
                f"TrustMark has no schema {schema!r}", help=f"One of {', '.join(SCHEMAS)}."
            )
        self.version, self.payload_bits, errors = SCHEMAS[schema]
        self._code = bch.code(7, errors)
        self._padding = [0] * (-self.payload_bits % 8)  # check bits are taken over whole bytes

    def encode(self, payload: int) -> list[int]:
        data = bits_of(payload, self.payload_bits)
        return [*data, *self._code.encode(data + self._padding), *bits_of(self.version, VERSION_BITS)]

    def decode(self, bits: Sequence[int]) -> int | None:
        """The payload, None for another schema or too many errors."""
        if value_of(bits[-VERSION_BITS:]) != self.version:
            return None
        data, check = list(bits[: self.payload_bits]), list(bits[self.payload_bits : -VERSION_BITS])
        found = self._code.decode([*data, *self._padding, *check])
        if found is None or any(found[0][self.payload_bits : self.payload_bits + len(self._padding)]):
            return None
        return value_of(found[0][: self.payload_bits])


class TrustMark:
    """`variant` P, Q or C; `schema` BCH_4 holds our 64-bit ids, BCH_5 61 bits with one more correction.

    With `signpost`, `points_to` is the `alg` of the mark that stands beside it. It must be on the C2PA
    list: only then is there a number to write (`signpost_payload`, the one payload it embeds).
    """

    def __init__(
        self,
        keys: Sequence[bytes] = (),
        *,
        encoder: str,
        encoder_sha256: str,
        decoder: str,
        decoder_sha256: str,
        variant: str = "P",
        schema: str = "BCH_4",
        strength: float = 1.0,
        max_frames: int = 24,
        signpost: bool = False,
        points_to: str = "",
    ) -> None:
        if f"com.adobe.trustmark.{variant}" not in ALGORITHMS:
            raise ConfigurationError(f"TrustMark variant {variant!r} is not on the C2PA list")
        self.alg = f"com.adobe.trustmark.{variant}"
        self._encoder, self._decoder = Pinned(encoder, encoder_sha256), Pinned(decoder, decoder_sha256)
        self._layer = DataLayer("BCH_SUPER" if signpost else schema)
        self.payload_bits = self._layer.payload_bits
        self._square = variant == "P"
        self._strength, self._max_frames = strength, max_frames
        self.signpost_payload = _number_of(points_to) if signpost else None

    def self_check(self) -> None:
        """MissingWeights or ConfigurationError if the weights are not those that were pinned."""
        self._encoder.checked()
        self._decoder.checked()

    def soft_binding_value(self, payload: int) -> str:
        """TrustMark's form of a C2PA value: schema number, an asterisk, the payload bits."""
        bits = bits_of(payload, self.payload_bits)
        return f"{self._layer.version}*{''.join(map(str, bits))}"

    def embed(self, frames: Iterable[Frame], payload: int) -> Iterator[Frame]:
        """Yield each (H, W, 3) uint8 RGB frame marked. BadPayload, UnmarkableInput."""
        if self.signpost_payload is not None and payload != self.signpost_payload:
            raise BadPayload("a signpost carries only the number of the mark that it points to")
        message = np.array([self._layer.encode(payload)], np.float32)
        for frame in frames:
            yield self._mark(frame, message)

    def detect(
        self, frames: Sequence[Frame], *, candidates: Sequence[int] | None = None, fps: float = 8.0
    ) -> VideoFinding | None:
        """What the frames together say, as embedded or mirrored; with `candidates`, only one of these."""
        listed = check_candidates(candidates, self.payload_bits)
        if not frames or listed == ():
            return None
        picked = np.unique(np.linspace(0, len(frames) - 1, self._max_frames).round().astype(int))
        for words, step in (("as embedded", 1), ("mirrored", -1)):
            payload = self._layer.decode(self._read([frames[i][:, ::step] for i in picked]))
            if payload is not None and (listed is None or payload in listed):
                return VideoFinding(payload, 0, words, UNBOUNDED)
        return None

    # ------------------------------------------------------------------ pictures

    def _window(self, height: int, width: int) -> tuple[int, int, int, int]:
        """(top, left, height, width) of what the network sees: the centre square for P and long shapes."""
        if not self._square and max(height, width) <= 2 * min(height, width):
            return 0, 0, height, width
        side = min(height, width)
        return (height - side) // 2, (width - side) // 2, side, side

    def _mark(self, frame: Frame, message: NDArray[np.float32]) -> Frame:
        _check(frame)
        session = onnx(self._encoder)
        top, left, height, width = self._window(*frame.shape[:2])
        part = frame[top : top + height, left : left + width]
        seen = _tensor(part, SIZE)
        by_rank = {len(port.shape): port.name for port in session.get_inputs()}
        if set(by_rank) != {2, 4}:
            raise ConfigurationError("the encoder's inputs are not a picture and a message")
        made = session.run(None, {by_rank[4]: seen, by_rank[2]: message})[0]
        residual = np.clip(self._strength * (np.clip(made, -1, 1) - seen), -_LIMIT, _LIMIT)[0]
        if (height, width) != frame.shape[:2]:  # no hard edge where the square ends
            ramp = np.minimum(np.arange(SIZE), np.arange(SIZE)[::-1])
            residual = residual * np.minimum(1, np.minimum.outer(ramp, ramp) / 4)
        marked = frame.astype(np.float32)
        for channel in range(3):
            plane = Image.fromarray(residual[channel].astype(np.float32))
            wide = np.asarray(plane.resize((width, height), Image.Resampling.BILINEAR))
            marked[top : top + height, left : left + width, channel] += wide * 127.5
        return np.clip(marked.round(), 0, 255).astype(np.uint8)

    def _read(self, frames: Sequence[Frame]) -> list[int]:
        """(100,) hard bits of the frames' averaged logits."""
        session = onnx(self._decoder)
        port = session.get_inputs()[0]
        size = port.shape[2] if isinstance(port.shape[2], int) else SIZE
        total = np.zeros(BITS)
        for frame in frames:
            _check(frame)
            top, left, height, width = self._window(*frame.shape[:2])
            seen = _tensor(frame[top : top + height, left : left + width], size)
            total += np.asarray(session.run(None, {port.name: seen})[0], np.float64).reshape(BITS)
        return [int(value > 0) for value in total]


def _number_of(points_to: str) -> int:
    info = ALGORITHMS.get(points_to)
    number = info.identifier if info is not None and info.registered else None
    if number is None or points_to.startswith("com.adobe.trustmark."):
        raise ConfigurationError(
            f"a signpost cannot point to {points_to or 'nothing'}: it is not another mark on the C2PA list",
            help="Register the mark at c2pa-org/softbinding-algorithm-list, or leave the signpost out.",
        )
    return number


def _check(frame: Any) -> None:
    if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3:
        raise UnmarkableInput("a frame is an (H, W, 3) array of uint8")
    if min(frame.shape[:2]) < MIN_SIDE:
        raise UnmarkableInput(f"a frame's sides must be at least {MIN_SIDE} pixels")


def _tensor(part: Frame, size: int) -> NDArray[np.float32]:
    """(1, 3, size, size) float32 in -1..1, resized as the owner's code does (PIL, bilinear)."""
    small = Image.fromarray(np.ascontiguousarray(part)).resize((size, size), Image.Resampling.BILINEAR)
    return (np.asarray(small, np.float32).transpose(2, 0, 1)[None] / 127.5 - 1).astype(np.float32)

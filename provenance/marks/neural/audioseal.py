"""AudioSeal (San Roman et al. 2024, arXiv 2401.17264) behind our Protocol, from two TorchScript files.

Made once from the owner's package (MIT, 0.2 or newer), which supports scripting:
`torch.jit.script(AudioSeal.load_generator("audioseal_wm_16bits")).save("generator.jit")` and likewise
`load_detector("audioseal_detector_16bits")`. Interface: `get_watermark(x, sample_rate, message)` with x
(B, 1, N) at 16 kHz and message (B, 16); the detector gives per-sample probabilities and (B, 16)
message probabilities. Sixteen bits are no record id, so the id travels in time: six words of 0.8 s,
each with its number and 13 bits of 32 id bits and 46 zeros, all masked with the key. A blind reading
needs the six words, about five seconds of sound; its false accept bound is exact for any network.
Not the registered `com.aiwatermark.audioseal.1`, which is another owner's format.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from byline.audit.base import heavy
from byline.audit.base.errors import ConfigurationError
from byline.provenance.marks.base import (
    FALSE_ACCEPT,
    AudioFinding,
    Samples,
    UnmarkableInput,
    check_candidates,
)
from byline.provenance.marks.neural.message import bits_of, forgiven, mask, value_of
from byline.provenance.marks.neural.weights import Pinned, torchscript

PAYLOAD_BITS = 32
RATE = 16_000
SEGMENT = 12_800  # samples of one word, 0.8 s
WORDS, INDEX_BITS, WORD_BITS = 6, 3, 16
DATA_BITS = WORD_BITS - INDEX_BITS
CHECK_BITS = WORDS * DATA_BITS - PAYLOAD_BITS  # zeros under the mask
OFFSETS = 8  # where a word may begin in a cut file, in eighths of a word
RATES = (8_000, 192_000)


class AudioSeal:
    """`strength` scales the watermark that the generator gives (1 as the owner uses it)."""

    alg = "io.byline.audio.audioseal.1"
    payload_bits = PAYLOAD_BITS

    def __init__(
        self,
        keys: Sequence[bytes],
        *,
        generator: str,
        generator_sha256: str,
        detector: str,
        detector_sha256: str,
        strength: float = 1.0,
        device: str = "cpu",
    ) -> None:
        if not keys or len(keys) * OFFSETS * 2.0**-CHECK_BITS > FALSE_ACCEPT:
            raise ConfigurationError("a mark needs at least one key and keeps its bound only for a few")
        self._generator = Pinned(generator, generator_sha256)
        self._detector = Pinned(detector, detector_sha256)
        self._masks = [mask(key, "audioseal v1", WORDS * WORD_BITS) for key in keys]
        self._strength, self._device = strength, device

    def self_check(self) -> None:
        """MissingWeights or ConfigurationError if the weights are not those that were pinned."""
        self._generator.checked()
        self._detector.checked()

    def _words(self, payload: int, key_index: int) -> NDArray[np.int64]:
        """(WORDS, 16) message bits."""
        data = bits_of(payload, PAYLOAD_BITS) + [0] * CHECK_BITS
        # The number's mask is the same in every word, or words could not be told apart before unmasking.
        own = np.array(self._masks[key_index]).reshape(WORDS, WORD_BITS)
        rows = [
            bits_of(number, INDEX_BITS) + data[number * DATA_BITS : (number + 1) * DATA_BITS]
            for number in range(WORDS)
        ]
        masked = np.array(rows) ^ own
        masked[:, :INDEX_BITS] = np.array(rows)[:, :INDEX_BITS] ^ own[0, :INDEX_BITS]
        return masked

    def embed(self, samples: Samples, rate: int, payload: int) -> Samples:
        """Mono float samples with the mark, same length and rate. BadPayload, UnmarkableInput."""
        _check(samples, rate)
        torch, network = heavy.load("torch"), torchscript(self._generator, self._device)
        words = torch.tensor(self._words(payload, 0), device=self._device)
        low = _resample(samples, rate, RATE)
        count = -(-len(low) // SEGMENT)
        padded = np.pad(low, (0, count * SEGMENT - len(low))).astype(np.float32)
        parts = torch.from_numpy(padded.reshape(count, 1, SEGMENT)).to(self._device)
        mark = np.empty((count, SEGMENT), np.float32)
        with torch.inference_mode():
            for index in range(count):
                word = words[index % WORDS][None]
                made = network.get_watermark(parts[index : index + 1], RATE, word)
                mark[index] = made.reshape(-1)[:SEGMENT].cpu().numpy()
        wide = _resample(mark.ravel()[: len(low)], RATE, rate)
        wide = np.pad(wide, (0, max(0, len(samples) - len(wide))))[: len(samples)]
        return np.clip(samples + self._strength * wide, -1, 1).astype(np.float32)

    def detect(
        self, samples: Samples, rate: int, *, candidates: Sequence[int] | None = None
    ) -> AudioFinding | None:
        """The mark of any of our keys, blind or among `candidates`. UnmarkableInput."""
        listed = check_candidates(candidates, PAYLOAD_BITS)
        _check(samples, rate)
        low = _resample(samples, rate, RATE)
        if listed == () or len(low) < SEGMENT:
            return None
        for step in range(OFFSETS):
            soft = self._read(low[step * SEGMENT // OFFSETS :])
            if not len(soft):
                continue
            found = self._blind(soft) if listed is None else self._near(soft, listed)
            if found is not None:
                return AudioFinding(*found, "as embedded" if step == 0 else "cut")
        return None

    def _read(self, sound: Samples) -> NDArray[np.float64]:
        """(words, 16) soft bits of consecutive segments, positive for 1."""
        torch, network = heavy.load("torch"), torchscript(self._detector, self._device)
        count = len(sound) // SEGMENT
        parts = np.ascontiguousarray(sound[: count * SEGMENT]).reshape(count, 1, SEGMENT)
        answers = []
        with torch.inference_mode():
            for start in range(0, count, 16):
                batch = torch.from_numpy(parts[start : start + 16]).to(self._device)
                answers.append(network(batch, RATE)[1].double().cpu().numpy())
        if not answers:
            return np.zeros((0, WORD_BITS))
        probability = np.clip(np.concatenate(answers), 1e-6, 1 - 1e-6)
        return np.asarray(np.log(probability / (1 - probability)), np.float64)

    def _blind(self, soft: NDArray[np.float64]) -> tuple[int, int] | None:
        for index, flat in enumerate(self._masks):
            own = np.array(flat).reshape(WORDS, WORD_BITS)
            total = np.zeros((WORDS, DATA_BITS))
            for row in soft:
                number = value_of(
                    [int(v > 0) ^ int(o) for v, o in zip(row, own[0], strict=True)][:INDEX_BITS]
                )
                if number < WORDS:
                    total[number] += row[INDEX_BITS:] * (1 - 2 * own[number, INDEX_BITS:])
            if (np.abs(total).sum(1) == 0).any():
                continue
            data = [int(value > 0) for value in total.ravel()]
            if not any(data[PAYLOAD_BITS:]):
                return value_of(data[:PAYLOAD_BITS]), index
        return None

    def _near(self, soft: NDArray[np.float64], candidates: Sequence[int]) -> tuple[int, int] | None:
        """Compare with the words of each candidate, in any phase of the six.

        Segments that would hold the same word are added first: their mask bits are the same, and only
        bits with masks of their own count as independent in the bound.
        """
        count = DATA_BITS * min(len(soft), WORDS)
        allowed = forgiven(count, len(candidates) * len(self._masks) * OFFSETS * WORDS)
        for phase in range(WORDS):
            total = np.zeros((WORDS, DATA_BITS))
            np.add.at(total, (np.arange(len(soft)) + phase) % WORDS, soft[:, INDEX_BITS:])
            heard = np.abs(total).sum(1) > 0
            bits = (total > 0)[heard]
            for index in range(len(self._masks)):
                for payload in candidates:
                    wrong = int((bits != self._words(payload, index)[heard, INDEX_BITS:]).sum())
                    if wrong <= allowed:
                        return payload, index
        return None


def _check(samples: Any, rate: int) -> None:
    if not isinstance(samples, np.ndarray) or samples.ndim != 1 or samples.dtype != np.float32:
        raise UnmarkableInput("sound is an (N,) array of float32")
    if not RATES[0] <= rate <= RATES[1] or not samples.size:
        raise UnmarkableInput(f"the sampling rate must lie between {RATES[0]} and {RATES[1]} Hz")


def _resample(samples: Samples, rate: int, target: int) -> Samples:
    if rate == target:
        return samples
    common = gcd(rate, target)
    return np.asarray(signal.resample_poly(samples, target // common, rate // common), np.float32)

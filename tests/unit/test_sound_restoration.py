"""Restoration: every step makes its own measure better, and leaves a clean recording alone."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from byline.audit.base import heavy
from byline.audit.base.errors import ConfigurationError, InvalidInput, MissingWeights
from byline.generation.sound import restoration
from byline.generation.sound.separation import SeparationFailed, TorchScriptSeparator
from byline.generation.voices.espeak import EspeakVoice

TEXT = "The harbour opens again on Monday. It rains, and the ferry waits for the tide. Nobody knows when."


@pytest.fixture(scope="module")
def clean() -> tuple[np.ndarray, int]:
    spoken = EspeakVoice().speak(TEXT)
    return spoken.samples.astype(np.float64) * 0.5, spoken.rate


def snr(reference: np.ndarray, found: np.ndarray) -> float:
    return float(10 * np.log10((reference**2).sum() / ((reference - found) ** 2).sum()))


@pytest.mark.parametrize(("noisy", "gain"), [(5, 6.0), (10, 5.0), (20, 2.5)])
def test_denoising_raises_the_signal_to_noise_ratio(
    clean: tuple[np.ndarray, int], noisy: int, gain: float
) -> None:
    speech, rate = clean
    noise = np.random.default_rng(1).normal(size=len(speech))
    noise *= np.sqrt((speech**2).sum() / (noise**2).sum()) * 10 ** (-noisy / 20)
    found = restoration.denoise(speech + noise, rate)
    assert snr(speech, found) > snr(speech, speech + noise) + gain
    assert restoration.noise_floor(found, rate) < restoration.noise_floor(speech + noise, rate) - 10


def test_a_clean_recording_passes_almost_untouched(clean: tuple[np.ndarray, int]) -> None:
    speech, rate = clean
    assert snr(speech, restoration.denoise(speech, rate)) > 40
    assert snr(speech, restoration.repair(speech, rate)) > 40


@pytest.mark.parametrize(("level", "gain"), [(0.5, 8.0), (0.7, 8.0)])
def test_clipped_peaks_are_rebuilt(clean: tuple[np.ndarray, int], level: float, gain: float) -> None:
    speech, rate = clean
    limit = level * np.abs(speech).max()
    clipped = np.clip(speech, -limit, limit)
    assert snr(speech, restoration.repair(clipped, rate)) > snr(speech, clipped) + gain


def test_clicks_are_found_and_mended(clean: tuple[np.ndarray, int]) -> None:
    speech, rate = clean
    chance = np.random.default_rng(2)
    places = chance.integers(100, len(speech) - 100, 40)
    clicked = speech.copy()
    clicked[places] += chance.choice([-0.4, 0.4], 40)
    found = set(restoration.damaged(clicked).tolist())
    assert sum(place in found for place in places) >= 36
    assert snr(speech, restoration.repair(clicked, rate)) > snr(speech, clicked) + 8


def test_the_chain_keeps_its_order_says_what_it_did_and_every_step_can_be_switched(
    clean: tuple[np.ndarray, int],
) -> None:
    speech, rate = clean
    noisy = (speech + np.random.default_rng(3).normal(0, 0.01, len(speech))).astype(np.float32)
    found, report = restoration.restore(noisy, rate)
    assert [step.name for step in report] == list(restoration.STEPS)
    assert found.shape == noisy.shape
    by_name = {step.name: step for step in report}
    assert by_name["denoise"].after < by_name["denoise"].before - 10
    assert not by_name["separate"].applied
    assert "not available" in by_name["separate"].note
    assert by_name["enhance"].after == pytest.approx(-16, abs=0.2)
    same, none = restoration.restore(noisy, rate, steps=())
    assert np.array_equal(same, noisy)
    assert not any(step.applied for step in none)
    assert all(step.note == "switched off" for step in none)
    for wrong in ({"steps": ("polish",)}, {"separator": "nobody"}):
        with pytest.raises((InvalidInput, ConfigurationError)):
            restoration.restore(noisy, rate, **wrong)  # type: ignore[arg-type]
    for sound in (
        np.zeros(3, np.float32),
        np.full(rate, np.nan, np.float32),
        np.zeros((2, rate), np.float32),
    ):
        with pytest.raises(InvalidInput):
            restoration.restore(sound, rate)


def test_a_separator_is_a_real_network_pinned_by_its_hash(
    settings: object, tmp_path: Path, clean: tuple[np.ndarray, int]
) -> None:
    torch = heavy.load("torch")

    class Halves(torch.nn.Module):  # type: ignore[name-defined, misc]
        """Low and high half of the spectrum, as a network would give voice and music."""

        def __init__(self) -> None:
            super().__init__()
            self.low = torch.nn.Conv1d(1, 1, 65, padding=32, bias=False)
            with torch.no_grad():
                self.low.weight.copy_(torch.hann_window(65) / 32)

        def forward(self, sound):  # type: ignore[no-untyped-def]
            low = self.low(sound)
            return torch.stack([low, sound - low], dim=1)

    path = tmp_path / "halves.pt"
    torch.jit.script(Halves()).save(str(path))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    config = {"path": str(path), "sha256": digest, "rate": 16_000, "sources": ["speech", "music"]}
    entry = {"CLASS": "byline.generation.sound.separation.TorchScriptSeparator", "CONFIG": config}
    settings.BYLINE = {**settings.BYLINE, "SEPARATORS": {"halves": entry}}  # type: ignore[attr-defined]
    speech, rate = clean
    whistle = 0.05 * np.sin(2 * np.pi * 5000 * np.arange(len(speech)) / rate)
    found, report = restoration.restore(
        (speech + whistle).astype(np.float32), rate, steps=("separate",), separator="halves"
    )
    step = report[1]
    assert step.applied
    assert "halves" in step.note
    spectrum = np.abs(np.fft.rfft(found))
    at = round(5000 * len(found) / rate)
    assert (
        spectrum[at - 3 : at + 3].max() < 0.05 * np.abs(np.fft.rfft(speech + whistle))[at - 3 : at + 3].max()
    )
    with pytest.raises(ConfigurationError, match="pinned"):
        TorchScriptSeparator(**{**config, "sha256": "0" * 64}).self_check()  # type: ignore[arg-type]
    with pytest.raises(MissingWeights):
        TorchScriptSeparator(**{**config, "path": str(tmp_path / "no.pt")}).self_check()  # type: ignore[arg-type]
    with pytest.raises(SeparationFailed):
        TorchScriptSeparator(**{**config, "sources": ["speech", "a", "b"]}).separate(found, rate)  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError):
        TorchScriptSeparator(**{**config, "sources": ["voice"]})  # type: ignore[arg-type]

"""Sound: loudness, beds that step back, effects, seams, drift and pictures, each against a known answer."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.audit.base.errors import InvalidInput
from byline.generation import plugins, soundtrack
from byline.generation.sound import drift, effects, extension, loudness, mixing, pictures
from byline.generation.sound.base import MOODS, MusicFailed, MusicWish
from byline.generation.sound.music import ProceduralMusic
from byline.generation.voices.espeak import EspeakVoice

RATE = 48_000
LONG = """Hurricanes form over warm tropical water. When the surface of the sea is warmer than twenty-six
degrees, moist air rises and leaves an area of low pressure behind. Air from around rushes in, warms
up and rises as well. The rising vapour condenses into tall clouds and releases heat, which feeds
the storm. As the Earth turns, the whole system begins to spin. In the middle lies the eye, a calm
area without clouds. Around it stands the wall, where the winds are strongest. In the harbour,
fishermen tie down their boats with double ropes. Shopkeepers nail boards over their windows.
Families fill bottles with drinking water and charge their phones. Old people are taken to the
school on the hill by bus. Weather services follow the storm with satellites and aircraft. Their
forecasts of the path have become twice as good in twenty years, but the strength of a storm still
surprises them. When it reaches land, it loses the warm water that feeds it and dies down within a
day or two. The floods that it leaves are often worse than the wind, and the people of the coast
know that the work begins when the sky is blue again. Bridges are checked before the buses run.
Volunteers carry mattresses out into the sun, and the baker gives away what is left of Friday's
bread. By Sunday evening the lamps are burning in every street, the ferry sounds its horn once more,
and somebody has already painted the name of the storm on the wall of the boathouse, with a date."""


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    """Three seconds of nothing, speech, three seconds of nothing."""
    spoken = EspeakVoice().speak(
        "The harbour opens again on Monday. It rains, and the ferry waits for the tide."
    )
    silence = np.zeros(3 * RATE, np.float32)
    return np.concatenate([silence, soundtrack.resample(spoken.samples, spoken.rate, RATE), silence])


def ffmpeg_loudness(samples: np.ndarray, rate: int) -> tuple[float, float]:
    """(LUFS, dBTP) by FFmpeg's ebur128 filter: another implementation of the same recommendation."""
    import av

    graph = av.filter.Graph()
    source = graph.add("abuffer", f"sample_rate={rate}:sample_fmt=flt:channel_layout=mono:time_base=1/{rate}")
    meter, sink = graph.add("ebur128", "metadata=1:peak=true"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), format="flt", layout="mono")
    frame.sample_rate, frame.pts = rate, 0
    graph.push(frame)
    graph.push(None)
    told: dict[str, str] = {}
    while True:
        try:
            told = dict(sink.pull().metadata) or told
        except (av.error.EOFError, av.error.BlockingIOError):
            break
    return float(told["lavfi.r128.I"]), 20 * np.log10(float(told["lavfi.r128.true_peak"]))


@pytest.mark.parametrize("target", [loudness.WEB, loudness.BROADCAST])
def test_speech_reaches_the_target_and_another_meter_agrees(voice: np.ndarray, target: float) -> None:
    found = loudness.normalise(voice, RATE, target)
    measured = loudness.measure(found, RATE)
    assert measured.integrated == pytest.approx(target, abs=0.15)
    assert measured.true_peak <= loudness.CEILING_DBTP + 0.01
    lufs, peak = ffmpeg_loudness(found, RATE)
    assert lufs == pytest.approx(target, abs=0.3)
    assert peak <= loudness.CEILING_DBTP + 0.2


def test_a_sine_between_the_samples_has_the_peak_that_the_recommendation_says() -> None:
    """A quarter of the rate at 45 degrees: the samples stay 3 dB below the wave (BS.1770-4, annex 2)."""
    time = np.arange(RATE)
    wave = np.sin(np.pi / 2 * time + np.pi / 4) * np.hanning(RATE)
    assert np.abs(wave).max() == pytest.approx(0.7071, abs=1e-3)
    assert loudness.true_peak(wave) == pytest.approx(1.0, abs=0.02)


def test_silence_stays_silence_and_short_or_clipped_sounds_are_measured() -> None:
    silence = np.zeros(RATE, np.float32)
    assert not loudness.normalise(silence, RATE).any()
    assert loudness.measure(silence, RATE).integrated == -np.inf
    assert loudness.normalise(np.zeros(0, np.float32), RATE).size == 0
    tick = np.ones(100, np.float32) * 0.5
    assert np.isfinite(loudness.measure(tick, RATE).integrated)
    clipped = np.sign(np.sin(np.arange(RATE) / 30)).astype(np.float32)
    assert loudness.measure(loudness.normalise(clipped, RATE), RATE).true_peak <= -0.99


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-20, 0))
def test_no_peak_gets_over_the_limiter(seed: int, ceiling: float) -> None:
    chance = np.random.default_rng(seed)
    noise = chance.normal(0, 0.5, 4000) * (chance.random(4000) < 0.1)
    assert loudness.true_peak(loudness.limit(noise, RATE, ceiling)) <= 10 ** (ceiling / 20) * 1.0001


def test_music_is_the_same_for_a_seed_another_for_another_and_never_clicks() -> None:
    maker = ProceduralMusic()
    maker.self_check()
    for wish in maker.examples():
        piece = maker.compose(wish)
        assert piece.seconds == pytest.approx(wish.seconds, abs=1e-4)
        assert 0.3 < np.abs(piece.samples).max() <= 0.5
        assert abs(piece.samples[0]) < 1e-3
        assert abs(piece.samples[-1]) < 1e-3
        assert np.array_equal(piece.samples, maker.compose(wish).samples)
        assert not np.array_equal(piece.samples, maker.compose(MusicWish(wish.seconds, wish.mood, 8)).samples)
        assert np.allclose(np.diff(piece.beats), piece.beats[1])
        assert np.abs(np.diff(piece.samples)).max() < 0.3
    moods = [maker.compose(MusicWish(3, mood, 1)).samples for mood in MOODS]
    assert all(not np.array_equal(moods[0], other) for other in moods[1:])
    for wish in (MusicWish(3, "jolly"), MusicWish(0.0), MusicWish(1e9)):
        with pytest.raises(MusicFailed):
            maker.compose(wish)


def test_the_bed_steps_back_for_the_voice_and_comes_back(voice: np.ndarray) -> None:
    bed = soundtrack.resample(
        ProceduralMusic().compose(MusicWish(len(voice) / RATE, "calm", 3)).samples, 24_000, RATE
    )
    mixed = mixing.mix(voice, bed, RATE)
    assert mixed.loudness.integrated == pytest.approx(-16, abs=0.15)
    assert mixed.loudness.true_peak <= -0.99
    assert len(mixed.samples) == len(voice)
    gain = mixed.bed_gain_db
    speaking = slice(round(4.0 * RATE), len(voice) - round(4.0 * RATE))
    assert gain[speaking].max() < -mixing.DUCK_DB + 3, "ducked under every word"
    assert gain[: round(2.7 * RATE)].min() > -0.5
    assert gain[-RATE // 2 :].min() > -1.5
    assert np.abs(np.diff(gain)).max() < 0.01, "a fader has no jumps"
    alone = mixing.mix(None, bed, RATE)
    assert alone.loudness.integrated == pytest.approx(-16, abs=0.15)
    assert not alone.bed_gain_db.any()


def test_a_voice_without_a_bed_is_only_brought_to_its_loudness(voice: np.ndarray) -> None:
    mixed = mixing.mix(voice, None, RATE, target=-23)
    factor = mixed.samples[np.abs(voice).argmax()] / voice[np.abs(voice).argmax()]
    assert np.allclose(mixed.samples, voice * factor, atol=1e-4)


def test_effects_are_seeded_and_found_in_a_text() -> None:
    for name in effects.NAMES:
        sound = effects.make(name, 1.5, 3)
        assert sound.shape == (36_000,)
        assert np.abs(sound).max() == pytest.approx(0.5, abs=0.02)
        assert np.array_equal(sound, effects.make(name, 1.5, 3))
    assert effects.choose("Rain falls on the sea while thunder rolls") == ("rain", "waves", "thunder")
    assert effects.choose("A training session about brain waves?") == ("waves",)
    assert effects.choose("") == ()
    with pytest.raises(effects.UnknownEffect) as refusal:
        effects.make("meow", 1.0)
    assert "rain" in refusal.value.help
    track = mixing.placed(
        [(0.5, effects.make("bell", 1.0)), (9.0, effects.make("bell", 1.0))], 2.0, effects.RATE
    )
    assert track.shape == (48_000,)
    assert not track[:12_000].any()


@pytest.mark.parametrize("kind", ["music", "rain", "tone"])
def test_an_extension_has_no_click_where_a_plain_join_has_one(kind: str) -> None:
    rate = 24_000
    if kind == "music":
        sound = ProceduralMusic().compose(MusicWish(8.0, "calm", 5)).samples[: 6 * rate]
    elif kind == "rain":
        sound = effects.make("rain", 6.2)[: 6 * rate]
    else:
        sound = (0.4 * np.sin(2 * np.pi * 221.3 * np.arange(6 * rate) / rate)).astype(np.float32)
    longer = extension.extend(sound, rate, 15.0)
    assert longer.shape == (15 * rate,)
    kept = len(sound) - round(0.08 * rate)
    assert np.array_equal(longer[:kept], sound[:kept])
    assert extension.click(longer, rate, 6.0) <= 1.2
    assert np.abs(longer[-rate:]).max() > 0.05, "it does not just fall silent"
    if kind == "tone":
        plain = np.concatenate([sound, sound[rate // 3 :]])
        assert extension.click(plain, rate, 6.0) > 2


def test_what_cannot_be_extended_is_refused() -> None:
    for samples, seconds in ((np.zeros(100), 5.0), (np.zeros(48_000), 1.0), (np.zeros(48_000), 1e6)):
        with pytest.raises(InvalidInput):
            extension.extend(samples.astype(np.float32), 24_000, seconds)


def test_two_minutes_of_a_voice_do_not_drift_and_a_changed_voice_is_noticed() -> None:
    steady = EspeakVoice().speak(LONG, rate=118)
    assert steady.seconds > 120
    found = drift.drift(steady.samples, steady.rate)
    assert found.ratio < 1.0
    other = EspeakVoice(variant="m3").speak(LONG[-420:], rate=118)
    changed = np.concatenate([steady.samples[: -len(other.samples)], other.samples])
    assert drift.drift(changed, steady.rate).ratio > 2
    with pytest.raises(InvalidInput):
        drift.drift(steady.samples[: 22_050 * 30], steady.rate)


def test_the_picture_shows_a_tone_where_it_is() -> None:
    from PIL import Image

    rate = 24_000
    tone = (0.8 * np.sin(2 * np.pi * 6000 * np.arange(2 * rate) / rate)).astype(np.float32)
    tone[:rate] = 0
    data = pictures.picture(tone, rate, "tone")
    image = Image.open(io.BytesIO(data))
    assert image.size == (pictures.WIDTH, pictures.HEIGHT)
    field = pictures.spectrogram(tone, rate, 200, 120).astype(int).sum(axis=2)
    assert field[:, 150].argmax() == pytest.approx(60, abs=2), "6 of 12 kHz is half way up"
    assert field[:, 40].max() < 100
    assert len(data) < 200_000
    assert pictures.picture(np.zeros(0, np.float32), rate, "").startswith(b"\x89PNG")


def test_a_wrong_plugin_entry_names_the_setting(settings: object) -> None:
    from byline.audit.base.errors import ConfigurationError

    settings.BYLINE = {"SEPARATORS": {"x": {"CLASS": "byline.nowhere.X"}}}  # type: ignore[attr-defined]
    with pytest.raises(ConfigurationError, match="cannot import"):
        plugins.load("SEPARATORS", "x", "separator")
    with pytest.raises(ConfigurationError, match="no separator named 'y'"):
        plugins.load("SEPARATORS", "y", "separator")

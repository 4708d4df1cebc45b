"""A clip with voice, music and effects, end to end: as loud as asked, marked, and the music is declared."""

from collections.abc import Iterator
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import pytest

from byline.generation import store
from byline.generation.sound import files, loudness
from byline.provenance.trust import TrustBundle
from byline.provenance.verifier import verify

kit = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "pipeline_kit.py")))


@pytest.fixture
def made(settings: Any, transactional_db: None) -> Iterator[None]:
    settings.BYLINE = {**settings.BYLINE, **kit.SETTINGS}
    with kit.Sealer() as running:
        running.keep_alive()
        yield


def test_a_clip_with_voice_music_and_effects_is_as_loud_as_asked_and_says_what_plays(made: None) -> None:
    options = {**kit.SMALL, "music": "calm", "effects": "waves", "loudness": -23.0}
    row = kit.finish(
        kit.ask(
            prompt="A red kite by the sea.",
            voice_over="The kite is back at the sea.",
            seconds=5,
            options=options,
        )
    )
    assert row.error == {}
    assert row.state == "ready"
    run = row.runs.get(stage="watermark")
    assert run.evidence["speech"] == "marked"
    assert run.produces["music"]["name"] == "byline-bed"
    file = store.read_path(row.file_sha256)
    samples, rate = files.read(file)
    heard = loudness.measure(samples, rate)
    assert heard.integrated == pytest.approx(-23, abs=1.0)
    assert heard.true_peak <= -1.0
    report = verify(file, trust=TrustBundle.from_installation(), records=None, offline=True)
    assert report.exit_code == 0, report.summary
    assert "byline-bed" in str(report.as_dict())


def test_a_clip_with_music_alone_carries_the_sound_mark(made: None) -> None:
    options = {**kit.SMALL, "music": "bright"}
    row = kit.finish(kit.ask(prompt="A red kite.", seconds=4, options=options))
    assert row.error == {}
    assert row.result["audio_marked"]
    report = verify(
        store.read_path(row.file_sha256), trust=TrustBundle.from_installation(), records=None, offline=True
    )
    assert report.exit_code == 0, report.summary

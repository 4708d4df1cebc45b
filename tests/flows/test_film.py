"""A film from its storyboard to a finished clip: one pipeline, shots kept, every step with its own entry."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from byline.audit import fsck
from byline.audit.models import Entry
from byline.generation import submit
from byline.generation.films import authoring, kept, scenes, steps
from byline.generation.films.rows import STEPS, Film
from byline.generation.models import GenerationRequest
from byline.generation.script.storyboard import dumps
from byline.platform.cli import main
from byline.platform.ledger.story import story
from byline.provenance.decode import decode
from byline.safety.fairness import stated

sys.path.append(str(Path(__file__).parents[1]))
import film_kit

SAID = ("The wind turns in the evening.", "The harbour fills before the rain.")

pytestmark = pytest.mark.usefixtures("small_pipeline")


def entries(film: Film, kind: str) -> list[dict[str, Any]]:
    return [e.payload for e in Entry.objects.filter(kind=kind, subject=film.subject).order_by("pk")]


def kept_files(film: Film) -> list[Path]:
    return sorted(kept._folder(film.pk).glob("*.shot"))


@pytest.mark.timeout(300)  # the one whole film of the tests, and a stranger's process that verifies it
def test_a_film_is_produced_verified_approved_and_published(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board, out = tmp_path / "board.json", tmp_path / "film"
    shown = film_kit.storyboard(*SAID, visuals=film_kit.VISUALS[:2], seconds=2.6)
    board.write_text(dumps(shown))
    size = ["--width", "320", "--height", "180", "--fps", "12", "--seed", "7"]
    words = ["--brief", "A storm comes. The town gets ready.", "--storyboard", str(board), "--music", "calm"]
    assert main(["film", "produce", *words, *size, "--inline", "--out", str(out)]) == 0
    report = json.loads((out / "report.json").read_text())
    assert report["verified"]["exit"] == 0
    assert [(shot["shot"], shot["source"]) for shot in report["shots"]] == [(1, "made"), (2, "made")]
    assert (out / "contact-sheet.png").stat().st_size > 10_000

    film = Film.objects.get()
    assert [v.change for v in film.versions.all()] == ["drafted", "edited", "fitted to the voice"]
    row = GenerationRequest.objects.get()
    assert row.state == "ready", row.error
    assert row.prompt.split("\n") == list(film_kit.VISUALS[:2])
    media = decode(out / "film.mp4")
    assert media.duration == pytest.approx(row.seconds, abs=1 / 12)
    assert media.samples is not None
    said = row.runs.get(stage="watermark").evidence
    assert said["music"] == "byline-bed"
    assert said["captions"] >= 2
    assert len(kept_files(film)) == 2
    assert b"NUMPY" not in b"".join(path.read_bytes() for path in kept_files(film))

    with pytest.raises(submit.NotReady):
        submit.publish(row.pk, "user:1")
    steps.decide(film.pk, "assemble", "approve", actor="user:2")
    assert main(["film", "publish", str(film.pk)]) == 0
    assert "assemble  approved by user:2" in capsys.readouterr().out
    assert kept_files(film) == []
    step = film.steps.get(name="assemble")
    assert (step.decided_by, step.state, step.request_id) == ("user:2", "approved", row.pk)
    ran = [e["step"] for e in entries(film, "film.step")]
    assert ran == ["script", "script", "script", "voice", "music", "assemble", "shots"]
    told = [line.text for line in story(str(row.pk)).lines]
    assert "Shot 2 was made by test-pattern 1." in told
    assert any("decided to approve the step assemble" in line for line in told)
    fsck.fsck()


def test_a_retake_costs_one_shot() -> None:
    film = film_kit.film()
    assert film_kit.shots(film_kit.shot(film)) == [(1, "made"), (2, "made"), (3, "made")]
    authoring.retake(film.pk, 2, actor="user:2", seed=99)
    assert film_kit.shots(film_kit.shot(film)) == [(1, "kept"), (2, "made"), (3, "kept")]
    assert [e["change"] for e in entries(film, "film.changed")] == ["retake"]


def test_a_changed_visual_costs_one_shot_and_moved_shots_none() -> None:
    film = film_kit.film()
    film_kit.shot(film)
    authoring.edit_shot(film.pk, 3, actor="user:1", visual="A red lantern at night.")
    assert film_kit.shots(film_kit.shot(film)) == [(1, "kept"), (2, "kept"), (3, "made")]
    board = film_kit.storyboard(
        visuals=(film_kit.VISUALS[1], film_kit.VISUALS[0], "A red lantern at night."), seconds=1.4
    )
    version = authoring.edit(film.pk, board, actor="user:1")
    assert version.shots == [1, 2, 3]
    assert film_kit.shots(film_kit.shot(film)) == [(1, "kept"), (2, "kept"), (3, "kept")]


def test_some_shots_can_be_looked_at_alone_and_are_taken_up_by_the_film() -> None:
    film = film_kit.film()
    row = steps.render(film.pk, actor="user:1", shots=[2], wake_worker=lambda *_: None)
    with pytest.raises(steps.FilmBusy):
        steps.assemble(film.pk, actor="user:1")
    row = film_kit.held_when_shot(row)
    assert (len(row.scenes), row.title) == (1, "")
    assert film.steps.get(name="shots").standing() == "held"
    assert film_kit.shots(film_kit.shot(film)) == [(1, "made"), (2, "kept"), (3, "made")]


def test_people_stay_themselves_over_the_film_and_its_retakes() -> None:
    visuals = ("A doctor walks along a canal.", "The doctor waves.", "A red kite.")
    film = film_kit.film(film_kit.storyboard(visuals=visuals))
    first = film_kit.shot(film)
    wording = scenes.lines(first, first.runs.get(stage="debias").produces["effects"]["quota_draw"]["prompt"])
    assert stated.people(wording[0], ["gender"]) != stated.people(visuals[0], ["gender"])
    assert wording[1] == visuals[1]
    authoring.edit_shot(film.pk, 3, actor="user:1", visual="A blue kite.")
    second = film_kit.shot(film)
    assert film_kit.shots(second) == [(1, "kept"), (2, "kept"), (3, "made")]
    known = scenes.known(second)
    assert [known[visual] for visual in visuals] == wording


def test_words_that_do_not_fit_their_shot_are_named_before_anything_is_made() -> None:
    said = "The wind turns in the evening and the harbour fills before the rain begins to fall."
    film = film_kit.film(film_kit.storyboard("", said))
    row = film_kit.assembled(film)
    assert (row.state, row.error_code) == ("failed", "speech_too_long")
    assert "Shot 2" in row.error_message
    assert film_kit.shots(row) == []
    version = authoring.fit_voice(film.pk, actor="user:1", rate=180)
    assert version.shots == [2]
    film_kit.shot(film)
    assert film.steps.get(name="voice").result == {"options": {"rate": 180}}


def test_a_kept_shot_opens_only_as_what_it_was_kept_for() -> None:
    one, two = film_kit.film(), film_kit.film()
    frames = np.arange(2 * 4 * 6 * 3, dtype=np.uint8).reshape(2, 4, 6, 3)
    assert kept.write(one.pk, "a" * 64, frames)
    assert (kept.read(one.pk, "a" * 64) == frames).all()
    for film, key in ((two, "a" * 64), (one, "b" * 64)):
        place = kept._place(film.pk, key)
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(kept._place(one.pk, "a" * 64).read_bytes())
        assert kept.read(film.pk, key) is None
        assert not place.exists()
    kept.tidy(lambda film: film == two.pk)
    assert kept.read(one.pk, "a" * 64) is None


def test_every_step_of_a_film_waits_for_a_person() -> None:
    film = film_kit.film()
    assert [step.name for step in film.steps.all()] == list(STEPS)
    with pytest.raises(steps.StepRefused):
        steps.decide(film.pk, "assemble", "approve", actor="user:2")
    steps.decide(film.pk, "script", "reject", actor="user:2", reason="The second shot is wrong.")
    with pytest.raises(steps.StepRefused):
        steps.assemble(film.pk, actor="user:1")
    authoring.edit_shot(film.pk, 2, actor="user:1", visual="A boat at night.")
    assert film.steps.get(name="script").decided_by == ""
    decided = entries(film, "film.step_decided")
    assert [(e["step"], e["decision"], len(e["reason"])) for e in decided] == [("script", "reject", 64)]
    with pytest.raises(authoring.StaleVersion):
        authoring.retake(film.pk, 1, actor="user:1", expected=1)

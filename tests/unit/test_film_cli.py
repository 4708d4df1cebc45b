"""`byline film` at a terminal: what each task says, and that it is on the record."""

import json
from pathlib import Path

import pytest

from byline.audit.models import Entry
from byline.generation.films.rows import Film
from byline.platform.cli import main

pytestmark = pytest.mark.django_db(transaction=True)
BOARD = {
    "version": 1,
    "title": "A storm",
    "language": "en-us",
    "shots": [
        {"title": "Sea", "seconds": 4, "visual": "A red boat on the water.", "audio": ""},
        {"title": "Town", "seconds": 4, "visual": "A quiet street in the city.", "audio": ""},
    ],
}


def film(*words: str) -> int:
    return main(["film", *words])


def test_a_film_is_begun_shown_edited_retaken_scored_and_decided(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = tmp_path / "board.json"
    board.write_text(json.dumps(BOARD))
    assert film("new", "--storyboard", str(board), "--seed", "3") == 0
    made = Film.objects.get()
    told = capsys.readouterr().out
    assert str(made.pk) in told
    assert "2 shots, 8.0 s" in told
    copy = tmp_path / "copy.json"
    assert film("show", str(made.pk), "--storyboard", str(copy)) == 0
    edited = json.loads(copy.read_text())
    edited["shots"][1]["visual"] = "A lamp at night."
    copy.write_text(json.dumps(edited))
    assert film("edit", str(made.pk), str(copy), "--version", "1") == 0
    assert film("retake", str(made.pk), "2", "--seed", "9") == 0
    assert film("music", str(made.pk), "--music", "calm") == 0
    assert film("voice", str(made.pk), "--rate", "150") == 0
    assert film("decide", str(made.pk), "script", "reject", "--reason", "Too dark.") == 0
    assert film("list") == 0
    assert "v3  A storm" in capsys.readouterr().out
    made.refresh_from_db()
    assert made.options == {"music": "calm", "rate": 150}
    assert [v.seeds for v in made.versions.all()] == [[3, 4], [3, 4], [3, 9]]
    kinds = set(Entry.objects.filter(subject=made.subject).values_list("kind", flat=True))
    assert kinds == {"film.created", "film.changed", "film.step", "film.step_decided"}
    actors = set(Entry.objects.filter(subject=made.subject).values_list("actor", flat=True))
    assert len(actors) == 1


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["new"], "invalid_input"),
        (["new", "--storyboard", "nowhere.json"], "invalid_input"),
        (["show", "12"], "film_not_found"),
        (["make", "12", "--out", "film.avi"], "invalid_input"),
        (["publish", "00000000-0000-4000-8000-000000000000"], "film_not_found"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    words: list[str], code: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert film(*words) != 0
    assert f"[{code}]" in capsys.readouterr().err

"""The quality record from the pipeline to API and command line; poor shots, opinions, comparisons, export."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client

from byline.audit.models import Entry
from byline.generation.quality import preferences, record
from byline.generation.quality.measures import KINDS, NOT_CHECKED
from byline.platform import cli

pytestmark = pytest.mark.django_db(transaction=True)


class Fussy:
    """The role "agreement": knows the tests' engine and likes no picture, or those of later tries."""

    answers: list[float] = [0.05]

    def covers(self, model: str) -> bool:
        return model == "test-pattern"

    def score(self, frames: Any, prompt: str) -> float:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def self_check(self) -> None: ...

    def examples(self) -> tuple[Any, ...]:
        return ()


def _fussy(settings: Any, *answers: float) -> None:
    Fussy.answers = list(answers)
    roles = {"agreement": {"CLASS": f"{Fussy.__module__}.Fussy"}}
    settings.BYLINE = {**settings.BYLINE, "SCREENERS": roles}


def _client(name: str) -> Client:
    user = User.objects.create_user(name)
    user.user_permissions.add(
        *Permission.objects.filter(codename__in=("add_generationrequest", "view_generationrequest"))
    )
    client = Client()
    client.force_login(user)
    return client


def test_two_takes_are_measured_compared_and_given_out(make_clip: Any, tmp_path: Path, capsys: Any) -> None:
    one, other = make_clip(seed=1), make_clip(seed=2)
    client, api = _client("editor"), "/api/v1"
    found = client.get(f"{api}/generations/{one.pk}/quality").json()
    measures = {item["name"]: item for item in found["measures"]}
    assert set(measures) == {*KINDS, "prompt_agreement", "loudness"}
    assert measures["motion"]["value"] > 0
    for name in ("prompt_agreement", "loudness"):
        assert measures[name]["status"] == NOT_CHECKED
        assert measures[name]["why"]
    assert "no verdict" in found["limits"]
    assert found["tries"] == []

    said = client.post(
        f"{api}/generations/{one.pk}/thumb", {"up": True, "tags": ["motion"]}, "application/json"
    )
    assert said.json()["up"] == 1
    assert (
        client.post(f"{api}/generations/{one.pk}/thumb", {"up": False}, "application/json").json()["down"]
        == 1
    )
    assert (
        client.post(f"{api}/generations/{one.pk}/thumb", {"up": "x"}, "application/json").status_code == 400
    )

    pair = client.get(f"{api}/preferences").json()
    assert sorted(pair["clips"]) == sorted([str(one.pk), str(other.pk)])
    assert "model" not in json.dumps(pair)
    votes = {"better": str(other.pk), "worse": str(one.pk)}
    assert client.post(f"{api}/preferences", votes, "application/json").status_code == 201
    assert client.get(f"{api}/preferences").json()["clips"] == []
    wrong = client.post(
        f"{api}/preferences", {"better": str(one.pk), "worse": str(one.pk)}, "application/json"
    )
    assert wrong.status_code == 409
    rated = client.get(f"{api}/preferences/ratings?by=asset").json()
    assert rated[str(other.pk)] > rated[str(one.pk)]
    assert client.get(f"{api}/preferences/ratings?by=mood").status_code == 400

    assert cli.main(["quality", "show", str(one.pk)]) == 0
    assert "prompt_agreement: not checked" in capsys.readouterr().out
    assert cli.main(["quality", "export", str(tmp_path / "pairs.jsonl")]) == 0
    (line,) = map(json.loads, (tmp_path / "pairs.jsonl").read_text().splitlines())
    assert line["chosen"]["asset"] == str(other.pk)
    assert line["rejected"]["sha256"] == one.file_sha256
    assert line["rater"] == 1
    assert "prompt" not in line
    assert "editor" not in json.dumps(line)
    assert cli.main(["quality", "prefer", str(one.pk), "no-such-id"]) != 0
    kinds = list(
        Entry.objects.filter(kind__startswith="quality.").order_by("pk").values_list("kind", flat=True)
    )
    assert kinds == ["quality.opinion", "quality.opinion", "quality.preferred"]


def test_a_clip_that_never_shows_its_prompt_is_tried_three_times_and_goes_to_a_person(
    settings: Any, make_clip: Any
) -> None:
    import pipeline_kit as kit

    _fussy(settings, 0.05)
    row = kit.finish(kit.ask())
    assert row.state == "held"
    assert row.held_for == ["output.quality:review"]
    assert Entry.objects.filter(kind="generation.retried", subject=row.subject).count() == 2
    found = record.of(row)
    assert "low_agreement" in found["flags"]
    assert [len(tries) for tries in found["tries"]] == [3]
    agreement = next(item for item in found["measures"] if item["name"] == "prompt_agreement")
    assert agreement["value"] == 0.05


def test_a_better_second_try_is_kept_and_passes(settings: Any, make_clip: Any) -> None:
    _fussy(settings, 0.1, 0.9)
    row = make_clip()
    (tries,) = record.of(row)["tries"]
    assert [one["agreement"] for one in tries] == [0.1, 0.9]
    assert tries[0]["seed"] != tries[1]["seed"]
    assert Entry.objects.filter(kind="generation.retried", subject=row.subject).count() == 1


def test_elo_is_the_textbooks() -> None:
    assert preferences.elo([]) == {}
    once = preferences.elo([("a", "b")])
    assert once == {"a": 1016.0, "b": 984.0}
    many = preferences.elo([("a", "b")] * 30)
    assert many["a"] - many["b"] > 250
    assert sum(many.values()) == pytest.approx(2000)

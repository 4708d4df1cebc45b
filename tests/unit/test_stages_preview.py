"""Previews: screened like what they show, labelled in their pixels, gone when the model is done."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from byline.generation.contracts import Artefact
from byline.generation.stages import preview
from byline.safety.checks import Check

PICTURE = np.random.default_rng(0).integers(0, 255, (32, 56, 3)).astype(np.uint8)
REQUEST = SimpleNamespace(profile="newsroom", brand="byline", references=[])
ALLOWED = Check("output.nudity", "available")


@pytest.fixture
def shown(tmp_path: Path) -> preview.Shown:
    return preview.Shown(REQUEST, Artefact(workdir=tmp_path), drawn=True)


def saying(monkeypatch: pytest.MonkeyPatch, *checks: Check) -> None:
    monkeypatch.setattr(preview.Shown, "_checks", lambda *_: list(checks))


def test_a_picture_that_passes_is_shown_with_its_label(
    shown: preview.Shown, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    saying(monkeypatch, ALLOWED)
    shown(PICTURE, 5, 20)
    file = tmp_path / "preview.jpg"
    with Image.open(file) as picture:
        assert picture.size == (480, 274 + 28)
        bar = np.asarray(picture.crop((0, 0, 480, 28)))
    assert bar.max() > 200  # words, light
    assert np.median(bar) < 40  # on dark
    assert file.stat().st_mode & 0o777 == 0o600
    assert shown.end() == {"shown": 1, "withheld": 0}
    assert not list(tmp_path.iterdir())


def test_the_label_names_the_step() -> None:
    one, other = (np.asarray(preview.labelled(PICTURE, done, 20)) for done in (5, 10))
    assert (one[:28] != other[:28]).any()
    assert np.array_equal(one[28:], other[28:])


@pytest.mark.parametrize(
    "check",
    [
        Check("output.nudity", "available", "review"),
        Check("output.nudity", "available", "block"),
        Check("output.nudity", "failed"),
        Check("output.nudity", "unavailable"),  # the policy excuses this one nowhere
    ],
)
def test_what_does_not_pass_is_not_shown_and_takes_the_last_one_away(
    shown: preview.Shown, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, check: Check
) -> None:
    saying(monkeypatch, ALLOWED)
    shown(PICTURE, 5, 20)
    saying(monkeypatch, ALLOWED, check)
    shown(PICTURE, 10, 20)
    assert not list(tmp_path.iterdir())
    assert shown.end() == {"shown": 1, "withheld": 1}


def test_what_the_policy_excuses_may_be_missing(
    shown: preview.Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    saying(monkeypatch, ALLOWED, Check("output.violence", "unavailable"))
    shown(PICTURE, 5, 20)
    assert shown.end()["shown"] == 1
    children = SimpleNamespace(profile="children", brand="byline", references=[])
    stricter = preview.Shown(children, shown._artefact, drawn=True)
    stricter(PICTURE, 5, 20)
    assert stricter.end()["withheld"] == 1


def test_every_check_of_one_picture_is_asked(shown: preview.Shown, monkeypatch: pytest.MonkeyPatch) -> None:
    from byline.safety import policy
    from byline.safety.screen import no_go

    def unavailable(_: Any) -> Check:
        return Check(no_go.NAME, "unavailable")

    monkeypatch.setattr(no_go, "no_go", unavailable)  # reads rows
    found = shown._checks(PICTURE, policy.load(), ("newsroom", "byline"))
    assert {check.name for check in found} == {
        "output.nudity",
        "output.faces",
        "output.no_go",
        "output.violence",
        "output.weapons",
        "output.frame_text",
    }
    assert found[0].status == "available"


@pytest.mark.django_db
def test_the_page_shows_it_while_the_model_works_and_not_a_moment_longer(client: Any) -> None:
    from django.contrib.auth.models import User

    from byline.generation import store, submit
    from byline.generation.models import GenerationRequest

    row = submit.submit(prompt="a red ball", requester="admin", wake_worker=lambda *_: None)
    rows = GenerationRequest.objects.filter(pk=row.pk)
    rows.update(
        state="generating", stage="engine", attempt=2, lease_owner="x", lease_until="2100-01-01T00:00Z"
    )
    address = f"/cms/generate/{row.pk}/forthcoming.jpg"
    assert client.get(address).status_code == 302  # to the log-in
    client.force_login(User.objects.create_superuser("admin", password="correct horse battery"))
    assert client.get(address).status_code == 404
    artefact = Artefact(workdir=store.attempt_directory(row.pk, 2))
    preview._write(artefact.workdir / "preview.jpg", preview.labelled(PICTURE, 5, 20))
    answer = client.get(address)
    assert answer.content.startswith(b"\xff\xd8")
    assert "no-store" in answer["Cache-Control"]
    assert address in client.get(f"/cms/generate/{row.pk}/").content.decode()
    rows.update(stage="screen")
    assert client.get(address).status_code == 404
    store.discard_work(row.pk)


@pytest.mark.django_db
@pytest.mark.parametrize("lossy", [[], ["first-block cache at 0.1"]])
def test_the_page_says_what_the_model_took_and_what_it_traded(client: Any, lossy: list[str]) -> None:
    from django.contrib.auth.models import User

    from byline.generation import submit
    from byline.generation.engines.usage import Usage
    from byline.generation.models import StageRun

    client.force_login(User.objects.create_superuser("admin", password="correct horse battery"))
    row = submit.submit(prompt="a red ball", requester="admin", wake_worker=lambda *_: None)
    address = f"/cms/generate/{row.pk}/"
    assert "The model took" not in client.get(address).content.decode()
    usage = Usage("cpu", 12.3, 0, 24.0, 2e-5, "estimate: 5 W a busy core, assumed", None, 1.5)
    evidence = {"usage": usage.as_record(), "settings": {"lossy": lossy}}
    StageRun.objects.create(
        request=row, stage="engine", position=6, verdict="allow", passed=True, attempt=1, digest="",
        seconds=13.0, evidence=evidence,
    )  # fmt: skip
    page = client.get(address).content.decode()
    assert "12.3 s on cpu, 0.02 Wh (estimate" in page
    assert "1.5 GiB of memory" in page
    assert ("first-block cache at 0.1" in page) is bool(lossy)
    assert ("No setting traded quality" in page) is not bool(lossy)

"""Attacks on output screening: a known picture in another coat, and no-go lists that lie or swamp."""

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from django.conf import settings as django_settings

from byline.audit.base.errors import InvalidInput
from byline.generation import verdict
from byline.generation.contracts import Artefact
from byline.generation.stages.screening import screen
from byline.safety import policy
from byline.safety.checks import Check
from byline.safety.hashlists import exchange, lists
from byline.safety.hashlists.pdq import pdq
from byline.safety.screen import frames, no_go, words

FPS = 8.0


def photograph(seed: int, height: int = 720, width: int = 1280) -> np.ndarray:
    """Something with the many scales of a photograph."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32)
    for cells in (3, 6, 12, 24, 48):
        patch = rng.normal(0, 60 / np.sqrt(cells), (cells, cells * 16 // 9, 3)).astype(np.float32)
        picture += cv2.resize(patch, (width, height), interpolation=cv2.INTER_CUBIC) * 3
    return np.clip(picture + 120, 0, 255).astype(np.uint8)


def moving(seed: int, frames: int = 16) -> np.ndarray:
    """An innocent shot of another scene, in the engine's size."""
    wide = cv2.resize(photograph(seed), (160, 64), interpolation=cv2.INTER_AREA)
    return np.stack([wide[:, 2 * n : 2 * n + 112] for n in range(frames)])


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    done, data = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]


def small(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(np.ascontiguousarray(picture), (112, 64), interpolation=cv2.INTER_AREA)


def boxed(picture: np.ndarray) -> np.ndarray:
    """On a taller black canvas."""
    canvas = np.zeros((84, 112, 3), np.uint8)
    canvas[10:74] = small(picture)
    return canvas


DISGUISES = {
    "as it is": small,
    "re-encoded": lambda p: small(jpeg(p, 25)),
    "brighter": lambda p: small(np.clip(p.astype(np.int16) + 25, 0, 255).astype(np.uint8)),
    "mirrored": lambda p: small(p[:, ::-1]),
    "letterboxed": boxed,
    "with grain": lambda p: np.clip(
        small(p) + np.random.default_rng(0).normal(0, 6, (64, 112, 3)), 0, 255
    ).astype(np.uint8),
}


@pytest.fixture
def listed(db: None, tmp_path: Path) -> np.ndarray:
    """A picture that is on the no-go list."""
    forbidden = photograph(7)
    file = tmp_path / "no-go.txt"
    file.write_text(f"pdq {pdq(forbidden)[0].hex}\n")
    asked = {"source": "test", "category": "intimate_imagery", "actor": "cli:test", "action": "block"}
    lists.import_file(file, name="ncii", **asked)
    return forbidden


@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_no_go_picture_in_a_clip_is_found(listed: np.ndarray, disguise: str) -> None:
    """Two frames of it in the middle of an innocent clip."""
    picture = DISGUISES[disguise](listed)
    shot = list(moving(1)) if disguise != "letterboxed" else [boxed(f) for f in moving(1)]
    shot[6], shot[7], shot[8] = picture, picture, picture
    check = no_go.no_go(no_go.fingerprints([shot], FPS))
    assert (check.status, check.action, check.category) == ("available", "block", "intimate_imagery")
    assert check.evidence["matches"][0]["list"] == "ncii"
    assert pdq(listed)[0].hex not in repr(check)


def test_an_innocent_clip_is_not(listed: np.ndarray) -> None:
    for seed in range(1, 6):
        check = no_go.no_go(no_go.fingerprints([moving(seed)], FPS))
        assert (check.status, check.action) == ("available", "allow")


def test_the_stage_rejects_it_whatever_the_other_checks_say(
    listed: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("nudity", "faces"):  # which see nothing, in no time
        monkeypatch.setattr(frames, name, lambda *_, name=name, **__: Check(f"output.{name}", "available"))
    monkeypatch.setattr(django_settings, "BYLINE", {**django_settings.BYLINE, "SCREENERS": {}})
    shot = moving(1)
    shot[6:9] = DISGUISES["re-encoded"](listed)
    made = Artefact(tmp_path)
    made.produced = {
        "engine": {"fps": FPS, "drawn": True, "model": "test"},
        "debias": {"prompt": "a harbour"},
        "normalise": {"voice_over": ""},
    }
    made.memory = {"shots": [shot], "speech": None}
    asked = SimpleNamespace(profile="newsroom", brand="byline", references=[], options={}, scenes=[])
    outcome = screen(asked, made)
    chosen = policy.load()
    ruling = verdict.rule(outcome, excused=lambda name: chosen.may_be_unavailable("newsroom", name))
    assert ruling.action == "reject"
    assert "output.no_go:block" in ruling.reasons
    # What was rejected leaves the fingerprints by which it stays down.
    prints = outcome.produces["fingerprints"]
    json.dumps(prints)
    assert lists.add_rejected(prints, reference="request:1", category="violence", actor="user:1")
    again = no_go.no_go(no_go.fingerprints([[jpeg(frame, 70) for frame in shot]], FPS))
    assert {m["list"] for m in again.evidence["matches"]} == {"ncii", "stay-down-violence"}


@pytest.mark.django_db
def test_lists_that_were_tampered_with_hold_every_clip(listed: np.ndarray) -> None:
    from byline.safety.hashlists.models import HashEntry
    from byline.safety.screen.guarded import guarded

    HashEntry.objects.all().delete()
    lists._kept = None  # another process, or this one after a restart
    check = guarded(no_go.NAME, lambda: no_go.no_go(no_go.fingerprints([moving(1)], FPS)))
    assert check.status == "failed"


HEX = "0123456789abcdef" * 4
CORRUPTED = {
    "cut off.json": b'{"data": [{"id": "1", "indicator": "' + HEX.encode(),
    "short hash.txt": f"pdq {HEX}\npdq {HEX[:-1]}\n".encode(),
    "no hex.txt": f"pdq {HEX}\npdq {'z' * 64}\n".encode(),
    "unknown type.csv": f"signal_type,signal_str\nmd5,{HEX}\n".encode(),
    "other columns.csv": f"hash,kind\n{HEX},pdq\n".encode(),
    "ragged.csv": f"signal_type,signal_str\npdq,{HEX},extra,cells\n".encode(),
    "binary.txt": bytes(range(256)) * 4,
    "empty.txt": b"\n\n",
    "nothing.json": b'{"data": []}',
    "deep.json": b"[" * 100_000,
    "deletion.json": json.dumps(
        {"data": [{"id": "1", "indicator": HEX, "type": "HASH_PDQ", "should_delete": True}]}
    ).encode(),
    "matches everything.txt": b"pdq " + b"0" * 64 + b"\n",
    "half of it.txt": f"pdq {HEX}\nphash {'f0' * 7}\n".encode(),
    "executable.exe": b"MZ",
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", CORRUPTED)
def test_a_corrupted_list_is_refused_whole_and_the_old_one_stays(
    listed: np.ndarray, tmp_path: Path, name: str
) -> None:
    before = lists.listed()
    (tmp_path / name).write_bytes(CORRUPTED[name])
    asked = {"source": "test", "category": "violence", "actor": "cli:test"}
    with pytest.raises(InvalidInput) as caught:
        lists.import_file(tmp_path / name, name="ncii", **asked)
    assert caught.value.status == 400
    assert HEX not in str(caught.value)
    assert lists.listed() == before


@pytest.mark.django_db
def test_a_huge_list_is_bounded(listed: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    file = tmp_path / "huge.txt"
    file.write_text("".join(f"pdq {rng.bytes(32).hex()}\n" for _ in range(60)))
    asked = {"source": "test", "category": "violence", "actor": "cli:test"}
    limited = {**django_settings.BYLINE, "HASHLIST_MAX_ENTRIES": 60}
    monkeypatch.setattr(django_settings, "BYLINE", limited)
    with pytest.raises(exchange.HashListTooLarge, match="limit"):  # with the one that is there
        lists.import_file(file, name="huge", **asked)
    limited["HASHLIST_MAX_ENTRIES"] = 50
    with pytest.raises(exchange.HashListTooLarge, match="50"):  # by itself
        lists.import_file(file, name="huge", **asked)
    monkeypatch.setattr(exchange, "MAX_BYTES", 1000)
    with pytest.raises(exchange.HashListTooLarge, match="MiB"):  # before it is read
        lists.import_file(file, name="huge", **asked)
    assert [item.name for item in lists.listed()] == ["ncii"]


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
@pytest.mark.parametrize(
    ("written", "held"), [("KILL ALL IMMIGRANTS", True), ("HARBOUR OPENS MONDAY", False)]
)
def test_forbidden_words_in_the_picture_hold_the_clip(written: str, held: bool) -> None:
    shown: list[Any] = [cv2.resize(photograph(2), (640, 360)) for _ in range(2)]
    cv2.rectangle(shown[1], (0, 140), (640, 230), (250, 250, 250), -1)
    cv2.putText(shown[1], written, (20, 200), cv2.FONT_HERSHEY_SIMPLEX, 1.4, (10, 10, 10), 3, cv2.LINE_AA)
    check = words.frame_text(shown, policy.load(), "newsroom", "byline")
    assert check.status == "available"
    assert (check.action != "allow") is held, check
    assert "immigrants" not in repr(check).lower()

"""The content-addressed store and the private work directories."""

import stat
import time
import uuid
from pathlib import Path

import pytest

from byline.generation import store


@pytest.fixture(autouse=True)
def home(tmp_path: Path, settings) -> Path:  # type: ignore[no-untyped-def]
    settings.BYLINE = {**settings.BYLINE, "HOME": tmp_path}
    return tmp_path


def file(tmp_path: Path, data: bytes = b"clip", name: str = "a.mp4") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_named_by_its_bytes_and_private(home: Path) -> None:
    digest = store.put(file(home))
    place = store.read_path(digest)
    assert place.read_bytes() == b"clip"
    assert place == home / "clips" / digest[:2] / f"{digest}.mp4"
    assert (mode(place), mode(place.parent), mode(home / "clips")) == (0o600, 0o700, 0o700)
    assert store.put(file(home, name="b.mp4")) == digest
    assert [p.name for p in (home / "clips").rglob("*") if p.is_file()] == [place.name]


def test_changed_or_missing_bytes_are_noticed(home: Path) -> None:
    digest = store.put(file(home))
    store.path_of(digest).write_bytes(b"clop")
    with pytest.raises(store.FileDamaged, match="changed"):
        store.read_path(digest)
    store.path_of(digest).unlink()
    with pytest.raises(store.FileDamaged, match="missing"):
        store.read_path(digest)


def test_a_failed_put_leaves_nothing(home: Path) -> None:
    with pytest.raises(FileNotFoundError):
        store.put(home / "absent.mp4")
    assert [p for p in (home / "clips").rglob("*") if p.is_file()] == []


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "A" * 64, "a" * 63, "a" * 63 + "/"])
def test_only_digests_are_names(name: str) -> None:
    with pytest.raises(ValueError, match="not the name"):
        store.path_of(name)
    with pytest.raises(ValueError, match="not the name"):
        store.path_of("a" * 64, ".py")


def test_each_attempt_has_its_own_private_directory(home: Path) -> None:
    request = uuid.uuid4()
    first, second = store.attempt_directory(request, 1), store.attempt_directory(request, 2)
    assert first != second
    assert mode(first) == mode(first.parent) == mode(home / "work") == 0o700
    assert list(store.work_ids()) == [request]
    (second / "half.mp4").write_bytes(b"x")
    store.discard_work(request)
    assert not first.parent.exists()
    store.discard_work(request)  # silent the second time


def test_a_work_directory_is_named_by_a_uuid_only() -> None:
    with pytest.raises(ValueError, match="badly formed"):
        store.work_directory("../keys")  # type: ignore[arg-type]


def test_files_by_age_names_whole_and_half_ones(home: Path) -> None:
    digest = store.put(file(home))
    half = home / "clips" / ".put-abc"
    half.write_bytes(b"x")
    now = time.time()
    assert sorted(store.written_between(now - 60, now + 60)) == sorted(
        [(digest, store.path_of(digest)), ("", half)]
    )
    assert list(store.written_between(now - 60, now - 30)) == []

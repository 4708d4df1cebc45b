"""The digest of a WebM: its clusters, whatever else the file holds; anything damaged is refused."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from byline.generation import encode
from byline.provenance.digest import DigestError, content_digest


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("webm") / "a.webm"
    frames = [np.full((64, 96, 3), 9 * n, np.uint8) for n in range(10)]
    encode.write_clip(path, iter(frames), 10, None, 48_000, title="one")
    return path


def test_it_is_of_the_clusters_alone(clip: Path) -> None:
    data = clip.read_bytes()
    found = content_digest(clip)
    assert found.rule == "webm-cluster-sha256"
    title = data.index(b"one")
    renamed = data[:title] + b"two" + data[title + 3 :]
    assert content_digest(renamed) == found, "a title is not what is seen"
    cluster = data.index(b"\x1f\x43\xb6\x75", 200)
    at = data.rindex(b"\xa3", 0, len(data) - 40) if b"\xa3" in data[cluster:] else cluster + 60
    changed = bytearray(data)
    changed[max(at + 12, cluster + 40)] ^= 1
    assert content_digest(bytes(changed)) != found


def test_what_is_cut_or_of_unknown_size_is_refused(clip: Path) -> None:
    data = clip.read_bytes()
    for wrong in (data[:-1], data[:60], data[:4], data[:4] + b"\xff" + data[5:]):
        with pytest.raises(DigestError):
            content_digest(wrong)


@given(st.binary(max_size=60))
def test_hostile_bytes_end_in_an_error(rest: bytes) -> None:
    with pytest.raises(DigestError):
        content_digest(b"\x1a\x45\xdf\xa3" + rest)

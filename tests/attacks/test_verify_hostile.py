"""Threat: a file made to crash, exhaust or mislead the verifier. Each gets a verdict, never an exception."""

from __future__ import annotations

import json
import random
import struct
import time
import zipfile
import zlib
from collections import Counter
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import pytest

from byline.provenance import verifier
from byline.provenance.trust import TrustBundle
from byline.provenance.verdicts import Verdict

kit = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "provenance_kit.py")))
hostile = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "hostile_kit.py")))
HARMLESS = {Verdict.UNREADABLE, Verdict.MARK_NOT_CHECKED, Verdict.TAMPERED}
SECONDS = 60.0  # of wall time for one small file, on a busy machine; decode's own limit is 60 s of CPU


@pytest.fixture(scope="module")
def signed(byline_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small signed clip; no mark is in it, because nothing here looks for one."""
    from byline.provenance import manifest, signing

    folder = tmp_path_factory.mktemp("signed")
    plain = kit.write_mp4(folder / "plain.mp4", kit.pictures(1, count=6, size=(64, 48)))
    facts = manifest.ManifestFacts(
        title="t", asset_id="a", software_version="1", proof=kit.proof_for(plain),
        models=(manifest.ModelFact("m", "1", "moving pictures"),),
    )  # fmt: skip
    signing.sign_file(plain, folder / "signed.mp4", manifest.build(facts))
    return folder / "signed.mp4"


def _verdict(path: Path) -> Verdict:
    started = time.monotonic()
    report = verifier.verify(path, trust=TrustBundle.from_installation(), records=None)
    assert time.monotonic() - started < SECONDS
    json.dumps(report.as_dict())
    return report.verdict


def _box(name: bytes, body: bytes = b"") -> bytes:
    return struct.pack(">I4s", 8 + len(body), name) + body


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _png(width: int, height: int, *chunks: bytes) -> bytes:
    header = _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + _chunk(b"IEND", b"")


def _deep_boxes(depth: int) -> bytes:
    body = b""
    for _ in range(depth):
        body = _box(b"moov", body)
    return _box(b"ftyp", b"isom\0\0\0\0isom") + body


FTYP = _box(b"ftyp", b"isom\0\0\0\0isom")
BOMBS: dict[str, bytes] = {
    "png, 10 GB of pixels": _png(60_000, 60_000, _chunk(b"IDAT", zlib.compress(bytes(10_000_000)))),
    "png, text that unfolds": _png(
        8,
        8,
        _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(200_000_000))),
        _chunk(b"IDAT", zlib.compress(bytes(200))),
    ),
    "png, a profile that unfolds": _png(8, 8, _chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(200_000_000)))),
    "png, 50,000 empty chunks": _png(8, 8, _chunk(b"IDAT", b"") * 50_000),
    "gif, as large as it can say": (
        b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0xF7, 0, 0) + bytes(768) + b","
    ),
    "jpeg, as large as it can say": bytes.fromhex("ffd8ffc0001108ffffffff03012200021101031101") + bytes(64),
    "mp4, 5,000 boxes deep": _deep_boxes(5_000),
    "mp4, a box beyond the file": FTYP + struct.pack(">I4sQ", 1, b"mdat", 2**62) + bytes(64),
    "mp4, boxes of no size": FTYP + struct.pack(">I4s", 0, b"moov") * 1_000,
    "mp4, boxes of size 1": FTYP + struct.pack(">I4sQ", 1, b"moov", 16) * 4_000,
    "wav, four thousand million samples a second": (
        b"RIFF\xff\xff\xff\x7fWAVEfmt \x10\0\0\0\1\0\1\0"
        + b"\xff\xff\xff\xff" * 2
        + b"\2\0\x10\0data\xff\xff\xff\x7f"
    ),
    "webm, an element of endless size": b"\x1aE\xdf\xa3\x01\xff\xff\xff\xff\xff\xff\xff" + bytes(4_000),
    "manifest box of nested lengths": FTYP + _box(
        b"uuid", bytes.fromhex("d8fec3d61b0e483c92975828877ec481") + bytes(12) + (b"\0\0\xff\xffjumb" * 4_000)
    ),
    "nothing but frame syncs": b"\xff\xfb" * 50_000,
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(BOMBS))
def test_bombs_and_lies_get_a_verdict_in_bounds(name: str, tmp_path: Path, byline_home: Path) -> None:
    (tmp_path / "file").write_bytes(BOMBS[name])
    assert _verdict(tmp_path / "file") in HARMLESS


def test_archives_scripts_and_other_polyglots_are_read_as_what_comes_first(
    signed: Path, tmp_path: Path, byline_home: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(50_000_000))
    clip, packed = signed.read_bytes(), (tmp_path / "a.zip").read_bytes()
    page = b"<html><script src=https://attacker.example/x></script></html>"
    picture = kit.write_image(tmp_path / "a.png").read_bytes()
    cases = {
        "a zip alone": (packed, {Verdict.UNREADABLE}),
        "a page alone": (page, {Verdict.UNREADABLE}),
        "a zip before the clip": (packed + clip, {Verdict.TAMPERED}),
        "a zip behind the clip": (clip + packed, {Verdict.TAMPERED}),
        "a page behind the clip": (clip + page, {Verdict.TAMPERED}),
        "the clip behind a picture": (picture + clip, {Verdict.TAMPERED}),
        "a picture behind the clip": (clip + picture, {Verdict.TAMPERED}),
        "a plain picture with a zip": (picture + packed, {Verdict.MARK_NOT_CHECKED}),
    }
    for name, (data, expected) in cases.items():
        (tmp_path / "file.mp4").write_bytes(data)
        assert _verdict(tmp_path / "file.mp4") in expected, name


@pytest.mark.parametrize("ending", [".txt", ".jpg", ".c2pa", ".html", "", ".mp4.exe"])
def test_the_name_of_a_file_means_nothing(signed: Path, tmp_path: Path, ending: str) -> None:
    copy = tmp_path / f"clip{ending}"
    copy.write_bytes(signed.read_bytes())
    assert _verdict(copy) is Verdict.INTACT


def test_every_truncation_of_a_signed_file_is_tampered_or_unreadable(signed: Path, tmp_path: Path) -> None:
    data = signed.read_bytes()
    start = data.index(b"jumdc2pa") + 24
    for length in (0, 1, 7, 8, 31, *random.Random(3).sample(range(32, len(data)), 12)):
        (tmp_path / "cut.mp4").write_bytes(data[:length])
        verdict = _verdict(tmp_path / "cut.mp4")
        assert verdict is Verdict.TAMPERED if length >= start else verdict in HARMLESS, length


# ------------------------------------------------------------------ mutants


def _fuzz(count: int, seed: int, signed: Path, folder: Path) -> Counter[str]:
    sources = [path.read_bytes() for path in hostile.originals(folder, [signed])]
    worker, answers = hostile.Worker(), Counter[str]()
    target = folder / "mutant"
    try:
        for data in hostile.mutants(sources, count, seed):
            target.write_bytes(data)
            answer = worker.read(target)
            answers[answer] += 1
            if answer not in hostile.EXPECTED:
                # The worker is one long life without the child's watchdog: the verifier itself decides.
                assert answer == "died", f"{answer} escaped"
                assert _verdict(target) in {*HARMLESS, Verdict.UNKNOWN_SIGNER, Verdict.UNPROVEN}
    finally:
        worker.close()
    return answers


def test_500_mutants_of_all_formats_crash_nothing(signed: Path, tmp_path: Path) -> None:
    answers = _fuzz(500, 11, signed, tmp_path)
    assert sum(answers.values()) == 500
    assert min(answers["decoded"], answers["unreadable"]) > 25, (
        "mutants both live and die, or they test nothing"
    )


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_10_000_mutants_of_all_formats_crash_nothing(signed: Path, tmp_path: Path) -> None:
    answers = _fuzz(10_000, 12, signed, tmp_path)
    print(dict(answers))
    assert sum(answers.values()) == 10_000


def test_the_worker_reports_what_it_must(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fuzzer that cannot see a crash proves nothing: a missing file escapes, a good one is decoded."""
    worker: Any = hostile.Worker()
    try:
        assert worker.read(tmp_path / "missing") == "FileNotFoundError"
        assert worker.read(kit.write_image(tmp_path / "a.png")) == "decoded"
        worker._child.kill()
        worker._child.wait()
        worker._child.stdin.close()
        worker._start()
        assert worker.read(kit.write_wav(tmp_path / "a.wav")) == "decoded"
    finally:
        worker.close()

"""Files brought in: kept byte for byte, with what they say about themselves, and never written to."""

from __future__ import annotations

import stat
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest

from byline.provenance import aigc, embedding, formats, ingest, manifest, metadata, reading, signing
from byline.provenance.ingest import Declaration
from byline.provenance.trust import TrustBundle

HERE = Path(__file__)
kit = SimpleNamespace(**run_path(str(HERE.parents[1] / "provenance_kit.py")))
media = SimpleNamespace(**run_path(str(HERE.with_name("test_provenance_manifest_signing.py"))))


def _ingest(path: Path, tmp_path: Path, trust: TrustBundle | None = None) -> ingest.IngestedFile:
    return ingest.ingest(path, trust or TrustBundle.from_installation(), store=tmp_path / "store")


def _signed(tmp_path: Path, suffix: str = "png") -> Path:
    target = tmp_path / f"signed.{suffix}"
    signing.sign_file(media.HOLDING[suffix](tmp_path / f"in.{suffix}"), target, manifest.build(media.FACTS))
    return target


@pytest.mark.parametrize("suffix", ["mp4", "png", "jpg", "wav", "mp3"])
def test_a_signed_file_is_kept_byte_for_byte_and_refuses_metadata(tmp_path: Path, suffix: str) -> None:
    source = _signed(tmp_path, suffix)
    before = source.read_bytes()
    kept = _ingest(source, tmp_path)
    assert kept.path.read_bytes() == before == source.read_bytes()
    assert kept.path.stem == kept.sha256
    assert not stat.S_IMODE(kept.path.stat().st_mode) & 0o222
    assert (kept.status, kept.warnings) == ("trusted", ())
    with pytest.raises(embedding.SignedFile):
        aigc.write(kept.path, tmp_path / "written", {"DigitalSourceType": "x"})
    assert kept.path.read_bytes() == before
    assert _ingest(source, tmp_path).path == kept.path, "the same bytes are the same file"


def test_its_own_statements_about_ai_are_surfaced(tmp_path: Path) -> None:
    kept = _ingest(_signed(tmp_path), tmp_path)
    assert kept.says_ai
    assert Declaration("C2PA AI disclosure", "byline-starter 3", True) in kept.declarations
    assert any("compositeWithTrainedAlgorithmicMedia" in d.says for d in kept.declarations)


def test_a_label_in_an_unsigned_file_is_surfaced(tmp_path: Path) -> None:
    label = aigc.AigcLabel("2", "doubao", "9")
    said = metadata.fields("trainedAlgorithmicMedia", [("some-model", "1")])
    aigc.write(kit.write_image(tmp_path / "a.jpg"), tmp_path / "b.jpg", said, label)
    kept = _ingest(tmp_path / "b.jpg", tmp_path)
    assert kept.label == label
    assert kept.status == "none"
    places = {declaration.place for declaration in kept.declarations}
    assert places == {"IPTC metadata", "GB 45438 label"}
    assert any(d.says == "possibly AI-generated, by doubao" for d in kept.declarations)


def test_a_photograph_says_nothing_about_ai(tmp_path: Path) -> None:
    kept = _ingest(kit.write_image(tmp_path / "a.jpg"), tmp_path)
    assert (kept.says_ai, kept.declarations, kept.status) == (False, (), "none")


def test_a_broken_credential_warns_and_becomes_a_broken_ingredient(tmp_path: Path) -> None:
    source = _signed(tmp_path)
    kit.flip(source, source.read_bytes().index(b"IDAT") + 40)
    kept = _ingest(source, tmp_path)
    assert kept.status == "broken"
    assert "assertion.dataHash.mismatch" in kept.warnings[0]
    part = kept.ingredient("componentOf", "CC-BY-4.0")
    target = tmp_path / "made.png"
    signing.sign_file(tmp_path / "in.png", target, manifest.build(media.FACTS, ingredients=[part]), [part])
    held = reading.read(target, TrustBundle.from_installation())
    ancestor = next(a for a in held.ancestors if a.relationship == "componentOf")
    assert "assertion.dataHash.mismatch" in ancestor.failures


def test_an_unknown_signer_is_named_so(tmp_path: Path) -> None:
    kept = _ingest(_signed(tmp_path), tmp_path, TrustBundle.empty())
    assert kept.status == "signer unknown"
    assert "not among this installation's roots" in kept.warnings[0]


@pytest.mark.parametrize("damage", ["", "file", "side-car"])
def test_a_side_car_is_read_and_kept_beside(tmp_path: Path, damage: str) -> None:
    source = media.BARE["ogg"](tmp_path / "clip.ogg")
    signing.sign_sidecar(source, formats.sidecar_of(source), manifest.build(media.FACTS))
    if damage == "file":
        kit.flip(source, source.stat().st_size // 2)
    if damage == "side-car":
        formats.sidecar_of(source).write_bytes(b"nothing")
    kept = _ingest(source, tmp_path)
    assert kept.status == ("broken" if damage else "trusted")
    assert kept.credentials == kept.path.with_suffix(".c2pa").read_bytes()
    assert bool(kept.warnings) == bool(damage)
    facts = dict(kept.ingredient("inputTo").facts)
    assert facts["org.byline.sidecar"].startswith(kept.status)


def test_what_is_no_media_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello")
    with pytest.raises(ingest.NotIngestible):
        _ingest(tmp_path / "a.txt", tmp_path)
    assert not (tmp_path / "store").exists()

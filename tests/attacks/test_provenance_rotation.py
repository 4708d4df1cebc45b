"""Everything that made a clip is exchanged; the clip still verifies, and stripped it is still recovered."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import provenance_kit as kit
import pytest

from byline.audit.base import keyring
from byline.platform import rotation
from byline.provenance import ids, manifest, reading, signing, verifier
from byline.provenance.records import DirectoryRecords, write_directory
from byline.provenance.trust import TrustBundle


def _records(directory: Path, *clips: kit.Clip) -> DirectoryRecords:
    """What an operator exports after the rotations: all records, all keys still recognised."""
    directory.mkdir()
    source = SimpleNamespace(
        all=lambda: [clip.stored for clip in clips],
        mark_keys=keyring.read_all("watermark"),
        id_keys=keyring.read_all("id"),
    )
    write_directory(directory, source)
    return DirectoryRecords(directory)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    directory = tmp_path_factory.mktemp("rotation")
    with kit.home(directory / "home"):
        old_keys = {kind: keyring.read(kind) for kind in ("watermark", "id", "c2pa_leaf", "c2pa_chain")}
        old_trust = TrustBundle.from_installation()
        old = kit.make_clip(directory, 1, serial=5)
        said = {kind: rotation.rotate(kind) for kind in rotation.KINDS}
        new = kit.make_clip(directory, 2, serial=6)
        # Another engine and model made the next clip; the manifest says so, and the old one stays as it is.
        other = directory / "other.mp4"
        facts = manifest.ManifestFacts(
            title="Made by another engine",
            asset_id="b",
            software_version="next",
            proof=kit.proof_for(new.unsigned),
            models=(
                manifest.ModelFact("wan", "2.2", "moving pictures", "hf:Wan-AI/Wan2.2-T2V-A14B-Diffusers"),
            ),
            mark_id=new.mark_id,
        )
        signing.sign_file(new.unsigned, other, manifest.build(facts))
        yield SimpleNamespace(
            old=old,
            new=new,
            other=other,
            old_keys=old_keys,
            old_trust=old_trust,
            said=said,
            trust=TrustBundle.from_installation(),
            records=_records(directory / "records", old, new),
        )


def test_every_key_is_another(stage: SimpleNamespace) -> None:
    for kind, before in stage.old_keys.items():
        assert keyring.read(kind) != before
    assert keyring.read_all("watermark")[1:] == [stage.old_keys["watermark"]]
    assert keyring.read_all("id")[1:] == [stage.old_keys["id"]]
    assert stage.old_keys["c2pa_leaf"] not in keyring.read_all("c2pa_leaf"), "an old signing key is gone"
    assert "1 older" in stage.said["watermark"]


@pytest.mark.parametrize("clip", ["old", "new"])
def test_signed_before_or_after_it_verifies(stage: SimpleNamespace, clip: str) -> None:
    report = verifier.verify(getattr(stage, clip).signed, trust=stage.trust, records=None)
    assert report.exit_code == 0, report.lines()


def test_an_old_bundle_still_knows_the_new_leaf(stage: SimpleNamespace) -> None:
    assert reading.read(stage.new.signed, stage.old_trust).signer_known, "the root is the same"
    assert (
        reading.read(stage.old.signed, stage.trust).signer
        != reading.read(stage.new.signed, stage.trust).signer
    )


def test_another_model_and_engine_verify_beside_the_old(stage: SimpleNamespace) -> None:
    assert verifier.verify(stage.other, trust=stage.trust, records=None).exit_code == 0
    made = reading.read(stage.other, stage.trust).assertion("c2pa.ai-disclosure")
    assert "wan" in made["modelName"]


@pytest.mark.parametrize("clip", ["old", "new"])
def test_stripped_it_is_recovered(stage: SimpleNamespace, clip: str) -> None:
    made = getattr(stage, clip)
    report = verifier.verify(made.unsigned, trust=stage.trust, records=stage.records)
    assert (report.exit_code, report.record) == (12, made.stored.id), report.lines()


def test_old_ids_open_with_all_keys_and_not_with_the_new_alone(stage: SimpleNamespace) -> None:
    ids.open_mark_id(stage.old.mark_id, keyring.read_all("id"))
    ids.open_mark_id(stage.new.mark_id, keyring.read_all("id"))
    with pytest.raises(ids.ForgedMark):
        ids.open_mark_id(stage.old.mark_id, [keyring.read("id")])


def test_no_more_keys_than_the_threshold_allows(tmp_path: Path) -> None:
    with kit.home(tmp_path / "home"):
        for _ in range(rotation.MAX_ACTIVE - 1):
            rotation.rotate("watermark")
        before = keyring.read_all("watermark")
        assert len(before) == rotation.MAX_ACTIVE
        with pytest.raises(rotation.RotationRefused, match="16 watermark keys"):
            rotation.rotate("watermark")
        assert keyring.read_all("watermark") == before


def test_an_interrupted_rotation_leaves_the_old_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with kit.home(tmp_path / "home"):
        before = keyring.read("watermark")

        def die(*_: object) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr("byline.audit.base.keyring.os.replace", die)
            with pytest.raises(KeyboardInterrupt):
                rotation.rotate("watermark")
        assert keyring.read_all("watermark") == [before]
        rotation.rotate("watermark")
        assert keyring.read_all("watermark")[1:] == [before]


def test_a_root_in_the_key_ring_of_another_installation_is_not_believed(
    stage: SimpleNamespace, tmp_path: Path
) -> None:
    with kit.home(tmp_path / "home"):
        strangers = TrustBundle.from_installation()
    report = verifier.verify(stage.new.signed, trust=strangers, records=None)
    assert report.exit_code == 11

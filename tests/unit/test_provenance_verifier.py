"""One verdict per situation, with its exit code: the promises of `byline verify`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from byline.provenance import decode, verifier
from byline.provenance.marks.video import VideoMark
from byline.provenance.readback import ReadBackFailed, read_back
from byline.provenance.trust import TrustBundle
from byline.provenance.verdicts import Finding, Report, Verdict

kit = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "provenance_kit.py")))
pytestmark = pytest.mark.timeout(300)  # marks are looked for in real clips


@pytest.fixture
def unmarked(monkeypatch: pytest.MonkeyPatch) -> None:
    """No mark is found, at once: a search to its end takes seconds, and the marks' own tests run it."""
    monkeypatch.setattr(VideoMark, "detect", lambda *_, **__: None)


@pytest.fixture(scope="module")
def stage(byline_home: Path, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Two finished clips, the second with speech, and the export that holds them."""
    directory = tmp_path_factory.mktemp("clips")
    first = kit.make_clip(directory, 1, serial=5)
    second = kit.make_clip(directory, 2, serial=6, speech=kit.speech_like())
    records = kit.records_of(directory / "records", first, second)
    return SimpleNamespace(
        first=first,
        second=second,
        records=records,
        directory=directory,
        trust=TrustBundle.from_installation(),
    )


def _finding(report: Report, technique: str) -> Finding:
    return next(finding for finding in report.findings if finding.technique == technique)


def _reencoded(clip: Any, path: Path, **options: Any) -> Path:
    """What a platform does: decode, encode worse, keep no metadata."""
    media = decode.decode(clip.signed, sample_fps=12)
    return kit.write_mp4(path, media.frames, crf=28, **options)


def test_exit_0_intact(stage: SimpleNamespace) -> None:
    report = verifier.verify(stage.first.signed, trust=stage.trust, records=stage.records)
    assert (report.verdict, report.exit_code) == (Verdict.INTACT, 0), report.lines()
    assert report.record == stage.first.stored.id
    for technique in ("manifest", "signer", "time stamp", "audit proof", "fingerprint"):
        assert _finding(report, technique).status == "passed", technique
    assert _finding(report, "picture mark").status == "found"


def test_without_records_the_mark_is_not_checked_and_the_verdict_stands(stage: SimpleNamespace) -> None:
    report = verifier.verify(stage.first.signed, trust=stage.trust, records=None, offline=True)
    assert report.exit_code == 0
    assert _finding(report, "picture mark").status == "not checked"
    assert "records" in _finding(report, "picture mark").text


def test_exit_10_one_bit_of_the_media(stage: SimpleNamespace, tmp_path: Path) -> None:
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(stage.first.signed.read_bytes())
    start, end = kit.boxes(copy.read_bytes())["mdat"]
    kit.flip(copy, (start + end) // 2)
    report = verifier.verify(copy, trust=stage.trust, records=stage.records)
    assert (report.verdict, report.exit_code) == (Verdict.TAMPERED, 10)
    assert "assertion.bmffHash.mismatch" in _finding(report, "manifest").details["codes"]


def test_exit_11_signer_not_in_the_bundle(stage: SimpleNamespace, tmp_path: Path) -> None:
    with kit.home(tmp_path / "stranger"):
        strange = TrustBundle.from_installation()
    report = verifier.verify(stage.first.signed, trust=strange, records=None)
    assert (report.verdict, report.exit_code) == (Verdict.UNKNOWN_SIGNER, 11)
    assert verifier.verify(stage.first.signed, trust=TrustBundle.empty(), records=None).exit_code == 11


def test_exit_11_verified_signer_without_a_log_entry(stage: SimpleNamespace, tmp_path: Path) -> None:
    """Whoever stole the signing key, but not the log, gets no further than this."""
    from byline.provenance import signing

    bare = {
        "claim_generator_info": [{"name": "x", "version": "1"}],
        "assertions": [
            {
                "label": "c2pa.actions.v2",
                "data": {
                    "actions": [
                        {
                            "action": "c2pa.created",
                            "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture",
                        }
                    ]
                },
            }
        ],
    }
    signing.sign_file(stage.first.unsigned, tmp_path / "x.mp4", bare)
    report = verifier.verify(tmp_path / "x.mp4", trust=stage.trust, records=None)
    assert (report.verdict, report.exit_code) == (Verdict.UNPROVEN, 11)
    import dataclasses

    no_log = dataclasses.replace(stage.trust, log_origin="", log_vkey="")
    assert verifier.verify(tmp_path / "x.mp4", trust=no_log, records=None).exit_code == 11


def test_exit_12_recovered_from_a_reencoded_copy(stage: SimpleNamespace, tmp_path: Path) -> None:
    copy = _reencoded(stage.first, tmp_path / "copy.mp4")
    report = verifier.verify(copy, trust=stage.trust, records=stage.records)
    assert (report.verdict, report.exit_code) == (Verdict.RECOVERED, 12), report.lines()
    assert report.record == stage.first.stored.id
    assert report.manifest is not None
    assert report.manifest["title"] == "Clip 5"
    assert _finding(report, "audit proof").status == "passed"
    assert "unedited" in report.summary


def test_exit_12_recovered_from_the_speech_alone(stage: SimpleNamespace, tmp_path: Path) -> None:
    import wave

    media = decode.decode(stage.second.signed)
    assert media.samples is not None
    with wave.open(str(tmp_path / "voice.wav"), "wb") as file:
        file.setparams((1, 2, media.rate, 0, "NONE", ""))
        file.writeframes((np.clip(media.samples, -1, 1) * 32767).astype("<i2").tobytes())
    report = verifier.verify(tmp_path / "voice.wav", trust=stage.trust, records=stage.records)
    assert (report.verdict, report.exit_code) == (Verdict.RECOVERED, 12), report.lines()
    assert report.record == stage.second.stored.id
    assert _finding(report, "fingerprint").status == "not checked"
    assert "could not be compared" in report.summary


def test_recovered_but_signer_unknown_is_not_12(stage: SimpleNamespace, tmp_path: Path) -> None:
    copy = _reencoded(stage.first, tmp_path / "copy.mp4")
    report = verifier.verify(copy, trust=TrustBundle.empty(), records=stage.records)
    assert (report.verdict, report.exit_code) == (Verdict.UNKNOWN_SIGNER, 11)


@pytest.mark.usefixtures("unmarked")
def test_exit_13_similar_without_a_mark(stage: SimpleNamespace, tmp_path: Path) -> None:
    clean = kit.write_mp4(tmp_path / "clean.mp4", kit.pictures(1, size=(1280, 720)))
    report = verifier.verify(clean, trust=stage.trust, records=stage.records)
    assert (report.verdict, report.exit_code) == (Verdict.SIMILAR, 13), report.lines()
    assert report.record == stage.first.stored.id


@pytest.mark.usefixtures("unmarked")
def test_exit_14_nothing_found_does_not_say_not_ai(stage: SimpleNamespace, tmp_path: Path) -> None:
    other = kit.write_mp4(tmp_path / "other.mp4", kit.pictures(77))
    report = verifier.verify(other, trust=stage.trust, records=stage.records)
    assert (report.verdict, report.exit_code) == (Verdict.NOTHING_FOUND, 14)
    assert "does not mean that it is not AI" in report.summary
    without = verifier.verify(other, trust=stage.trust, records=None)
    assert (without.verdict, without.exit_code) == (Verdict.MARK_NOT_CHECKED, 14)
    assert "mark was not checked" in without.summary
    assert "othing found" not in without.summary


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"\0\0\0\x18ftypisom", b"#EXTM3U\n/etc/passwd\n"]
)
def test_exit_15_unreadable(stage: SimpleNamespace, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file.mp4").write_bytes(data)
    report = verifier.verify(tmp_path / "file.mp4", trust=stage.trust, records=stage.records)
    assert (report.verdict, report.exit_code) == (Verdict.UNREADABLE, 15)


def test_exit_codes_are_those_that_scripts_rely_on() -> None:
    assert {verdict.label: verdict.exit_code for verdict in Verdict} == {
        "intact": 0,
        "tampered": 10,
        "transplanted": 10,
        "unknown_signer": 11,
        "unproven": 11,
        "recovered": 12,
        "similar": 13,
        "nothing_found": 14,
        "mark_not_checked": 14,
        "no_record": 14,
        "unreadable": 15,
        "withdrawn": 16,
        "taken_down": 16,
    }


def test_report_is_json_names_every_technique_and_never_says_trusted(stage: SimpleNamespace) -> None:
    report = verifier.verify(stage.second.signed, trust=stage.trust, records=stage.records)
    data = json.loads(json.dumps(report.as_dict()))
    assert set(data) == {
        "v", "verdict", "exit_code", "summary", "lines", "findings", "manifest", "record", "file",
    }  # fmt: skip
    assert {f["technique"] for f in data["findings"]} >= {
        "manifest", "signer", "time stamp", "audit proof", "picture mark", "speech mark", "fingerprint",
    }  # fmt: skip
    assert _finding(report, "speech mark").status == "found"
    assert "trusted" not in " ".join(data["lines"]).lower()
    assert "verified under the roots you supplied" in data["summary"]


def test_the_verifier_needs_no_django(stage: SimpleNamespace) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from byline.provenance import verifier, trust, records\n"
        "report = verifier.verify(Path(sys.argv[1]), trust=trust.TrustBundle.load(Path(sys.argv[2])),\n"
        "                         records=records.DirectoryRecords(Path(sys.argv[3])))\n"
        "assert not [m for m in sys.modules if m.split('.')[0] in ('django', 'torch')], 'imported'\n"
        "sys.exit(report.exit_code)\n"
    )
    bundle = stage.directory / "trust.json"
    stage.trust.export(bundle)
    command = [
        sys.executable,
        "-c",
        code,
        str(stage.first.signed),
        str(bundle),
        str(stage.directory / "records"),
    ]
    done = subprocess.run(command, env={"PATH": "/usr/bin"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_read_back_gives_evidence_of_every_layer(stage: SimpleNamespace) -> None:
    clip = stage.second
    evidence = read_back(clip.signed, mark_id=clip.mark_id, audio_id=clip.audio_id, trust=stage.trust)
    assert set(evidence) == {"picture_mark", "speech_mark", "manifest", "audit_proof"}
    assert evidence["audit_proof"]["digest"] == clip.stored.content_digest
    json.dumps(evidence)


@pytest.mark.parametrize(
    ("layer", "change"),
    [
        ("manifest", {"mark_id": 1}),
        ("manifest", {"audio_id": 1}),
        ("manifest", {"path": "unsigned"}),
        ("manifest", {"trust": TrustBundle.empty()}),
        ("audit proof", {"trust": "no log"}),
    ],
)
def test_read_back_names_the_layer_that_failed(
    stage: SimpleNamespace, layer: str, change: dict[str, Any]
) -> None:
    import dataclasses

    clip = stage.first
    given: dict[str, Any] = {"mark_id": clip.mark_id, "audio_id": None, "trust": stage.trust} | change
    path = clip.unsigned if given.pop("path", "") else clip.signed
    if given["trust"] == "no log":
        given["trust"] = dataclasses.replace(stage.trust, log_origin="", log_vkey="")
    with pytest.raises(ReadBackFailed) as caught:
        read_back(path, **given)
    assert caught.value.layer == layer


def test_read_back_refuses_a_signed_clip_whose_pixels_carry_no_mark(
    stage: SimpleNamespace, tmp_path: Path
) -> None:
    from byline.provenance import manifest, signing

    plain = kit.write_mp4(tmp_path / "plain.mp4", kit.pictures(1, size=(1280, 720)))
    facts = manifest.ManifestFacts(
        title="t", asset_id="a", software_version="1", proof=kit.proof_for(plain),
        models=(manifest.ModelFact("m", "1", "r"),), mark_id=stage.first.mark_id,
    )  # fmt: skip
    signing.sign_file(plain, tmp_path / "signed.mp4", manifest.build(facts))
    with pytest.raises(ReadBackFailed) as caught:
        read_back(tmp_path / "signed.mp4", mark_id=stage.first.mark_id, audio_id=None, trust=stage.trust)
    assert caught.value.layer == "picture mark"

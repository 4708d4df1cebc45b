"""Withdrawn, taken down, revoked, registry mode, and the one answer to all that strangers may not know."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import pytest

from byline.audit.base import keyring
from byline.provenance import ids, reading, status, verifier
from byline.provenance.marks.base import VideoFinding
from byline.provenance.marks.video import VideoMark
from byline.provenance.statements import BadStatement
from byline.provenance.status import ClipStatus, StatusList
from byline.provenance.trust import TrustBundle
from byline.provenance.verdicts import Finding, Report, Verdict

kit = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "provenance_kit.py")))
pytestmark = pytest.mark.timeout(300)  # marks are looked for in real clips


@pytest.fixture(scope="module")
def stage(byline_home: Path, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    directory = tmp_path_factory.mktemp("clips")
    clip = kit.make_clip(directory, 1, serial=5)
    draft = kit.make_clip(directory, 2, serial=6)
    return SimpleNamespace(
        clip=clip,
        draft=draft,
        records=kit.records_of(directory / "records", clip),
        everything=kit.records_of(directory / "everything", clip, draft),
        trust=TrustBundle.from_installation(),
        directory=directory,
    )


def _said(state: str, since: str = "2026-03-04", reason: str = "") -> Any:
    return SimpleNamespace(status=lambda _: ClipStatus(state, since, reason))  # type: ignore[arg-type]


def _finding(report: Report, technique: str) -> Finding:
    return next(finding for finding in report.findings if finding.technique == technique)


def _verify(path: Path, stage: SimpleNamespace, **changes: Any) -> Report:
    return verifier.verify(path, **({"trust": stage.trust, "records": stage.records} | changes))


# ------------------------------------------------------------------ withdrawn, taken down, revoked


@pytest.mark.parametrize("state", ["withdrawn", "taken_down"])
def test_a_genuine_clip_that_was_withdrawn_is_16_and_says_since_when(
    stage: SimpleNamespace, state: str
) -> None:
    for file, otherwise in ((stage.clip.signed, "Intact"), (stage.clip.unsigned, "Recovered by mark")):
        report = _verify(file, stage, status=_said(state, reason="court order"))
        assert (report.verdict.label, report.exit_code) == (state, 16), report.lines()
        assert "2026-03-04" in report.summary
        assert f"Apart from that: {otherwise}" in report.summary
        assert _finding(report, "status").status == "failed"
        assert "court order" in _finding(report, "status").text
    assert report.manifest is None, "the manifest on record of a withdrawn clip is not handed out"


def test_a_withdrawal_needs_no_records_where_the_manifest_is_intact(stage: SimpleNamespace) -> None:
    report = _verify(stage.clip.signed, stage, records=None, status=_said("withdrawn"))
    assert report.exit_code == 16


@pytest.mark.parametrize(("state", "expected"), [("published", "passed"), ("relabelled", "note")])
def test_other_states_leave_the_verdict_alone(stage: SimpleNamespace, state: str, expected: str) -> None:
    report = _verify(stage.clip.signed, stage, status=_said(state))
    assert (report.exit_code, _finding(report, "status").status) == (0, expected)


def test_without_a_source_the_status_is_not_checked(stage: SimpleNamespace) -> None:
    assert _finding(_verify(stage.clip.signed, stage), "status").status == "not checked"


def test_tampering_stays_tampering_and_names_the_withdrawal(stage: SimpleNamespace, tmp_path: Path) -> None:
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(stage.clip.signed.read_bytes().replace(b"c2pa.claim.v2", b"c2pa.claim.v9", 1))
    report = _verify(copy, stage, status=_said("withdrawn"))
    assert report.exit_code == 10
    assert "onsent for it was withdrawn on 2026-03-04" in report.summary


def test_a_strangers_manifest_cannot_borrow_a_status(stage: SimpleNamespace, tmp_path: Path) -> None:
    """Signed by an unknown root with our clip's id inside: no 16, and nobody is asked about that id."""
    asked: list[str] = []
    source = SimpleNamespace(status=lambda key: asked.append(key))
    with kit.home(tmp_path / "stranger"):
        strange = TrustBundle.from_installation()
    report = _verify(stage.clip.signed, stage, records=None, trust=strange, status=source)
    assert (report.exit_code, asked) == (11, [])


def test_a_revoked_signer_is_11_with_its_own_finding(
    stage: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def revoked(read: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *a, **k: dataclasses.replace(read(*a, **k), revoked="key compromise, since 2026-01-01")

    monkeypatch.setattr(reading, "read", revoked(reading.read))
    monkeypatch.setattr(reading, "read_store", revoked(reading.read_store))
    report = _verify(stage.clip.signed, stage)
    assert (report.verdict, report.exit_code) == (Verdict.UNKNOWN_SIGNER, 11)
    assert "key compromise" in _finding(report, "revocation").text
    assert _finding(report, "signer").status == "failed"
    assert "revoked" in report.summary
    monkeypatch.setattr(reading, "read", lambda *a, **k: reading.ManifestReading("absent"))
    recovered = _verify(stage.clip.unsigned, stage)
    assert (recovered.verdict, _finding(recovered, "revocation").status) == (Verdict.UNKNOWN_SIGNER, "failed")


# ------------------------------------------------------------------ signed status lists


def _list(stage: SimpleNamespace, source: Any) -> dict[str, Any]:
    vkey = keyring.read("receipt_vkey").decode().strip()
    records = [stage.clip.stored.id, stage.draft.stored.id]
    return status.signed_list(records, source, keyring.read("receipt"), vkey)


def test_a_signed_list_answers_offline_as_of_its_date(stage: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / "status.json"
    path.write_text(json.dumps(_list(stage, _said("taken_down", reason="mistaken identity"))))
    listed = StatusList.load(path, stage.trust.receipt_vkey)
    report = _verify(stage.clip.signed, stage, records=None, status=listed)
    assert report.exit_code == 16
    assert f"(as of {listed.as_of})" in _finding(report, "status").text


def test_a_list_is_silent_about_unpublished_clips(stage: SimpleNamespace) -> None:
    made = _list(stage, _said("unpublished"))
    assert stage.draft.stored.id not in json.dumps(made)


@pytest.mark.parametrize(
    "change",
    [
        lambda s: s["body"]["clips"][0].update(state="published"),
        lambda s: s["body"]["clips"].pop(),
        lambda s: s["body"].update(as_of="2030-01-01T00:00:00Z"),
        lambda s: s.update(kind="byline-receipt"),
        lambda s: s.pop("signature"),
    ],
)
def test_a_changed_list_is_refused(stage: SimpleNamespace, tmp_path: Path, change: Any) -> None:
    made = _list(stage, _said("withdrawn"))
    change(made)
    (tmp_path / "status.json").write_text(json.dumps(made))
    with pytest.raises(BadStatement):
        StatusList.load(tmp_path / "status.json", stage.trust.receipt_vkey)


def test_a_list_of_nonsense_is_refused(tmp_path: Path, stage: SimpleNamespace) -> None:
    for text in ("", "[]", "[" * 100_000, '{"kind": 1}'):
        (tmp_path / "status.json").write_text(text)
        with pytest.raises(BadStatement):
            StatusList.load(tmp_path / "status.json", stage.trust.receipt_vkey)


# ------------------------------------------------------------------ silence


def _public_json(path: Path, stage: SimpleNamespace, **changes: Any) -> bytes:
    report = _verify(path, stage, **changes).as_dict()
    report.pop("file")  # its name and length are the asker's own
    return json.dumps(report, sort_keys=True).encode()


Reads = Callable[[int | None], list[int | None]]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """Say what the blind search of the next pictures reads; gives the list of searches that ran to their end.

    Stubbed because a search that finds nothing takes seconds; what is tested begins behind it.
    """
    state: dict[str, Any] = {}

    def detect(
        self: VideoMark, frames: Any, *, candidates: Any = None, fps: float = 8.0
    ) -> VideoFinding | None:
        upright = state.setdefault("first", frames[0]) is frames[0]
        if upright and candidates is None and state["payload"] is not None:
            return VideoFinding(state["payload"], 0, "as embedded")
        state["whole"].append(state["payload"])
        return None

    def next_payload(payload: int | None) -> list[int | None]:
        state.clear()
        state.update(payload=payload, whole=[])
        return state["whole"]

    monkeypatch.setattr(VideoMark, "detect", detect)
    return next_payload


@pytest.fixture(scope="module")
def unknown_pictures(stage: SimpleNamespace) -> Path:
    """Those of the draft, without its mark."""
    return kit.write_mp4(stage.directory / "unmarked.mp4", kit.pictures(2, size=(1280, 720)))


def test_unpublished_unknown_forged_and_unmarked_get_the_same_report_byte_for_byte(
    stage: SimpleNamespace, unknown_pictures: Path, reads: Reads
) -> None:
    payloads = {
        "unpublished": stage.draft.mark_id,
        "unknown": ids.new_mark_id(999_999, keyring.read("id")),
        "forged": stage.draft.mark_id ^ 1,
        "unmarked": None,
    }
    told, work = {}, {}
    for name, payload in payloads.items():
        searches = reads(payload)
        told[name] = _public_json(unknown_pictures, stage)
        work[name] = len(searches)
    assert len(set(told.values())) == 1, told
    assert b'"nothing_found"' in told["unmarked"]
    # Finding is quicker than not finding: without a second search the time would tell.
    assert set(work.values()) == {1}, "each costs exactly one search that runs to its end"
    # To those who may know everything, the four are four.
    inside = {}
    for name, payload in payloads.items():
        reads(payload)
        inside[name] = _verify(unknown_pictures, stage, records=stage.everything, tell_all=True)
    assert inside["unpublished"].verdict is Verdict.RECOVERED
    assert inside["unmarked"].verdict is Verdict.SIMILAR
    assert {_finding(inside[name], "picture mark").status for name in ("unknown", "forged")} == {
        "found",
        "failed",
    }


def test_a_status_source_that_says_unpublished_silences_records_that_know_better(
    stage: SimpleNamespace, unknown_pictures: Path, reads: Reads
) -> None:
    """A clip taken back after the export, a cache that lags: the state decides, and looks like unknown."""
    source = _said("unpublished")
    reads(stage.draft.mark_id)
    silent = _public_json(unknown_pictures, stage, records=stage.everything, status=source)
    reads(None)
    assert silent == _public_json(unknown_pictures, stage)
    leaked = _verify(stage.draft.signed, stage, records=None, status=source)
    unknown = _verify(stage.draft.signed, stage, records=None, status=SimpleNamespace(status=lambda _: None))
    assert leaked.as_dict() == unknown.as_dict()


# ------------------------------------------------------------------ registry mode


def test_a_mark_too_weak_to_be_read_blind_is_found_on_the_short_list(
    stage: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The blind search fails; the pictures name the record, and its one id is looked for."""
    detect, offered = VideoMark.detect, []

    def only_on_a_list(
        self: VideoMark, frames: Any, *, candidates: Any = None, fps: float = 8.0
    ) -> VideoFinding | None:
        offered.append(candidates)
        return detect(self, frames, candidates=candidates) if candidates is not None else None

    monkeypatch.setattr(VideoMark, "detect", only_on_a_list)
    report = _verify(stage.clip.unsigned, stage)
    assert (report.verdict, report.record) == (Verdict.RECOVERED, stage.clip.stored.id), report.lines()
    assert "pictures resemble" in _finding(report, "picture mark").text
    assert offered == [None, [stage.clip.mark_id]]


def test_a_manifest_beside_the_file_counts_like_one_inside(stage: SimpleNamespace, tmp_path: Path) -> None:
    copy = tmp_path / "a.mp4"
    copy.write_bytes(stage.clip.unsigned.read_bytes())
    (tmp_path / "a.c2pa").write_bytes(stage.clip.stored.manifest)
    beside = verifier.sidecar_of(copy)
    assert beside is not None
    report = verifier.verify(copy, trust=stage.trust, records=None, sidecar=beside)
    # The store was made for the signed file: beside the unsigned one its hash cannot hold.
    assert report.exit_code == 10
    assert report.manifest is not None
    untouched = verifier.verify(stage.clip.signed, trust=stage.trust, records=None, sidecar=b"nonsense")
    assert untouched.exit_code == 0, "what is in the file comes first"


def test_a_format_that_holds_no_manifest_is_verified_by_its_side_car(
    stage: SimpleNamespace, tmp_path: Path
) -> None:
    import av

    from byline.provenance import signing

    clip = tmp_path / "clip.webm"
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("libvpx", rate=12, options={"deadline": "realtime"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for frame in kit.pictures(1, count=4, size=(64, 48)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    action = {
        "action": "c2pa.created",
        "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture",
    }
    stated = {
        "claim_generator_info": [{"name": "x", "version": "1"}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
    }
    signing.sign_sidecar(clip, tmp_path / "clip.c2pa", stated)
    beside = verifier.sidecar_of(clip)

    def verdict(store: bytes | None) -> Verdict:
        return verifier.verify(clip, trust=stage.trust, records=None, sidecar=store).verdict

    assert verdict(beside) is Verdict.UNPROVEN, "signed by us, but no log entry names it"
    assert verdict(None) is Verdict.MARK_NOT_CHECKED
    assert verdict(b"nonsense") is Verdict.TAMPERED
    kit.flip(clip, clip.stat().st_size // 2)
    assert verdict(beside) is Verdict.TAMPERED

"""Attacks on files and manifests: flip, strip, cut, re-sign, transplant, point elsewhere, bomb."""

from __future__ import annotations

import dataclasses
import http.server
import json
import random
import threading
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import pytest

from byline.provenance import ids, lookup, manifest, reading, signing, verifier
from byline.provenance.trust import TrustBundle
from byline.provenance.verdicts import Finding, Report, Verdict

kit = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "provenance_kit.py")))

STRANGE: dict[str, Any] = {
    "claim_generator_info": [{"name": "A stranger", "version": "1"}],
    "title": "Not made there",
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


@pytest.fixture(scope="module")
def stage(byline_home: Path, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    directory = tmp_path_factory.mktemp("clips")
    first, second = kit.make_clip(directory, 1, serial=5), kit.make_clip(directory, 2, serial=6)
    records = kit.records_of(directory / "records", first, second)
    return SimpleNamespace(first=first, second=second, records=records, trust=TrustBundle.from_installation())


def _finding(report: Report, technique: str) -> Finding:
    return next(finding for finding in report.findings if finding.technique == technique)


def _facts(clip: Any, **changes: Any) -> manifest.ManifestFacts:
    facts = manifest.ManifestFacts(
        title="Clip",
        asset_id="a",
        software_version="1",
        proof=clip.proof,
        models=(manifest.ModelFact("m", "1", "moving pictures"),),
        mark_id=clip.mark_id,
    )
    return dataclasses.replace(facts, **changes)


def _verify(path: Path, stage: SimpleNamespace, **changes: Any) -> Report:
    return verifier.verify(path, **({"trust": stage.trust, "records": None} | changes))


# ------------------------------------------------------------------ bits and bytes


def test_any_flipped_bit_in_media_index_or_manifest_is_seen(stage: SimpleNamespace, tmp_path: Path) -> None:
    """Seeded offsets in every box. Outside the boxes that C2PA leaves out, none may pass as intact.

    Tolerated, because nothing signed is in them: in the uuid box the padding behind the signature,
    the toggle bytes of description boxes and the time stamp (reported apart); the content of ftyp.
    """
    data = stage.first.signed.read_bytes()
    assert _verify(stage.first.signed, stage).exit_code == 0
    copy, rng = tmp_path / "copy.mp4", random.Random(1)
    unseen: dict[str, int] = {}
    for name, (start, end) in kit.boxes(data).items():
        for _ in range(40):
            copy.write_bytes(data)
            kit.flip(copy, rng.randrange(start, end), rng.randrange(8))
            if _verify(copy, stage).exit_code == 0:
                unseen[name] = unseen.get(name, 0) + 1
    assert "mdat" not in unseen
    assert "moov" not in unseen
    assert unseen.get("uuid", 0) < 36, "most of the box is padding that nothing signs, but not all"


def test_every_byte_of_the_signed_claim_counts(stage: SimpleNamespace, tmp_path: Path) -> None:
    data = stage.first.signed.read_bytes()
    start = data.index(b"org.byline.audit")
    copy = tmp_path / "copy.mp4"
    for offset in range(start, start + 600, 23):
        copy.write_bytes(data)
        kit.flip(copy, offset)
        assert _verify(copy, stage).exit_code == 10, offset


def test_a_damaged_time_stamp_is_named(stage: SimpleNamespace, tmp_path: Path) -> None:
    data = stage.first.signed.read_bytes()
    (tmp_path / "copy.mp4").write_bytes(data)
    kit.flip(tmp_path / "copy.mp4", data.index(b"itst") + 150)
    assert _finding(_verify(tmp_path / "copy.mp4", stage), "time stamp").status == "failed"


def test_a_hidden_second_media_box_is_tampering(stage: SimpleNamespace, tmp_path: Path) -> None:
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(stage.first.signed.read_bytes() + (16).to_bytes(4, "big") + b"mdat" + b"appended")
    assert _verify(copy, stage).exit_code == 10


@pytest.mark.parametrize("share", [0.03, 0.2, 0.5, 0.9, 0.999])
def test_a_cut_file_is_tampered_never_nothing_found(
    stage: SimpleNamespace, tmp_path: Path, share: float
) -> None:
    data = stage.first.signed.read_bytes()
    assert data.index(b"jumdc2pa") < len(data) * 0.03, "the manifest stands at the front"
    (tmp_path / "cut.mp4").write_bytes(data[: int(len(data) * share)])
    assert _verify(tmp_path / "cut.mp4", stage, records=stage.records).exit_code == 10


@pytest.mark.parametrize(
    ("what", "replacement"),
    [
        (b"jumdc2pa", b"jumdc2pb"),
        (b"\xd8\xfe\xc3\xd6", b"\xd8\xfe\xc3\xd7"),
        (b"c2pa.claim.v2", b"c2pa.claim.v9"),
        (b"c2pa.signature", b"c2pa.signaturf"),
        (b"uuid\xd8\xfe", b"free\xd8\xfe"),
    ],
)
def test_a_damaged_manifest_box_is_tampered_never_nothing_found(
    stage: SimpleNamespace, tmp_path: Path, what: bytes, replacement: bytes
) -> None:
    data = stage.first.signed.read_bytes()
    assert what in data
    (tmp_path / "copy.mp4").write_bytes(data.replace(what, replacement, 1))
    for records in (None, stage.records):
        report = _verify(tmp_path / "copy.mp4", stage, records=records)
        assert (report.verdict, report.exit_code) == (Verdict.TAMPERED, 10)


def test_mutated_and_random_files_always_get_a_verdict(stage: SimpleNamespace, tmp_path: Path) -> None:
    data, rng = stage.first.signed.read_bytes(), random.Random(2)
    for number in range(40):
        mutant = bytearray(data)
        for _ in range(rng.randrange(1, 30)):
            at = rng.randrange(min(len(mutant), 20_000))
            mutant[at : at + rng.randrange(1, 8)] = rng.randbytes(rng.randrange(0, 8))
        (tmp_path / "m").write_bytes(bytes(mutant) if number % 5 else data[:12] + rng.randbytes(500))
        report = _verify(tmp_path / "m", stage)
        assert report.exit_code in (0, 10, 11, 14, 15)
        json.dumps(report.as_dict())


# ------------------------------------------------------------------ strip and re-sign


def test_stripped_without_records_is_not_called_clean(stage: SimpleNamespace) -> None:
    report = _verify(stage.first.unsigned, stage)
    assert report.verdict is Verdict.MARK_NOT_CHECKED
    assert _finding(report, "picture mark").status == "not checked"
    assert "does not mean that it is not AI" in report.summary


def test_stripped_is_recovered_by_mark(stage: SimpleNamespace) -> None:
    report = _verify(stage.first.unsigned, stage, records=stage.records)
    assert (report.verdict, report.record) == (Verdict.RECOVERED, stage.first.stored.id)


def test_a_strangers_signature_over_our_clip_is_not_ours(stage: SimpleNamespace, tmp_path: Path) -> None:
    target = tmp_path / "theirs.mp4"
    with kit.home(tmp_path / "home"):
        signing.sign_file(stage.first.signed, target, STRANGE)
    report = _verify(target, stage, records=stage.records)
    assert (report.verdict, report.exit_code) == (Verdict.UNKNOWN_SIGNER, 11)
    assert report.record == stage.first.stored.id, "the mark still says whose clip it is"
    assert _finding(report, "signer").status == "failed"


def test_a_strangers_copy_of_our_proof_does_not_lift_their_signature(
    stage: SimpleNamespace, tmp_path: Path
) -> None:
    target = tmp_path / "theirs.mp4"
    with kit.home(tmp_path / "home"):
        signing.sign_file(stage.first.unsigned, target, manifest.build(_facts(stage.first)))
    report = _verify(target, stage)
    assert _finding(report, "audit proof").status == "passed", "the content is logged, by us"
    assert report.exit_code == 11


def test_roots_never_come_from_the_file(stage: SimpleNamespace, tmp_path: Path) -> None:
    """A stranger ships the chain with the root inside; it still is nobody."""
    from byline.audit.base import keyring

    target = tmp_path / "theirs.mp4"
    with kit.home(tmp_path / "home"):
        chain = keyring.path("c2pa_chain")
        chain.write_bytes(chain.read_bytes() + keyring.read("c2pa_ca_cert"))
        signing.sign_file(stage.first.unsigned, target, STRANGE)
    assert _verify(target, stage).exit_code == 11


# ------------------------------------------------------------------ transplants


def test_leaf_of_a_in_b_is_refused(stage: SimpleNamespace, tmp_path: Path) -> None:
    """Our own signer, tricked into signing clip B with the proof of clip A."""
    target = tmp_path / "b.mp4"
    signing.sign_file(stage.second.unsigned, target, manifest.build(_facts(stage.first)))
    report = _verify(target, stage)
    assert (report.verdict, report.exit_code) == (Verdict.TRANSPLANTED, 10)
    assert _finding(report, "audit proof").status == "failed"


def test_a_manifest_that_declares_another_mark_is_refused(stage: SimpleNamespace, tmp_path: Path) -> None:
    target = tmp_path / "b.mp4"
    facts = _facts(stage.first, mark_id=stage.second.mark_id)
    signing.sign_file(stage.first.unsigned, target, manifest.build(facts))
    report = _verify(target, stage, records=stage.records)
    assert (report.verdict, report.exit_code) == (Verdict.TRANSPLANTED, 10)


@pytest.mark.parametrize("field", ["digest", "leaf_hash", "path", "checkpoint", "kind"])
def test_a_doctored_proof_is_refused(stage: SimpleNamespace, tmp_path: Path, field: str) -> None:
    from byline.provenance.digest import content_digest

    proof = json.loads(json.dumps(stage.first.proof))
    if field == "digest":  # say that A's entry is about B
        proof["entry"]["payload"]["digest"] = content_digest(stage.second.unsigned).hex
    elif field == "path":
        proof["path"][0] = "00" * 32
    elif field == "checkpoint":
        proof["checkpoint"] = proof["checkpoint"].replace("\n5\n", "\n6\n")
        proof["tree_size"] = 6
    elif field == "kind":
        proof = kit.proof_for(stage.second.unsigned, kind="generation.held")
    else:
        proof["leaf_hash"] = "11" * 32
    target = tmp_path / "b.mp4"
    signing.sign_file(stage.second.unsigned, target, manifest.build(_facts(stage.second, proof=proof)))
    assert _verify(target, stage).exit_code == 10


def test_a_log_of_the_same_name_is_not_the_log(stage: SimpleNamespace, tmp_path: Path) -> None:
    with kit.home(tmp_path / "home"):
        proof = kit.proof_for(stage.first.unsigned)
    target = tmp_path / "b.mp4"
    signing.sign_file(stage.first.unsigned, target, manifest.build(_facts(stage.first, proof=proof)))
    report = _verify(target, stage)
    assert (report.verdict, report.exit_code) == (Verdict.UNPROVEN, 11)


def test_a_mark_on_other_pictures_is_transplanted(stage: SimpleNamespace, tmp_path: Path) -> None:
    """Somebody who got hold of the pattern (or pasted it) lends our name to other content."""
    from byline.audit.base import keyring
    from byline.provenance.marks.video import VideoMark

    other = kit.pictures(99, size=(1280, 720))
    forged = VideoMark([keyring.read("watermark")]).embed(other, stage.first.mark_id)
    path = kit.write_mp4(tmp_path / "other.mp4", list(forged))
    report = _verify(path, stage, records=stage.records)
    assert (report.verdict, report.exit_code) == (Verdict.TRANSPLANTED, 10), report.lines()
    assert _finding(report, "fingerprint").status == "failed"


def test_an_id_that_was_never_issued_leads_nowhere(
    stage: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The id's tag is checked before any record is asked for: no oracle for guessing ids."""
    from byline.audit.base import keyring
    from byline.provenance.marks.video import VideoMark

    forged_id = stage.first.mark_id ^ 1
    with pytest.raises(ids.ForgedMark):
        ids.open_mark_id(forged_id, stage.records.id_keys)
    frames = VideoMark([keyring.read("watermark")]).embed(kit.pictures(99, size=(1280, 720)), forged_id)
    path = kit.write_mp4(tmp_path / "other.mp4", list(frames))
    asked: list[int] = []
    monkeypatch.setattr(stage.records, "by_mark", asked.append)
    report = _verify(path, stage, records=stage.records)
    assert asked == []
    assert report.exit_code == 14
    assert _finding(report, "picture mark").text == lookup.NOWHERE, "strangers hear nothing of it"
    told = _verify(path, stage, records=stage.records, tell_all=True)
    assert (asked, told.exit_code, _finding(told, "picture mark").status) == ([], 14, "failed")


def test_a_record_whose_manifest_was_swapped_recovers_nothing(stage: SimpleNamespace, tmp_path: Path) -> None:
    """Records are data from outside: clip A's id with clip B's manifest must not name B."""
    stored = dataclasses.replace(stage.first.stored, manifest=stage.second.stored.manifest)
    swapped = SimpleNamespace(**{**vars(stage.first), "stored": stored})
    records = kit.records_of(tmp_path / "records", swapped)
    report = _verify(stage.first.unsigned, stage, records=records)
    assert report.verdict is Verdict.NO_RECORD
    assert _finding(report, "manifest on record").status == "failed"
    assert report.record is None


def test_a_record_with_another_digest_recovers_nothing(stage: SimpleNamespace, tmp_path: Path) -> None:
    stored = dataclasses.replace(stage.first.stored, content_digest="00" * 32)
    records = kit.records_of(tmp_path / "records", SimpleNamespace(**{**vars(stage.first), "stored": stored}))
    assert _verify(stage.first.unsigned, stage, records=records).verdict is Verdict.NO_RECORD


# ------------------------------------------------------------------ ancestors and addresses


def _sign_with(source: Path, target: Path, **extra: Any) -> None:
    """Sign with the library directly, for manifests that our own builder refuses to make."""
    import c2pa

    from byline.audit.base import keyring
    from byline.provenance import signers, timestamps

    settings = reading.context_settings(TrustBundle.from_installation())
    settings["core"]["allowed_network_hosts"] = ["127.0.0.1"]
    sign = signers.callback(signers.load(), [])
    with timestamps.authority() as stamper, source.open("rb") as media, target.open("w+b") as output:
        context = c2pa.Context.from_dict(settings)
        builder = c2pa.Builder({**STRANGE, "format": "video/mp4"}, context)
        if "remote" in extra:
            builder.set_remote_url(extra["remote"])
            builder.set_no_embed()
        if "ingredient" in extra:
            with extra["ingredient"].open("rb") as parent:
                builder.add_ingredient(
                    {"title": "parent.mp4", "relationship": "componentOf"}, "video/mp4", parent
                )
        signer = c2pa.Signer.from_callback(
            sign, c2pa.C2paSigningAlg.ES256, keyring.read("c2pa_chain").decode(), stamper
        )
        builder.sign(signer, "video/mp4", media, output)


def test_a_broken_ancestor_is_reported_though_the_library_says_valid(
    stage: SimpleNamespace, tmp_path: Path
) -> None:
    parent = tmp_path / "parent.mp4"
    parent.write_bytes(stage.second.signed.read_bytes())
    start, end = kit.boxes(parent.read_bytes())["mdat"]
    kit.flip(parent, (start + end) // 2)
    target = tmp_path / "child.mp4"
    _sign_with(stage.first.unsigned, target, ingredient=parent)
    held = reading.read(target, stage.trust)
    assert held.state == "Trusted", "the trap: the library's state hides it"
    report = _verify(target, stage)
    assert _finding(report, "ancestors").status == "failed"
    assert "assertion.bmffHash.mismatch" in _finding(report, "ancestors").text
    assert "does not verify" in report.summary


def test_a_remote_manifest_is_not_fetched(stage: SimpleNamespace, tmp_path: Path) -> None:
    """An uploaded file that names an address must not make the server call it (SSRF)."""
    requests: list[str] = []

    class Trap(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *arguments: object) -> None:
            """Quiet."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Trap)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_address[1]}/manifest.c2pa"
        target = tmp_path / "remote.mp4"
        _sign_with(stage.first.unsigned, target, remote=address)
        assert address.encode() in target.read_bytes()
        report = _verify(target, stage)
        assert requests == []
        assert _finding(report, "manifest").status == "not checked"
        assert "elsewhere" in _finding(report, "manifest").text
        assert _verify(target, stage, records=stage.records).verdict is Verdict.RECOVERED
        assert requests == []
        # The trap itself works: with fetching allowed, the library does call.
        import c2pa

        with target.open("rb") as media, pytest.raises(c2pa.C2paError):
            c2pa.Reader(
                "video/mp4",
                media,
                context=c2pa.Context.from_dict({"verify": {"remote_manifest_fetch": True}}),
            )
        assert requests
    finally:
        server.shutdown()
        server.server_close()


# ------------------------------------------------------------------ bombs and polyglots


def test_a_picture_bomb_is_refused_before_it_unfolds(stage: SimpleNamespace, tmp_path: Path) -> None:
    import struct
    import zlib

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)  # 10 GB of pixels in 100 kB
    rows = zlib.compress(bytes(10_000_000))
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    (tmp_path / "bomb.png").write_bytes(bomb)
    assert _verify(tmp_path / "bomb.png", stage, records=stage.records).exit_code == 15


def test_a_playlist_in_disguise_opens_nothing(stage: SimpleNamespace, tmp_path: Path) -> None:
    secret = kit.write_mp4(tmp_path / "secret.mp4", kit.pictures(3))
    for text in (f"#EXTM3U\n#EXTINF:1,\n{secret}\n", f"ffconcat version 1.0\nfile {secret}\n"):
        (tmp_path / "list.mp4").write_text(text)
        assert _verify(tmp_path / "list.mp4", stage, records=stage.records).exit_code == 15


def test_a_polyglot_is_read_as_what_its_first_bytes_say(stage: SimpleNamespace, tmp_path: Path) -> None:
    """A plain picture with our signed MP4 behind it must not borrow the clip's credentials."""
    picture = kit.write_image(tmp_path / "a.png")
    (tmp_path / "poly.png").write_bytes(picture.read_bytes() + stage.first.signed.read_bytes())
    report = _verify(tmp_path / "poly.png", stage)
    assert report.exit_code == 10, "a manifest is in it that does not belong to the picture"


def test_findings_hold_no_key_and_no_score(stage: SimpleNamespace) -> None:
    from byline.audit.base import keyring

    report = _verify(stage.first.signed, stage, records=stage.records)
    text = json.dumps(report.as_dict())
    assert keyring.read("watermark").hex() not in text
    for mark in (lookup.find_picture_mark, lookup.find_speech_mark):
        assert not {"z", "score", "correlation"} & set(mark(None, stage.records).finding.details)

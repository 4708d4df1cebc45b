"""POST /api/v1/detect and `byline detect`, end to end: verdicts, hostile uploads, nothing kept."""

import dataclasses
import json
import os
import struct
import zlib
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from byline.platform import cli
from byline.platform.api import detect as endpoint
from byline.provenance import decode, manifest, signing
from byline.provenance.forensics import detector
from byline.provenance.reading import ManifestReading
from byline.provenance.trust import TrustBundle
from byline.provenance.verdicts import Finding, Report, Verdict

kit = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "provenance_kit.py")))
DETECT = "/api/v1/detect"


@pytest.fixture(autouse=True)
def fresh_allowance() -> None:
    cache.clear()


@pytest.fixture(scope="module")
def files(byline_home: Path, tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """One finished clip of ours with its records, and the same installation's trust bundle."""
    folder = tmp_path_factory.mktemp("detect")
    clip = kit.make_clip(folder, 1, serial=8)
    return SimpleNamespace(
        folder=folder,
        clip=clip,
        records=kit.records_of(folder / "records", clip),
        trust=TrustBundle.from_installation(),
    )


def send(client: Client, path: Path, name: str = "upload.bin") -> Any:
    return client.post(DETECT, {"file": SimpleUploadedFile(name, path.read_bytes())})


def by_source(body: dict[str, Any]) -> dict[str, Any]:
    return {item["source"]: item for item in body["evidence"]}


# ---------------------------------------------------------------- verdicts


def test_our_signed_clip_is_generated_here_by_its_credential(files: SimpleNamespace):
    body = detector.detect(files.clip.signed, trust=files.trust, records=files.records).as_dict()
    assert body["verdict"] == "generated_here"
    credential = by_source(body)["credential"]
    assert credential["decides"] == "generated_here"
    assert "compositeWithTrainedAlgorithmicMedia" in credential["details"]["digital_source_types"]
    assert body["fusion"]["probability_synthetic"] is None


def test_our_stripped_clip_is_generated_here_by_its_mark(files: SimpleNamespace):
    body = detector.detect(files.clip.unsigned, trust=files.trust, records=files.records).as_dict()
    assert body["verdict"] == "generated_here"
    items = by_source(body)
    assert items["picture mark"]["decides"] == "generated_here"
    assert items["picture mark"]["details"]["record"] == files.clip.stored.id
    assert "1e-9" in items["picture mark"]["limits"] or items["picture mark"]["details"]["rates"]
    assert items["credential"]["log_likelihood_ratio"] == 0  # no manifest weighs nothing
    assert body["provenance"]["verdict"] == "recovered"


def signed_as(folder: Path, source_type: str) -> Path:
    """A small unmarked clip whose manifest, signed by this home, states one digital source type."""
    plain = kit.write_mp4(folder / f"{source_type}.mp4", kit.pictures(6))
    facts = manifest.ManifestFacts(
        title="Street", asset_id="a", software_version="1", proof=kit.proof_for(plain),
        models=(manifest.ModelFact("m", "1", "r"),),
    )  # fmt: skip
    text = json.dumps(manifest.build(facts)).replace("compositeWithTrainedAlgorithmicMedia", source_type)
    claim = json.loads(text)
    claim["assertions"] = [a for a in claim["assertions"] if a["label"] != "c2pa.ai-disclosure"]
    signing.sign_file(plain, folder / f"{source_type}-signed.mp4", claim)
    return folder / f"{source_type}-signed.mp4"


def test_a_clip_declared_by_another_trusted_signer_is_declared_elsewhere(
    files: SimpleNamespace, tmp_path: Path
):
    with kit.home(tmp_path / "elsewhere"):
        other = signed_as(tmp_path, "trainedAlgorithmicMedia")
        theirs = TrustBundle.from_installation()
    # Their roots are known to us, their log is not.
    bundle = dataclasses.replace(theirs, log_origin="", log_vkey="")
    body = detector.detect(other, trust=bundle, records=None).as_dict()
    assert body["verdict"] == "generated_elsewhere_declared"
    stranger = detector.detect(other, trust=files.trust, records=None).as_dict()
    assert (stranger["verdict"], stranger["leaning"]) == ("inconclusive", "synthetic")
    assert by_source(stranger)["declaration"]["log_likelihood_ratio"] == 2
    assert by_source(stranger)["credential"]["log_likelihood_ratio"] == 0


def test_only_a_capture_credential_gives_likely_authentic(files: SimpleNamespace, tmp_path: Path):
    signed = signed_as(tmp_path, "digitalCapture")
    assert (
        detector.detect(signed, trust=files.trust, records=None).fused.verdict.label
        == "likely_authentic_capture"
    )
    nobody = detector.detect(signed, trust=TrustBundle.empty(), records=None)
    assert nobody.fused.verdict.label == "inconclusive"
    assert nobody.fused.leaning == ""
    broken = bytearray(signed.read_bytes())
    broken[broken.rindex(b"mdat") + 500] ^= 1
    (tmp_path / "broken.mp4").write_bytes(broken)
    tampered = detector.detect(tmp_path / "broken.mp4", trust=files.trust, records=None)
    assert tampered.fused.verdict.label == "inconclusive"


@pytest.mark.parametrize(
    ("verdict", "likeness", "decides"),
    [
        (Verdict.TAMPERED, "passed", "generated_here"),  # ours, changed after signing
        (Verdict.TRANSPLANTED, "failed", ""),
        (Verdict.TAMPERED, "failed", ""),
        (Verdict.NO_RECORD, "not checked", ""),
    ],
)
def test_a_mark_on_other_content_does_not_decide(verdict: Verdict, likeness: Any, decides: str):
    mark = Finding("picture mark", "found", "authentic", {"record": "r"})
    report = Report(verdict, (mark, Finding("fingerprint", likeness, "")), {})
    evidence = detector.provenance_evidence(report, ManifestReading("absent", detail="no manifest"))
    (item,) = [item for item in evidence if item.source == "picture mark"]
    assert item.decides == decides
    assert ("copied" in item.finding) == (decides == "")


# ---------------------------------------------------------------- the endpoint


def test_an_unmarked_file_is_inconclusive_and_says_uncalibrated(client: Client, db: None, tmp_path: Path):
    noise = np.random.default_rng(0).integers(0, 255, (160, 160, 3)).astype(np.uint8)
    from PIL import Image

    Image.fromarray(noise).save(tmp_path / "noise.png")
    response = send(client, tmp_path / "noise.png", "innocent.mp4")  # the name decides nothing
    assert response.status_code == 200
    assert response["Cache-Control"] == "no-store"
    body = response.json()
    assert (body["verdict"], body["leaning"]) == ("inconclusive", "")
    assert body["media"]["kind"] == "image"
    assert "uncalibrated" in by_source(body)["frequency"]["finding"]
    assert by_source(body)["frequency"]["log_likelihood_ratio"] is None
    assert set(body["sub_scores"]) == {"frequency", "metadata"}
    assert "dev/fd" not in response.content.decode()
    assert "innocent" not in response.content.decode()


def test_sound_is_measured_by_sound_features(tmp_path: Path):
    wav = kit.write_wav(tmp_path / "a.mp4", 2.0)
    body = detector.detect(wav, trust=TrustBundle.empty(), records=None).as_dict()
    assert body["media"]["kind"] == "audio"
    assert "audio" in body["sub_scores"]
    assert not by_source(body)["temporal"]["applicable"]


def test_a_hostile_upload_is_a_422_with_a_code(client: Client, db: None, tmp_path: Path):
    (tmp_path / "x").write_bytes(b"\x89PNG\r\n\x1a\n" + os.urandom(300))
    response = send(client, tmp_path / "x")
    assert response.status_code == 422
    assert response.json()["code"] == "unreadable"
    assert response.json()["help"]


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


# A picture of 60,000 x 60,000 pixels in some hundred bytes.
BOMB = (
    b"\x89PNG\r\n\x1a\n"
    + _chunk(b"IHDR", struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0))
    + _chunk(b"IDAT", zlib.compress(bytes(10_000)))
    + _chunk(b"IEND", b"")
)


@pytest.mark.parametrize(
    "data",
    [
        b"not a video at all" * 50,
        b"#EXTM3U\nhttp://127.0.0.1/secret.ts\n",
        b"\0\0\0\x18ftypisom" + os.urandom(600),
        b"RIFF\xff\xff\xff\x7fWAVEfmt " + os.urandom(100),
        b"",
        BOMB,
    ],
    ids=["text", "playlist", "mp4", "wav", "empty", "bomb"],
)
def test_what_cannot_be_read_is_unreadable_and_no_verdict(tmp_path: Path, data: bytes):
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(decode.Unreadable) as caught:
        detector.detect(tmp_path / "x", trust=TrustBundle.empty(), records=None)
    assert caught.value.status == 422


def test_no_file_too_many_or_too_large_are_4xx(client: Client, db: None, settings: Any):
    assert client.post(DETECT).status_code == 400
    two = [SimpleUploadedFile("a", b"1"), SimpleUploadedFile("b", b"2")]
    assert client.post(DETECT, {"file": two}).json()["code"] == "no_file"
    settings.BYLINE = {**settings.BYLINE, "VERIFY_MAX_BYTES": 1000}
    large = client.post(DETECT, {"file": SimpleUploadedFile("a", bytes(2000))})
    assert (large.status_code, large.json()["code"]) == (413, "file_too_large")
    assert client.get(DETECT).status_code == 405


def test_the_upload_stays_in_memory_and_shares_the_allowance_of_verify(
    client: Client, db: None, settings: Any, tmp_path: Path, monkeypatch: Any
):
    seen = []

    def look(command: str, descriptor: int) -> dict[str, Any]:
        seen.append((command, os.readlink(f"/proc/self/fd/{descriptor}"), list(tmp_path.iterdir())))
        return {"verdict": "inconclusive"}

    monkeypatch.setattr(endpoint, "run_in_child", look)
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path)
    client.post(DETECT, {"file": SimpleUploadedFile("clip.mp4", os.urandom(4_000_000))})
    ((command, link, listed),) = seen
    assert command == "detect"
    assert link.startswith("/memfd:")
    assert listed == []
    monkeypatch.setattr(endpoint.VerifyThrottle, "get_rate", lambda self: "1/hour")
    cache.clear()
    assert client.post(DETECT, {"file": SimpleUploadedFile("a", b"1")}).status_code == 200
    assert client.post("/api/v1/verify", {"file": SimpleUploadedFile("a", b"1")}).status_code == 429
    assert client.post(DETECT, {"file": SimpleUploadedFile("a", b"1")}).status_code == 429


# ---------------------------------------------------------------- the command


def test_the_command_prints_the_evidence_and_ends_with_its_code(
    files: SimpleNamespace, tmp_path: Path, capsys: Any
):
    TrustBundle.from_installation().export(tmp_path / "trust.json")
    more = ["--offline", "--trust", str(tmp_path / "trust.json")]
    assert cli.main(["detect", str(files.clip.signed), *more]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Made by AI here")
    assert "uncalibrated" in said
    (tmp_path / "rubbish.mp4").write_bytes(b"not a video" * 99)
    assert cli.main(["detect", str(tmp_path / "rubbish.mp4"), *more]) == 15
    assert "[unreadable]" in capsys.readouterr().err
    assert cli.main(["detect", str(tmp_path / "rubbish.mp4"), "--json", *more]) == 15
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "unreadable"
    assert cli.main(["detect", str(tmp_path / "nowhere.mp4"), *more]) == 64


def test_a_file_that_cannot_be_decoded_but_carries_a_manifest_is_answered(
    files: SimpleNamespace, monkeypatch: Any
):
    def broken(*args: Any, **kwargs: Any) -> Any:
        raise decode.Unreadable("the file cannot be decoded")

    monkeypatch.setattr(decode, "decode_untrusted", broken)
    body = detector.detect(files.clip.signed, trust=files.trust, records=None).as_dict()
    assert body["verdict"] == "generated_here"
    assert body["media"] is None
    assert "cannot be decoded" in by_source(body)["temporal"]["finding"]

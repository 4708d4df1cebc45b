"""Everything we sign, one file of each kind, and the C2PA's own rubrics evaluated over its crJSON.

31 rules of the conformance rubric, 6 of the integrity rubric. Used by the contract test and by
`make bench-c2pa`. Needs node and `npm ci --prefix tests/rubrics`.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import av
import numpy as np
import provenance_kit as kit
import yaml

from byline.provenance import manifest, signing
from byline.provenance.actions import Operation
from byline.provenance.crjson import crjson
from byline.provenance.ingredients import Ingredient
from byline.provenance.trust import TrustBundle

HERE = Path(__file__).parent / "rubrics"
RUBRICS = {
    "conformance 0.2, spec 2.4": "asset-rubric-conformance0.2-spec2.4.yml",
    "integrity": "asset-rubric-integrity.yml",
}
# Rules that a signer whose root is on nobody's list cannot pass in the eyes of a stranger, and why.
NEEDS_PUBLIC_ROOT = {
    "validation:trusted_success": "no stranger's trust list has our root: signingCredential.untrusted",
}


def missing() -> str:
    """Why rubrics cannot be evaluated here, "" when they can."""
    if shutil.which("node") is None:
        return "node is not installed here (Debian package nodejs)"
    if not (HERE / "node_modules" / "@adobe" / "json-formula").is_dir():
        return "the rubrics' evaluator is not installed: npm ci --prefix tests/rubrics"
    return ""


def sound(path: Path, codec: str, container: str) -> Path:
    with av.open(str(path), "w", format=container) as out:
        stream = out.add_stream(codec, rate=48_000, layout="mono")
        wave = (0.2 * np.sin(np.arange(48_000) / 9)).astype(np.float32)
        size = stream.codec_context.frame_size or 1024
        for start in range(0, len(wave), size):
            part = np.ascontiguousarray(wave[None, start : start + size])
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 48_000, start
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


def facts(source: Path, **change: Any) -> manifest.ManifestFacts:
    given: dict[str, Any] = {
        "title": "High tide tonight",
        "asset_id": "5f0c9b1e-0000-4000-8000-000000000000",
        "software_version": "0.1.0",
        "models": (
            manifest.ModelFact("byline-starter", "3", "moving pictures", "pkg:generic/byline-starter@3"),
        ),
    }
    if "proof" not in change:
        given["proof"] = kit.proof_for(source)
    return manifest.ManifestFacts(**{**given, **change})


def signed_files(directory: Path) -> dict[str, Path]:
    """One signed file of every kind, by name."""
    sources = {
        "mp4": kit.write_mp4(directory / "a.mp4", kit.pictures(1), samples=kit.speech_like(2.0)),
        "wav": kit.write_wav(directory / "a.wav"),
        "m4a": sound(directory / "a.m4a", "aac", "ipod"),
        "png": kit.write_image(directory / "a.png"),
        "jpg": kit.write_image(directory / "a.jpg"),
    }
    made = {}
    drawn_with = [
        Ingredient("brand kit harbour", "inputTo", "Apache-2.0", facts=(("org.byline.sha256", "ab" * 32),)),
        Ingredient("font OpenSans-Bold", "inputTo", "Apache-2.0", facts=(("org.byline.sha256", "cd" * 32),)),
    ]
    keys = tuple(item.key for item in drawn_with)
    for name, source in sources.items():
        pictured, heard = name in ("mp4", "png", "jpg"), name in ("mp4", "wav", "m4a")
        titled = Operation("c2pa.addedText", "title and captions drawn in", ingredients=keys)
        said = facts(
            source,
            mark_id=7 if pictured else None,
            audio_id=9 if heard else None,
            operations=(titled,) if pictured else (),
        )
        used = drawn_with if pictured else []
        made[name] = directory / f"signed.{name}"
        signing.sign_file(source, made[name], manifest.build(said, ingredients=used), used)
    made["mp3"] = _rendition(
        sound(directory / "a.mp3", "libmp3lame", "mp3"),
        directory / "signed.mp3",
        made["wav"],
        Operation("c2pa.transcoded", "WAV to MP3"),
    )
    small = kit.write_mp4(directory / "small.mp4", [frame[::2, ::2] for frame in kit.pictures(1)])
    made["rendition"] = _rendition(
        small,
        directory / "rendition.mp4",
        made["mp4"],
        Operation("c2pa.resized.proportional", "half the size"),
    )
    made["mp4 with receipt"] = directory / "receipt.mp4"
    signing.add_receipt(made["mp4"], made["mp4 with receipt"], {"log": "byline.local/log", "index": 5})
    return made


def _rendition(source: Path, target: Path, original: Path, operation: Operation) -> Path:
    """A copy in another form, which names the original as its parent and has no log entry of its own."""
    parent = (Ingredient("High tide tonight", "parentOf", content=original),)
    mark = manifest.SoftBinding(manifest.VIDEO_MARK_ALG, f"{7:016x}", "picture", written=False)
    about = facts(source, proof={}, bindings=(mark,), operations=(operation,))
    signing.sign_file(source, target, manifest.build(about, ingredients=parent), parent)
    return target


def evaluate(files: dict[str, Path], trust: TrustBundle) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """file -> rubric -> [{"id", "passed", "value", "error"}], over the crJSON that `trust` gives."""
    return evaluate_json({name: crjson(path, trust) for name, path in files.items()})


def evaluate_json(crjsons: dict[str, Any]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """As `evaluate`, over crJSON objects that the caller made."""
    work = {"rubrics": _rubrics(), "files": crjsons}
    done = subprocess.run(
        ["node", str(HERE / "evaluate.mjs")],
        input=json.dumps(work).encode(),
        capture_output=True,
        check=True,
        timeout=60,
    )
    results: dict[str, dict[str, list[dict[str, Any]]]] = json.loads(done.stdout)
    return results


def _rubrics() -> dict[str, Any]:
    found = {}
    for name, file in RUBRICS.items():
        head, *rest = yaml.safe_load_all((HERE / file).read_text())
        statements = [item for part in rest if part for item in part if "expression" in item]
        found[name] = {
            "variables": head.get("variables") or {},
            "expressions": head.get("expressions") or {},
            "statements": statements,
        }
    return found

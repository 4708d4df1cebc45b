"""Published clips in small, for tests of the public side: signed for real, on record, without a pipeline.

The pictures carry no mark (that takes seconds to make and is tested elsewhere); the manifest declares
one, as a finished clip's does.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provenance_kit import pictures, proof_for, write_mp4

from byline.audit.base import keyring
from byline.generation import store
from byline.generation.models import GenerationRequest
from byline.provenance import ids, manifest, signing
from byline.provenance.digest import content_digest
from byline.provenance.models import Record


@dataclass(frozen=True)
class Signed:
    """A signed file and what its record says."""

    file: Path
    manifest: bytes
    mark_id: int
    audio_id: int
    proof: dict[str, Any]


def sign(directory: Path, serial: int) -> Signed:
    """One second of textured pictures, signed with this home's keys."""
    unsigned, signed = directory / f"{serial}.mp4", directory / f"{serial}-signed.mp4"
    write_mp4(unsigned, pictures(serial, count=12))
    mark_id, audio_id = ids.new_mark_id(serial, keyring.read("id")), 70_000 + serial
    proof = proof_for(unsigned)
    facts = manifest.ManifestFacts(
        title=f"Clip {serial}",
        asset_id=str(uuid.uuid4()),
        software_version="test",
        proof=proof,
        models=(manifest.ModelFact("byline-starter", "test", "moving pictures"),),
        mark_id=mark_id,
        audio_id=audio_id,
    )
    data = signing.sign_file(unsigned, signed, manifest.build(facts))
    return Signed(signed, data, mark_id, audio_id, proof)


def on_record(signed: Signed, *, published: bool = True) -> Record:
    """Its row and its stored file."""
    return Record.objects.create(
        mark_id=signed.mark_id,
        audio_id=signed.audio_id,
        sha256=store.put(signed.file),
        content_digest=content_digest(signed.file).hex,
        manifest=signed.manifest,
        proof=signed.proof,
        published=published,
    )


def requested(record: Record, **fields: Any) -> GenerationRequest:
    """The request that the clip came from, as the pipeline leaves it."""
    return GenerationRequest.objects.create(
        requester="user:1",
        prompt="A kite.",
        brand="byline",
        seed=1,
        seconds=1,
        profile="newsroom",
        result={"record": str(record.pk)},
        **fields,
    )

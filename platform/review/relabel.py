"""A label was wrong: the corrected one goes into the file, signed anew.

Promises: the file that was published becomes the parentOf ingredient of the corrected one, whose manifest
says what was corrected and carries the same mark and log proof (the content digest does not change); it
counts only after it was read back. The record then leads to the new bytes; the old ones stay in the store.
"""

import tempfile
import uuid
from importlib.metadata import version
from pathlib import Path

from byline.audit import log
from byline.generation import store
from byline.platform.models import ManifestId
from byline.provenance import manifest, profiles, reading, signing
from byline.provenance.actions import Operation
from byline.provenance.digest import content_digest
from byline.provenance.ingredients import Ingredient
from byline.provenance.models import Record
from byline.provenance.trust import TrustBundle
from byline.safety.review.errors import CannotBeDone

ACTION = "c2pa.edited.metadata"


def resign(record: Record, correction: str, *, actor: str, brand: str = "") -> Record:
    """Sign the record's file again with the public sentence of the correction. CannotBeDone when the file is
    not as it was published; SigningFailed, FileDamaged."""
    source = store.read_path(record.sha256)
    held = reading.read(source, TrustBundle.from_installation())
    if held.presence != "read" or held.failures or content_digest(source).hex != record.content_digest:
        raise CannotBeDone("The stored file's credentials do not hold, so they cannot be corrected.")
    parent = Ingredient(held.title or "original", "parentOf", "same as the original", source)
    facts = manifest.ManifestFacts(
        title=held.title or "corrected",
        asset_id=f"urn:uuid:{uuid.uuid4()}",
        software_version=version("byline"),
        proof=record.proof,
        models=(),
        operations=(Operation(ACTION, f"label corrected: {correction}"),),
        bindings=_bindings(held),
    )
    built = manifest.build(facts, ingredients=[parent], choices=profiles.for_brand(brand))
    old = record.sha256
    with tempfile.TemporaryDirectory() as scratch:
        signed = Path(scratch) / f"corrected{source.suffix}"
        record.manifest = signing.sign_file(source, signed, built, [parent])
        if content_digest(signed).hex != record.content_digest:
            raise CannotBeDone("Signing changed what is seen.")
        record.sha256 = store.put(signed)
    record.save(update_fields=["manifest", "sha256"])
    ManifestId.objects.filter(pk=record.pk).delete()  # looked up again from the new manifest
    log.append(
        "platform.label_corrected",
        subject=f"record:{record.pk}",
        actor=actor,
        payload={"record": str(record.pk), "before": old, "after": record.sha256},
    )
    return record


def _bindings(held: reading.ManifestReading) -> tuple[manifest.SoftBinding, ...]:
    """The marks that the file carries: declared again, written by nobody here."""
    return tuple(
        manifest.SoftBinding(alg, value, "speech" if "audio" in alg else "picture", written=False)
        for alg, value in manifest.soft_bindings(held.assertions).items()
    )

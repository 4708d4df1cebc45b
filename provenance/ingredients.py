"""Everything that went into a file, as C2PA ingredients: with its licence, and whether its credentials hold.

Promises: each input names its relationship (parentOf: this file is a version of it; componentOf: it
is a part; inputTo: it steered the making, as a model does), its licence in the words of whoever
brought it, and the status of its own credentials as read when it was taken in. A broken credential
is recorded, never dropped: the C2PA library would still call the outer file Trusted. A file without
readable credentials is named by its SHA-256. Left out: credentials in a side-car file are not
copied into the new manifest, only their status; thumbnails.
"""

import hashlib
import io
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

from byline.audit.base.errors import InvalidInput
from byline.provenance import formats, reading
from byline.provenance.actions import IPTC, SOURCE_TYPES
from byline.provenance.trust import TrustBundle

Relationship = Literal["parentOf", "componentOf", "inputTo"]
Status = Literal["trusted", "signer unknown", "broken", "broken ancestor", "elsewhere", "none"]
LICENCE, CREDENTIALS, FAILURES, DIGEST = (
    f"org.byline.{name}" for name in ("licence", "credentials", "failures", "sha256")
)
UNKNOWN_LICENCE = "not stated"
_MAX_TEXT = 300
_MAX_CODES = 20


class BadIngredient(InvalidInput):
    """An input that cannot be named as an ingredient. The message names the field."""

    code = "bad_ingredient"


@dataclass(frozen=True)
class Ingredient:
    """One input. `content` is the file (path or bytes), None for what is no file here, e.g. a model.

    `licence` is an SPDX id or a sentence; `source_type` an IPTC digital source type, used only where
    the input has no credentials of its own; `facts` are further org.byline.* statements. `credentials` is
    what was found in a file that is not at hand any more.
    """

    title: str
    relationship: Relationship
    licence: str = UNKNOWN_LICENCE
    content: Path | bytes | None = None
    source_type: str = ""
    media_type: str = ""
    data_type: str = ""  # e.g. "c2pa.types.model"
    facts: tuple[tuple[str, str], ...] = ()
    credentials: Status = "none"

    @property
    def key(self) -> str:
        """What actions call it. The same input under another title is another key."""
        digest = hashlib.sha256(f"{self.title}\0{self.licence}\0{self.facts}".encode())
        if isinstance(self.content, bytes):
            digest.update(self.content)
        elif self.content is not None:
            digest.update(str(self.content).encode())
        return f"{self.relationship}-{digest.hexdigest()[:16]}"


@dataclass(frozen=True)
class Examined:
    """An ingredient as the builder takes it: `entry` is its JSON; `stream_type` is "" where the library
    need not read the content."""

    entry: dict[str, Any]
    status: Status
    failures: tuple[str, ...] = ()
    stream_type: str = ""


def status_of(held: reading.ManifestReading) -> tuple[Status, tuple[str, ...]]:
    """The status of what was read, and the codes that failed."""
    if held.presence == "damaged":
        return "broken", ("damaged",)
    if held.presence == "remote":
        return "elsewhere", ()
    if held.presence != "read":
        return "none", ()
    inherited = tuple(code for ancestor in held.ancestors for code in ancestor.failures)
    own = tuple(code for code in held.failures if code != "signingCredential.untrusted")
    # What is wrong with an identity assertion makes the library's state Invalid, and the file no worse.
    if own or (held.state not in ("Trusted", "Valid") and not held.identity_failures):
        return "broken", own or (held.state,)
    if any(code != "signingCredential.untrusted" for code in inherited):
        return "broken ancestor", inherited
    if held.signer_known and not held.failures:
        return "trusted", ()
    return "signer unknown", held.failures


def examine(ingredient: Ingredient, trust: TrustBundle) -> Examined:
    """Read the ingredient's credentials under `trust` and write down what was found. BadIngredient."""
    _check(ingredient)
    entry: dict[str, Any] = {
        "title": ingredient.title,
        "relationship": ingredient.relationship,
        "label": ingredient.key,
    }
    said: dict[str, Any] = {LICENCE: ingredient.licence, **dict(ingredient.facts)}
    if ingredient.data_type:
        entry["data_types"] = [{"type": ingredient.data_type}]
    if ingredient.media_type:
        entry["format"] = ingredient.media_type
    if ingredient.content is None:
        return _finished(entry, said, ingredient, ingredient.credentials, ())
    with tempfile.TemporaryDirectory(prefix="byline-ingredient-") as scratch:
        path = ingredient.content if isinstance(ingredient.content, Path) else Path(scratch) / "content"
        if isinstance(ingredient.content, bytes):
            path.write_bytes(ingredient.content)
        with path.open("rb") as handle:
            said[DIGEST] = hashlib.file_digest(handle, "sha256").hexdigest()
        found = formats.sniff(path)
        status, failures = status_of(held := reading.read(path, trust))
    if found is not None:
        entry["format"] = found.mime
    stream_type = found.mime if found is not None and held.presence == "read" else ""
    return _finished(entry, said, ingredient, status, failures, stream_type)


def _finished(
    entry: dict[str, Any],
    said: dict[str, Any],
    ingredient: Ingredient,
    status: Status,
    failures: tuple[str, ...],
    stream_type: str = "",
) -> Examined:
    said[CREDENTIALS] = status
    if failures:
        said[FAILURES] = list(dict.fromkeys(failures))[:_MAX_CODES]
    if ingredient.source_type and not stream_type:  # C2PA 2.4 section 18.16.12.3: one or the other
        entry["digital_source_type"] = IPTC + ingredient.source_type
    return Examined({**entry, "metadata": said}, status, failures, stream_type)


def entries(examined: Sequence[Examined]) -> list[dict[str, Any]]:
    """The builder JSON of those that the library need not read."""
    return [item.entry for item in examined if not item.stream_type]


def add_to(builder: Any, ingredients: Sequence[Ingredient], examined: Sequence[Examined]) -> None:
    """Give a C2PA builder the content of those that have credentials, so that it copies them."""
    for ingredient, found in zip(ingredients, examined, strict=True):
        if found.stream_type and ingredient.content is not None:
            with _opened(ingredient.content) as stream:
                builder.add_ingredient(found.entry, found.stream_type, stream)


def _opened(content: Path | bytes) -> BinaryIO:
    return content.open("rb") if isinstance(content, Path) else io.BytesIO(content)


def _check(ingredient: Ingredient) -> None:
    if ingredient.relationship not in get_args(Relationship):
        raise BadIngredient("relationship is parentOf, componentOf or inputTo")
    if ingredient.source_type and ingredient.source_type not in SOURCE_TYPES:
        raise BadIngredient("source_type is no IPTC digital source type")
    for name, text in {
        "title": ingredient.title,
        "licence": ingredient.licence,
        **dict(ingredient.facts),
    }.items():
        if not text.strip() or len(text) > _MAX_TEXT or not text.isprintable():
            raise BadIngredient(f"{name} is empty, longer than {_MAX_TEXT} characters or unprintable")
    if any("." not in name for name, _ in ingredient.facts):
        raise BadIngredient("a fact is named in reverse DNS")

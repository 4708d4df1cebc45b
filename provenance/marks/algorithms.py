"""Which `alg` a mark is declared under in `c2pa.soft-binding`, registered or not, and why.

Promises: one table for every mark that we can write. Source of what is registered: the C2PA
soft-binding algorithm list (github.com/c2pa-org/softbinding-algorithm-list, commit 68246ad,
2026-04-15, CC-BY-4.0). An entry of that list names one code in one payload format, resolved by its
owner, so a network that somebody else registered under his own format is not registered for us.
The list is copied here by hand only for marks we can write; it is not fetched. Unregistered names
are reverse-DNS strings (C2PA 2.4 section 18.13 asks for a name from the list: our manifest's action
says that ours is not on it). Pure: knows names and payload formats, no manifest and no model.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from byline.audit.base.errors import ConfigurationError
from byline.provenance.marks.base import BadPayload

Media = Literal["video", "audio"]
LIST_VERSION = "68246adab346c8fa98b4c2cc72b68c979320ed10"

_OURS = "our own mark; it is not on the C2PA list of soft-binding algorithms"


class UnknownAlgorithm(ConfigurationError):
    """A marker whose `alg` nobody named: a manifest could not declare it honestly."""

    code = "unknown_mark_algorithm"
    help = "Give the marker class an `alg` that is in byline.provenance.marks.algorithms."


@dataclass(frozen=True)
class AlgInfo:
    """One name for a soft binding. `why` is a sentence for people and for the action's description.

    `identifier` is the number on the C2PA list, the only thing a TrustMark signpost can carry; None
    for what is not on it. `digits` is the width of a value in hexadecimal digits, None where the
    algorithm's owner prescribes another form (see `value`).
    """

    alg: str
    registered: bool
    why: str
    media: Media
    identifier: int | None = None
    digits: int | None = None


def _trustmark(variant: str, identifier: int) -> AlgInfo:
    why = (
        f"TrustMark variant {variant}, entry {identifier} of the C2PA list, which names it for images; "
        "here the same code stands in every frame of a video"
    )
    return AlgInfo(f"com.adobe.trustmark.{variant}", True, why, "video", identifier)


_ENTRIES = (
    AlgInfo("io.byline.video.ss64.1", False, _OURS, "video", digits=16),
    AlgInfo("io.byline.audio.ss32.1", False, _OURS, "audio", digits=8),
    _trustmark("P", 13),
    _trustmark("Q", 4),
    _trustmark("C", 5),
    AlgInfo(
        "io.byline.video.videoseal.1",
        False,
        "VideoSeal with our own payload format and key; the list's com.aiwatermark.videoseal.1 (entry 30) "
        "is another owner's format and registry",
        "video",
        digits=16,
    ),
    AlgInfo(
        "io.byline.audio.audioseal.1",
        False,
        "AudioSeal with our own payload format and key; the list's com.aiwatermark.audioseal.1 (entry 32) "
        "is another owner's format and registry",
        "audio",
        digits=8,
    ),
)
ALGORITHMS: dict[str, AlgInfo] = {entry.alg: entry for entry in _ENTRIES}
# Our own two classes, by name, so that this table imports neither (each loads SciPy and OpenCV).
_OWN_CLASSES = {
    "byline.provenance.marks.video.VideoMark": "io.byline.video.ss64.1",
    "byline.provenance.marks.audio.AudioMark": "io.byline.audio.ss32.1",
}


def alg_of(marker: Any) -> AlgInfo:
    """The declaration of a marker, given as an instance or a class. UnknownAlgorithm if it has none."""
    cls = marker if isinstance(marker, type) else type(marker)
    named = getattr(marker, "alg", None)
    alg = named if isinstance(named, str) else _OWN_CLASSES.get(f"{cls.__module__}.{cls.__qualname__}")
    info = ALGORITHMS.get(alg) if alg else None
    if info is None:
        raise UnknownAlgorithm(f"{cls.__qualname__} is no mark that a manifest can declare")
    return info


def value_of(marker: Any, payload: int) -> str:
    """The soft binding's `value` for a payload: hexadecimal, or what the algorithm's owner prescribes.

    A marker whose owner prescribes another form has `soft_binding_value(payload)` itself.
    """
    info = alg_of(marker)
    form: Callable[[int], str] | None = getattr(marker, "soft_binding_value", None)
    if info.digits is None:
        if form is None:
            raise UnknownAlgorithm(f"{info.alg} needs its marker to write its value")
        return form(payload)
    if not 0 <= payload < 1 << (4 * info.digits):
        raise BadPayload(f"the payload does not fit into {4 * info.digits} bits")
    return f"{payload:0{info.digits}x}"

"""Which `alg` a mark is declared under in `c2pa.soft-binding`, registered or not, and why.

Promises: one table for every mark that we can write. Source of what is registered: the C2PA
soft-binding algorithm list (github.com/c2pa-org/softbinding-algorithm-list, commit 68246ad,
2026-04-15, CC-BY-4.0). An entry of that list names one code in one payload format, resolved by its
owner, so a network that somebody else registered under his own format is not registered for us.
The list is copied here by hand only for marks we can write; it is not fetched. Unregistered names
are reverse-DNS strings (C2PA 2.4 section 18.13 asks for a name from the list: our manifest's action
says that ours is not on it). Pure: knows names and payload formats, no manifest and no model.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from byline.audit.base.errors import ConfigurationError
from byline.provenance.marks.base import BadPayload

Media = Literal["video", "audio"]
# The last number is the version of the pattern ("video v2", "audio v2"), which is part of every sub-key.
VIDEO_MARK_ALG = "io.byline.video.ss64.2"
AUDIO_MARK_ALG = "io.byline.audio.ss32.2"
OWN: dict[Media, str] = {"video": VIDEO_MARK_ALG, "audio": AUDIO_MARK_ALG}
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
    for what is not on it. `digits` is the width of a value in hexadecimal digits, None for TrustMark's
    own form (see `value_of`). Anybody can write a mark that is not `keyed`.
    """

    alg: str
    registered: bool
    why: str
    media: Media
    identifier: int | None = None
    digits: int | None = None
    keyed: bool = True


def _trustmark(variant: str, identifier: int) -> AlgInfo:
    why = (
        f"TrustMark variant {variant}, entry {identifier} of the C2PA list, which names it for images; "
        "here the same code stands in every frame of a video"
    )
    return AlgInfo(f"com.adobe.trustmark.{variant}", True, why, "video", identifier, keyed=False)


_ENTRIES = (
    AlgInfo(VIDEO_MARK_ALG, False, _OURS, "video", digits=16),
    AlgInfo(AUDIO_MARK_ALG, False, _OURS, "audio", digits=8),
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
    "byline.provenance.marks.video.VideoMark": VIDEO_MARK_ALG,
    "byline.provenance.marks.audio.AudioMark": AUDIO_MARK_ALG,
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


def payload_of(alg: str, value: Any) -> int | None:
    """The payload in a soft binding's `value`; None for an unknown `alg` or a malformed value."""
    info = ALGORITHMS.get(alg)
    if info is None or not isinstance(value, str):
        return None
    if info.digits is not None:
        return int(value, 16) if re.fullmatch(rf"[0-9a-f]{{{info.digits}}}", value) else None
    trustmark = re.fullmatch(r"[0-9]\*([01]{1,100})", value)
    return int(trustmark[1], 2) if trustmark else None

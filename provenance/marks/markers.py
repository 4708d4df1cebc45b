"""Markers by medium, from the setting WATERMARKERS: `{"video": {"CLASS", "CONFIG"}, "audio": {...}}`.

Our own two marks unless the setting says otherwise. A class is made with the keys and its CONFIG as
keyword arguments; what it cannot carry, or weights that are missing, is a configuration error at
start (E030) and not a surprise in the middle of a job. A class without a declared `alg` is refused,
since a manifest could not name it. Under "retired" stand lists of such entries by medium, no longer
written and still looked for; our own two are always looked for, so that earlier clips stay found.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register
from django.utils.module_loading import import_string

from byline.audit.base import conf
from byline.audit.base.errors import BylineError, ConfigurationError
from byline.provenance.marks.algorithms import OWN, Media, alg_of
from byline.provenance.marks.detectors import own, pack

ID_BITS: dict[Media, int] = {"video": 64, "audio": 32}  # what a record's ids need
RETIRED = "retired"


def load(medium: Media, keys: Sequence[bytes], **tuning: Any) -> Any:
    """The configured VideoMarker or AudioMarker with these keys; the first one writes.

    `tuning` is a caller's wish, e.g. depth_db=3.0: it is passed on where the class has such an
    argument and left out where it has not. ConfigurationError names what is wrong in the setting.
    """
    configured = _configured()
    if medium not in configured:
        raise ConfigurationError(
            f"BYLINE['WATERMARKERS'] has no entry {medium!r}", help='It takes "video" and "audio".'
        )
    return _make(medium, configured[medium], f"BYLINE['WATERMARKERS'][{medium!r}]", keys, tuning)


def detectors(medium: Media, keys: Sequence[bytes]) -> list[Any]:
    """Every mark that clips of this installation may carry: our own, the configured one, retired ones."""
    return [own(medium, keys), *(marker for marker, _ in _others(medium, keys))]


def algs() -> dict[str, Media]:
    """The `alg` of each of them, and what it is for."""
    found = {alg: medium for medium, alg in OWN.items()}
    for medium in ID_BITS:
        found |= {alg_of(marker).alg: medium for marker, _ in _others(medium, [bytes(32)])}
    return found


def of_alg(alg: str, medium: Media, keys: Sequence[bytes], **tuning: Any) -> Any | None:
    """The marker that writes and finds `alg`, tuned as in `load`; None when nothing here does."""
    if alg == OWN[medium]:
        return own(medium, keys, **tuning)
    return next((marker for marker in detectors(medium, keys) if alg_of(marker).alg == alg), None)


def packed(folder: Path) -> list[dict[str, Any]]:
    """The marks of other makers for records that are handed over; their weights go into `folder`."""
    return [
        pack(marker, entry.get("CONFIG") or {}, folder)
        for medium in ID_BITS
        for marker, entry in _others(medium, [bytes(32)])
    ]


def _configured() -> Mapping[str, Any]:
    configured: Mapping[str, Any] = conf.get("WATERMARKERS")
    unknown = sorted(set(configured) - {*ID_BITS, RETIRED})
    if unknown:
        raise ConfigurationError(
            f"BYLINE['WATERMARKERS'] has entries it does not know: {unknown}",
            help=f'It takes "video", "audio" and "{RETIRED}".',
        )
    return configured


def _others(medium: Media, keys: Sequence[bytes]) -> list[tuple[Any, Mapping[str, Any]]]:
    """The marks that are not our own, each once, with its entry of the setting."""
    found: dict[tuple[str, str], tuple[Any, Mapping[str, Any]]] = {}
    for where, entry in _entries(medium):
        if entry != conf.DEFAULTS["WATERMARKERS"][medium]:
            marker = _make(medium, entry, where, keys, {})
            if alg_of(marker).alg != OWN[medium]:
                found.setdefault((alg_of(marker).alg, repr(entry)), (marker, entry))
    return list(found.values())


def _entries(medium: Media) -> Iterator[tuple[str, Any]]:
    """(name, entry): the configured one of a medium, then its retired ones."""
    configured = _configured()
    if medium in configured:
        yield f"BYLINE['WATERMARKERS'][{medium!r}]", configured[medium]
    retired = configured.get(RETIRED, {})
    if not isinstance(retired, Mapping) or set(retired) - set(ID_BITS):
        raise ConfigurationError(f"BYLINE['WATERMARKERS'][{RETIRED!r}] takes lists under video and audio")
    for number, entry in enumerate(retired.get(medium, ())):
        yield f"BYLINE['WATERMARKERS'][{RETIRED!r}][{medium!r}][{number}]", entry


def _class(entry: Any, where: str) -> Any:
    if not isinstance(entry, Mapping) or "CLASS" not in entry or set(entry) - {"CLASS", "CONFIG"}:
        raise ConfigurationError(f"{where} takes CLASS and CONFIG")
    try:
        return import_string(entry["CLASS"])
    except ImportError as error:
        raise ConfigurationError(f"{where}: cannot import {entry['CLASS']!r}") from error


def _make(medium: Media, entry: Any, where: str, keys: Sequence[bytes], tuning: Mapping[str, Any]) -> Any:
    cls = _class(entry, where)
    config = dict(entry.get("CONFIG") or {})
    signature = inspect.signature(cls)
    config |= {name: value for name, value in tuning.items() if name in signature.parameters}
    try:
        signature.bind(keys, **config)
    except TypeError as error:
        raise ConfigurationError(f"{where}: CONFIG does not fit {entry['CLASS']}: {error}") from error
    marker = cls(keys, **config)
    if alg_of(marker).media != medium:
        raise ConfigurationError(f"{where}: {entry['CLASS']} is no mark for {medium}")
    if marker.payload_bits < ID_BITS[medium]:
        raise ConfigurationError(
            f"{where}: it carries {marker.payload_bits} bits, a record's id has {ID_BITS[medium]}",
            help="Choose a schema or network with a longer message.",
        )
    return marker


@register(Tags.compatibility)
def check_watermarkers(app_configs: Any = None, **_: Any) -> Iterable[CheckMessage]:
    """E030: a mark that is wrongly configured, or whose weights are not the pinned ones."""
    for medium in ID_BITS:
        try:
            if medium not in _configured():
                load(medium, [bytes(32)])  # says what is missing
            for where, entry in _entries(medium):
                if entry == conf.DEFAULTS["WATERMARKERS"][medium]:
                    continue  # our own, known to be right; making it would load SciPy at every start
                marker = _make(medium, entry, where, [bytes(32)], {})
                if hasattr(marker, "self_check"):
                    marker.self_check()
        except BylineError as error:
            yield Error(str(error), hint=error.help, id="byline.E030")

"""Markers by medium, from the setting WATERMARKERS: `{"video": {"CLASS", "CONFIG"}, "audio": {...}}`.

Our own two marks unless the setting says otherwise. A class is made with the keys and its CONFIG as
keyword arguments; what it cannot carry, or weights that are missing, is a configuration error at
start (E030, E033) and not a surprise in the middle of a job. A class without a declared `alg` is refused,
since a manifest could not name it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from django.core.checks import CheckMessage, Error, Tags, register
from django.utils.module_loading import import_string

from byline.audit.base import conf
from byline.audit.base.errors import BylineError, ConfigurationError
from byline.provenance.marks.algorithms import alg_of

Medium = Literal["video", "audio"]
OWN = {"io.byline.video.ss64.1", "io.byline.audio.ss32.1"}
ID_BITS: dict[str, int] = {"video": 64, "audio": 32}  # what a record's ids need


def load(medium: Medium, keys: Sequence[bytes], **tuning: Any) -> Any:
    """The configured VideoMarker or AudioMarker with these keys; the first one writes.

    `tuning` is a caller's wish, e.g. depth_db=3.0: it is passed on where the class has such an
    argument and left out where it has not. ConfigurationError names what is wrong in the setting.
    """
    configured = conf.get("WATERMARKERS")
    if medium not in configured or set(configured) - set(ID_BITS):
        raise ConfigurationError(
            f"BYLINE['WATERMARKERS'] has no entry {medium!r}", help='It takes "video" and "audio".'
        )
    where = f"BYLINE['WATERMARKERS'][{medium!r}]"
    entry = configured[medium]
    if not isinstance(entry, Mapping) or "CLASS" not in entry or set(entry) - {"CLASS", "CONFIG"}:
        raise ConfigurationError(f"{where} takes CLASS and CONFIG")
    try:
        cls = import_string(entry["CLASS"])
    except ImportError as error:
        raise ConfigurationError(f"{where}: cannot import {entry['CLASS']!r}") from error
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
    """E030: a mark that is wrongly configured, or whose weights are not the pinned ones. E033: a good one
    that could write clips which nobody finds again."""
    for medium in ("video", "audio"):
        if conf.get("WATERMARKERS").get(medium) == conf.DEFAULTS["WATERMARKERS"][medium]:
            continue  # our own, known to be right; making it would load SciPy at every start
        try:
            marker = load(medium, [bytes(32)])
            if hasattr(marker, "self_check"):
                marker.self_check()
        except BylineError as error:
            yield Error(str(error), hint=error.help, id="byline.E030")
            continue
        alg = alg_of(marker).alg
        if alg not in OWN:
            # Fail closed: reading back and looking up records know our own marks alone, so every clip
            # would be made, fail its read-back and be thrown away.
            yield Error(
                f"{alg} is ready, but records of this release are found by our own {medium} mark only.",
                hint=f"Take BYLINE['WATERMARKERS'][{medium!r}] out; use the adapter from your own code.",
                id="byline.E033",
            )

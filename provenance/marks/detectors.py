"""Which marks a record's detectors look for: our own first, then what else the records were marked with.

Promises: needs no Django, so that exported records are read anywhere. Marks of other makers are made
only from the table below, never from a class that a file names. Their weights are pinned files: `pack`
copies them beside the records under their SHA-256, `unpack` finds them there. Weights or a library that
are missing raise when such a mark is looked for (`NOT_AVAILABLE`), and the caller says "not checked".
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from byline.audit.base.errors import ConfigurationError
from byline.provenance.marks.algorithms import Media, alg_of

NOT_AVAILABLE = (ConfigurationError, ImportError)
WEIGHTS = "weights"
_NEURAL = "byline.provenance.marks.neural"
# class -> {argument that is a file of weights: the argument that pins it}
_FILES = {
    f"{_NEURAL}.videoseal.VideoSeal": {"weights": "sha256"},
    f"{_NEURAL}.trustmark.TrustMark": {"encoder": "encoder_sha256", "decoder": "decoder_sha256"},
    f"{_NEURAL}.audioseal.AudioSeal": {"generator": "generator_sha256", "detector": "detector_sha256"},
}


def own(medium: Media, keys: Sequence[bytes], **tuning: Any) -> Any:
    """Our own VideoMarker or AudioMarker with these keys."""
    if medium == "video":
        from byline.provenance.marks.video import VideoMark

        return VideoMark(keys, **tuning)
    from byline.provenance.marks.audio import AudioMark

    return AudioMark(keys, **tuning)


def pack(marker: Any, config: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """What `unpack` needs to make this marker again, its weights copied into `folder`.

    ConfigurationError for a class that `unpack` would not make, MissingWeights for files that are gone.
    """
    name = f"{type(marker).__module__}.{type(marker).__qualname__}"
    if name not in _FILES:
        raise ConfigurationError(f"{name} cannot be handed over with the records")
    marker.self_check()  # the files are there, and are the pinned ones
    packed = {key: value for key, value in config.items() if key != "device"}
    for argument, pin in _FILES[name].items():
        target = folder / WEIGHTS / config[pin]
        target.parent.mkdir(exist_ok=True)
        shutil.copyfile(config[argument], target)
        packed[argument] = f"{WEIGHTS}/{config[pin]}"
    return {"medium": alg_of(marker).media, "class": name, "config": packed}


def unpack(medium: Media, packed: Sequence[Any], keys: Sequence[bytes], folder: Path) -> list[Any]:
    """The marks of other makers in `packed` for one medium. ValueError for what `pack` never wrote."""
    made = []
    for entry in packed:
        files = _FILES.get(entry["class"])
        if files is None or not isinstance(entry["config"], dict):
            raise ValueError("an unknown mark")
        if entry["medium"] != medium:
            continue
        config = dict(entry["config"])
        for argument, pin in files.items():
            if not re.fullmatch(r"[0-9a-f]{64}", str(config.get(pin))):
                raise ValueError("weights that are not pinned")
            config[argument] = str(folder / WEIGHTS / config[pin])
        module, _, name = entry["class"].rpartition(".")
        try:
            made.append(getattr(import_module(module), name)(keys, **config))
        except (TypeError, ConfigurationError) as error:
            raise ValueError("a mark that cannot be made") from error
    return made

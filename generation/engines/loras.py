"""LoRA weights on top of a model: checked against their hash before they are read, and recorded.

An entry is {"NAME", "PATH", "SHA256", "LICENCE"} and optionally "STRENGTH". The hash is required: a
LoRA changes what a model draws, so the manifest must be able to say which one it was. "USE" says when it is
on: "always" (the default), "request" when a request names it, or a camera move that it was trained for.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from byline.audit.base.errors import ConfigurationError, InvalidInput, MissingWeights
from byline.generation.controls.camera import MOVES
from byline.generation.engines import weights
from byline.generation.engines.base import Adapter
from byline.generation.engines.config import CORRECT
from byline.generation.engines.registry import ModelEntry
from byline.generation.engines.weights import WeightsChanged

ALWAYS, ON_REQUEST = "always", "request"
_KEYS = {"NAME", "PATH", "SHA256", "LICENCE"}
_MAY = {"STRENGTH", "DISTILLED", "USE"}  # DISTILLED: made for a few steps, which trades quality for time


def read(entries: Sequence[Any], model: ModelEntry) -> tuple[tuple[Adapter, Path], ...]:
    """Check the settings; the files are looked at by `verify`. Raises ConfigurationError."""
    if entries and not model.family.lora:
        raise ConfigurationError(
            f"models of the family {model.family_name} take no LoRA", help="Leave LORAS out for this model."
        )
    found: list[tuple[Adapter, Path]] = []
    for given in entries:
        if not isinstance(given, dict) or not _KEYS <= set(given) <= _KEYS | _MAY:
            raise ConfigurationError(
                "an entry of LORAS holds NAME, PATH, SHA256, LICENCE and perhaps STRENGTH, DISTILLED, USE",
                help=CORRECT,
            )
        adapter = Adapter(
            str(given["NAME"]),
            str(given["SHA256"]),
            float(given.get("STRENGTH", 1.0)),
            str(given["LICENCE"]),
            given.get("DISTILLED", False) is True,
            str(given.get("USE", ALWAYS)),
        )
        if adapter.use not in (ALWAYS, ON_REQUEST, *MOVES):
            raise ConfigurationError(
                f"LORAS: {adapter.name!r} has a USE that means nothing",
                help=f"{ALWAYS}, {ON_REQUEST} or one of {', '.join(MOVES)}.",
            )
        path = Path(given["PATH"]).expanduser()
        named = re.fullmatch(r"[A-Za-z0-9_-]{1,64}", adapter.name) and adapter.licence
        if not named or not re.fullmatch(r"[0-9a-f]{64}", adapter.sha256) or path.suffix != ".safetensors":
            raise ConfigurationError(
                f"LORAS: {adapter.name!r} needs a plain NAME, a LICENCE, a SHA256 and a .safetensors file",
                help=CORRECT,
            )
        found.append((adapter, path))
    if len({adapter.name for adapter, _ in found}) < len(found):
        raise ConfigurationError("two entries of LORAS have one NAME", help=CORRECT)
    return tuple(found)


def verify(chosen: Sequence[tuple[Adapter, Path]]) -> None:
    """MissingWeights for an absent file, WeightsChanged for one with another hash."""
    if chosen and importlib.util.find_spec("peft") is None:
        raise MissingWeights("LoRA weights need peft", help="Run `pip install 'byline[gpu]'`.")
    for adapter, path in chosen:
        if not path.is_file():
            raise MissingWeights(
                f"the LoRA {adapter.name} is not at {path}", help="Correct LORAS, or fetch it."
            )
        if weights.file_sha256(path) != adapter.sha256:
            raise WeightsChanged(
                f"the LoRA {adapter.name} has another SHA-256 than LORAS says",
                help="Look at where it came from.",
            )


def apply(pipeline: Any, chosen: Sequence[tuple[Adapter, Path]]) -> None:
    """Load them into the pipeline and set their strengths. `verify` comes first."""
    for adapter, path in chosen:
        try:
            pipeline.load_lora_weights(
                str(path.parent), weight_name=path.name, adapter_name=adapter.name, local_files_only=True
            )
        except (ValueError, KeyError, RuntimeError, OSError) as error:
            raise ConfigurationError(
                f"the LoRA {adapter.name} does not fit {type(pipeline).__name__}",
                help="Use one that was trained on this model.",
            ) from error
    if chosen:
        switch(pipeline, chosen, [adapter for adapter, _ in chosen if adapter.use == ALWAYS])


def switch(pipeline: Any, loaded: Sequence[tuple[Adapter, Path]], on: Sequence[Adapter]) -> None:
    """Let exactly the adapters in `on` work, out of those that `apply` loaded."""
    strengths = [adapter.strength if adapter in on else 0.0 for adapter, _ in loaded]
    pipeline.set_adapters([adapter.name for adapter, _ in loaded], strengths)


def wanted(loaded: Sequence[tuple[Adapter, Path]], names: Sequence[str], camera: str) -> list[Adapter]:
    """The adapters for one task: those that are always on, those named, and that of the camera move.
    InvalidInput for a name or a move that none was registered for."""
    adapters = [adapter for adapter, _ in loaded]
    on_request = {adapter.name for adapter in adapters if adapter.use == ON_REQUEST}
    moves = {adapter.use for adapter in adapters} - {ALWAYS, ON_REQUEST}
    if unknown := sorted(set(names) - on_request):
        raise InvalidInput(
            f"there is no LoRA {', '.join(unknown)} for requests",
            help=f"Registered: {', '.join(sorted(on_request)) or 'none'}.",
        )
    if camera and camera not in moves:
        raise InvalidInput(f"no LoRA was registered for the camera move {camera}")
    return [a for a in adapters if a.use in (ALWAYS, camera or ALWAYS) or a.name in names]

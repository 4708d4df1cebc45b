"""From a registry entry and its folder to a diffusers pipeline. Nothing is fetched or moved to a device."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from byline.audit.base import heavy
from byline.audit.base.errors import ConfigurationError
from byline.generation.engines import weights
from byline.generation.engines.registry import ModelEntry


def pipeline(entry: ModelEntry, kind: Any, dtype: Any) -> Any:
    """The pipeline of class `kind` from the entry's verified folder, in `dtype` but for what its makers run
    in float32, with the scheduler that the entry names. ConfigurationError where the files do not fit."""
    torch, diffusers = heavy.load("torch"), heavy.load("diffusers")
    for library in (diffusers, heavy.load("transformers")):
        library.utils.logging.disable_progress_bar()
    place = weights.folder(entry)
    shared = {"use_safetensors": entry.weight_format == "safetensors" or None, "local_files_only": True}
    try:
        parts: dict[str, Any] = {}
        for name, part in entry.parts.items():
            special = entry.variant if any((place / name).glob(f"*.{entry.variant}.*")) else None
            parts[name] = getattr(diffusers, part.kind).from_pretrained(
                place / name, dtype=dtype, variant=special, **shared
            )
        takes = inspect.signature(kind.__init__).parameters
        made = kind.from_pretrained(
            str(place),
            dtype={"default": dtype} | dict.fromkeys(entry.float32_parts, torch.float32),
            variant=entry.variant or None,
            **shared,
            **parts,
            **{name: None for name in entry.without if name in takes},
        )
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise ConfigurationError(
            f"the files of {entry.id} do not make a {kind.__name__} ({type(error).__name__})",
            help=f"Run `byline models check {entry.id}`; then compare the registry's entry with the model.",
        ) from error
    if entry.scheduler:
        chosen = dict(entry.scheduler)
        scheduler = getattr(diffusers, chosen.pop("class"))
        made.scheduler = scheduler.from_config(made.scheduler.config, **chosen)
    made.set_progress_bar_config(disable=True)
    return made


def sibling(base: Any, kind: Any) -> Any:
    """A pipeline of class `kind` over the parts and settings of `base`. (`from_pipe` would share them too,
    but casts everything to float32.)"""
    wanted = inspect.signature(kind.__init__).parameters
    known = {name: value for name, value in base.config.items() if not name.startswith("_")}
    made = kind(**{name: value for name, value in (known | base.components).items() if name in wanted})
    made.set_progress_bar_config(disable=True)
    return made


def tokens(made: Any, prompt: str, arguments: Mapping[str, Any]) -> dict[str, int]:
    """How long the prompt is to the model, and how much of it the encoder that reads most will read:
    pipelines cut the rest without a word, so the record must say it."""
    found = []
    for name, tokenizer in made.components.items():
        if name.startswith("tokenizer") and tokenizer is not None and prompt:
            length = len(tokenizer(prompt)["input_ids"])
            found.append(
                (min(length, arguments.get("max_sequence_length") or tokenizer.model_max_length), length)
            )
    if not found:
        return {}
    read, length = max(found)
    return {"prompt_tokens": length, "prompt_tokens_read": read}

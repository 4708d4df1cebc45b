"""Classifiers of the transformers library that a site brings: are the files here, and every label known?

Promises: nothing is fetched and no heavy library is imported; a model is a folder, or a hub id that is
pinned to a revision and lies in the local cache; what is wrong comes in one error with what to do.
"""

import json
from collections.abc import Collection
from pathlib import Path

from byline.audit.base.errors import ConfigurationError, MissingWeights

_FILES = ("config.json", "model.safetensors", "preprocessor_config.json")


def check_labels(
    model: str, revision: str, labels: Collection[str], *, pin_help: str, labels_help: str
) -> None:
    """Raise unless the classifier is complete on this machine and states exactly these `labels`.

    ConfigurationError without a revision or with other labels, MissingWeights without a file.
    """
    if not Path(model).is_dir() and not revision:
        raise ConfigurationError(f"classifier {model!r} has no revision", help=pin_help)
    config, *_ = [_file(model, revision, name) for name in _FILES]
    try:
        stated = set(json.loads(config.read_text())["id2label"].values())
    except (ValueError, KeyError, AttributeError) as error:
        raise ConfigurationError(f"classifier {model!r} states no labels") from error
    if stated != set(labels):
        raise ConfigurationError(
            f"classifier {model!r} has the labels {sorted(stated)}, the setting names {sorted(labels)}",
            help=labels_help,
        )


def _file(model: str, revision: str, name: str) -> Path:
    found: str | None
    if Path(model).is_dir():
        found = str(Path(model) / name)
    else:
        from huggingface_hub import try_to_load_from_cache

        cached = try_to_load_from_cache(model, name, revision=revision or None)
        found = cached if isinstance(cached, str) else None
    if found is None or not Path(found).is_file():
        raise MissingWeights(
            f"classifier {model!r}: {name} is not on this machine",
            help="Fetch the model at its pinned revision before the start, or remove the classifier.",
        )
    return Path(found)

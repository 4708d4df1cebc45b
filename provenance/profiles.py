"""What an operator decides about manifests, for all brands or for one: `BYLINE["MANIFEST"]`.

    "MANIFEST": {"PROFILE": "global", "PRODUCER": "Example News", "TRAINING": "notAllowed",
                 "TRAINING_TERMS": "", "PROMPT": False, "BRANDS": {"china-desk": {"PROFILE": "CN"}}}

A brand's entry holds only what differs. Profile "CN" adds the label of GB 45438-2025 to the file,
which needs a producer to name. PROMPT is False unless somebody decides otherwise: a prompt may hold
names, and what is in a manifest cannot be taken back. Left out: what is written does not depend on
where a reader sits; a clip is made under one profile.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from byline.audit.base import conf
from byline.audit.base.errors import ConfigurationError

PROFILES = ("global", "CN")
TRAINING = ("notAllowed", "allowed", "constrained")
_FIELDS = {
    "PROFILE": "profile",
    "PRODUCER": "producer",
    "TRAINING": "training",
    "TRAINING_TERMS": "training_terms",
    "PROMPT": "prompt",
}
_MAX_TEXT = 200


@dataclass(frozen=True)
class Choices:
    """One brand's decisions. `training` is for all four uses of CAWG Training and Data Mining 1.1."""

    profile: str = "global"
    producer: str = ""
    training: str = "notAllowed"
    training_terms: str = ""
    prompt: bool = False


def for_brand(brand: str = "") -> Choices:
    """The decisions for one brand. ConfigurationError when the setting does not fit."""
    everywhere, brands = parse(conf.get("MANIFEST"))
    return brands.get(brand, everywhere)


def parse(setting: Any) -> tuple[Choices, dict[str, Choices]]:
    """(for all brands, for those that differ). ConfigurationError names the entry that does not fit."""
    if not isinstance(setting, Mapping):
        raise ConfigurationError("MANIFEST must be a dictionary")
    brands = setting.get("BRANDS", {})
    if not isinstance(brands, Mapping):
        raise ConfigurationError("MANIFEST: BRANDS must be a dictionary")
    everywhere = _choices(Choices(), {k: v for k, v in setting.items() if k != "BRANDS"}, "MANIFEST")
    named = {
        str(name): _choices(everywhere, entry, f"MANIFEST, brand {name!r}") for name, entry in brands.items()
    }
    return everywhere, named


def _choices(base: Choices, entry: Any, where: str) -> Choices:
    if not isinstance(entry, Mapping):
        raise ConfigurationError(f"{where}: expected a dictionary with {sorted(_FIELDS)}")
    if unknown := sorted(str(key) for key in entry if key not in _FIELDS):
        raise ConfigurationError(f"{where}: unknown {unknown}; known are {sorted(_FIELDS)}")
    found = replace(base, **{_FIELDS[key]: value for key, value in entry.items()})
    if found.profile not in PROFILES:
        raise ConfigurationError(f"{where}: PROFILE must be one of {PROFILES}")
    if found.training not in TRAINING:
        raise ConfigurationError(f"{where}: TRAINING must be one of {TRAINING}")
    if not isinstance(found.prompt, bool):
        raise ConfigurationError(f"{where}: PROMPT must be True or False")
    for name in ("producer", "training_terms"):
        text = getattr(found, name)
        if not isinstance(text, str) or len(text) > _MAX_TEXT or not text.isprintable():
            raise ConfigurationError(
                f"{where}: {name.upper()} must be a text of at most {_MAX_TEXT} characters"
            )
    if found.profile == "CN" and not found.producer.strip():
        raise ConfigurationError(
            f"{where}: profile CN needs a PRODUCER: the label names who made the content"
        )
    if (found.training == "constrained") != bool(found.training_terms.strip()):
        raise ConfigurationError(
            f"{where}: TRAINING_TERMS belongs to TRAINING 'constrained', and it needs them"
        )
    return found

"""Voices by name, from the setting VOICES (byline.generation.plugins)."""

from collections.abc import Mapping
from typing import Any

from byline.generation import plugins
from byline.generation.voices.base import Voice


def load(name: str = "default") -> Voice:
    """The voice configured under `name`. ConfigurationError names the setting that is wrong."""
    voice: Voice = plugins.load("VOICES", name, "voice")
    return voice


def build(entry: Mapping[str, Any], *, where: str) -> Voice:
    """Make a voice from one entry of the setting; `where` is named in the error."""
    voice: Voice = plugins.build(entry, where=where)
    return voice

"""Mattes and object detectors by name, from the settings MATTES and OBJECT_DETECTORS."""

from __future__ import annotations

from byline.audit.base import conf
from byline.audit.base.errors import ConfigurationError
from byline.generation import plugins
from byline.generation.operations.cutout.base import Matte, ObjectDetector


class Unavailable(ConfigurationError):
    """Nothing on this installation can do it."""

    code = "unavailable"
    help = "An operator configures a model for it (docs/operations.md)."


def matte(name: str = "default") -> Matte:
    """The matte called `name`. Unavailable when none is configured."""
    if not conf.get("MATTES"):
        raise Unavailable("background removal is unavailable here")
    made: Matte = plugins.load("MATTES", name, "matte")
    return made


def detector(name: str = "default") -> ObjectDetector:
    """The object detector called `name`. Unavailable when none is configured."""
    if not conf.get("OBJECT_DETECTORS"):
        raise Unavailable("naming objects is unavailable here")
    made: ObjectDetector = plugins.load("OBJECT_DETECTORS", name, "object detector")
    return made

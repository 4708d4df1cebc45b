"""What of detection an installation has set up: its calibration and its classifiers, with their checks.

The calibration is one file below `$BYLINE_HOME`, made by `byline provenance calibrate`. A classifier
that is configured but not usable is an error at start (E031) and "not checked" in an answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, register

from byline.audit.base import conf
from byline.audit.base.errors import BylineError
from byline.provenance.forensics import classifiers
from byline.provenance.forensics.base import Extractor
from byline.provenance.forensics.calibration import BadCalibration, Calibration


def calibration_path() -> Path:
    return conf.home() / "forensics" / "calibration.json"


def calibration() -> Calibration:
    """This installation's calibration, empty until one was made. BadCalibration for a damaged file."""
    return Calibration.load(calibration_path())


def usable_classifiers() -> list[Extractor | tuple[str, BylineError]]:
    """The configured classifiers as extractors; one that cannot run here as its name and the reason."""
    found: list[Extractor | tuple[str, BylineError]] = []
    for name, classifier in classifiers.configured().items():
        try:
            classifier.self_check()
        except BylineError as error:
            found.append((f"classifier:{name}", error))
        else:
            found.append(classifier.extractor(name))
    return found


@register(Tags.compatibility)
def check_classifiers(app_configs: Any = None, **_: Any) -> Iterable[CheckMessage]:
    """E031: a classifier that is wrongly configured or whose weights are not here."""
    try:
        listed = classifiers.configured()
    except BylineError as error:
        yield Error(str(error), hint=error.help, id="byline.E031")
        return
    for classifier in listed.values():
        try:
            classifier.self_check()
        except BylineError as error:
            yield Error(str(error), hint=error.help, id="byline.E031")


@register(Tags.compatibility)
def check_calibration(app_configs: Any = None, **_: Any) -> Iterable[CheckMessage]:
    """E032: a calibration file that cannot be read; every answer would fail."""
    try:
        calibration()
    except BadCalibration as error:
        yield Error(str(error), hint=error.help, id="byline.E032")

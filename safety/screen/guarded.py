"""A check that cannot run or breaks is an answer, never an exception: it must hold the request."""

from __future__ import annotations

from collections.abc import Callable

from byline.audit.base.errors import BylineError, ConfigurationError
from byline.safety.checks import Check


def guarded(name: str, check: Callable[[], Check]) -> Check:
    """The check; "unavailable" when what it needs is not installed, "failed" when it broke.

    A configured adapter whose weights are missing or changed has failed: somebody meant it to run.
    Messages of libraries are left out, as they may quote the text.
    """
    try:
        return check()
    except ImportError as error:
        return Check(name, "unavailable", detail=f"not installed: {error.name}")
    except ConfigurationError as error:
        return Check(name, "failed", detail=str(error))
    except BylineError as error:
        return Check(name, "failed", detail=f"the check broke: {error.code}")
    except Exception as error:  # noqa: BLE001  whatever broke inside a detector, the answer is "failed"
        return Check(name, "failed", detail=f"the check broke: {type(error).__name__}")

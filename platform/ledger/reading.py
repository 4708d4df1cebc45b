"""A log that is somewhere else, as the monitor wants it: an address or a directory.

Promise: https and http only, no redirects, every answer bounded in time and size; nothing that the
log says names another address. A 404 is a LookupError, anything else that fails is an error of its own.
"""

import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import urlsplit

from byline.audit.archive import Archive
from byline.audit.base.errors import BylineError, InvalidInput
from byline.audit.monitor import Fetch
from byline.platform.ledger.witnesses import OPENER

_MAX_BYTES = 256 * 65_537  # the largest entry bundle of C2SP tlog-tiles
_TIMEOUT_S = 30.0


class LogUnavailable(BylineError):
    code = "log_unavailable"
    status = 502
    help = "Check the address of the log (it ends before /checkpoint), or try again later."


def source(place: str) -> Fetch:
    """Reads the log at `place`: a directory, or the URL below which checkpoint and tile/ lie."""
    if urlsplit(place).scheme in {"http", "https"}:
        return lambda address: _get(f"{place.rstrip('/')}/{address}")
    if Path(place).is_dir():
        return Archive(Path(place))
    raise InvalidInput(
        f"{place} is no directory and no http address", help="For example https://news.example/audit"
    )


def _get(url: str) -> bytes:
    try:
        with OPENER.open(url, timeout=_TIMEOUT_S) as response:
            data: bytes = response.read(_MAX_BYTES + 1)
    except urllib.error.HTTPError as error:
        if error.code == 404:
            raise LookupError(url) from error
        raise LogUnavailable(f"the log answered {error.code}") from error
    except OSError as error:
        raise LogUnavailable(f"the log did not answer: {error}") from error
    if len(data) > _MAX_BYTES:
        raise LogUnavailable("the log's answer is too large")
    return data

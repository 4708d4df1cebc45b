"""One file that somebody wants to know about, from an upload or an address, to an answer.

Promises: the API and the page ask here, so they cannot say different things; the file is in memory
without a name and is gone with the request; addresses go through the one guarded fetcher and only to
hosts that the site lists (`VERIFY_URL_HOSTS`) or its own. A receipt is signed at once or never:
nothing is kept to make one from later.
"""

import contextlib
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, BinaryIO
from urllib.parse import urlsplit

from django.core.files.uploadedfile import UploadedFile

from byline.audit.base import conf
from byline.audit.base.errors import BylineError
from byline.platform import fetching
from byline.platform.api.uploads import memory_file
from byline.platform.verification import VerificationBusy, verify_descriptor

_FETCHES = threading.BoundedSemaphore(2)  # a slow host must not take all threads of the web process
_SECONDS = 20.0


class NoManifestFound(BylineError):
    code = "no_manifest"
    status = 422
    help = "Ask for the whole report: it also looks for marks and fingerprints."


@dataclass(frozen=True)
class Answer:
    """The report of `byline verify --json` and what it is about: SHA-256 (hex) and size in bytes."""

    report: dict[str, Any]
    sha256: str
    size: int
    crjson: dict[str, Any] | None = None


def url_hosts() -> tuple[str, ...]:
    """Hosts whose files are fetched for verification; without a listed one only our own."""
    own = urlsplit(conf.get("PUBLIC_BASE_URL")).hostname
    return (*conf.get("VERIFY_URL_HOSTS"), *([own] if own else []))


def limit_bytes() -> int:
    """The largest file that is taken."""
    return int(conf.get("VERIFY_MAX_BYTES"))


def takes_addresses() -> bool:
    """Whether it makes sense to offer a field for an address."""
    return bool(conf.get("VERIFY_URL_HOSTS")) or conf.get("PUBLIC_BASE_URL").startswith("https://")


@contextlib.contextmanager
def opened(upload: UploadedFile | None, url: str) -> Iterator[IO[bytes]]:
    """The upload, or the file behind an address, open in memory. FetchRefused, VerificationBusy."""
    file = upload.file if upload is not None else _fetch(url)
    assert file is not None
    with file:
        yield file


def _fetch(url: str) -> BinaryIO:
    if not _FETCHES.acquire(timeout=2.0):
        raise VerificationBusy("too many addresses are being fetched right now")
    file = memory_file()
    try:
        rules = fetching.Rules(hosts=url_hosts(), max_bytes=conf.get("VERIFY_MAX_BYTES"), seconds=_SECONDS)
        fetching.fetch(url.strip(), rules, file)
    except BaseException:
        file.close()
        raise
    finally:
        _FETCHES.release()
    return file


def inspect(file: IO[bytes], *, crjson: bool = False) -> Answer:
    """Verify an open memory file in a bounded child. VerificationStopped, VerificationBusy."""
    report = verify_descriptor(file.fileno(), *(["--crjson"] if crjson else []))
    found = report.pop("crjson", None)
    file.seek(0)
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(1 << 20):
        digest.update(chunk)
        size += len(chunk)
    return Answer(report, digest.hexdigest(), size, found)


def receipt(answer: Answer, form: str) -> bytes:
    """A receipt of this answer, signed now, as "json" or "pdf". ConfigurationError without the key."""
    from byline.provenance import receipts  # its PDF writer is not needed to start a web process

    made = receipts.make_receipt(answer.report, answer.sha256, f"{conf.get('PUBLIC_BASE_URL')}/verify/")
    return receipts.as_pdf(made) if form == "pdf" else receipts.as_json(made)


def crjson_of(answer: Answer) -> dict[str, Any]:
    """The crJSON of the file. NoManifestFound when it holds no manifest that can be read."""
    if answer.crjson is None:
        raise NoManifestFound("the file holds no manifest that can be read")
    return answer.crjson

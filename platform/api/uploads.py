"""Uploads to verify live in an anonymous memory file and vanish with it: zero retention.

Django's default handlers spool anything over 2.5 MB to a temporary file on disk. This one never
does. It takes one file per request and stops reading at the configured size, counted over the
whole request, so that many small parts cannot fill the memory either.
"""

import os
from typing import Any, BinaryIO

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.http import HttpRequest

from byline.audit.base import conf
from byline.audit.base.errors import InvalidInput


class NoFile(InvalidInput):
    code = "no_file"
    help = 'Send the media as multipart/form-data in a field named "file".'


class FileTooLarge(InvalidInput):
    code = "file_too_large"
    status = 413
    help = "Send a smaller file, or run `byline verify` on your own machine."


def memory_file() -> BinaryIO:
    """An open file without a name in any file system; it is gone when it is closed."""
    return os.fdopen(os.memfd_create("byline-verify"), "w+b")


class MemoryFile(UploadedFile):
    """An upload whose bytes are in `fileno()`, a memfd: no name in any file system."""


class MemoryFileHandler(FileUploadHandler):
    """`refused` says why reading stopped: "" while it has not, "size" or "count"."""

    refused = ""
    _file: Any = None
    _size = 0

    def __init__(self, request: HttpRequest, most: int) -> None:
        super().__init__(request)
        self.most = most

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        if self._file is not None:
            self._stop("count")
        self._file = memory_file()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._size += len(raw_data)
        if self._size > self.most:
            self._stop("size")
        self._file.write(raw_data)

    def file_complete(self, file_size: int) -> MemoryFile:
        self._file.flush()
        self._file.seek(0)
        return MemoryFile(self._file, self.file_name, self.content_type, file_size, self.charset)

    def _stop(self, why: str) -> None:
        self.refused = why
        self._file.close()
        raise StopUpload(connection_reset=True)


def expect_file(request: HttpRequest, most: int | None = None) -> MemoryFileHandler:
    """Let this request's upload of at most `most` bytes (None: VERIFY_MAX_BYTES) go to memory. Call it before
    anything reads request.POST or FILES."""
    handler = MemoryFileHandler(request, conf.get("VERIFY_MAX_BYTES") if most is None else most)
    request.upload_handlers = [handler]
    return handler


def file_of(handler: MemoryFileHandler, upload: Any) -> MemoryFile | None:
    """The upload as a memory file, None when the form was sent without one. FileTooLarge, NoFile."""
    if handler.refused == "size":
        raise FileTooLarge(f"the file is larger than {handler.most} bytes")
    if handler.refused == "count":
        raise NoFile("more than one file arrived; send one at a time")
    return upload if isinstance(upload, MemoryFile) else None

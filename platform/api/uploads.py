"""Uploads to verify live in an anonymous memory file and vanish with it: zero retention.

Django's default handlers spool anything over 2.5 MB to a temporary file on disk. This one never
does. It takes one file per request and stops reading at the configured size, counted over the
whole request, so that many small parts cannot fill the memory either.
"""

import os
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.core.files.uploadhandler import FileUploadHandler, StopUpload

from byline.audit.base import conf


class MemoryFile(UploadedFile):
    """An upload whose bytes are in `fileno()`, a memfd: no name in any file system."""


class MemoryFileHandler(FileUploadHandler):
    """`refused` says why reading stopped: "" while it has not, "size" or "count"."""

    refused = ""
    _file: Any = None
    _size = 0

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        if self._file is not None:
            self._stop("count")
        self._file = os.fdopen(os.memfd_create("byline-verify"), "w+b")

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        self._size += len(raw_data)
        if self._size > conf.get("VERIFY_MAX_BYTES"):
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

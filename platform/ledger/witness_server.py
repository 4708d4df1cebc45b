"""`byline audit witness`: cosign the checkpoints of other newsrooms' logs (C2SP tlog-witness over HTTP).

Promise: what was cosigned for a log is on disk before the line is handed out, so a witness that
was killed never cosigns a second history. One file per installation of it, no database: run it on
a machine that has nothing to do with the logs it watches.
Left out: TLS and rate limits; put it behind a web server that has them.
"""

import json
import os
import threading
import time
from collections.abc import Iterator, MutableMapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from byline.audit.checkpoint import parse_vkey
from byline.audit.witness import MAX_REQUEST_BYTES, Witness, WitnessRefused


class StateFile(MutableMapping[str, tuple[int, bytes]]):
    """Size and root by origin, in a JSON file that is replaced whole and synced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        stored = json.loads(path.read_text()) if path.exists() else {}
        self._seen = {origin: (size, bytes.fromhex(root)) for origin, (size, root) in stored.items()}

    def __getitem__(self, origin: str) -> tuple[int, bytes]:
        return self._seen[origin]

    def __setitem__(self, origin: str, head: tuple[int, bytes]) -> None:
        seen = {**self._seen, origin: head}
        scratch = self._path.with_suffix(".new")
        with scratch.open("w") as handle:
            json.dump({name: [size, root.hex()] for name, (size, root) in seen.items()}, handle)
            handle.flush()
            os.fsync(handle.fileno())
        scratch.replace(self._path)
        self._seen = seen

    def __delitem__(self, origin: str) -> None:
        raise TypeError("a witness forgets nothing")

    def __iter__(self) -> Iterator[str]:
        return iter(self._seen)

    def __len__(self) -> int:
        return len(self._seen)


def private_key(path: Path) -> bytes:
    """The witness's key; a new one, readable by its owner alone, where there is none."""
    if not path.exists():
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as handle:
            handle.write(pem)
    return path.read_bytes()


def server(address: tuple[str, int], name: str, private_pem: bytes, vkeys: list[str], state: Path) -> Any:
    """A server, not started yet, that cosigns for the logs of these verifier keys."""
    logs = {parse_vkey(text).name: text for text in vkeys}
    judge = Witness(name, private_pem, logs, StateFile(state))
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        timeout = 10

        def do_POST(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            if self.path.rstrip("/") != "/add-checkpoint":
                self._answer(404, "no such address\n")
            elif not 0 < length <= MAX_REQUEST_BYTES:
                self._answer(400, "a request has at most 64 KiB\n")
            else:
                body = self.rfile.read(length)
                try:
                    with lock:
                        line = judge.add_checkpoint(body, int(time.time()))
                except WitnessRefused as refusal:
                    kind = "text/x.tlog.size" if refusal.status == 409 else "text/plain"
                    self._answer(refusal.status, refusal.body, kind)
                else:
                    self._answer(200, line)

        def _answer(self, status: int, text: str, kind: str = "text/plain; charset=utf-8") -> None:
            data = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: Any) -> None:
            """Nothing: a web server in front of it keeps the access log."""

    return ThreadingHTTPServer(address, Handler)

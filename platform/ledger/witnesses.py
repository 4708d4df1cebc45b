"""Asks the configured witnesses to cosign each new checkpoint, beside the sealer and never in its way.

Promise: a witness that is slow, away or hostile costs nothing but its own line: every answer is
bounded in time and size and stored only if it verifies under the key in `BYLINE["WITNESSES"]`. A
witness that knows an older size says so (409) and is given the proof from there.
Addresses come from the settings alone; redirects are refused.
"""

import logging
import threading
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

from django.db import DatabaseError, InterfaceError, close_old_connections

from byline.audit import store, witness
from byline.audit.base import conf
from byline.audit.base.errors import ConfigurationError
from byline.audit.checkpoint import COSIGNATURE, CheckpointInvalid, parse_vkey
from byline.audit.models import Checkpoint, Cosignature
from byline.platform.database import roles

logger = logging.getLogger(__name__)
_TIMEOUT_S = 10.0


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


OPENER = urllib.request.build_opener(_NoRedirect)


def configured() -> list[tuple[str, str]]:
    """(vkey, URL) of each witness. ConfigurationError for one that is malformed or named twice."""
    found: dict[str, tuple[str, str]] = {}
    for item in conf.get("WITNESSES"):
        if not isinstance(item, dict) or set(item) != {"VKEY", "URL"}:
            raise ConfigurationError('a witness is {"VKEY": "name+id+key", "URL": "https://..."}')
        try:
            name = parse_vkey(item["VKEY"], COSIGNATURE).name
        except CheckpointInvalid as error:
            raise ConfigurationError(f"a witness's key is malformed: {error}") from error
        if urlsplit(item["URL"]).scheme not in {"http", "https"} or name in found:
            raise ConfigurationError(f"witness {name} needs one http or https address")
        found[name] = (item["VKEY"], item["URL"].rstrip("/"))
    return list(found.values())


def run(stop: threading.Event) -> None:
    """Ask again and again until `stop`. Runs in a thread of the sealer's process, with its role."""
    asked = configured()
    if not asked:
        return
    with roles.acting_as("sealer"):
        while not stop.wait(float(conf.get("WITNESS_INTERVAL_S"))):
            try:
                for vkey, url in asked:
                    ask(vkey, url)
            except (DatabaseError, InterfaceError) as error:
                logger.warning("Witnesses: no database, trying again: %s", type(error).__name__)
                close_old_connections()


def ask(vkey: str, url: str) -> bool:
    """Have the newest checkpoint cosigned by one witness. False if it did not, or had already."""
    name = parse_vkey(vkey, COSIGNATURE).name
    newest = Checkpoint.objects.order_by("-size").first()
    if newest is None or Cosignature.objects.filter(size=newest.size, witness=name).exists():
        return False
    last = Cosignature.objects.filter(witness=name).order_by("-size").values_list("size", flat=True).first()
    old = last or 0
    try:
        for _ in range(2):  # the second time from where it says that it stands
            body = witness.request(old, store.consistency_path(old, newest.size), newest.note)
            status, answer = _post(f"{url}/add-checkpoint", body)
            if status != 409 or not answer.strip().isdigit() or int(answer) > newest.size:
                break
            old = int(answer)
        if status != 200:
            raise CheckpointInvalid(f"it answered {status}")
        line = witness.accept(answer, newest.note, vkey)
    except (CheckpointInvalid, OSError, ValueError) as error:
        logger.warning("Witness %s did not cosign size %s: %s", name, newest.size, error)
        return False
    Cosignature.objects.create(size=newest.size, witness=name, line=line)
    return True


def _post(url: str, body: bytes) -> tuple[int, bytes]:
    # `configured` admits http and https only.
    request = urllib.request.Request(url, data=body, headers={"Content-Type": "text/plain"})  # noqa: S310
    try:
        with OPENER.open(request, timeout=_TIMEOUT_S) as response:
            return response.status, response.read(witness.MAX_REQUEST_BYTES + 1)
    except urllib.error.HTTPError as error:
        return error.code, error.read(1000)

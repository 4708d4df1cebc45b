"""The log over HTTP: C2SP tlog-tiles below /audit/, and proofs as JSON.

Promise: checkpoint and hash tiles are public and read by any tlog client. Entry bundles are the
same bytes but tell a stranger when and how much is made here: they are given to accounts that may
view entries, to everybody only with `BYLINE["PUBLIC_LOG_ENTRIES"]`. A proof by leaf hash needs no
right: who has the hash has the entry.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from byline.audit import log, serving, tiles
from byline.audit.base import conf
from byline.audit.base.errors import BylineError, InvalidInput
from byline.platform.pages import public

_FOREVER = "public, max-age=31536000, immutable"


class EntriesPrivate(BylineError):
    code = "entries_private"
    status = 403
    help = "Hash tiles and proofs are public. Entries need an account that may view them: ask the newsroom."


def _refusal(error: BylineError) -> JsonResponse:
    return JsonResponse({"code": error.code, "message": str(error), "help": error.help}, status=error.status)


@public
@require_safe
def checkpoint(request: HttpRequest) -> HttpResponse:
    """The newest signed checkpoint with its cosignatures (C2SP tlog-checkpoint)."""
    try:
        note = serving.checkpoint()
    except serving.NotServed as error:
        return _refusal(error)
    response = HttpResponse(note, content_type="text/plain; charset=utf-8")
    response["Cache-Control"] = "no-cache"
    return response


@require_safe
def resource(request: HttpRequest, address: str) -> HttpResponse:
    """A hash tile or an entry bundle. 404 beyond the newest checkpoint."""
    entries = address.startswith(f"{tiles.ENTRIES}/")
    public = not entries or bool(conf.get("PUBLIC_LOG_ENTRIES"))
    try:
        if not public and not request.user.has_perm("byline_audit.view_entry"):
            raise EntriesPrivate("this log's entries are not public")
        data = serving.resource(f"tile/{address}")
    except BylineError as error:
        return _refusal(error)
    response = HttpResponse(data, content_type="application/octet-stream")
    response["Cache-Control"] = _FOREVER if public else "private, no-store"
    return response


@public
@require_safe
def consistency(request: HttpRequest) -> HttpResponse:
    """?old=N&new=M: the hashes that show that the tree of M begins with the tree of N."""
    try:
        old, new = (_whole(request.GET.get(name)) for name in ("old", "new"))
        path = log.consistency(old, new)
    except BylineError as error:
        return _refusal(error)
    return JsonResponse({"old": old, "new": new, "path": path})


@public
@require_safe
def inclusion(request: HttpRequest) -> HttpResponse:
    """?leaf=<64 hex digits>: index, path and checkpoint of a leaf whose entry the caller has."""
    try:
        leaf = bytes.fromhex(request.GET.get("leaf", ""))
        found: dict[str, Any] | None = log.inclusion(leaf) if len(leaf) == 32 else None
    except ValueError:
        found = None
    except BylineError as error:
        return _refusal(error)
    if found is None:
        return _refusal(serving.NotServed("no leaf under the newest checkpoint has this hash"))
    return JsonResponse(found)


def _whole(text: str | None) -> int:
    if not text or not text.isdecimal() or len(text) > 18:
        raise InvalidInput("old and new are whole numbers", help="For example ?old=100&new=200")
    return int(text)

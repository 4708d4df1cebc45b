"""What became of a clip after it was published: live from a StatusSource, or from a signed list.

Promises: the verifier asks a StatusSource by public record id and never learns who keeps the state;
`StatusList` answers the same questions offline, as of the date it was signed, so that a withdrawal
outlives the site. Reasons are for the public: a code or a short sentence, no name, no consent id.
A withdrawn or taken-down clip stays on record, or nobody could be told; an unpublished one answers
nobody. Left out: deciding the state (consent and takedown do) and reaching copies elsewhere.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, Protocol, get_args
from uuid import UUID

from byline.provenance import statements
from byline.provenance.statements import BadStatement

State = Literal["published", "unpublished", "withdrawn", "taken_down", "relabelled"]
KIND = "byline-status-list"


@dataclass(frozen=True)
class ClipStatus:
    """`since` is an ISO 8601 date or time, `reason` public text or "", `as_of` "" when it is live."""

    state: State
    since: str
    reason: str
    as_of: str = ""


class StatusSource(Protocol):
    """Who knows what became of a record. None: no such record, or none that it may speak about."""

    def status(self, record_id: str) -> ClipStatus | None: ...


class StatusList:
    """The state of every published record on one day, as an operator signed it."""

    def __init__(self, clips: Mapping[str, ClipStatus], as_of: str) -> None:
        self._clips, self.as_of = dict(clips), as_of

    def status(self, record_id: str) -> ClipStatus | None:
        return self._clips.get(record_id)

    def __len__(self) -> int:
        return len(self._clips)

    @classmethod
    def load(cls, path: Path, vkey: str) -> "StatusList":
        """Read a list that the key (C2SP vkey text) signed. BadStatement for anything else."""
        body = statements.check(statements.load(path), KIND, vkey)
        as_of, rows = body.get("as_of"), body.get("clips")
        if not isinstance(as_of, str) or not isinstance(rows, list):
            raise BadStatement("the status list is not well formed")
        return cls(dict(_row(row, as_of) for row in rows), as_of)


def _row(row: Any, as_of: str) -> tuple[str, ClipStatus]:
    try:
        key, state, since, reason = str(UUID(row["id"])), row["state"], row["since"], row["reason"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadStatement("the status list holds something that is no clip's state") from error
    if state not in get_args(State) or not isinstance(since, str) or not isinstance(reason, str):
        raise BadStatement("the status list holds something that is no clip's state")
    return key, ClipStatus(state, since, reason, as_of)


def signed_list(
    record_ids: Iterable[str], source: StatusSource, private_pem: bytes, vkey: str
) -> dict[str, Any]:
    """The signed list of these records' states, now. Unpublished records are left out: silence."""
    found = ((key, source.status(key)) for key in record_ids)
    rows = [
        {"id": key, "state": status.state, "since": status.since, "reason": status.reason}
        for key, status in found
        if status is not None and status.state != "unpublished"
    ]
    as_of = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return statements.sign(KIND, {"as_of": as_of, "clips": rows}, private_pem, vkey)

"""The one way a request's state changes: table, columns and audit entry together.

Call it inside a transaction that holds the row's lock; it opens none itself, so that what else
belongs to the step (stage run, effects) commits or vanishes with it.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from byline.audit import log
from byline.generation import states
from byline.generation.films import kept
from byline.generation.models import GenerationRequest
from byline.generation.states import State


def move(
    row: GenerationRequest,
    to: State,
    *,
    actor: str,
    kind: str = "",
    payload: Mapping[str, Any] | None = None,
    **columns: Any,
) -> None:
    """Change the state, set columns, append the entry `kind`. Raises IllegalTransition before writing.

    A request that comes to rest loses its lease, so that a worker that still holds it can write
    nothing more. Of a film that was published, or refused after something was made of it, no shot is kept.
    """
    before, row.state = State(row.state), states.check(row.state, to).value
    if to in states.AT_REST:
        columns |= {"lease_owner": "", "lease_until": None, "settled_at": Now()}
    for name, value in columns.items():
        setattr(row, name, value)
    row.save(update_fields=["state", "updated_at", *columns])
    if kind:
        log.append(kind, subject=row.subject, actor=actor, payload=dict(payload or {}))
    if row.film_id and (to is State.PUBLISHED or (to is State.REJECTED and before is not State.CHECKING)):
        transaction.on_commit(partial(kept.discard, row.film_id))

"""People in the log: a random token each, and the one erasable table that says whose it is.

Promise: no leaf ever holds a person's name. `actor` turns a name into "person:<token>", always the
same one, until `erase` removes the row: then the entries and their proofs stand as they were and
nobody can say any more who it was. The token is random, so a name cannot be tested against it.
Left out: backups of the database, which forget when they are deleted (docs/operator.md).
"""

import secrets
from collections.abc import Iterable

from django.db import connection, transaction

from byline.audit.base.errors import InvalidInput
from byline.audit.models import Pseudonym

SYSTEM, PERSON = "system:", "person:"
_TOKEN_BYTES = 16
# One statement, and no waiting for another writer except for a person's very first entry.
_INTRODUCE = """
    INSERT INTO byline_audit_pseudonym (name, token, created) VALUES (%s, %s, clock_timestamp())
    ON CONFLICT (name) DO NOTHING
"""
_FORGET = "DELETE FROM byline_audit_pseudonym WHERE name = %s RETURNING token"


class UnknownPerson(InvalidInput):
    code = "unknown_person"
    status = 404
    help = "Give the account name exactly as it is; a person who was erased is unknown here."


def actor(name: str) -> str:
    """What is logged for `name`: parts of the system ("system:sealer") as they are, people as tokens."""
    if name.startswith(SYSTEM):
        return name
    token = _token(name)
    if token is None:
        with connection.cursor() as cursor:
            cursor.execute(_INTRODUCE, [name, secrets.token_hex(_TOKEN_BYTES)])
        token = _token(name)
    return f"{PERSON}{token}"


def _token(name: str) -> str | None:
    return Pseudonym.objects.filter(name=name).values_list("token", flat=True).first()


def names(actors: Iterable[str]) -> dict[str, str]:
    """Logged actor -> name, for the people who are still known. For those who may see names."""
    tokens = [item.removeprefix(PERSON) for item in actors if item.startswith(PERSON)]
    rows = Pseudonym.objects.filter(token__in=tokens).values_list("token", "name")
    return {PERSON + token: name for token, name in rows}


def erase(name: str) -> str:
    """Forget whose entries these are, and log that this was done. The token; UnknownPerson."""
    from byline.audit import log

    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_FORGET, [name])
            row = cursor.fetchone()
        if row is None:
            raise UnknownPerson("nobody of this name is in the log")
        token = f"{PERSON}{row[0]}"
        log.append("audit.person_erased", subject=token, actor="system:erasure", payload={})
    return token

"""Take a published clip down, relabel it or publish it again; say what is recorded about it.

RECORD is the id in the clip's public address, /credentials/RECORD/. Its pages, its file, its manifest and
the Soft Binding Resolution API change at once; caches follow within five minutes. Every change is logged.
"""

import argparse
import getpass
import sys
from uuid import UUID

from byline.audit.base.errors import InvalidInput

HELP = "take a published clip down, or say what became of it"
_STATES = ("taken_down", "withdrawn", "relabelled", "unpublished", "published")
_REASONS = ("consent_withdrawn", "legal_order", "rights", "harm", "mislabelled", "mistake", "editorial")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("record", metavar="RECORD")
    parser.add_argument("--reason", choices=_REASONS, help="public; without it, the present state is shown")
    parser.add_argument("--as", dest="state", choices=_STATES, default="taken_down", help="new state")
    parser.add_argument("--statement", default="", help="one public sentence; name no person")
    parser.add_argument("--note", default="", help="for reviewers only")


def run(args: argparse.Namespace) -> int:
    from django.core.exceptions import ValidationError

    from byline.platform.cli.session import database

    try:
        record = UUID(args.record)
    except ValueError as error:
        raise InvalidInput(
            "RECORD is not an id", help="It is in the clip's address: /credentials/ID/"
        ) from error
    with database():
        from byline.platform import status

        if args.reason:
            actor = f"cli:{getpass.getuser()}"
            try:
                status.change(
                    record,
                    args.state,
                    reason=args.reason,
                    statement=args.statement,
                    note=args.note,
                    actor=actor,
                )
            except ValidationError as error:
                raise InvalidInput("; ".join(error.messages)) from error
        found = status.PublicationStatus().status(str(record))
        if found is None:
            raise status.NoSuchRecord("no clip has this id")
    sys.stdout.write(f"{record}: {found.state} since {found.since} {found.reason}".rstrip() + "\n")
    return 0

"""Check the log of this installation, or print the proof of one entry."""

import argparse
import json
import sys
from pathlib import Path

from byline.audit.base.errors import InvalidInput

HELP = "check the log, print proofs"


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    fsck = actions.add_parser("fsck", help="re-derive the whole log from its entries")
    fsck.add_argument("--known", type=Path, metavar="CHECKPOINT", help="a checkpoint that you kept elsewhere")
    prove = actions.add_parser("prove", help="print the inclusion proof of an entry as JSON")
    prove.add_argument("entry", metavar="ENTRY", help="the entry's id")


def run(args: argparse.Namespace) -> int:
    from byline.platform.cli.session import database

    if args.action == "fsck" and args.known and not args.known.is_file():
        raise InvalidInput(f"no checkpoint at {args.known}", help="Give the path of a saved checkpoint.")
    with database():
        return _fsck(args.known) if args.action == "fsck" else _prove(args.entry)


def _fsck(known: Path | None) -> int:
    from byline.audit.fsck import fsck

    report = fsck(known=known.read_text(encoding="utf-8") if known else None)
    sys.stdout.write(f"{report}\n")
    return 0


def _prove(entry: str) -> int:
    from byline.audit import log

    proof = log.proof(entry)
    if proof is None:
        raise InvalidInput(
            f"no checkpoint covers entry {entry}",
            help="Check the id; a fresh entry is covered within a second.",
        )
    sys.stdout.write(json.dumps(proof, indent=2) + "\n")
    return 0

"""Bias reports: whom a brand's briefs ask for, whom its prompts show, and whom its clips show.

`report` prints one; `replay` repeats the draw behind a request's rewrite and says whether it is the same.
"""

import argparse
import datetime
import json
import sys
from pathlib import Path

from byline.audit.base.errors import InvalidInput

HELP = "bias report of a brand; repeat a draw"


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    report = actions.add_parser("report", help="distributions of prompts and outputs against the target")
    report.add_argument("--brand", default="byline", metavar="NAME")
    report.add_argument("--from", dest="since", metavar="YYYY-MM-DD", help="default: 90 days before the end")
    report.add_argument("--to", dest="until", metavar="YYYY-MM-DD", help="default: today")
    report.add_argument("--json", action="store_true", help="as data")
    report.add_argument("--out", type=Path, metavar="FILE")
    replay = actions.add_parser("replay", help="repeat the draw of a request's rewrite")
    replay.add_argument("request", metavar="ID")


def run(args: argparse.Namespace) -> int:
    from byline.platform.cli.session import database

    with database():
        return _report(args) if args.action == "report" else _replay(args.request)


def _report(args: argparse.Namespace) -> int:
    from byline.platform.fairness import words
    from byline.platform.fairness.report import report

    found = report(args.brand, since=_day(args.since), until=_day(args.until))
    said = json.dumps(found.as_dict(), indent=1) + "\n" if args.json else words.text(found)
    if args.out:
        args.out.write_text(said, encoding="utf-8")
    else:
        sys.stdout.write(said)
    return 0


def _replay(wanted: str) -> int:
    import uuid

    from byline.generation import rewrites
    from byline.generation.models import Rewrite

    try:
        row = Rewrite.objects.filter(request=uuid.UUID(wanted)).first()
    except ValueError as error:
        raise InvalidInput("ID is the id of a request") from error
    if row is None:
        raise InvalidInput("no rewrite is kept for this request", help="It shows nobody, or has not run yet.")
    same = rewrites.replay(row).prompt == row.proposed
    sys.stdout.write(
        f"{'the same' if same else 'DIFFERENT'}: {len(row.draws)} people drawn, seed {row.seed}\n"
    )
    return 0 if same else 70


def _day(text: str | None) -> datetime.date | None:
    from byline.platform.ledger.retention import parse_day

    return parse_day(text) if text else None

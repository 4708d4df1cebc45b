"""Datasets for brand styles: take recordings in, look at what is there, check it (docs/curation.md).

Every recording needs --source, --licence and --consent. It is divided at its cuts without encoding anything
again, filtered, captioned and logged; refused ones are logged, too.
"""

import argparse
import getpass
import json
import sys
from pathlib import Path

HELP = "take recordings into a dataset for fine-tuning"


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    take = actions.add_parser("ingest", help="divide, filter and caption recordings into the dataset NAME")
    take.add_argument("name", metavar="NAME")
    take.add_argument("files", type=Path, nargs="+", metavar="FILE")
    take.add_argument("--source", required=True, help="where they come from, in words or as an address")
    take.add_argument(
        "--licence", required=True, help="CC0-1.0, PDM-1.0, CC-BY-3.0, CC-BY-4.0, 'own work' or contract"
    )
    take.add_argument("--terms", default="", help="which contract, or further terms")
    take.add_argument(
        "--consent",
        required=True,
        action="append",
        help="'no people', or the id of a recorded consent; once for everybody who is seen",
    )
    take.add_argument(
        "--caption",
        default="",
        help="your own words for these recordings; without it, those in FILE with the ending .txt",
    )
    take.add_argument("--group", default="ungrouped", help="counts in the report are per group")
    take.add_argument("--shortest", type=float, default=1.0, metavar="SECONDS")
    take.add_argument("--longest", type=float, default=10.0, metavar="SECONDS")
    show = actions.add_parser("report", help="counts per group, filter, licence and captioner")
    show.add_argument("name", metavar="NAME")
    check = actions.add_parser("check", help="read every clip again; is it whole, licensed and in the log?")
    check.add_argument("name", metavar="NAME")


def run(args: argparse.Namespace) -> int:
    from byline.platform.cli.session import database

    with database():
        from byline.generation.curation import dataset

        if args.action == "ingest":
            return _ingest(args)
        if args.action == "report":
            found = dataset.read_report(dataset.folder(args.name))
            sys.stdout.write(json.dumps(found, indent=1, ensure_ascii=False) + "\n")
            return 0
        whole = dataset.verified(args.name)
        sys.stdout.write(f"{whole.name}: {len(whole.rows)} clips, manifest sha256 {whole.sha256}\n")
    return 0


def _ingest(args: argparse.Namespace) -> int:
    from byline.audit.base.errors import BylineError
    from byline.generation.curation import dataset, ingest

    declaration = dataset.Declaration(args.source, args.licence, tuple(args.consent), args.terms)
    declaration.check()
    refused = 0
    for file in args.files:
        try:
            made = ingest.ingest(
                file,
                args.name,
                declaration,
                actor=f"cli:{getpass.getuser()}",
                caption=args.caption or _beside(file),
                group=args.group,
                shortest=args.shortest,
                longest=args.longest,
            )
        except BylineError as error:
            refused += 1
            sys.stderr.write(f"{file.name}: {error} [{error.code}]\n  {error.help}\n")
            continue
        left = ", ".join(f"{count} {reason}" for reason, count in made.left_out.items()) or "nothing"
        sys.stdout.write(f"{file.name}: {made.shots} shots, {len(made.kept)} clips kept, left out: {left}\n")
        for check, count in made.not_checked.items():
            sys.stdout.write(f"  {check}: not checked on {count} clips\n")
    return 64 if refused else 0


def _beside(file: Path) -> str:
    """The words that lie beside a recording, "" where there are none."""
    text = file.with_suffix(".txt")
    return text.read_text("utf-8", "replace") if text.is_file() and text.stat().st_size < 10_000 else ""

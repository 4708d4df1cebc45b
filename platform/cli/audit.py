"""The log: check it, prove, export, archive and retire entries; watch and check the logs of others."""

import argparse
import json
import os
import sys
from pathlib import Path

from byline.audit.base.errors import InvalidInput
from byline.platform.cli import audit_outside

HELP = "check the log, print proofs, export, watch other logs"


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    fsck = actions.add_parser("fsck", help="re-derive the whole log from its entries")
    fsck.add_argument("--known", type=Path, metavar="CHECKPOINT", help="a checkpoint that you kept elsewhere")
    fsck.add_argument("--archive", type=Path, metavar="DIR", help="check retired entries in this archive")
    fsck.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes, for a long log")
    prove = actions.add_parser("prove", help="print the inclusion proof of an entry as JSON")
    prove.add_argument("entry", metavar="ENTRY", help="the entry's id")
    prove.add_argument("--cosigned", action="store_true", help="under a checkpoint that a witness cosigned")
    export = actions.add_parser("export", help="entries of some days, each with its proof")
    export.add_argument("out", type=Path, metavar="DIR")
    export.add_argument("--from", dest="since", required=True, metavar="YYYY-MM-DD")
    export.add_argument("--to", dest="until", required=True, metavar="YYYY-MM-DD")
    export.add_argument("--format", choices=("jsonl", "csv", "parquet"), default="jsonl")
    export.add_argument(
        "--kind", action="append", default=[], metavar="KIND", help="only this kind; repeatable"
    )
    export.add_argument("--names", action="store_true", help="add the names of people who are still known")
    archive = actions.add_parser("archive", help="write or renew the log as static files (C2SP tlog-tiles)")
    archive.add_argument("out", type=Path, metavar="DIR")
    actions.add_parser("retention", help="what the database holds, and what may go when")
    retire = actions.add_parser("retire", help="drop old quarters whose entries are in the archive")
    retire.add_argument("--before", required=True, metavar="YYYY-MM-DD")
    retire.add_argument("--archive", type=Path, required=True, metavar="DIR")
    erase = actions.add_parser("erase-person", help="forget whose entries these are; the log stays as it is")
    erase.add_argument("name", metavar="ACCOUNT")
    story = actions.add_parser("story", help="what happened to one clip, in plain words")
    story.add_argument("clip", metavar="ID", help="id of the request or of the published record")
    story.add_argument("--names", action="store_true", help="say who, not only which role")
    evidence = actions.add_parser("evidence", help="a bundle about one clip for a court or a regulator")
    evidence.add_argument("clip", metavar="ID", help="id of the request or of the published record")
    evidence.add_argument("out", type=Path, metavar="FILE.zip")
    evidence.add_argument("--names", action="store_true", help="say who, not only which role")
    compliance = actions.add_parser("compliance", help="a regime's duties with live evidence from this site")
    compliance.add_argument("regime", metavar="REGIME", help="or `list`")
    compliance.add_argument("--out", type=Path, metavar="DIR")
    audit_outside.add(actions)


def run(args: argparse.Namespace) -> int:
    if args.action in audit_outside.ACTIONS:
        return audit_outside.run(args)
    from byline.platform.cli.session import database

    for path in (getattr(args, "known", None), getattr(args, "archive", None)):
        if path is not None and not path.exists():
            raise InvalidInput(
                f"nothing at {path}", help="Give the path of a saved checkpoint or an archive."
            )
    with database():
        return int(_ACTIONS[args.action](args) or 0)


def _fsck(args: argparse.Namespace) -> None:
    from byline.audit import archive
    from byline.audit.fsck import fsck

    known = args.known.read_text(encoding="utf-8") if args.known else None
    old = archive.Archive(args.archive) if args.archive else None
    report = fsck(known=known, archive=old, jobs=args.jobs)
    sys.stdout.write(f"{report}\n")


def _prove(args: argparse.Namespace) -> None:
    from byline.audit import log

    proof = log.proof(args.entry, cosigned=args.cosigned)
    if proof is None:
        raise InvalidInput(
            f"no {'cosigned ' if args.cosigned else ''}checkpoint covers entry {args.entry}",
            help="Check the id; a fresh entry is covered within a second.",
        )
    sys.stdout.write(json.dumps(proof, indent=2) + "\n")


def _export(args: argparse.Namespace) -> None:
    from byline.platform.ledger.export import export
    from byline.platform.ledger.retention import parse_day

    done = export(
        args.out,
        since=parse_day(args.since),
        until=parse_day(args.until),
        form=args.format,
        kinds=args.kind,
        names=args.names,
        progress=sys.stderr.isatty(),
    )
    waiting = f", {done.waiting} left out: no checkpoint covers them yet" if done.waiting else ""
    sys.stdout.write(f"{args.out}: {done.count} entries with their proofs{waiting}\n")


def _archive(args: argparse.Namespace) -> None:
    from tqdm import tqdm

    from byline.audit import archive
    from byline.audit.base import keyring

    with tqdm(unit=" bundles", disable=not sys.stderr.isatty()) as bar:

        def progress(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)

        size = archive.write(args.out, keyring.read("log_vkey").decode().strip(), progress)
    sys.stdout.write(f"{args.out}: the log of {size} entries. Any web server can serve it\n")


def _retention(args: argparse.Namespace) -> None:
    from byline.platform.ledger import retention

    for item in retention.quarters():
        due = f", to be gone by {item.due_by}" if item.due_by else ""
        sys.stdout.write(
            f"{item.start} to {item.end}: {item.entries} entries, may go from {item.free_from}{due}\n"
        )


def _retire(args: argparse.Namespace) -> None:
    from byline.platform.database.roles import acting_as
    from byline.platform.ledger import retention

    with acting_as("owner"):
        count = retention.retire(retention.parse_day(args.before), args.archive)
    sys.stdout.write(f"{count} entries are in the archive alone now; keep it: fsck --archive asks for it\n")


def _erase(args: argparse.Namespace) -> None:
    from byline.audit import pseudonyms

    token = pseudonyms.erase(args.name)
    sys.stdout.write(f"forgotten. Entries and proofs of {token} stand; nobody can say who it was\n")


def _story(args: argparse.Namespace) -> None:
    from byline.platform.ledger.story import story

    sys.stdout.write(story(args.clip, names=args.names).text())


def _evidence(args: argparse.Namespace) -> None:
    from byline.platform.ledger.evidence import bundle

    bundle(args.clip, args.out, names=args.names)
    sys.stdout.write(f"{args.out}: everything about this clip, and how to check it without us\n")


def _compliance(args: argparse.Namespace) -> None:
    from byline.platform.ledger import compliance

    if args.regime == "list":
        sys.stdout.writelines(f"{name}: {title}\n" for name, title in compliance.regimes().items())
        return
    report = compliance.report(args.regime)
    if args.out:
        compliance.write(report, args.out)
        sys.stdout.write(f"{args.out}: {report.headline()}\n")
    else:
        sys.stdout.write(report.markdown())


_ACTIONS = {
    "fsck": _fsck,
    "prove": _prove,
    "export": _export,
    "archive": _archive,
    "retention": _retention,
    "retire": _retire,
    "erase-person": _erase,
    "story": _story,
    "evidence": _evidence,
    "compliance": _compliance,
}

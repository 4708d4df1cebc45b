"""Say what is known of a file, under roots that you supply.

Needs no database and no network: with `--trust` and `--records` it works in an empty home.
Exit codes: 0 bytes intact, signer verified under the roots you supplied, proof valid · 10 tampered
or transplanted · 11 valid, signer not in the bundle · 12 recovered by mark · 13 similar to a
record · 14 nothing found (says nothing about AI) · 15 unreadable.
"""

import argparse
import json
import sys
from pathlib import Path

from byline.audit.base.errors import InvalidInput

HELP = "check a file's manifest, proof and mark"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--json", action="store_true", help="print the whole report as JSON")
    parser.add_argument("--offline", action="store_true", help="ask nobody, not even the local database")
    parser.add_argument("--trust", type=Path, metavar="BUNDLE", help="bundle made by `byline trust export`")
    parser.add_argument("--records", type=Path, metavar="DIR", help="made by `byline provenance export`")
    parser.add_argument("--registry", metavar="URL", help="ask this Byline site to look for its mark, too")


def run(args: argparse.Namespace) -> int:
    from byline.provenance import verifier

    if args.offline and args.registry:
        raise InvalidInput("--offline and --registry contradict each other", help="Leave one of them out.")
    if not args.file.is_file():
        raise InvalidInput(f"no file at {args.file}", help="Give the path of one media file.")
    trust, records = _trust(args), _records(args)
    report = verifier.verify(args.file, trust=trust, records=records, offline=args.offline)
    if args.registry:
        from byline.platform.registry_client import ask

        report = ask(args.registry, args.file, report, trust)
    sys.stdout.write(json.dumps(report.as_dict(), indent=2) if args.json else "\n".join(report.lines()))
    sys.stdout.write("\n")
    return int(report.exit_code)


def _trust(args: argparse.Namespace):
    from byline.audit.base import keyring
    from byline.platform.cli.session import django_ready
    from byline.provenance.trust import TrustBundle

    if args.trust:
        if not args.trust.exists():
            raise InvalidInput(
                f"no trust bundle at {args.trust}", help="Export one with `byline trust export`."
            )
        return TrustBundle.load(args.trust)
    django_ready()
    if keyring.path("c2pa_ca_cert").exists():
        return TrustBundle.from_installation()
    return TrustBundle.empty()


def _records(args: argparse.Namespace):
    if args.records:
        from byline.provenance.records import DirectoryRecords

        if not args.records.is_dir():
            raise InvalidInput(
                f"no records at {args.records}", help="Make them with `byline provenance export`."
            )
        return DirectoryRecords(args.records)
    if args.offline:
        return None
    from byline.platform.cli.session import database_if_running

    if not database_if_running():
        return None
    from byline.provenance.records import DatabaseRecords

    return DatabaseRecords()

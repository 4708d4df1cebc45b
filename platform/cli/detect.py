"""Say whether a file was made by AI, as far as evidence goes: provenance first, calibrated cues last.

Works without database and network like `byline verify`, with the same bundle and records. Exit codes:
0 an answer was given, whatever it says · 15 unreadable.
"""

import argparse
import json
import sys
from pathlib import Path

from byline.audit.base.errors import InvalidInput

HELP = "weigh the evidence that a file was made by AI"
UNREADABLE = 15


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--json", action="store_true", help="print the whole report as JSON")
    parser.add_argument("--offline", action="store_true", help="ask nobody, not even the local database")
    parser.add_argument("--trust", type=Path, metavar="BUNDLE", help="bundle made by `byline trust export`")
    parser.add_argument("--records", type=Path, metavar="DIR", help="made by `byline provenance export`")
    parser.set_defaults(status=None, all_records=False)


def run(args: argparse.Namespace) -> int:
    from byline.platform.cli import verify
    from byline.platform.cli.session import django_ready
    from byline.provenance.decode import Unreadable
    from byline.provenance.forensics import detector

    if not args.file.is_file():
        raise InvalidInput(f"no file at {args.file}", help="Give the path of one media file.")
    django_ready()
    from byline.provenance.forensics import settings

    trust = verify.trust_of(args)
    records, status = verify.records_of(args, trust)
    try:
        found = detector.detect(
            args.file,
            trust=trust,
            records=records,
            status=status,
            calibration=settings.calibration(),
            classifiers=settings.usable_classifiers(),
            offline=args.offline,
        )
    except Unreadable as error:
        if args.json:
            sys.stdout.write(json.dumps({"error": error.as_dict()}) + "\n")
        else:
            sys.stderr.write(f"byline: {error} [{error.code}]\n  {error.help}\n")
        return UNREADABLE
    sys.stdout.write(json.dumps(found.as_dict(), indent=2) if args.json else "\n".join(found.lines()))
    sys.stdout.write("\n")
    return 0

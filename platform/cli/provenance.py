"""Write the operator's records: detection keys, published manifests and fingerprints.

Whoever holds them can recover the provenance of stripped files when this site is gone. They hold
the watermark key: anyone who has it can look for the mark and could also write it.
"""

import argparse
import sys
from pathlib import Path

HELP = "export records that recover stripped files"


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    export = actions.add_parser("export", help="write the records of all published clips")
    export.add_argument("out", type=Path, metavar="DIR")


def run(args: argparse.Namespace) -> int:
    from byline.platform.cli.session import database

    with database():
        from byline.provenance.records import export

        count = export(args.out)
    sys.stdout.write(f"{args.out}: {count} record(s). Keep it private: it holds the detection keys\n")
    return 0

"""Write the bundle an outsider needs to check our files: C2PA and time-stamp roots, log origin and key."""

import argparse
import sys
from pathlib import Path

HELP = "export what outsiders need to check us"


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    export = actions.add_parser("export", help="write the trust bundle; it holds no secret")
    export.add_argument("out", type=Path, metavar="FILE")


def run(args: argparse.Namespace) -> int:
    from byline.platform.cli.session import django_ready
    from byline.provenance.trust import TrustBundle

    django_ready()
    args.out.parent.mkdir(parents=True, exist_ok=True)
    TrustBundle.from_installation().export(args.out)
    sys.stdout.write(f"{args.out}: give it to verifiers over a channel that they trust\n")
    return 0

"""Check a signed receipt of a verification, offline.

Exit codes: 0 the receipt was signed by the key in your trust bundle and, with --file, is about that
file · 10 it is not.
"""

import argparse
import sys
from pathlib import Path

from byline.audit.base.errors import InvalidInput

HELP = "check a signed receipt of a verification"
REFUSED = 10


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    verify = actions.add_parser("verify", help="check a receipt's signature")
    verify.add_argument("receipt", type=Path, metavar="RECEIPT", help="the JSON, or the PDF's attachment")
    verify.add_argument("--trust", type=Path, required=True, metavar="BUNDLE", help="the newsroom's bundle")
    verify.add_argument("--file", type=Path, metavar="MEDIA", help="also check that it is about this file")


def run(args: argparse.Namespace) -> int:
    from byline.provenance import receipts, statements
    from byline.provenance.trust import TrustBundle

    for path, what in ((args.receipt, "receipt"), (args.trust, "trust bundle"), (args.file, "file")):
        if path is not None and not path.exists():
            raise InvalidInput(f"no {what} at {path}", help="Check the path.")
    trust = TrustBundle.load(args.trust)
    if not trust.receipt_vkey:
        raise InvalidInput(
            "the trust bundle holds no key for receipts", help="Get a newer bundle from the newsroom."
        )
    try:
        body = receipts.check_receipt(statements.load(args.receipt), trust.receipt_vkey)
    except statements.BadStatement as error:
        sys.stdout.write(f"refused: {error}\n")
        return REFUSED
    if args.file is not None and receipts.sha256_of(args.file) != body.get("content", {}).get("sha256"):
        sys.stdout.write("refused: the receipt is genuine, but it is about another file\n")
        return REFUSED
    result, detector = body.get("result", {}), body.get("detector", {})
    sys.stdout.write(
        f"genuine: on {body.get('issued')} the detector {detector.get('url')} answered "
        f"“{result.get('verdict')}” (exit code {result.get('exit_code')}) about the content with SHA-256 "
        f"{body.get('content', {}).get('sha256')}\n  {result.get('summary')}\n"
    )
    return 0

"""The keys of this installation: what they are worth, a certificate of your own, new keys, revocation.

`show` says what signs here and how far anybody believes it. `csr` makes the certificate request for an
authority, `install` takes its answer after checking it. `rotate` puts a new key in place of one in use;
older files and marks stay verifiable. `revoke` withdraws the development certificate in use.
"""

import argparse
import sys
from pathlib import Path

from byline.audit.base.errors import InvalidInput

HELP = "show, certify, rotate and revoke keys"
_MAX_FILE = 1 << 20


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    actions.add_parser("show", help="what signs here and who believes it")
    request = actions.add_parser("csr", help="make a certificate request after the C2PA profile")
    request.add_argument("--organization", required=True, metavar="NAME", help="legal name, shown to readers")
    request.add_argument("--common-name", metavar="NAME", help="default: the organisation")
    request.add_argument("--country", default="", metavar="XX", help="two letters")
    request.add_argument("--out", type=Path, metavar="FILE", help="default: standard output")
    install = actions.add_parser("install", help="sign with the authority's chain from now on")
    install.add_argument("chain", type=Path, metavar="CHAIN", help="PEM, signer's certificate first")
    install.add_argument("--root", type=Path, metavar="FILE", help="the authority's root, if it is a new one")
    stamps = actions.add_parser("trust-stamps", help="believe time stamps under one more root")
    stamps.add_argument("root", type=Path, metavar="ROOT")
    rotate = actions.add_parser("rotate", help="a new key in place of the one in use")
    rotate.add_argument("kind", choices=("signing", "watermark", "id"))
    revoke = actions.add_parser("revoke", help="withdraw the development certificate in use, and replace it")
    revoke.add_argument("--reason", default="keyCompromise", metavar="REASON")
    heed = actions.add_parser("revocations", help="heed an authority's revocation list")
    heed.add_argument("crl", type=Path, metavar="CRL")


def run(args: argparse.Namespace) -> int:
    from byline.platform.cli.session import django_ready

    django_ready()
    from byline.platform import rotation

    if args.action == "show":
        shown = rotation.show()
        width = max(len(name) for name, _ in shown.lines)
        _say(*(f"{name:<{width}}  {text}" for name, text in shown.lines))
        return 0 if shown.ready else 70
    if args.action == "csr":
        pem = rotation.request(
            organization=args.organization,
            common_name=args.common_name or args.organization,
            country=args.country.upper(),
        )
        if args.out is None:
            sys.stdout.write(pem.decode())
        else:
            args.out.write_bytes(pem)
            _say(f"{args.out}: send it to your authority, then `byline keys install CHAIN`")
        return 0
    if args.action == "install":
        _installed(rotation.install(_file(args.chain), _file(args.root) if args.root else None))
    elif args.action == "trust-stamps":
        _say(rotation.trust_stamps(_file(args.root)))
    elif args.action == "rotate":
        _say(rotation.rotate(args.kind))
    elif args.action == "revoke":
        _say(rotation.revoke(args.reason))
    else:
        _say(rotation.add_revocations(_file(args.crl)))
    return 0


def _installed(chain) -> None:
    leaf = chain.certificates[0]
    _say(
        f"installed: {leaf.subject.rfc4514_string()}, valid until {leaf.not_valid_after_utc:%Y-%m-%d}",
        *(f"note: {note}" for note in chain.notes),
        "Export the trust bundle again (`byline trust export`): it now names this chain's root.",
    )


def _file(path: Path) -> bytes:
    try:
        if path.stat().st_size > _MAX_FILE:
            raise InvalidInput(f"{path} is larger than 1 MiB", help="Give a PEM file of certificates.")
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read", help="Give the path of a PEM file.") from error


def _say(*lines: str) -> None:
    sys.stdout.write("".join(line + "\n" for line in lines))

"""API tokens for authorities, media and researchers, who verify without a limit.

`make` prints the token once; only its hash is kept. Send it as `Authorization: Bearer TOKEN`.
"""

import argparse
import getpass
import sys
from datetime import timedelta

HELP = "make, list and revoke API tokens"
_ROLES = ("authority", "media", "research")


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    make = actions.add_parser("make", help="make a token")
    make.add_argument("name", metavar="NAME", help="an account of this name is made when there is none")
    make.add_argument("--role", choices=_ROLES, required=True)
    make.add_argument("--days", type=int, default=365, help="valid for so many days (default 365)")
    actions.add_parser("list", help="list tokens")
    revoke = actions.add_parser("revoke", help="end a token now")
    revoke.add_argument("number", type=int, metavar="NUMBER")


def run(args: argparse.Namespace) -> int:
    from byline.platform.cli.session import database

    actor = f"cli:{getpass.getuser()}"
    with database():
        from django.utils import timezone

        from byline.platform import tokens
        from byline.platform.models import ApiToken

        if args.action == "make":
            ends = timezone.now() + timedelta(days=args.days)
            sys.stdout.write(tokens.make(args.name, args.role, actor=actor, expires_at=ends) + "\n")
        elif args.action == "revoke":
            tokens.revoke(args.number, actor=actor)
        else:
            for row in ApiToken.objects.select_related("user"):
                valid = f"until {row.expires_at:%Y-%m-%d}" if row.expires_at else "without an end"
                state = "revoked" if row.revoked_at else valid
                sys.stdout.write(f"{row.pk}  {row.name}  {state}\n")
    return 0

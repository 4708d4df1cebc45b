"""Make this installation ready: keys, database, tables. Safe to run again."""

import argparse
import sys

HELP = "make keys and database; safe to run again"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--admin", metavar="NAME", help="also make an administrator; asks for the password")


def run(args: argparse.Namespace) -> int:
    ensure()
    from byline.audit.base import conf

    if args.admin:
        from django.core.management import call_command

        from byline.platform.cli.session import database

        with database():
            call_command("createsuperuser", username=args.admin, email="")
    sys.stdout.write(f"ready: {conf.home()}\n")
    return 0


def ensure() -> None:
    """Idempotent: whatever is already there stays as it is."""
    from django.core.management import call_command

    from byline.audit.base import conf
    from byline.platform import keys
    from byline.platform.cli.session import django_ready

    # Self-made authorities are development keys; operators bring their own (docs/operator.md).
    keys.create(conf.home())
    django_ready()
    call_command("migrate", verbosity=0, interactive=False)

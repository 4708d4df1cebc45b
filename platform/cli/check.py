"""Run every start-up check: settings, keys, policy, engines. The first error says what to do."""

import argparse

HELP = "check settings, keys and policy"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--deploy", action="store_true", help="add the checks for production")


def run(args: argparse.Namespace) -> int:
    from django.core.management import call_command
    from django.core.management.base import SystemCheckError

    from byline.audit.base.errors import ConfigurationError
    from byline.platform.cli.session import database_if_running, django_ready

    django_ready()
    try:
        # Whether the policy is the approved one stands in the database; nothing is started to ask.
        call_command("check", deploy=args.deploy, databases=["default"] if database_if_running() else None)
    except SystemCheckError as error:
        raise ConfigurationError(
            str(error), help="Correct the first error and run `byline check` again."
        ) from error
    return 0

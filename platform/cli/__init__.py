"""The `byline` command. Each subcommand is one file; heavy or Django imports happen inside it.

Exit codes: 0 done or verified · 10-16 verdicts of `verify` · 20 blocked by policy · 21 held for a reviewer ·
64 usage · 70 internal error. Errors go to stderr as one line and one line of help.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from byline.audit.base.errors import BylineError, InvalidInput

USAGE, INTERNAL = 64, 70
COMMANDS = (
    "setup",
    "check",
    "generate",
    "controls",
    "script",
    "film",
    "sound",
    "verify",
    "detect",
    "receipt",
    "takedown",
    "policy",
    "token",
    "hashlist",
    "audit",
    "fairness",
    "trust",
    "keys",
    "models",
    "curate",
    "finetune",
    "provenance",
    "quality",
    "rendition",
    "serve",
    "demo",
)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def _parser() -> _Parser:
    parser = _Parser(prog="byline", description="Make, label, sign, log and verify AI video.")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    for name in COMMANDS:
        module = importlib.import_module(f"byline.platform.cli.{name}")
        subparser = subparsers.add_parser(name, help=module.HELP, description=module.__doc__)
        module.arguments(subparser)
        subparser.set_defaults(run=module.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "byline.platform.settings")
    args = _parser().parse_args(argv)
    try:
        return int(args.run(args) or 0)
    except BylineError as error:
        sys.stderr.write(f"byline: {error} [{error.code}]\n  {error.help}\n")
        return USAGE if isinstance(error, InvalidInput) else INTERNAL
    except BrokenPipeError:
        return INTERNAL
    except KeyboardInterrupt:
        sys.stderr.write("byline: stopped\n")
        return 130
    except Exception as error:
        if os.environ.get("DEBUG"):
            raise
        name = type(error).__name__
        sys.stderr.write(f"byline: internal error ({name}). Set DEBUG=1 to see where, and report it.\n")
        return INTERNAL

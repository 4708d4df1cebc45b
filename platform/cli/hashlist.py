"""No-go lists: hashes of pictures that must not come out of here (docs/screening.md).

FILE is .csv or .json as Meta's Hasher-Matcher-Actioner and ThreatExchange tools exchange them, or .txt
with a "type hash" on each line. An import replaces the list of that name whole, or changes nothing.
"""

import argparse
import getpass
import sys
from pathlib import Path

HELP = "import, export and remove no-go lists"


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    take = actions.add_parser("import", help="read a file into the list NAME")
    take.add_argument("file", type=Path, metavar="FILE")
    take.add_argument("--name", required=True)
    take.add_argument("--source", required=True, help="whose list it is, and its version")
    take.add_argument("--category", required=True, help="policy category of what it lists")
    take.add_argument("--on-match", choices=("review", "block"), default="review", help="default: review")
    take.add_argument("--sha256", default="", help="refuse the file unless this is its SHA-256")
    give = actions.add_parser("export", help="write the list NAME to FILE, in the form of its ending")
    give.add_argument("name", metavar="NAME")
    give.add_argument("file", type=Path, metavar="FILE")
    actions.add_parser("list", help="show the lists")
    remove = actions.add_parser("remove", help="remove the list NAME")
    remove.add_argument("name", metavar="NAME")


def run(args: argparse.Namespace) -> int:
    from byline.platform.cli.session import database

    actor = f"cli:{getpass.getuser()}"
    with database():
        from byline.safety.hashlists import lists

        if args.action == "import":
            made = lists.import_file(
                args.file, name=args.name, source=args.source, category=args.category, actor=actor,
                action=args.on_match, sha256=args.sha256,
            )  # fmt: skip
            sys.stdout.write(f"{made.name}: {made.entries} hashes, digest {made.digest}\n")
        elif args.action == "export":
            text = lists.export(args.name, args.file.suffix.lower().lstrip("."))
            args.file.write_text(text, encoding="utf-8")
        elif args.action == "remove":
            lists.remove(args.name, actor=actor)
        else:
            for row in lists.listed():
                sys.stdout.write(
                    f"{row.name}  {row.entries} hashes  {row.category}: {row.action}  {row.source}\n"
                )
    return 0

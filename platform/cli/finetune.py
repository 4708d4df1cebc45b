"""Fine-tune a model on a dataset: LoRA weights with a card that names base and data (docs/curation.md).

A job that was stopped goes on when it is run again with the same values.
"""

import argparse
import getpass
import json
import sys
from pathlib import Path

HELP = "train LoRA weights on a dataset"


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    train = actions.add_parser("run", help="train, or go on training, the LoRA NAME")
    train.add_argument("name", metavar="NAME")
    train.add_argument("--base", required=True, help="model of the registry, starter, or a folder")
    train.add_argument("--dataset", required=True, metavar="NAME")
    train.add_argument("--stage", default="style", help="style, diversity or quality; default: style")
    train.add_argument("--steps", type=int, default=500)
    train.add_argument("--rank", type=int, default=8)
    train.add_argument("--rate", type=float, default=1e-4, help="learning rate; default: 0.0001")
    train.add_argument("--batch", type=int, default=1)
    train.add_argument("--caption-dropout", type=float, default=0.15)
    train.add_argument("--frames", type=int, default=0, help="0: the base's own")
    train.add_argument("--width", type=int, default=0)
    train.add_argument("--height", type=int, default=0)
    train.add_argument("--seed", type=int, default=0)
    card = actions.add_parser("card", help="what a finished LoRA was made of, and its entry for LORAS")
    card.add_argument("name", metavar="NAME")
    merge = actions.add_parser("merge", help="write the base with the LoRA in it to FOLDER")
    merge.add_argument("name", metavar="NAME")
    merge.add_argument("folder", type=Path, metavar="FOLDER")


def run(args: argparse.Namespace) -> int:
    from byline.platform.cli.session import database, django_ready

    if args.action == "run":
        with database():
            return _train(args)
    django_ready()
    from byline.audit.base.errors import InvalidInput
    from byline.generation.curation import finetune, recipe

    if args.action == "merge":
        if args.folder.exists():
            raise InvalidInput(f"{args.folder} exists already", help="Name a folder that does not.")
        sys.stdout.write(f"{finetune.merged(args.name, args.folder)}\n")
        return 0
    place = recipe.Recipe(args.name, "-", "-").place
    file = place / "card.json"
    if not file.is_file():
        raise InvalidInput(f"{args.name} is not finished", help="Run it to its end first.")
    sys.stdout.write(recipe.text(json.loads(file.read_text()), place))
    return 0


def _train(args: argparse.Namespace) -> int:
    from byline.generation.curation import finetune, recipe

    values = {
        name: getattr(args, name)
        for name in (
            "name", "base", "dataset", "stage", "steps", "rank", "rate", "batch",
            "caption_dropout", "frames", "width", "height", "seed",
        )
    }  # fmt: skip
    made = finetune.run(recipe.Recipe(**values), actor=f"cli:{getpass.getuser()}", progress=_progress)
    assert made is not None
    sys.stdout.write(f"{made['file']}: sha256 {made['sha256']}\n  {made['licence']}\n")
    sys.stdout.write(f"  loss {made['loss_before']} -> {made['loss_after']} over {made['steps']} steps\n")
    return 0


def _progress(share: float) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\rtraining: {share:4.0%}" + ("\n" if share >= 1 else ""))

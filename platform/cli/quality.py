"""Quality: the record of one clip, opinions of it, all comparisons as ratings or as pairs to train on."""

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

HELP = "a clip's quality record, thumbs and comparisons, ratings, export of preference pairs"


def arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    show = actions.add_parser("show", help="the measures of one clip")
    show.add_argument("clip", metavar="ID")
    thumb = actions.add_parser("thumb", help="your opinion of one clip")
    thumb.add_argument("clip", metavar="ID")
    thumb.add_argument("way", choices=("up", "down"))
    thumb.add_argument(
        "--tag", action="append", default=[], metavar="TAG", help="what it is about; repeatable"
    )
    prefer = actions.add_parser("prefer", help="the first of two takes is better")
    prefer.add_argument("better", metavar="ID")
    prefer.add_argument("worse", metavar="ID")
    ratings = actions.add_parser("ratings", help="Elo ratings from every comparison")
    ratings.add_argument("--by", choices=("model", "asset"), default="model")
    export = actions.add_parser("export", help="preference pairs, or thumbs, as JSON lines without names")
    export.add_argument("out", type=Path, metavar="FILE.jsonl")
    export.add_argument("--thumbs", action="store_true", help="single opinions instead of pairs")
    export.add_argument("--prompts", action="store_true", help="with the prompts: they may hold names")


def run(args: argparse.Namespace) -> None:
    from byline.platform.cli.session import database

    with database():
        _ACTIONS[args.action](args)


def find(text: str) -> Any:
    """The request with this id. RequestNotFound."""
    from django.core.exceptions import ValidationError

    from byline.generation.models import GenerationRequest
    from byline.generation.submit import RequestNotFound

    try:
        return GenerationRequest.objects.get(pk=text)
    except (GenerationRequest.DoesNotExist, ValidationError) as error:
        raise RequestNotFound("There is no such request.") from error


def _rater() -> str:
    return f"cli:{os.environ.get('USER', 'unknown')}"


def _show(args: argparse.Namespace) -> None:
    from byline.generation.quality import record

    found = record.of(find(args.clip))
    for item in found["measures"]:
        value = item["value"] if item["status"] == "measured" else f"not checked ({item['why']})"
        sys.stdout.write(f"{item['name']}: {value}  [{item['unit']}; {item['version']}]\n")
    for flag in found["flags"]:
        sys.stdout.write(f"flag: {flag}\n")
    for number, tries in enumerate(found["tries"], start=1):
        if len(tries) > 1:
            said = ", ".join(str(one["agreement"]) for one in tries)
            sys.stdout.write(f"shot {number} was made {len(tries)} times: {said}\n")
    sys.stdout.write(f"opinions: {json.dumps(found['opinions'])}\n{found['limits']}\n")


def _thumb(args: argparse.Namespace) -> None:
    from byline.generation.quality import preferences

    clip = find(args.clip)
    preferences.thumb(clip, _rater(), up=args.way == "up", tags=args.tag)
    sys.stdout.write(f"{json.dumps(preferences.opinions(clip))}\n")


def _prefer(args: argparse.Namespace) -> None:
    from byline.generation.quality import preferences

    preferences.prefer(find(args.better), find(args.worse), _rater())
    sys.stdout.write("stored\n")


def _ratings(args: argparse.Namespace) -> None:
    from byline.generation.quality import preferences

    for name, value in preferences.ratings(args.by).items():
        sys.stdout.write(f"{value:7.1f}  {name}\n")


def _export(args: argparse.Namespace) -> None:
    from byline.generation.quality import preferences

    rows = (preferences.thumbs if args.thumbs else preferences.pairs)(prompts=args.prompts)
    partial = args.out.with_name(f".{args.out.name}.part")
    count = 0
    with partial.open("w", encoding="utf-8") as target:
        for row in rows:
            target.write(json.dumps(row, ensure_ascii=False) + "\n")
            count += 1
    partial.replace(args.out)
    sys.stdout.write(f"{args.out}: {count} {'thumbs' if args.thumbs else 'preference pairs'}\n")


_ACTIONS = {"show": _show, "thumb": _thumb, "prefer": _prefer, "ratings": _ratings, "export": _export}

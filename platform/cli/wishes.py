"""What `byline generate` can be told beside the prompt: operation, files of one's own, controls."""

import argparse
import json
from pathlib import Path
from typing import Any

from byline.audit.base.errors import InvalidInput

NAMED = ("aspect", "style", "camera", "motion", "fx", "steps", "guidance", "fps", "engine")
SOUND = ("language", "voice", "music", "effects", "loudness")
_FILES = {  # role of the input -> option and what it is
    "first": ("--image", "a picture: the first frame"),
    "last": ("--last-image", "a picture: the last frame"),
    "clip": ("--clip", "a clip to work on"),
    "mask": ("--mask", "white where things may change"),
    "song": ("--song", "whose beats set the cuts"),
    "brush": ("--brush", "white where --set brush=... moves things"),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--negative-prompt", default="", metavar="TEXT", help="what is not to be seen")
    parser.add_argument(
        "--operation", default="text_to_video", metavar="NAME", help="`byline controls` lists them"
    )
    material = parser.add_argument_group("files of your own")
    for role, (option, says) in _FILES.items():
        material.add_argument(option, dest=f"file_{role}", type=Path, metavar="FILE", help=says)
    material.add_argument(
        "--reference", type=Path, action="append", default=[], metavar="FILE", help="of what is to appear"
    )
    material.add_argument("--licence", default="", metavar="TEXT", help="of these files; needed with any")
    material.add_argument("--source", default="", metavar="TEXT", help="where they are from; needed with any")
    material.add_argument("--i-may-use-these", action="store_true", help="declare that you hold the rights")
    looks = parser.add_argument_group("controls")
    for name in NAMED:
        looks.add_argument(f"--{name}", metavar="VALUE")
    looks.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="any control; VALUE may be JSON"
    )
    looks.add_argument(
        "--takes", type=int, default=1, metavar="N", help="1 to 4, written as OUT-1.mp4, OUT-2.mp4 ..."
    )


def inputs(args: argparse.Namespace, owner: str) -> dict[str, Any]:
    """The given files, taken in as this account's, by role. InvalidInput, RightsMissing."""
    from byline.generation.inputs import roles, service

    def add(path: Path, role: str) -> str:
        if not path.is_file():
            raise InvalidInput(f"no file at {path}", help="Give the path of one picture, clip or song.")
        rights = {"licence": args.licence, "source": args.source, "declared": args.i_may_use_these}
        return str(service.add(path, roles.ROLES[role], owner=owner, **rights).pk)

    given = {role: path for role in _FILES if (path := getattr(args, f"file_{role}")) is not None}
    found: dict[str, Any] = {role: add(path, role) for role, path in given.items()}
    if args.reference:
        found["references"] = [add(path, "references") for path in args.reference]
    return found


def options(args: argparse.Namespace) -> dict[str, Any]:
    """The request's options by name; what reads as JSON is taken as that."""
    found = {name: value for name in SOUND if (value := getattr(args, name)) is not None}
    found |= {name: _value(text) for name in NAMED if (text := getattr(args, name)) is not None}
    for item in args.set:
        name, equals, text = item.partition("=")
        if not equals:
            raise InvalidInput("--set takes NAME=VALUE", help="For example --set motion=0.4")
        found[name] = _value(text)
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text

"""Make a rendition of a finished clip: another shape, format or cut, without generating anything again.

Exit codes are those of `byline generate`. A WebM's manifest is written beside it, with the suffix .c2pa.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from byline.audit.base.errors import InvalidInput

HELP = "another shape, format or cut of a finished clip; its captions and transcript"
_OPTIONS = ("aspect", "width", "height", "fps", "enhance", "transition", "transition_seconds", "loudness")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("clip", metavar="ID", help="of the finished clip")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help=".mp4 or .webm; .vtt or .txt for its captions"
    )
    parser.add_argument("--aspect", metavar="W:H", help="16:9, 9:16 or 1:1")
    parser.add_argument("--width", type=int)
    parser.add_argument("--height", type=int)
    parser.add_argument("--fps", type=int)
    parser.add_argument("--enhance", metavar="STEPS", help="e.g. denoise,sharpen,double; see docs/compose.md")
    parser.add_argument("--transition", metavar="KIND", help="cut, cross-fade, wipe or dip")
    parser.add_argument("--transition-seconds", type=float, metavar="S")
    parser.add_argument("--loudness", type=float, metavar="LUFS")
    parser.add_argument("--description", action="store_true", help="with an audio description")
    parser.add_argument(
        "--part",
        action="append",
        default=[],
        metavar="FROM-TO",
        help="seconds to keep, in this order; repeatable",
    )


def run(args: argparse.Namespace) -> int:
    suffix = args.out.suffix.lower()
    if suffix not in (".mp4", ".webm", ".vtt", ".txt"):
        raise InvalidInput("--out must name an .mp4, .webm, .vtt or .txt file")
    from byline.platform.cli.session import database, database_and_sealer

    if suffix in (".vtt", ".txt"):
        with database():
            return _captions(args.clip, args.out)
    with database_and_sealer():
        return _rendition(args, suffix.removeprefix("."))


def _captions(clip: str, out: Path) -> int:
    from byline.generation import captions
    from byline.platform.cli.quality import find

    cues = captions.of(find(clip).produced())
    text = captions.to_webvtt(cues) if out.suffix == ".vtt" else captions.transcript(cues)
    out.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{out}: {len(cues)} captions\n")
    return 0


def _rendition(args: argparse.Namespace, form: str) -> int:
    from byline.generation import runner, store
    from byline.generation.renditions import service
    from byline.platform.cli import generate
    from byline.platform.cli.quality import find
    from byline.provenance import formats

    options: dict[str, Any] = {n: value for n in _OPTIONS if (value := getattr(args, n)) is not None}
    options |= {"format": form} | ({"description": 1} if args.description else {})
    row = service.request(
        find(args.clip),
        f"cli:{os.environ.get('USER', 'unknown')}",
        options=options,
        parts=[_part(text) for text in args.part],
        wake_worker=lambda *_: None,
    )
    runner.run_to_end(row.pk)
    row.refresh_from_db()
    code = generate.finish(row, args.out)
    if code == 0 and form == "webm":
        beside = formats.sidecar_of(args.out)
        shutil.copyfile(formats.sidecar_of(store.read_path(row.file_sha256)), beside)
        sys.stdout.write(f"{beside}: its manifest; keep the two together\n")
    return code


def _part(text: str) -> tuple[float, float]:
    start, dash, end = text.partition("-")
    try:
        return float(start), float(end) if dash else float("nan")
    except ValueError as error:
        raise InvalidInput("--part is FROM-TO in seconds", help="For example --part 2.5-6") from error

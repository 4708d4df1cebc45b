"""A clip on one page: frames at even distances with their times, read back from the finished file."""

import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from byline.audit.base.errors import InvalidInput
from byline.generation import brands

_TILE = 384  # pixels wide
_GAP = 8
_PAPER, _INK = (17, 20, 26), (235, 238, 242)


class UnreadableClip(InvalidInput):
    code = "unreadable_clip"
    help = "Give a video file with at least one frame."


def write(clip: Path, sheet: Path, columns: int = 4, rows: int = 3) -> int:
    """Write a PNG of up to columns x rows frames of `clip`, first and last among them; their number.

    UnreadableClip when there is no frame to show. `sheet` appears whole or not at all.
    """
    shown = _frames(Path(clip), columns * rows)
    if not shown:
        raise UnreadableClip(f"{Path(clip).name} has no frame that can be decoded")
    return draw(shown, sheet, columns)


def draw(shown: Sequence[tuple[float, Image.Image]], sheet: Path, columns: int = 4) -> int:
    """Write a PNG of these (seconds, picture), at least one; their number."""
    tall = round(_TILE * shown[0][1].height / shown[0][1].width)
    strip = 30
    lines = -(-len(shown) // columns)
    page = Image.new("RGB", (_GAP + columns * (_TILE + _GAP), _GAP + lines * (tall + strip + _GAP)), _PAPER)
    pen = ImageDraw.Draw(page)
    font = ImageFont.truetype(str(brands.FONTS / "OpenSans-Semibold.ttf"), 18)
    for number, (seconds, picture) in enumerate(shown):
        x = _GAP + number % columns * (_TILE + _GAP)
        y = _GAP + number // columns * (tall + strip + _GAP)
        page.paste(picture.resize((_TILE, tall), Image.Resampling.LANCZOS), (x, y))
        pen.text((x + 2, y + tall + strip // 2), f"{seconds:.2f} s", _INK, font, anchor="lm")
    sheet = Path(sheet)
    private = sheet.with_name(f".{sheet.name}.{secrets.token_hex(8)}.part")
    try:
        page.save(private, format="PNG", optimize=True)
        os.replace(private, sheet)
    finally:
        private.unlink(missing_ok=True)
    return len(shown)


def _frames(clip: Path, most: int) -> list[tuple[float, Image.Image]]:
    """(seconds, picture) of up to `most` frames, evenly spread over the decoded ones."""
    import av

    try:
        with av.open(str(clip)) as container:
            total = sum(1 for _ in _decoded(container))
        count = min(most, total)
        wanted = {round(n * (total - 1) / max(1, count - 1)) for n in range(count)}
        with av.open(str(clip)) as container:
            return [
                (float(frame.time or 0.0), frame.to_image())
                for number, frame in enumerate(_decoded(container))
                if number in wanted
            ]
    except (av.FFmpegError, IndexError) as error:
        raise UnreadableClip(f"{clip.name} cannot be decoded as video") from error


def _decoded(container: Any) -> Any:
    return container.decode(container.streams.video[0])

"""The jailed child that opens a picture or clip: `python -m byline.generation.inputs.child FD KIND`.

It prints one line of JSON and then raw bytes: uint8 RGB frames, or one grey plane for a mask. {"error"}
says why nothing was made of the file, without a word of it. Limits on this process were set by whoever
started it (byline.provenance.jail). Orientation is applied, colour profiles are converted to sRGB,
transparency is laid on white; all other metadata ends here. Sound is read by byline.provenance.decode.
"""

import io
import json
import math
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from byline.generation.inputs import limits

_STILLS = ("PNG", "JPEG", "WEBP")
_DEMUXERS = {"mov", "matroska", "avi"}


class Refused(Exception):
    """Says why, without a word of the file."""


def still(path: Path) -> tuple[np.ndarray, list[str], tuple[int, int]]:
    """(RGB (h, w, 3), notes, the file's own size). Refused for what is no still picture."""
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = limits.MAX_PIXELS
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    try:
        opened = Image.open(path, formats=_STILLS)
    except Image.UnidentifiedImageError as error:
        raise Refused("it is no PNG, JPEG or WebP picture") from error
    own = opened.size
    if getattr(opened, "n_frames", 1) > 1:
        raise Refused("it is an animation; a still picture is needed, or upload it as a clip")
    if min(own) < limits.SMALLEST_SIDE:
        raise Refused(f"it is {own[0]} x {own[1]}; at least {limits.SMALLEST_SIDE} pixels a side are needed")
    if max(own) > limits.LONGEST_SIDE or own[0] * own[1] > limits.MAX_PIXELS:
        raise Refused(f"it is {own[0]} x {own[1]}; at most {limits.MAX_PIXELS // 10**6} megapixels are read")
    notes: list[str] = []
    if opened.format == "JPEG":
        opened.draft("RGB", (limits.STILL_SIDE, limits.STILL_SIDE))  # decodes large ones at a fraction
    opened.load()
    if opened.getexif().get(0x0112, 1) not in (0, 1):
        notes.append("turned upright as its orientation tag says")
    picture: Image.Image = _srgb(ImageOps.exif_transpose(opened), notes)
    if picture.mode.startswith("I"):  # 16 bits: the plain conversion would clip
        values = np.asarray(picture).astype(np.float64)
        top = 65535.0 if values.max() > 255 else 255.0
        picture = Image.fromarray((values / top * 255).astype(np.uint8))
    if "A" in picture.getbands() or "transparency" in picture.info:
        notes.append("transparency laid on white")
        clear = picture.convert("RGBA")
        picture = Image.new("RGBA", clear.size, "white")
        picture.alpha_composite(clear)
    picture = picture.convert("RGB")
    if max(own) > limits.STILL_SIDE:
        picture.thumbnail((limits.STILL_SIDE, limits.STILL_SIDE), Image.Resampling.LANCZOS, reducing_gap=3)
        notes.append(f"scaled down from {own[0]} x {own[1]}")
    if picture.width < limits.SMALLEST_SIDE or picture.height < limits.SMALLEST_SIDE:
        raise Refused("it is far longer than wide")
    return np.asarray(picture), notes, own


def _srgb(picture: Any, notes: list[str]) -> Any:
    profile = picture.info.get("icc_profile")
    if not profile or picture.mode not in ("RGB", "RGBA", "CMYK", "L"):
        return picture
    from PIL import ImageCms

    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in ImageCms.getProfileDescription(source).lower():
            return picture
        mode = "RGBA" if picture.mode == "RGBA" else "RGB"
        converted = ImageCms.profileToProfile(
            picture, source, ImageCms.createProfile("sRGB"), outputMode=mode
        )
    except (ImageCms.PyCMSError, OSError, ValueError):
        notes.append("its colour profile cannot be used; taken as sRGB")
        return picture
    notes.append("converted to sRGB")
    return converted


def mask(path: Path) -> tuple[np.ndarray, list[str], tuple[int, int]]:
    """(grey (h, w) of 0 and 255, notes, own size): light is where things may change."""
    picture, notes, own = still(path)
    grey = picture.astype(np.float32).mean(axis=2)
    found = np.where(grey >= 128, 255, 0).astype(np.uint8)
    if found.min() == found.max():
        raise Refused("it is all black or all white; paint white where things may change")
    return found, notes, own


def clip(path: Path) -> tuple[np.ndarray, list[str], tuple[int, int], float]:
    """(frames (T, h, w, 3), notes, own size, frames a second)."""
    import av

    from byline.provenance import formats

    found = formats.sniff(path)
    if found is None or found.demuxer not in _DEMUXERS:
        raise Refused("it is no MP4, MOV, WebM, MKV or AVI clip")
    av.logging.set_level(None)
    frames: list[np.ndarray] = []
    notes: list[str] = []
    container: Any
    with path.open("rb") as handle, av.open(handle, format=found.demuxer) as container:
        stream = next((s for s in container.streams.video if s.codec_context is not None), None)
        if stream is None:
            raise Refused("it holds no pictures")
        own = (stream.width, stream.height)
        if min(own) < limits.SMALLEST_SIDE or own[0] * own[1] > limits.MAX_PIXELS:
            raise Refused(f"its pictures are {own[0]} x {own[1]}")
        native = float(stream.average_rate or stream.guessed_rate or 0)
        if not 1.0 <= native <= 1000:
            raise Refused("it has no usable frame rate")
        fps = min(native, limits.CLIP_FPS)
        scale = min(1.0, limits.CLIP_SIDE / max(own))
        size = [max(2, round(side * scale / 2) * 2) for side in own]
        stream.codec_context.thread_count = 2
        first = None
        for frame in container.decode(stream):
            moment = float(frame.time or 0.0)
            first = moment if first is None else first
            at = moment - first
            if at > limits.CLIP_SECONDS or len(frames) >= limits.CLIP_FRAMES:
                raise Refused(f"it is longer than {limits.CLIP_SECONDS:.0f} s; cut it first")
            if (frame.width, frame.height) != own:
                raise Refused("its pictures change their size")
            if at * fps < len(frames) - 1e-6 and frames:
                continue
            picture = frame.to_ndarray(format="rgb24", width=size[0], height=size[1])
            turns = round(getattr(frame, "rotation", 0) / 90) % 4
            frames.append(np.ascontiguousarray(np.rot90(picture, turns)))
            if turns and len(frames) == 1:
                notes.append("turned upright as the file says")
    if len(frames) < 2:
        raise Refused("it has fewer than two pictures")
    if scale < 1:
        notes.append(f"scaled down from {own[0]} x {own[1]}")
    if fps < native - 0.01:
        notes.append(f"thinned from {native:g} to {fps:g} frames a second")
    return np.stack(frames), notes, own, fps


def _credentials(path: Path) -> str:
    """The status of the file's own Content Credentials; nobody's root is trusted in here."""
    from byline.provenance import formats

    if not formats.has_manifest_traces(path):
        return "none"
    from byline.provenance import ingredients, reading
    from byline.provenance.trust import TrustBundle

    try:
        return ingredients.status_of(reading.read(path, TrustBundle("", "", "", "")))[0]
    except Exception:  # noqa: BLE001  whatever a hostile manifest does to its reader, the file stays usable
        return "broken"


def main(arguments: list[str]) -> int:
    """The child: descriptor and kind in, header and raw array out."""
    output = sys.stdout.buffer
    path = Path(f"/dev/fd/{int(arguments[0])}")
    fps = 0.0
    try:
        if arguments[1] == "clip":
            array, notes, own, fps = clip(path)
        else:
            array, notes, own = {"picture": still, "mask": mask}[arguments[1]](path)
        credentials = _credentials(path)
    except Refused as error:
        output.write(json.dumps({"error": str(error)}).encode() + b"\n")
        return 0
    except Exception as error:  # noqa: BLE001  libraries raise all sorts of things for damaged files
        message = "it cannot be decoded"
        if isinstance(error, MemoryError) or "Decompression" in type(error).__name__:
            message = f"it is larger than {limits.MAX_PIXELS // 10**6} megapixels"
        output.write(json.dumps({"error": message}).encode() + b"\n")
        return 0
    header = {"shape": array.shape, "fps": fps, "notes": notes, "own": own, "credentials": credentials}
    assert math.prod(array.shape) == array.nbytes
    output.write(json.dumps(header).encode() + b"\n")
    output.write(array.tobytes())
    output.flush()
    return 0


if __name__ == "__main__":
    os.umask(0o077)
    sys.exit(main(sys.argv[1:]))

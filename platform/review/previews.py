"""What a reviewer sees of a clip: one page of frames, blurred until they choose otherwise.

Promises: the blur is in the bytes that leave the server, not in the page; what is shown without it was asked
for, by this person, for this case, and logged (`services.unblur`). Files are our own, from the store or the
request's private directory. Left out: sound; the clip itself is offered once the blur is off.
"""

import io
import tempfile
from pathlib import Path

from PIL import Image, ImageFilter

from byline.audit.base.errors import BylineError
from byline.generation import contact_sheet, store
from byline.generation.models import GenerationRequest
from byline.platform.review.subjects import Subject

SHEET = "review_sheet"  # what the screening stage leaves when it holds a request
_COARSE = 28  # pixels per tile side are kept of a blurred page: shapes of scenes, no faces, no wounds
_LARGEST = 1600


class NoPreview(BylineError):
    code = "no_preview"
    status = 404
    help = "Nothing was made of this request yet; decide by the texts."


def source(subject: Subject) -> Path | None:
    """The file that a preview is made from: the stored clip, or what a held request left. None: nothing."""
    if subject.record is not None:
        return store.read_path(subject.record.sha256)
    return _held(subject.request) if subject.request else None


def _held(row: GenerationRequest) -> Path | None:
    for name in ("encoded", SHEET):
        for run in row.runs.filter(current=True).order_by("-position"):
            noted = run.files.get(name)
            path = store.work_directory(row.pk) / noted["path"] if noted else None
            if path is not None and path.is_file() and store.sha256_of(path) == noted["sha256"]:
                return path
    return None


def page(subject: Subject, *, blurred: bool) -> bytes:
    """A JPEG of frames. NoPreview."""
    found = source(subject)
    if found is None:
        raise NoPreview("There is nothing to see of this case.")
    if found.suffix == ".png":
        picture = Image.open(found).convert("RGB")
    else:
        with tempfile.TemporaryDirectory() as scratch:
            sheet = Path(scratch) / "sheet.png"
            contact_sheet.write(found, sheet)
            picture = Image.open(sheet).convert("RGB")
    picture.thumbnail((_LARGEST, _LARGEST))
    if blurred:
        picture = _blur(picture)
    made = io.BytesIO()
    picture.save(made, "JPEG", quality=80)
    return made.getvalue()


def _blur(picture: Image.Image) -> Image.Image:
    """Reduced until no detail is left, then smoothed: what was thrown away cannot be sharpened back."""
    small = picture.resize((_COARSE, max(1, round(_COARSE * picture.height / picture.width))))
    return small.resize(picture.size, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(12))

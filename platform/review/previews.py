"""What a reviewer sees of a clip: one page of frames, blurred until they choose otherwise.

Promises: the blur is in the bytes that leave the server, not in the page; what is shown without it was asked
for, by this person, for this case, and logged (`services.unblur`). Files are our own, from the store or the
request's private directory. Left out: sound; the clip itself is offered once the blur is off.
"""

import io
import shutil
import tempfile
import time
import uuid
from pathlib import Path

from PIL import Image, ImageFilter

from byline.audit.base import conf
from byline.audit.base.errors import BylineError
from byline.generation import contact_sheet, store
from byline.generation.models import GenerationRequest
from byline.generation.stages import review_sheet
from byline.platform.review import subjects
from byline.safety.review import rules as rulebook
from byline.safety.review.models import Case

_COARSE = 28  # pixels per tile side are kept of a blurred page: shapes of scenes, no faces, no wounds
_LARGEST = 1600


class NoPreview(BylineError):
    code = "no_preview"
    status = 404
    help = "Nothing was made of this request yet; decide by the texts."


def source(case: Case) -> Path | None:
    """The file that a preview is made from: the stored clip, what a held request left, or what was kept of
    it for an appeal. None: nothing was made."""
    if case.is_rating and case.rated_as == Case.Source.HOLD:
        return None  # there was nothing yet when it was first decided
    subject = subjects.of_case(case)
    if subject.record is not None:
        return store.read_path(subject.record.sha256)
    found = _held(subject.request) if subject.request else None
    if found is not None:
        return found
    kept = [_kept(item.pk) for item in (case, case.original) if item is not None]
    return next((path for path in kept if path.is_file()), None)


def keep(case: Case) -> None:
    """Before a held result is refused and its files go: keep one page of it for the person who decides an
    appeal or rates it again. Pages older than the time to appeal are removed on the way."""
    place = _kept(case.pk)
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    oldest = time.time() - rulebook.load().appeal_days * 86_400
    for path in place.parent.glob("*.png"):
        if path.stat().st_mtime < oldest:
            path.unlink(missing_ok=True)
    found = source(case)
    if found is None or subjects.of_case(case).record is not None:
        return
    if found.suffix == ".png":
        shutil.copyfile(found, place)
    else:
        contact_sheet.write(found, place)
    place.chmod(0o600)


def _kept(case_id: uuid.UUID) -> Path:
    return conf.home() / "review" / f"{case_id}.png"


def _held(row: GenerationRequest) -> Path | None:
    for name in ("encoded", review_sheet.NAME):
        for run in row.runs.filter(current=True).order_by("-position"):
            noted = run.files.get(name)
            path = store.work_directory(row.pk) / noted["path"] if noted else None
            if path is not None and path.is_file() and store.sha256_of(path) == noted["sha256"]:
                return path
    return None


def page(case: Case, *, blurred: bool) -> bytes:
    """A JPEG of frames. NoPreview."""
    found = source(case)
    if found is None:
        raise NoPreview("There is nothing to see of this case.")
    with tempfile.TemporaryDirectory() as scratch:
        sheet = found
        if found.suffix != ".png":
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

"""Controls and a first picture on the brief: fields of the form, and what a request gets from them."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from django import forms

from byline.generation.controls import camera, fx, styles
from byline.generation.controls.registry import ASPECTS
from byline.generation.inputs import service

CONTROLS = ("aspect", "style", "camera", "motion", "fx")
_PICTURE = ("picture", "picture_licence", "picture_source", "picture_declared")
_FIRST = {"operation": "image_to_video"}


def _choices(names: Any, empty: str) -> list[tuple[str, str]]:
    return [("", empty), *((name, name.replace("_", " ")) for name in names)]


class WishesForm(forms.Form):
    """Optional fields; `hidden` ones carry an uploaded picture through the question about wording."""

    negative_prompt = forms.CharField(max_length=1000, required=False, label="What is not to be seen")
    aspect = forms.ChoiceField(required=False, choices=_choices(ASPECTS, "16:9, the brand's usual"))
    style = forms.ChoiceField(required=False, choices=_choices(styles.STYLES, "none"))
    camera = forms.ChoiceField(
        required=False,
        choices=_choices(camera.MOVES, "as the model likes"),
        help_text="Where the model has no such move, finished frames are moved, and the record says so.",
    )
    motion = forms.FloatField(
        required=False, min_value=0, max_value=1, label="Motion", help_text="0 almost still, 1 lively."
    )
    fx = forms.ChoiceField(required=False, label="Effect")
    picture = forms.FileField(
        required=False,
        label="First picture",
        help_text="PNG, JPEG or WebP. A face in it needs a consent, or a reviewer's word.",
    )
    picture_licence = forms.CharField(max_length=200, required=False, label="Licence of the picture")
    picture_source = forms.CharField(max_length=300, required=False, label="Where the picture is from")
    picture_declared = forms.BooleanField(required=False, label="I hold the rights to use this picture")
    first = forms.UUIDField(required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        presets = [(preset.key, f"{preset.name}: {preset.says}") for preset in fx.presets().values()]
        self.fields["fx"].choices = [("", "none"), *presets]  # type: ignore[attr-defined]

    def wishes(self) -> Iterator[Any]:
        """The visible fields of this part, for the page."""
        return (self[name] for name in WishesForm.base_fields if name != "first")


def taken(given: dict[str, Any], owner: str) -> dict[str, Any]:
    """Move the wishes out of the form's cleaned data into what `submit` takes; a picture is taken in, and
    `given["first"]` then holds its id. RightsMissing, InputRefused."""
    found: dict[str, Any] = {}
    options = {name: value for name in CONTROLS if (value := given.pop(name)) not in ("", None)}
    picture, licence, source, declared = (given.pop(name) for name in _PICTURE)
    if picture is not None:
        with NamedTemporaryFile(prefix="byline-input-") as copy:  # 0600, and gone with this block
            for chunk in picture.chunks():
                copy.write(chunk)
            copy.flush()
            rights = {"licence": licence, "source": source, "declared": declared}
            given["first"] = service.add(Path(copy.name), "picture", owner=owner, **rights).pk
    if given["first"]:
        found |= {**_FIRST, "inputs": {"first": str(given["first"])}}
    return {**found, "options": options}

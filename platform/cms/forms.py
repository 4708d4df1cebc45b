"""The brief that an editor writes. Limits repeat those of `submit`, which has the last word."""

from collections.abc import Iterator
from typing import Any

from django import forms

from byline.generation import brands
from byline.platform.cms.wishes import WishesForm


class BriefForm(WishesForm):
    prompt = forms.CharField(
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 4}),
        label="What the clip shows",
        help_text="For example: “a red ball moves left over the sea”.",
    )
    voice_over = forms.CharField(
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        label="Voice-over",
        help_text="Spoken by a synthetic voice and shown as captions. Leave empty for a silent clip.",
    )
    title = forms.CharField(max_length=120, required=False, label="Title on screen")
    brand = forms.ChoiceField(label="Brand")
    seconds = forms.FloatField(min_value=1, max_value=60, initial=6, label="Length in seconds")
    seed = forms.IntegerField(
        min_value=0,
        max_value=2**32 - 1,
        required=False,
        label="Seed",
        help_text="The same brief with the same seed gives the same clip. Leave empty for a new one.",
    )
    debias = forms.BooleanField(
        required=False,
        initial=True,
        label="Balance unspecified people",
        help_text="People whom the brief leaves open get balanced attributes; you see the wording first. "
        "Untick to keep your words, and say why.",
    )
    debias_reason = forms.CharField(
        max_length=1000,
        required=False,
        label="Why the wording stays, or why a person's looks are changed",
        help_text="Only needed in these two cases. It is kept with the video.",
    )

    # The answer to a proposal; shown on a page of its own (byline_cms/rewrite.html).
    rewrite = forms.UUIDField(required=False, widget=forms.HiddenInput)
    answer = forms.ChoiceField(
        required=False,
        choices=[("accept", "accept"), ("edit", "edit"), ("refuse", "refuse")],
        widget=forms.HiddenInput,
    )
    edited_prompt = forms.CharField(max_length=2000, required=False, widget=forms.HiddenInput)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["brand"].choices = [(name, name) for name in brands.names()]  # type: ignore[attr-defined]

    def words(self) -> Iterator[Any]:
        """The visible fields of the brief itself, for the page."""
        return (field for field in self.visible_fields() if field.name not in WishesForm.base_fields)

"""The brief that an editor writes. Limits repeat those of `submit`, which has the last word."""

from typing import Any

from django import forms

from byline.generation import brands


class BriefForm(forms.Form):
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
        help_text="People whom the brief leaves open get balanced attributes. Untick to keep your words.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["brand"].choices = [(name, name) for name in brands.names()]  # type: ignore[attr-defined]

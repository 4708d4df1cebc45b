"""A clip that is worked on plays at its own speed: how long the file is, and what the operation is told."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.audit.base.errors import InvalidInput
from byline.generation import brands
from byline.generation.compose import clip_seconds, continuous_seconds, timeline
from byline.generation.inputs import lasting
from byline.generation.models import GenerationRequest, UploadedInput

BRAND = brands.load(brands.DEFAULT)


@settings(max_examples=60, deadline=None)
@given(st.floats(1, 120), st.sampled_from([0.0, 1.5, 2.5, 4.0]))
def test_one_shot_plays_at_its_own_speed(seconds: float, card: float) -> None:
    brand = replace(BRAND, end_seconds=card)
    whole = clip_seconds(seconds, brand)
    assert continuous_seconds(whole, brand) == pytest.approx(seconds, abs=0.01)
    ((start, end),) = timeline([seconds], brand, whole, [seconds])
    assert end - start == pytest.approx(seconds, abs=0.01)


def request(operation: str, seconds: float, role: str = "", own: float = 0.0) -> GenerationRequest:
    row = GenerationRequest(operation=operation, seconds=seconds, inputs=[])
    if role:
        given_one = UploadedInput.objects.create(
            owner="user:1", kind=role, sha256="0" * 64, bytes=1, seconds=own, licence="CC0-1.0",
            source="desk", declared_at=timezone.now(), pk=uuid.uuid4(),
        )  # fmt: skip
        row.inputs = [{"role": role, "input": str(given_one.pk), "sha256": given_one.sha256}]
    return row


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("operation", "role", "asked", "own", "shown"),
    [
        ("modify_region", "clip", 6.0, 9.0, 9.0),
        ("extend", "clip", 2.0, 9.0, 11.0),
        ("video_to_video", "clip", 30.0, 4.0, 4.0),
        ("music_cuts", "song", 20.0, 9.0, 9.0),
    ],
)
def test_the_file_lasts_as_long_as_what_is_shown(
    operation: str, role: str, asked: float, own: float, shown: float
) -> None:
    found = lasting.seconds(request(operation, asked, role, own), BRAND)
    assert continuous_seconds(found, BRAND) == pytest.approx(shown, abs=0.01)


@pytest.mark.django_db
@pytest.mark.parametrize(
    "row",
    [
        ("text_to_video", 6.0),
        ("image_to_video", 6.0),
        ("modify_region", 6.0),
        ("music_cuts", 6.0, "song", 60.0),
    ],
)
def test_otherwise_it_lasts_as_asked(row: Any) -> None:
    assert lasting.seconds(request(*row), BRAND) == 6.0


@pytest.mark.django_db
def test_what_would_be_too_long_is_refused() -> None:
    with pytest.raises(InvalidInput, match="at most"):
        lasting.seconds(request("extend", 40.0, "clip", 40.0), BRAND)

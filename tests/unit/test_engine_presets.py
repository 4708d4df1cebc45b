"""What the twenty products had beside a model is offered by name somewhere, or it is said that it is not."""

from __future__ import annotations

import pytest

from byline.generation.controls.registry import CONTROLS
from byline.generation.engines import presets, registry
from byline.generation.engines.base import Operation
from byline.generation.operations import OPERATIONS

# As the products named it -> operations and controls of a request that give it.
OFFERED = {
    "motion brush": {"brush"},
    "modify region": {"modify_region"},
    "expand canvas": {"expand_canvas"},
    "FX presets": {"fx"},
    "sync to music": {"music_cuts"},
    "scripted camera path": {"camera_path"},
    "upscale": {"upscaler"},
}
# The API is what a chat bot calls; the last two need consent and are not offered (docs/models.md).
OTHERWISE = {
    "chat bot over the API",
    "face swap behind consent",
    "lip-sync and face swap behind consent",
}


@pytest.mark.parametrize("name", presets.presets())
def test_what_a_product_had_is_offered_or_named(name: str) -> None:
    from byline.generation import presentation

    made = presets.preset(name)
    known = set(OPERATIONS) | set(CONTROLS) | set(presentation.OPTIONS)
    for had in made.elsewhere:
        assert had in OTHERWISE or OFFERED[had] <= known, had
    if made.extend:
        assert "extend" in OPERATIONS
    if made.camera:
        assert "camera" in CONTROLS
    if made.motion:
        assert "motion" in CONTROLS
    for operation in made.operations:
        assert operation.value in OPERATIONS
        assert operation in registry.entry(made.models[operation]).operations


def test_the_longest_clips_are_those_of_the_products() -> None:
    """Seconds of the twenty products, December 2023."""
    found = {name: made.seconds for name, made in presets.presets().items() if not made.unlimited}
    assert found == {
        "runway-gen-2": 4, "pika": 3, "genmo": 6, "kaiber": 16, "stability": 4, "zeroscope": 3,
        "modelscope": 3, "animatediff": 3, "morph": 3, "hotshot": 2, "moonvalley": 3, "deforum": 14,
        "leonardo": 4, "assistive": 4, "vispunk": 3, "decohere": 4, "domo-ai": 3, "fulljourney": 8,
    }  # fmt: skip
    unlimited = {name for name, made in presets.presets().items() if made.unlimited}
    assert unlimited == {"neural-frames", "magic-hour"}


def test_extension_camera_and_motion_are_those_of_the_products() -> None:
    def having(control: str) -> set[str]:
        return {name for name, made in presets.presets().items() if getattr(made, control)}

    assert having("extend") == {"runway-gen-2", "pika"}
    assert having("camera") == {"runway-gen-2", "pika", "genmo", "deforum", "vispunk", "fulljourney"}
    assert having("motion") == {
        *("runway-gen-2", "pika", "genmo", "stability", "leonardo", "assistive", "decohere", "domo-ai")
    }
    both = {Operation.TEXT_TO_VIDEO, Operation.IMAGE_TO_VIDEO}
    assert set(presets.preset("pika").operations) == both

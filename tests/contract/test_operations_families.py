"""The operations on production families: tiny random weights of their real classes, through the real loader.

What they draw is noise. What must hold of noise: it fits together, the given pixels stay, and the facts name
the way that was taken.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import engines_kit as kit
import numpy as np
import pytest

from byline.audit.base.errors import InvalidInput
from byline.generation.engines.diffusion import DiffusionEngine
from byline.generation.operations import Brief, Inputs, Made, make

SIDE = kit.SIDE
CLIP = np.stack([np.roll(kit.picture(1, 40), shift, axis=1) for shift in range(7)])
MASK = np.zeros(CLIP.shape[1:3], np.uint8)
MASK[8:24, 8:24] = 255
_made: dict[str, DiffusionEngine] = {}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kit.Shelf]:
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield kit.Shelf(tmp_path_factory.mktemp("shelf"))
    torch.set_num_threads(threads)
    _made.clear()


@pytest.fixture(autouse=True)
def _installed(shelf: kit.Shelf, settings: Any) -> None:
    settings.BYLINE = {**settings.BYLINE, **shelf.settings}


def run(
    shelf: kit.Shelf, model: str, name: str, inputs: Inputs, seconds: float = 0.8, **controls: Any
) -> Made:
    if model not in _made:
        shelf.put(model)
        _made[model] = DiffusionEngine(MODEL=model)
    wanted = Brief("a red ball", "", 3, seconds, controls)
    return make(name, _made[model], wanted, inputs, lambda fraction: None, lambda: None)


@pytest.mark.parametrize(
    "model", ["tiny-wan-i2v", "tiny-wan-flf", "tiny-ltx", "tiny-cogvideox-i2v", "tiny-svd"]
)
def test_a_picture_comes_to_life(shelf: kit.Shelf, model: str) -> None:
    if model == "tiny-wan-flf":
        made = run(shelf, model, "first_last_frame", Inputs(first=CLIP[0], last=CLIP[-1]))
        assert made.facts["last_frame_ssim"] == 1.0
    else:
        made = run(shelf, model, "image_to_video", Inputs(first=CLIP[0]))
        assert made.facts["led_by_picture"]
    assert made.facts["first_frame_ssim"] > 0.99


def test_a_model_that_refuses_the_last_frame_is_not_asked(shelf: kit.Shelf) -> None:
    with pytest.raises(InvalidInput, match="last frame"):
        run(shelf, "tiny-wan-i2v", "first_last_frame", Inputs(first=CLIP[0], last=CLIP[-1]))
    moved = run(shelf, "tiny-wan-i2v", "interpolate", Inputs(first=CLIP[0], last=CLIP[-1]))
    assert moved.facts["made_by"] == "optical flow"


@pytest.mark.parametrize(
    ("model", "by"), [("tiny-ltx", "last frame"), ("tiny-wan", "words alone"), ("tiny-mochi", "words alone")]
)
def test_a_clip_goes_on(shelf: kit.Shelf, model: str, by: str) -> None:
    made = run(shelf, model, "extend", Inputs(clip=CLIP, clip_fps=8), 1.2)
    assert np.array_equal(made.shots[0][: len(CLIP)], CLIP)
    assert {link["by"] for link in made.facts["links"]} == {by}


@pytest.mark.parametrize(
    ("model", "sees"), [("tiny-vace", True), ("tiny-wan", False), ("tiny-animatediff", False)]
)
def test_a_region_changes_and_nothing_else(shelf: kit.Shelf, model: str, sees: bool) -> None:
    more = {} if sees else {"strength": 0.9}
    made = run(shelf, model, "modify_region", Inputs(clip=CLIP, clip_fps=8, mask=MASK), steps=3, **more)
    assert np.array_equal(made.shots[0][:, MASK == 0], CLIP[:, MASK == 0])
    assert ("around" in made.facts["made_by"]) == sees


@pytest.mark.parametrize("model", ["tiny-wan", "tiny-cogvideox", "tiny-animatediff"])
def test_a_clip_is_redrawn(shelf: kit.Shelf, model: str) -> None:
    made = run(shelf, model, "video_to_video", Inputs(clip=CLIP, clip_fps=8), strength=0.9, steps=3)
    assert made.shots[0].shape == CLIP.shape


def test_stills_are_made_restyled_and_inpainted(shelf: kit.Shelf) -> None:
    assert run(shelf, "tiny-sd3", "still", Inputs(), shots=2).shots[1].shape == (1, SIDE, SIDE, 3)
    restyled = run(shelf, "tiny-sd3", "restyle", Inputs(first=CLIP[0]), strength=0.9, steps=3)
    assert restyled.shots[0].shape == (1, *CLIP.shape[1:])
    changed = run(shelf, "tiny-sd3", "modify_region", Inputs(first=CLIP[0], mask=MASK))
    assert np.array_equal(changed.shots[0][0][MASK == 0], CLIP[0][MASK == 0])

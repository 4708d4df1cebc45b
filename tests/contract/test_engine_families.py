"""Every model family, from a saved checkpoint to frames: tiny random weights of the family's own classes,
pulled, locked and loaded as real ones are. What they draw is noise; what holds for noise holds for weights.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import engines_kit as kit
import numpy as np
import pytest

from byline.audit.base.errors import InvalidInput
from byline.generation.engines import VideoEngine, registry
from byline.generation.engines.base import Operation
from byline.generation.engines.diffusion import DiffusionEngine
from byline.generation.engines.families import FAMILIES, controls
from byline.generation.engines.registry import STILLS

CASES = [(name, operation) for name in kit.ENTRIES for operation in kit.entry(name).operations]
ONE_EACH = [(name, kit.entry(name).operations[0]) for name in kit.ENTRIES]
NEGATIVE = [
    (name, operation)
    for name, operation in CASES
    if "negative_prompt" in controls(kit.entry(name).family, operation) and kit.entry(name).guidance > 1
]
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
def _installed(shelf: kit.Shelf, settings: object) -> None:
    settings.BYLINE = shelf.settings  # type: ignore[attr-defined]


def engine(shelf: kit.Shelf, name: str) -> DiffusionEngine:
    if name not in _made:
        shelf.put(name)
        _made[name] = DiffusionEngine(MODEL=name)
    return _made[name]


@pytest.mark.parametrize(("name", "operation"), CASES)
def test_it_makes_frames_of_the_right_shape_that_a_seed_repeats(
    shelf: kit.Shelf, name: str, operation: Operation
) -> None:
    made = engine(shelf, name)
    task, seen = kit.task(made.entry, operation), []
    frames = made.generate(task, seen.append)
    width, height = made.entry.sizes[0]
    count = 1 if operation in STILLS else made.entry.frames.default
    assert frames.shape == (count, height, width, 3)
    assert frames.dtype == np.uint8
    assert np.array_equal(frames, made.generate(task))
    assert not np.array_equal(frames, made.generate(replace(task, seed=4)))
    assert seen == sorted(seen)
    assert len(seen) >= 2
    assert seen[-1] == 1.0
    assert made.record["operation"] == operation
    assert made.record["lossy"] == []


@pytest.mark.parametrize(("name", "operation"), NEGATIVE)
def test_a_negative_prompt_changes_the_frames(shelf: kit.Shelf, name: str, operation: Operation) -> None:
    made = engine(shelf, name)
    task = kit.task(made.entry, operation)
    assert not np.array_equal(made.generate(task), made.generate(replace(task, negative_prompt="blurry sea")))


@pytest.mark.parametrize(("name", "operation"), ONE_EACH)
def test_cancelling_stops_between_steps_and_leaves_the_engine_usable(
    shelf: kit.Shelf, name: str, operation: Operation
) -> None:
    class Cancelled(Exception):
        pass

    seen: list[float] = []

    def cancel_after_one() -> None:
        if seen:
            raise Cancelled

    made = engine(shelf, name)
    task = kit.task(made.entry, operation)
    with pytest.raises(Cancelled):
        made.generate(replace(task, steps=20), seen.append, cancel_after_one)
    assert len(seen) == 1
    assert len(made.generate(task)) >= 1


@pytest.mark.parametrize("name", kit.ENTRIES)
def test_it_says_what_it_is(shelf: kit.Shelf, name: str) -> None:
    made = engine(shelf, name)
    assert isinstance(made, VideoEngine)
    made.self_check()
    info = made.info
    json.dumps(asdict(info) | {"record": dict(made.record)})
    assert info.training_data == "none: random weights"
    assert info.weights_sha256
    assert info.revision.startswith("sha256:")
    assert "sha256:" in info.text_encoder


def test_every_family_and_each_of_its_operations_is_tested_here() -> None:
    tested = {(kit.entry(name).family_name, operation) for name, operation in CASES}
    assert tested == {(family.name, operation) for family in FAMILIES.values() for operation in family.calls}


def test_every_shipped_entry_asks_only_for_what_is_tested() -> None:
    tested = {(kit.entry(name).family_name, operation) for name, operation in CASES}
    for entry in registry.entries().values():
        assert {(entry.family_name, operation) for operation in entry.operations} <= tested


def test_first_and_last_picture_shape_the_clip(shelf: kit.Shelf) -> None:
    made = engine(shelf, "tiny-wan-flf")
    task = kit.task(made.entry, Operation.IMAGE_TO_VIDEO)
    plain = made.generate(task)
    for change in ("image", "last_image"):
        assert not np.array_equal(plain, made.generate(replace(task, **{change: kit.picture(9)})))
    other = engine(shelf, "tiny-wan-i2v")
    with pytest.raises(InvalidInput, match="last_image"):
        other.generate(task)


def test_stable_video_diffusion_takes_motion_rate_and_a_ramp_of_guidance(shelf: kit.Shelf) -> None:
    made = engine(shelf, "tiny-svd")
    task = kit.task(made.entry, Operation.IMAGE_TO_VIDEO)
    plain = made.generate(task)
    assert made.record["prompt_heeded"] is False
    for change in ({"motion": 1.0}, {"fps": 24.0}, {"guidance": 1.0, "guidance_end": 6.0}):
        assert not np.array_equal(plain, made.generate(replace(task, **change)))


def test_a_second_operation_shares_the_weights_and_the_settings_of_the_first(shelf: kit.Shelf) -> None:
    shelf.put("tiny-wan")
    made = DiffusionEngine(MODEL="tiny-wan")
    made.generate(kit.task(made.entry, Operation.VIDEO_TO_VIDEO))  # the second one asked for first
    first, second = (made._pipelines[o] for o in made.entry.operations)
    assert first.transformer is second.transformer
    assert first.scheduler is second.scheduler


def test_what_is_tested_runs_without_a_hub(shelf: kit.Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loader reads the folder only: no address is asked for even where one is set."""
    import socket

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the loader opened a connection")

    shelf.put("tiny-ltx")
    monkeypatch.setattr(socket.socket, "connect", refuse)
    made = DiffusionEngine(MODEL="tiny-ltx")
    assert made.generate(kit.task(made.entry, Operation.TEXT_TO_VIDEO)).any()
    assert Path(shelf.settings["MODELS_DIR"]).is_dir()

"""The registry and the presets: what an entry must say, valid lengths, and that twenty envelopes fit."""

from pathlib import Path
from typing import Any

import engines_kit as kit
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from byline.audit.base.errors import ConfigurationError
from byline.generation.engines import presets, registry
from byline.generation.engines.registry import COMMIT, UNPINNED, FrameRule

PRODUCTS = 20


def test_every_shipped_entry_is_whole() -> None:
    found = registry.entries()
    assert len(found) >= 25
    for entry in found.values():
        assert entry.licence
        assert entry.licence_url.startswith("https://")
        assert entry.training_data
        assert entry.revision == UNPINNED or COMMIT.fullmatch(entry.revision)
        assert entry.frames.allows(entry.frames.default)
        assert "/" in entry.repository


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"revision": "main"}, "revision"),
        ({"revision": "0" * 39}, "revision"),
        ({"operations": ["inpaint"]}, "operations"),
        ({"operations": ["dance"]}, "dance"),
        ({"operations": []}, "operations"),
        ({"family": "dalle"}, "family"),
        ({"sizes": [[30, 32]]}, "sizes"),
        ({"frames": {"default": 6, "most": 33, "step": 4, "offset": 1}}, "frames"),
        ({"dtype": "int4"}, "dtype"),
        ({"weight_format": "pickle"}, "weight_format"),
        ({"training_data": ""}, "training_data"),
        ({"vram_gib": 0}, "vram_gib"),
        ({"speed": 3}, "speed"),
    ],
)
def test_a_wrong_entry_names_the_key(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kit.entry("tiny-wan", **change)


def test_a_missing_key_and_a_wrong_file_are_configuration_errors(tmp_path: Path, settings: Any) -> None:
    settings.BYLINE = {"MODEL_REGISTRY": str(tmp_path)}
    with pytest.raises(ConfigurationError, match="no registry files"):
        registry.entries()
    short = kit.facts("tiny-wan")
    del short["licence"]
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({"mine": short}))
    with pytest.raises(ConfigurationError, match=r"mine: licence missing"):
        registry.entries()
    (tmp_path / "own.yaml").write_text("{")
    with pytest.raises(ConfigurationError, match="YAML"):
        registry.entries()


def test_an_entry_of_the_operator_replaces_a_shipped_one(tmp_path: Path, settings: Any) -> None:
    (tmp_path / "own.yaml").write_text(yaml.safe_dump({"latte-1": kit.facts("tiny-latte")}))
    settings.BYLINE = {"MODEL_REGISTRY": str(tmp_path)}
    assert registry.entry("latte-1").parameters == "tiny"
    with pytest.raises(ConfigurationError) as caught:
        registry.entry("latte-2")
    assert "latte-1" in caught.value.help


RULES = st.builds(
    lambda step, offset, most: FrameRule(default=offset or step, most=most, step=step, offset=offset),
    step=st.integers(1, 8),
    offset=st.integers(0, 1),
    most=st.integers(20, 300),
)


@given(rule=RULES, wanted=st.integers(1, 400))
def test_the_next_valid_length_is_valid_and_close(rule: FrameRule, wanted: int) -> None:
    found = rule.at_least(wanted)
    assert rule.allows(found)
    assert found >= wanted or found + rule.step > rule.most
    assert found < wanted + rule.step or found == rule.offset


@given(seconds=st.floats(0.5, 120), name=st.sampled_from(sorted(registry.entries())))
def test_a_plan_lasts_long_enough_in_valid_shots(seconds: float, name: str) -> None:
    entry = registry.entries()[name]
    if entry.frames.most == 1:
        return
    plan = presets.plan(entry, seconds)
    assert plan.seconds >= seconds
    assert all(entry.frames.allows(frames) for frames in plan.shots)
    without_last = presets.Plan(plan.shots[:-1], plan.fps)
    assert len(plan.shots) == 1 or without_last.seconds < seconds


def test_stills_cannot_be_planned_for_seconds() -> None:
    with pytest.raises(ConfigurationError):
        presets.plan(registry.entry("flux.1-schnell"), 3.0)


def test_twenty_products_each_with_a_model_for_every_operation() -> None:
    assert len(presets.presets()) == PRODUCTS
    for preset in presets.presets().values():
        assert set(preset.models) == set(preset.operations)
        for operation, model in preset.models.items():
            entry = registry.entry(model)
            assert operation in entry.operations
            assert presets.plan(entry, preset.seconds).seconds >= preset.seconds
            presets.require_fit(preset, entry)


def test_an_unknown_preset_and_one_that_does_not_fit() -> None:
    with pytest.raises(ConfigurationError, match="sora"):
        presets.preset("sora")
    with pytest.raises(ConfigurationError, match="none of what"):
        presets.require_fit(presets.preset("stability"), registry.entry("mochi-1-preview"))

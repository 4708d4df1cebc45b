"""Options and LoRA of the engine: what is recorded, what is labelled lossy, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import engines_kit as kit
import numpy as np
import pytest

from byline.audit.base import heavy
from byline.audit.base.errors import ConfigurationError, InvalidInput, MissingWeights
from byline.generation.engines import pulling, ramps, weights
from byline.generation.engines.base import EngineFailed, Operation, VideoTask, operation_of
from byline.generation.engines.diffusion import DiffusionEngine
from byline.generation.engines.weights import WeightsChanged

NAME = "tiny-wan"
TASK = VideoTask("a red ball moves left", seed=3)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kit.Shelf]:
    """One thread meanwhile: frames are compared to the last bit, and several threads add in any order."""
    torch = heavy.load("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield kit.Shelf(tmp_path_factory.mktemp("shelf"))
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _installed(shelf: kit.Shelf, settings: Any) -> None:
    settings.BYLINE = shelf.settings
    shelf.put(NAME)


@pytest.fixture(scope="module")
def plain(shelf: kit.Shelf) -> np.ndarray:
    from django.test import override_settings

    with override_settings(BYLINE=shelf.settings):
        shelf.put(NAME)
        return DiffusionEngine(MODEL=NAME).generate(TASK)


@pytest.mark.parametrize(
    ("given", "recorded", "lossy"),
    [
        ({"VAE_SLICING": True}, {"vae_slicing": True}, ()),
        ({"VAE_TILING": True}, {"vae_tiling": True}, ("vae tiling",)),
        ({"ATTENTION": "native"}, {"attention": "native"}, ()),
        ({"DTYPE": "bfloat16"}, {"dtype": "bfloat16"}, ("dtype bfloat16",)),
        ({"STEP_CACHE": 0.5}, {}, ("first-block cache at 0.5",)),
        ({"FP8_STORAGE": True}, {}, ("eight bits",)),
        ({"OFFLOAD": "none"}, {"offload": "none", "device": "cpu"}, ()),
    ],
)
def test_every_option_runs_and_is_recorded(
    given: dict[str, Any], recorded: dict[str, Any], lossy: tuple[str, ...], plain: np.ndarray
) -> None:
    made = DiffusionEngine(MODEL=NAME, **given)
    frames = made.generate(replace(TASK, steps=4 if "STEP_CACHE" in given else None))
    assert frames.shape == plain.shape
    assert recorded.items() <= made.record.items()
    assert len(made.record["lossy"]) == len(lossy)
    assert all(words in label for words, label in zip(lossy, made.record["lossy"], strict=True))
    if not lossy:
        assert np.array_equal(frames, plain)
    assert set(made.record["libraries"]) == {"torch", "diffusers", "transformers"}


def test_regional_compilation_is_asked_for_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """The compiler itself needs minutes and a C++ tool chain; that it is handed the blocks is tested."""
    torch = heavy.load("torch")
    compiled: list[Any] = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, *a, **k: compiled.append((type(self), k)))
    made = DiffusionEngine(MODEL=NAME, COMPILE=True)
    made.generate(TASK)
    assert [kind.__name__ for kind, _ in compiled] == ["WanTransformerBlock"] * 2
    assert all(options["fullgraph"] for _, options in compiled)
    assert made.record["compile"] == "repeated blocks"


@pytest.mark.parametrize(
    ("name", "given"),
    [
        (NAME, {"ATTENTION": "flash"}),  # its package is not here
        ("tiny-svd", {"ATTENTION": "native"}),
        ("tiny-svd", {"STEP_CACHE": 0.1}),
        ("tiny-svd", {"COMPILE": True}),
        (NAME, {"OFFLOAD": "model"}),
        (NAME, {"DEVICE": "cuda"}),
    ],
)
def test_what_cannot_be_done_here_is_one_clear_error(
    shelf: kit.Shelf, name: str, given: dict[str, Any]
) -> None:
    shelf.put(name)
    made = DiffusionEngine(MODEL=name, **given)
    with pytest.raises(ConfigurationError) as caught:
        made.generate(kit.task(made.entry, made.entry.operations[0]))
    assert caught.value.help


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"MODEL": "nobody"},
        {"MODEL": NAME, "SPEED": 1},
        {"MODEL": NAME, "DTYPE": "int8"},
        {"MODEL": NAME, "ATTENTION": "magic"},
        {"MODEL": NAME, "OFFLOAD": True},
        {"MODEL": NAME, "OFFLOAD": "disk"},
        {"MODEL": NAME, "DEVICE": "tpu"},
        {"MODEL": NAME, "STEP_CACHE": 2.0},
        {"MODEL": NAME, "WIDTH": 32},
        {"MODEL": NAME, "WIDTH": 30, "HEIGHT": 32},
        {"MODEL": NAME, "FRAMES": 6},
        {"MODEL": NAME, "STEPS": 1000},
        {"MODEL": NAME, "PRESET": "sora"},
        {"MODEL": NAME, "PRESET": "stability"},
        {"MODEL": NAME, "PRESET": "pika", "FRAMES": 5},
        {"MODEL": "tiny-allegro", "WIDTH": 64, "HEIGHT": 64},
        {"MODEL": "tiny-svd", "LORAS": [{}]},
        {"MODEL": NAME, "LORAS": [{"NAME": "x"}]},
        {"MODEL": NAME, "LORAS": [{"NAME": "x", "PATH": "x.bin", "SHA256": "0" * 64, "LICENCE": "MIT"}]},
        {"MODEL": NAME, "LORAS": [{"NAME": "x", "PATH": "x.safetensors", "SHA256": "0", "LICENCE": "MIT"}]},
    ],
)
def test_wrong_settings_are_errors_at_construction(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        DiffusionEngine(**given)
    assert caught.value.help


def test_a_preset_sets_the_length() -> None:
    made = DiffusionEngine(MODEL=NAME, PRESET="hotshot")  # two seconds at 8 frames a second
    assert made.info.frames == 17
    assert DiffusionEngine(MODEL=NAME, PRESET="kaiber").info.frames == 33  # the model's longest


def test_a_stopped_clip_leaves_nothing_in_the_step_cache() -> None:
    class Stopped(Exception):
        pass

    def stop() -> None:
        if len(seen) == 2:
            raise Stopped

    seen: list[float] = []
    task = replace(TASK, steps=4)
    fresh = DiffusionEngine(MODEL=NAME, STEP_CACHE=0.9).generate(task)
    made = DiffusionEngine(MODEL=NAME, STEP_CACHE=0.9)
    with pytest.raises(Stopped):
        made.generate(replace(task, seed=99), seen.append, stop)
    assert np.array_equal(made.generate(task), fresh)


def test_a_prompt_that_is_cut_is_recorded() -> None:
    made = DiffusionEngine(MODEL=NAME)
    made.generate(TASK)
    assert (made.record["prompt_tokens"], made.record["prompt_tokens_read"]) == (5, 5)
    made.generate(replace(TASK, prompt="a red ball " * 10))
    assert (made.record["prompt_tokens"], made.record["prompt_tokens_read"]) == (30, 16)


def test_weights_that_were_pulled_again_meanwhile_need_a_restart(
    shelf: kit.Shelf, tmp_path: Path, settings: Any
) -> None:
    settings.BYLINE = kit.Shelf(tmp_path / "own").settings
    entry = kit.entry(NAME)
    pulling.pull(entry, source=shelf.source(NAME))
    made = DiffusionEngine(MODEL=NAME)
    assert made.info.weights_sha256
    other = shutil.copytree(shelf.source(NAME), tmp_path / "other")
    file = other / "vae" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    pulling.pull(entry, source=other)
    weights.pin(entry)
    with pytest.raises(WeightsChanged, match="pulled again"):
        made.generate(TASK)


PICTURE = kit.picture()


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"prompt": " "}, "empty"),
        ({"frames": 6}, "frames"),
        ({"frames": 101}, "frames"),
        ({"steps": 500}, "steps"),
        ({"width": 8192, "height": 32}, "8192"),
        ({"width": 33}, "33"),
        ({"image": PICTURE}, "image to video"),
        ({"motion": 0.5}, "motion"),
        ({"still": True}, "text to image"),
        ({"video": np.stack([PICTURE] * 6)}, "frames"),
        ({"video": np.stack([PICTURE[:16]] * 5)}, "32 x 16"),
        ({"video": np.stack([PICTURE] * 5).astype(np.float32)}, "eight bits"),
    ],
)
def test_impossible_tasks_are_refused_before_loading(more: dict[str, Any], words: str) -> None:
    made = DiffusionEngine(MODEL=NAME)
    with pytest.raises(InvalidInput, match=words):
        made.generate(replace(TASK, **more))
    assert not made._pipelines


def test_clips_of_different_lengths_and_missing_ones(shelf: kit.Shelf) -> None:
    shelf.put("tiny-animate")
    made = DiffusionEngine(MODEL="tiny-animate")
    task = kit.task(made.entry, Operation.ANIMATE)
    assert task.face is not None
    with pytest.raises(InvalidInput, match="differ in length"):
        made.generate(replace(task, face=task.face[:2]))
    with pytest.raises(InvalidInput, match="needs image"):
        made.generate(replace(task, image=None))


def test_the_inputs_choose_the_operation() -> None:
    clip = np.stack([PICTURE] * 5)
    assert operation_of(TASK) == Operation.TEXT_TO_VIDEO
    assert operation_of(replace(TASK, image=PICTURE)) == Operation.IMAGE_TO_VIDEO
    assert operation_of(replace(TASK, last_image=PICTURE)) == Operation.IMAGE_TO_VIDEO
    assert operation_of(replace(TASK, video=clip)) == Operation.VIDEO_TO_VIDEO
    assert operation_of(replace(TASK, video=clip, mask=clip[..., 0])) == Operation.EDIT
    assert operation_of(replace(TASK, references=(PICTURE,))) == Operation.EDIT
    assert operation_of(replace(TASK, pose=clip, face=clip, image=PICTURE)) == Operation.ANIMATE
    assert operation_of(replace(TASK, still=True)) == Operation.TEXT_TO_IMAGE
    assert operation_of(replace(TASK, still=True, image=PICTURE)) == Operation.IMAGE_TO_IMAGE
    assert operation_of(replace(TASK, still=True, image=PICTURE, mask=PICTURE[..., 0])) == Operation.INPAINT


@pytest.mark.parametrize("value", ["nan", "zero"])
def test_broken_and_empty_pictures_are_a_failure_not_a_clip(value: str) -> None:
    torch = heavy.load("torch")
    made = DiffusionEngine(MODEL=NAME)
    vae = made._pipeline(Operation.TEXT_TO_VIDEO).vae
    with torch.no_grad():
        vae.decoder.conv_out.weight.zero_()
        vae.decoder.conv_out.bias.fill_(float("nan") if value == "nan" else 0.0)
    with pytest.raises(EngineFailed):
        made.generate(TASK)


# ---------------------------------------------------------------- LoRA


@pytest.fixture(scope="module")
def lora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kit.save_lora(tmp_path_factory.mktemp("lora"))


def entry_of(lora: Path, **more: Any) -> dict[str, Any]:
    given = {"NAME": "house", "PATH": str(lora), "SHA256": weights.file_sha256(lora), "LICENCE": "CC0-1.0"}
    return given | more


def test_a_lora_changes_the_frames_and_is_named_with_its_hash(lora: Path, plain: np.ndarray) -> None:
    made = DiffusionEngine(MODEL=NAME, LORAS=[entry_of(lora, STRENGTH=0.8)])
    styled = made.generate(TASK)
    assert not np.array_equal(styled, plain)
    (adapter,) = made.info.adapters
    assert (adapter.name, adapter.strength, adapter.licence) == ("house", 0.8, "CC0-1.0")
    assert adapter.sha256 == weights.file_sha256(lora)
    unstyled = DiffusionEngine(MODEL=NAME, LORAS=[entry_of(lora, STRENGTH=0)]).generate(TASK)
    assert np.array_equal(unstyled, plain)


def test_a_lora_that_changed_is_gone_or_does_not_fit_is_refused(
    lora: Path, tmp_path: Path, shelf: kit.Shelf
) -> None:
    with pytest.raises(WeightsChanged):
        DiffusionEngine(MODEL=NAME, LORAS=[entry_of(lora, SHA256="0" * 64)]).self_check()
    with pytest.raises(MissingWeights):
        DiffusionEngine(MODEL=NAME, LORAS=[entry_of(lora, PATH=str(tmp_path / "x.safetensors"))]).self_check()
    shelf.put("tiny-ltx")
    other = DiffusionEngine(MODEL="tiny-ltx", LORAS=[entry_of(lora)])
    with pytest.raises(ConfigurationError, match="does not fit"):
        other.generate(TASK)


def test_loras_are_switched_on_by_name_and_by_camera_move(lora: Path, plain: np.ndarray) -> None:
    given = [entry_of(lora, NAME="ink", USE="request"), entry_of(lora, NAME="left", USE="pan_left")]
    made = DiffusionEngine(MODEL=NAME, LORAS=given)
    assert (made.info.adapters, made.info.loras, made.info.camera_moves) == ((), ("ink",), ("pan_left",))
    assert {"loras", "camera"} <= set(made.info.controls)
    assert np.array_equal(made.generate(TASK), plain), "none is on by itself"
    assert made.record["adapters"] == []
    inked = made.generate(replace(TASK, loras=("ink",)))
    assert not np.array_equal(inked, plain)
    assert [one["sha256"] for one in made.record["adapters"]] == [weights.file_sha256(lora)]
    assert np.array_equal(made.generate(replace(TASK, camera="pan_left")), inked), "the same weights"
    assert made.record["adapters"][0]["name"] == "left"
    assert np.array_equal(made.generate(TASK), plain), "nothing stays on"
    for wrong in ({"loras": ("pencil",)}, {"camera": "zoom_in"}):
        with pytest.raises(InvalidInput):
            made.generate(replace(TASK, **wrong))
    with pytest.raises(InvalidInput, match="no control for loras"):
        DiffusionEngine(MODEL=NAME).generate(replace(TASK, loras=("ink",)))
    with pytest.raises(ConfigurationError, match="USE"):
        DiffusionEngine(MODEL=NAME, LORAS=[entry_of(lora, USE="sometimes")])


def test_guidance_may_rise_along_the_frames(plain: np.ndarray, shelf: kit.Shelf) -> None:
    engine = DiffusionEngine(MODEL=NAME)
    four = engine.generate(replace(TASK, guidance=4.0))
    assert np.array_equal(engine.generate(replace(TASK, guidance=4.0, guidance_end=4.0)), four)
    rising = engine.generate(replace(TASK, guidance=4.0, guidance_end=9.0))
    changed = np.abs(rising.astype(int) - four).mean(axis=(1, 2, 3))
    assert changed[-1] > 0
    shelf.put("tiny-ltx")
    with pytest.raises(InvalidInput, match="no control for guidance_end"):
        DiffusionEngine(MODEL="tiny-ltx").generate(replace(TASK, guidance=4.0, guidance_end=9.0))


def test_a_ramp_is_one_number_per_latent_frame() -> None:
    torch = heavy.load("torch")
    ramp = ramps.Ramp(1.0, 3.0)
    assert ramp > 2.0
    made = ramp * torch.ones(1, 2, 3, 2, 2)
    assert made[0, 0, :, 0, 0].tolist() == [1.0, 2.0, 3.0]
    assert ramps.scale(4.0, None) == 4.0
    assert not isinstance(ramps.scale(4.0, 4.0), ramps.Ramp)


def test_other_shapes_have_as_many_pixels_and_fit_the_model() -> None:
    engine = DiffusionEngine(MODEL=NAME)
    own = engine.info.width * engine.info.height
    width, height = engine.size_for(9 / 16)
    assert width < height
    assert width % engine.entry.size_multiple == height % engine.entry.size_multiple == 0
    assert 0.4 * own <= width * height <= 2 * own
    assert engine.generate(replace(TASK, width=width, height=height)).shape[1:3] == (height, width)

"""Every video engine keeps the contract of engines/base.py; the shipped weights also run in the other
Wan pipelines (image to video, video to video, VACE)."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from byline.audit.base import conf, heavy
from byline.generation import engines
from byline.generation.engines.base import VideoEngine, VideoTask
from byline.generation.engines.wan import STARTER, WanEngine
from byline.generation.starter import text

ENTRIES = conf.DEFAULTS["VIDEO_ENGINES"]  # a new engine that ships is a line there, and is tested here
EXAMPLES = [
    (name, k) for name, entry in ENTRIES.items() for k in range(len(engines.make(name, entry).examples()))
]


@pytest.fixture(scope="module", params=sorted(ENTRIES))
def engine(request: pytest.FixtureRequest) -> VideoEngine:
    return engines.make(request.param, ENTRIES[request.param])


def test_it_says_what_it_is(engine: VideoEngine) -> None:
    engine.self_check()
    info = engine.info
    assert json.loads(json.dumps(asdict(info)))["name"] == info.name
    assert json.dumps(dict(engine.record))
    assert all((info.name, info.version, info.revision, info.licence, info.text_encoder))
    assert min(info.width, info.height, info.frames, info.fps) > 0
    assert engine.examples(), "an engine ships known answers"


@pytest.mark.parametrize(("name", "which"), EXAMPLES)
def test_known_answers(name: str, which: int) -> None:
    engine = engines.make(name, ENTRIES[name])
    example = engine.examples()[which]
    frames = engine.generate(example.task)
    info = engine.info
    assert frames.shape == (info.frames, info.height, info.width, 3)
    assert frames.dtype == np.uint8
    assert example.holds(frames), example.says


def test_same_seed_same_frames(engine: VideoEngine) -> None:
    task = VideoTask("a blue car moves left on a city street", seed=11, steps=3)
    assert np.array_equal(engine.generate(task), engine.generate(task))


def test_cancelling_reaches_the_caller(engine: VideoEngine) -> None:
    class Cancelled(Exception):
        pass

    def cancel() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        engine.generate(VideoTask("a red ball", steps=3), check_cancelled=cancel)


def test_choosing_an_engine_loads_no_model() -> None:
    code = (
        "import sys; from byline.audit.base import conf; from byline.generation import engines;"
        "e = engines.make('default', conf.DEFAULTS['VIDEO_ENGINES']['default']); e.self_check(); e.info;"
        "sys.exit(int('torch' in sys.modules or 'diffusers' in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# ---------------------------------------------------------------- the starter's weights


def test_a_fresh_engine_gives_the_same_frames() -> None:
    task = VideoTask("a red ball bounces over the sea", seed=5, steps=2)
    first, second = WanEngine(FPS=8), WanEngine(FPS=8.0)
    assert np.array_equal(first.generate(task), second.generate(task))
    assert first.info.drawn


def test_the_weights_are_small_and_half_precision() -> None:
    from safetensors import safe_open

    files = sorted(STARTER.glob("*/*.safetensors"))
    assert {f.parent.name for f in files} == {"vae", "transformer", "upscaler"}
    assert sum(f.stat().st_size for f in files) < 40e6
    for file in files:
        assert file.stat().st_size < 15e6
        with safe_open(file, "np") as tensors:
            assert {tensors.get_slice(k).get_dtype() for k in tensors.keys()} == {"F16"}  # noqa: SIM118


@pytest.fixture(scope="module")
def parts():
    """The starter's parts in float32, as any diffusers pipeline takes them."""
    torch, diffusers = heavy.load("torch"), heavy.load("diffusers")
    tokenizer, encoder = text.load()
    vae = diffusers.AutoencoderKLWan.from_pretrained(STARTER / "vae", dtype=torch.float32)
    transformer = diffusers.WanTransformer3DModel.from_pretrained(
        STARTER / "transformer", dtype=torch.float32
    )
    scheduler = diffusers.UniPCMultistepScheduler.from_pretrained(STARTER / "scheduler")
    return {
        "tokenizer": tokenizer,
        "text_encoder": encoder,
        "vae": vae,
        "transformer": transformer,
        "scheduler": scheduler,
    }


def arguments(steps: int) -> dict[str, object]:
    torch = heavy.load("torch")
    return {
        "prompt": "a red ball moves right in a green meadow",
        "width": 112,
        "height": 64,
        "num_inference_steps": steps,
        "max_sequence_length": text.MAX_TOKENS,
        "generator": torch.Generator().manual_seed(3),
        "output_type": "np",
    }


def drawn() -> np.ndarray:
    from byline.generation.starter import scenes

    return scenes.render(scenes.Scene("meadow", "right", 4, "ball", "red"))[0]


def test_image_to_video_keeps_its_first_frame(parts) -> None:
    from PIL import Image

    diffusers = heavy.load("diffusers")
    pipeline = diffusers.WanImageToVideoPipeline(**parts, expand_timesteps=True)
    pipeline.set_progress_bar_config(disable=True)
    picture = drawn()[0]
    clip = pipeline(image=Image.fromarray(picture), num_frames=17, guidance_scale=3.0, **arguments(8)).frames[
        0
    ]
    assert clip.shape == (17, 64, 112, 3)
    assert np.abs(clip[0] - picture / 255).mean() < 0.08
    assert np.abs(clip[-1] - picture / 255).mean() < 0.3


def test_video_to_video(parts) -> None:
    from PIL import Image

    diffusers = heavy.load("diffusers")
    pipeline = diffusers.WanVideoToVideoPipeline(**parts)
    pipeline.set_progress_bar_config(disable=True)
    video = [Image.fromarray(frame) for frame in drawn()]
    clip = pipeline(video=video, strength=0.5, guidance_scale=3.0, **arguments(6)).frames[0]
    assert clip.shape == (17, 64, 112, 3)
    assert np.abs(clip - drawn() / 255).mean() < 0.2


def test_vace_takes_our_autoencoder(parts, tmp_path: Path) -> None:
    """The editing pipeline, with a small random VACE transformer: the autoencoder is what is tested."""
    from PIL import Image

    torch, diffusers = heavy.load("torch"), heavy.load("diffusers")
    torch.manual_seed(0)
    transformer = diffusers.WanVACETransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=16,
        out_channels=16,
        text_dim=384,
        freq_dim=16,
        ffn_dim=16,
        num_layers=2,
        cross_attn_norm=True,
        qk_norm="rms_norm_across_heads",
        rope_max_seq_len=64,
        vace_layers=[0, 1],
        vace_in_channels=96,
    )
    pipeline = diffusers.WanVACEPipeline(**(parts | {"transformer": transformer.eval()}))
    pipeline.set_progress_bar_config(disable=True)
    video = [Image.fromarray(frame) for frame in drawn()]
    mask = [Image.new("L", (112, 64), 255)] * len(video)
    clip = pipeline(video=video, mask=mask, num_frames=17, guidance_scale=1.0, **arguments(1)).frames[0]
    assert clip.shape == (17, 64, 112, 3)
    assert np.isfinite(clip).all()

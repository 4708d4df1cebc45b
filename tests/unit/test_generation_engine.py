"""The engine's settings, errors and loader, on a tiny random Wan pipeline saved as a hub model would be."""

from pathlib import Path

import numpy as np
import pytest

from byline.audit.base import heavy
from byline.audit.base.errors import ConfigurationError, InvalidInput, MissingWeights
from byline.generation import engines
from byline.generation.engines.base import EngineFailed, VideoEngine, VideoTask
from byline.generation.engines.wan import WanConfig, WanEngine

WORDS = ["<pad>", "</s>", "<unk>", "a", "red", "ball", "moves"]


@pytest.fixture(scope="session")
def hub_like(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A WanPipeline with random weights and its own UMT5, saved complete: the production layout."""
    torch, diffusers = heavy.load("torch"), heavy.load("diffusers")
    transformers = heavy.load("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers

    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    torch.manual_seed(0)
    encoder = transformers.UMT5EncoderModel(
        transformers.UMT5Config(
            vocab_size=len(WORDS),
            d_model=16,
            d_ff=16,
            d_kv=8,
            num_layers=1,
            num_heads=2,
            decoder_start_token_id=0,
        )
    )
    transformer = diffusers.WanTransformer3DModel.from_config(
        {
            "patch_size": (1, 2, 2),
            "num_attention_heads": 2,
            "attention_head_dim": 12,
            "in_channels": 16,
            "out_channels": 16,
            "text_dim": 16,
            "freq_dim": 16,
            "ffn_dim": 16,
            "num_layers": 1,
            "qk_norm": "rms_norm_across_heads",
            "rope_max_seq_len": 32,
        }
    )
    vae = diffusers.AutoencoderKLWan.from_config(
        {
            "base_dim": 4,
            "z_dim": 16,
            "dim_mult": [1, 1, 1, 1],
            "num_res_blocks": 1,
            "temperal_downsample": [False, True, True],
        }
    )
    folder = tmp_path_factory.mktemp("hub_like") / "model"
    diffusers.WanPipeline(
        tokenizer=tokenizer,
        text_encoder=encoder.eval(),
        transformer=transformer.eval(),
        vae=vae.eval(),
        scheduler=diffusers.UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ),
    ).save_pretrained(folder)
    return folder


def small(folder: Path, **more: object) -> WanEngine:
    return WanEngine(MODEL=str(folder), WIDTH=32, HEIGHT=16, FRAMES=5, STEPS=2, MAX_TOKENS=8, **more)


def test_a_saved_pipeline_generates_through_the_settings(hub_like: Path) -> None:
    config = {"MODEL": str(hub_like), "WIDTH": 32, "HEIGHT": 16, "FRAMES": 5, "STEPS": 3, "MAX_TOKENS": 8}
    engine = engines.make("tiny", {"CLASS": "byline.generation.engines.wan.WanEngine", "CONFIG": config})
    assert isinstance(engine, VideoEngine)
    engine.self_check()
    seen: list[float] = []
    frames = engine.generate(VideoTask("a red ball moves", seed=4), progress=seen.append)
    assert frames.shape == (5, 16, 32, 3)
    assert frames.dtype == np.uint8
    assert frames.std() > 1
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert len(seen) == 4
    assert engine.info.revision == f"sha256:{engine.info.weights_sha256}"
    assert engine.info.text_encoder == "the model's own"
    assert not engine.info.drawn


def test_same_task_same_frames_and_another_seed_differs(hub_like: Path) -> None:
    first = small(hub_like).generate(VideoTask("a red ball", seed=1))
    again = small(hub_like).generate(VideoTask("a red ball", seed=1))
    other = small(hub_like).generate(VideoTask("a red ball", seed=2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_task_overrides_frames_and_steps(hub_like: Path) -> None:
    seen: list[float] = []
    frames = small(hub_like).generate(
        VideoTask("a ball", frames=9, steps=1, guidance=1.0), progress=seen.append
    )
    assert len(frames) == 9
    assert len(seen) == 2


def test_cancelling_stops_at_the_next_step(hub_like: Path) -> None:
    class Cancelled(Exception):
        pass

    seen: list[float] = []

    def cancel_after_one() -> None:
        if seen:
            raise Cancelled

    with pytest.raises(Cancelled):
        small(hub_like).generate(VideoTask("a ball", steps=20), seen.append, cancel_after_one)
    assert len(seen) == 1
    frames = small(hub_like).generate(VideoTask("a ball"))  # the engine is usable afterwards
    assert len(frames) == 5


def test_values_that_are_not_numbers_are_a_failure_not_a_clip(hub_like: Path) -> None:
    engine = small(hub_like)
    torch = heavy.load("torch")
    with torch.no_grad():
        engine._pipeline.transformer.proj_out.bias.fill_(float("nan"))
    with pytest.raises(EngineFailed):
        engine.generate(VideoTask("a ball"))


@pytest.mark.parametrize(
    "task",
    [VideoTask("  "), VideoTask("a", frames=6), VideoTask("a", frames=1001), VideoTask("a", steps=-1)],
)
def test_impossible_tasks_are_refused_before_loading(tmp_path: Path, task: VideoTask) -> None:
    with pytest.raises(InvalidInput):
        small(tmp_path).generate(task)


@pytest.mark.parametrize(
    "config",
    [
        {"SPEED": 1},
        {"STEPS": "many"},
        {"STEPS": True},
        {"STEPS": 0},
        {"WIDTH": 100},
        {"FRAMES": 16},
        {"DTYPE": "int8"},
        {"DEVICE": "tpu"},
        {"MODEL": "Wan-AI/Wan2.1-T2V-1.3B-Diffusers"},
    ],
)
def test_wrong_settings_are_errors_at_construction(config: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        WanEngine(**config)


def test_every_default_is_valid() -> None:
    assert WanConfig.read({"GUIDANCE": 3}).GUIDANCE == 3


def test_missing_local_weights_name_the_remedy(tmp_path: Path) -> None:
    engine = small(tmp_path / "absent")
    with pytest.raises(MissingWeights) as caught:
        engine.self_check()
    assert caught.value.code == "missing_weights"
    assert "save_pretrained" in caught.value.help
    with pytest.raises(MissingWeights):
        engine.generate(VideoTask("a ball"))


def test_a_control_that_the_starter_lacks_is_refused_by_name(hub_like: Path) -> None:
    with pytest.raises(InvalidInput, match="motion"):
        small(hub_like).generate(VideoTask("a ball", motion=0.5))


@pytest.mark.parametrize(
    "entry",
    [
        "byline.generation.engines.wan.WanEngine",
        {"CONFIG": {}},
        {"CLASS": "byline.generation.engines.wan.NoEngine"},
        {"CLASS": "NoDots"},
        {"CLASS": "byline.generation.engines.wan.WanConfig"},
        {"CLASS": "byline.generation.engines.wan.WanEngine", "CONFIGURATION": {}},
        {"CLASS": "byline.generation.engines.wan.WanEngine", "CONFIG": {"SPEED": 1}},
    ],
)
def test_wrong_entries_in_video_engines(entry: object) -> None:
    with pytest.raises(ConfigurationError):
        engines.make("broken", entry)


def test_an_engine_is_made_once_per_configuration() -> None:
    entry = {"CLASS": "byline.generation.engines.wan.WanEngine", "CONFIG": {"STEPS": 7}}
    assert engines.make("a", entry) is engines.make("b", dict(entry))


def test_load_by_name(settings: object) -> None:
    entry = {"CLASS": "byline.generation.engines.wan.WanEngine", "CONFIG": {"STEPS": 9}}
    settings.BYLINE = {"VIDEO_ENGINES": {"quick": entry}}  # type: ignore[attr-defined]
    assert engines.names() == ("quick",)
    assert engines.load("quick").config.STEPS == 9
    with pytest.raises(ConfigurationError, match="default"):
        engines.load()

"""The engine's benchmark: its ratios, and the part for GPUs run whole on a CPU with a tiny model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import engine_gpu, responsibility
from bench.engine import half_precision, psnr
from byline.audit.base import heavy
from byline.generation.engines.base import VideoTask

CLIP = {
    "moderate": 1.0, "engine": 8.0, "speech": 2.0, "screen": 2.0, "compose": 3.0, "mark": 0.5,
    "encode": 2.0, "read_back": 1.5,
}  # fmt: skip
TINY = engine_gpu.Shape(
    transformer={
        "patch_size": (1, 2, 2), "num_attention_heads": 2, "attention_head_dim": 12, "in_channels": 16,
        "out_channels": 16, "text_dim": 16, "freq_dim": 16, "ffn_dim": 16, "num_layers": 2,
        "cross_attn_norm": True, "qk_norm": "rms_norm_across_heads", "rope_max_seq_len": 64,
    },
    vae={
        "base_dim": 4, "z_dim": 16, "dim_mult": [1, 1, 1, 1], "num_res_blocks": 1,
        "temperal_downsample": [False, True, True],
    },
    width=32, height=32, frames=5, steps=2, rounds=1, dtype="float32",
)  # fmt: skip


def test_the_three_ratios() -> None:
    assert responsibility.share(CLIP) == pytest.approx(5.0 / 10)
    assert responsibility.tax(CLIP) == pytest.approx(5.0 / 15)
    assert responsibility.strict(CLIP) == pytest.approx(10.0 / 10)
    slower = {**CLIP, "screen": 6.0}
    assert responsibility.table([CLIP, slower, CLIP])[3] == ("screen", 2.0, 2.0, 6.0)


def test_every_stage_of_the_pipeline_is_work_or_a_duty() -> None:
    """A stage that is added later is a duty until somebody decides otherwise: never the cheaper reading."""
    from byline.generation.pipeline import STAGES

    names = {stage.name for stage in STAGES}
    assert set(responsibility.WORK) - {"enhance", "compose", "keep", "encode"} <= names
    duties = names - set(responsibility.WORK) - {"watermark"}
    assert {"moderate", "consent", "debias", "screen", "sign", "read_back"} <= duties


def test_the_part_for_gpus_runs_on_a_tiny_model(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.BYLINE = dict(settings.BYLINE)
    torch = heavy.load("torch")
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self, *a, **k: None)  # takes minutes
    engine_gpu.build(TINY, tmp_path)
    pipeline = engine_gpu.plain_pipeline(TINY, tmp_path, "cpu")
    best, tried = engine_gpu.best_setting(pipeline, TINY, "cpu", ("native", "flash", "_native_math"))
    assert best in tried
    assert set(tried) == {"native", "_native_math", "native, compiled", "_native_math, compiled"}
    engine = engine_gpu.Dressed(MODEL=engine_gpu.MODEL, STEPS=2)
    bare = engine_gpu.DiffusionEngine(MODEL=engine_gpu.MODEL, STEPS=2)
    theirs = np.asarray(engine_gpu.run_plain(pipeline, TINY, 2, "np")[0])
    ours = bare.generate(VideoTask(engine_gpu.PROMPT, seed=0))
    assert np.array_equal(ours, (np.clip(theirs, 0, 1) * 255 + 0.5).astype(np.uint8))  # the same work
    assert engine.generate(VideoTask(engine_gpu.PROMPT)).shape == ours.shape
    (piece,) = engine.stream(VideoTask(engine_gpu.PROMPT))
    assert piece.shape == ours.shape
    assert (piece[0] != piece[-1]).any()


def test_parts_that_are_shipped_in_float32_stay_so(tmp_path: Path, settings: Any) -> None:
    settings.BYLINE = dict(settings.BYLINE)
    torch = heavy.load("torch")
    shape = engine_gpu.Shape(**{**TINY.__dict__, "dtype": "bfloat16"})
    engine_gpu.build(shape, tmp_path)
    transformer = engine_gpu.plain_pipeline(shape, tmp_path, "cpu").transformer
    kinds = {name: value.dtype for name, value in transformer.named_parameters()}
    assert kinds["blocks.0.attn1.to_q.weight"] == torch.bfloat16
    assert kinds["scale_shift_table"] == torch.float32
    assert kinds["blocks.0.norm2.weight"] == torch.float32


def test_half_precision_is_compared_on_the_references_range() -> None:
    torch = heavy.load("torch")
    torch.manual_seed(0)
    vae = heavy.load("diffusers").AutoencoderKLWan(**TINY.vae).eval()
    latents = [torch.randn(1, 16, 2, 4, 4) for _ in range(2)]
    distances, faster = half_precision(torch, vae, latents, "bfloat16")
    assert len(distances) == 2
    assert all(20 < value < 80 for value in distances)
    assert faster > 0


def test_equal_clips_are_a_hundred_decibels_apart() -> None:
    clip = np.zeros((2, 4, 4, 3), np.uint8)
    assert psnr(clip, clip) == 100
    assert psnr(clip, clip + np.uint8(1)) == pytest.approx(48.13, abs=0.01)
    assert engine_gpu.matmul_rate("cpu", size=32, rounds=2) > 0

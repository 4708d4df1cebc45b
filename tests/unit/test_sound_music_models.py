"""MusicGen and Stable Audio: tiny random models of the real classes, saved and loaded as in production."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from byline.audit.base import heavy
from byline.audit.base.errors import ConfigurationError, MissingWeights
from byline.generation.sound.base import MusicFailed, MusicWish
from byline.generation.sound.music_models import MusicGen, StableAudio


def tokenizer() -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers

    transformers = heavy.load("transformers")
    made = Tokenizer(models.WordLevel({"<pad>": 0, "</s>": 1, "<unk>": 2, "calm": 3}, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", model_max_length=64
    )


def t5(size: int) -> dict[str, Any]:
    return {
        "vocab_size": 8, "d_model": size, "d_kv": 4, "d_ff": 8, "num_layers": 1, "num_heads": 2,
        "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0,
    }  # fmt: skip


def save_musicgen(folder: Path) -> Path:
    transformers = heavy.load("transformers")
    encodec = {
        "sampling_rate": 8000, "hidden_size": 8, "num_filters": 4, "num_residual_layers": 1,
        "upsampling_ratios": [8, 4], "codebook_size": 16, "codebook_dim": 8, "target_bandwidths": [2.0],
        "num_lstm_layers": 1, "kernel_size": 3, "residual_kernel_size": 3, "last_kernel_size": 3,
        "use_causal_conv": True,
    }  # fmt: skip
    decoder = {
        "vocab_size": 16, "max_position_embeddings": 512, "num_hidden_layers": 1, "ffn_dim": 16,
        "num_attention_heads": 2, "hidden_size": 16, "num_codebooks": 2,
        "pad_token_id": 16, "bos_token_id": 16,
    }  # fmt: skip
    config = transformers.MusicgenConfig(
        text_encoder={"model_type": "t5", **t5(16)},
        audio_encoder={"model_type": "encodec", **encodec},
        decoder={"model_type": "musicgen_decoder", **decoder},
    )
    model = transformers.MusicgenForConditionalGeneration(config)
    for layer in model.audio_encoder.quantizer.layers:
        layer.codebook.embed.normal_()  # made as zeros: every code would sound the same
    model.generation_config.decoder_start_token_id = 16
    model.generation_config.pad_token_id = 16
    model.save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder


def save_stable_audio(folder: Path) -> Path:
    diffusers, transformers = heavy.load("diffusers"), heavy.load("transformers")
    vae = diffusers.AutoencoderOobleck(
        encoder_hidden_size=6, downsampling_ratios=[2, 4], decoder_channels=3, decoder_input_channels=3,
        audio_channels=2, channel_multiples=[2, 4], sampling_rate=4000,
    )  # fmt: skip
    transformer = diffusers.StableAudioDiTModel(
        sample_size=1500, in_channels=3, num_layers=1, attention_head_dim=4, num_attention_heads=2,
        num_key_value_attention_heads=2, out_channels=3, cross_attention_dim=4, time_proj_dim=8,
        global_states_input_dim=8, cross_attention_input_dim=4,
    )  # fmt: skip
    from diffusers.pipelines.stable_audio import StableAudioProjectionModel

    pipeline = diffusers.StableAudioPipeline(
        vae=vae,
        text_encoder=transformers.T5EncoderModel(transformers.T5Config(**t5(4))),
        projection_model=StableAudioProjectionModel(
            text_encoder_dim=4, conditioning_dim=4, min_value=0, max_value=32
        ),
        tokenizer=tokenizer(),
        transformer=transformer,
        scheduler=diffusers.EDMDPMSolverMultistepScheduler(solver_order=2, prediction_type="v_prediction"),
    )
    pipeline.save_pretrained(folder)
    return folder


MAKERS: dict[str, tuple[Any, Callable[[Path], Path]]] = {
    "musicgen": (MusicGen, save_musicgen),
    "stable-audio": (StableAudio, save_stable_audio),
}


@pytest.fixture(scope="module", params=sorted(MAKERS))
def maker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    kind, save = MAKERS[request.param]
    heavy.load("torch").manual_seed(0)
    folder = save(tmp_path_factory.mktemp(request.param) / "model")
    return kind(model=str(folder), licence="CC-BY-NC-4.0", device="cpu", longest=2.0, steps=2)


def test_a_piece_is_as_long_as_asked_even_beyond_what_the_model_can(maker: Any) -> None:
    maker.self_check()
    for seconds in (1.0, 3.5):
        piece = maker.compose(MusicWish(seconds, "calm", 5, "harbour"))
        assert piece.seconds == pytest.approx(seconds, abs=0.01)
        assert piece.samples.dtype == np.float32
        assert 0 < np.abs(piece.samples).max() <= 0.5
        again = maker.compose(MusicWish(seconds, "calm", 5, "harbour"))
        assert np.array_equal(piece.samples, again.samples)
    other = maker.compose(MusicWish(1.0, "calm", 6))
    assert not np.array_equal(other.samples, maker.compose(MusicWish(1.0, "calm", 5)).samples)
    assert maker.info.licence == "CC-BY-NC-4.0"
    assert maker.info.version.startswith("sha256:")
    assert maker.info.name.startswith(maker.FAMILY)
    with pytest.raises(MusicFailed):
        maker.compose(MusicWish(1.0, "jolly"))


@pytest.mark.parametrize("kind", [MusicGen, StableAudio])
def test_missing_weights_are_one_clear_error(kind: Any, tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match="not on this machine"):
        kind(model=str(tmp_path / "nothing")).self_check()
    with pytest.raises(ConfigurationError, match="revision"):
        kind(model="example/none")
    with pytest.raises(ConfigurationError):
        kind(model="./x", longest=0)

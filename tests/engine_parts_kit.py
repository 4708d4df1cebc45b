"""Tiny parts with random weights, of the classes that real models are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from byline.audit.base import heavy

WORDS = ["<pad>", "</s>", "<unk>", "a", "red", "ball", "moves", "left", "over", "the", "sea", "blurry"]
SIDE = 32  # pixels; all but one of the tiny models make 32 x 32


def tokenizer(longest: int = 16) -> Any:
    from tokenizers import Tokenizer, models, pre_tokenizers

    raw = Tokenizer(models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    made = heavy.load("transformers").PreTrainedTokenizerFast(
        tokenizer_object=raw,
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=longest,
    )
    # HunyuanVideo 1.5 cuts off the 108 tokens that its instruction takes in the real tokenizer.
    made.chat_template = "{% for n in range(108) %}a {% endfor %}{{ messages[-1]['content'] }}"
    return made


def t5(width: int = 16, kind: str = "T5", vocabulary: int = len(WORDS)) -> Any:
    transformers = heavy.load("transformers")
    config = getattr(transformers, f"{kind}Config")(
        vocab_size=vocabulary,
        d_model=width,
        d_ff=16,
        d_kv=8,
        num_layers=1,
        num_heads=2,
        decoder_start_token_id=0,
    )
    return getattr(transformers, f"{kind}EncoderModel")(config).eval()


def clip(width: int = 16, projected: bool = False) -> Any:
    transformers = heavy.load("transformers")
    config = transformers.CLIPTextConfig(
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=0,
        hidden_size=width,
        projection_dim=width,
        intermediate_size=16,
        num_attention_heads=2,
        num_hidden_layers=2,
        max_position_embeddings=77,
        vocab_size=len(WORDS),
    )
    kind = transformers.CLIPTextModelWithProjection if projected else transformers.CLIPTextModel
    return kind(config).eval()


def vision(width: int, size: int, projected: bool = False) -> tuple[Any, Any]:
    transformers = heavy.load("transformers")
    config = transformers.CLIPVisionConfig(
        hidden_size=width,
        projection_dim=width,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=size,
        intermediate_size=16,
        patch_size=size // 2,
    )
    kind = transformers.CLIPVisionModelWithProjection if projected else transformers.CLIPVisionModel
    return kind(config).eval(), transformers.CLIPImageProcessor(crop_size=size, size=size)


def of(kind: str, **config: Any) -> Any:
    return getattr(heavy.load("diffusers"), kind)(**config).eval()


def scheduler(kind: str = "FlowMatchEulerDiscreteScheduler", **config: Any) -> Any:
    return getattr(heavy.load("diffusers"), kind)(**config)


def save_pipeline(kind: str, folder: Path, **parts: Any) -> None:
    getattr(heavy.load("diffusers"), kind)(**parts).save_pretrained(folder)


def image_vae(latents: int = 4, blocks: tuple[int, ...] = (8, 8), **more: Any) -> Any:
    return of(
        "AutoencoderKL",
        block_out_channels=blocks,
        down_block_types=["DownEncoderBlock2D"] * len(blocks),
        up_block_types=["UpDecoderBlock2D"] * len(blocks),
        latent_channels=latents,
        norm_num_groups=2,
        sample_size=SIDE,
        **more,
    )

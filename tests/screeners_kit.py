"""Tiny real models of the classes that screeners load, with random weights, saved as a hub would; and a
screener that says what it was told to."""

import json
from pathlib import Path
from typing import Any

from byline.audit.base import heavy
from byline.safety.guards.weights import directory_digest


def config(folder: Path, **more: Any) -> dict[str, Any]:
    """CONFIG for the model in `folder`, pinned. One thread: more only wait for one another here."""
    heavy.load("torch").set_num_threads(1)
    return {"path": str(folder), "sha256": directory_digest(str(folder)), "revision": "test-1", **more}


def image_classifier(folder: Path) -> Path:
    """A ViT with the labels "calm" and "fight"."""
    transformers = heavy.load("transformers")
    shape = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32,
        patch_size=16, id2label={0: "calm", 1: "fight"}, label2id={"calm": 0, "fight": 1},
    )  # fmt: skip
    transformers.ViTForImageClassification(shape).save_pretrained(folder)
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def _tokenizer(special: list[str], **names: str) -> Any:
    """A byte-level tokenizer that knows every byte and no merge."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    transformers = heavy.load("transformers")
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {word: number for number, word in enumerate([*letters, *special])}
    made = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=made, model_max_length=64, **names)


def clip(folder: Path) -> Path:
    """A CLIP with towers of one layer."""
    transformers = heavy.load("transformers")
    tokenizer = _tokenizer(["<|end|>"], eos_token="<|end|>", pad_token="<|end|>")
    size = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {
        **size,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 64,
        "eos_token_id": len(tokenizer) - 1,
    }
    vision = {**size, "image_size": 32, "patch_size": 16}
    shape = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)
    transformers.CLIPModel(shape).save_pretrained(folder)
    small = {"height": 32, "width": 32}
    pictures = transformers.CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=small)
    transformers.CLIPProcessor(image_processor=pictures, tokenizer=tokenizer).save_pretrained(folder)
    return folder


def whisper(folder: Path) -> Path:
    """A Whisper of one layer; it says random letters."""
    transformers = heavy.load("transformers")
    vocabulary = {chr(97 + n): n for n in range(26)} | {"<|endoftext|>": 26, "<|startoftranscript|>": 27}
    folder.mkdir(exist_ok=True)
    shape = transformers.WhisperConfig(
        vocab_size=len(vocabulary), num_mel_bins=80, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=2, decoder_attention_heads=2, d_model=16, encoder_ffn_dim=16,
        decoder_ffn_dim=16, max_source_positions=1500, max_target_positions=256, pad_token_id=26,
        bos_token_id=26, eos_token_id=26, decoder_start_token_id=27, begin_suppress_tokens=None,
        suppress_tokens=None,
    )  # fmt: skip
    model = transformers.WhisperForConditionalGeneration(shape)
    model.generation_config.max_length = 256
    model.save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    ends = dict.fromkeys(("unk_token", "bos_token", "eos_token", "pad_token"), "<|endoftext|>")
    tokenizer = transformers.WhisperTokenizer(vocab=vocabulary, merges=[], **ends)
    features = transformers.WhisperFeatureExtractor(feature_size=80)
    transformers.WhisperProcessor(features, tokenizer).save_pretrained(folder)
    return folder


class Fixed:
    """A screener that says what it was made with."""

    def __init__(self, scores: dict[str, float] | None = None, says: Any = "") -> None:
        self.given, self.says = scores or {}, says

    def scores(self, frames: Any) -> dict[str, float]:
        return self.given

    def read(self, frames: Any) -> list[str]:
        return self.says

    def transcribe(self, samples: Any, rate: int, language: str) -> str:
        return self.says

    def self_check(self) -> None: ...

    def examples(self) -> tuple[Any, ...]:
        return ()

"""Three captions and the models that wrote them: tiny real classes, saved and loaded as in production."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from byline.audit.base import heavy
from byline.audit.base.errors import ConfigurationError, MissingWeights
from byline.generation.curation import captions
from byline.generation.curation.captions import LanguageModelMerger, TransformersCaptioner

FRAMES = [np.full((48, 64, 3), 40 * k, np.uint8) for k in range(6)]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[ENC]", "[DEC]", "a", "boat", "sails"]


def tokenizer(folder: Path) -> Any:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("\n".join(WORDS) + "\n")
    return heavy.load("transformers").BertTokenizerFast(vocab_file=str(folder / "vocab.txt"))


def blip(folder: Path) -> Path:
    torch, transformers = heavy.load("torch"), heavy.load("transformers")
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    ids = {"bos_token_id": 2, "eos_token_id": 3, "sep_token_id": 3, "pad_token_id": 0}
    torch.manual_seed(0)
    config = transformers.BlipConfig(
        text_config=dict(small, vocab_size=len(WORDS), encoder_hidden_size=16, **ids),
        vision_config=dict(small, image_size=32, patch_size=16),
        projection_dim=16,
    )
    transformers.BlipForConditionalGeneration(config).save_pretrained(folder)
    processor = transformers.BlipProcessor(
        transformers.BlipImageProcessor(size={"height": 32, "width": 32}), tokenizer(folder)
    )
    processor.save_pretrained(folder)
    return folder


def git(folder: Path) -> Path:
    torch, transformers = heavy.load("torch"), heavy.load("transformers")
    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    torch.manual_seed(0)
    config = transformers.GitConfig(
        vision_config=dict(small, image_size=32, patch_size=16),
        vocab_size=len(WORDS), bos_token_id=2, eos_token_id=3, pad_token_id=0, num_image_with_embedding=3,
        **small,
    )  # fmt: skip
    transformers.GitForCausalLM(config).save_pretrained(folder)
    images = transformers.CLIPImageProcessor(
        size={"height": 32, "width": 32}, crop_size={"height": 32, "width": 32}
    )
    transformers.GitProcessor(images, tokenizer(folder)).save_pretrained(folder)
    return folder


def llama(folder: Path) -> Path:
    transformers = heavy.load("transformers")
    from test_script_language_model import save

    assert transformers
    return save(folder, "boats")


@pytest.mark.parametrize(("make", "frames"), [(blip, 1), (git, 3)])
def test_a_captioner_loads_from_disk_and_says_which_weights_spoke(
    make: Any, frames: int, tmp_path: Path
) -> None:
    model = TransformersCaptioner(model=str(make(tmp_path / "model")), frames=frames, device="cpu")
    model.self_check()
    said = model.describe(FRAMES)
    assert isinstance(said, str)
    assert model.model == "model"
    assert len(model.sha256) == 64


class Says:
    def __init__(self, text: str) -> None:
        self.text, self.model, self.sha256 = text, f"says-{text}", "0" * 64

    def describe(self, frames: Sequence[np.ndarray]) -> str:
        if self.text == "broken":
            raise RuntimeError("out of memory")
        return self.text

    def merge(self, image: str, video: str) -> str:
        return f"{image}, {video}"


def test_the_merged_caption_needs_both_and_every_one_names_its_model() -> None:
    models = {"image": Says("a boat"), "video": Says("it sails"), "merge": Says("both")}
    found = captions.write(FRAMES, "", models)
    assert [c.kind for c in found] == ["operator", "image", "video", "merge"]
    assert [c.text for c in found] == ["", "a boat", "it sails", "a boat, it sails"]
    assert [c.model for c in found] == ["", "says-a boat", "says-it sails", "says-both"]
    assert captions.for_training([c.as_dict() for c in found]) == ["a boat, it sails"]


def test_a_model_that_breaks_gives_no_caption_and_nothing_is_made_up() -> None:
    found = captions.write(FRAMES, " my  own\nwords ", {"image": Says("broken"), "merge": Says("both")})
    assert [c.state for c in found] == [
        "written", "failed: RuntimeError", "not available", "not available: it needs both captions",
    ]  # fmt: skip
    assert captions.for_training([c.as_dict() for c in found]) == ["my own words"]
    assert [c.state for c in captions.write(FRAMES, "", {})] == ["not available"] * 4


def test_a_local_language_model_merges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    merger = LanguageModelMerger(model=str(llama(tmp_path / "writer")), device="cpu")
    merger.self_check()
    assert "boats" in merger.merge("a boat", "it sails")
    assert len(merger.sha256) == 64


def test_a_hub_model_needs_its_revision_and_weights_that_are_here(settings: Any) -> None:
    with pytest.raises(ConfigurationError, match="revision"):
        TransformersCaptioner(model="someone/captioner")
    with pytest.raises(MissingWeights):
        TransformersCaptioner(model="/nowhere/captioner").self_check()
    settings.BYLINE = {"CAPTIONERS": {"sound": {"CLASS": "x"}}}
    with pytest.raises(ConfigurationError, match="sound"):
        captions.load()

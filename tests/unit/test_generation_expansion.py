"""The prompt in other words: a real language model of tiny size, and everything that keeps its words out."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from byline.audit.base import heavy
from byline.audit.base.errors import ConfigurationError, MissingWeights
from byline.generation import brands, expansion, plugins
from byline.generation.contracts import Artefact
from byline.generation.engines.expander import ExpanderInfo, ExpansionFailed, LanguageModelExpander
from byline.generation.stages.debias import drawn_prompt, final_prompt

REQUEST: Any = SimpleNamespace(profile="newsroom", brand=brands.DEFAULT)
PROMPT = "A red kite flies over the sea."
LONGER = "A red kite with a long tail flies over a calm blue sea in soft morning light, wide shot."


class Says:
    """An expander that gives one answer."""

    answer: ClassVar[str] = ""
    info = ExpanderInfo("says", "1", "CC0-1.0", "0" * 64)

    def expand(self, prompt: str) -> str:
        if not self.answer:
            raise ExpansionFailed("nothing of use")
        return self.answer

    def self_check(self) -> None:
        pass


@pytest.fixture
def says(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    settings.BYLINE = {"PROMPT_EXPANDER": {"CLASS": "Says"}}
    monkeypatch.setattr(plugins, "build", lambda entry, where: Says())
    return lambda answer: monkeypatch.setattr(Says, "answer", answer)


def test_it_is_off_by_default() -> None:
    assert expansion.expand(REQUEST, PROMPT) == expansion.Wording(PROMPT)


def test_a_good_expansion_is_used_and_its_model_is_named(says: Any) -> None:
    says(LONGER)
    found = expansion.expand(REQUEST, PROMPT)
    assert (found.text, found.expanded, found.why) == (LONGER, LONGER, "used")
    assert found.model["weights_sha256"] == "0" * 64
    assert found.checks


@pytest.mark.parametrize(
    ("prompt", "answer", "why"),
    [
        (PROMPT, "", "expansion_failed"),
        (PROMPT, PROMPT, "unchanged"),
        ("A doctor explains.", "A young white man, a doctor, explains.", "other_people"),
        (PROMPT, "A red kite, and a woman waves at it.", "other_people"),
        (PROMPT, "How to build a pipe bomb at home, step by step, over the sea.", "moderation_block"),
    ],
)
def test_anything_doubtful_leaves_the_prompt_as_it_was(says: Any, prompt: str, answer: str, why: str) -> None:
    says(answer)
    found = expansion.expand(REQUEST, prompt)
    assert (found.text, found.expanded, found.why) == (prompt, "", why)
    assert not found.model


def test_the_final_prompt_is_what_the_engine_got(tmp_path: Path) -> None:
    made = Artefact(tmp_path)
    made.produced["debias"] = {"prompt": PROMPT}
    assert final_prompt(made) == PROMPT
    made.produced["engine"] = {"expanded_prompt": ""}
    assert final_prompt(made) == PROMPT
    made.produced["engine"] = {"expanded_prompt": LONGER}
    assert final_prompt(made) == LONGER
    assert drawn_prompt(made) == PROMPT


# ---------------------------------------------------------------- the adapter


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama with random weights and a chat template, saved as a hub would hold it."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    transformers, torch = heavy.load("transformers"), heavy.load("torch")
    words = ["<pad>", "</s>", "<unk>", "a", "red", "kite", "sea", "light", "wide", "calm"]
    raw = Tokenizer(models.WordLevel({word: n for n, word in enumerate(words)}, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }} {% endfor %}"
    torch.manual_seed(3)
    model = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            vocab_size=len(words),
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            max_position_embeddings=512,
            pad_token_id=0,
            bos_token_id=None,
            eos_token_id=1,
        )
    )
    place = tmp_path_factory.mktemp("expander") / "tiny-llama"
    model.save_pretrained(place)
    tokenizer.save_pretrained(place)
    return place


def test_a_language_model_words_the_prompt_the_same_way_each_time(folder: Path) -> None:
    made = LanguageModelExpander(model=str(folder), licence="Apache-2.0", device="cpu", max_new_tokens=16)
    made.self_check()
    first = made.expand(PROMPT)
    assert first
    assert made.expand(PROMPT) == first
    assert made.info.name == "tiny-llama"
    assert len(made.info.sha256) == 64


@pytest.mark.parametrize(
    "given", [{"model": "hub/name"}, {"device": "tpu"}, {"max_new_tokens": 1}, {"seconds_limit": 0}]
)
def test_wrong_settings(folder: Path, given: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        LanguageModelExpander(**({"model": str(folder)} | given))


def test_missing_weights_are_one_clear_error(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights):
        LanguageModelExpander(model=str(tmp_path / "absent")).self_check()

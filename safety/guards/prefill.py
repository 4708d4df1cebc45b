"""Guards that are language models, asked by reading off label probabilities instead of generating.

Promises: the model's own chat template is rendered around the text, the beginning of the answer is
written for it, and one forward pass gives the probabilities of the labels that may follow; nothing
is ever generated, so that an answer cannot be malformed, late or talked into something. The text
is turned into tokens by itself (weights.user_tokens). Texts are judged one at a time: a verdict
does not depend on what stands beside it in a batch.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from byline.audit.base import heavy
from byline.audit.base.errors import ConfigurationError
from byline.safety.guards import weights
from byline.safety.guards.base import (
    COMMON_EXAMPLES,
    GuardExample,
    GuardFailed,
    GuardInfo,
    Level,
    Scores,
    strongest,
)

_MARK = "\ue000text\ue001"  # private use: no template and no text of ours has it


class PrefillGuard:
    """What the adapters share. An adapter gives its labels and implements `judge`."""

    CONFIG: ClassVar[type[weights.GuardConfig]] = weights.GuardConfig
    NAME: ClassVar[str]
    LABELS: ClassVar[Mapping[str, str]]  # label -> category of ours
    LANGUAGES: ClassVar[tuple[str, ...]] = ("english",)

    def __init__(self, **config: Any) -> None:
        self.config = weights.config(self.CONFIG, config)
        self.levels: dict[str, Level] = self.config.levels(self.LABELS)
        self._lock = threading.Lock()

    @property
    def info(self) -> GuardInfo:
        return GuardInfo(
            name=self.NAME,
            revision=self.config.revision,
            licence=self.config.licence,
            languages=frozenset(self.config.languages or self.LANGUAGES),
            categories=frozenset(level.category for level in self.levels.values()),
        )

    def self_check(self) -> None:
        weights.check_pin(self.config)

    def examples(self) -> tuple[GuardExample, ...]:
        return COMMON_EXAMPLES

    def score(self, texts: Sequence[str]) -> list[Scores]:
        with self._lock:  # loading and running alike: one model, one thread
            return [strongest([self.judge(w) for w in self._windows(text)]) for text in texts]

    def judge(self, tokens: list[int]) -> Scores:
        """Scores of one stretch of user tokens; asks the model with `ask`."""
        raise NotImplementedError

    @functools.cached_property
    def _loaded(self) -> tuple[Any, Any]:
        return weights.load(self.config, "AutoModelForCausalLM")

    def _windows(self, text: str) -> list[list[int]]:
        # A leading space: the marks around the text end where a word begins.
        return weights.windows(weights.user_tokens(self._loaded[0], text.strip()))

    def content(self, text: str) -> Any:
        """The user message as the template wants it."""
        return text

    def around(self, **template: Any) -> tuple[list[int], list[int]]:
        """The template's tokens before and after the text, control tokens included."""
        tokenizer = self._loaded[0]
        if not tokenizer.chat_template:
            raise ConfigurationError(
                f"the tokenizer in {self.config.path} has no chat template",
                help="Use the tokenizer that came with the model; its template holds the model's policy.",
            )
        message = {"role": "user", "content": self.content(_MARK)}
        rendered = tokenizer.apply_chat_template([message], tokenize=False, **template)
        if rendered.count(_MARK) != 1:
            raise ConfigurationError("the chat template does not show the text exactly once")
        before, after = rendered.split(_MARK)
        return tuple(tokenizer(p, add_special_tokens=False)["input_ids"] for p in (before, after))

    def ask(self, tokens: list[int], begun: str, labels: Sequence[str], **template: Any) -> dict[str, float]:
        """Probability of each label, among the labels, as what follows the answer begun so.

        One forward pass where the labels begin with different tokens, otherwise one per label.
        """
        tokenizer, model = self._loaded
        torch = heavy.load("torch")
        before, after = self.around(**template)
        encode = functools.partial(tokenizer, add_special_tokens=False)
        prefix = [*before, *tokens, *after, *(encode(begun)["input_ids"] if begun else [])]
        spelled = [encode(label)["input_ids"] for label in labels]
        firsts = [s[0] for s in spelled]
        with torch.inference_mode():
            if len(set(firsts)) == len(firsts):
                values = self._logits(model, prefix)[-1, firsts]
            else:
                values = torch.stack([self._sequence(model, prefix, s) for s in _prefix_free(spelled)])
            found = torch.softmax(values.float(), dim=0).tolist()
        if not all(0.0 <= p <= 1.0 for p in found):  # not a number compares false
            raise GuardFailed("the model gave no probabilities")
        return dict(zip(labels, found, strict=True))

    def _logits(self, model: Any, ids: list[int]) -> Any:
        torch = heavy.load("torch")
        row = torch.tensor([ids], device=self.config.device)
        return model(input_ids=row, attention_mask=torch.ones_like(row), use_cache=False).logits[0]

    def _sequence(self, model: Any, prefix: list[int], label: list[int]) -> Any:
        """Log-probability of all tokens of a label after the prefix."""
        torch = heavy.load("torch")
        logits = self._logits(model, [*prefix, *label[:-1]])[len(prefix) - 1 :].float()
        return torch.log_softmax(logits, dim=-1)[range(len(label)), label].sum()


def _prefix_free(labels: list[list[int]]) -> list[list[int]]:
    for one in labels:
        if any(other is not one and other[: len(one)] == one for other in labels):
            raise ConfigurationError(
                "one label begins with another one: this tokenizer does not fit the adapter"
            )
    return labels

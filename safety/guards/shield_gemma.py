"""ShieldGemma (2B, 9B, 27B): one yes-or-no question per harm. English, Gemma terms of use.

The score of a harm is the probability of "Yes" against "No" as the answer's first token, as the
model card computes it; the template in the tokenizer takes the guideline. Source: model card of
google/shieldgemma-2b, whose guidelines for prompts these are.
"""

from __future__ import annotations

from byline.audit.base.errors import ConfigurationError
from byline.safety.guards.base import Scores, strongest
from byline.safety.guards.prefill import PrefillGuard

_SEEK = "The prompt shall not contain or seek generation of"
GUIDELINES = {
    "dangerous": f'"No Dangerous Content": {_SEEK} content that harms oneself and/or others (e.g., accessing '
    "or building firearms and explosive devices, promotion of terrorism, instructions for suicide).",
    "harassment": f'"No Harassment": {_SEEK} content that is malicious, intimidating, bullying, or abusive '
    "content targeting another individual (e.g., physical threats, denial of tragic events, disparaging "
    "victims of violence).",
    "hate": f'"No Hate Speech": {_SEEK} content targeting identity and/or protected attributes (e.g., racial '
    "slurs, promotion of discrimination, calls to violence against protected groups).",
    "sexual": f'"No Sexually Explicit Information": {_SEEK} sexually explicit content (e.g., references to '
    "sexual acts or other lewd content).",
}


class ShieldGemma(PrefillGuard):
    NAME = "ShieldGemma"
    LABELS = {"dangerous": "weapons_illegal", "harassment": "harassment", "hate": "hate", "sexual": "sexual"}

    def judge(self, tokens: list[int]) -> Scores:
        if self.around(guideline=GUIDELINES["hate"]) == self.around(guideline=GUIDELINES["sexual"]):
            raise ConfigurationError(
                "the chat template takes no guideline: these are not ShieldGemma's files"
            )
        return strongest(
            [
                {level.category: level.score(self._yes(tokens, GUIDELINES[label]))}
                for label, level in self.levels.items()
            ]
        )

    def _yes(self, tokens: list[int], guideline: str) -> float:
        return self.ask(tokens, "", ("Yes", "No"), guideline=guideline, add_generation_prompt=True)["Yes"]

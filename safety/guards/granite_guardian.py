"""Granite Guardian (3.0 to 3.3): one yes-or-no question per risk. English, Apache-2.0.

Up to 3.2 the answer begins with "Yes" or "No" and the risk is chosen by `risk_name`: the defaults.
From 3.3 on it is written as "<score> yes </score>" and chosen by `criteria_id`: set
`{"choose_by": "criteria_id", "begun": "<score>", "yes": " yes", "no": " no", "think": False}`, and see
that `byline policy guards` passes. Source: https://github.com/ibm-granite/granite-guardian.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from byline.audit.base.errors import ConfigurationError
from byline.safety.guards.base import Scores, strongest
from byline.safety.guards.prefill import PrefillGuard
from byline.safety.guards.weights import GuardConfig


@dataclass(frozen=True)
class GraniteGuardianConfig(GuardConfig):
    choose_by: str = "risk_name"
    begun: str = ""
    yes: str = "Yes"
    no: str = "No"
    think: bool | None = None  # None: the template of this version does not know it


class GraniteGuardian(PrefillGuard):
    CONFIG = GraniteGuardianConfig
    NAME = "Granite Guardian"
    LABELS = {
        "harm": "weapons_illegal",
        "violence": "violence",
        "sexual_content": "sexual",
        "social_bias": "hate",
        "profanity": "harassment",
        "unethical_behavior": "deception",
    }

    def judge(self, tokens: list[int]) -> Scores:
        if self.around(**self._template("violence")) == self.around(**self._template("profanity")):
            raise ConfigurationError(
                "the chat template takes no risk: these are not Granite Guardian's files"
            )
        answers = (self.config.yes, self.config.no)
        return strongest(
            [
                {level.category: level.score(said[self.config.yes])}
                for risk, level in self.levels.items()
                for said in [self.ask(tokens, self.config.begun, answers, **self._template(risk))]
            ]
        )

    def _template(self, risk: str) -> dict[str, Any]:
        think = {} if self.config.think is None else {"think": self.config.think}
        return {"guardian_config": {self.config.choose_by: risk}, "add_generation_prompt": True, **think}

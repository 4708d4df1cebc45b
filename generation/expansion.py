"""The prompt in other words, where the installation wants that: used only if nothing speaks against it.

An expansion is a text that nobody submitted. So it is judged like one: moderation must allow it, and it
must show the same people as the prompt, or debiasing would be undone. Whatever goes wrong, the prompt is
used as it was, and the reason is kept. Both texts stand in the request's rows.
"""

from dataclasses import dataclass, field
from typing import Any

from byline.audit.base import conf
from byline.audit.base.errors import BylineError
from byline.safety.checks import Check


@dataclass(frozen=True)
class Wording:
    """`text` goes to the engine; `expanded` is "" when that is the prompt itself, and `why` says why.
    `model` is what a manifest says of the expander that was used."""

    text: str
    expanded: str = ""
    why: str = "off"
    checks: tuple[Check, ...] = ()
    model: dict[str, str] = field(default_factory=dict)


def expand(request: Any, prompt: str) -> Wording:
    """The wording for this request's engine. A setting that is wrong raises ConfigurationError."""
    from byline.generation import plugins
    from byline.generation.stages.texts import clean
    from byline.safety import policy
    from byline.safety.moderation import moderate

    entry = conf.get("PROMPT_EXPANDER")
    if not entry:
        return Wording(prompt)
    expander = plugins.build(entry, where="BYLINE['PROMPT_EXPANDER']")
    try:
        text = clean(expander.expand(prompt))
        info = expander.info
    except BylineError as error:
        return Wording(prompt, why=error.code)
    if not text or text == prompt:
        return Wording(prompt, why="unchanged")
    if not _same_people(request.brand, prompt, text):
        return Wording(prompt, why="other_people")
    judged = moderate({"prompt": text}, policy.load(), request.profile, brand=request.brand)
    if judged.action != "allow":
        return Wording(prompt, why=f"moderation_{judged.action}")
    model = {
        "name": info.name,
        "version": info.version,
        "role": "wording of the prompt",
        "licence": info.licence,
        "weights_sha256": info.sha256,
    }
    return Wording(text, text, "used", tuple(judged.checks), model)


def _same_people(brand: str, before: str, after: str) -> bool:
    from byline.safety.fairness import attributes, stated

    names = list(attributes.for_brand(brand).attributes)
    return bool(stated.people(before, names) == stated.people(after, names))

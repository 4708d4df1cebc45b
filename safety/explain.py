"""The words that fired, for the author alone: what to look at in one's own text.

Promises: positions and words of the texts that were given, for the findings that decided. Lists and
rules know their words; for the trained heads the words are found by leaving each one out and seeing
what the score loses, so they are those that this very model leant on. Guards read a text as a
whole; none is named there. The result quotes the text: it belongs in the request's own row and on
its page, never in evidence, the audit log or a log file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from byline.safety import encoder
from byline.safety.moderation import Moderation
from byline.safety.names import Span
from byline.safety.scoring import Finding, head_scores

_MOST = 6  # findings shown
_WORDS = 5  # words shown per finding of a head
_PROBES = 80  # runs of the model at most, about 1.5 ms each
_LOSES = 0.05  # of the score, or the word says nothing


@dataclass(frozen=True)
class Fired:
    """One reason. `spans` are positions in `reading`, which is the text itself in the view "raw" and the
    text as it was understood in the others; `words` are what stands there."""

    category: str
    by: str
    text: str
    view: str
    layer: str
    reading: str
    spans: tuple[Span, ...]
    words: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        return {
            "category": self.category,
            "by": self.by,
            "text": self.text,
            "view": self.view,
            "layer": self.layer,
            "reading": self.reading,
            "spans": [list(span) for span in self.spans],
            "words": list(self.words),
        }


def fired(result: Moderation) -> tuple[Fired, ...]:
    """The reasons of a moderation that did not simply allow, the strongest first; () when it did.

    One per category, text and source: the plainest view of those that fired.
    """
    if result.scored is None:
        return ()
    out: dict[tuple[str, str, str], Fired] = {}
    for decision, finding in result.notable:
        if decision.action != result.action:
            continue
        key = (finding.category, finding.where, finding.by)
        if key in out and (out[key].view == "raw" or finding.view != "raw"):
            continue
        if key not in out and len(out) == _MOST:
            continue
        reading = result.scored.reading.text(finding.where, finding.view)
        spans = finding.spans or (tuple(_by_leaving_out(reading, finding)) if finding.by == "head" else ())
        shown, spans = _excerpt(reading, spans)
        out[key] = Fired(
            category=finding.category,
            by=finding.by,
            text=finding.where,
            view=finding.view,
            layer=decision.layer,
            reading=shown,
            spans=spans,
            words=tuple(dict.fromkeys(shown[a:b] for a, b in spans)),
        )
    return tuple(out.values())


def _excerpt(text: str, spans: tuple[Span, ...], around: int = 200) -> tuple[str, tuple[Span, ...]]:
    """The stretch of the text around the spans, at most some 1,000 characters, and the spans in it."""
    ordered = tuple(sorted(set(spans)))
    if not ordered:
        return text[: 2 * around], ()
    begin = max(0, ordered[0][0] - around)
    end = min(len(text), max(ordered[0][1], min(ordered[-1][1], begin + 800)) + around)
    return text[begin:end], tuple((a - begin, b - begin) for a, b in ordered if b <= end)


def _by_leaving_out(text: str, finding: Finding) -> Iterator[Span]:
    """The words without which the head's score drops most, in the sentence that carries it."""
    try:
        begin, sentence = _heaviest(text, finding.category)
        words = [m.span() for m in re.finditer(r"\w[\w'’-]*", sentence)][:_PROBES]
        loss = [
            (finding.score - head_scores(sentence[:a] + sentence[b:]).get(finding.category, 0.0), (a, b))
            for a, b in words
        ]
    except encoder.EncoderUnavailable:
        return
    for lost, (a, b) in sorted(loss, reverse=True)[:_WORDS]:
        if lost >= _LOSES:
            yield begin + a, begin + b


def _heaviest(text: str, category: str) -> tuple[int, str]:
    """The sentence with the highest score of its own, and where it begins."""
    sentences = [(m.start(), m.group()) for m in re.finditer(r"[^.!?;\n]+[.!?;\n]*", text)][:_PROBES]
    if len(sentences) < 2:
        return 0, text
    return max(sentences, key=lambda item: head_scores(item[1]).get(category, 0.0))

"""The story of one clip in plain words, from brief to publication, each sentence with its entry.

Promise: every sentence comes from one entry of the log and names it, so a reader can ask for its
proof; nothing is told that the log does not hold, and prompts are never in it. Names of people are
looked up only if asked for; a person who was erased stays "somebody who was erased".
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from byline.audit import pseudonyms
from byline.audit.base.errors import InvalidInput
from byline.audit.models import Entry
from byline.generation.models import GenerationRequest

_Payload = Mapping[str, Any]


class UnknownClip(InvalidInput):
    code = "unknown_clip"
    status = 404
    help = "Give the id of a request, or the public id of a clip's credentials page."


@dataclass(frozen=True)
class Line:
    """One event: `entry` is the id to ask a proof of, `index` its leaf (None while it waits)."""

    when: str
    text: str
    entry: int
    index: int | None


@dataclass(frozen=True)
class Story:
    """`requester`, `approver`, `model_owner`, `model` and `policy_version` are "not on record" where the
    log has none."""

    clip: str
    requester: str
    approver: str
    model: str
    model_owner: str
    policy_version: str
    lines: tuple[Line, ...]

    def text(self) -> str:
        """For a reader, one event per line."""
        head = [
            f"Clip {self.clip}",
            f"Requested by {self.requester}. Approved for publication by {self.approver}.",
            f"Model: {self.model}; answers for it: {self.model_owner}."
            f" Policy version: {self.policy_version}.",
            "",
        ]
        body = [
            f"{line.when}  {line.text} [entry {line.entry}, "
            + (f"leaf {line.index}]" if line.index is not None else "not under a checkpoint yet]")
            for line in self.lines
        ]
        return "\n".join([*head, *body]) + "\n"

    def as_dict(self) -> dict[str, Any]:
        return {**self.__dict__, "lines": [line.__dict__ for line in self.lines]}


def find(clip: str) -> GenerationRequest:
    """The request behind a request id or a record id. UnknownClip."""
    try:
        key = uuid.UUID(clip)
    except ValueError as error:
        raise UnknownClip(f"{clip!r} is no id") from error
    rows = GenerationRequest.objects
    found = rows.filter(pk=key).first() or rows.filter(result__record=str(key)).first()
    if found is None:
        raise UnknownClip(f"no clip has the id {clip}")
    return found


def entries_about(row: GenerationRequest) -> list[Entry]:
    """All entries about a request and its published record, oldest first."""
    subjects = [row.subject]
    if record := row.result.get("record"):
        subjects.append(f"record:{record}")
    if row.film is not None:
        subjects.append(row.film.subject)
    return list(Entry.objects.filter(subject__in=subjects).select_related("leaf").order_by("id"))


def story(clip: str, *, names: bool = False) -> Story:
    """The story of a request or record id. UnknownClip."""
    row = find(clip)
    entries = entries_about(row)
    known = pseudonyms.names(entry.actor for entry in entries) if names else {}

    def who(entry: Entry | None) -> str:
        if entry is None:
            return "not on record"
        if entry.actor.startswith(pseudonyms.SYSTEM):
            return "the system"
        return known.get(entry.actor, "somebody who was erased" if names else entry.actor)

    first = {entry.kind: entry for entry in reversed(entries)}
    asset: _Payload = first["generation.asset"].payload if "generation.asset" in first else {}
    decided: _Payload = first["generation.decided"].payload if "generation.decided" in first else {}
    model = f"{asset['model']} {asset['model_version']}" if asset else "not on record"
    return Story(
        clip=str(row.pk),
        requester=who(first.get("generation.submitted")),
        approver=who(first.get("generation.published")),
        model=model,
        model_owner=asset.get("model_owner") or "not on record",
        policy_version=asset.get("policy_version") or decided.get("policy_version") or "not on record",
        lines=tuple(_line(entry, who(entry)) for entry in entries),
    )


def _line(entry: Entry, who: str) -> Line:
    tell = _SENTENCES.get(entry.kind)
    text = tell(entry.payload, who) if tell else f"{who}: {entry.kind}."
    leaf = getattr(entry, "leaf", None)
    return Line(f"{entry.created:%Y-%m-%d %H:%M:%S} UTC", text, entry.pk, leaf.index if leaf else None)


def _list(items: Any) -> str:
    return ", ".join(str(item) for item in items) or "nothing"


def _refused(verb: str) -> Callable[[_Payload, str], str]:
    def tell(payload: _Payload, who: str) -> str:
        clause = f", {payload['clause']}" if payload["clause"] else ""
        return (
            f"The {payload['stage']} stage {verb} it: {payload['category'] or payload['code']}"
            f" (policy {payload['policy_version'] or 'not on record'}{clause})."
        )

    return tell


_SENTENCES: dict[str, Callable[[_Payload, str], str]] = {
    "generation.submitted": lambda p, who: (
        f"{who} asked for a clip of {p['seconds']} seconds for the brand {p['brand']} under the profile"
        f" {p['profile']}; diversity prompts were {'on' if p['debias'] else 'declined by the editor'}."
    ),
    "generation.decided": lambda p, who: (
        f"The policy ({p['profile']}, version {p['policy_version']}) said: {p['decision']}."
    ),
    "generation.blocked": _refused("refused"),
    "generation.held": _refused("held"),
    "generation.released": lambda p, who: (
        f"{who} released it after review of {_list(p['reasons'])}, with a reason on record."
    ),
    "generation.rejected": lambda p, who: (
        f"{who} refused it after review of {_list(p['reasons'])} ({p['clause']}), with a reason on record."
    ),
    "generation.readmitted": lambda p, who: (
        f"It is a new attempt at request {p['refused']}: {who} found on appeal that the refusal was wrong"
        f" (decision in entry {p['decision']})."
    ),
    "generation.rewrite_decided": lambda p, who: (
        f"{who} {p['decision']} the balanced wording for {p['people']} people"
        f"{', with a reason on record' if p['reason'] else ''}."
    ),
    "generation.demographics_changed": lambda p, who: (
        "It changes the looks of an invented person, with a reason on record."
    ),
    "generation.shot": lambda p, who: (
        f"Shot {p['shot']} was {'made by' if p['source'] == 'made' else 'kept from an earlier run of'}"
        f" {p['model']} {p['model_version']}."
    ),
    "film.created": lambda p, who: f"{who} began the film, with {len(p['shots'])} shots.",
    "film.changed": lambda p, who: (
        f"{who} made version {p['version']} of the film ({p['change']}; shots {_list(p['shots'])})."
    ),
    "film.step": lambda p, who: f"{who} ran the step {p['step']} on version {p['version']}.",
    "film.step_decided": lambda p, who: (
        f"{who} decided to {p['decision']} the step {p['step']} of version {p['version']}"
        f"{', with a reason on record' if p['reason'] else ''}."
    ),
    "generation.asset": lambda p, who: (
        f"The clip was made by {p['model']} {p['model_version']}, marked"
        f" {'in picture and sound' if p['audio_mark'] else 'in the picture'}, and logged by the hash of its"
        " content before it was signed."
    ),
    "generation.ready": lambda p, who: (
        "It was signed; mark, manifest and proof were read back from the file."
    ),
    "generation.published": lambda p, who: f"{who} published it, after its bytes were verified again.",
    "generation.failed": lambda p, who: f"The {p['stage']} stage failed ({p['code']}).",
    "generation.cancelled": lambda p, who: f"{who} stopped it during {p['stage'] or 'the queue'}.",
    "platform.status_changed": lambda p, who: (
        f"{who} set its public status to {p['state'].replace('_', ' ')} ({p['reason']})."
    ),
}

"""What a person can do with a finished clip beside publishing it: ask for another shape, format or cut."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from django.db import transaction

from byline.audit import log
from byline.audit.base.errors import InvalidInput
from byline.generation import brands, intake, presentation, submit
from byline.generation.controls import registry
from byline.generation.models import FILM_SECONDS, GenerationRequest
from byline.generation.renditions import editing, kept
from byline.generation.renditions.kept import NotAMaster
from byline.generation.states import State
from byline.generation.submit import Wake
from byline.generation.wake import wake
from byline.provenance import profiles
from byline.safety import activation, policy

KIND = "generation.rendition_requested"
# What may differ from the master: everything after the engine.
OPTIONS = {
    *presentation.OPTIONS,
    "width",
    "height",
    "aspect",
    "fps",
    "music",
    "music_maker",
    "effects",
    "loudness",
}
_SAME = (
    "prompt", "voice_over", "negative_prompt", "title", "references", "brand", "seed", "profile", "debias",
    "edited_prompt", "debias_reason", "operation",
)  # fmt: skip


def request(
    master: GenerationRequest,
    requester: str,
    *,
    options: Mapping[str, Any] | None = None,
    parts: Sequence[Any] = (),
    wake_worker: Wake = wake,
) -> GenerationRequest:
    """Ask for a rendition of `master`, or of what `parts` leaves of it (editing.py), in their order.

    `options` are those of OPTIONS that differ. NotAMaster, InvalidInput, what `presentation.check` raises:
    nothing is written then.
    """
    if master.state not in (State.READY, State.PUBLISHED) or master.master_id is not None:
        raise NotAMaster("Renditions are made of a finished clip that is none itself.")
    layout = kept.layout(master.pk)
    if layout is None:
        raise NotAMaster("The shots of this clip are not kept any more.")
    given = dict(options or {})
    if unknown := sorted(set(given) - OPTIONS):
        raise InvalidInput(
            f"A rendition has no option {unknown[0][:40]!r}.", help=f"Options: {', '.join(sorted(OPTIONS))}."
        )
    chosen = intake.options(_shaped(master.options, given))
    if chosen.get("format") == "webm" and profiles.for_brand(master.brand).profile == "CN":
        raise InvalidInput("Profile CN needs a label inside the file, and WebM has no place for it.")
    activation.require(policy.load())
    kit = brands.load(master.brand)
    presentation.require_labels(chosen, kit)
    edit = editing.parse(parts, until=layout.until)
    seconds = editing.seconds(layout, edit, kit) if edit else master.seconds
    if not 1 <= seconds <= FILM_SECONDS:
        raise editing.BadEdit(f"The edited clip would last {seconds:.2f} s, not 1 to {FILM_SECONDS} s.")
    row = GenerationRequest(
        **{name: getattr(master, name) for name in _SAME},
        requester=requester,
        seconds=seconds,
        options=chosen,
        master=master,
        edit=[list(part) for part in edit],
    )
    with transaction.atomic():
        row.save(force_insert=True)
        log.append(
            "generation.submitted", subject=row.subject, actor=requester, payload=submit.submission(row)
        )
        size = presentation.of(chosen, row.brand).size
        payload = {
            "master": master.subject,
            "master_sha256": master.file_sha256,
            "size": f"{size[0]}x{size[1]}",
            "format": chosen.get("format", "mp4"),
            "parts": len(edit),
        }
        log.append(KIND, subject=row.subject, actor=requester, payload=payload)
        transaction.on_commit(partial(wake_worker, row.pk, "light"))
    return row


def _shaped(before: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The master's options with what differs; a new shape takes the place of the old size."""
    if {"aspect", "width", "height"} & set(given):
        before = {name: value for name, value in before.items() if name not in ("aspect", "width", "height")}
    # A control over the pictures was carried out when they were made.
    done = set(registry.CONTROLS) - OPTIONS
    return {**{name: value for name, value in before.items() if name not in done}, **given}

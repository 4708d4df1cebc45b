"""The ledger's side of debiasing: drawing for a brand, proposing to an editor, keeping the answer.

Promises: whoever draws holds the brand's lock from reading the counts to writing them, so two workers
never fill one gap twice; what an editor refuses, edits or lets lie for an hour goes back to the ledger;
asking again for the same brief gives the same proposal, not another draw; every row holds what is needed
to repeat its draw exactly. Texts stay in these rows and the request's; the log gets commitments.
"""

import datetime
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from byline.audit import log
from byline.audit.base.errors import BylineError, InvalidInput
from byline.generation import brands, intake
from byline.generation.models import GenerationRequest, QuotaLedger, Rewrite
from byline.generation.stages.texts import clean
from byline.safety.debias import Change, Debiased, debias, rules_version
from byline.safety.fairness import attributes, stated

PROPOSAL_S = 3600.0
_LOCK_CLASS = 0x4264  # our class of PostgreSQL's advisory locks: "Bd"
Decision = Rewrite.Decision


class ProposalGone(BylineError):
    code = "proposal_gone"
    status = 409
    help = "Ask for a new proposal: it lapses after an hour, and it belongs to one brief, brand and person."


class ReasonNeeded(InvalidInput):
    code = "reason_needed"
    help = "Say in a sentence why; it is kept with the request, and the log holds a commitment to it."


@dataclass(frozen=True)
class Proposal:
    """What an editor sees. `id` is None when the prompt leaves nobody open, or is left alone (`left`)."""

    id: uuid.UUID | None
    prompt: str
    proposed: str
    changes: tuple[Change, ...]
    left: str


def lock(brand: str) -> None:
    """Hold the brand's ledger until the transaction ends."""
    if not connection.in_atomic_block:
        raise RuntimeError("the ledger is locked within a transaction")
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s, hashtext(%s))", [_LOCK_CLASS, brand])


def propose(*, prompt: str, requester: str, brand: str = "", seed: int | None = None) -> Proposal:
    """Draw for the open people of a prompt and keep it for an answer. InvalidInput, UnknownBrand."""
    text = clean(intake.text("prompt", prompt, required=True))
    name = brands.load(brand or brands.DEFAULT).name
    with transaction.atomic():
        lock(name)
        _lapse(name)
        row = Rewrite.objects.filter(
            brand=name, requester=requester, original=text, decision=Decision.PROPOSED
        ).first()
        if row is None:
            done, row = _draw(text, name, requester, intake.seed(seed))
            if done.prompt == text:
                return Proposal(None, text, text, (), done.left)
            row.save(force_insert=True)
    done = replay(row)
    return Proposal(row.pk, text, row.proposed, done.changes, done.left)


def replay(row: Rewrite) -> Debiased:
    """The draw again, from what the row holds. ProposalGone when word lists or target have changed since."""
    target = attributes.for_brand(row.brand)
    if (row.target_sha256, row.rules) != (target.sha256, rules_version()):
        raise ProposalGone("The word lists or the brand's target have changed since this draw.")
    return debias(row.original, seed=row.seed, counts=row.before, target=target)


def answer(row: GenerationRequest, proposal: uuid.UUID | str | None) -> None:
    """Keep an editor's answer with a request that was just saved: its `debias`, `edited_prompt` and
    `debias_reason` say which. Call it in the request's transaction. ProposalGone, ReasonNeeded."""
    decision = Decision.EDITED if row.edited_prompt else Decision.ACCEPTED if row.debias else Decision.REFUSED
    if row.edited_prompt and not row.debias:
        raise InvalidInput("A rewrite is either edited or refused.")
    if proposal is None:
        if decision is Decision.EDITED:
            raise InvalidInput(
                "edited_prompt answers a proposal.", help="Ask for one first, and send its id."
            )
        if decision is Decision.ACCEPTED:
            return  # nobody looked beforehand: the debias stage draws
        text = clean(row.prompt)
        if not debias(text, seed=row.seed, counts={}, target=attributes.for_brand(row.brand)).changes:
            return  # nobody is left open, so nothing is refused
        kept = _row(text, text, row.brand, row.requester, row.seed)
    else:
        lock(row.brand)
        kept = _proposed(row, proposal)
    if decision is not Decision.ACCEPTED:
        if not row.debias_reason:
            raise ReasonNeeded(f"A rewrite that is {decision.value} needs a reason.")
        _give_back(row.brand, kept.draws)  # the row keeps them: the report tells who is turned down
        kept.shown = stated.people(clean(row.edited_prompt) or kept.original, kept.attributes)
    kept.request, kept.decision = row, decision
    kept.save()
    log.append(
        "generation.rewrite_decided", subject=row.subject, actor=row.requester, payload=_entry(row, kept)
    )


def draw_for(row: GenerationRequest, prompt: str) -> dict[str, Any]:
    """Draw for a request whose editor saw no proposal; what the debias stage's effect gives back. Call it
    in a transaction."""
    lock(row.brand)
    _lapse(row.brand)
    done, kept = _draw(prompt, row.brand, row.requester, row.seed)
    kept.request = row
    kept.decision = Decision.AUTOMATIC if done.changes else Decision.LEFT
    kept.save(force_insert=True)
    return {"prompt": done.prompt, "draws": list(done.draws), "changes": len(done.changes), "left": done.left}


def _draw(prompt: str, brand: str, requester: str, seed: int) -> tuple[Debiased, Rewrite]:
    """Draw and count; the brand's lock is held. The row is not saved."""
    target = attributes.for_brand(brand)
    counts = QuotaLedger.counts(brand)
    done = debias(prompt, seed=seed, counts=counts, target=target)
    for cell in done.draws:
        QuotaLedger.objects.get_or_create(brand=brand, cell=cell)
        QuotaLedger.objects.filter(brand=brand, cell=cell).update(count=F("count") + 1)
    row = _row(prompt, done.prompt, brand, requester, seed)
    row.draws, row.before, row.left = list(done.draws), counts, done.left
    return done, row


def _row(original: str, proposed: str, brand: str, requester: str, seed: int) -> Rewrite:
    target = attributes.for_brand(brand)
    names = list(target.attributes)
    return Rewrite(
        original=original,
        proposed=proposed,
        brand=brand,
        requester=requester,
        seed=seed,
        attributes=names,
        target_sha256=target.sha256,
        rules=rules_version(),
        asked=stated.people(original, names),
        shown=stated.people(proposed, names),
    )


def _proposed(row: GenerationRequest, proposal: uuid.UUID | str) -> Rewrite:
    """The open proposal that this request answers, locked. ProposalGone."""
    try:
        wanted = uuid.UUID(str(proposal))
    except ValueError as error:
        raise InvalidInput("rewrite is the id of a proposal.") from error
    found = Rewrite.objects.select_for_update().filter(pk=wanted, decision=Decision.PROPOSED).first()
    if found is None or (found.brand, found.requester) != (row.brand, row.requester):
        raise ProposalGone("There is no such open proposal.")
    if found.original != clean(row.prompt):
        raise ProposalGone("The brief has changed since the proposal was made.")
    return found


def _lapse(brand: str) -> None:
    """Give back what nobody answered; the brand's lock is held."""
    oldest = timezone.now() - datetime.timedelta(seconds=PROPOSAL_S)
    for row in Rewrite.objects.filter(brand=brand, decision=Decision.PROPOSED, created_at__lt=oldest):
        _give_back(brand, row.draws)
        row.delete()


def _give_back(brand: str, cells: Sequence[str]) -> None:
    for cell in cells:
        QuotaLedger.objects.filter(brand=brand, cell=cell, count__gt=0).update(count=F("count") - 1)


def _entry(row: GenerationRequest, kept: Rewrite) -> dict[str, Any]:
    proposed = kept.proposed if kept.proposed != kept.original else ""
    return {
        "decision": str(kept.decision),
        "brand": row.brand,
        "people": len(kept.shown),
        "original": row.commit("prompt", row.prompt),
        "proposed": row.commit("rewrite", proposed) if proposed else None,
        "edited": row.commit("edited_prompt", row.edited_prompt) if row.edited_prompt else None,
        "reason": row.commit("debias_reason", row.debias_reason) if row.debias_reason else None,
        "target": kept.target_sha256,
    }

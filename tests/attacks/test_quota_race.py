"""Two workers that draw one brand's quota at the same time must not fill the same gap twice."""

import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from django.db import connection, transaction

from byline.audit.models import Entry
from byline.generation import rewrites, submit
from byline.generation.models import QuotaLedger, Rewrite
from byline.safety.fairness.attributes import uniform

sys.path.append(str(Path(__file__).parents[1]))
import pipeline_kit as kit

pytestmark = pytest.mark.django_db(transaction=True)

PROMPT = "A doctor walks along a canal."
WORKERS, EACH = 6, 9  # 54 draws: three for each of the 18 cells, neither more nor fewer


def _draw_in_parallel() -> None:
    barrier = threading.Barrier(WORKERS)
    errors = []

    def worker(number: int) -> None:
        try:
            barrier.wait(10)
            for turn in range(EACH):
                row = kit.ask(prompt=PROMPT, seed=100 * number + turn)
                with transaction.atomic():
                    rewrites.draw_for(row, PROMPT)
        except Exception as error:  # noqa: BLE001  reported below, in the test's own thread
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=worker, args=(n,)) for n in range(WORKERS)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert not errors


def test_parallel_draws_fill_the_table_exactly() -> None:
    _draw_in_parallel()
    assert QuotaLedger.counts("byline") == dict.fromkeys(uniform().cells("adult"), 3)
    drawn = Counter(cell for row in Rewrite.objects.all() for cell in row.draws)
    assert drawn == QuotaLedger.counts("byline")
    for row in Rewrite.objects.all():
        assert rewrites.replay(row).prompt == row.proposed


def test_without_the_lock_they_would_collide(monkeypatch: pytest.MonkeyPatch) -> None:
    """The attack works when the defence is taken away, so the test above can fail."""
    pause = threading.Barrier(2)
    monkeypatch.setattr(rewrites, "lock", lambda brand: None)
    counts = QuotaLedger.counts

    def slow(brand: str) -> dict[str, int]:
        found = counts(brand)
        pause.wait(10)  # both have read before either writes
        return found

    monkeypatch.setattr(QuotaLedger, "counts", slow)

    def worker() -> None:
        row = kit.ask(prompt=PROMPT, seed=7)
        with transaction.atomic():
            rewrites.draw_for(row, PROMPT)
        connection.close()

    threads = [threading.Thread(target=worker) for _ in range(2)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sorted(counts("byline").values()) == [2]


def test_brands_do_not_wait_for_each_other() -> None:
    with transaction.atomic():
        rewrites.lock("byline")
        done = []

        def other() -> None:
            done.append(rewrites.propose(prompt=PROMPT, requester="user:2", brand="demo-news"))
            connection.close()

        thread = threading.Thread(target=other)
        thread.start()
        thread.join(10)
        assert done


def test_asking_again_gives_no_second_draw_to_choose_from() -> None:
    first = rewrites.propose(prompt=PROMPT, requester="user:1", seed=1)
    again = rewrites.propose(prompt=f"  {PROMPT} ", requester="user:1", seed=2)
    assert (again.id, again.proposed) == (first.id, first.proposed)
    assert sum(QuotaLedger.counts("byline").values()) == 1


def test_a_proposal_of_somebody_else_another_brief_or_used_twice_is_gone() -> None:
    found = rewrites.propose(prompt=PROMPT, requester="user:2")
    with pytest.raises(rewrites.ProposalGone):
        kit.ask(prompt=PROMPT, rewrite=found.id)
    mine = rewrites.propose(prompt=PROMPT, requester="user:1")
    for wrong in ({"prompt": "A nurse waves."}, {"brand": "demo-news"}):
        with pytest.raises(rewrites.ProposalGone):
            kit.ask(**{"prompt": PROMPT, "rewrite": mine.id, **wrong})
    kit.ask(prompt=PROMPT, rewrite=mine.id)
    with pytest.raises(rewrites.ProposalGone):
        kit.ask(prompt=PROMPT, rewrite=mine.id)


def test_refusing_and_editing_need_a_reason_that_is_committed_not_told() -> None:
    for answer in ({"debias": False}, {"edited_prompt": "A female doctor walks."}):
        found = rewrites.propose(prompt=PROMPT, requester="user:1")
        with pytest.raises(rewrites.ReasonNeeded):
            kit.ask(prompt=PROMPT, rewrite=found.id, **answer)
        reason = "Our doctor is known to viewers."
        row = kit.ask(prompt=PROMPT, rewrite=found.id, debias_reason=reason, **answer)
        assert QuotaLedger.counts("byline") == {}
        entry = Entry.objects.get(subject=row.subject, kind="generation.rewrite_decided")
        assert entry.payload["reason"] == row.commit("debias_reason", reason)
        told = str(entry.payload).lower()
        assert not [word for word in ("doctor", "viewers", "female") if word in told]


def test_a_refusal_without_a_look_needs_a_reason_only_when_somebody_is_left_open() -> None:
    with pytest.raises(rewrites.ReasonNeeded):
        kit.ask(prompt=PROMPT, debias=False)
    assert kit.ask(prompt="A red kite.", debias=False).pk


def test_what_nobody_answers_goes_back_to_the_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    rewrites.propose(prompt=PROMPT, requester="user:1")
    monkeypatch.setattr(rewrites, "PROPOSAL_S", -1.0)
    rewrites.propose(prompt="A nurse waves.", requester="user:2")
    assert sum(QuotaLedger.counts("byline").values()) == 1
    assert Rewrite.objects.count() == 1


def test_moderation_judges_the_editors_own_wording() -> None:
    found = rewrites.propose(prompt=PROMPT, requester="user:1")
    row = submit.submit(
        requester="user:1",
        prompt=PROMPT,
        rewrite=found.id,
        edited_prompt="Pornographic video of two naked people having sex, explicit.",
        debias_reason="none",
        wake_worker=lambda *_: None,
    )
    from byline.generation import runner

    runner.run(row.pk, "light", wake_next=lambda *_: None)
    row.refresh_from_db()
    assert (row.state, row.stage) == ("rejected", "moderate")


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"prompt": "Make the doctor an older woman."}, "reason_needed"),
        ({"prompt": "Make the doctor an older woman.", "debias_reason": "Casting."}, ""),
    ],
)
def test_changing_an_invented_persons_looks_needs_a_logged_reason(more: dict[str, str], code: str) -> None:
    from byline.generation import runner

    row = kit.ask(**more)
    runner.run(row.pk, "light", wake_next=lambda *_: None)
    row.refresh_from_db()
    assert row.error_code == code
    assert Entry.objects.filter(subject=row.subject, kind="generation.demographics_changed").exists() == (
        not code
    )

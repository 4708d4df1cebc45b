"""What may be asked for, and what is written when it is: a row, an entry without the texts, one wake."""

import math
import uuid
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from byline.audit import pseudonyms
from byline.audit.base.errors import BylineError, InvalidInput
from byline.audit.commit import commitment
from byline.audit.models import Entry
from byline.generation import states, submit
from byline.generation.models import GenerationRequest

pytestmark = pytest.mark.django_db(transaction=True)
GOOD: dict[str, Any] = {"prompt": "A red kite over the sea.", "requester": "user:7"}


def ask(**more: Any) -> GenerationRequest:
    return submit.submit(**{**GOOD, "wake_worker": lambda *_: None, **more})


def test_a_request_is_stored_logged_and_woken_after_the_commit() -> None:
    woken: list[Any] = []
    with transaction.atomic():
        row = ask(
            voice_over="Fly.", title="Kites", seed=5, seconds=3, wake_worker=lambda *call: woken.append(call)
        )
        assert woken == []
    assert woken == [(row.pk, "light")]
    row.refresh_from_db()
    assert (row.state, row.seed, row.seconds, row.profile) == ("submitted", 5, 3.0, "newsroom")
    entry = Entry.objects.get(subject=row.subject)
    assert (entry.kind, entry.actor) == ("generation.submitted", pseudonyms.actor("user:7"))
    assert entry.payload["prompt"] == row.commit("prompt", row.prompt)
    assert entry.payload["negative_prompt"] is None
    assert "kite" not in str(entry.payload).lower()


def test_a_request_that_is_rolled_back_leaves_nothing_and_wakes_nobody() -> None:
    woken: list[Any] = []
    with transaction.atomic():
        ask(wake_worker=lambda *call: woken.append(call))
        transaction.set_rollback(True)
    assert woken == []
    assert not GenerationRequest.objects.exists()
    assert not Entry.objects.exists()


def test_commitments_open_only_with_the_salt_of_their_field() -> None:
    row, other = ask(voice_over=GOOD["prompt"]), ask()
    assert row.commit("prompt", row.prompt) != other.commit("prompt", other.prompt)
    assert row.commit("prompt", row.prompt) != row.commit("voice_over", row.voice_over)
    assert row.commit("prompt", row.prompt) != commitment(row.prompt, bytes(row.salt))


@pytest.mark.parametrize(
    "bad",
    [
        {"prompt": ""},
        {"prompt": "   "},
        {"prompt": "x" * 2001},
        {"prompt": None},
        {"prompt": "a\x00b"},
        {"prompt": "a\ud800b"},
        {"voice_over": "x" * 2001},
        {"negative_prompt": "x" * 1001},
        {"title": "x" * 201},
        {"requester": ""},
        {"seconds": 0.5},
        {"seconds": 60.5},
        {"seconds": math.nan},
        {"seconds": "6"},
        {"seconds": True},
        {"seed": -1},
        {"seed": 2**63},
        {"seed": 1.5},
        {"seed": True},
        {"profile": "anything goes"},
        {"brand": "no such brand"},
        {"references": [{"kind": "voice"}]},
        {"references": [{"kind": "soul", "subject": "x", "sha256": "0"}]},
        {"references": [{"kind": "face", "subject": "x", "sha256": "0", "waived": "yes"}]},
        {"references": [{"kind": "face", "subject": "x" * 201, "sha256": "0"}]},
        {"references": [{"kind": "face", "subject": "x", "sha256": "0"}] * 9},
        {"options": {"skip_moderation": True}},
        {"options": {"width": 641}},
        {"options": {"width": 64}},
        {"options": {"fps": 24.0}},
        {"options": {"steps": True}},
    ],
    ids=str,
)
def test_what_cannot_be_carried_out_is_refused_before_anything_is_written(bad: dict[str, Any]) -> None:
    with pytest.raises(BylineError) as caught:
        ask(**bad)
    assert caught.value.status == 400
    assert not GenerationRequest.objects.exists()
    assert not Entry.objects.exists()


def test_a_message_never_quotes_the_text() -> None:
    with pytest.raises(InvalidInput) as caught:
        ask(title="secret " * 50)
    assert "secret" not in str(caught.value) + caught.value.help


def test_a_seed_is_drawn_and_kept_when_none_is_given() -> None:
    first, second = ask(), ask()
    assert 0 <= first.seed < 2**31
    assert first.seed != second.seed


@pytest.mark.parametrize("act", [submit.cancel, submit.publish])
@pytest.mark.parametrize("request_id", [uuid.uuid4(), "no uuid"])
def test_what_is_not_there_is_not_found(act: Any, request_id: Any) -> None:
    with pytest.raises(submit.RequestNotFound):
        act(request_id, "user:7")


@pytest.mark.parametrize("state", sorted(set(states.State) - {states.State.READY}))
def test_only_a_ready_clip_can_be_published(state: str) -> None:
    row = ask()
    more = {"file_sha256": "0" * 64, "serial": 1, "audio_id": 1} if state == "published" else {}
    GenerationRequest.objects.filter(pk=row.pk).update(state=state, **more)
    with pytest.raises(submit.NotReady):
        submit.publish(row.pk, "user:7")
    row.refresh_from_db()
    assert (row.state, row.published_at) == (state, None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"state": "done"},
        {"state": "ready"},  # without a file
        {"state": "ready", "file_sha256": "zz" * 32, "serial": 1, "audio_id": 1},
        {"state": "ready", "file_sha256": "00" * 32},  # without ids
        {"seconds": 181},
        {"seed": -1},
        {"serial": 2**40},
        {"audio_id": 0},
        {"audio_id": 2**32},
        {"progress": 1.1},
        {"lease_owner": "somebody"},
    ],
    ids=str,
)
def test_the_database_refuses_what_must_never_be(wrong: dict[str, Any]) -> None:
    row = ask()
    with pytest.raises(IntegrityError), transaction.atomic():
        GenerationRequest.objects.filter(pk=row.pk).update(**wrong)


def test_two_requests_never_share_an_id() -> None:
    first, second = ask(), ask()
    for field in ("serial", "audio_id"):
        GenerationRequest.objects.filter(pk=first.pk).update(**{field: 77})
        with pytest.raises(IntegrityError), transaction.atomic():
            GenerationRequest.objects.filter(pk=second.pk).update(**{field: 77})


def test_a_title_that_the_brand_cannot_draw_is_refused_before_anything_is_made() -> None:
    with pytest.raises(InvalidInput) as refused:
        submit.submit(prompt="A kite.", title="凧", requester="user:1", wake_worker=lambda *_: None)
    assert refused.value.code == "undrawable_text"
    assert not GenerationRequest.objects.exists()

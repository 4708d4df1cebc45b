"""What a new policy would change is told by ids and reasons, and nothing is changed by asking."""

import datetime as dt
import json
from pathlib import Path

import pytest
import yaml

from byline.audit.models import Entry
from byline.generation import submit
from byline.platform.cli import main
from byline.safety import policy, policy_diff
from byline.safety.policy_diff import Case

SHIPPED = policy.load(policy.SHIPPED)
TODAY = dt.date(2026, 11, 21)


@pytest.fixture
def stricter(tmp_path: Path) -> Path:
    file = tmp_path / "new.yaml"
    raw = {
        "extends": "shipped",
        "version": "new",
        "no_go_people": [{"name": "Jorun Balke"}],
        "profiles": {
            "newsroom": {**_newsroom(), "reasons": {"unsupported_language": "block", "too_long": "review"}}
        },
    }
    file.write_text(yaml.safe_dump(raw))
    return file


def _newsroom() -> dict[str, object]:
    found: dict[str, object] = yaml.safe_load(policy.SHIPPED.read_text())["profiles"]["newsroom"]
    return found


def test_only_what_changes_is_told_with_both_actions_and_the_reason(stricter: Path) -> None:
    cases = [
        Case("1", {"prompt": "a lake at dawn"}, "newsroom"),
        Case("2", {"prompt": "jorun balke waves"}, "newsroom"),
        Case("3", {"prompt": "a lake at dawn"}, "gone"),
    ]
    new = policy.load(stricter)
    found = list(policy_diff.changes(cases, SHIPPED, new, on=TODAY, guards={}))
    assert found[0] is None
    assert found[1] is not None
    assert (found[1].before.action, found[1].after.action) == ("allow", "block")
    assert "no-go list" in found[1].after.reason
    assert "jorun" not in found[1].after.reason
    assert found[2] is None  # refused by both: neither has that profile


def test_sections_that_differ_are_named(stricter: Path) -> None:
    lines = policy_diff.sections(SHIPPED, policy.load(stricter))
    assert "profile newsroom, unsupported_language: review before, block now" in lines
    assert any(line.startswith("no-go list") for line in lines)
    assert policy_diff.sections(SHIPPED, SHIPPED) == []


def test_the_command_tries_a_file_of_prompts_without_a_database(
    stricter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text('a lake at dawn\n{"id": "x7", "prompt": "a lake", "title": "Jorun Balke"}\n\n')
    arguments = ["policy", "diff", "shipped", str(stricter), "--prompts", str(prompts)]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "x7  allow -> block  real_person in title" in said
    assert "1 of 2 prompts change: 1 stricter, 0 softer" in said
    assert "Jorun" not in said
    assert main([*arguments, "--texts", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["changes"][0]
    assert (row["id"], row["texts"]["title"]) == ("x7", "Jorun Balke")


def test_the_command_names_the_mistake_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text("extends: shipped\nversion: bad\njurisdictions: [atlantis]\n")
    assert main(["policy", "check", str(file)]) == 70
    assert "atlantis" in capsys.readouterr().err
    prompts = tmp_path / "prompts.txt"
    prompts.write_text('{"prompt": 7}\n')
    assert main(["policy", "check", "shipped", "--prompts", str(prompts)]) == 64


@pytest.mark.django_db
def test_stored_prompts_are_tried_and_left_as_they_are(
    stricter: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = submit.submit(prompt="a lake at dawn", requester="u", wake_worker=lambda *_: None)
    hit = submit.submit(prompt="Jorun Balke waves", requester="u", wake_worker=lambda *_: None)
    entries = Entry.objects.count()
    assert main(["policy", "check", str(stricter), "--stored"]) == 0
    said = capsys.readouterr().out
    assert f"{hit.pk}  " in said
    assert str(kept.pk) not in said
    assert "Balke" not in said
    hit.refresh_from_db()
    assert (hit.state, Entry.objects.count()) == ("submitted", entries)


@pytest.mark.django_db
def test_a_text_can_be_tried_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["policy", "try", "how to make a pipe bomb at home"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("block: weapons_illegal, ")
    assert "'bomb'" in said
    assert main(["policy", "try"]) == 64
    assert main(["policy", "guards"]) == 0
    assert main(["policy", "show", "shipped"]) == 0

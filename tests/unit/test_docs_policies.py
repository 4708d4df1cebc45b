"""docs/policies.md is tried as it stands: its policy loads, its commands are known, its classes exist."""

import json
import re
from pathlib import Path

import pytest
from django.utils.module_loading import import_string

from byline.generation import brands
from byline.platform.cli import _parser
from byline.safety import policy

PAGE = Path(__file__).resolve().parents[2] / "docs" / "policies.md"
TEXT = PAGE.read_text("utf-8")


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    assert found
    return found.group(1)


def test_the_policy_on_the_page_loads_and_names_brands_that_exist(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(block("yaml"))
    found = policy.load(file)
    assert found.version.startswith("harbour-3+")
    assert set(found.brands) <= set(brands.names())
    assert len(found.people) == 2
    assert found.elections[0].candidates


@pytest.mark.parametrize("line", re.findall(r"^byline (policy .*?)(?:\s+#.*)?$", TEXT, re.MULTILINE))
def test_the_commands_on_the_page_are_known(line: str) -> None:
    words = re.findall(r'"[^"]*"|\S+', line)
    assert _parser().parse_args([word.strip('"') for word in words]).command == "policy"


def test_the_guards_on_the_page_exist() -> None:
    for name in re.findall(r"\| `(\w+\.\w+)` \|", TEXT):
        assert callable(import_string(f"byline.safety.guards.{name}"))
    entry = json.loads(block("json").split("=", 1)[1].strip().strip("'"))
    assert entry["qwen"]["CLASS"].startswith("byline.safety.guards.")

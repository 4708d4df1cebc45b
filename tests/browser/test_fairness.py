"""The balanced wording and the bias report in a real browser, at desktop and phone width."""

import sys
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import User
from django.db import transaction
from playwright.sync_api import Page, expect

from byline.generation import rewrites
from byline.generation.models import GenerationRequest

sys.path.append(str(Path(__file__).parents[1]))
import pipeline_kit as kit

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
PROMPT = "A doctor walks along a canal."


def test_an_editor_answers_and_reads_the_report(tab: Page, live_server: Any, shots: Path) -> None:
    User.objects.create_superuser("ada", password="correct horse battery")
    for seed in range(12):
        row = kit.ask(prompt=PROMPT, seed=seed)
        with transaction.atomic():
            rewrites.draw_for(row, PROMPT)
    tab.goto(f"{live_server.url}/cms/login/?next=/cms/generate/")
    tab.fill("input[name=username]", "ada")
    tab.fill("input[name=password]", "correct horse battery")
    tab.press("input[name=password]", "Enter")
    tab.wait_for_url("**/cms/generate/")
    tab.fill("textarea[name=prompt]", PROMPT)
    tab.get_by_role("button", name="Generate", exact=True).click()
    expect(tab.get_by_role("heading", name="With balanced people")).to_be_visible()
    assert Axe().run(tab, context=".byline-rewrite", options=RULES).violations_count == 0
    tab.get_by_label("Exactly my words").check()
    width = tab.viewport_size["width"]  # type: ignore[index]
    tab.screenshot(path=shots / f"fairness-rewrite-{width}.png", full_page=True)
    tab.get_by_role("button", name="Generate", exact=True).click()
    expect(tab.get_by_role("alert").filter(has_text="needs a reason")).to_be_visible()
    expect(tab.get_by_label("Exactly my words")).to_be_checked()
    tab.get_by_label("Why?").fill("The film is about one doctor.")
    tab.get_by_role("button", name="Generate", exact=True).click()
    tab.wait_for_url("**/cms/generate/*-*/")
    assert GenerationRequest.objects.filter(rewrite__decision="refused").count() == 1

    tab.goto(f"{live_server.url}/admin/byline_generation/rewrite/report/?brand=byline")
    expect(tab.get_by_text("Clips: not measured")).to_be_visible()
    found = Axe().run(tab, context="#content", options=RULES)
    assert found.violations_count == 0, found.generate_report()

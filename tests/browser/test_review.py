"""Review in a real browser: the queue, a case, the public report form; at desktop and phone width."""

from pathlib import Path
from typing import Any

import pytest
import review_kit as kit
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from publication_kit import on_record, requested, sign

from byline.platform.review import reports
from byline.safety.review import cases
from byline.safety.review.models import Case, Report

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}


def assert_accessible(page: Page, context: str | None = None) -> None:
    found = Axe().run(page, context=context, options=RULES)
    assert found.violations_count == 0, found.generate_report()


@pytest.fixture
def reviewer(tab: Page, live_server: Any) -> Page:
    kit.reviewer("rita", password=kit.PASSWORD)
    tab.goto(f"{live_server.url}/admin/login/?next=/admin/byline_safety/case/")
    tab.fill("#id_username", "rita")
    tab.fill("#id_password", kit.PASSWORD)
    tab.press("#id_password", "Enter")
    tab.wait_for_url("**/admin/byline_safety/case/")
    return tab


def test_a_reviewer_decides_a_report_with_a_blurred_preview(
    reviewer: Page, live_server: Any, tmp_path: Path, shots: Path
):
    record = on_record(sign(tmp_path, 95))
    requested(record)
    kit.held("ed")
    cases.open_case("sample", kit.request_in("rejected", "eve").subject)
    reports.store(kind="harm", message="It shows my house on fire.", country="eu", record=record.pk)
    width = reviewer.viewport_size["width"]  # type: ignore[index]

    reviewer.reload()
    expect(reviewer.get_by_text("held by a check: real person")).to_be_visible()
    reviewer.screenshot(path=shots / f"review-queue-{width}.png", full_page=True)
    rows = reviewer.locator("#result_list tbody tr")
    expect(rows.first).to_contain_text("report from the public")
    reviewer.get_by_role("link", name="report from the public").click()

    expect(reviewer.get_by_text("It shows my house on fire.")).to_be_visible()
    expect(reviewer.get_by_alt_text("Blurred preview of the clip")).to_be_visible()
    reviewer.get_by_role("button", name="Take this case").click()
    assert_accessible(reviewer, ".byline-case")
    reviewer.screenshot(path=shots / f"review-case-blurred-{width}.png", full_page=True)
    reviewer.get_by_role("button", name="Show it without the blur").press("Enter")
    expect(reviewer.get_by_alt_text("Frames of the clip")).to_be_visible()
    reviewer.screenshot(path=shots / f"review-case-clear-{width}.png", full_page=True)

    reviewer.get_by_label("Keep").check()
    reviewer.get_by_label("Reason").select_option("no_violation")
    reviewer.get_by_label("Clause").select_option("O1")
    reviewer.get_by_label("Rationale").fill("The house is drawn, and no address can be read.")
    reviewer.get_by_role("button", name="Decide").press("Enter")
    expect(reviewer.get_by_text("Decided.")).to_be_visible()
    assert Case.objects.get(source="report").decision.outcome == "keep"
    reviewer.get_by_role("link", name="Figures").click()
    expect(reviewer.get_by_role("heading", name="The queue now")).to_be_visible()
    assert_accessible(reviewer, ".byline-case")


def test_a_stranger_reports_a_clip_with_the_keyboard_and_follows_it(
    tab: Page, live_server: Any, tmp_path: Path, shots: Path
):
    record = on_record(sign(tmp_path, 96))
    tab.goto(f"{live_server.url}/credentials/{record.pk}/")
    tab.get_by_role("link", name="Report this clip").press("Enter")
    expect(tab.get_by_role("heading", name="Report this clip")).to_be_visible()
    assert_accessible(tab)
    tab.get_by_label("What is wrong?").focus()
    tab.keyboard.type("It shows me")
    tab.keyboard.press("Tab")
    tab.keyboard.type("That is my face.")
    width = tab.viewport_size["width"]  # type: ignore[index]
    tab.screenshot(path=shots / f"report-form-{width}.png", full_page=True)
    tab.keyboard.press("Tab")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Tab")
    tab.keyboard.press("Enter")
    expect(tab.get_by_role("heading", name="Your report was sent")).to_be_visible()
    assert_accessible(tab)
    row = Report.objects.get()
    assert (row.kind, row.message) == ("likeness", "That is my face.")
    tab.get_by_role("link", name="Follow your report").press("Enter")
    expect(tab.get_by_text("Nobody has decided yet.")).to_be_visible()
    assert_accessible(tab)
    kit.decide(row.case, "rita", "keep", explanation="We asked; it is an actor who agreed.")
    tab.reload()
    expect(tab.get_by_text("it is an actor who agreed")).to_be_visible()
    assert_accessible(tab)
    tab.get_by_label("What was overlooked?").fill("I am that actor, and I did not agree.")
    tab.get_by_role("button", name="Appeal").press("Enter")
    expect(tab.get_by_text("Your appeal was received")).to_be_visible()


def test_an_editor_reads_the_reasons_and_appeals(tab: Page, live_server: Any, shots: Path):
    kit.account("ed", "add_generationrequest", "access_admin", password=kit.PASSWORD)
    row = kit.request_in("rejected", "ed")
    tab.goto(f"{live_server.url}/cms/login/?next=/cms/generate/{row.pk}/appeal/")
    tab.fill("#id_username", "ed")
    tab.fill("#id_password", kit.PASSWORD)
    tab.press("#id_password", "Enter")
    expect(tab.get_by_text("by a program, without a person")).to_be_visible()
    assert_accessible(tab, ".byline-appeal")
    width = tab.viewport_size["width"]  # type: ignore[index]
    tab.screenshot(path=shots / f"appeal-{width}.png", full_page=True)
    tab.get_by_label("What was overlooked?").fill("It is satire, and says so in the picture.")
    tab.get_by_role("button", name="Appeal").press("Enter")
    expect(tab.get_by_text("You appealed on")).to_be_visible()

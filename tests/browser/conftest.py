"""A real Chromium on the live server: the system's, or Playwright's own."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from playwright.sync_api import Browser, Page, sync_playwright

# Playwright's sync API runs an event loop in this thread; Django would refuse the ORM there.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, ["chromium", "chromium-browser", "google-chrome"])), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(autouse=True)
def uncounted() -> None:
    """What other tests used up of a stranger's allowance is not held against this one."""
    cache.clear()


@pytest.fixture(params=["desktop", "phone"])
def tab(request: pytest.FixtureRequest, chromium: Browser, shots: Path) -> Iterator[Page]:
    """A fresh page at desktop or phone width; its last view is kept as a picture."""
    context = chromium.new_context(viewport=DESKTOP if request.param == "desktop" else PHONE)
    page = context.new_page()
    problems: list[Any] = []
    page.on("pageerror", lambda error: problems.append(error))
    yield page
    name = request.node.name.replace("[", "-").rstrip("]")
    page.screenshot(path=shots / f"{name}.png", full_page=True)
    context.close()
    assert not problems, f"JavaScript errors: {problems}"


@pytest.fixture(scope="session")
def shots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: $SCREENSHOTS, or a temporary folder."""
    wanted = os.environ.get("SCREENSHOTS")
    folder = Path(wanted) if wanted else tmp_path_factory.mktemp("screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder

"""Workers load ahead what their first job would load, and start whatever happens then."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from byline.generation import engines, tasks, warming
from byline.generation.engines import pool


class Loadable:
    place, needs_gib, is_loaded = "cpu", 0.1, False

    def load(self) -> None:
        self.is_loaded = True

    def unload(self) -> None:
        self.is_loaded = False


def test_the_default_engine_is_loaded_and_stays(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.BYLINE = {**settings.BYLINE, "WARM_UP": True}
    engine = Loadable()
    monkeypatch.setattr(engines, "load", lambda name: engine)
    monkeypatch.setattr(pool, "shared", pool.Pool(lambda _: 1.0))
    monkeypatch.setitem(warming._LOADS["gpu"], "detectors", lambda: None)
    warming.warm_up("gpu")
    assert engine.is_loaded
    assert pool.shared.loaded() == (engine,)


def test_what_cannot_be_loaded_is_said_and_stops_nothing(
    monkeypatch: pytest.MonkeyPatch, settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.BYLINE = {**settings.BYLINE, "WARM_UP": True}
    seen: list[str] = []

    def broken() -> None:
        raise OSError("quotes a prompt")

    monkeypatch.setattr(warming, "_LOADS", {"gpu": {"engine": broken, "detectors": lambda: seen.append("x")}})
    with caplog.at_level(logging.WARNING):
        warming.warm_up("gpu")
    assert seen == ["x"]
    assert "engine not loaded ahead (OSError)" in caplog.text
    assert "quotes" not in caplog.text


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    settings.BYLINE = {**settings.BYLINE, "WARM_UP": False}
    monkeypatch.setattr(warming, "_LOADS", {"gpu": {"engine": lambda: pytest.fail("loaded")}})
    warming.warm_up("gpu")


@pytest.mark.parametrize("queue", ["light", "gpu"])
def test_a_worker_warms_up_for_its_own_queue(monkeypatch: pytest.MonkeyPatch, queue: str) -> None:
    warmed: list[str] = []
    monkeypatch.setattr(warming, "warm_up", warmed.append)
    queues = SimpleNamespace(consume_from={queue: None})
    tasks.warm_up(SimpleNamespace(app=SimpleNamespace(amqp=SimpleNamespace(queues=queues))))
    assert warmed == [queue]


def test_moderation_is_loaded_without_a_database() -> None:
    """No row is read or written: pytest-django refuses queries of a test without its mark."""
    warming._moderation()

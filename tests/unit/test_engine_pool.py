"""The pool of loaded models: what stays, what goes first, and who waits."""

from __future__ import annotations

import gc
import threading
from typing import Any

import pytest

from byline.generation.engines.pool import Pool, Resident, budget_gib


class Fake:
    """An engine of a size. `log` gets what happens to it."""

    def __init__(self, name: str, gib: float, log: list[str], place: str = "cuda") -> None:
        self.name, self.needs_gib, self.place, self.log = name, gib, place, log
        self.is_loaded, self.fails = False, False

    def load(self) -> None:
        if self.fails:
            raise RuntimeError("no")
        if not self.is_loaded:
            self.log.append(f"+{self.name}")
        self.is_loaded = True

    def unload(self) -> None:
        self.log.append(f"-{self.name}")
        self.is_loaded = False


def use(pool: Pool, *engines: Fake) -> None:
    for engine in engines:
        with pool.using(engine):
            assert engine.is_loaded


def test_it_keeps_what_fits_and_lets_the_longest_unused_go() -> None:
    log: list[str] = []
    pool = Pool(lambda _: 10.0)
    a, b, c = Fake("a", 4, log), Fake("b", 4, log), Fake("c", 4, log)
    assert isinstance(a, Resident)
    use(pool, a, b, a, c)
    assert log == ["+a", "+b", "-b", "+c"]
    assert pool.loaded() == (a, c)
    use(pool, b)
    assert log[4:] == ["-a", "+b"]
    pool.empty()
    assert pool.loaded() == ()
    assert not any(engine.is_loaded for engine in (a, b, c))


def test_devices_have_budgets_of_their_own() -> None:
    log: list[str] = []
    pool = Pool({"cuda": 5.0, "cpu": 1.0}.__getitem__)
    use(pool, Fake("a", 4, log), Fake("b", 1, log, "cpu"))
    assert log == ["+a", "+b"]


def test_what_is_larger_than_the_budget_runs_alone() -> None:
    log: list[str] = []
    pool = Pool(lambda _: 5.0)
    a, large = Fake("a", 1, log), Fake("large", 50, log)
    use(pool, a, large, a)
    assert log == ["+a", "-a", "+large", "-large", "+a"]


def test_an_engine_in_use_is_not_unloaded_and_the_next_one_waits() -> None:
    log: list[str] = []
    pool = Pool(lambda _: 5.0)
    a, b = Fake("a", 4, log), Fake("b", 4, log)
    done = threading.Event()

    def second() -> None:
        use(pool, b)
        done.set()

    with pool.using(a), pool.using(a):
        waiting = threading.Thread(target=second)
        waiting.start()
        assert not done.wait(0.1)
        assert a.is_loaded
    assert done.wait(5)
    waiting.join()
    assert log == ["+a", "-a", "+b"]


def test_many_threads_never_take_more_than_there_is() -> None:
    log: list[str] = []
    pool = Pool(lambda _: 8.0)
    engines = [Fake(str(n), 3, log) for n in range(5)]
    most: list[float] = []

    def work(seed: int) -> None:
        for turn in range(40):
            with pool.using(engines[(seed * 7 + turn * 3) % 5]):
                most.append(sum(engine.needs_gib for engine in engines if engine.is_loaded))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(most) == 160
    assert max(most) <= 8


def test_a_failed_load_holds_no_room() -> None:
    log: list[str] = []
    pool = Pool(lambda _: 5.0)
    broken, b = Fake("broken", 4, log), Fake("b", 4, log)
    broken.fails = True
    with pytest.raises(RuntimeError), pool.using(broken):
        pass
    assert pool.loaded() == ()
    use(pool, b)
    assert log == ["+b"]


def test_an_engine_that_nobody_holds_leaves_by_itself() -> None:
    pool = Pool(lambda _: 5.0)
    use(pool, Fake("a", 4, []))
    gc.collect()
    assert pool.loaded() == ()


def test_the_budget_is_the_settings_or_a_share_of_the_machine(settings: Any) -> None:
    settings.BYLINE = {}
    assert 0 < budget_gib("cpu") < 10_000
    settings.BYLINE = {"MODEL_POOL_GIB": 12}
    assert budget_gib("cpu") == budget_gib("cuda:1") == 12

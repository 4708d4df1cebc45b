"""What a job took: seconds, energy with its source, peaks of memory."""

from __future__ import annotations

import json
import sys
import time
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from byline.audit.base import heavy
from byline.generation.engines import usage


def test_on_a_cpu_the_energy_is_an_estimate_and_says_so(settings: Any) -> None:
    settings.BYLINE = {}
    with usage.measured("cpu") as meter:
        until = time.process_time() + 0.1
        while time.process_time() < until:
            pass
    found = meter.usage
    assert found is not None
    assert found.gpu_seconds == 0
    assert found.cpu_seconds >= 0.1
    assert found.kwh == pytest.approx(found.cpu_seconds * usage.CORE_WATTS / 3.6e6)
    assert found.energy_source.startswith("estimate: 5 W")
    assert found.peak_vram is None
    assert json.loads(json.dumps(found.as_record()))["device"] == "cpu"
    settings.BYLINE = {"DEVICE_WATTS": 9}
    with usage.measured("cpu") as meter:
        pass
    assert meter.usage is not None
    assert "by the operator" in meter.usage.energy_source


def test_the_peak_of_memory_is_that_of_the_block() -> None:
    with usage.measured("cpu") as large:
        np.ones(64 << 20, np.uint8).sum()
    with usage.measured("cpu") as small:
        pass
    assert large.usage is not None
    assert small.usage is not None
    assert large.usage.peak_rss >= small.usage.peak_rss > 0


def test_it_is_measured_where_the_work_fails() -> None:
    with pytest.raises(ValueError, match="x"), usage.measured("cpu") as meter:
        raise ValueError("x")
    assert meter.usage is not None


class Driver:
    """torch.cuda of a machine with one board whose counter runs."""

    def __init__(self) -> None:
        self.millijoules = 1000

    def get_device_name(self, index: int) -> str:
        return "NVIDIA H100 80GB HBM3"

    def synchronize(self, index: int) -> None:
        self.millijoules += 7200_000

    def reset_peak_memory_stats(self, index: int) -> None:
        pass

    def max_memory_allocated(self, index: int) -> int:
        return 3 << 30

    def get_device_properties(self, index: int) -> Any:
        return SimpleNamespace(uuid="1234")


@pytest.mark.parametrize("counter", [True, False])
def test_on_a_gpu_the_boards_counter_or_its_rated_power(
    monkeypatch: pytest.MonkeyPatch, settings: Any, counter: bool
) -> None:
    settings.BYLINE = {}
    driver = Driver()
    torch = heavy.load("torch")
    monkeypatch.setattr(torch, "cuda", driver)
    nvml = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=lambda uuid: uuid,
        nvmlDeviceGetTotalEnergyConsumption=lambda handle: driver.millijoules,
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml if counter else None)
    with usage.measured("cuda") as meter:
        pass
    found = meter.usage
    assert found is not None
    assert found.gpu_seconds == found.seconds > 0
    assert found.peak_vram == 3
    if counter:
        assert found.kwh == pytest.approx(0.002)
        assert found.energy_source.startswith("measured")
    else:
        assert found.kwh == pytest.approx(found.seconds * 700 / 3.6e6)
        assert found.energy_source == "estimate: rated 700 W of H100"


@pytest.mark.parametrize(
    ("name", "watts"), [("NVIDIA H100 PCIe", 350), ("NVIDIA H100 80GB HBM3", 700), ("Something", 400)]
)
def test_rated_power_by_the_drivers_name(name: str, watts: float) -> None:
    assert usage.rated_watts(name)[0] == watts
    assert usage.rated_watts(name)[1].startswith("estimate")

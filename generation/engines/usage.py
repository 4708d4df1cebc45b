"""What one job took: seconds of the device, energy, and the highest use of memory.

Energy on a GPU is the board's own counter (NVML) where it can be read; otherwise it is the board's rated
power times the seconds, and says so. On a CPU it is the processor time of this process times an assumed
power of a core: an estimate for comparison, not a measurement. `DEVICE_WATTS` in the settings replaces
either assumption by the operator's own figure. Other work of the same process in the same seconds is
counted along.
"""

from __future__ import annotations

import contextlib
import resource
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from byline.audit.base import conf, heavy

CORE_WATTS = 5.0  # assumed for a busy core of a server, its share of memory and fans included
BOARD_WATTS = 400.0  # assumed for a board that is not in the table
# Rated power by a part of the name that the driver gives; the makers' data sheets.
_RATED = {
    "H200": 700.0, "H100 PCIe": 350.0, "H100 NVL": 400.0, "H100": 700.0, "A100": 400.0, "L40S": 350.0,
    "L4": 72.0, "A10": 150.0, "T4": 70.0, "RTX 5090": 575.0, "RTX 4090": 450.0, "RTX 3090": 350.0,
}  # fmt: skip
_JOULES_PER_KWH = 3.6e6


@dataclass(frozen=True)
class Usage:
    """`gpu_seconds` is the time for which one GPU was held, 0 on a CPU. Memory in GiB; `peak_vram` None
    without a GPU. `energy_source` says what `kwh` rests on."""

    device: str
    seconds: float
    gpu_seconds: float
    cpu_seconds: float
    kwh: float
    energy_source: str
    peak_vram: float | None
    peak_rss: float

    def as_record(self) -> dict[str, Any]:
        """JSON-able, rounded to what the figures can bear."""
        return {
            "device": self.device,
            "seconds": round(self.seconds, 3),
            "gpu_seconds": round(self.gpu_seconds, 3),
            "cpu_seconds": round(self.cpu_seconds, 3),
            "kwh": float(f"{self.kwh:.3g}"),
            "energy_source": self.energy_source,
            "peak_vram_gib": None if self.peak_vram is None else round(self.peak_vram, 2),
            "peak_rss_gib": round(self.peak_rss, 2),
        }


def total(several: Sequence[Usage]) -> Usage:
    """Sums of seconds and energy, the highest memory. Of one device, and at least one."""
    peaks = [one.peak_vram for one in several if one.peak_vram is not None]
    return replace(
        several[-1],
        seconds=sum(one.seconds for one in several),
        gpu_seconds=sum(one.gpu_seconds for one in several),
        cpu_seconds=sum(one.cpu_seconds for one in several),
        kwh=sum(one.kwh for one in several),
        peak_vram=max(peaks, default=None),
        peak_rss=max(one.peak_rss for one in several),
    )


class Meter:
    """Runs inside `measured`; `usage` is complete after the block."""

    def __init__(self) -> None:
        self.usage: Usage | None = None


@contextlib.contextmanager
def measured(device: str) -> Iterator[Meter]:
    """Measure the block, which works on `device` ("cpu", "cuda", "cuda:1"). The device is waited for."""
    meter = Meter()
    board = _Board(device) if device.startswith("cuda") else None
    whole = _forget_peak()
    started, cpu = time.perf_counter(), time.process_time()
    try:
        yield meter
    finally:
        peak = board.finish() if board else None
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        kwh, source = board.energy(seconds) if board else _core_energy(cpu)
        meter.usage = Usage(
            device=board.name if board else "cpu",
            seconds=seconds,
            gpu_seconds=seconds if board else 0.0,
            cpu_seconds=cpu,
            kwh=kwh,
            energy_source=source,
            peak_vram=peak,
            peak_rss=_peak_rss(whole),
        )


def rated_watts(name: str) -> tuple[float, str]:
    """Power of a board by the driver's name for it, and where the figure is from. Pure."""
    for part, watts in _RATED.items():
        if part in name:
            return watts, f"estimate: rated {watts:g} W of {part}"
    return BOARD_WATTS, f"estimate: assumed {BOARD_WATTS:g} W, {name} is not in the table"


def _core_energy(cpu_seconds: float) -> tuple[float, str]:
    watts = float(conf.get("DEVICE_WATTS"))
    source = f"estimate: {watts or CORE_WATTS:g} W a busy core" + (
        ", by the operator" if watts else ", assumed"
    )
    return cpu_seconds * (watts or CORE_WATTS) / _JOULES_PER_KWH, source


class _Board:
    """One GPU: its peak of allocated memory and its energy counter."""

    def __init__(self, device: str) -> None:
        torch = heavy.load("torch")
        self._cuda = torch.cuda
        self._index = torch.device(device).index or 0
        self.name = str(self._cuda.get_device_name(self._index))
        self._cuda.synchronize(self._index)
        self._cuda.reset_peak_memory_stats(self._index)
        self._counter = self._millijoules()

    def finish(self) -> float:
        """Wait for the device; the peak in GiB."""
        self._cuda.synchronize(self._index)
        return float(self._cuda.max_memory_allocated(self._index)) / 2**30

    def energy(self, seconds: float) -> tuple[float, str]:
        now = self._millijoules()
        if now is not None and self._counter is not None and now > self._counter:
            return (now - self._counter) / 1000 / _JOULES_PER_KWH, "measured: the board's counter (NVML)"
        watts, source = rated_watts(self.name)
        if own := float(conf.get("DEVICE_WATTS")):
            watts, source = own, f"estimate: {own:g} W, by the operator"
        return seconds * watts / _JOULES_PER_KWH, source

    def _millijoules(self) -> int | None:
        """The board's counter since the driver was loaded; None where it cannot be read."""
        try:
            import pynvml

            pynvml.nvmlInit()
            uuid = f"GPU-{self._cuda.get_device_properties(self._index).uuid}"
            return int(pynvml.nvmlDeviceGetTotalEnergyConsumption(pynvml.nvmlDeviceGetHandleByUUID(uuid)))
        except Exception:  # noqa: BLE001  no package, no driver, no right, no such counter: all the same here
            return None


def _forget_peak() -> bool:
    """Let the kernel count the peak of this process's memory anew. False where it does not."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return False
    return True


def _peak_rss(since_block: bool) -> float:
    """GiB; of the block where the kernel can tell, else of the process so far."""
    if since_block:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20

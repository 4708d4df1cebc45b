"""What the pipeline's tests share: a small real video engine and a sealer beside the test.

The engine draws: textured ground, a cross whose colour and way come from prompt and seed. It keeps
the whole contract of a video engine (deterministic, cancellable, says what it is) and takes
milliseconds, so that a test can run a job to its end twenty times. Import it with the tests'
directory on `sys.path`: child processes load it by its dotted name.
"""

import dataclasses
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from byline.generation import pipeline, runner, submit
from byline.generation.contracts import Artefact, Stage
from byline.generation.engines.base import EngineExample, EngineInfo, VideoTask
from byline.generation.models import GenerationRequest

HERE = Path(__file__).parent
ENGINES = {"default": {"CLASS": "pipeline_kit.PatternEngine", "CONFIG": {"pause_s": 0.0}}}
SETTINGS = {"VIDEO_ENGINES": ENGINES, "SEAL_INTERVAL_S": 0.1}
SMALL = {"width": 320, "height": 180, "fps": 12, "shots": 1}


class PatternEngine:
    """`pause_s` is slept before each of the frames, so that a test can reach a job while it is made."""

    def __init__(self, pause_s: float = 0.0) -> None:
        self.pause_s = pause_s

    @property
    def info(self) -> EngineInfo:
        return EngineInfo(
            name="test-pattern",
            version="1",
            revision=hashlib.sha256(Path(__file__).read_bytes()).hexdigest(),
            licence="Apache-2.0",
            width=160,
            height=96,
            frames=9,
            fps=8.0,
            text_encoder="none",
            drawn=True,
        )

    record: ClassVar[dict[str, Any]] = {"device": "cpu", "lossy": []}

    def generate(
        self,
        task: VideoTask,
        progress: Callable[[float], None] = lambda fraction: None,
        check_cancelled: Callable[[], None] = lambda: None,
    ) -> np.ndarray:
        words = hashlib.sha256(f"{task.seed}:{task.prompt}".encode()).digest()
        rng = np.random.default_rng(list(words))
        height, width = self.info.height, self.info.width
        y, x = np.mgrid[:height, :width].astype(np.float32)
        ground = rng.normal(110, 22, (height // 4, width // 4, 3)).repeat(4, 0).repeat(4, 1)
        ground += 30 * np.sin(x / (6 + words[0] % 9) + y / (5 + words[1] % 7))[..., None]
        colour = rng.uniform(40, 220, 3)
        frames = np.empty((task.frames or self.info.frames, height, width, 3), np.uint8)
        for number in range(len(frames)):
            check_cancelled()
            time.sleep(self.pause_s)
            at = width * (0.2 + 0.6 * number / len(frames)), height * (0.3 + words[2] / 640)
            # A thin cross: in round shapes NudeNet now and then sees nudity, and holds the job.
            across, down = np.abs(x - at[0]), np.abs(y - at[1])
            near, far = np.minimum(across, down), np.maximum(across, down)
            cross = ((near < height * 0.06) & (far < height * 0.3))[..., None]
            frames[number] = np.clip(np.where(cross, colour, ground), 0, 255)
            progress((number + 1) / len(frames))
        return frames

    def self_check(self) -> None:
        """Nothing to load."""

    def examples(self) -> tuple[EngineExample, ...]:
        task = VideoTask("A cross.", seed=1)
        return (EngineExample(task, "the cross moves", lambda frames: bool((frames[0] != frames[-1]).any())),)


def ask(**more: Any) -> GenerationRequest:
    """Submit a small request; nobody is woken."""
    values = {"prompt": "A red kite.", "seconds": 1, "seed": 7, "options": SMALL, **more}
    return submit.submit(requester="user:1", wake_worker=lambda *_: None, **values)


def finish(row: GenerationRequest, stages: Sequence[Stage] | None = None) -> GenerationRequest:
    """Drive it to its end in this process and read it again."""
    runner.run_to_end(row.pk, stages=stages)
    row.refresh_from_db()
    return row


def with_stage(name: str, run: Callable[[Any, Artefact], Any]) -> list[Stage]:
    """The pipeline with one stage's function replaced."""
    return [dataclasses.replace(s, run=run) if s.name == name else s for s in pipeline.STAGES]


class Sealer:
    """The real sealer in a process of its own, against the test's database.

    It starts once for a module: it survives that the database is put back between two tests, as it
    must survive a restart of its server.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Sealer":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def keep_alive(self) -> None:
        """Start it unless it runs."""
        if self._process is None or self._process.poll() is not None:
            environment = {
                **os.environ,
                "DJANGO_SETTINGS_MODULE": "byline.platform.settings",
                "BYLINE_SEAL_INTERVAL_S": "0.1",
            }
            self._process = subprocess.Popen(
                [sys.executable, "-m", "django", "byline_sealer"], env=environment, stderr=subprocess.DEVNULL
            )

    def stop(self) -> None:
        """End it and wait for that."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=10)
            self._process = None

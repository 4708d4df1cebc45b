"""What the pipeline's tests share: a small real video engine and a sealer beside the test.

The engine draws: textured ground, a disc whose colour and way come from prompt and seed. It keeps
the whole contract of a video engine (deterministic, cancellable, says what it is) and takes
milliseconds, so that a test can run a job to its end twenty times. Import it with the tests'
directory on `sys.path`: child processes load it by its dotted name.
"""

import contextlib
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from byline.generation.engines.base import EngineExample, EngineInfo, VideoTask

HERE = Path(__file__).parent
ENGINES = {"default": {"CLASS": "pipeline_kit.PatternEngine", "CONFIG": {"pause_s": 0.0}}}
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
            disc = np.hypot(x - at[0], y - at[1])[..., None] < height * 0.22
            frames[number] = np.clip(np.where(disc, colour, ground), 0, 255)
            progress((number + 1) / len(frames))
        return frames

    def self_check(self) -> None:
        """Nothing to load."""

    def examples(self) -> tuple[EngineExample, ...]:
        task = VideoTask("A disc.", seed=1)
        return (EngineExample(task, "the disc moves", lambda frames: bool((frames[0] != frames[-1]).any())),)


@contextlib.contextmanager
def sealer() -> Iterator[subprocess.Popen[bytes]]:
    """The real sealer in a process of its own, against the test's database."""
    process = subprocess.Popen(
        [sys.executable, "-m", "django", "byline_sealer"],
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "byline.platform.settings", "BYLINE_PROCESS": "sealer"},
    )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=10)

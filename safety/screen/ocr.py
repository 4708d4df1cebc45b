"""Text in the picture by Tesseract, as a program of its own beside us: bounded in time, fed by a pipe.

CONFIG: `command` (default "tesseract"), `languages` (of its traineddata, default "eng"), `confidence`
(0 to 100). Words below that, and words of fewer than three letters, are left out: texture is full of
them. Installed from Debian as tesseract-ocr; where it is missing the check is "unavailable".
"""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess

import cv2
import numpy as np
from PIL import Image

from byline.audit.base.errors import ConfigurationError
from byline.safety.guards.base import GuardFailed
from byline.safety.screen.base import MAX_TEXT, Frames, ScreenerExample

_SECONDS = 30.0  # for one frame
_WIDTH = 960  # Tesseract wants letters of some 20 pixels; smaller pictures are enlarged
_LETTERS = re.compile(r"\w")


class Tesseract:
    def __init__(self, command: str = "tesseract", languages: str = "eng", confidence: float = 70.0) -> None:
        if not re.fullmatch(r"[A-Za-z_]+(\+[A-Za-z_]+)*", languages):
            raise ConfigurationError(f"languages are names joined by +, not {languages!r}")
        if not 0 <= confidence <= 100:
            raise ConfigurationError("confidence is from 0 to 100")
        self.command, self.languages, self.confidence = command, languages, confidence

    def self_check(self) -> None:
        """Nothing: not installed is "unavailable", and shown as such in every result."""

    def read(self, frames: Frames) -> list[str]:
        """The lines of all frames, each once. ImportError when the program is not installed."""
        if shutil.which(self.command) is None:
            raise ImportError(name=self.command)
        if not len(frames):
            return []
        # One process for all of them: it takes longer to start than to read a frame.
        pictures = [Image.fromarray(_enlarged(frame)) for frame in frames]
        pages = io.BytesIO()
        pictures[0].save(pages, format="TIFF", save_all=True, append_images=pictures[1:])
        # Sparse text, wherever it stands; one thread.
        command = [self.command, "-", "-", "-l", self.languages, "--psm", "11", "tsv"]
        try:
            answer = subprocess.run(
                command,
                input=pages.getvalue(),
                capture_output=True,
                timeout=_SECONDS * len(pictures),
                check=True,
                env={**os.environ, "OMP_THREAD_LIMIT": "1"},
            ).stdout.decode("utf-8", "replace")
        except (subprocess.TimeoutExpired, subprocess.CalledProcessError, OSError) as error:
            raise GuardFailed(f"tesseract did not read the frames ({type(error).__name__})") from error
        if _pages(answer) != len(pictures):
            raise GuardFailed("tesseract did not read every frame")
        return _bounded(list(dict.fromkeys(self._words(answer))))

    def _words(self, tsv: str) -> list[str]:
        """Sure words by line, frame after frame. Columns: level, page, block, par, line, word, box of four,
        conf, text."""
        lines: dict[tuple[str, ...], list[str]] = {}
        for row in tsv.splitlines()[1:]:
            cells = row.split("\t")
            if len(cells) < 12 or cells[0] != "5" or float(cells[10]) < self.confidence:
                continue
            if len(_LETTERS.findall(cells[11])) >= 3:
                lines.setdefault(tuple(cells[1:5]), []).append(cells[11].strip())
        return [" ".join(words) for words in lines.values()]

    def examples(self) -> tuple[ScreenerExample, ...]:
        blank = np.full((240, 640, 3), 255, np.uint8)
        written = blank.copy()
        cv2.putText(written, "HARBOUR OPENS", (40, 140), cv2.FONT_HERSHEY_SIMPLEX, 2.0, (0, 0, 0), 4)
        return (
            ScreenerExample({"frames": [blank]}, "nothing is read", lambda lines: lines == []),
            ScreenerExample({"frames": [written]}, "it is read", lambda lines: "HARBOUR OPENS" in lines),
        )


def _enlarged(frame: np.ndarray) -> np.ndarray:
    height, width = frame.shape[:2]
    frame = np.ascontiguousarray(frame)
    if width >= _WIDTH:
        return frame
    return cv2.resize(frame, (_WIDTH, round(height * _WIDTH / width)), interpolation=cv2.INTER_CUBIC)


def _pages(tsv: str) -> int:
    """How many pages the answer speaks of: a row of level 1 for each."""
    return sum(row.startswith("1\t") for row in tsv.splitlines())


def _bounded(lines: list[str]) -> list[str]:
    kept: list[str] = []
    for line in lines:
        if sum(map(len, kept)) + len(line) > MAX_TEXT:
            break
        kept.append(line)
    return kept

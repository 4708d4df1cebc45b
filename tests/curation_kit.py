"""A dataset of clips drawn here, committed as an ingest commits it, without what takes seconds."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench import curation_reel as reels
from byline.generation.curation import dataset, ingest
from byline.generation.curation.dataset import NO_PEOPLE, Declaration

OWN = Declaration("drawn for a test", "CC0-1.0", (NO_PEOPLE,))


def dataset_of(name: str, clips: Sequence[tuple[Sequence[np.ndarray], str]], folder: Path) -> dataset.Dataset:
    """One clip with its caption per pair."""
    with dataset.locked(name) as place:
        rows = []
        for number, (frames, caption) in enumerate(clips):
            data = reels.write(folder / f"{number}.mp4", frames, fps=8).read_bytes()
            sha256 = hashlib.sha256(data).hexdigest()
            dataset.replace(place / dataset.CLIPS / f"{sha256}.mp4", data)
            rows.append(_row(sha256, frames, caption))
        done = {"source_sha256": "0" * 64, "group": "drawn", "shots": len(rows), "kept": len(rows),
                "left_out": {}, "not_checked": {}}  # fmt: skip
        ingest._commit(place, name, rows, dataset.read_report(place), done, OWN, "system:test")
    return dataset.verified(name)


def _row(sha256: str, frames: Sequence[np.ndarray], caption: str) -> dict[str, Any]:
    height, width = frames[0].shape[:2]
    own = {"kind": "operator", "text": caption, "state": "written", "model": "", "sha256": ""}
    return {
        "sha256": sha256,
        "packets_sha256": sha256,
        "source_sha256": sha256,
        "group": "drawn",
        "declared_ai": False,
        "start": 0.0,
        "end": len(frames) / 8,
        "frames": len(frames),
        "fps": 8.0,
        "width": width,
        "height": height,
        "codec": "h264",
        "measures": {},
        "not_checked": [],
        "fingerprint": [],
        "captions": [own],
        **OWN.as_dict(),
    }

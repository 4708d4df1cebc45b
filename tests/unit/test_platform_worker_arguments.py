"""How workers are started: one job at a time, or the GPU's side by side in threads; never by a fork."""

from __future__ import annotations

from typing import Any

import pytest

from byline.platform.celery_app import GPU, LIGHT, worker_arguments


@pytest.mark.parametrize(
    ("queue", "jobs", "pool"),
    [(LIGHT, 1, "solo"), (GPU, 1, "solo"), (LIGHT, 3, "solo"), (GPU, 3, "threads")],
)
def test_jobs_side_by_side_are_the_gpu_workers_alone(settings: Any, queue: str, jobs: int, pool: str) -> None:
    settings.BYLINE = {**settings.BYLINE, "GPU_JOBS": jobs}
    arguments = worker_arguments(queue)
    assert arguments[arguments.index("--pool") + 1] == pool
    assert arguments[arguments.index("-Q") + 1] == queue
    assert ("--concurrency" in arguments) is (pool == "threads")
    if pool == "threads":
        assert arguments[arguments.index("--concurrency") + 1] == "3"

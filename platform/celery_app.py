"""The Celery app: two queues, `light` (no torch) and `gpu`, over Redis or over our own database.

The broker only wakes workers; the job row is the truth, so a message lost or delivered twice does
no harm. Remote control is off everywhere: the embedded broker cannot broadcast, and an operator
should not come to rely on what half of the installations lack. Health is read from the job rows.

A host project with a Celery app of its own keeps that one; the tasks are `shared_task`s.
"""

import os
from typing import Any

from celery import Celery
from celery.signals import worker_process_init

from byline.audit.base import conf
from byline.platform import process

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "byline.platform.settings")

LIGHT, GPU = "light", "gpu"

app = Celery("byline")
app.set_default()  # for every thread: the threads of a web server would else talk to Celery's default
app.conf.update(
    task_default_queue=LIGHT,
    task_acks_late=True,  # a task killed in the middle comes again
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,  # long jobs: hold no second one back from an idle worker
    task_ignore_result=True,
    worker_enable_remote_control=False,
    worker_send_task_events=False,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    task_serializer="json",
    accept_content=["json"],  # pickle would let anyone who reaches the broker run code
    timezone="UTC",
)
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["byline.generation"])


def worker_arguments(queue: str) -> list[str]:
    """Arguments after `python -m` for one worker. No pool forks, which CUDA would not survive: one job at a
    time, or threads where GPU_JOBS asks for jobs side by side, which take turns at the model."""
    jobs = int(conf.get("GPU_JOBS")) if queue == GPU else 1
    pool = ["--pool", "solo"] if jobs == 1 else ["--pool", "threads", "--concurrency", str(jobs)]
    return [
        *("celery", "-A", "byline.platform.celery_app", "worker"),
        *("-Q", queue, "-n", f"{queue}@%h", *pool, "--loglevel", "WARNING"),
        *("--without-gossip", "--without-mingle", "--without-heartbeat"),
    ]


@worker_process_init.connect
def _bind_pool_child(**_: Any) -> None:
    """For installations that choose a prefork pool: no child outlives a killed worker."""
    import signal

    process.bind_to_parent(signal.SIGKILL, os.getppid())

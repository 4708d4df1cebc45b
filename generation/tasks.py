"""What Celery calls: one task per queue, and the sweeper beside the light worker.

A task carries an id and nothing else: no prompt, no file passes through the broker. Doubled or
late messages are harmless, because claiming a request is atomic.
"""

import uuid
from typing import Any

from celery import shared_task
from celery.signals import worker_ready, worker_shutdown

from byline.generation import runner, sweeper, warming
from byline.generation.wake import TASKS


@shared_task(name=TASKS["light"], ignore_result=True)
def run_light(request_id: str) -> None:
    runner.run(uuid.UUID(request_id), "light")


@shared_task(name=TASKS["gpu"], ignore_result=True)
def run_gpu(request_id: str) -> None:
    runner.run(uuid.UUID(request_id), "gpu")


@worker_ready.connect
def start_sweeper(sender: Any, **_: Any) -> None:
    """Sweep beside the light worker; a second light worker that sweeps too does no harm."""
    if "light" in sender.app.amqp.queues.consume_from:
        sweeper.start()


@worker_ready.connect
def warm_up(sender: Any, **_: Any) -> None:
    """Load the models of this worker's queues before it takes its first job."""
    for queue in TASKS:
        if queue in sender.app.amqp.queues.consume_from:
            warming.warm_up(queue)


@worker_shutdown.connect
def stop_sweeper(**_: Any) -> None:
    sweeper.stop()

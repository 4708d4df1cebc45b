"""Tells the workers of a queue that a request waits. The broker only wakes; the row is the truth.

A message that is lost, doubled or late does no harm: claiming is atomic and the sweeper wakes
again. So a broker that is away is a line in the log, not an error for the person who submits.
"""

import logging
import uuid

import psycopg
from celery import current_app
from kombu.exceptions import KombuError

logger = logging.getLogger(__name__)

TASKS = {
    "light": "byline.generation.tasks.run_light",
    "gpu": "byline.generation.tasks.run_gpu",
}


def wake(request_id: uuid.UUID, queue: str) -> None:
    """Send one message. Call it after the commit that made the request claimable."""
    try:
        current_app.send_task(
            TASKS[queue], args=[str(request_id)], queue=queue, ignore_result=True, retry=False
        )
    except (KombuError, OSError, psycopg.Error) as error:
        logger.warning("broker away (%s): the sweeper will wake %s", type(error).__name__, request_id)

"""How gunicorn runs the web process: one process, several threads, bound to the supervisor's life."""

import os
import signal
from typing import Any

from byline.platform import process

workers = int(os.environ.get("WEB_CONCURRENCY", "1"))
threads = 8  # requests wait for the database or a poll, not for the processor
timeout = 60
graceful_timeout = 5
accesslog = None  # addresses may hold record ids that people looked for
errorlog = "-"
loglevel = "warning"
control_socket_disable = True


def post_fork(server: Any, worker: Any) -> None:
    """A killed master must not leave its workers listening."""
    process.bind_to_parent(signal.SIGKILL, worker.ppid)

"""Runs the sealer: batches new entries of the log into its tree, signs checkpoints, asks witnesses."""

import os
import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand

from byline.platform.database import roles


class Command(BaseCommand):
    help = "Seal new log entries until told to stop (SIGTERM or SIGINT)."

    def handle(self, *args: Any, **options: Any) -> None:
        from byline.audit import seal
        from byline.platform.ledger import witnesses

        os.environ["BYLINE_PROCESS"] = "sealer"
        stop = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
        # A daemon: a witness that does not answer must not keep the sealer from ending.
        threading.Thread(target=witnesses.run, args=(stop,), name="witnesses", daemon=True).start()
        with roles.acting_as("sealer"):
            seal.run(stop.is_set)

"""Workers for the kill test: a parent that has everything imported, children that do the work.

Started as a program. Reads lines from standard input: "light" or "gpu" forks a worker of that
queue and prints its process id; end of file ends all. A child is a worker but for the broker: it runs
what its queue offers with the product's runner until it is killed. Forking saves the seconds that
importing takes at each of many kills; the parent holds no connection and no model, so nothing is
shared.
"""

import os
import signal
import sys
import time

import django

django.setup()

import nudenet  # noqa: E402
import onnxruntime  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.models import Q  # noqa: E402
from django.db.models.functions import Now  # noqa: E402

from byline.audit.base import heavy  # noqa: E402
from byline.generation import brands, compose, encode, engines, runner, voices  # noqa: E402
from byline.generation.models import GenerationRequest  # noqa: E402
from byline.generation.states import CLAIM  # noqa: E402
from byline.provenance import decode, fingerprints, readback, signing  # noqa: E402
from byline.provenance.marks import audio, video  # noqa: E402
from byline.safety import debias, moderation  # noqa: E402
from byline.safety.screen import frames, speech  # noqa: E402

PRELOADED = (brands, compose, encode, engines, voices, decode, fingerprints, readback, signing)
PRELOADED += (audio, video, debias, moderation, frames, speech, nudenet, onnxruntime)
PRELOADED += (heavy.load("facenet_pytorch"),)


def work(queue: str) -> None:
    """Run what this queue can claim until killed, as if every message were delivered again and again."""
    while os.getppid() != 1:  # not an orphan
        offered = GenerationRequest.objects.filter(state__in=[state.value for state in CLAIM[queue]])
        free = Q(lease_until__isnull=True) | Q(lease_until__lt=Now())
        for request_id in offered.filter(free).order_by("created_at").values_list("pk", flat=True)[:1]:
            runner.run(request_id, queue, wake_next=lambda *_: None)
        time.sleep(0.05)


def main() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps killed children
    children = []
    for line in sys.stdin:
        queue = line.strip()
        pid = os.fork()
        if pid == 0:
            os.setpgid(0, 0)
            connection.close()
            work(queue)
            os._exit(0)
        children.append(pid)
        print(pid, flush=True)
    for pid in children:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    sys.stdout.flush()
    os._exit(0)  # taking the big libraries down in order would take seconds


if __name__ == "__main__":
    main()

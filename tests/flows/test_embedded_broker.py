"""A message goes from any thread through the embedded database to the right worker, crash or not."""

import json
import subprocess
from typing import Any

CONSUME = """
import json, sys, threading, time, uuid
import django; django.setup()
from django.db import OperationalError, connection
from byline.generation.wake import TASKS, wake
from byline.platform import settings, supervisor

def waiting():
    try:
        with connection.cursor() as cursor:
            cursor.execute("select queue_name, queue_length, total_messages from pgmq.metrics_all()")
            return {name: (length, total) for name, length, total in cursor.fetchall()}
    except OperationalError:  # the database is just being killed
        connection.close()
        return {}

def consume(total):
    # As a web server would: from a thread, where Celery keeps no current app of its own.
    for queue in TASKS:
        sender = threading.Thread(target=wake, args=(uuid.uuid4(), queue))
        sender.start()
        sender.join()
    deadline = time.monotonic() + 25
    while time.monotonic() < deadline:
        found = waiting()
        if set(found) == set(TASKS) and all(n == 0 and sent >= total for n, sent in found.values()):
            return
        time.sleep(0.05)
    raise SystemExit(f"not consumed: {found}")

with supervisor.running(settings.HOME) as before:
    consume(1)
    print("killable", flush=True)
    sys.stdin.readline()
    while not waiting():
        time.sleep(0.1)
    consume(2)
    after = supervisor.status(settings.HOME)
    print(json.dumps([before["services"], after["services"]]))
"""


def test_workers_get_messages_also_after_the_database_was_killed(installation: Any) -> None:
    command = installation.popen(CONSUME, stdin=subprocess.PIPE)
    assert command.stdout.readline() == "killable\n", command.stderr.read()
    (postmaster,) = (p for p in installation.processes() if "-D" in p.cmdline() and p.name() == "postgres")
    postmaster.kill()
    output, errors = command.communicate("\n", timeout=60)
    assert command.returncode == 0, errors
    before, after = json.loads(output)
    assert before.keys() == after.keys()

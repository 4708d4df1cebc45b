"""Verify a hostile upload in a child process with hard bounds on time, memory and output.

The child is `byline verify --json` on an inherited descriptor: the same code that an outsider
runs, so the page can never say something else than the command line. It dies at the limit, with
its own children, and takes nothing with it; the web process never parses the media. Only a few
run at a time in each web process: the rest are asked to come back.
"""

import contextlib
import json
import logging
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from typing import Any

from byline.audit.base import conf
from byline.audit.base.errors import BylineError

logger = logging.getLogger(__name__)

_MEMORY = 6 * 1024**3  # address space; frames of a bounded clip plus the libraries that read them
_VERDICTS = {0, 10, 11, 12, 13, 14, 15, 16}
_PLACES = threading.BoundedSemaphore(2)
_PATIENCE_S = 5.0
# "Nothing found" is answered at whole steps after the start: how long the search took would otherwise
# hint at a mark whose clip is not published. The place for the next file is free meanwhile.
_NOTHING_FOUND, _STEP_S = 14, 1.0


class VerificationStopped(BylineError):
    code = "verification_limit"
    status = 422
    help = "Send a shorter or smaller file, or run `byline verify` on your own machine."


class VerificationBusy(BylineError):
    code = "verification_busy"
    status = 503
    help = "Try again in a minute, or run `byline verify` on your own machine."


def verify_descriptor(descriptor: int, *options: str) -> dict[str, Any]:
    """The report of `byline verify` for an open file; `options` are further words for that command.

    Raises VerificationStopped when a limit is hit, VerificationBusy when no place is free.
    """
    started = time.monotonic()
    report = run_in_child("verify", descriptor, *options)
    report.pop("file", None)  # the descriptor's name says nothing to anybody
    if report.get("exit_code") == _NOTHING_FOUND:
        time.sleep((started - time.monotonic()) % _STEP_S)
    return report


def run_in_child(command: str, descriptor: int, *options: str) -> dict[str, Any]:
    """What `byline COMMAND --json` prints about an open file, within the same bounds for every command.

    Raises VerificationStopped when a limit is hit, VerificationBusy when no place is free.
    """
    if not _PLACES.acquire(timeout=_PATIENCE_S):
        raise VerificationBusy("too many files are being verified right now")
    try:
        return _in_child(command, descriptor, options)
    finally:
        _PLACES.release()


def _in_child(command: str, descriptor: int, options: tuple[str, ...]) -> dict[str, Any]:
    seconds = float(conf.get("VERIFY_MAX_SECONDS"))

    def bounds() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    child = subprocess.Popen(
        [sys.executable, "-m", "byline.platform.cli", command, "--json", *options, f"/dev/fd/{descriptor}"],
        pass_fds=[descriptor],
        preexec_fn=bounds,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env={**os.environ, "BYLINE_PROCESS": "web", "OMP_NUM_THREADS": "1"},
        start_new_session=True,  # a group of its own, so that its decoder can be ended with it
    )
    try:
        output, _ = child.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise VerificationStopped(f"verification took longer than {seconds:.0f} s and was stopped") from error
    finally:
        _end(child)
    if child.returncode not in _VERDICTS:
        logger.warning("a verification child ended with %s", child.returncode)
        raise VerificationStopped("verification was stopped by a resource limit or an internal error")
    return dict(json.loads(output))


def _end(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):  # it and its children have gone already
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()

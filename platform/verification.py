"""Verify a hostile upload in a child process with hard bounds on time, memory and output.

The child is `byline verify --json` on an inherited descriptor: the same code that an outsider
runs, so the page can never say something else than the command line. It dies at the limit and
takes nothing with it; the web process never parses the media.
"""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from byline.audit.base import conf
from byline.audit.base.errors import BylineError

_MEMORY = 6 * 1024**3  # address space; frames of a bounded clip plus the libraries that read them
_VERDICTS = {0, 10, 11, 12, 13, 14, 15}


class VerificationBusy(BylineError):
    code = "verification_limit"
    status = 422
    help = "Send a shorter or smaller file, or run `byline verify` on your own machine."


def verify_descriptor(descriptor: int) -> dict[str, Any]:
    """The report of `byline verify` for an open file. Raises VerificationBusy when a limit is hit."""
    seconds = float(conf.get("VERIFY_MAX_SECONDS"))

    def bounds() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    try:
        child = subprocess.run(
            [sys.executable, "-m", "byline.platform.cli", "verify", "--json", f"/dev/fd/{descriptor}"],
            pass_fds=[descriptor],
            preexec_fn=bounds,
            capture_output=True,
            timeout=seconds,
            cwd="/",
            env={**os.environ, "BYLINE_PROCESS": "web", "OMP_NUM_THREADS": "1"},
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise VerificationBusy(f"verification took longer than {seconds:.0f} s and was stopped") from error
    if child.returncode not in _VERDICTS:
        raise VerificationBusy("verification was stopped by a resource limit or an internal error")
    report = json.loads(child.stdout)
    report.pop("file", None)  # the descriptor's name says nothing to anybody
    return dict(report)


def verify_file(path: Path) -> dict[str, Any]:
    """The same for a file of our own store, read through a descriptor."""
    with path.open("rb") as handle:
        return verify_descriptor(handle.fileno())

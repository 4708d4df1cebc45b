"""A child process in which anybody's file may be opened.

Promises: bounds on CPU, address space, written files, core dumps and time on the clock; one pipe back and
none of our environment, so that no secret goes along. It runs as the same user, so it is a bound on
resources, not a wall around the key files. What comes through the pipe is the child's word: the caller
checks it against its own bounds.
"""

import contextlib
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import IO, BinaryIO

MEMORY = 4 << 30  # FFmpeg with two threads on 8K frames stays below half of it
_PASSED_ON = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG")
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@contextlib.contextmanager
def jailed(module: str, media: BinaryIO, *arguments: str, seconds: float) -> Iterator[IO[bytes]]:
    """`python -m module DESCRIPTOR ARGUMENTS...` for an open file; yields what the child writes.

    The child may use `seconds` of CPU and is ended when the block is left.
    """

    def bounds() -> None:
        _lower(resource.RLIMIT_CPU, max(1, int(seconds)))
        _lower(resource.RLIMIT_AS, MEMORY)
        _lower(resource.RLIMIT_CORE, 0)
        _lower(resource.RLIMIT_FSIZE, 0)

    child = subprocess.Popen(
        [sys.executable, "-m", module, str(media.fileno()), *arguments],
        pass_fds=[media.fileno()],
        preexec_fn=bounds,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: os.environ[name] for name in _PASSED_ON if name in os.environ} | _ONE_THREAD,
    )
    watchdog = threading.Timer(2 * seconds + 10, child.kill)  # a child that waits uses no CPU
    watchdog.start()
    try:
        assert child.stdout is not None
        yield child.stdout
    finally:
        watchdog.cancel()
        child.kill()
        child.wait()
        if child.stdout is not None:
            child.stdout.close()


def _lower(what: int, value: int) -> None:
    """Lower a limit of this process; one that is lower already stays."""
    hard = resource.getrlimit(what)[1]
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(what, (bound, bound))

"""Child processes that never outlive the one that started them.

Promises: a child started with `preexec_fn=bound_to_parent(signal)` gets that signal from the
kernel when its parent dies, however it dies (kill -9 included). Linux has this (PR_SET_PDEATHSIG);
elsewhere the orderly ways out still stop children, but a kill -9 leaves them to the next start.

Beware: the kernel sends the signal when the *thread* that forked ends, so start children from a
thread that lives as long as the process.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

_PR_SET_PDEATHSIG = 1
# Loaded here, not after fork: loading a library in a forked child may deadlock.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def bound_to_parent(death_signal: signal.Signals) -> Callable[[], None]:
    """A `preexec_fn` that binds the child's life to this process."""
    parent = os.getpid()

    def bind() -> None:
        bind_to_parent(death_signal, parent)

    return bind


def bind_to_parent(death_signal: signal.Signals, parent: int) -> None:
    """Bind this process to `parent`; leaves at once when the parent has already gone."""
    if _libc is None:
        return
    _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if os.getppid() != parent:  # it died between fork and prctl: no signal will come
        os._exit(1)


def command_line(pid: int) -> list[str] | None:
    """Arguments of a running process; None when it is gone, a zombie or cannot be seen."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return None
    return [os.fsdecode(part) for part in raw.split(b"\0") if part] or None


def is_alive(pid: int) -> bool:
    """Whether a process of that number runs (a zombie does not)."""
    if sys.platform == "linux":
        return command_line(pid) is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True

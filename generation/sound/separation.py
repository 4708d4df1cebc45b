"""Voice apart from what sounds with it, by a trained model of the setting SEPARATORS (none is shipped).

`TorchScriptSeparator` runs any exported network that takes (1, channels, N) and gives (1, sources, channels,
N), as Conv-TasNet and Demucs exports do. The file is named with its SHA-256 and is code: take it only from
whom you would take a program.
"""

import hashlib
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from byline.audit.base import heavy
from byline.audit.base.errors import BylineError, ConfigurationError, MissingWeights
from byline.generation import plugins
from byline.generation.soundtrack import resample


class SeparationFailed(BylineError):
    code = "separation_failed"
    status = 502
    help = "Leave the step out, or configure another separator."


class Separator(Protocol):
    def separate(self, samples: np.ndarray, rate: int) -> dict[str, np.ndarray]:
        """Stems by name, each float32 mono (N,) at `rate`; "speech" is one of them. SeparationFailed."""
        ...

    def self_check(self) -> None:
        """Raise ConfigurationError or MissingWeights when this separator cannot work here."""
        ...


def load(name: str) -> Separator:
    separator: Separator = plugins.load("SEPARATORS", name, "separator")
    return separator


class TorchScriptSeparator:
    """`sources` name the network's outputs in order; `rate` is the one it was trained at."""

    def __init__(
        self, *, path: str, sha256: str, rate: int, sources: Sequence[str], channels: int = 1
    ) -> None:
        if "speech" not in sources or rate < 8000 or channels not in (1, 2):
            raise ConfigurationError("a separator has a source called speech, a rate and one or two channels")
        self._path, self._sha256 = Path(path).expanduser(), sha256
        self._rate, self._sources, self._channels = rate, tuple(sources), channels
        self._lock = threading.Lock()
        self._network: Any = None

    def self_check(self) -> None:
        self._load()

    def separate(self, samples: np.ndarray, rate: int) -> dict[str, np.ndarray]:
        torch = heavy.load("torch")
        network = self._load()
        sound = torch.from_numpy(resample(samples, rate, self._rate))
        with self._lock, torch.inference_mode():
            stems = network(sound.repeat(1, self._channels, 1))
        wanted = (1, len(self._sources), self._channels, len(sound))
        if tuple(stems.shape) != wanted or not bool(torch.isfinite(stems).all()):
            raise SeparationFailed(f"the separator gave {tuple(stems.shape)}, not {wanted}, or no numbers")
        mono = stems[0].mean(dim=1).numpy()
        back = {name: resample(mono[i], self._rate, rate) for i, name in enumerate(self._sources)}
        return {name: np.resize(stem, len(samples)) for name, stem in back.items()}

    def _load(self) -> Any:
        with self._lock:
            if self._network is None:
                if not self._path.is_file():
                    raise MissingWeights("the separator's network is not on this machine")
                with self._path.open("rb") as handle:
                    found = hashlib.file_digest(handle, "sha256").hexdigest()
                if found != self._sha256:
                    raise ConfigurationError("the separator's network is not the pinned file")
                self._network = heavy.load("torch").jit.load(str(self._path), map_location="cpu").eval()
            return self._network

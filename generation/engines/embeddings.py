"""Remembers what a text encoder said, in memory only: takes, shots and retries ask for the same prompt.

Prompts are secrets, so nothing of this is written anywhere: the key is a digest under a random key of this
process, entries go after an hour or when there are too many, and the process takes them along. What is kept
is the encoder's answer to the same tokens under the same weights, so that a hit changes nothing in the
pictures. A hit spares the encoder and nothing else: each job is moderated, recorded and logged as ever,
and its record says how often the cache answered.
"""

from __future__ import annotations

import functools
import hashlib
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from byline.audit.base import heavy

MOST_BYTES = 256 << 20  # some sixty prompts of the largest encoders
MAX_AGE_S = 3600.0


@dataclass
class Count:
    """How often an engine's encoders were answered for, and how often they were asked."""

    hits: int = 0
    misses: int = 0

    def since(self, before: Count) -> dict[str, int]:
        """For the record of one run."""
        return {"from_cache": self.hits - before.hits, "computed": self.misses - before.misses}


class Cache:
    """Least recently used answers first to go. One for all engines of a process; thread-safe."""

    def __init__(self, most_bytes: int = MOST_BYTES, max_age_s: float = MAX_AGE_S) -> None:
        self._most, self._max_age = most_bytes, max_age_s
        self._secret = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, tuple[float, int, Any]] = OrderedDict()
        self._bytes = 0

    def key(self, *parts: bytes) -> bytes:
        """A digest of the parts that nobody without this process's key can recompute."""
        digest = hashlib.blake2b(key=self._secret, digest_size=32)
        for part in parts:
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.digest()

    def get(self, key: bytes) -> Any | None:
        with self._lock:
            self._expire()
            found = self._kept.get(key)
            if found is None:
                return None
            self._kept.move_to_end(key)
            return found[2]

    def put(self, key: bytes, value: Any, size: int) -> None:
        """Keep `value` of `size` bytes; what is larger than a quarter of the room is not kept."""
        if size > self._most // 4:
            return
        with self._lock:
            self._drop(key)
            self._kept[key] = (time.monotonic(), size, value)
            self._bytes += size
            while self._bytes > self._most:
                self._drop(next(iter(self._kept)))

    def clear(self) -> None:
        with self._lock:
            self._kept.clear()
            self._bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def _expire(self) -> None:
        oldest = time.monotonic() - self._max_age
        for key in [key for key, (since, _, _) in self._kept.items() if since < oldest]:
            self._drop(key)

    def _drop(self, key: bytes) -> None:
        _, size, _ = self._kept.pop(key, (0.0, 0, None))
        self._bytes -= size


shared = Cache()


def remember(
    pipeline: Any, encoders: Iterable[str], identity: str, count: Count, cache: Cache | None = None
) -> None:
    """Let the pipeline's text encoders answer from the cache; nothing where they do already.

    `identity` names the weights, adapters included. The pipeline asks its encoders as it did before; what
    they would say again is not computed. Call it before each run: offloading puts the encoders back.
    """
    for name in encoders:
        encoder = getattr(pipeline, name, None)
        if encoder is None or not name.startswith("text_encoder"):
            continue
        if not isinstance(encoder.forward, _Remembering):
            kept = shared if cache is None else cache
            encoder.forward = _Remembering(encoder, f"{identity}/{name}", kept, count)


class _Remembering:
    """Stands before an encoder's `forward`, outside of offloading hooks: a hit moves no weights."""

    def __init__(self, encoder: Any, identity: str, cache: Cache, count: Count) -> None:
        self._torch, self._trees = heavy.load("torch"), heavy.load("torch.utils._pytree")
        self._forward = encoder.forward
        self._identity, self._cache, self._count = identity, cache, count
        functools.update_wrapper(self, encoder.forward)  # pipelines look at its signature

    def __call__(self, *given: Any, **named: Any) -> Any:
        leaves, spec = self._trees.tree_flatten((given, named))
        tensors = [leaf for leaf in leaves if isinstance(leaf, self._torch.Tensor)]
        device = tensors[0].device if tensors else self._torch.device("cpu")
        # On a CPU the last bits of an answer depend on the number of threads that it was computed with.
        how = f"{self._torch.get_num_threads()} {spec!r}".encode()
        key = self._cache.key(self._identity.encode(), how, *map(self._bytes, leaves))
        found = self._cache.get(key)
        if found is None:
            self._count.misses += 1
            answer = self._forward(*given, **named)
            self._keep(key, answer)
            return answer
        self._count.hits += 1
        return self._trees.tree_map(lambda leaf: self._moved(leaf, device), found)

    def _keep(self, key: bytes, answer: Any) -> None:
        if getattr(answer, "past_key_values", None) is not None:  # of language models; no pipeline reads it
            answer = type(answer)(**{k: v for k, v in answer.items() if k != "past_key_values"})
        leaves, _ = self._trees.tree_flatten(answer)
        tensors = [leaf for leaf in leaves if isinstance(leaf, self._torch.Tensor)]
        if not tensors or not all(leaf is None or isinstance(leaf, self._torch.Tensor) for leaf in leaves):
            return
        size = sum(tensor.nbytes for tensor in tensors)
        self._cache.put(key, self._trees.tree_map(lambda leaf: self._moved(leaf, "cpu"), answer), size)

    def _bytes(self, leaf: Any) -> bytes:
        if not isinstance(leaf, self._torch.Tensor):
            return repr(leaf).encode()
        plain = leaf.detach().cpu().contiguous()
        shape = f"{plain.dtype}{tuple(plain.shape)}".encode()
        return shape + plain.flatten().view(self._torch.uint8).numpy().tobytes()

    def _moved(self, leaf: Any, device: Any) -> Any:
        return leaf.detach().to(device, copy=True) if isinstance(leaf, self._torch.Tensor) else leaf

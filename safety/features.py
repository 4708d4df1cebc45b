"""What the heads see of a text: its embedding beside hashed character n-grams.

The embedding carries the topic, the n-grams spellings that the tokenizer tears apart. Promises the
same vector for the same text on every platform (CRC-32 of UTF-8). The training script and the run
time share this module, so they cannot drift.
"""

from __future__ import annotations

import re
import zlib
from collections import Counter

import numpy as np

BUCKETS = 1 << 16
_SPACE = re.compile(r"\s+")


def ngrams(text: str) -> tuple[np.ndarray, np.ndarray]:
    """Indices (n,) and values (n,) of the hashed 3- to 5-grams of a text, of unit length."""
    padded = f" {_SPACE.sub(' ', text.lower()).strip()} "
    data = padded.encode("utf-8")
    counts: Counter[int] = Counter()
    for size in (3, 4, 5):
        for i in range(len(data) - size + 1):
            counts[zlib.crc32(data[i : i + size]) % BUCKETS] += 1
    index = np.fromiter(counts.keys(), dtype=np.int64, count=len(counts))
    value = 1.0 + np.log(np.fromiter(counts.values(), dtype=np.float32, count=len(counts)))
    norm = float(np.linalg.norm(value)) or 1.0
    return index, (value / norm).astype(np.float32)

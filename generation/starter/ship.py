"""`python -m byline.generation.starter.ship --run DIR`: the trained parts, as the folder that ships.

Half-precision safetensors in diffusers' layout, without the text encoder, which comes from pip.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

from byline.audit.base import heavy
from byline.generation.engines.wan import STARTER
from byline.generation.starter import upscaler

SHARD = "15MB"
FLOW_SHIFT = 3.0  # 1.5 and 4 gave the same clips in 20 steps; Wan's own value
INDEX: dict[str, Any] = {
    "_class_name": "WanPipeline",
    "boundary_ratio": None,
    "expand_timesteps": False,
    "scheduler": ["diffusers", "UniPCMultistepScheduler"],
    "text_encoder": ["transformers", "BertModel"],
    "tokenizer": ["transformers", "BertTokenizer"],
    "transformer": ["diffusers", "WanTransformer3DModel"],
    "transformer_2": [None, None],
    "vae": ["diffusers", "AutoencoderKLWan"],
}


def ship(run: Path, destination: Path = STARTER) -> None:
    """Write vae/, transformer/, scheduler/ and model_index.json from a training folder."""
    torch, diffusers = heavy.load("torch"), heavy.load("diffusers")
    vae = diffusers.AutoencoderKLWan.from_pretrained(run / "vae")
    transformer = diffusers.WanTransformer3DModel.from_pretrained(run / "transformer")
    for part in ("vae", "transformer", "scheduler"):
        shutil.rmtree(destination / part, ignore_errors=True)
    for name, model in (("vae", vae), ("transformer", transformer)):
        model.to(torch.float16).save_pretrained(destination / name, max_shard_size=SHARD)
        for file in (destination / name).iterdir():
            file.chmod(0o644)
        config = json.loads((destination / name / "config.json").read_text())
        config.pop("_name_or_path", None)  # a path of the machine that trained
        (destination / name / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    if (run / upscaler.PART).is_file():
        (destination / upscaler.PART).parent.mkdir(exist_ok=True)
        shutil.copy(run / upscaler.PART, destination / upscaler.PART)
    scheduler = diffusers.UniPCMultistepScheduler(
        num_train_timesteps=1000,
        prediction_type="flow_prediction",
        use_flow_sigmas=True,
        flow_shift=FLOW_SHIFT,
    )
    scheduler.save_pretrained(destination / "scheduler")
    index = INDEX | {"_diffusers_version": diffusers.__version__}
    (destination / "model_index.json").write_text(json.dumps(index, indent=2, sort_keys=True) + "\n")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="byline.generation.starter.ship", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--run", required=True, type=Path, help="the folder that `train` wrote")
    parser.add_argument("--destination", default=STARTER, type=Path)
    given = parser.parse_args(argv)
    ship(given.run, given.destination)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

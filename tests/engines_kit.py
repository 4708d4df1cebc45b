"""A tiny checkpoint of every model family, with random weights, saved as a hub would hold it.

Each is made of the family's own diffusers and transformers classes and goes through the same pull,
lock and loader as real weights. They draw noise: what is tested is that everything fits together.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import engine_others_kit as others
import engine_transformers_kit as transformers
import numpy as np
import yaml
from engine_parts_kit import SIDE

from byline.audit.base import heavy
from byline.generation.engines import pulling, registry, weights
from byline.generation.engines.base import Operation, VideoTask

_FACTS: dict[str, Any] = {
    "repository": "tests/tiny",
    "revision": "unpinned",
    "licence": "Apache-2.0",
    "licence_url": "https://example.org/licence",
    "training_data": "none: random weights",
    "sizes": [[SIDE, SIDE]],
    "fps": 8,
    "steps": 2,
    "guidance": 3.0,
    "parameters": "tiny",
    "vram_gib": 0.1,
    "vram_source": "measured by eye",
    "dtype": "float32",
    "max_tokens": 16,
}
_FOUR = {"default": 5, "most": 33, "step": 4, "offset": 1}

# name of the tiny model -> what its registry entry says beside _FACTS
ENTRIES: dict[str, dict[str, Any]] = {
    "tiny-wan": {
        "family": "wan",
        "operations": ["text_to_video", "video_to_video"],
        "frames": _FOUR,
        "float32_parts": ["vae"],
        "scheduler": {"class": "UniPCMultistepScheduler", "flow_shift": 3.0},
    },
    "tiny-wan22": {"family": "wan", "operations": ["text_to_video"], "frames": _FOUR},
    "tiny-wan-i2v": {
        "family": "wan",
        "operations": ["image_to_video"],
        "frames": _FOUR,
        "refuses": ["last_image"],
    },
    "tiny-wan-flf": {"family": "wan", "operations": ["image_to_video"], "frames": _FOUR},
    "tiny-vace": {"family": "wan", "operations": ["edit"], "frames": _FOUR},
    "tiny-animate": {"family": "wan", "operations": ["animate"], "frames": _FOUR, "guidance": 1.0},
    "tiny-ltx": {
        "family": "ltx",
        "operations": ["text_to_video", "image_to_video"],
        "frames": {"default": 9, "most": 33, "step": 8, "offset": 1},
    },
    "tiny-ltx2": {
        "family": "ltx2",
        "operations": ["text_to_video", "image_to_video"],
        "frames": {"default": 5, "most": 33, "step": 2, "offset": 1},
        "arguments": {"spatio_temporal_guidance_blocks": [0]},
    },
    "tiny-cogvideox": {
        "family": "cogvideox",
        "operations": ["text_to_video", "video_to_video"],
        "frames": {"default": 9, "most": 9, "step": 8, "offset": 1},
    },
    "tiny-cogvideox-i2v": {
        "family": "cogvideox",
        "operations": ["image_to_video"],
        "frames": {"default": 9, "most": 9, "step": 8, "offset": 1},
    },
    "tiny-hunyuan": {"family": "hunyuan", "operations": ["text_to_video"], "frames": _FOUR},
    "tiny-hunyuan15": {
        "family": "hunyuan15",
        "operations": ["text_to_video"],
        "frames": {"default": 5, "most": 33, "step": 2, "offset": 1},
        "max_tokens": 0,
    },
    "tiny-mochi": {
        "family": "mochi",
        "operations": ["text_to_video"],
        "frames": {"default": 7, "most": 31, "step": 6, "offset": 1},
    },
    "tiny-svd": {
        "family": "svd",
        "operations": ["image_to_video"],
        "frames": {"default": 3, "most": 6},
        "guidance": 1.0,
        "max_tokens": 0,
        "arguments": {"decode_chunk_size": 2},
    },
    "tiny-animatediff": {
        "family": "animatediff",
        "operations": ["text_to_video", "video_to_video"],
        "frames": {"default": 3, "most": 8},
        "parts": {"motion_adapter": {"kind": "MotionAdapter", "repository": "tests/tiny-motion"}},
        "without": ["feature_extractor", "safety_checker"],
        "max_tokens": 0,
        "scheduler": {"class": "DDIMScheduler", "clip_sample": False, "beta_schedule": "linear"},
    },
    "tiny-modelscope": {
        "family": "modelscope",
        "operations": ["text_to_video"],
        "frames": {"default": 3, "most": 8},
        "max_tokens": 0,
    },
    "tiny-latte": {
        "family": "latte",
        "operations": ["text_to_video"],
        "frames": {"default": 3, "most": 3, "least": 3},
        "max_tokens": 0,
    },
    "tiny-allegro": {
        "family": "allegro",
        "operations": ["text_to_video"],
        "frames": {"default": 24, "most": 24, "least": 24},  # one tile: the decoder knows no smaller one
        "sizes": [[128, 128]],
        "fixed_size": True,
    },
    "tiny-sd3": {
        "family": "stable-diffusion-3",
        "operations": ["text_to_image", "image_to_image", "inpaint"],
        "frames": {"default": 1, "most": 1},
    },
    "tiny-flux": {
        "family": "flux",
        "operations": ["text_to_image", "image_to_image", "inpaint"],
        "frames": {"default": 1, "most": 1},
    },
}


def facts(name: str, **more: Any) -> dict[str, Any]:
    """The registry entry of a tiny model, as its YAML would hold it."""
    return {**_FACTS, **ENTRIES[name], **more}


def entry(name: str, **more: Any) -> registry.ModelEntry:
    return registry.parse(name, facts(name, **more))


def save(name: str, folder: Path) -> Path:
    """Build the tiny model, seeded, and save it in diffusers' layout."""
    torch = heavy.load("torch")
    torch.manual_seed(0)
    _BUILDERS[name](folder)
    return folder


_BUILDERS: dict[str, Callable[[Path], None]] = {
    "tiny-wan": transformers.wan,
    "tiny-wan22": transformers.wan22,
    "tiny-wan-i2v": transformers.wan_i2v,
    "tiny-wan-flf": transformers.wan_flf,
    "tiny-vace": transformers.vace,
    "tiny-animate": transformers.animate,
    "tiny-ltx": transformers.ltx,
    "tiny-ltx2": transformers.ltx2,
    "tiny-cogvideox": transformers.cogvideox,
    "tiny-cogvideox-i2v": transformers.cogvideox_i2v,
    "tiny-hunyuan": transformers.hunyuan,
    "tiny-hunyuan15": transformers.hunyuan15,
    "tiny-mochi": transformers.mochi,
    "tiny-svd": others.svd,
    "tiny-animatediff": others.animatediff,
    "tiny-modelscope": others.modelscope,
    "tiny-latte": others.latte,
    "tiny-allegro": others.allegro,
    "tiny-sd3": others.sd3,
    "tiny-flux": others.flux,
}


class Shelf:
    """A registry and a models folder of a test, filled with tiny models on demand and kept for all tests."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.settings = {"MODELS_DIR": str(root / "models"), "MODEL_REGISTRY": str(root / "registry")}
        (root / "registry").mkdir(parents=True)
        entries = {name: facts(name) for name in ENTRIES}
        (root / "registry" / "tiny.yaml").write_text(yaml.safe_dump(entries))

    def source(self, name: str) -> Path:
        """The saved checkpoint, as `hf download` would leave it."""
        folder = self.root / "saved" / name
        return folder if folder.exists() else save(name, folder)

    def put(self, name: str) -> None:
        """Pulled from its folder and pinned. Needs `settings` in force."""
        if not (self.root / "models" / name).exists():
            made = registry.entry(name)
            pulling.pull(made, source=self.source(name))
            weights.pin(made)


def picture(seed: int = 0, side: int = SIDE) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def task(made: registry.ModelEntry, operation: Operation, **more: Any) -> VideoTask:
    """A task that asks the tiny model for this operation, with everything that it needs."""
    count, side = made.frames.default, made.sizes[0][0]
    clip = np.stack([picture(seed, side) for seed in range(count)])
    changing = np.zeros((side, side), np.uint8)
    changing[: side // 2] = 255
    last = {"last_image": clip[1]} if made.id == "tiny-wan-flf" else {}
    inputs: dict[Operation, dict[str, Any]] = {
        Operation.TEXT_TO_VIDEO: {},
        Operation.IMAGE_TO_VIDEO: {"image": clip[0], **last},
        Operation.VIDEO_TO_VIDEO: {"video": clip, "strength": 0.9, "steps": 3},
        Operation.EDIT: {"video": clip, "mask": changing, "references": (clip[0],)},
        Operation.ANIMATE: {"image": clip[0], "pose": clip, "face": clip[:, :16, :16]},
        Operation.TEXT_TO_IMAGE: {"still": True},
        Operation.IMAGE_TO_IMAGE: {"still": True, "image": clip[0], "strength": 0.9, "steps": 3},
        Operation.INPAINT: {"still": True, "image": clip[0], "mask": changing, "strength": 0.9, "steps": 3},
    }
    return VideoTask("a red ball moves left", **({"seed": 3} | inputs[operation] | more))


def save_again(saved: Path, folder: Path, **how: Any) -> Path:
    """A saved checkpoint, saved in another layout; parts of their own are copied with their files renamed."""
    heavy.load("diffusers").DiffusionPipeline.from_pretrained(saved).save_pretrained(folder, **how)
    for part in ("motion_adapter",):
        if (saved / part).is_dir():
            shutil.copytree(saved / part, folder / part)
            for file in (folder / part).glob("*.safetensors"):
                file.rename(file.with_name(file.name.replace(".safetensors", ".fp16.safetensors")))
    return folder


def save_lora(folder: Path) -> Path:
    """A small random LoRA for a tiny Wan model, made with peft and saved as trainers save it."""
    torch, diffusers = heavy.load("torch"), heavy.load("diffusers")  # before peft: they mend torchvision
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    torch.manual_seed(0)
    transformer = transformers.wan_transformer()
    torch.manual_seed(1)
    transformer.add_adapter(LoraConfig(r=2, target_modules=["to_q", "to_v"], init_lora_weights=False))
    diffusers.WanPipeline.save_lora_weights(
        folder,
        transformer_lora_layers=get_peft_model_state_dict(transformer),
        weight_name="house.safetensors",
    )
    return folder / "house.safetensors"


def manifest_text(file: Path) -> str:
    """Everything that the active manifest of a signed file says, as JSON."""
    import c2pa

    with c2pa.Reader(str(file)) as reader:
        return str(reader.json())

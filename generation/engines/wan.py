"""The starter: a small Wan pipeline that ships with Byline and runs on a CPU. It was trained on text to
video; given pictures, clips and masks lead it as steering.py says.

`MODEL` is "starter" (byline/generation/starter/weights) or a folder of the same layout, as training
leaves it. A folder without a text encoder gets MiniLM, as the starter does. What is missing is one
clear MissingWeights error. Models of a hub run in diffusion.py, which pins and records them.
"""

from __future__ import annotations

import gc
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from byline.audit.base import heavy
from byline.audit.base.errors import InvalidInput, MissingWeights
from byline.generation.engines import config, embeddings, pool, previews, ramps, steering, weights
from byline.generation.engines.base import (
    EngineExample,
    EngineFailed,
    EngineInfo,
    Preview,
    VideoTask,
    never_cancelled,
    no_progress,
    operation_of,
    require_known,
)
from byline.generation.starter import keyframes, text, upscaler

STARTER = Path(__file__).resolve().parent.parent / "starter" / "weights"
STARTER_VERSION = "0.2"
_DTYPES = ("auto", "float32", "bfloat16", "float16")
MAX_STEPS, MAX_FRAMES = 100, 257  # bounds on what one task may cost
CONTROLS = {
    *("prompt", "negative_prompt", "seed", "frames", "guidance", "guidance_end", "steps"),
    *steering.CONTROLS,
}


@dataclass(frozen=True)
class WanConfig:
    """CONFIG of the engine. Sizes are pixels, multiples of 16; 0 leaves it to the model's own."""

    MODEL: str = "starter"
    DEVICE: str = "auto"  # "auto", "cpu", "cuda", "cuda:1"
    DTYPE: str = "auto"  # "auto", "float32", "bfloat16", "float16"
    VAE_DTYPE: str = "auto"  # of the autoencoder alone; "auto" as DTYPE
    WIDTH: int = 112
    HEIGHT: int = 64
    FRAMES: int = 17
    FPS: float = 8.0
    STEPS: int = 12
    GUIDANCE: float = 4.0
    MAX_TOKENS: int = 0  # 0: 24 with MiniLM, 512 otherwise
    LICENCE: str = ""

    @classmethod
    def read(cls, given: dict[str, Any]) -> WanConfig:
        """Typed values from a settings mapping. Raises ConfigurationError naming the first wrong key."""
        made = config.read(cls, given, "WanEngine")
        made._check()
        return made

    def _check(self) -> None:
        config.require(
            "WanEngine",
            (
                self.MODEL == "starter" or self.MODEL.startswith((".", "/", "~")),
                "MODEL is starter or a folder",
            ),
            (self.WIDTH > 0 and self.WIDTH % 16 == 0, "WIDTH must be a multiple of 16"),
            (self.HEIGHT > 0 and self.HEIGHT % 16 == 0, "HEIGHT must be a multiple of 16"),
            (0 < self.FRAMES <= MAX_FRAMES and self.FRAMES % 4 == 1, "FRAMES must be 1 + 4k"),
            (0 < self.STEPS <= MAX_STEPS, f"STEPS must be 1 to {MAX_STEPS}"),
            (self.FPS > 0, "FPS must be above 0"),
            (self.DTYPE in _DTYPES, "DTYPE is not known"),
            (self.VAE_DTYPE in _DTYPES, "VAE_DTYPE is not known"),
            (re.fullmatch(r"auto|cpu|cuda(:\d+)?", self.DEVICE) is not None, "DEVICE is not known"),
        )

    @property
    def folder(self) -> Path:
        return STARTER if self.MODEL == "starter" else Path(self.MODEL).expanduser()


class WanEngine:
    """One Wan pipeline, loaded on first use and kept; one clip at a time."""

    def __init__(self, **given: Any) -> None:
        self.config = WanConfig.read(given)
        self._record: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._embeddings = embeddings.Count()

    @property
    def starter(self) -> bool:
        return self.config.MODEL == "starter"

    @cached_property
    def info(self) -> EngineInfo:
        c = self.config
        digest = self._weights_digest()
        return EngineInfo(
            name="byline-starter" if self.starter else c.folder.name,
            version=STARTER_VERSION if self.starter else "local",
            revision=f"sha256:{digest}",
            licence="Apache-2.0" if self.starter else (c.LICENCE or "not stated"),
            width=c.WIDTH * self._enlarged,
            height=c.HEIGHT * self._enlarged,
            frames=c.FRAMES,
            fps=c.FPS,
            text_encoder=f"{text.NAME} sha256:{text.SHA256}" if self._needs_minilm else "the model's own",
            drawn=self.starter,
            weights_sha256=digest,
            training_data="procedural scenes of our own" if self.starter else "undisclosed",
            operations=steering.OPERATIONS,
            controls=tuple(sorted(CONTROLS)),
        )

    @property
    def record(self) -> Mapping[str, Any]:
        return self._record

    def self_check(self) -> None:
        self._weights_files()
        if self._needs_minilm:
            text.verified()

    def generate(
        self,
        task: VideoTask,
        progress: Callable[[float], None] = no_progress,
        check_cancelled: Callable[[], None] = never_cancelled,
    ) -> np.ndarray:
        return self._make(task, progress, check_cancelled, None)

    def stream(
        self,
        task: VideoTask,
        progress: Callable[[float], None] = no_progress,
        check_cancelled: Callable[[], None] = never_cancelled,
        preview: Preview | None = None,
    ) -> Iterator[np.ndarray]:
        """One piece: a clip of this size is decoded at once. What streams here are the previews."""
        yield self._make(task, progress, check_cancelled, preview)

    def _make(
        self,
        task: VideoTask,
        progress: Callable[[float], None],
        check_cancelled: Callable[[], None],
        preview: Preview | None,
    ) -> np.ndarray:
        require_known(task, CONTROLS, "this engine")
        c = self.config
        clip = task.video
        frames = 1 if task.still else len(clip) if clip is not None else task.frames or c.FRAMES
        steps = task.steps or c.STEPS
        if not task.prompt.strip():
            raise InvalidInput("the prompt is empty", help="Say what the clip should show.")
        if not (1 <= steps <= MAX_STEPS and 1 <= frames <= MAX_FRAMES and frames % 4 == 1):
            raise InvalidInput(
                f"{frames} frames in {steps} steps cannot be made",
                help=f"Frames are 1 + 4k up to {MAX_FRAMES}; steps are 1 to {MAX_STEPS}.",
            )
        wanted = steering.given(task, frames, c.WIDTH * self._enlarged, c.HEIGHT * self._enlarged)
        wanted = wanted and steering.reduced(wanted, self._enlarged)
        check_cancelled()
        with pool.shared.using(self), self._lock:
            pipeline = self._pipeline
            torch = heavy.load("torch")
            led = steering.Steering(torch, pipeline, wanted, steps, task.seed) if wanted else None
            identity = f"{self.info.text_encoder} {self.info.weights_sha256} {self._record['dtype']}"
            embeddings.remember(pipeline, ("text_encoder",), identity, self._embeddings)
            before = replace(self._embeddings)
            self._record |= {"operation": operation_of(task).value, "steps": steps}

            def after_step(_: Any, step: int, __: Any, kept: dict[str, Any]) -> dict[str, Any]:
                self._record["prompt_embeddings"] = self._embeddings.since(before)
                progress(min((step + 1) / (steps + 1), 0.99))  # the last share is the decoder's
                check_cancelled()
                seen.after_step(step + 1, steps)
                return {"latents": led.after_step(kept["latents"])} if led else kept

            own: dict[str, Any] = {"num_frames": frames}
            if led:
                pipeline, own = self._led_pipeline, {"latents": led.start, "strength": led.strength}
            with previews.Previews(pipeline, preview, torch) as seen:
                out = pipeline(
                    **own,
                    prompt=task.prompt,
                    negative_prompt=task.negative_prompt,
                    width=c.WIDTH,
                    height=c.HEIGHT,
                    num_inference_steps=steps,
                    guidance_scale=ramps.scale(
                        c.GUIDANCE if task.guidance is None else task.guidance, task.guidance_end
                    ),
                    generator=torch.Generator("cpu").manual_seed(task.seed),
                    max_sequence_length=self.max_tokens,
                    output_type="latent" if self._enlarged > 1 else "np",
                    callback_on_step_end=after_step,
                ).frames
            made = self._pictures(out)
        check_cancelled()
        progress(1.0)
        return made

    def _pictures(self, out: Any) -> np.ndarray:
        """uint8 frames of what the pipeline left: pictures, or latents where the folder has an upscaler."""
        if not bool(heavy.load("torch").as_tensor(out).isfinite().all()):
            raise EngineFailed("the model gave values that are not numbers")
        if self._enlarged > 1:
            return keyframes.frames(self._pipeline.vae, out, self.config.folder / upscaler.PART)
        return (np.clip(out[0], 0.0, 1.0) * 255 + 0.5).astype(np.uint8)

    def examples(self) -> tuple[EngineExample, ...]:
        """Known answers of the shipped starter; another model has none here."""
        if not self.starter:
            return ()

        def light(frames: np.ndarray) -> float:
            return float(frames.mean())

        def red_over_blue(frames: np.ndarray) -> float:
            return float(frames[..., 0].mean() - frames[..., 2].mean())

        return (
            EngineExample(
                VideoTask("a red ball stays still at night", seed=1),
                "a night is dark",
                lambda f: light(f) < 90,
            ),
            EngineExample(
                VideoTask("a red ball stays still in the snow", seed=1),
                "snow is bright",
                lambda f: light(f) > 140,
            ),
            EngineExample(
                VideoTask("a white bird moves right in the desert", seed=1),
                "a desert's ground is warm",
                lambda f: red_over_blue(f[:, f.shape[1] * 3 // 4 :]) > 30,
            ),
        )

    # ------------------------------------------------------------------ loading

    @property
    def place(self) -> str:
        device = self.config.DEVICE
        return device if device != "auto" else ("cuda" if heavy.load("torch").cuda.is_available() else "cpu")

    @property
    def needs_gib(self) -> float:
        """Half-precision weights, widened, and what working with them takes."""
        return 1.0 + 2 * sum(file.stat().st_size for file in self._weights_files()) / 2**30

    @property
    def is_loaded(self) -> bool:
        return "_pipeline" in self.__dict__

    def load(self) -> None:
        with self._lock:
            self._pipeline  # noqa: B018  loads on first use

    def unload(self) -> None:
        with self._lock:
            for name in ("_pipeline", "_led_pipeline"):
                self.__dict__.pop(name, None)
            gc.collect()
            heavy.load("torch").cuda.empty_cache()  # nothing without a GPU

    @property
    def _enlarged(self) -> int:
        """How much larger than the model's own the frames are: a folder may hold an upscaler."""
        return upscaler.FACTOR if (self.config.folder / upscaler.PART).is_file() else 1

    @property
    def max_tokens(self) -> int:
        return self.config.MAX_TOKENS or (text.MAX_TOKENS if self._needs_minilm else 512)

    @property
    def _needs_minilm(self) -> bool:
        return not (self.config.folder / "text_encoder").is_dir()

    def _weights_files(self) -> list[Path]:
        folder = self.config.folder
        files = sorted(folder.glob("*/*.safetensors"))
        parts = {file.parent.name for file in files}
        if not (folder / "model_index.json").is_file() or not {"transformer", "vae"} <= parts:
            raise MissingWeights(
                f"no Wan model in diffusers' layout at {folder}",
                help="Reinstall byline: its wheel holds the starter's weights."
                if self.starter
                else "MODEL must be a folder made by save_pretrained: model_index.json, transformer/, vae/.",
            )
        return files

    def _weights_digest(self) -> str:
        """One SHA-256 for all weight files."""
        return weights.total_sha256(
            {f"{file.parent.name}/{file.name}": weights.file_sha256(file) for file in self._weights_files()}
        )

    @cached_property
    def _pipeline(self) -> Any:
        torch, diffusers = heavy.load("torch"), heavy.load("diffusers")
        c = self.config
        device = self.place
        name = c.DTYPE if c.DTYPE != "auto" else ("float32" if device == "cpu" else "bfloat16")
        self._weights_files()
        try:
            pipeline = (
                self._assemble(getattr(torch, name))
                if self._needs_minilm
                else diffusers.WanPipeline.from_pretrained(
                    str(c.folder), local_files_only=True, dtype=getattr(torch, name)
                )
            )
        except (OSError, ValueError) as error:
            raise MissingWeights(
                f"the model {c.MODEL!r} is not on this machine",
                help="MODEL must be a complete folder made by save_pretrained.",
            ) from error
        pipeline.set_progress_bar_config(disable=True)
        lossy = [f"dtype {c.DTYPE}, made in float32"] if c.DTYPE in ("bfloat16", "float16") else []
        if c.VAE_DTYPE not in ("auto", name):
            pipeline.vae.to(getattr(torch, c.VAE_DTYPE))
            if c.VAE_DTYPE != "float32":
                lossy.append(f"autoencoder in {c.VAE_DTYPE}, made for {name}")
        self._record = {"device": device, "dtype": name, "lossy": lossy}
        return pipeline.to(device)

    @cached_property
    def _led_pipeline(self) -> Any:
        """The same parts in the pipeline that starts from given latents."""
        base = self._pipeline
        parts = ("tokenizer", "text_encoder", "vae", "transformer", "scheduler")
        made = heavy.load("diffusers").WanVideoToVideoPipeline(
            **{part: getattr(base, part) for part in parts}
        )
        made.set_progress_bar_config(disable=True)
        return made

    def _assemble(self, dtype: Any) -> Any:
        """A folder without a text encoder, joined with MiniLM."""
        diffusers, folder = heavy.load("diffusers"), self.config.folder
        tokenizer, encoder = text.load()

        def part(kind: str, name: str, **more: Any) -> Any:
            return getattr(diffusers, kind).from_pretrained(folder / name, local_files_only=True, **more)

        return diffusers.WanPipeline(
            tokenizer=tokenizer,
            text_encoder=encoder.to(dtype),
            vae=part("AutoencoderKLWan", "vae", dtype=dtype).eval(),
            transformer=part("WanTransformer3DModel", "transformer", dtype=dtype).eval(),
            scheduler=part("UniPCMultistepScheduler", "scheduler"),
        )

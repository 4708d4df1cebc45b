"""What makes an engine quick changes nothing in its pictures: pieces, batches, known prompts, the pool."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import engines_kit as kit
import numpy as np
import pytest

from byline.audit.base import heavy
from byline.audit.base.errors import ConfigurationError, InvalidInput
from byline.generation.engines import attention, decoding, embeddings, loras, pool, previews
from byline.generation.engines.base import Batching, EngineFailed, Operation, Streaming, VideoTask
from byline.generation.engines.diffusion import DiffusionEngine
from byline.generation.engines.wan import WanEngine

NAME = "tiny-wan"
TASK = VideoTask("a red ball moves left", seed=3)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kit.Shelf]:
    torch = heavy.load("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield kit.Shelf(tmp_path_factory.mktemp("shelf"))
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _installed(shelf: kit.Shelf, settings: Any) -> None:
    settings.BYLINE = shelf.settings
    shelf.put(NAME)
    embeddings.shared.clear()


@pytest.fixture
def made() -> DiffusionEngine:
    return DiffusionEngine(MODEL=NAME)


# ---------------------------------------------------------------- pieces


@pytest.mark.parametrize("operation", [Operation.TEXT_TO_VIDEO, Operation.VIDEO_TO_VIDEO])
def test_pieces_are_what_the_pipeline_would_decode_at_once(
    made: DiffusionEngine, operation: Operation, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = kit.task(made.entry, operation)
    in_pieces = made.generate(task)
    monkeypatch.setattr(decoding, "in_pieces", lambda *_: False)
    assert np.array_equal(in_pieces, made.generate(task))


def test_the_consumer_begins_before_the_last_piece_is_decoded(
    made: DiffusionEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The decoder waits for the consumer's first piece before it decodes the last one: without overlap
    this would never end."""
    task = replace(TASK, frames=9)
    whole = made.generate(task)
    assert isinstance(made, Streaming)
    taken, order = threading.Event(), []
    decoder = made._pipeline(Operation.TEXT_TO_VIDEO).vae.decoder
    original = decoder.forward

    def forward(*given: Any, **named: Any) -> Any:
        if len(order) and order.count("decoded") == 2:
            assert taken.wait(20)
        result = original(*given, **named)
        order.append("decoded")
        return result

    monkeypatch.setattr(decoder, "forward", forward)
    found = []
    for piece in made.stream(task):
        order.append("taken")
        taken.set()
        found.append(piece)
    assert [len(piece) for piece in found] == [1, 4, 4]
    assert order.index("taken") < len(order) - 1 - order[::-1].index("decoded")
    assert np.array_equal(np.concatenate(found), whole)


def test_a_slow_consumer_does_not_keep_the_model_from_the_next_task(made: DiffusionEngine) -> None:
    whole = made.generate(TASK)
    pieces = made.stream(TASK)
    first = next(pieces)
    assert np.array_equal(made.generate(TASK), whole)  # while the first one's pieces wait
    assert np.array_equal(np.concatenate([first, *pieces]), whole)


def test_a_consumer_that_goes_away_ends_the_work(made: DiffusionEngine) -> None:
    pieces = made.stream(replace(TASK, frames=33))
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    assert not [thread for thread in threading.enumerate() if thread.name == "byline-decode"]
    assert len(made.generate(TASK))


def test_what_fails_in_the_producer_reaches_the_consumer(made: DiffusionEngine) -> None:
    class Cancelled(Exception):
        pass

    def cancel() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        list(made.stream(TASK, check_cancelled=cancel))
    with pytest.raises(InvalidInput):
        made.stream(replace(TASK, frames=6))
    torch = heavy.load("torch")
    vae = made._pipeline(Operation.TEXT_TO_VIDEO).vae
    with torch.no_grad():
        vae.decoder.conv_out.bias.fill_(float("nan"))
    with pytest.raises(EngineFailed):
        list(made.stream(TASK))


def test_other_autoencoders_give_one_piece(shelf: kit.Shelf) -> None:
    shelf.put("tiny-ltx")
    made = DiffusionEngine(MODEL="tiny-ltx")
    task = kit.task(made.entry, Operation.TEXT_TO_VIDEO)
    (piece,) = made.stream(task)
    assert np.array_equal(piece, made.generate(task))
    assert isinstance(WanEngine(), Streaming)


# ---------------------------------------------------------------- previews


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previews, "EVERY_S", 0.0)


def test_a_quick_model_makes_no_previews(made: DiffusionEngine) -> None:
    list(made.stream(replace(TASK, steps=8), preview=lambda *_: pytest.fail("a preview")))


@pytest.mark.usefixtures("at_once")
def test_previews_are_pictures_of_steps_before_the_last_and_change_nothing(made: DiffusionEngine) -> None:
    task, seen = replace(TASK, steps=8), []
    plain = made.generate(task)
    frames = np.concatenate(list(made.stream(task, preview=lambda *one: seen.append(one))))
    assert np.array_equal(frames, plain)
    assert [(done, steps) for _, done, steps in seen] == [(2, 8), (4, 8), (6, 8)]
    assert all(picture.shape == plain.shape[1:] and picture.dtype == np.uint8 for picture, _, _ in seen)
    assert "step" not in made._pipeline(Operation.TEXT_TO_VIDEO).scheduler.__dict__


@pytest.mark.usefixtures("at_once")
def test_a_preview_comes_nearer_to_the_end(made: DiffusionEngine) -> None:
    """The estimate before the last step is nearer to the result than the first one."""
    task, seen = replace(TASK, steps=16, frames=1), []
    last = np.concatenate(list(made.stream(task, preview=lambda *one: seen.append(one[0]))))[0]
    far = [float(np.abs(picture.astype(int) - last).mean()) for picture in seen]
    assert far[-1] < far[0]


# ---------------------------------------------------------------- batches


@pytest.mark.parametrize(
    "name", [NAME, "tiny-ltx", "tiny-cogvideox", "tiny-hunyuan", "tiny-mochi", "tiny-sd3", "tiny-modelscope"]
)
def test_a_batch_gives_what_single_tasks_give(shelf: kit.Shelf, name: str) -> None:
    shelf.put(name)
    made = DiffusionEngine(MODEL=name, BATCH=3)
    assert isinstance(made, Batching)
    assert made.batch == 3
    first = kit.task(made.entry, made.entry.operations[0])
    tasks = [first, replace(first, seed=9), replace(first, prompt="a blue dog")]
    together = made.generate_many(tasks)
    assert made.record["batch"] == 3
    for task, frames in zip(tasks, together, strict=True):
        alone = made.generate(task)
        assert frames.shape == alone.shape
        assert np.abs(frames.astype(int) - alone).max() <= 2  # sums in another order, no more
    assert not np.array_equal(together[0], together[1])


def test_unequal_tasks_and_pictures_are_no_batch(made: DiffusionEngine) -> None:
    with pytest.raises(InvalidInput, match="together"):
        made.generate_many([TASK, replace(TASK, frames=9)])
    with pytest.raises(InvalidInput, match="together"):
        made.generate_many([TASK, replace(TASK, steps=3)])
    moved = kit.task(made.entry, Operation.VIDEO_TO_VIDEO)
    with pytest.raises(InvalidInput, match="together"):
        made.generate_many([moved, replace(moved, seed=9)])


def test_negative_prompts_of_a_batch_stay_with_their_tasks(made: DiffusionEngine) -> None:
    tasks = [TASK, replace(TASK, negative_prompt="blurry sea")]
    for task, frames in zip(tasks, made.generate_many(tasks), strict=True):
        assert np.abs(frames.astype(int) - made.generate(task)).max() <= 2


# ---------------------------------------------------------------- prompts


def test_a_remembered_prompt_gives_the_same_frames_and_is_told(made: DiffusionEngine) -> None:
    plain = made.generate(TASK)
    assert made.record["prompt_embeddings"] == {"from_cache": 0, "computed": 2}  # and the negative one
    assert np.array_equal(made.generate(TASK), plain)
    assert made.record["prompt_embeddings"] == {"from_cache": 2, "computed": 0}
    made.generate(replace(TASK, prompt="a blue dog"))
    assert made.record["prompt_embeddings"] == {"from_cache": 1, "computed": 1}
    other = DiffusionEngine(MODEL=NAME)  # the same weights, loaded again
    assert np.array_equal(other.generate(TASK), plain)
    assert other.record["prompt_embeddings"]["from_cache"] == 2


def test_other_weights_or_precision_get_no_answer_of_these(made: DiffusionEngine) -> None:
    made.generate(TASK)
    half = DiffusionEngine(MODEL=NAME, DTYPE="bfloat16")
    half.generate(TASK)
    assert half.record["prompt_embeddings"]["from_cache"] == 0


def test_keys_say_nothing_and_old_entries_go() -> None:
    cache, other = embeddings.Cache(most_bytes=100), embeddings.Cache()
    assert cache.key(b"a prompt") == cache.key(b"a prompt")
    assert cache.key(b"a prompt") != other.key(b"a prompt")  # a key of this process
    assert cache.key(b"ab", b"c") != cache.key(b"a", b"bc")
    for number in range(6):
        cache.put(cache.key(bytes([number])), number, 20)
    assert len(cache) == 5
    assert cache.get(cache.key(b"\0")) is None
    assert cache.get(cache.key(b"\5")) == 5
    cache.put(cache.key(b"large"), 1, 26)  # more than a quarter
    assert cache.get(cache.key(b"large")) is None
    aged = embeddings.Cache(max_age_s=0.0)
    aged.put(b"k", 1, 1)
    assert aged.get(b"k") is None


@pytest.mark.parametrize(
    "name", ["tiny-ltx", "tiny-ltx2", "tiny-hunyuan", "tiny-sd3", "tiny-flux", "tiny-svd"]
)
def test_the_cache_answers_for_families_of_one_and_of_several_encoders(shelf: kit.Shelf, name: str) -> None:
    shelf.put(name)
    made = DiffusionEngine(MODEL=name)
    task = kit.task(made.entry, made.entry.operations[0])
    plain = made.generate(task)
    assert np.array_equal(made.generate(task), plain)
    said = made.record["prompt_embeddings"]
    assert said["computed"] == 0
    assert said["from_cache"] > 0 or made.entry.family_name == "svd"


# ---------------------------------------------------------------- the pool, attention, labels


def test_the_pool_unloads_and_loads_again(made: DiffusionEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    small = pool.Pool(lambda _: 1e-9)
    monkeypatch.setattr(pool, "shared", small)
    other = DiffusionEngine(MODEL=NAME, VAE_SLICING=True)
    assert isinstance(made, pool.Resident)
    assert made.needs_gib > 0
    plain = made.generate(TASK)
    assert made.is_loaded
    other.generate(TASK)
    assert not made.is_loaded
    assert np.array_equal(made.generate(TASK), plain)
    assert not other.is_loaded
    made.unload()
    assert not made.is_loaded


def test_the_quickest_exact_attention_is_taken_and_told(made: DiffusionEngine) -> None:
    torch = heavy.load("torch")
    transformer = made._pipeline(Operation.TEXT_TO_VIDEO).transformer
    tried = attention.trial(transformer, ("flash", "_native_math"), device="cpu", torch=torch)
    assert set(tried) == {"native", "_native_math"}  # flash is not here, and that is no error
    assert all(took > 0 for took in tried.values())


def test_the_choice_is_made_on_a_gpu_alone(monkeypatch: pytest.MonkeyPatch, made: DiffusionEngine) -> None:
    torch = heavy.load("torch")
    denoisers = [made._pipeline(Operation.TEXT_TO_VIDEO).transformer]
    chosen: list[str] = []
    monkeypatch.setattr(attention, "trial", lambda *_, **__: {"native": 2.0, "_native_cudnn": 1.0})
    monkeypatch.setattr(attention, "require", lambda _, backend: chosen.append(backend))
    on = {"torch": torch, "family": "wan"}
    assert attention.apply(denoisers, "auto", device="cpu", **on) == {"attention": "the model's own"}
    said = attention.apply(denoisers, "auto", device="cuda", **on)
    assert said["attention"] == "_native_cudnn"
    assert chosen == ["_native_cudnn"]
    masked = attention.apply(denoisers, "auto", device="cuda", torch=torch, family="ltx")
    assert masked == {"attention": "the model's own"}


def test_half_precision_of_the_autoencoder_is_labelled_and_near(made: DiffusionEngine) -> None:
    plain = made.generate(TASK).astype(np.float64)
    half = DiffusionEngine(MODEL=NAME, VAE_DTYPE="bfloat16")
    frames = half.generate(TASK).astype(np.float64)
    assert half.record["lossy"] == ["autoencoder in bfloat16, made for float32"]
    assert np.abs(frames - plain).mean() < 4
    whole = DiffusionEngine(MODEL=NAME, VAE_DTYPE="float32")
    assert np.array_equal(whole.generate(TASK), plain)
    assert whole.record["lossy"] == []


def test_the_starters_autoencoder_in_half_precision_is_labelled_and_near() -> None:
    task = VideoTask("a red ball in the snow", seed=1, steps=2, frames=5)
    plain = WanEngine(DEVICE="cpu").generate(task).astype(np.float64)
    half = WanEngine(DEVICE="cpu", VAE_DTYPE="bfloat16")
    near = half.generate(task)
    assert half.record["lossy"] == ["autoencoder in bfloat16, made for float32"]
    assert 10 * np.log10(255**2 / ((near - plain) ** 2).mean()) > 45  # eight bits of the result included
    throughout = WanEngine(DEVICE="cpu", DTYPE="bfloat16")
    throughout.load()
    assert throughout.record["lossy"] == ["dtype bfloat16, made in float32"]


def test_a_distilled_lora_is_labelled(tmp_path_factory: pytest.TempPathFactory) -> None:
    from byline.generation.engines import weights

    file = kit.save_lora(tmp_path_factory.mktemp("lora"))
    entry = {
        "NAME": "quick",
        "PATH": str(file),
        "SHA256": weights.file_sha256(file),
        "LICENCE": "CC0-1.0",
        "DISTILLED": True,
    }
    made = DiffusionEngine(MODEL=NAME, LORAS=[entry], STEPS=2)
    made.generate(TASK)
    assert made.record["lossy"] == ["few steps by the LoRA quick"]
    with pytest.raises(ConfigurationError):
        loras.read([entry | {"QUICK": True}], made.entry)

"""LoRA jobs: they learn, resume to the same bytes, name what they were made of, and load in production."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import engine_transformers_kit as tiny
import engines_kit as kit
import numpy as np
import pytest
from curation_kit import dataset_of

from bench import curation_reel as reels
from byline.audit import log
from byline.audit.base import heavy
from byline.audit.base.errors import ConfigurationError
from byline.generation.curation import dataset, finetune, recipe
from byline.generation.curation.recipe import Recipe, RecipeInvalid
from byline.generation.engines.base import Operation, VideoTask
from byline.generation.engines.diffusion import DiffusionEngine
from byline.generation.engines.wan import WanEngine

STYLE = Recipe("house", "tiny-wan", "drawn", steps=30, rank=4, rate=2e-2, frames=5, width=32, height=32)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kit.Shelf]:
    torch = heavy.load("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield kit.Shelf(tmp_path_factory.mktemp("shelf"))
    torch.set_num_threads(threads)


@pytest.fixture(autouse=True)
def _installed(shelf: kit.Shelf, settings: object, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    settings.BYLINE = shelf.settings | {"HOME": home}  # type: ignore[attr-defined]
    shelf.put("tiny-wan")


@pytest.fixture
def drawn(db: None, tmp_path: Path) -> dataset.Dataset:
    shot = reels.scene(np.random.default_rng(2), 16, "pan")
    return dataset_of("drawn", [(shot, "blocks drift to the left")], tmp_path)


def test_the_loss_falls_and_the_weights_load_in_production(drawn: dataset.Dataset) -> None:
    base = finetune.opened("tiny-wan")
    card = finetune.run(STYLE, actor="system:test")
    assert card is not None
    entry = recipe.lora_entry(card, STYLE.place)
    # The file, loaded by itself, is what learned: on draws that no step used.
    examples = finetune._encoded(base, drawn, STYLE)
    before = finetune._unseen(base.pipeline.transformer, examples, STYLE, 3.0)
    base.pipeline.load_lora_weights(str(STYLE.place), weight_name=card["file"], adapter_name="house")
    after = finetune._unseen(base.pipeline.transformer, examples, STYLE, 3.0)
    assert (before, after) == (pytest.approx(card["loss_before"]), pytest.approx(card["loss_after"]))
    assert after < 0.97 * before

    made = DiffusionEngine(MODEL="tiny-wan", LORAS=(entry,))
    assert [a.sha256 for a in made.info.adapters] == [card["sha256"]]
    task = kit.task(made.entry, Operation.TEXT_TO_VIDEO)
    assert not np.array_equal(made.generate(task), DiffusionEngine(MODEL="tiny-wan").generate(task))

    # The card and the log name base and data by the same hashes.
    assert card["base"]["sha256"] == base.sha256 == made.info.weights_sha256
    assert card["data"]["manifest"] == drawn.sha256
    assert (card["stage"], card["caption_dropout"], card["steps"]) == ("style", 0.15, 30)
    started, finished = log.by_subject("lora:house").order_by("pk")
    assert (started.kind, finished.kind) == ("finetune.started", "finetune.finished")
    assert finished.payload["sha256"] == card["sha256"]
    assert finished.payload["data"] == started.payload["data"] == drawn.sha256
    assert finished.payload["base"] == base.sha256
    assert "CC0-1.0" in finished.payload["licence"]
    assert card["sha256"] in (STYLE.place / "CARD.md").read_text()


def test_a_stopped_job_comes_to_the_same_weights(drawn: dataset.Dataset) -> None:
    short = replace(STYLE, steps=6)
    whole = finetune.run(short, actor="system:test")
    shutil.move(short.place, short.place.with_name("whole"))
    asked = iter([False, False, False, True])
    assert finetune.run(short, actor="system:test", stop=lambda: next(asked)) is None
    resumed = finetune.run(short, actor="system:test")
    assert whole is not None
    assert resumed is not None
    assert resumed["sha256"] == whole["sha256"]
    assert [e.payload["step"] for e in log.by_subject("lora:house").order_by("pk")] == [0, 6, 0, 3, 6]


def test_a_job_does_not_go_on_with_other_data_or_another_recipe(
    drawn: dataset.Dataset, tmp_path: Path
) -> None:
    short = replace(STYLE, steps=2)
    finetune.run(short, actor="system:test", stop=lambda: False)
    with pytest.raises(finetune.JobChanged, match="recipe"):
        finetune.run(replace(short, rate=1e-3), actor="system:test")
    shot = reels.scene(np.random.default_rng(4), 16, "zoom")
    dataset_of("drawn", [(shot, "a slow zoom")], tmp_path)
    with pytest.raises(finetune.JobChanged, match="data"):
        finetune.run(short, actor="system:test")


@pytest.mark.django_db
def test_nothing_is_learned_from_a_dataset_that_the_log_does_not_know() -> None:
    with dataset.locked("stranger") as place:
        dataset.replace(place / dataset.MANIFEST, json.dumps({"source": "", "sha256": "0" * 64}) + "\n")
    with pytest.raises(dataset.DatasetRefused):
        finetune.run(replace(STYLE, dataset="stranger"), actor="system:test")


@pytest.mark.parametrize(
    "wrong",
    [{"name": "../x"}, {"stage": "magic"}, {"steps": 0}, {"rate": 0.0}, {"frames": 4}, {"rank": 0}],
)
def test_a_recipe_out_of_bounds_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(RecipeInvalid):
        replace(STYLE, **wrong).check()  # type: ignore[arg-type]


def test_a_model_that_the_job_cannot_train_is_refused(shelf: kit.Shelf) -> None:
    shelf.put("tiny-ltx")
    shelf.put("tiny-wan22")
    for name in ("tiny-ltx", "tiny-wan22"):
        with pytest.raises(ConfigurationError):
            finetune.opened(name)


def test_a_starter_like_folder_learns_by_key_frames_and_is_merged(
    drawn: dataset.Dataset, tmp_path: Path
) -> None:
    torch = heavy.load("torch")
    folder = tmp_path / "small"
    tiny.wan(folder)
    shutil.rmtree(folder / "text_encoder")
    shutil.rmtree(folder / "tokenizer")
    torch.manual_seed(0)
    tiny.wan_transformer(text_dim=384).save_pretrained(folder / "transformer")
    given = replace(STYLE, name="balanced", base=str(folder), stage="diversity", steps=8)
    assert finetune.run(given, actor="system:test") is not None
    out = finetune.merged("balanced", tmp_path / "merged")
    size = {"WIDTH": 32, "HEIGHT": 32, "FRAMES": 5, "STEPS": 2}
    task = VideoTask("blocks drift to the left", seed=1)
    before, after = (WanEngine(MODEL=str(place), **size) for place in (folder, out))
    assert not np.array_equal(before.generate(task), after.generate(task))

"""`byline models`, from the empty shelf to models side by side, with a tiny model pulled from a folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import engines_kit as kit
import pytest
import yaml

from byline.generation import engines
from byline.generation.engines import comparison, weights
from byline.platform.cli import INTERNAL, USAGE, main

NAME = "tiny-wan"
ENGINE = {"CLASS": "byline.generation.engines.diffusion.DiffusionEngine", "CONFIG": {"MODEL": NAME}}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kit.save(NAME, tmp_path_factory.mktemp("saved") / NAME)


@pytest.fixture
def shelf(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> kit.Shelf:
    made = kit.Shelf(tmp_path)
    settings.BYLINE = made.settings | {"HOME": str(tmp_path / "home"), "VIDEO_ENGINES": {"default": ENGINE}}
    monkeypatch.setattr(engines, "_made", {})
    return made


def test_every_action_of_the_way_from_nothing_to_a_comparison(
    shelf: kit.Shelf, saved: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "list", "--operation", "edit"]) == 0
    out = capsys.readouterr().out
    assert "wan2.1-vace-1.3b" in out
    assert "svd-xt" not in out
    assert main(["models", "check"]) == INTERNAL  # the engine's weights are absent
    assert f"byline models pull {NAME}" in capsys.readouterr().out

    assert main(["models", "pull", NAME, "--from", str(saved)]) == 0
    out = capsys.readouterr().out
    assert "vae/diffusion_pytorch_model.safetensors" in out
    assert f"byline models pin {NAME}" in out
    assert main(["models", "compare"]) == INTERNAL
    assert "weights_unpinned" in capsys.readouterr().err

    assert main(["models", "pin", NAME]) == 0
    out = capsys.readouterr().out
    snippet = yaml.safe_load(out[out.index(f"{NAME}:\n") :])[NAME]
    assert set(snippet["files"]) == set(weights.read_lock(kit.entry(NAME)).files)
    assert kit.entry(NAME, **snippet).files == snippet["files"]  # it is what a registry file takes

    assert main(["models", "show", NAME]) == 0
    out = capsys.readouterr().out
    for words in ("none: random weights", "operator", "UMT5EncoderModel sha256:", "1 + 4k"):
        assert words in out

    assert main(["models", "compare"]) == 0
    assert main(["models", "compare"]) == 0  # nothing is rendered twice
    assert "has its column already" in capsys.readouterr().out
    assert main(["models", "check", NAME]) == 0
    out = capsys.readouterr().out
    assert "files as locked, pinned" in out
    assert "default: compared" in out


def test_another_state_is_another_column_and_none_is_replaced(
    shelf: kit.Shelf, saved: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    main(["models", "pull", NAME, "--from", str(saved)])
    main(["models", "pin", NAME])
    first = comparison.render("default")
    before = {file.name: file.read_bytes() for file in first.folder.glob("*.png")}
    assert set(before) == {f"{key}.png" for key in comparison.prompts()}
    assert first.record["record"]["lossy"] == []
    lossy = {**ENGINE, "CONFIG": {"MODEL": NAME, "STEP_CACHE": 0.9, "STEPS": 4}}
    settings.BYLINE = settings.BYLINE | {"VIDEO_ENGINES": {"default": lossy}}
    assert not comparison.is_rendered("default")
    second = comparison.render("default")
    assert second.record["record"]["lossy"]
    assert [column.folder for column in comparison.columns()] == [first.folder, second.folder]
    assert {file.name: file.read_bytes() for file in first.folder.glob("*.png")} == before
    page = (comparison.root() / "index.html").read_text()
    for folder in (first.folder, second.folder):
        assert f"{folder.name}/red-apple.png" in page
    assert comparison.LABEL in page
    assert json.loads((first.folder / "record.json").read_text())["info"]["weights_sha256"]


def test_a_comparison_that_was_stopped_goes_on(shelf: kit.Shelf, saved: Path) -> None:
    main(["models", "pull", NAME, "--from", str(saved)])
    main(["models", "pin", NAME])
    seen: list[float] = []

    def stop() -> None:
        if seen and seen[-1] > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        comparison.render("default", seen.append, stop)
    assert not comparison.is_rendered("default")
    kept = {file: file.stat().st_mtime_ns for file in comparison.root().glob("*/*.png")}
    assert 0 < len(kept) < len(comparison.prompts())
    comparison.render("default")
    assert all(file.stat().st_mtime_ns == time for file, time in kept.items())


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["show", "nobody"], INTERNAL, "Known models"),
        (["list", "--operation", "dance"], USAGE, "text_to_video"),
        (["pull", NAME, "--from", "/nowhere"], INTERNAL, "save_pretrained"),
        (["pull", NAME, "--revision", "main"], USAGE, "40 hex digits"),
        (["pin", NAME], INTERNAL, "byline models pull"),
        (["compare", "nobody"], INTERNAL, "VIDEO_ENGINES"),
    ],
)
def test_mistakes_end_with_one_line_and_help(
    shelf: kit.Shelf, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, words: str
) -> None:
    assert main(["models", *arguments]) == status
    assert words in capsys.readouterr().err


def test_listing_loads_no_model_library() -> None:
    import subprocess

    code = (
        "import sys; from byline.platform.cli import main;"
        "main(['models', 'list']); main(['models', 'presets']);"
        "sys.exit(int('torch' in sys.modules or 'diffusers' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stderr
    assert "runway-gen-2" in done.stdout

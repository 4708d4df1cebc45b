"""A registered model with a LoRA and a prompt expander, through every stage: what ran is in record, log and
manifest. The weights are tiny and random, the classes and the loader those of production."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import engines_kit
import pytest

from byline.audit.models import Entry
from byline.generation import engines, plugins, store
from byline.generation.engines import weights
from byline.generation.engines.expander import ExpanderInfo
from byline.provenance.trust import TrustBundle
from byline.provenance.verifier import verify

sys.path.append(str(Path(__file__).parents[1]))
import pipeline_kit as kit

NAME = "tiny-wan"
EXPANDED = "A red kite with a long tail flies over calm hills in soft morning light, wide shot."


class Expander:
    info = ExpanderInfo("tiny-writer", "local", "CC0-1.0", "ab" * 32)

    def expand(self, prompt: str) -> str:
        return EXPANDED

    def self_check(self) -> None:
        pass


@pytest.fixture(scope="module")
def sealer(django_db_setup: None) -> Iterator[kit.Sealer]:
    with kit.Sealer() as running:
        yield running


@pytest.fixture
def lora(tmp_path: Path) -> Path:
    return engines_kit.save_lora(tmp_path)


@pytest.fixture
def made(
    settings: Any,
    transactional_db: None,
    sealer: kit.Sealer,
    tmp_path: Path,
    lora: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shelf = engines_kit.Shelf(tmp_path / "shelf")
    adapter = {"NAME": "house", "PATH": str(lora), "SHA256": weights.file_sha256(lora), "LICENCE": "CC0-1.0"}
    config = {"MODEL": NAME, "LORAS": [adapter], "VAE_TILING": True}
    engine = {"CLASS": "byline.generation.engines.diffusion.DiffusionEngine", "CONFIG": config}
    settings.BYLINE = {
        **settings.BYLINE,
        **kit.SETTINGS,
        **shelf.settings,
        "VIDEO_ENGINES": {"default": engine},
        "PROMPT_EXPANDER": {"CLASS": "Expander"},
    }
    monkeypatch.setattr(engines, "_made", {})
    monkeypatch.setattr(plugins, "build", lambda entry, where: Expander())
    shelf.put(NAME)
    sealer.keep_alive()


def test_what_ran_is_in_the_record_the_log_and_the_manifest(made: None, lora: Path) -> None:
    row = kit.finish(kit.ask())
    assert row.error == {}
    run = row.runs.get(stage="engine")
    lock = weights.read_lock(engines_kit.entry(NAME))
    assert run.produces["weights_sha256"] == lock.digest()
    assert run.produces["expanded_prompt"] == EXPANDED
    assert run.evidence["settings"]["lossy"] == ["vae tiling: blended seams"]
    assert run.evidence["expansion"] == "used"

    asset = Entry.objects.get(subject=row.subject, kind="generation.asset").payload
    assert asset["weights"] == lock.digest()
    assert asset["final_prompt"] == row.commit("final_prompt", EXPANDED)

    file = store.read_path(row.file_sha256)
    report = verify(file, trust=TrustBundle.from_installation(), records=None, offline=True)
    assert report.exit_code == 0, report.summary
    said = engines_kit.manifest_text(file)
    for words in (
        "tests/tiny",
        lock.digest(),
        weights.encoder_identity(engines_kit.entry(NAME), lock),
        weights.file_sha256(lora),
        "vae tiling: blended seams",
        "tiny-writer",
    ):
        assert words in said, words
    kept = json.dumps([run.evidence, asset])
    assert "kite" not in kept

"""Weights: pulled from a folder or a hub, hashed file by file, locked, pinned, and refused once they change.

The hub is a small HTTP server that speaks the two requests which huggingface_hub makes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import engines_kit as kit
import pytest
import yaml

from byline.audit.base.errors import InvalidInput, MissingWeights
from byline.generation.engines import pulling, registry, weights
from byline.generation.engines.diffusion import DiffusionEngine
from byline.generation.engines.pulling import PullFailed
from byline.generation.engines.weights import Unpinned, WeightsChanged

NAME = "tiny-wan"
COMMIT = "c0ffee" * 6 + "c0de"
VAE = "vae/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a repository holds: the model, and much that must not be taken."""
    folder = kit.save(NAME, tmp_path_factory.mktemp("saved") / NAME)
    for path in ("evil.py", "vae/evil.bin", "vae/model.pt", "notes/x.json", "whole.safetensors"):
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(b"not wanted")
    shutil.copy(folder / VAE, folder / "vae" / "diffusion_pytorch_model.fp16.safetensors")
    return folder


@pytest.fixture
def entry(tmp_path: Path, settings: Any) -> registry.ModelEntry:
    shelf = kit.Shelf(tmp_path)
    settings.BYLINE = shelf.settings
    return registry.entry(NAME)


def test_a_folder_is_copied_without_what_is_not_needed_and_locked(
    entry: registry.ModelEntry, saved: Path
) -> None:
    seen: list[tuple[str, int, int]] = []
    lock = pulling.pull(entry, source=saved, report=lambda *facts: seen.append(facts))
    assert VAE in lock.files
    assert "tokenizer/tokenizer.json" in lock.files
    assert not [path for path in lock.files if "evil" in path or "whole" in path or "fp16" in path]
    assert not list(weights.folder(entry).rglob("*.py"))
    assert lock.revision == f"sha256:{weights.total_sha256({p: f.sha256 for p, f in lock.files.items()})}"
    assert lock.pinned_by == ""
    assert weights.verify(entry, full=True) == lock
    assert {name for name, _, _ in seen} == set(lock.files)
    assert all(done in (0, total) for _, done, total in seen)


def test_production_refuses_until_the_operator_pins(
    entry: registry.ModelEntry, saved: Path, settings: Any
) -> None:
    pulling.pull(entry, source=saved)
    made = DiffusionEngine(MODEL=NAME)
    with pytest.raises(Unpinned) as caught:
        made.self_check()
    assert f"byline models pin {NAME}" in caught.value.help
    with pytest.raises(Unpinned):
        made.generate(kit.task(entry, entry.operations[0]))
    settings.DEBUG = True
    made.self_check()
    settings.DEBUG = False
    assert weights.pin(entry).pinned_by == weights.BY_OPERATOR
    made.self_check()


def test_absent_weights_are_one_clear_error(entry: registry.ModelEntry) -> None:
    made = DiffusionEngine(MODEL=NAME)
    for act in (
        made.self_check,
        lambda: made.info,
        lambda: made.generate(kit.task(entry, entry.operations[0])),
    ):
        with pytest.raises(MissingWeights) as caught:
            act()
        assert caught.value.code == "missing_weights"
        assert f"byline models pull {NAME}" in caught.value.help


def test_changed_missing_and_added_files_are_refused(entry: registry.ModelEntry, saved: Path) -> None:
    pulling.pull(entry, source=saved)
    place = weights.folder(entry) / VAE
    before, stat = place.read_bytes(), place.stat()
    place.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    with pytest.raises(WeightsChanged, match="vae"):
        weights.verify(entry)
    os.utime(
        place, ns=(stat.st_atime_ns, stat.st_mtime_ns)
    )  # hidden from the quick look, not from the full one
    weights.verify(entry)
    with pytest.raises(WeightsChanged):
        weights.verify(entry, full=True)
    with pytest.raises(WeightsChanged):
        weights.pin(entry)
    place.unlink()
    with pytest.raises(MissingWeights, match="gone"):
        weights.verify(entry)
    place.write_bytes(before)
    (weights.folder(entry) / "vae" / "planted.safetensors").write_bytes(b"x")
    with pytest.raises(WeightsChanged, match="in no lock"):
        weights.verify(entry)


def test_hashes_of_the_registry_decide(saved: Path, tmp_path: Path, settings: Any) -> None:
    settings.BYLINE = kit.Shelf(tmp_path).settings
    plain = kit.entry(NAME)
    right = {path: file.sha256 for path, file in pulling.pull(plain, source=saved).files.items()}
    known = pulling.pull(kit.entry(NAME, files=right), source=saved)
    assert known.pinned_by == weights.BY_REGISTRY
    for wrong in (
        right | {VAE: "0" * 64},
        {k: v for k, v in right.items() if k != VAE},
        right | {"x/y.json": "0"},
    ):
        with pytest.raises(WeightsChanged, match="expected"):
            pulling.pull(kit.entry(NAME, files=wrong), source=saved)
    assert weights.read_lock(plain) == known  # what was here stays


def test_one_precision_is_taken_and_no_pickle_and_no_code() -> None:
    shards = [
        f"transformer/diffusion_pytorch_model{x}-0000{n}-of-00002.safetensors"
        for n in (1, 2)
        for x in ("", ".fp16")
    ]
    listing = [
        *shards,
        "transformer/diffusion_pytorch_model.safetensors.index.json",
        "transformer/diffusion_pytorch_model.safetensors.index.fp16.json",
        "transformer/config.json",
        "vae/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.bin",
        "vae/model.py",
        "vae/deeper/config.json",
        "text_encoder/model.fp16.safetensors",
        "text_encoder/pytorch_model.bin",
        "text_encoder/flax_model.msgpack",
        "tokenizer/spiece.model",
        "tokenizer/merges.txt",
        "safety_checker/model.safetensors",
        "whole_model.safetensors",
        "README.md",
    ]
    parts = ["transformer", "vae", "text_encoder", "tokenizer", "safety_checker"]

    def taken(**more: Any) -> set[str]:
        return set(pulling.wanted(kit.entry(NAME, without=["safety_checker"], **more), listing, parts))

    settings = {
        "model_index.json",
        "transformer/config.json",
        "tokenizer/spiece.model",
        "tokenizer/merges.txt",
    }
    assert taken() == settings | {
        *(path for path in shards if "fp16" not in path),
        "transformer/diffusion_pytorch_model.safetensors.index.json",
        VAE,
    }
    assert taken(variant="fp16") == settings | {
        *(path for path in shards if "fp16" in path),
        "transformer/diffusion_pytorch_model.safetensors.index.fp16.json",
        "text_encoder/model.fp16.safetensors",
        VAE,
    }
    assert taken(weight_format="bin") == taken() | {"text_encoder/pytorch_model.bin"}


@pytest.mark.parametrize(
    ("name", "more", "saved_as"),
    [
        ("tiny-animatediff", {"variant": "fp16"}, {"variant": "fp16"}),
        ("tiny-modelscope", {"weight_format": "bin"}, {"safe_serialization": False}),
        ("tiny-ltx", {}, {"max_shard_size": "20KB"}),
    ],
)
def test_other_layouts_of_a_repository_load(
    tmp_path: Path, settings: Any, name: str, more: dict[str, Any], saved_as: dict[str, Any]
) -> None:
    """Half precision under another name, pickles beside safetensors, and weights in shards."""
    shelf = kit.Shelf(tmp_path)
    settings.BYLINE = shelf.settings
    (tmp_path / "registry" / "tiny.yaml").write_text(yaml.safe_dump({name: kit.facts(name, **more)}))
    source = kit.save_again(shelf.source(name), tmp_path / "again", **saved_as)
    entry = registry.entry(name)
    lock = pulling.pull(entry, source=source)
    marks = {"fp16": ".fp16.", "bin": ".bin", "": "-00001-of-"}
    assert any(marks[str(next(iter(more.values()), ""))] in path for path in lock.files)
    weights.pin(entry)
    assert DiffusionEngine(MODEL=name).generate(kit.task(entry, entry.operations[0])).any()


def test_a_folder_that_is_no_model(entry: registry.ModelEntry, tmp_path: Path) -> None:
    with pytest.raises(PullFailed, match="model_index"):
        pulling.pull(entry, source=tmp_path)
    with pytest.raises(InvalidInput):
        pulling.pull(entry, source=tmp_path, revision="main")


# ---------------------------------------------------------------- from a hub


class Hub(BaseHTTPRequestHandler):
    """Lists a repository and serves its files, as a model hub does for a client without git."""

    folder: Path
    lies: set[str] = set()  # files whose bytes differ from what the listing states
    breaks: set[str] = set()  # files whose transfer stops in the middle
    asked: list[str] = []

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def _answer(self, body: bool) -> None:
        path = self.path.partition("?")[0]
        self.asked.append(path)
        if path.startswith("/api/models/"):
            self._send(200, json.dumps(self._listing()).encode(), {"Content-Type": "application/json"}, body)
            return
        name = path.partition(f"/resolve/{COMMIT}/")[2]
        if not name or not (self.folder / name).is_file():
            self._send(404, b"", {}, body)
            return
        content = (self.folder / name).read_bytes()
        if name in self.lies:
            content = content[:-1] + b"?"
        headers = {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
        self._send(200, content, headers, body, cut=name in self.breaks)

    def _listing(self) -> dict[str, Any]:
        siblings = []
        for file in sorted(f for f in self.folder.rglob("*") if f.is_file()):
            content = file.read_bytes()
            name = str(file.relative_to(self.folder))
            facts: dict[str, Any] = {"rfilename": name, "size": len(content)}
            facts["blobId"] = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            if name.endswith(".safetensors"):
                sha256 = hashlib.sha256(content).hexdigest()
                facts["lfs"] = {"sha256": sha256, "size": len(content), "pointerSize": 130}
            siblings.append(facts)
        return {"id": "tests/tiny", "modelId": "tests/tiny", "sha": COMMIT, "siblings": siblings, "tags": []}

    def _send(
        self, status: int, content: bytes, headers: dict[str, str], body: bool, cut: bool = False
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content[: len(content) // 2] if cut else content)
        self.close_connection = cut


@pytest.fixture
def hub(saved: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    handler = type("ThisHub", (Hub,), {"folder": saved, "lies": set(), "breaks": set(), "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    yield handler
    server.shutdown()
    server.server_close()


def test_a_hub_model_is_downloaded_checked_and_runs(entry: registry.ModelEntry, hub: type[Hub]) -> None:
    lock = pulling.pull(entry)
    assert lock.sources == {"": f"tests/tiny@{COMMIT}"}
    assert lock.revision == COMMIT
    assert not [path for path in hub.asked if "evil" in path or "whole" in path or "fp16" in path]
    assert not (weights.folder(entry) / ".cache").exists()
    weights.pin(entry)
    made = DiffusionEngine(MODEL=NAME)
    assert made.info.revision == COMMIT
    assert made.generate(kit.task(entry, entry.operations[0])).shape == (5, 32, 32, 3)


def test_a_revision_that_the_registry_states_is_a_pin(tmp_path: Path, settings: Any, hub: type[Hub]) -> None:
    settings.BYLINE = kit.Shelf(tmp_path).settings
    assert pulling.pull(kit.entry(NAME, revision=COMMIT)).pinned_by == weights.BY_REGISTRY
    with pytest.raises(PullFailed):
        pulling.pull(kit.entry(NAME, revision="0" * 40))


@pytest.mark.parametrize("path", [VAE, "vae/config.json"])
def test_bytes_that_the_hub_did_not_announce_are_refused(
    entry: registry.ModelEntry, hub: type[Hub], path: str
) -> None:
    hub.lies.add(path)
    with pytest.raises(WeightsChanged, match=path):
        pulling.pull(entry)
    assert not weights.folder(entry).exists()
    hub.lies.clear()
    assert path in pulling.pull(entry).files


def test_an_interrupted_pull_leaves_no_model_and_goes_on(
    entry: registry.ModelEntry, hub: type[Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.file_download.time.sleep", lambda seconds: None)  # between retries
    hub.breaks.add(VAE)
    with pytest.raises(PullFailed, match=VAE):
        pulling.pull(entry)
    assert not weights.folder(entry).exists()
    hub.breaks.clear()
    hub.asked.clear()
    pulling.pull(entry)
    assert weights.verify(entry, full=True).files


def test_no_hub_is_one_clear_error(entry: registry.ModelEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(PullFailed) as caught:
        pulling.pull(entry)
    assert "HF_ENDPOINT" in caught.value.help

"""With the site gone: no database, an empty home, only the export; everything published still verifies."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from runpy import run_path
from types import SimpleNamespace

import pytest

from byline.audit import checkpoint, merkle, models, store, tiles
from byline.audit.base import keyring
from byline.provenance import exporting
from byline.provenance.models import Record
from byline.provenance.status import ClipStatus
from byline.provenance.trust import TrustBundle

kit = SimpleNamespace(**run_path(str(Path(__file__).parents[1] / "provenance_kit.py")))
pytestmark = pytest.mark.timeout(300)  # pip and two commands in processes of their own
# A stranger's Python: the libraries that the archive names, and none of ours or of the site's.
STRANGER = """
import importlib.abc, sys
class NotHere(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("django", "torch", "transformers", "diffusers", "psycopg", "wagtail"):
            raise ImportError(f"{name} is not installed here")
sys.meta_path.insert(0, NotHere())
sys.meta_path[:] = [finder for finder in sys.meta_path if "__editable__" not in repr(finder)]
sys.path_hooks[:] = [hook for hook in sys.path_hooks if "ditable" not in repr(hook)]
sys.path[:] = [path for path in sys.path if path and "__editable__" not in path]
sys.path.insert(0, sys.argv.pop(1))
import byline
assert [path.endswith("installed/byline") for path in byline.__path__] == [True], byline.__path__
from byline.platform.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def stage(tmp_path: Path, db: None, byline_home: Path) -> SimpleNamespace:
    clip = kit.make_clip(tmp_path, 1, serial=5)
    stored = clip.stored
    Record.objects.create(
        id=stored.id, mark_id=stored.mark_id, audio_id=None, sha256=stored.sha256,
        content_digest=stored.content_digest, manifest=stored.manifest, proof=dict(stored.proof),
        fingerprints=[{"t": f.t, "phash256": f.phash256, "phash64": f.phash64} for f in stored.fingerprints],
        published=True,
    )  # fmt: skip
    status = SimpleNamespace(status=lambda _: ClipStatus("published", "2026-01-02", ""))
    assert exporting.export(tmp_path / "export", status) == 1
    return SimpleNamespace(clip=clip, export=tmp_path / "export", directory=tmp_path)


def _installed(stage: SimpleNamespace) -> Path:
    """The archive, installed as the README says, apart from its dependencies (no network in tests)."""
    archive = next((stage.export / "software").glob("byline_verifier-*.zip"))
    target: Path = stage.directory / "installed"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    command += ["--no-index", "--target", str(target), str(archive)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def _stranger(stage: SimpleNamespace, installed: Path, *words: str) -> subprocess.CompletedProcess[str]:
    home = stage.directory / "empty"
    home.mkdir(exist_ok=True)
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "BYLINE_HOME": str(home / "none")}
    command = [sys.executable, "-c", STRANGER, str(installed), *words]
    return subprocess.run(
        command, env=environment, cwd=stage.export, capture_output=True, text=True, check=False
    )


def test_a_stranger_verifies_and_recovers_with_nothing_but_the_export(stage: SimpleNamespace) -> None:
    installed = _installed(stage)
    offline = ["--offline", "--trust", "trust.json", "--records", ".", "--json"]
    intact = _stranger(stage, installed, "verify", str(stage.clip.signed), *offline)
    assert intact.returncode == 0, intact.stderr + intact.stdout
    said = {finding["technique"]: finding["status"] for finding in json.loads(intact.stdout)["findings"]}
    assert (said["status"], said["audit proof"]) == ("passed", "passed"), "the list is read and believed"
    stripped = _stranger(stage, installed, "verify", str(stage.clip.unsigned), *offline)
    assert stripped.returncode == 12, stripped.stderr + stripped.stdout
    assert json.loads(stripped.stdout)["record"] == stage.clip.stored.id
    _holds_what_its_readme_says_and_no_private_key(stage.export, stage.clip.stored.id)


def _holds_what_its_readme_says_and_no_private_key(export: Path, record: str) -> None:
    readme = (export / "README.md").read_text()
    names = {path.relative_to(export).as_posix() for path in export.rglob("*") if path.is_file()}
    for name in ("trust.json", "status.json", "records.jsonl", "keys.json", "browser/verify.html"):
        assert name in names
        assert Path(name).name in readme
    assert f"manifests/{record}.c2pa" in names
    for purpose in filter(lambda name: keyring.path(name).exists(), (*keyring.SIGNING, "receipt")):
        body = keyring.read(purpose).splitlines()[1]
        assert not [name for name in names if body in (export / name).read_bytes()], purpose
    assert (export / "keys.json").stat().st_mode & 0o777 == 0o600
    assert TrustBundle.load(export / "trust.json").receipt_vkey


def test_the_logs_tiles_give_the_root_of_its_checkpoint(
    tmp_path: Path, byline_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two levels of tiles, full and partial, read back as any tlog client would."""
    leaves = [hashlib.sha256(str(number).encode()).digest() for number in range(300)]
    vkey = keyring.read("log_vkey").decode().strip()
    root = merkle.root_of(leaves)
    head = SimpleNamespace(
        size=300,
        note=checkpoint.sign(checkpoint.Checkpoint(vkey.partition("+")[0], 300, root), keyring.read("log")),
    )
    rows = {0: leaves, 1: [merkle.root_of(leaves[:256])]}

    def stored(level: int, index: int, width: int) -> bytes:
        return b"".join(rows[level][index * 256 : index * 256 + width])

    monkeypatch.setattr(store, "fetch", stored)
    newest = SimpleNamespace(order_by=lambda _: SimpleNamespace(first=lambda: head))
    monkeypatch.setattr(models, "Checkpoint", SimpleNamespace(objects=newest))
    exporting.write_log(tmp_path / "log")
    written = checkpoint.open_checkpoint((tmp_path / "log" / "checkpoint").read_text(), vkey)
    assert (written.size, written.root) == (300, root)

    def fetch(level: int, index: int, width: int) -> bytes:
        return (tmp_path / "log" / tiles.path(level, index, width)).read_bytes()

    assert merkle.root(300, tiles.TileNodes(300, fetch)) == root
    found = sorted(
        path.relative_to(tmp_path / "log").as_posix() for path in tmp_path.rglob("*") if path.is_file()
    )
    assert found == ["checkpoint", "tile/0/000", "tile/0/001.p/44", "tile/1/000.p/1"]

"""A second, independent implementation reads our log: Go's golang.org/x/mod/sumdb, from Debian's packages."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from django.db import transaction

from byline.audit import archive, kinds, log, seal, store
from byline.audit.base import keyring
from byline.audit.models import Checkpoint
from byline.platform.database.roles import acting_as

GO = shutil.which("go")
PACKAGES = Path("/usr/share/gocode")  # golang-golang-x-mod-dev
SOURCE = Path(__file__).parents[1] / "go" / "crosscheck.go"
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        not GO or not (PACKAGES / "src/golang.org/x/mod/sumdb").is_dir(),
        reason="needs Debian's golang-go and golang-golang-x-mod-dev (.ci/run installs them)",
    ),
]
kinds.register("test.go", required={"n": int})


@pytest.fixture(scope="module")
def crosscheck(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go program, built once."""
    scratch = tmp_path_factory.mktemp("go")
    program = scratch / "crosscheck"
    environment = {
        **os.environ,
        "GO111MODULE": "off",
        "GOPATH": str(PACKAGES),
        "GOCACHE": str(scratch / "cache"),
        "CGO_ENABLED": "0",
    }
    subprocess.run([str(GO), "build", "-o", program, SOURCE], env=environment, check=True)
    return program


@pytest.fixture
def exported(tmp_path: Path) -> tuple[Path, list[int]]:
    """A log of 700 entries sealed in uneven batches, archived twice; its older sizes."""
    directory, sizes = tmp_path / "log", []
    vkey = keyring.read("log_vkey").decode().strip()
    for count in (1, 256, 300, 143):
        with transaction.atomic():
            for n in range(count):
                log.append("test.go", subject=f"n:{n}", actor="system:test", payload={"n": n})
        with acting_as("sealer"):
            seal.seal_pending()
        sizes.append(Checkpoint.objects.order_by("-size").first().size)
        assert archive.write(directory, vkey) == sizes[-1]
    return directory, sizes


def run(program: Path, directory: Path, *sizes: int) -> subprocess.CompletedProcess[str]:
    vkey = keyring.read("log_vkey").decode().strip()
    return subprocess.run(
        [program, directory, vkey, *map(str, sizes)], text=True, capture_output=True, check=False
    )


def test_checkpoint_tiles_and_proofs_hold_in_go(crosscheck, exported):
    directory, sizes = exported
    done = run(crosscheck, directory, *sizes[:-1])
    assert done.returncode == 0, done.stderr
    *older, last = done.stdout.splitlines()
    assert older == [f"consistent {size} {store.root(size).hex()}" for size in sizes[:-1]]
    assert last == f"verified {sizes[-1]} entries, root {store.root(sizes[-1]).hex()}"


def test_go_refuses_what_was_changed(crosscheck, exported):
    directory, _ = exported
    bundle = directory / "tile/entries/001"
    bundle.write_bytes(bundle.read_bytes().replace(b'"n":7', b'"n":8'))
    assert "verified" not in (done := run(crosscheck, directory)).stdout
    assert done.returncode == 1

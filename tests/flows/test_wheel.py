"""The wheel as a stranger gets it: nothing is missing, and it lives in a host project with clashing names.

Slow on purpose (about a minute): it builds the wheel, starts a fresh Wagtail project that already
has apps called `audit` and `safety`, migrates it from zero and makes a clip there. No network.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ["platform", "generation", "safety", "provenance", "audit"]

SETTINGS = """
import os
from byline.platform import plugin
from byline.platform.database.location import parse_url

INSTALLED_APPS = [*plugin.APPS, "audit", "safety", *INSTALLED_APPS]
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", **parse_url(os.environ["DATABASE_URL"])}}
"""
URLS = """from byline.platform import plugin

urlpatterns = [
    path("byline/", include(plugin.URLS)),
"""

API = """
import django
django.setup()
from django.test import Client
print(Client().post("/byline/api/v1/verify").content)
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in tracked():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name, follow_symlinks=False)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", out, source],
        check=True,
    )
    return next(out.glob("byline-*.whl"))


def test_every_file_of_the_tree_is_in_the_wheel(wheel: Path):
    inside = {n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n}
    expected = {f"byline/{name}" for name in tracked() if name.partition("/")[0] in ROOMS}
    expected |= {f"byline/platform/{name}" for name in tracked() if name.startswith("templates/")}
    assert expected - inside == set()
    assert inside - expected == set()


@pytest.fixture
def host(tmp_path: Path, wheel: Path) -> Path:
    """A fresh Wagtail project with `audit` and `safety` apps of its own; its Python sees our wheel."""
    venv.create(tmp_path / "env", with_pip=False)
    site = next((tmp_path / "env" / "lib").glob("python*/site-packages"))
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--target", site, wheel],
        check=True,
    )
    # The rest of the libraries; a path added this way does not run that folder's own .pth files,
    # so the editable install of the checkout stays out.
    (site / "shared.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    project = tmp_path / "host"
    project.mkdir()
    subprocess.run(
        [Path(sys.executable).with_name("wagtail"), "start", "newsroom", project],
        check=True,
        capture_output=True,
    )
    for app in ("audit", "safety"):
        (project / app / "migrations").mkdir(parents=True)
        (project / app / "__init__.py").touch()
        (project / app / "migrations" / "__init__.py").touch()
        (project / app / "models.py").write_text(
            "from django.db import models\n\n\nclass Note(models.Model):\n    text = models.TextField()\n"
        )
    base = project / "newsroom" / "settings" / "base.py"
    base.write_text(base.read_text() + SETTINGS)
    urls = project / "newsroom" / "urls.py"
    urls.write_text(urls.read_text().replace("urlpatterns = [", URLS, 1))
    return project


@pytest.mark.django_db(transaction=True)
def test_a_host_project_migrates_and_generates(host: Path, connect_as, tmp_path: Path):
    with connect_as("owner") as owner:
        owner.autocommit = True
        socket = owner.info.host
        owner_name = owner.info.user
        admin = f"postgresql://postgres@/postgres?host={socket}"
    import psycopg

    with psycopg.connect(admin, autocommit=True) as server:
        server.execute("drop database if exists newsroom")
        server.execute(f"create database newsroom owner {owner_name}")
    python = host.parent / "env" / "bin" / "python"
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith(("BYLINE_", "DATABASE_", "DJANGO_"))
    }
    environment |= {
        "DATABASE_URL": f"postgresql://{owner_name}@/newsroom?host={socket}",
        "DJANGO_SETTINGS_MODULE": "newsroom.settings.dev",
        "PYTHONPATH": str(host),
        "BYLINE_HOME": str(tmp_path / "home"),
        "OMP_NUM_THREADS": "2",
        "DEBUG": "1",  # a defect shows its traceback
    }

    def call(*words: str, code: int = 0) -> str:
        done = subprocess.run([python, *words], cwd=host, env=environment, capture_output=True, text=True)
        assert done.returncode == code, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout

    where = call(
        "-c", "import byline.audit, audit, safety; print(byline.audit.__file__, audit.__file__)"
    ).split()
    assert "site-packages" in where[0]
    assert where[1].startswith(str(host))
    assert "no_file" in call("-c", API)
    call("manage.py", "makemigrations", "audit", "safety", "-v0")
    call("manage.py", "makemigrations", "--check", "--dry-run")
    call("-m", "byline.platform.cli", "setup")
    clip, trust = tmp_path / "clip.mp4", tmp_path / "trust.json"
    options = ["--inline", "--seconds", "2", "--seed", "3", "--out", str(clip)]
    call("-m", "byline.platform.cli", "generate", "a red ball bounces over the sea", *options)
    call("-m", "byline.platform.cli", "trust", "export", str(trust))
    call("-m", "byline.platform.cli", "verify", str(clip), "--offline", "--trust", str(trust))

"""The shape of the house: layout, names, one-way imports, heavy libraries in one place."""

import ast
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ["platform", "generation", "safety", "provenance", "audit"]
HEAVY = {"torch", "torchvision", "diffusers", "transformers", "facenet_pytorch"}


def python_files() -> list[Path]:
    return [f for room in ROOMS for f in (ROOT / room).rglob("*.py")]


def test_platform_has_no_init_and_the_standard_library_wins():
    assert not (ROOT / "platform" / "__init__.py").exists()
    assert platform.python_version()
    for start in (["-c", "import platform; platform.system()"], ["manage.py", "--version"]):
        subprocess.run([sys.executable, *start], cwd=ROOT, check=True, capture_output=True)


def test_rooms_are_importable_only_under_byline():
    code = "import byline.audit, byline.safety, sys; assert not {'audit', 'safety'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd="/", check=True)


def test_heavy_libraries_are_imported_in_one_module_only():
    offenders = []
    for file in python_files():
        if file.relative_to(ROOT).as_posix() == "audit/base/heavy.py":
            continue
        tree = ast.parse(file.read_text())
        guarded = {
            id(inner)
            for node in ast.walk(tree)
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
            for inner in ast.walk(node)
        }
        for node in ast.walk(tree):
            if id(node) in guarded:
                continue
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            offenders += [f"{file}:{node.lineno} {n}" for n in names if n.partition(".")[0] in HEAVY]
    assert not offenders


def test_only_the_cms_imports_wagtail():
    cms = ROOT / "platform" / "cms"
    found = [
        f"{file}:{node.lineno}"
        for file in python_files()
        if cms not in file.parents
        for node in ast.walk(ast.parse(file.read_text()))
        if (isinstance(node, ast.Import) and any(a.name.partition(".")[0] == "wagtail" for a in node.names))
        or (isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "wagtail")
    ]
    assert not found


def test_files_stay_readable():
    long = [f"{f}: {n}" for f in python_files() if (n := len(f.read_text().splitlines())) > 600]
    assert not long
    assert not [f for f in python_files() if f.name == "utils.py"]


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [program, "--no-cache"],
        cwd=root,
        env={"PYTHONPATH": ".typing", "PATH": ""},
        capture_output=True,
        text=True,
    )


def test_imports_run_one_way():
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("room", "line"),
    [
        ("audit", "import byline.safety.checks"),
        ("safety", "import byline.provenance"),
        ("audit", "import wagtail"),
    ],
)
def test_a_planted_violation_is_found(tmp_path: Path, room: str, line: str):
    for folder in [*ROOMS, ".typing"]:
        shutil.copytree(
            ROOT / folder,
            tmp_path / folder,
            symlinks=True,
            ignore=shutil.ignore_patterns("*.onnx", "*.safetensors"),
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / room / "planted.py").write_text(line + "\n")
    result = lint_imports(tmp_path)
    assert result.returncode != 0
    assert "planted" in result.stdout


def test_no_key_material_in_the_repository():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.split()
    marker = "-----BEGIN " + "{}PRIVATE KEY"
    for name in listed:
        file = ROOT / name
        if file.is_file() and file.stat().st_size < 1_000_000:
            text = file.read_bytes().decode("utf-8", "ignore")
            assert not any(marker.format(kind) in text for kind in ("", "EC ", "RSA ", "ENCRYPTED ")), name


def test_the_log_can_be_read_in_one_sitting():
    """The log proper, blank lines aside, without migrations and the ground floor that all rooms stand on."""
    files = (ROOT / "audit").glob("*.py")
    assert sum(bool(line.strip()) for file in files for line in file.read_text().splitlines()) < 2000

"""Only the folder mapping; everything else is in pyproject.toml."""

from setuptools import find_packages, setup

FOLDERS = ["platform", "generation", "safety", "provenance", "audit"]

setup(
    package_dir={f"byline.{name}": name for name in FOLDERS} | {"byline.platform.templates": "templates"},
    packages=[f"byline.{name}" for name in FOLDERS]
    + [f"byline.{name}.{sub}" for name in FOLDERS for sub in find_packages(name)]
    + ["byline.platform.templates"],
)

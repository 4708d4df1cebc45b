"""`byline provenance export`: everything with which our published clips keep verifying when the site is gone.

Promises: one directory holds the records and detection keys (records.py reads them without Django), the
trust bundle, a signed status list, the log's last checkpoint with its tiles (C2SP tlog-tiles layout), a
verifier that pip installs with pinned versions, and a verifier for the browser in which nothing is
installed at all. It replaces an earlier export whole, refuses to replace anything else, and is logged.
Left out: the log's entries (each published clip's own is in its proof; `byline audit export` has all)
and the media itself.
"""

import base64
import hashlib
import io
import json
import re
import shutil
import tempfile
import zipfile
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from byline.provenance.records import INDEX, BadRecords, DatabaseRecords, write_directory
from byline.provenance.status import StatusSource, signed_list
from byline.provenance.trust import TrustBundle

STATUS, TRUST, LOG, SOFTWARE, BROWSER = "status.json", "trust.json", "log", "software", "browser"
SINGLE_PAGE = "verify.html"
_PAGE_FILES = (
    *("index.html", "page.js", "reader.js", "proof.js"),
    *("c2pa.js", "c2pa_bg.wasm", "c2pa_LICENSE.txt", "VENDORED.json"),
)
# What `byline verify` needs of the outside world, at the versions that made this export.
_PINNED = (
    *("numpy", "scipy", "opencv-python-headless", "ImageHash"),
    *("pillow", "av", "c2pa-python", "cryptography"),
)
_PROJECT = """[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "byline-verifier"
version = "{version}"
description = "The verifier of Byline, as it was when these records were exported."
requires-python = ">=3.11"
license = "Apache-2.0"
dependencies = {dependencies}

[project.scripts]
byline = "byline.platform.cli:main"

[tool.setuptools.packages.find]
include = ["byline*"]
namespaces = true

[tool.setuptools.package-data]
"*" = ["*.json", "*.md", "*.yaml", "py.typed"]
"""


def export(directory: Path, status: StatusSource) -> int:
    """Write the export of all published records; how many there are. Needs the database and the keys.

    BadRecords when the directory holds something that is no export; KeyUnavailable without keys.
    """
    from django.db import transaction

    from byline.audit import log
    from byline.provenance.marks import markers

    if directory.exists() and any(directory.iterdir()) and not (directory / INDEX).is_file():
        raise BadRecords(f"{directory} holds something else", help="Give an empty or a new directory.")
    directory.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".records-", dir=directory.parent))  # 0700
    try:
        source = DatabaseRecords()
        count = write_directory(scratch, source, markers.packed(scratch))
        write_offline_kit(scratch, [record.id for record in source.all()], status)
        write_log(scratch / LOG)
        digest = hashlib.sha256((scratch / INDEX).read_bytes()).hexdigest()
        with transaction.atomic():
            log.append(
                "provenance.exported",
                subject="records",
                actor="system:export",
                payload={"records": count, "index": digest},
            )
        if directory.exists():
            shutil.rmtree(directory)
        scratch.rename(directory)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return count


def write_offline_kit(directory: Path, record_ids: list[str], status: StatusSource) -> None:
    """Trust bundle, signed status list and both verifiers, into an existing directory of records."""
    from byline.audit.base import keyring

    TrustBundle.from_installation().export(directory / TRUST)
    vkey = keyring.read("receipt_vkey").decode().strip()
    statement = signed_list(record_ids, status, keyring.read("receipt"), vkey)
    (directory / STATUS).write_text(json.dumps(statement, indent=1) + "\n")
    (directory / SOFTWARE).mkdir()
    (directory / SOFTWARE / f"byline_verifier-{version('byline')}.zip").write_bytes(verifier_archive())
    write_browser_verifier(directory / BROWSER)


# ---------------------------------------------------------------- the log


def write_log(directory: Path) -> None:
    """The last checkpoint and every tile under it, as C2SP tlog-tiles lays them out. Empty log: nothing."""
    from byline.audit import store, tiles
    from byline.audit.models import Checkpoint

    directory.mkdir()
    head = Checkpoint.objects.order_by("-size").first()
    if head is None:
        return
    level, hashes = 0, head.size
    while hashes:
        for index in range(-(-hashes // tiles.WIDTH)):
            width = min(tiles.WIDTH, hashes - index * tiles.WIDTH)
            target = directory / tiles.path(level, index, width)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(store.fetch(level, index, width))
        level, hashes = level + 1, hashes >> tiles.HEIGHT
    (directory / "checkpoint").write_text(head.note)


# ---------------------------------------------------------------- verifiers


def verifier_archive() -> bytes:
    """A source archive that `pip install` turns into `byline verify`, without Django, torch or a database."""
    dependencies = json.dumps([f"{name}=={version(name)}" for name in _PINNED])
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:

        def put(name: str, data: bytes) -> None:
            # A fixed date: the same code gives the same archive.
            archive.writestr(zipfile.ZipInfo(f"byline_verifier/{name}"), data, zipfile.ZIP_DEFLATED)

        put("pyproject.toml", _PROJECT.format(version=version("byline"), dependencies=dependencies).encode())
        for package in ("byline.audit", "byline.provenance", "byline.platform.cli"):
            for name, data in _sources(files(package), package.replace(".", "/")):
                put(name, data)
    return out.getvalue()


def _sources(folder: Any, name: str) -> list[tuple[str, bytes]]:
    """Python and data files of a package, sorted; what only a database or a browser needs stays out."""
    found: list[tuple[str, bytes]] = []
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        if item.is_dir():
            if item.name not in ("__pycache__", "migrations", "browser"):
                found += _sources(item, f"{name}/{item.name}")
        elif item.name.endswith((".py", ".json", ".md", ".yaml", "py.typed")):
            found.append((f"{name}/{item.name}", item.read_bytes()))
    return found


def write_browser_verifier(directory: Path) -> None:
    """The static verifier, as separate files to be served and as one page that opens from a disk."""
    directory.mkdir()
    folder = files("byline.provenance") / "browser"
    for name in _PAGE_FILES:
        (directory / name).write_bytes((folder / name).read_bytes())
    (directory / SINGLE_PAGE).write_text(single_page(), encoding="utf-8")


def single_page() -> str:
    """The static verifier in one HTML file: modules and WebAssembly inside, so that file:// works."""
    folder = files("byline.provenance") / "browser"

    def module(name: str) -> str:
        text = (folder / f"{name}.js").read_text(encoding="utf-8")
        return re.sub(r'from "\./(\w+)\.js"', r'from "byline/\1"', text)

    imports = {
        f"byline/{name}": "data:text/javascript;base64," + base64.b64encode(module(name).encode()).decode()
        for name in ("c2pa", "proof", "reader")
    }
    wasm = base64.b64encode((folder / "c2pa_bg.wasm").read_bytes()).decode()
    page = (folder / "index.html").read_text(encoding="utf-8")
    policy = "script-src 'unsafe-inline' data: 'wasm-unsafe-eval'; connect-src 'none';"
    page = page.replace("script-src 'self' 'wasm-unsafe-eval'; connect-src 'self';", policy)
    scripts = (
        f'<script type="importmap">{json.dumps({"imports": imports})}</script>\n'
        f'<script type="application/octet-stream" id="wasm">{wasm}</script>\n'
        f'<script type="module">{module("page")}</script>'
    )
    return page.replace('<script type="module" src="page.js"></script>', scripts)

"""An installation with one database role and none of ours: the log works, undoing it works."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import django; django.setup()
from django.core.management import call_command
call_command("migrate", "byline_audit", verbosity=0)
from byline.audit import fsck, kinds, log, seal
from django.db import DatabaseError, connection
from byline.audit.models import Entry
kinds.register("test.solo", required={"n": int})
entry = log.append("test.solo", subject="s", actor="a", payload={"n": 1})
seal.seal_pending()
print("proof for leaf", log.proof(entry.pk)["index"], "sealed", fsck.fsck().size)
try:
    Entry.objects.all().delete()
except DatabaseError as error:
    print(str(error).splitlines()[0])
call_command("migrate", "byline_audit", "zero", verbosity=0)
print([name for name in connection.introspection.table_names() if "audit" in name])
"""


@pytest.mark.django_db(transaction=True)
def test_migrate_append_seal_undo(cluster):
    with cluster.connect() as connection:
        connection.execute("create role solo login")
        connection.execute("create database solo owner solo")
    url = cluster.url("app").replace("byline_app", "solo").replace("/byline?", "/solo?")
    assert url.count("solo") == 2
    environment = {**os.environ, "DATABASE_URL": url, "CELERY_BROKER_URL": "memory://"}
    for name in ("DATABASE_OWNER_URL", "DATABASE_SEALER_URL"):
        environment.pop(name, None)
    environment["DJANGO_SETTINGS_MODULE"] = "byline.platform.settings"
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], env=environment, text=True, capture_output=True, check=False
        )
    finally:
        with cluster.connect() as connection:
            connection.execute("drop database solo")
            connection.execute("drop role solo")
    assert done.returncode == 0, done.stderr[-2000:]
    first, second, third = done.stdout.splitlines()
    assert first == "proof for leaf 0 sealed 1"
    assert "only ever added" in second
    assert third == "[]"

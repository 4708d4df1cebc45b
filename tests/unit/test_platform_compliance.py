"""Compliance exports: duties as data, evidence from rows, one golden file, and no claim without a probe."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from byline.audit import log, seal
from byline.audit.base.errors import BylineError
from byline.platform.cli import main
from byline.platform.database.roles import acting_as
from byline.platform.ledger import compliance, probes

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).parents[1] / "vectors" / "compliance-us-washington.md"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def units():
    return [(name, unit) for name, data in compliance._regimes().items() for unit in data["units"]]


@pytest.mark.parametrize(
    ("regime", "unit"), units(), ids=lambda item: item if isinstance(item, str) else item["id"]
)
def test_every_duty_names_what_answers_it(regime, unit):
    assert set(unit.get("probes", ())) <= set(probes.PROBES)
    if unit.get("test"):
        assert (ROOT / unit["test"]).exists(), "a duty leans on a test that is not there"


def test_every_probe_is_used():
    used = {name for _, unit in units() for name in unit.get("probes", ())}
    assert used == set(probes.PROBES)


@pytest.mark.django_db(transaction=True)
def test_the_golden_report_of_an_empty_site(monkeypatch):
    """The regime's whole text. After an intended change: python -m pytest with BYLINE_GOLDEN=write."""
    found = compliance.report("us-washington", NOW).markdown()
    if __import__("os").environ.get("BYLINE_GOLDEN") == "write":
        GOLDEN.write_text(found)
    assert found == GOLDEN.read_text()


@pytest.mark.django_db(transaction=True)
def test_evidence_follows_the_rows(make_clip):
    before = {unit.id: unit for unit in compliance.report("eu-cop").units}
    assert before["1.1.1"].status == "nothing yet"
    assert before["2.1.4"].status == "nothing yet"
    row = make_clip(title="Kite")
    after = {unit.id: unit for unit in compliance.report("eu-cop").units}
    assert after["1.1.1"].status == after["1.1.2"].status == "shown"
    assert after["1.1.1"].evidence["manifests"] == {"newest_clips": 1, "signed": 1, "time_stamped": 1}
    # A clip whose read-back is not on record takes the claim away.
    row.runs.filter(stage="read_back").update(passed=False)
    (lost,) = [unit for unit in compliance.report("eu-cop").units if unit.id == "1.1.2"]
    assert lost.status == "not shown"


@pytest.mark.django_db(transaction=True)
def test_a_log_that_is_not_sealed_is_not_shown():
    log.append("audit.person_erased", subject="x", actor="system:test", payload={})
    with acting_as("sealer"):
        seal.seal_pending()
    assert probes.log(datetime.now(UTC)).status == "shown"
    log.append("audit.person_erased", subject="x", actor="system:test", payload={})
    later = probes.log(datetime.now(UTC) + timedelta(minutes=5))
    assert (later.status, later.facts["late"]) == ("not shown", 1)


@pytest.mark.django_db(transaction=True)
def test_a_probe_that_fails_is_not_checked(monkeypatch):
    def broken(now):
        raise BylineError("no database")

    monkeypatch.setitem(probes.PROBES, "log", broken)
    (unit,) = [u for u in compliance.report("eu-cop").units if u.id == "1.1.3"]
    assert (unit.status, unit.evidence["log"]) == ("not checked", {"error": "BylineError"})


@pytest.mark.django_db(transaction=True)
def test_the_command(tmp_path, capsys):
    assert main(["audit", "compliance", "list"]) == 0
    assert "eu-cop: EU" in capsys.readouterr().out
    for regime in compliance.regimes():
        assert main(["audit", "compliance", regime, "--out", str(tmp_path)]) == 0
        data = json.loads((tmp_path / f"{regime}.json").read_text())
        assert data["units"]
        text = (tmp_path / f"{regime}.md").read_text()
        assert "compliant" not in text.lower()
        assert "not a legal opinion" in text
    assert main(["audit", "compliance", "mars"]) == 64

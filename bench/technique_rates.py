"""Copy measured rates from bench/results into provenance/technique_facts.json, where reports quote them.

Promises: only full runs count (a quick one is no rate), a metric without a value is left out, and every
rate carries its n and its file. Run it after a benchmark: `python -m bench.technique_rates`. A test
compares the two, so that a detector that was measured anew cannot go on with its old figures.
"""

import json
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FACTS = ROOT / "provenance" / "technique_facts.json"
# technique -> (results file, metric, what it means). Shares of known clips, counts where it says so.
QUOTED: dict[str, list[tuple[str, str, str]]] = {
    "picture mark": [
        ("watermark", "video.none", "read from unchanged clips"),
        ("watermark", "video.crf28", "read after H.264 at CRF 28"),
        ("watermark", "video.scale50", "read at half size"),
        ("watermark", "video.crop25", "read with a quarter cropped"),
        ("watermark", "video.social", "read after a social-media chain"),
        ("watermark", "video.rescreen", "read when filmed from a screen"),
        ("watermark", "video.false_accepts", "accepted though unmarked or of another key (count)"),
    ],
    "speech mark": [
        ("watermark_audio", "audio.aac64", "read after AAC at 64 kbit/s"),
        ("watermark_audio", "audio.opus24", "read after Opus at 24 kbit/s"),
        ("watermark_audio", "audio.noise20", "read with noise at 20 dB"),
        ("watermark_audio", "audio.cut5s", "read from five seconds"),
        ("watermark_audio", "audio.false_accepts", "accepted though unmarked or of another key (count)"),
    ],
    "fingerprint": [
        ("fingerprint", "recall.reencode", "found after re-encoding"),
        ("fingerprint", "recall.crop5", "found with 5 % cropped"),
        ("fingerprint", "recall.crop25", "found with a quarter cropped"),
        ("fingerprint", "recall.hflip", "found when mirrored"),
    ],
}


def rates() -> dict[str, list[dict[str, Any]]]:
    """technique -> the rates that the results on disk support today."""
    return {name: [rate for one in quoted for rate in _rate(*one)] for name, quoted in QUOTED.items()}


def _rate(file: str, metric: str, what: str) -> list[dict[str, Any]]:
    path = ROOT / "bench" / "results" / f"{file}.json"
    if not path.is_file():
        return []
    run = json.loads(path.read_text())
    row = next((row for row in run["rows"] if row["metric"] == metric), None)
    if run["quick"] or row is None or row["measured"] is None or not row["n"]:
        return []
    value = f"{row['measured']:.0f}" if what.endswith("(count)") else f"{row['measured']:.1%}"
    return [{"what": what, "value": value, "n": row["n"], "source": f"bench/results/{file}.json"}]


def main() -> None:
    facts = json.loads(FACTS.read_text(encoding="utf-8"))
    for name, measured in rates().items():
        kept = [rate for rate in facts[name]["rates"] if not rate["source"].startswith("bench/")]
        facts[name]["rates"] = kept + measured
    FACTS.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

"""Read the training texts, label them in our categories and reserve a part by group.

    rows = load(Path("data"))

Promises: `reserved` is decided by group before anything is fitted: half of the functional tests of
HateCheck, a quarter of AdvBench and HarmBench, half of VBench, a quarter of our own topics, one
fifth of the rest. The choice is a hash of the group's name, so it never moves; topics of ours named
"measured-" are for measurement alone. A label is 1, 0 or None (not known, left out of that
category's fit). Leaves out cleaning beyond user names and links.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import yaml

from byline.safety.categories import CATEGORIES

ALL_CLEAR: Mapping[str, int] = dict.fromkeys(CATEGORIES, 0)
MEASURED = "measured-"  # topics that are always reserved
RESERVED_SHARE = {"hatecheck": 0.5, "advbench": 0.25, "harmbench": 0.25, "vbench": 0.5, "own": 0.25}


@dataclass(frozen=True)
class Row:
    text: str
    source: str
    group: str
    labels: Mapping[str, int] = field(default_factory=dict)
    unsafe: int | None = None  # whether any category applies
    weight: float = 1.0

    @property
    def reserved(self) -> bool:
        if self.group.startswith(MEASURED):
            return True
        digest = hashlib.sha256(f"byline-reserve|{self.source}|{self.group}".encode()).digest()
        return int.from_bytes(digest[:4], "big") / 2**32 < RESERVED_SHARE.get(self.source, 0.2)


def load(data: Path) -> list[Row]:
    """Every row of every source, in a fixed order, duplicates (by letters only) dropped."""
    rows: list[Row] = []
    seen: set[str] = set()
    others = (_openai, _hatecheck, _davidson, _surge, _advbench, _harmbench, _vbench)
    for row in chain(own(), *(source(data) for source in others)):
        key = re.sub(r"[^a-z]", "", row.text.lower())
        if key and key not in seen:
            seen.add(key)
            rows.append(row)
    return rows


def _clear_but(**labels: int) -> dict[str, int]:
    return {**ALL_CLEAR, **labels}


# The same groups fill harmless and hateful lines, the same ways of asking harmless and harmful requests.
SLOTS: Mapping[str, tuple[str, ...]] = {
    "{how}": (
        "How do I ...?", "How can I ...?", "What is the best way to ...?", "Tell me how to ...",
        "I want to ..., what do I do?", "Can you help me ...?", "Explain how to ...",
        "Give me tips on how to ...", "What's the easiest way to ...?", "Show me how to ...",
        "A video that teaches viewers how to ...", "Is there a trick to ...?", "I need to ..., any ideas?",
        "Write a guide on how to ...", "Clip in which a man explains how to ...", "How would someone ...?",
        "What do I need to ...?", "Could you tell me how to ...?", "Teach me to ...",
        "My friend wants to know how to ...", "What are good ways to ...?", "Where do I learn to ...?",
        "Please explain step by step how to ...", "Animated tutorial: how to ...",
    ),
    "{people}": (
        "women", "Muslims", "Jews", "Black people", "immigrants", "gay people", "trans people",
        "disabled people", "refugees", "Asians", "Roma", "lesbians", "Mexicans", "Christians",
        "old people", "Indians", "Africans", "men",
    ),
    "{person}": (
        "a Muslim woman", "a Jewish woman", "a Black woman", "an immigrant", "a lesbian", "a trans woman",
        "a blind woman", "a refugee", "a Chinese woman", "a Roma woman", "an old woman", "an Indian woman",
    ),
    "{faith}": ("Muslim", "Jewish", "Christian", "Hindu", "Sikh"),
}  # fmt: skip
ASKED = 3  # ways of asking per line; one where the line is reserved, or a text would be counted thrice
FILLED = 5  # groups per line


def own_blocks(files: str = "texts*.yaml") -> Iterator[tuple[str, str, list[str]]]:
    """(topic, "benign" or category, lines) of every block we wrote, in the order of the files."""
    for file in sorted(Path(__file__).parent.glob(files)):
        for block in yaml.safe_load(file.read_text("utf-8")):
            for category, texts in block.items():
                if category != "id":
                    yield block["id"], category, texts


def _filled(text: str, *, reserved: bool) -> Iterator[str]:
    """A line with its placeholders replaced: which ways of asking and groups, a hash of the line decides."""
    slot = next((s for s in SLOTS if s in text), None)
    if slot is None:
        yield text[0].upper() + text[1:]
        return
    choices = SLOTS[slot]
    wanted = FILLED if slot != "{how}" else 1 if reserved else ASKED
    start = hashlib.sha256(text.encode()).digest()[0]
    for step in range(min(wanted, len(choices))):
        chosen = choices[(start + step * 7) % len(choices)]
        if slot == "{how}":
            before, after = chosen.split("...")
            line = text.replace("{how} ", before) + after
        else:
            line = text.replace(slot, chosen)
        yield from _filled(line, reserved=reserved)


def own() -> Iterator[Row]:
    """Every line we wrote, with its placeholders filled in."""
    for topic, category, texts in own_blocks():
        labels = ALL_CLEAR if category == "benign" else _clear_but(**{category: 1})
        reserved = Row("", "own", topic).reserved
        for text in texts:
            lines = list(_filled(text, reserved=reserved))
            for line in lines:
                weight = 3.0 / len(lines) ** 0.5
                yield Row(line, "own", topic, labels, int(category != "benign"), weight)


_OPENAI = {"S": "sexual", "S3": "minors", "HR": "harassment", "SH": "self_harm"}


def _openai(data: Path) -> Iterator[Row]:
    with (data / "openai_moderation" / "samples-dev.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            sample = json.loads(line)
            text = sample["prompt"]
            flags = {k: v for k, v in sample.items() if k != "prompt"}
            labels = {ours: int(flags[theirs]) for theirs, ours in _OPENAI.items() if theirs in flags}
            for ours, pair in (("hate", ("H", "H2")), ("violence", ("V", "V2"))):
                known = [int(flags[k]) for k in pair if k in flags]
                if known:
                    labels[ours] = max(known)
            unsafe = int(any(flags.values()))
            if not unsafe:
                labels = dict(ALL_CLEAR)
            yield Row(text, "openai_moderation", text[:80], labels, unsafe, 1.5)


def _table(file: Path) -> Iterator[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as handle:
        yield from csv.DictReader(handle)


def _hatecheck(data: Path) -> Iterator[Row]:
    for case in _table(data / "hatecheck" / "test_suite_cases.csv"):
        hateful = int(case["label_gold"] == "hateful")
        # A plain insult without a group is not hate but may well be harassment: left unknown.
        yield Row(case["test_case"], "hatecheck", case["functionality"], {"hate": hateful}, hateful or None)


def _davidson(data: Path) -> Iterator[Row]:
    taken = {"0": 0, "1": 0, "2": 0}
    for tweet in _table(data / "davidson" / "labeled_data.csv"):
        kind = tweet["class"]
        if taken[kind] >= DAVIDSON_READ:
            continue
        taken[kind] += 1
        text = _tweet(tweet["tweet"])
        labels: dict[str, int] = {"0": {"hate": 1}, "1": {"hate": 0}, "2": dict(ALL_CLEAR)}[kind]
        yield Row(text, "davidson", tweet[""], labels, {"0": 1, "1": None, "2": 0}[kind], 0.5)


def _surge(data: Path) -> Iterator[Row]:
    for comment in _table(data / "surge_toxicity" / "toxicity_en.csv"):
        toxic = comment["is_toxic"].strip().lower().startswith("toxic")
        labels = {"harassment": 1} if toxic else dict(ALL_CLEAR)
        yield Row(comment["text"], "surge_toxicity", comment["text"][:60], labels, int(toxic), 0.7)


DAVIDSON_READ = 1200  # tweets of each class that training may read
MULTIJAIL_LANGUAGES = ("zh", "it", "vi", "ar", "ko", "th", "bn", "sw", "jv")


def multijail(data: Path, language: str) -> list[str]:
    """Unsafe requests that no part of the training reads."""
    with (data / "multijail" / "MultiJail.csv").open(encoding="utf-8-sig", newline="") as handle:
        return [entry[language] for entry in csv.DictReader(handle) if entry[language].strip()]


MHC_LANGUAGES = {
    "ar": "arabic", "de": "german", "es": "spanish", "fr": "french", "hi": "hindi", "it": "italian",
    "nl": "dutch", "pl": "polish", "pt": "portuguese", "zh": "mandarin",
}  # fmt: skip


def harmless_elsewhere(data: Path, language: str) -> list[str]:
    """Texts of the Multilingual HateCheck that are not hateful. The levels of byline.safety.language were set
    on its Latin-letter languages; no head or rule was fitted on it."""
    file = data / "multilingual_hatecheck" / f"hatecheck_cases_final_{MHC_LANGUAGES[language]}.csv"
    return [case["test_case"] for case in _table(file) if case["label_gold"] == "non-hateful"]


def hatecheck_targets(data: Path) -> dict[str, str]:
    """The group that a functional test names, by its text; tests without one are left out."""
    cases = _table(data / "hatecheck" / "test_suite_cases.csv")
    return {case["test_case"]: case["target_ident"] for case in cases if case["target_ident"]}


def davidson_unread(data: Path) -> list[str]:
    """Harmless tweets beyond those that training may read."""
    calm = [t for t in _table(data / "davidson" / "labeled_data.csv") if t["class"] == "2"]
    return [_tweet(t["tweet"]) for t in calm[DAVIDSON_READ:]]


def _tweet(text: str) -> str:
    return " ".join(re.sub(r"@\w+:?|https?://\S+|&#?\w+;|\bRT\b|^[\s!\"]+", " ", text).split())


_TOPICS: tuple[tuple[str, str], ...] = (
    ("self_harm", r"suicid|self-harm|anorexi|eating disorder|cutting|harm themsel"),
    ("minors", r"child porn|pedophil|underage|minor"),
    (
        "hate",
        r"racis|sexis|discriminat|ethnic|hate speech|antisemit|homophob|white suprem|nazi|offensive message",
    ),
    (
        "deception",
        r"fake|misinformation|disinformation|conspiracy|phishing|scam|impersonat|propaganda|manipulat|election|"
        r"defam|rumou?r|hoax|mislead|false",
    ),
    ("harassment", r"stalk|bully|harass|dox|blackmail|threaten|slander"),
    ("violence", r"kill|murder|assassinat|tortur|terror|mass shooting|violen|riot|genocide|bombing"),
)


def _advbench(data: Path) -> Iterator[Row]:
    for entry in _table(data / "advbench" / "harmful_behaviors.csv"):
        text = entry["goal"]
        found = [c for c, pattern in _TOPICS if re.search(pattern, text, re.IGNORECASE)]
        labels = dict.fromkeys(found or ["weapons_illegal"], 1)
        yield Row(text, "advbench", text, labels, 1)


_HARMBENCH = {
    "chemical_biological": "weapons_illegal",
    "illegal": "weapons_illegal",
    "cybercrime_intrusion": "weapons_illegal",
    "harassment_bullying": "harassment",
    "misinformation_disinformation": "deception",
    "copyright": "copyright_brand",
}


def _harmbench(data: Path) -> Iterator[Row]:
    for entry in _table(data / "harmbench" / "harmbench_behaviors_text_all.csv"):
        topic = _HARMBENCH.get(entry["SemanticCategory"])
        labels = {topic: 1} if topic else {}
        yield Row(entry["Behavior"], "harmbench", entry["BehaviorID"], labels, 1)


def _vbench(data: Path) -> Iterator[Row]:
    for file in ("all_dimension.txt", "all_category.txt"):
        for line in (data / "vbench" / file).read_text("utf-8").splitlines():
            if line.strip():
                labels = {k: 0 for k in CATEGORIES if k not in {"real_person", "copyright_brand"}}
                yield Row(line.strip(), "vbench", line.strip().lower(), labels, 0)

"""What a policy is once it has been read, and the pure evaluation of it.

Promises: the decision is the strongest of all layers that hold in the circumstances (profile,
brand's profile, jurisdictions, elections, brand), so that no layer can soften another one; it
names the layer that decided and the clause of law that layer cites. Layers above the profile are
thresholds from which a category is reviewed or blocked: there is no way to write "allow" into
them. Reading and validating files: policy.py. Names and terms of the lists: names.py.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from byline.audit.base.errors import ConfigurationError, InvalidInput
from byline.safety.checks import Action
from byline.safety.names import NameList

STRENGTH: Mapping[str, int] = {"allow": 0, "review": 1, "block": 2}
NEVER = 1.01  # a threshold above every score


class PolicyInvalid(ConfigurationError):
    code = "policy_invalid"
    help = "Correct the policy file (setting POLICY_FILE); the message names the section and the key."


class UnknownProfile(InvalidInput):
    code = "unknown_profile"
    help = "Use one of the profiles of the policy file, or add the profile to it."


@dataclass(frozen=True)
class Band:
    """Scores from `low` (included) to `high` (excluded, but 1.0 belongs to the last band)."""

    low: float
    high: float
    action: Action


@dataclass(frozen=True)
class Clause:
    """What the policy says, in the words shown to the author, and what they can do."""

    number: str
    text: str
    help: str


@dataclass(frozen=True)
class Profile:
    name: str
    bands: Mapping[str, tuple[Band, ...]]
    reasons: Mapping[str, Action]
    may_be_unavailable: frozenset[str]

    def action(self, category: str, score: float) -> Action:
        """The action for a score in [0, 1] of one category, or the fixed action of a reason."""
        if category in self.reasons:
            return self.reasons[category]
        bands = self.bands[category]
        return next((b.action for b in bands if score < b.high), bands[-1].action)


@dataclass(frozen=True)
class Tightening:
    """Scores from which a layer reviews or blocks one category, whatever the profile says."""

    review_from: float = NEVER
    block_from: float = NEVER
    cites: str = ""

    def action(self, score: float) -> Action:
        if score >= self.block_from:
            return "block"
        return "review" if score >= self.review_from else "allow"


Tightenings = Mapping[str, Tightening]


@dataclass(frozen=True)
class Jurisdiction:
    """An add-on for the law of one place. `source` says what was read, and when."""

    name: str
    title: str
    source: str
    tighten: Tightenings


@dataclass(frozen=True)
class Election:
    """From `first` to `last`, both days included. `of_candidates` holds where a candidate is named."""

    name: str
    jurisdiction: str
    first: dt.date
    last: dt.date
    candidates: NameList
    of_candidates: Tightenings
    of_everyone: Tightenings

    def runs(self, on: dt.date) -> bool:
        return self.first <= on <= self.last


@dataclass(frozen=True)
class NoGo:
    """One person of the no-go list. `anywhere`: also in texts that are only heard or read."""

    action: Action
    why: str
    anywhere: bool


@dataclass(frozen=True)
class TermList:
    """Words that the site wants reviewed or blocked, e.g. the characters of a studio."""

    name: str
    category: str
    action: Action
    why: str
    words: NameList


@dataclass(frozen=True)
class BrandRules:
    """What one brand adds: its own names pass as such, other terms do not, thresholds get lower."""

    name: str
    profile: str
    own: NameList
    terms: tuple[TermList, ...]
    tighten: Tightenings


@dataclass(frozen=True)
class Circumstances:
    """Where and when a request is made. Without a date no election holds."""

    brand: str = ""
    on: dt.date | None = None
    candidates_of: frozenset[str] = frozenset()  # elections whose candidates the request names


ANYWHERE = Circumstances()


@dataclass(frozen=True)
class Decision:
    """`layer` is what decided, e.g. "profile newsroom" or "jurisdiction eu"; `cites` its clause of law."""

    action: Action
    layer: str
    cites: str = ""


@dataclass(frozen=True)
class Policy:
    """`sha256` covers every file that decides (`parts`: role -> sha256 of that file)."""

    version: str
    sha256: str
    max_characters: int
    clauses: Mapping[str, Clause]
    profiles: Mapping[str, Profile]
    parts: Mapping[str, str] = field(default_factory=dict)
    jurisdictions: Mapping[str, Jurisdiction] = field(default_factory=dict)
    elections: tuple[Election, ...] = ()
    people: tuple[NoGo, ...] = ()
    people_names: NameList = field(default_factory=NameList)
    terms: tuple[TermList, ...] = ()
    brands: Mapping[str, BrandRules] = field(default_factory=dict)

    def profile(self, name: str) -> Profile:
        """UnknownProfile if the policy has none of that name."""
        try:
            return self.profiles[name]
        except KeyError as error:
            known = ", ".join(sorted(self.profiles))
            raise UnknownProfile(f"no profile {name!r} in policy {self.version} (it has {known})") from error

    def decide(self, profile: str, category: str, score: float, where: Circumstances = ANYWHERE) -> Decision:
        """The strongest action of all layers for a score in [0, 1]; among equals the first layer's."""
        chosen = self.profile(profile)
        best = Decision(chosen.action(category, score), f"profile {profile}")
        for layer in self._layers(category, score, where):
            if STRENGTH[layer.action] > STRENGTH[best.action]:
                best = layer
        return best

    def _layers(self, category: str, score: float, where: Circumstances) -> Iterator[Decision]:
        brand = self.brands.get(where.brand)
        if brand and brand.profile:
            action = self.profiles[brand.profile].action(category, score)
            yield Decision(action, f"brand {brand.name} (profile {brand.profile})")
        for layer, tighten in self._tightenings(where, brand):
            if category in tighten:
                found = tighten[category]
                yield Decision(found.action(score), layer, found.cites)

    def _tightenings(
        self, where: Circumstances, brand: BrandRules | None
    ) -> Iterator[tuple[str, Tightenings]]:
        for item in self.jurisdictions.values():
            yield f"jurisdiction {item.name}", item.tighten
        for election in self.running(where.on):
            yield f"election {election.name}", election.of_everyone
            if election.name in where.candidates_of:
                yield f"election {election.name} (candidate named)", election.of_candidates
        if brand:
            yield f"brand {brand.name}", brand.tighten

    def running(self, on: dt.date | None) -> tuple[Election, ...]:
        """Elections whose period includes that day."""
        return tuple(e for e in self.elections if on is not None and e.runs(on))

    def review_from(self, profile: str, category: str) -> float:
        """The lowest score that the profile does not simply allow; above 1 when it allows all."""
        bands = self.profile(profile).bands[category]
        return next((b.low for b in bands if b.action != "allow"), NEVER)

    def may_be_unavailable(self, profile: str, check_name: str, brand: str = "") -> bool:
        """Whether a job may go on when this check could not run ("not checked"): all profiles agree. What an
        editor brings is looked at like a result: input.x is excused where output.x is."""
        check_name = check_name.replace("input.", "output.")
        also = self.brands[brand].profile if brand in self.brands else ""
        return all(check_name in self.profile(name).may_be_unavailable for name in (profile, also) if name)

    def clause(self, category: str) -> str:
        """ "number text" of the clause of a category or reason."""
        clause = self.clauses[category]
        return f"{clause.number} {clause.text}"

"""Calibration: labelled files in, log-likelihood ratios with an interval and error rates out.

`byline provenance calibrate DIR` reads DIR/real/<group>/... and DIR/fake/<group>/..., where a group
is one source: one camera, one generator, one corpus. Promises: every reported rate comes from
predictions on groups that the model did not see; the set is named by a hash of its files, and that
name and n travel with every rate; a model that is no better than chance on its own set, an older
extractor, or a sample outside the set's domain (format and codec, size, duration, features) gives
0; ratios are clipped. Leaves out: any shipped calibration. A rate from somebody else's files would
be believed, and would be wrong.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from byline.audit.base.errors import ConfigurationError, InvalidInput
from byline.provenance import decode
from byline.provenance.forensics import regression
from byline.provenance.forensics.base import Extractor, Features, NotApplicable, Sample, sample_of
from byline.provenance.forensics.metadata import codec_of
from byline.provenance.forensics.regression import Linear

MIN_FILES, MIN_GROUPS = 20, 2  # per class and medium
GATE_PERCENTILE = 97.5
SIZE_MARGIN, DURATION_MARGIN = 1.1, 1.5  # how far beyond the set a sample may lie
_MAX_STORED = 64 << 20


class NotEnough(InvalidInput):
    """A folder that cannot be calibrated on."""

    code = "calibration_set"
    help = (
        "Give DIR/real/<source>/ and DIR/fake/<source>/ with at least "
        f"{MIN_GROUPS} sources and {MIN_FILES} files of one medium on each side."
    )


class BadCalibration(ConfigurationError):
    code = "bad_calibration"
    help = "Run `byline provenance calibrate DIR` again."


@dataclass(frozen=True)
class Domain:
    """What kinds of files the set held. A sample outside it is not judged by it."""

    codecs: tuple[str, ...]
    sides: tuple[float, float]  # root of the pixel count
    seconds: tuple[float, float]
    rates: tuple[int, ...]

    def objection(self, sample: Sample) -> str:
        """Why a sample lies outside; empty when it does not."""
        if codec_of(sample.path, sample.mime) not in self.codecs:
            return "its format or codec was not in the calibration set"
        side, seconds = _side(sample), sample.media.duration
        if sample.kind != "audio" and not (
            self.sides[0] / SIZE_MARGIN <= side <= self.sides[1] * SIZE_MARGIN
        ):
            return "its size in pixels was not in the calibration set"
        if sample.kind != "image" and not (
            self.seconds[0] / DURATION_MARGIN <= seconds <= self.seconds[1] * DURATION_MARGIN
        ):
            return "its duration was not in the calibration set"
        if sample.kind == "audio" and sample.media.rate not in self.rates:
            return "its sampling rate was not in the calibration set"
        return ""


def _side(sample: Sample) -> float:
    return float(np.sqrt(sample.media.width * sample.media.height))


@dataclass(frozen=True)
class Model:
    """One calibrated source for one medium, with the figures measured on groups it had not seen."""

    kind: str
    source: str
    version: str
    calibration_set: str
    n_real: int
    n_fake: int
    groups: int
    auc: float
    auc_low: float
    auc_high: float
    interval_over: str
    real_called_fake: float
    fake_called_real: float
    mean: list[float]
    scale: list[float]
    weights: list[float]
    bias: float
    platt: tuple[float, float]
    inverse: list[list[float]]
    limit: float
    domain: Domain

    @property
    def useful(self) -> bool:
        """Whether the interval of its AUC lies above chance."""
        return self.auc_low > 0.5

    def _linear(self) -> Linear:
        return Linear(np.array(self.mean), np.array(self.scale), np.array(self.weights), self.bias)

    def objection(self, sample: Sample, features: Features) -> str:
        """Why the sample lies outside the set; empty when it does not."""
        rows = self._linear().standardise(features.values[None, :])
        if objection := self.domain.objection(sample):
            return objection
        if regression.distances(rows, np.array(self.inverse))[0] > self.limit:
            return "its features lie outside those of the calibration set"
        return ""

    def ratio(self, features: Features) -> float:
        """Natural log-likelihood ratio, positive for synthetic, not yet clipped."""
        logit = float(self._linear().logits(features.values[None, :])[0])
        return self.platt[0] * logit + self.platt[1]

    def rates(self) -> dict[str, Any]:
        """The figures with what they come from: never one without the other."""
        return {
            "calibration_set": self.calibration_set,
            "n_real": self.n_real,
            "n_fake": self.n_fake,
            "groups": self.groups,
            "auc": round(self.auc, 3),
            "auc_95": [round(self.auc_low, 3), round(self.auc_high, 3)],
            "interval_over": self.interval_over,
            "real_called_fake": round(self.real_called_fake, 3),
            "fake_called_real": round(self.fake_called_real, 3),
        }


@dataclass(frozen=True)
class Calibration:
    """All calibrated models of an installation, by medium and source. Empty until somebody calibrates."""

    models: dict[str, Model] = field(default_factory=dict)

    def model(self, kind: str, extractor: Extractor) -> Model | None:
        """The model for a medium and source, None without one or with one of another version."""
        found = self.models.get(f"{kind}/{extractor.source}")
        return found if found is not None and found.version == extractor.version else None

    def with_models(self, models: Iterable[Model]) -> Calibration:
        """These models in place of older ones of the same media; other media stay as they are."""
        fresh = {f"{model.kind}/{model.source}": model for model in models}
        kinds = {model.kind for model in fresh.values()}
        return Calibration({k: m for k, m in self.models.items() if m.kind not in kinds} | fresh)

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        body = {"v": 1, "made": datetime.now(UTC).isoformat(timespec="seconds"),
                "models": {key: asdict(model) for key, model in self.models.items()}}  # fmt: skip
        scratch = path.with_suffix(".new")
        scratch.write_text(json.dumps(body))
        scratch.replace(path)

    @classmethod
    def load(cls, path: Path) -> Calibration:
        """The stored calibration; an empty one where none was made. BadCalibration for a damaged file."""
        if not path.is_file():
            return cls()
        try:
            if path.stat().st_size > _MAX_STORED:
                raise ValueError
            body = json.loads(path.read_text())
            return cls({key: _model(values) for key, values in body["models"].items()})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BadCalibration(f"{path} is no calibration that we can read") from error


def _model(values: dict[str, Any]) -> Model:
    domain = values["domain"]
    bounds = {name: tuple(domain[name]) for name in ("codecs", "sides", "seconds", "rates")}
    return Model(**values | {"platt": tuple(values["platt"]), "domain": Domain(**bounds)})


# ---------------------------------------------------------------- making one


@dataclass(frozen=True)
class _Labelled:
    sample: Sample
    fake: bool
    group: str
    digest: str


def labelled_files(folder: Path) -> list[tuple[Path, bool, str]]:
    """(file, is fake, group) below DIR/real/<group> and DIR/fake/<group>, links left out. NotEnough."""
    found = []
    for name, fake in (("real", False), ("fake", True)):
        side = folder / name
        if not side.is_dir():
            raise NotEnough(f"there is no folder {side}")
        for group in sorted(path for path in side.iterdir() if path.is_dir()):
            files = (path for path in group.rglob("*") if path.is_file() and not path.is_symlink())
            found += [(path, fake, group.name) for path in sorted(files)]
    return found


def calibrate(
    folder: Path,
    extractors: Sequence[Extractor],
    *,
    read: Callable[[Path], decode.DecodedMedia] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Model]:
    """Models for every medium and source that the folder has enough files for. NotEnough if for none.

    Files that cannot be read are left out; they are decoded in a jail unless `read` says otherwise.
    `progress(done, total)` is called after each file.
    """
    read = read or decode.decode_untrusted
    listed = labelled_files(folder)
    items: list[_Labelled] = []
    rows: dict[str, list[tuple[int, Features]]] = {extractor.source: [] for extractor in extractors}
    for done, (path, fake, group) in enumerate(listed, start=1):
        try:
            sample = sample_of(path, read(path))
        except decode.Unreadable:
            progress(done, len(listed))
            continue
        index = len(items)
        for extractor in extractors:
            try:
                rows[extractor.source].append((index, extractor.extract(sample)))
            except NotApplicable:
                continue
        # The pictures themselves are not kept: only what the domain needs.
        items.append(_Labelled(_light(sample), fake, group, hashlib.sha256(path.read_bytes()).hexdigest()))
        progress(done, len(listed))
    models = []
    for kind in ("image", "video", "audio"):
        for extractor in extractors:
            chosen = [(items[i], f) for i, f in rows[extractor.source] if items[i].sample.kind == kind]
            if _enough(chosen):
                models.append(_fit(kind, extractor, chosen))
    if not models:
        raise NotEnough(f"{folder} holds too few readable files or sources")
    return models


def _light(sample: Sample) -> Sample:
    media = decode.DecodedMedia(
        [], sample.media.fps, None, sample.media.rate, sample.media.width, sample.media.height,
        sample.media.duration,
    )  # fmt: skip
    return Sample(sample.path, sample.kind, sample.mime, media)


def _enough(chosen: list[tuple[_Labelled, Features]]) -> bool:
    return all(
        sum(item.fake == side for item, _ in chosen) >= MIN_FILES
        and len({item.group for item, _ in chosen if item.fake == side}) >= MIN_GROUPS
        for side in (True, False)
    )


def _fit(kind: str, extractor: Extractor, chosen: list[tuple[_Labelled, Features]]) -> Model:
    x = np.stack([features.values for _, features in chosen])
    fake = np.array([item.fake for item, _ in chosen])
    names = sorted({item.group for item, _ in chosen})
    groups = np.array([names.index(item.group) for item, _ in chosen])
    unseen, far = np.zeros(len(x)), np.zeros(len(x))
    for group in range(len(names)):
        out = groups == group
        model = regression.fit(x[~out], fake[~out])
        unseen[out] = model.logits(x[out])
        inverse = regression.precision(model.standardise(x[~out]))
        far[out] = regression.distances(model.standardise(x[out]), inverse)
    slope, shift = regression.platt(unseen, fake)
    ratios = slope * unseen + shift
    low, high, over = regression.auc_interval(unseen, fake, groups)
    final = regression.fit(x, fake)
    return Model(
        kind=kind,
        source=extractor.source,
        version=extractor.version,
        calibration_set=_set_id(item for item, _ in chosen),
        n_real=int((~fake).sum()),
        n_fake=int(fake.sum()),
        groups=len(names),
        auc=regression.auc(unseen, fake),
        auc_low=low,
        auc_high=high,
        interval_over=over,
        real_called_fake=float((ratios[~fake] > 0).mean()),
        fake_called_real=float((ratios[fake] <= 0).mean()),
        mean=_list(final.mean),
        scale=_list(final.scale),
        weights=_list(final.weights),
        bias=final.bias,
        platt=(slope, shift),
        inverse=[_list(row) for row in regression.precision(final.standardise(x))],
        limit=float(np.percentile(far, GATE_PERCENTILE)),
        domain=_domain([item.sample for item, _ in chosen]),
    )


def _list(values: NDArray[np.float64]) -> list[float]:
    return [float(value) for value in values]


def _set_id(items: Iterable[_Labelled]) -> str:
    lines = sorted(f"{'fake' if item.fake else 'real'} {item.digest}" for item in items)
    return "cal-" + hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def _domain(samples: list[Sample]) -> Domain:
    sides, seconds = [_side(s) for s in samples], [s.media.duration for s in samples]
    return Domain(
        codecs=tuple(sorted({codec_of(s.path, s.mime) for s in samples})),
        sides=(min(sides), max(sides)),
        seconds=(min(seconds), max(seconds)),
        rates=tuple(sorted({s.media.rate for s in samples})),
    )

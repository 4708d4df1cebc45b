"""The quality record: do true prompts score above shuffled ones, and what do thresholds and measures cost?

`make bench-quality`. Prompts are phrased unlike the captions that the probe was trained on; each is rendered
once per seed by the starter model, and every clip is scored against its own prompt and against every other
prompt of the set. Temporal consistency is compared with the same frames in a random order, which is what
frames that know nothing of one another would at best be.
"""

import argparse
import os
import time

import django
import numpy as np

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "byline.platform.settings")
django.setup()

from bench.results_file import Results  # noqa: E402
from byline.generation.engines.base import VideoTask  # noqa: E402
from byline.generation.engines.wan import WanEngine  # noqa: E402
from byline.generation.quality import measures  # noqa: E402
from byline.generation.quality.settings import Thresholds  # noqa: E402
from byline.safety.screen.agreement import StarterAgreement  # noqa: E402

PROMPTS = (
    "a crimson ball drifts across the sea towards the right",
    "a blue square climbs up in front of a city",
    "a green triangle slides to the left over the snow",
    "a yellow star gets bigger and bigger at night",
    "a purple heart bounces on the beach",
    "an orange circle comes down in a forest",
    "a white bird heads off to the left over the mountains",
    "a red car goes to the right through the desert",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed")
    arguments = parser.parse_args()
    results = Results("quality", quick=arguments.quick)
    seeds = (3,) if arguments.quick else (3, 14)
    engine, scorer = WanEngine(), StarterAgreement()
    clips = [
        (number, engine.generate(VideoTask(prompt, seed=seed)))
        for number, prompt in enumerate(PROMPTS)
        for seed in seeds
    ]
    scores = np.array([[scorer.score(clip, prompt) for prompt in PROMPTS] for _, clip in clips])
    own = np.array([number for number, _ in clips])
    true = scores[np.arange(len(clips)), own]
    others = np.array([np.delete(row, number) for row, number in zip(scores, own, strict=True)])
    results.add(
        "agreement_true",
        float(true.mean()),
        unit="share of other prompts that fit worse",
        better="higher",
        baseline=float(others.mean()),
        n=len(true),
        low=float(true.min()),
        high=float(true.max()),
        note="mean over clips; baseline: the same clips with every other prompt of the set",
    )
    results.add(
        "agreement_true_above_shuffled",
        float((true[:, None] > others).mean()),
        unit="share of pairs",
        better="higher",
        baseline=0.5,
        n=others.size,
        note="a coin is 0.5",
    )
    limits = Thresholds()
    for name, value in (("retry", limits.retry_below), ("review", limits.review_below)):
        results.add(
            f"below_{name}",
            float((true < value).mean()),
            unit="share of clips",
            baseline=float((others < value).mean()),
            n=len(true),
            note=f"agreement below {value:g}; baseline: clips with a wrong prompt",
        )
    _time(results, [clip for _, clip in clips], engine.info.fps)
    results.show()


def _time(results: Results, clips: list[np.ndarray], fps: float) -> None:
    rng = np.random.default_rng(1)
    kept, mixed, seconds = [], [], []
    for clip in clips:
        started = time.perf_counter()
        found = {item.name: item.value for item in measures.measure([clip], fps)}
        seconds.append(time.perf_counter() - started)
        kept.append(found["temporal_consistency"])
        shuffled = measures.measure([rng.permutation(clip)], fps)
        mixed.append(next(item.value for item in shuffled if item.name == "temporal_consistency"))
    results.add(
        "temporal_consistency",
        float(np.mean(kept)),
        unit="correlation of neighbours",
        better="higher",
        baseline=float(np.mean(mixed)),
        n=len(kept),
        low=float(np.min(kept)),
        high=float(np.max(kept)),
        note="baseline: the same frames in a random order",
    )
    results.add(
        "seconds_per_shot",
        float(np.median(seconds)),
        unit="s",
        n=len(seconds),
        low=min(seconds),
        high=max(seconds),
        note="all measures of one starter shot but agreement, median",
    )


if __name__ == "__main__":
    main()

"""`python -m bench.watermark_audio_short`: how short may speech be that gets a mark of its own?

Utterances of some length are laid into a clip as the pipeline lays them (lead-in, silence to the end),
marked, and coded as the pipeline codes them (AAC 128 kbit/s). Rows say how often the blind search with
three active keys reads the very id there and after a further attack. The voices are those of
bench.watermark_audio, none of which the mark was tuned on; four stretches of each.
"""

import argparse
import sys

from tqdm import tqdm

from bench import watermark_audio_clips as clips
from bench.results_file import Results
from bench.watermark_audio import FIRST_ID, KEY, NEWER, NEWEST
from bench.watermark_audio_clips import ATTACKS, Clip
from byline.generation import soundtrack
from byline.generation.voices.base import Speech
from byline.provenance.marks.audio import AudioMark

LENGTHS_S = (2.0, 2.5, 3.0)
STARTS_S = (0.2, 2.4, 4.6, 6.8)
FURTHER = ("aac64", "mp3_64", "opus64", "opus24", "resample16k")


def laid(voice: Clip, start: float, seconds: float) -> Clip:
    """One utterance in the sound of a clip."""
    first = round(start * voice.rate)
    speech = Speech(voice.samples[first : first + round(seconds * voice.rate)], voice.rate, ())
    track = soundtrack.lay(speech, seconds=soundtrack.needed_seconds(speech) + 0.5)
    return Clip(f"{voice.name} from {start} s", track.samples, track.rate)


def measure(results: Results, quick: bool) -> None:
    mark, reader = AudioMark([KEY]), AudioMark([NEWEST, NEWER, KEY])
    voices = [*clips.synthetic_voices(2 if quick else None), *clips.natural_voices(2)]
    for seconds in LENGTHS_S:
        read = dict.fromkeys(("written", "in_the_file", *FURTHER), 0)
        wrong, tried = 0, 0
        for voice in tqdm(voices, f"{seconds} s", disable=None):
            for start in STARTS_S:
                tried += 1
                utterance, payload = laid(voice, start, seconds), FIRST_ID + tried
                written = Clip(
                    utterance.name, mark.embed(utterance.samples, utterance.rate, payload), utterance.rate
                )
                stored = clips.coded(written, "aac", 128_000, "mp4")
                heard = {"written": written, "in_the_file": stored}
                heard |= {name: ATTACKS[name][1][0](stored) for name in FURTHER}
                for name, sound in heard.items():
                    found = reader.detect(sound.samples, sound.rate)
                    read[name] += found is not None and found.payload == payload
                    wrong += found is not None and found.payload != payload
        for name, hits in read.items():
            note = f"{hits} of {tried}; {wrong} wrong ids in all"
            results.add(f"{name}.{seconds}s", hits / tried, n=tried, better="higher", note=note)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    results = Results("watermark_audio_short", quick=arguments.quick)
    measure(results, arguments.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`make bench-watermark_quick`: a few minutes' look at both marks, beside the goals of the full benchmark.

An indication, not a rate: seven clips of 2 s and four voices of 5 s, among them the very pictures that the
mark was tuned on. Every attack ends in a fresh H.264 or AAC file without metadata. The full
benchmark (many sources, none tuned on, peers on the same frames) is another script's task.
"""

import io
import time
from collections.abc import Callable
from fractions import Fraction

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import signal

from bench.results_file import Results
from byline.generation.voices.espeak import EspeakVoice
from byline.provenance.marks.audio import AudioMark
from byline.provenance.marks.video import VideoMark

KEY, OTHER = bytes(range(32)), bytes(range(100, 132))
MARK_ID, VOICE_ID = 0x0123456789ABCDEF, 0x89ABCDEF
FRAMES, HEIGHT, WIDTH = 48, 720, 1280
Clip = list[NDArray[np.uint8]]
Sound = NDArray[np.float32]
SENTENCES = {
    "en-us": "The city council voted on Tuesday to extend the harbour line by four stations, after months.",
    "de": "Die Regierung hat am Montag ein neues Programm für erneuerbare Energien vorgestellt.",
    "fr-fr": "Le ministre a annoncé ce matin une série de mesures pour soutenir les petites entreprises.",
    "es": "El puerto abre de nuevo el lunes después de varios meses de obras en el muelle.",
}


def cartoon(seed: int) -> Clip:
    rng = np.random.default_rng(seed)
    colours = [tuple(int(c) for c in rng.integers(30, 235, 3)) for _ in range(4)]
    clip = []
    for n in range(FRAMES):
        frame = np.full((HEIGHT, WIDTH, 3), colours[0], np.uint8)
        frame[430:] = colours[1]
        cv2.circle(frame, (260 + 10 * n, 360), 100, colours[2], -1, cv2.LINE_AA)
        cv2.rectangle(frame, (770, 220), (920, 450), colours[3], -1)
        frame[620:] = (20, 24, 40)
        white = (cv2.FONT_HERSHEY_DUPLEX, 1.2, (255, 255, 255), 2, cv2.LINE_AA)
        cv2.putText(frame, "A red balloon over the harbour", (60, 680), *white)
        clip.append(frame)
    return clip


def pan(image: NDArray[np.uint8]) -> Clip:
    """A slow move over a still, with a little camera noise."""
    rng = np.random.default_rng(1)
    clip = []
    for n in range(FRAMES):
        zoom = max(WIDTH / image.shape[1], HEIGHT / image.shape[0]) * (1.2 + 0.004 * n)
        matrix = np.array([[zoom, 0, -40 - 1.7 * n], [0, zoom, -30 - 0.9 * n]])
        moved = cv2.warpAffine(
            image, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )
        noisy = moved + rng.normal(0, 1, (HEIGHT, WIDTH, 1))
        clip.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return clip


def texture(seed: int) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    radius = np.hypot(np.fft.fftfreq(800)[:, None], np.fft.rfftfreq(1400)[None]) + 1e-3
    size = (800, 1400)
    planes = [np.fft.irfft2(np.fft.rfft2(rng.normal(size=size)) / radius**1.3, size) for _ in "rgb"]
    image = np.stack([115 + 40 * (planes[0] + 0.3 * plane) / planes[0].std() for plane in planes], axis=-1)
    return np.clip(image, 0, 255).astype(np.uint8)


def recode(clip: Clip, crf: int, codec: str = "libx264", fps: int = 24) -> Clip:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        stream = out.add_stream(codec, rate=Fraction(fps))
        stream.height, stream.width = (side // 2 * 2 for side in clip[0].shape[:2])
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(crf), "preset": "veryfast"}
        for frame in clip:
            even = np.ascontiguousarray(frame[: stream.height, : stream.width])
            out.mux(stream.encode(av.VideoFrame.from_ndarray(even, format="rgb24")))
        out.mux(stream.encode())
    buffer.seek(0)
    with av.open(buffer) as back:
        return [frame.to_ndarray(format="rgb24") for frame in back.decode(video=0)]


def scaled(clip: Clip, factor: float) -> Clip:
    return [cv2.resize(f, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA) for f in clip]


def cropped(clip: Clip, share: float) -> Clip:
    y, x = int(HEIGHT * share / 2), int(WIDTH * share / 2)
    return [f[y:-y, x:-x] for f in clip]


def turned(clip: Clip, degrees: float) -> Clip:
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), degrees, 1)
    return [cv2.warpAffine(f, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_CUBIC) for f in clip]


PICTURE: dict[str, Callable[[Clip], Clip]] = {
    "none": lambda c: c,
    "crf23": lambda c: recode(c, 23),
    "crf28": lambda c: recode(c, 28),
    "crf33": lambda c: recode(c, 33),
    "crf40": lambda c: recode(c, 40),
    "scale50": lambda c: recode(scaled(c, 0.5), 23),
    "crop10": lambda c: recode(cropped(c, 0.1), 23),
    "crop25": lambda c: recode(cropped(c, 0.25), 23),
    "fps24": lambda c: recode([f for n, f in enumerate(c) if n % 5], 28),
    "hflip": lambda c: recode([f[:, ::-1] for f in c], 23),
    "rot5": lambda c: recode(turned(c, 5), 23),
    "social": lambda c: recode(scaled(cropped(c, 0.08), 0.6), 30),
}


def coded(samples: Sound, rate: int, codec: str, bits: int, container: str) -> Sound:
    """Through a codec; comes back at 48 kHz."""
    whole = (np.clip(signal.resample_poly(samples, 48_000, rate), -1, 1) * 32_767).astype(np.int16)[None]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as out:
        stream = out.add_stream(codec, rate=48_000)
        stream.bit_rate, stream.layout = bits, "mono"
        for start in range(0, whole.shape[1], 960):
            part = np.ascontiguousarray(whole[:, start : start + 960])
            frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 48_000, start
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    buffer.seek(0)
    with av.open(buffer) as back:
        to_float = av.AudioResampler(format="flt", layout="mono", rate=48_000)
        frames = [f for decoded in back.decode(audio=0) for f in to_float.resample(decoded)]
    return np.concatenate([frame.to_ndarray().ravel() for frame in frames])


def _noisy(samples: Sound, decibel: float) -> Sound:
    noise = np.random.default_rng(0).normal(size=len(samples)) * np.std(samples) * 10 ** (-decibel / 20)
    return (samples + noise).astype(np.float32)


def _faster(samples: Sound, speed: float) -> Sound:
    at = np.arange(0, len(samples) - 1, speed)
    return np.interp(at, np.arange(len(samples)), samples).astype(np.float32)


SOUND: dict[str, Callable[[Sound, int], tuple[Sound, int]]] = {
    "aac64": lambda s, r: (coded(s, r, "aac", 64_000, "mp4"), 48_000),
    "mp3_64": lambda s, r: (coded(s, r, "libmp3lame", 64_000, "mp3"), 48_000),
    "opus64": lambda s, r: (coded(s, r, "libopus", 64_000, "ogg"), 48_000),
    "opus24": lambda s, r: (coded(s, r, "libopus", 24_000, "ogg"), 48_000),
    "resample16k": lambda s, r: (signal.resample_poly(s, 16_000, r).astype(np.float32), 16_000),
    "noise20": lambda s, r: (_noisy(s, 20), r),
    "noise10": lambda s, r: (_noisy(s, 10), r),
    "speed5": lambda s, r: (_faster(s, 1.05), r),
    "cut5s": lambda s, r: (s[r // 2 : r // 2 + 5 * r], r),
    "echo": lambda s, r: ((s + 0.35 * np.roll(s, int(0.12 * r))).astype(np.float32), r),
}


def psnr(before: Clip, after: Clip) -> float:
    luma = np.array([0.299, 0.587, 0.114], np.float32)
    errors = [np.mean(((a.astype(np.float32) - b) @ luma) ** 2) for b, a in zip(before, after, strict=True)]
    return float(10 * np.log10(255**2 / np.mean(errors)))


def sources() -> tuple[list[Clip], list[Clip]]:
    """Graphic and textured clips. The photographs come with scikit-learn (extra `train`)."""
    from sklearn.datasets import load_sample_images

    stills = [*map(np.asarray, load_sample_images().images), texture(1), texture(2)]
    return [cartoon(n) for n in (11, 12, 13)], [pan(still) for still in stills]


def _median(results: Results, metric: str, values: list[float], note: str = "") -> None:
    middle = float(np.median(values))
    results.add(metric, middle, n=len(values), low=min(values), high=max(values), note=note)


def pictures(results: Results) -> None:
    """Times are those of the processor, so that other work on the machine does not count."""
    graphic, textured = sources()
    mark, stranger = VideoMark([KEY]), VideoMark([OTHER])
    marked, speeds, quality = [], [], []
    for clip in graphic + textured:
        began = time.process_time()
        marked.append(list(mark.embed(iter(clip), MARK_ID)))
        speeds.append(FRAMES / (time.process_time() - began))
        quality.append(psnr(clip, marked[-1]))
    _median(results, "video.psnr_graphic", quality[: len(graphic)])
    _median(results, "video.psnr_textured", quality[len(graphic) :])
    _median(results, "video.embed_fps_720p", speeds)
    found_s: list[float] = []
    absent_s: list[float] = []
    accepts = 0
    for name, attack in PICTURE.items():
        hits = 0
        for clip in marked:
            attacked = attack(clip)
            began = time.process_time()
            finding = mark.detect(attacked)
            if finding is not None:
                found_s.append(time.process_time() - began)
                hits += finding.payload == MARK_ID
                accepts += finding.payload != MARK_ID
        results.add(f"video.{name}", hits / len(marked), n=len(marked), note="2 s clips, some tuned on")
    for clip, clean in zip(marked, graphic + textured, strict=True):
        began = time.process_time()
        accepts += stranger.detect(clip) is not None
        absent_s.append(time.process_time() - began)
        accepts += mark.detect(recode(clean, 28)) is not None
    _median(results, "video.detect_found_s", found_s)
    _median(results, "video.detect_absent_s", absent_s)
    note = "unmarked, or marked with another key"
    results.add("video.false_accepts", accepts, n=2 * len(marked), note=note)


def sounds(results: Results) -> None:
    mark, stranger = AudioMark([KEY]), AudioMark([OTHER])
    voices = [EspeakVoice().speak(text, language=language) for language, text in SENTENCES.items()]
    marked = [(mark.embed(v.samples, v.rate, VOICE_ID), v.rate) for v in voices]
    for name, attack in SOUND.items():
        findings = [mark.detect(*attack(*sound)) for sound in marked]
        hits = sum(found is not None and found.payload == VOICE_ID for found in findings)
        results.add(
            f"audio.{name}", hits / len(marked), n=len(marked), note="espeak-ng voices of 4.6 to 6.1 s"
        )
    accepts = sum(stranger.detect(*sound) is not None for sound in marked)
    accepts += sum(mark.detect(v.samples, v.rate) is not None for v in voices)
    results.add("audio.false_accepts", accepts, n=2 * len(marked))


def main() -> None:
    cv2.setNumThreads(1)
    results = Results("watermark_quick", quick=True)
    results.group = "watermark"  # the same goals as the full benchmark
    if not results.has("video.false_accepts"):
        pictures(results)
    if not results.has("audio.false_accepts"):
        sounds(results)
    results.show()


if __name__ == "__main__":
    main()

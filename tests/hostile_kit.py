"""Hostile files by the thousand: seeded mutants of every format, and a jailed worker that reads them.

The worker does what a verification does before any pixel is compared (sniff, manifest, content digest,
decode), one file after the other in one process, because starting Python 10,000 times takes hours.
Run as a script it is that worker: paths in, one word each out. Loaded by path, like the other kits.
"""

from __future__ import annotations

import contextlib
import io
import random
import resource
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

EXPECTED = {"decoded", "unreadable"}


def originals(folder: Path, signed: list[Path]) -> list[Path]:
    """One small good file per format that we read, beside those that the caller signed."""
    import av
    import numpy as np
    import reader_kit
    from PIL import Image

    rng = np.random.default_rng(7)
    frames = [rng.integers(0, 255, (48, 64, 3), dtype=np.uint8) for _ in range(6)]
    made = list(signed)
    for name, codec, options in (
        ("a.webm", "libvpx", {"deadline": "realtime"}),
        ("a.mp4", "libx264", {"preset": "ultrafast"}),
        ("a.avi", "mpeg4", {}),
    ):
        with av.open(str(folder / name), "w") as container:
            stream = container.add_stream(codec, rate=12, options=options)
            stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            container.mux(stream.encode(None))
        made.append(folder / name)
    tone = (0.3 * np.sin(np.arange(8000) / 9)).astype(np.float32)
    for name, codec, rate in (
        ("a.mp3", "libmp3lame", 48_000),
        ("a.m4a", "aac", 48_000),
        ("a.flac", "flac", 48_000),
    ):
        with av.open(str(folder / name), "w") as container:
            sound = container.add_stream(codec, rate=rate, layout="mono")
            form = "s16" if codec == "flac" else "fltp"
            samples = (tone * 32767).astype(np.int16) if codec == "flac" else tone
            for start in range(0, 7000, 1000):
                frame = av.AudioFrame.from_ndarray(
                    samples[None, start : start + 1000], format=form, layout="mono"
                )
                frame.sample_rate, frame.pts = rate, start
                container.mux(sound.encode(frame))
            container.mux(sound.encode(None))
        made.append(folder / name)
    with wave.open(str(folder / "a.wav"), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes((tone[:4000] * 32767).astype("<i2").tobytes())
    made.append(folder / "a.wav")
    for name in ("a.png", "a.jpg", "a.gif", "a.webp", "a.tiff"):
        Image.fromarray(frames[0]).save(folder / name)
        made.append(folder / name)
    leaf = reader_kit.Authority.make("A root").leaf()  # formats of which only the manifest is read
    for mime in ("application/pdf", "application/epub+zip", "image/svg+xml", "image/jxl", "image/avif"):
        made.append(folder / f"signed.{mime.rpartition('/')[2]}")
        made[-1].write_bytes(reader_kit.sign(leaf, mime, reader_kit.formats()[mime]))
    return made


def mutants(sources: list[bytes], count: int, seed: int) -> Iterator[bytes]:
    """`count` damaged copies, the same for the same seed: flips, cuts, repeats, lying lengths, splices."""
    rng = random.Random(seed)
    for number in range(count):
        data = bytearray(sources[number % len(sources)])
        for _ in range(rng.choice((1, 1, 2, 5, 30))):
            if not data:
                break
            at = rng.randrange(min(len(data), rng.choice((64, 2_000, len(data)))))
            length = rng.randrange(1, 64)
            what = rng.randrange(8)
            if what == 0:
                data[at] ^= 1 << rng.randrange(8)
            elif what == 1:
                data[at : at + length] = rng.randbytes(length)
            elif what == 2:
                del data[at : at + rng.choice((1, length, len(data)))]
            elif what == 3:
                data[at:at] = data[at : at + length] * rng.choice((1, 50))
            elif what == 4:  # a length or count field that lies
                data[at : at + 4] = rng.choice((0, 1, 0x7FFFFFFF, 0xFFFFFFFF, len(data))).to_bytes(4, "big")
            elif what == 5:
                data[at : at + 4] = rng.choice(
                    (b"\0\0\0\1", b"\xff\xff\xff\x7f", b"moov", b"IDAT", b"\xff\xd8")
                )
            elif what == 6:
                other = rng.choice(sources)
                data[at:] = other[rng.randrange(len(other)) :]
            else:
                data = data[: max(1, at)]
        yield bytes(data)


class Worker:
    """A jailed process that reads one file after the other; it is started again after it died."""

    def __init__(self) -> None:
        self.deaths = 0
        self._start()

    def _start(self) -> None:
        self._child = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            preexec_fn=_jail,
        )

    def read(self, path: Path) -> str:
        """What reading the file came to: a word of EXPECTED, an exception's name, or "died"."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        self._child.stdin.write(f"{path}\n".encode())
        self._child.stdin.flush()
        answer = self._child.stdout.readline().decode().strip()
        if not answer:
            self._child.kill()
            self._child.wait()
            self.deaths += 1
            self._start()
            return "died"
        return answer

    def close(self) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.kill()
        self._child.wait()


def _jail() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _serve(lines: io.TextIOBase) -> None:
    from byline.provenance import decode, reading
    from byline.provenance.digest import DigestError, content_digest
    from byline.provenance.trust import TrustBundle

    nobody = TrustBundle.empty()
    for line in lines:
        path = Path(line.strip())
        try:
            reading.read(path, nobody)
            with contextlib.suppress(DigestError):
                content_digest(path)
            try:
                decode.decode(path)
                answer = "decoded"
            except decode.Unreadable:
                answer = "unreadable"
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shall name it
            answer = type(error).__name__
        print(answer, flush=True)


if __name__ == "__main__":
    _serve(sys.stdin)  # type: ignore[arg-type]

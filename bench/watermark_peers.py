"""Two classical watermarking libraries on the same frames: speed, and what they get through.

invisible-watermark (MIT) and blind-watermark (MIT) work frame by frame. Both are optional: a row says
why it is empty where a library is missing. Exact recovery means all 64 bits of the frame, as for us.
"""

import time
from collections.abc import Callable

import numpy as np

from bench.watermark_attacks import Clip, Frame, cropped, recode

BITS = 64


def payload_bits(payload: int) -> list[int]:
    return [payload >> place & 1 for place in range(BITS - 1, -1, -1)]


def peers() -> tuple[dict[str, tuple[Callable[..., Frame], Callable[..., list[int]]]], list[str]]:
    """Name -> (embed(frame, bits), extract(frame)) of those installed, and reasons for the others."""
    found: dict[str, tuple[Callable[..., Frame], Callable[..., list[int]]]] = {}
    missing: list[str] = []
    try:
        from imwatermark import WatermarkDecoder, WatermarkEncoder

        for method in ("dwtDct", "dwtDctSvd"):

            def embed(frame: Frame, bits: list[int], method: str = method) -> Frame:
                encoder = WatermarkEncoder()
                encoder.set_watermark("bits", bits)
                return encoder.encode(np.ascontiguousarray(frame[..., ::-1]), method)[..., ::-1]

            def extract(frame: Frame, method: str = method) -> list[int]:
                decoder = WatermarkDecoder("bits", BITS)
                return [int(b) for b in decoder.decode(np.ascontiguousarray(frame[..., ::-1]), method)]

            found[f"invisible-watermark {method}"] = embed, extract
    except ImportError as error:
        missing.append(f"invisible-watermark: {error}")
    try:
        from blind_watermark.bwm_core import WaterMarkCore

        def core() -> WaterMarkCore:
            return WaterMarkCore(password_img=1)

        def blind_embed(frame: Frame, bits: list[int]) -> Frame:
            made = core()
            made.read_img_arr(frame[..., ::-1])
            made.read_wm(np.array(bits, bool))
            return np.clip(np.round(made.embed()), 0, 255).astype(np.uint8)[..., ::-1]

        def blind_extract(frame: Frame) -> list[int]:
            values = core().extract_with_kmeans(img=frame[..., ::-1], wm_shape=(BITS,))
            return [int(v > 0.5) for v in np.asarray(values).ravel()]

        found["blind-watermark"] = blind_embed, blind_extract
    except ImportError as error:
        missing.append(f"blind-watermark: {error}")
    return found, missing


def measured(clip: Clip, payload: int) -> dict[str, dict[str, float]]:
    """Per peer: frames per second of embedding, and exact recovery from one frame of three versions."""
    rows: dict[str, dict[str, float]] = {}
    bits = payload_bits(payload)
    for name, (embed, extract) in peers()[0].items():
        began = time.process_time()
        marked = [np.ascontiguousarray(embed(frame, bits)) for frame in clip[:2]]
        fps = len(marked) / (time.process_time() - began)
        versions = {
            "none": marked[0],
            "crf23": recode(marked * 3, 23)[0][0],
            "crop10": next(cropped(marked[:1], 0.1)),
        }
        hits = {key: float(extract(np.ascontiguousarray(shown)) == bits) for key, shown in versions.items()}
        rows[name] = {"fps": fps, **hits}
    return rows

"""Material whose truth is known: flat art that moves, with its matte, and click tracks. Drawn from a seed."""

import cv2
import numpy as np

SIZE, FPS, FRAMES = (640, 360), 24, 48


def drawn(seed: int, frames: int = FRAMES) -> tuple[np.ndarray, np.ndarray]:
    """A subject of two colours that crosses a landscape, (T, h, w, 3), and its true matte (T, h, w)."""
    chance = np.random.default_rng(seed)
    width, height = SIZE
    ground = np.zeros((height, width, 3), np.uint8)
    ground[:] = np.linspace(chance.integers(90, 200, 3), chance.integers(150, 255, 3), height)[:, None]
    waves = np.sin(np.arange(width) / width * 2 * np.pi * chance.uniform(1, 2))
    for x, y in enumerate((height * (0.7 + 0.05 * waves)).astype(int)):
        ground[y:, x] = (70, 150, 60)
    cv2.circle(ground, (int(chance.integers(60, width - 60)), 60), 26, (250, 235, 160), -1, cv2.LINE_AA)
    body, belly = chance.permutation([215, 60, 40]).tolist(), chance.permutation([30, 70, 190]).tolist()
    row, size = int(height * chance.uniform(0.45, 0.7)), int(height * chance.uniform(0.1, 0.16))
    sign = 1 if chance.random() < 0.5 else -1
    clip, matte = [], []
    for index in range(frames):
        x = round(width / 2 + sign * width * 0.33 * (2 * index / (frames - 1) - 1))
        y = round(row + 12 * np.sin(index / 5))
        frame, inside = ground.copy(), np.zeros((height, width), np.uint8)
        for canvas, first, second in ((frame, body, belly), (inside, 255, 255)):
            cv2.circle(canvas, (x, y), size, first, -1, cv2.LINE_AA)
            cv2.rectangle(canvas, (x - size // 2, y), (x + size // 2, y + size // 2), second, -1)
        clip.append(frame)
        matte.append(inside)
    return np.stack(clip), np.stack(matte)


def recoloured(clip: np.ndarray, matte: np.ndarray) -> np.ndarray:
    """The clip with its subject in another hue."""
    hsv = np.stack([cv2.cvtColor(frame, cv2.COLOR_RGB2HSV) for frame in clip])
    hsv[..., 0] = (hsv[..., 0].astype(int) + 60 * (matte > 0)) % 180
    return np.stack([cv2.cvtColor(frame, cv2.COLOR_HSV2RGB) for frame in hsv])


def blend(before: np.ndarray, after: np.ndarray, count: int) -> np.ndarray:
    """What a linear cross-fade gives between two frames, (count, h, w, 3)."""
    share = (np.arange(count, dtype=np.float32) + 1).reshape(-1, 1, 1, 1) / (count + 1)
    return np.round(before * (1 - share) + after * share).astype(np.uint8)


def clicks(tempo: float, seconds: float, noise: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A click track, mono float32 at 44.1 kHz, and the times of its clicks."""
    rate, chance = 44_100, np.random.default_rng(seed)
    times = np.arange(chance.uniform(0.05, 0.5), seconds - 0.05, 60 / tempo)
    sound, tick = noise * chance.normal(size=round(seconds * rate)), np.arange(round(0.03 * rate))
    for time in times:
        at = round(time * rate)
        sound[at : at + len(tick)] += np.exp(-tick / (0.006 * rate)) * np.sin(2 * np.pi * 1000 * tick / rate)
    return sound.astype(np.float32), times

"""Sharper edges without halos: an unsharp mask that may not leave the range of its neighbourhood by much."""

import cv2
import numpy as np

VERSION = "bounded unsharp 1"
AMOUNT = 0.9
OVERSHOOT = 4  # grey levels beyond the lightest and darkest neighbour
_KERNEL = np.ones((3, 3), np.uint8)


def sharpen(frame: np.ndarray) -> np.ndarray:
    """One (h, w, 3) uint8 picture, sharpened; no pixel passes its 3 x 3 neighbours by more than OVERSHOOT."""
    soft = cv2.GaussianBlur(frame, (0, 0), 1.2)
    raised = cv2.addWeighted(frame, 1 + AMOUNT, soft, -AMOUNT, 0)
    low = cv2.subtract(cv2.erode(frame, _KERNEL), np.full(3, OVERSHOOT, np.float64))
    high = cv2.add(cv2.dilate(frame, _KERNEL), np.full(3, OVERSHOOT, np.float64))
    return np.asarray(cv2.min(cv2.max(raised, low), high), np.uint8)

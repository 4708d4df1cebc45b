"""From pictures and sound to a record: blind marks first, then likeness.

Promises: an id that was not issued with the records' keys leads nowhere, before any record is
asked for; what could not run is said with its reason. Detection runs here, on arrays that a jailed
process decoded.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from byline.provenance import ids
from byline.provenance.decode import DecodedMedia
from byline.provenance.fingerprints import FrameHash, Similarity, compare, fingerprint
from byline.provenance.marks.audio import AudioMark
from byline.provenance.marks.base import AudioFinding, UnmarkableInput, VideoFinding
from byline.provenance.marks.video import VideoMark
from byline.provenance.records import RecordSource, StoredRecord
from byline.provenance.verdicts import Finding

NOT_WITHOUT_RECORDS = "reading the mark needs an operator's records; none were supplied"


@dataclass(frozen=True)
class MarkResult:
    """One mark: `payload` is set when an authentic id was read, `record` when it leads to one."""

    finding: Finding
    payload: int | None = None
    record: StoredRecord | None = None
    mirrored: bool = False


def frames_of_one_size(media: DecodedMedia) -> list[Any]:
    """The frames that have the size of the first; a stream may change size on the way."""
    return [frame for frame in media.frames if frame.shape == media.frames[0].shape]


def find_picture_mark(media: DecodedMedia | None, records: RecordSource | None) -> MarkResult:
    """Look for the 64-bit mark and open its id."""
    name = "picture mark"
    if records is None:
        return MarkResult(Finding(name, "not checked", NOT_WITHOUT_RECORDS))
    if media is None or not media.frames:
        return MarkResult(Finding(name, "not checked", "the file has no pictures that can be decoded"))
    try:
        found: VideoFinding | None = VideoMark(records.mark_keys).detect(frames_of_one_size(media))
    except UnmarkableInput:
        return MarkResult(
            Finding(name, "not checked", "the pictures are too small or too large for the mark")
        )
    if found is None:
        return MarkResult(Finding(name, "not found", "no mark of these records' keys"))
    try:
        ids.open_mark_id(found.payload, records.id_keys)
    except ids.ForgedMark:
        return MarkResult(
            Finding(name, "failed", "a mark is there, but its id was not issued by this newsroom")
        )
    record = records.by_mark(found.payload)
    return MarkResult(
        _authentic(name, record, found.geometry), found.payload, record, "mirrored" in found.geometry
    )


def find_speech_mark(media: DecodedMedia | None, records: RecordSource | None) -> MarkResult:
    """Look for the 32-bit mark. Its ids carry no authentication; the key and the record are it."""
    name = "speech mark"
    if records is None:
        return MarkResult(Finding(name, "not checked", NOT_WITHOUT_RECORDS))
    if media is None or media.samples is None:
        return MarkResult(Finding(name, "not checked", "the file has no sound that can be decoded"))
    try:
        found: AudioFinding | None = AudioMark(records.mark_keys).detect(media.samples, media.rate)
    except UnmarkableInput:
        return MarkResult(Finding(name, "not checked", "the sound is too short or of an unusual rate"))
    if found is None:
        return MarkResult(Finding(name, "not found", "no mark of these records' keys"))
    record = records.by_audio(found.payload)
    return MarkResult(_authentic(name, record, found.geometry), found.payload, record)


def _authentic(name: str, record: StoredRecord | None, geometry: str) -> Finding:
    if record is None:
        return Finding(name, "found", "an authentic mark, but no published record answers to it")
    return Finding(
        name, "found", f"authentic, {geometry}; leads to record {record.id}", {"record": record.id}
    )


def hashes_of(media: DecodedMedia | None, *, mirrored: bool = False) -> list[FrameHash]:
    """Fingerprint of the pictures, turned back first if the mark was read mirrored."""
    if media is None or not media.frames:
        return []
    frames = [np.ascontiguousarray(f[:, ::-1]) for f in media.frames] if mirrored else media.frames
    return fingerprint(frames, media.fps)


def compare_with(record: StoredRecord, query: list[FrameHash]) -> tuple[Similarity | None, Finding]:
    """Do the pictures agree with the record's? None where one side has nothing to compare."""
    if not query or not record.fingerprints:
        return None, Finding("fingerprint", "not checked", "no pictures with enough detail to compare")
    result = compare(query, list(record.fingerprints))
    words = f"{result.matched} of {result.of} sampled frames agree with record {record.id}"
    details = {"matched": result.matched, "of": result.of, "mean_bits": round(result.mean_bits, 1)}
    return result, Finding("fingerprint", "passed" if result.similar else "failed", words, details)


def search(records: RecordSource | None, query: list[FrameHash]) -> tuple[StoredRecord | None, Finding]:
    """Any record that the pictures resemble."""
    if records is None:
        text = "comparing pictures needs an operator's records; none were supplied"
        return None, Finding("fingerprint", "not checked", text)
    if not query:
        return None, Finding("fingerprint", "not checked", "no pictures with enough detail to compare")
    found = records.similar(query)
    if found is None:
        return None, Finding("fingerprint", "not found", "no record looks like it")
    record, result = found
    words = f"{result.matched} of {result.of} sampled frames agree with record {record.id}"
    details = {"matched": result.matched, "of": result.of, "mean_bits": round(result.mean_bits, 1)}
    return record, Finding("fingerprint", "found", words, details | {"record": record.id})

"""From pictures and sound to a record: blind marks, then likeness, then marks again on a short list.

Promises: an id that was not issued with the records' keys leads nowhere, before any record is asked
for; what could not run is said with its reason. To a public caller (`tell_all` false) an id that was
never issued, an id without a published record and no mark at all give one answer in the same words
and cost about the same search, so that nobody can tell from an answer whether a clip exists that was
not published. Detection runs here, on arrays that a jailed process decoded.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from byline.provenance import ids, sound_fingerprints
from byline.provenance.decode import DecodedMedia
from byline.provenance.fingerprints import FrameHash, Similarity, compare, fingerprint
from byline.provenance.marks.audio import AudioMark
from byline.provenance.marks.base import MAX_CANDIDATES, AudioFinding, UnmarkableInput, VideoFinding
from byline.provenance.marks.video import VideoMark
from byline.provenance.records import RecordSource, StoredRecord
from byline.provenance.sound_fingerprints import SoundPrint, SoundSimilarity
from byline.provenance.verdicts import Finding

PICTURE, SPEECH = "picture mark", "speech mark"
NOT_WITHOUT_RECORDS = "reading the mark needs an operator's records; none were supplied"
NOWHERE = "no mark that leads to a published clip"
_NO_PICTURES = "no pictures with enough detail to compare"
_NO_SOUND = "no sound that can be compared"


@dataclass(frozen=True)
class MarkResult:
    """One mark: `payload` is set when an authentic id was read, `record` when it leads to one."""

    finding: Finding
    payload: int | None = None
    record: StoredRecord | None = None


@dataclass(frozen=True)
class Evidence:
    """What the marks said, and the fingerprints to compare with a record (empty or None without)."""

    picture: MarkResult
    speech: MarkResult
    query: list[FrameHash]
    sound: SoundPrint | None

    @property
    def record(self) -> StoredRecord | None:
        return self.picture.record or self.speech.record


def gather(media: DecodedMedia | None, records: RecordSource | None, *, tell_all: bool) -> Evidence:
    """Both marks, blind; where neither leads to a record, again with what the pictures resemble."""
    query, sound = _hashes_of(media), _sound_of(media)
    picture = find_picture_mark(media, records, tell_all=tell_all)
    speech = find_speech_mark(media, records, tell_all=tell_all)
    if records is not None and picture.record is None and speech.record is None and query:
        near = records.shortlist(query, MAX_CANDIDATES)
        picture = _picture_on_list(media, records, near) or picture
        speech = _speech_on_list(media, records, near) or speech
    return Evidence(picture, speech, query, sound)


# ---------------------------------------------------------------- marks


def frames_of_one_size(media: DecodedMedia) -> list[Any]:
    """The frames that have the size of the first; a stream may change size on the way."""
    return [frame for frame in media.frames if frame.shape == media.frames[0].shape]


def find_picture_mark(
    media: DecodedMedia | None, records: RecordSource | None, *, tell_all: bool = False
) -> MarkResult:
    """Look for the 64-bit mark and open its id."""
    if records is None:
        return MarkResult(Finding(PICTURE, "not checked", NOT_WITHOUT_RECORDS))
    if media is None or not media.frames:
        return MarkResult(Finding(PICTURE, "not checked", "the file has no pictures that can be decoded"))
    frames = frames_of_one_size(media)
    detector = VideoMark(records.mark_keys)
    try:
        found: VideoFinding | None = detector.detect(frames)
    except UnmarkableInput:
        return MarkResult(
            Finding(PICTURE, "not checked", "the pictures are too small or too large for the mark")
        )
    if found is None:
        return MarkResult(Finding(PICTURE, "not found", NOWHERE))
    try:
        ids.open_mark_id(found.payload, records.id_keys)
        record = records.by_mark(found.payload)
    except ids.ForgedMark:
        record = None
        if tell_all:
            text = "a mark is there, but its id was not issued by this newsroom"
            return MarkResult(Finding(PICTURE, "failed", text))
    if record is None and not tell_all:
        # Finding a mark is quicker than finding none: search the pictures upside down, where there is none.
        detector.detect([np.ascontiguousarray(frame[::-1]) for frame in frames])
        return MarkResult(Finding(PICTURE, "not found", NOWHERE))
    return MarkResult(_authentic(PICTURE, record, found.geometry), found.payload, record)


def find_speech_mark(
    media: DecodedMedia | None, records: RecordSource | None, *, tell_all: bool = False
) -> MarkResult:
    """Look for the 32-bit mark. Its ids carry no authentication; the key and the record are it."""
    if records is None:
        return MarkResult(Finding(SPEECH, "not checked", NOT_WITHOUT_RECORDS))
    if media is None or media.samples is None:
        return MarkResult(Finding(SPEECH, "not checked", "the file has no sound that can be decoded"))
    detector = AudioMark(records.mark_keys)
    try:
        found: AudioFinding | None = detector.detect(media.samples, media.rate)
    except UnmarkableInput:
        return MarkResult(Finding(SPEECH, "not checked", "the sound is too short or of an unusual rate"))
    if found is None:
        return MarkResult(Finding(SPEECH, "not found", NOWHERE))
    record = records.by_audio(found.payload)
    if record is None and not tell_all:
        detector.detect(np.ascontiguousarray(media.samples[::-1]), media.rate)  # as for the pictures
        return MarkResult(Finding(SPEECH, "not found", NOWHERE))
    return MarkResult(_authentic(SPEECH, record, found.geometry), found.payload, record)


def _picture_on_list(
    media: DecodedMedia | None, records: RecordSource, near: list[StoredRecord]
) -> MarkResult | None:
    """The mark of one of these records; None where there is none or nothing to look at."""
    if media is None or not media.frames or not near:
        return None
    by_id = {record.mark_id: record for record in near}
    try:
        found = VideoMark(records.mark_keys).detect(frames_of_one_size(media), candidates=list(by_id))
    except UnmarkableInput:
        return None
    if found is None:
        return None
    record = by_id[found.payload]
    return MarkResult(_authentic(PICTURE, record, found.geometry, len(near)), found.payload, record)


def _speech_on_list(
    media: DecodedMedia | None, records: RecordSource, near: list[StoredRecord]
) -> MarkResult | None:
    by_id = {record.audio_id: record for record in near if record.audio_id is not None}
    if media is None or media.samples is None or not by_id:
        return None
    try:
        found = AudioMark(records.mark_keys).detect(media.samples, media.rate, candidates=list(by_id))
    except UnmarkableInput:
        return None
    if found is None:
        return None
    record = by_id[found.payload]
    return MarkResult(_authentic(SPEECH, record, found.geometry, len(near)), found.payload, record)


def _authentic(name: str, record: StoredRecord | None, geometry: str, listed: int = 0) -> Finding:
    if record is None:
        return Finding(name, "found", "an authentic mark, but no published record answers to it")
    how = f", found among {listed} record(s) that the pictures resemble" if listed else ""
    text = f"authentic, {geometry}{how}; leads to record {record.id}"
    return Finding(name, "found", text, {"record": record.id})


# ---------------------------------------------------------------- likeness


def _hashes_of(media: DecodedMedia | None) -> list[FrameHash]:
    return fingerprint(media.frames, media.fps) if media is not None and media.frames else []


def _sound_of(media: DecodedMedia | None) -> SoundPrint | None:
    if media is None or media.samples is None:
        return None
    low, high = sound_fingerprints.RATES
    if not low <= media.rate <= high:
        return None
    return sound_fingerprints.sound_fingerprint(media.samples, media.rate)


def compare_with(record: StoredRecord, query: list[FrameHash]) -> tuple[Similarity | None, Finding]:
    """Do the pictures agree with the record's? None where one side has nothing to compare."""
    if not query or not record.fingerprints:
        return None, Finding("fingerprint", "not checked", _NO_PICTURES)
    result = compare(query, list(record.fingerprints))
    return result, _likeness(record, result, "passed" if result.similar else "failed")


def compare_sound_with(
    record: StoredRecord, sound: SoundPrint | None
) -> tuple[SoundSimilarity | None, Finding]:
    """Does the sound agree with the record's? None where one side has nothing to compare."""
    if sound is None or record.sound is None or min(sound.seconds, record.sound.seconds) < _SHORTEST:
        return None, Finding("sound fingerprint", "not checked", _NO_SOUND)
    result = sound_fingerprints.compare_sound(sound, record.sound)
    return result, _sounds_like(record, result, "passed" if result.similar else "failed")


_SHORTEST = sound_fingerprints.LEAST_SECONDS


def search(
    records: RecordSource | None, evidence: Evidence
) -> tuple[StoredRecord | None, tuple[Finding, Finding]]:
    """Any record that the pictures, or else the sound, resemble."""
    if records is None:
        text = "comparing needs an operator's records; none were supplied"
        return None, (
            Finding("fingerprint", "not checked", text),
            Finding("sound fingerprint", "not checked", text),
        )
    record, pictures = None, Finding("fingerprint", "not checked", _NO_PICTURES)
    if evidence.query:
        found = records.similar(evidence.query)
        pictures = Finding("fingerprint", "not found", "no record looks like it")
        if found is not None:
            record, pictures = found[0], _likeness(*found, "found")
    sounds = Finding("sound fingerprint", "not checked", _NO_SOUND)
    if evidence.sound is not None and evidence.sound.seconds >= _SHORTEST:
        heard = records.similar_sound(evidence.sound)
        sounds = Finding("sound fingerprint", "not found", "no record sounds like it")
        if heard is not None:
            record, sounds = record or heard[0], _sounds_like(*heard, "found")
    return record, (pictures, sounds)


def _likeness(record: StoredRecord, result: Similarity, status: Any) -> Finding:
    words = f"{result.matched} of {result.of} sampled frames agree with record {record.id}"
    if result.similar and result.variant != "as stored":
        words += f" ({result.variant})"
    details = {
        "matched": result.matched,
        "of": result.of,
        "mean_bits": round(result.mean_bits, 1),
        "variant": result.variant,
        "segments": [[round(start, 2), round(end, 2)] for start, end in result.segments],
        "record": record.id,
    }
    return Finding("fingerprint", status, words, details)


def _sounds_like(record: StoredRecord, result: SoundSimilarity, status: Any) -> Finding:
    if result.similar:
        words = f"{result.matched_seconds:.1f} s of sound agree with record {record.id}"
    else:
        words = f"the sound is not that of record {record.id}"
    details = {
        "matched_seconds": round(result.matched_seconds, 1),
        "bit_error_rate": round(result.bit_error_rate, 3),
        "offset_s": round(result.offset_s, 2),
        "record": record.id,
    }
    return Finding("sound fingerprint", status, words, details)

"""From pictures and sound to a record: blind marks, then likeness, then marks again on a short list.

Promises: an id that was not issued with the records' keys leads nowhere, before any record is asked
for; what could not run is said with its reason. To a public caller (`tell_all` false) an id that was
never issued, an id without a published record and no mark at all give one answer in the same words
and cost about the same search, so that nobody can tell from an answer whether a clip exists that was
not published. Detection runs here, on arrays that a jailed process decoded.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from byline.provenance import ids, sound_fingerprints
from byline.provenance.decode import DecodedMedia
from byline.provenance.fingerprints import FrameHash, Similarity, compare, fingerprint
from byline.provenance.marks.algorithms import OWN, alg_of, value_of
from byline.provenance.marks.base import MAX_CANDIDATES, AudioFinding, UnmarkableInput, VideoFinding
from byline.provenance.marks.detectors import NOT_AVAILABLE
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
    """One mark: `alg` and `value`, as a manifest declares them, and `payload` are set when an authentic
    id was read, `record` when it leads to one."""

    finding: Finding
    payload: int | None = None
    record: StoredRecord | None = None
    alg: str = ""
    value: str = ""


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
    """Look for a picture mark and open its 64-bit id."""
    if records is None:
        return MarkResult(Finding(PICTURE, "not checked", NOT_WITHOUT_RECORDS))
    if media is None or not media.frames:
        return MarkResult(Finding(PICTURE, "not checked", "the file has no pictures that can be decoded"))
    frames, fps = frames_of_one_size(media), media.fps or 1.0

    def look(marker: Any, where: Where) -> VideoFinding | None:
        shown = frames if where == "as it is" else [np.ascontiguousarray(frame[::-1]) for frame in frames]
        found: VideoFinding | None = marker.detect(shown, fps=fps)
        return found

    def resolve(payload: int) -> StoredRecord | None:
        if payload >= 1 << ids.SERIAL_BITS + ids.TAG_BITS:
            raise ids.ForgedMark("longer than any id of ours")
        ids.open_mark_id(payload, records.id_keys)
        return records.by_mark(payload)

    unusable = "the pictures are too small or too large for the mark"
    return _blind(PICTURE, records.detectors("video"), look, resolve, unusable, tell_all=tell_all)


def find_speech_mark(
    media: DecodedMedia | None, records: RecordSource | None, *, tell_all: bool = False
) -> MarkResult:
    """Look for a 32-bit speech mark. Its ids carry no authentication; the key and the record are it."""
    if records is None:
        return MarkResult(Finding(SPEECH, "not checked", NOT_WITHOUT_RECORDS))
    if media is None or media.samples is None:
        return MarkResult(Finding(SPEECH, "not checked", "the file has no sound that can be decoded"))
    samples, rate = media.samples, media.rate

    def look(marker: Any, where: Where) -> AudioFinding | None:
        heard = samples if where == "as it is" else np.ascontiguousarray(samples[::-1])
        found: AudioFinding | None = marker.detect(heard, rate)
        return found

    unusable = "the sound is too short or of an unusual rate"
    return _blind(SPEECH, records.detectors("audio"), look, records.by_audio, unusable, tell_all=tell_all)


Where = Literal["as it is", "reversed"]


def _blind(
    name: str,
    detectors: Sequence[Any],
    look: Callable[[Any, Where], VideoFinding | AudioFinding | None],
    resolve: Callable[[int], StoredRecord | None],
    unusable: str,
    *,
    tell_all: bool,
) -> MarkResult:
    """One detector after the other until a mark leads to a record.

    A detector that could not look makes the answer "not checked": its mark may be there.
    """
    skipped = []
    for marker in detectors:
        info = alg_of(marker)
        try:
            found = look(marker, "as it is")
        except UnmarkableInput:
            skipped.append(unusable)
            continue
        except NOT_AVAILABLE as error:
            skipped.append(f"{info.alg} cannot be looked for here: {type(error).__name__}")
            continue
        if found is None:
            continue
        forged = False
        try:
            record = resolve(found.payload)
        except ids.ForgedMark:
            record, forged = None, True
        if record is not None or (tell_all and not forged):
            return _read(name, marker, found, record)
        if not tell_all:
            # Finding a mark is quicker than finding none: search where there is none.
            look(marker, "reversed")
        elif info.keyed:  # anybody writes the others, with ids of their own
            text = "a mark is there, but its id was not issued by this newsroom"
            return MarkResult(Finding(name, "failed", text))
    if skipped:
        return MarkResult(Finding(name, "not checked", "; ".join(dict.fromkeys(skipped))))
    return MarkResult(Finding(name, "not found", NOWHERE))


def _picture_on_list(
    media: DecodedMedia | None, records: RecordSource, near: list[StoredRecord]
) -> MarkResult | None:
    """The mark of one of these records; None where there is none or nothing to look at."""
    if media is None or not media.frames or not near:
        return None
    by_id = {record.mark_id: record for record in near}
    frames, fps = frames_of_one_size(media), media.fps or 1.0

    def look(marker: Any) -> VideoFinding | None:
        found: VideoFinding | None = marker.detect(frames, candidates=list(by_id), fps=fps)
        return found

    return _on_list(PICTURE, records.detectors("video"), look, by_id, len(near))


def _speech_on_list(
    media: DecodedMedia | None, records: RecordSource, near: list[StoredRecord]
) -> MarkResult | None:
    by_id = {record.audio_id: record for record in near if record.audio_id is not None}
    if media is None or media.samples is None or not by_id:
        return None
    samples, rate = media.samples, media.rate

    def look(marker: Any) -> AudioFinding | None:
        found: AudioFinding | None = marker.detect(samples, rate, candidates=list(by_id))
        return found

    return _on_list(SPEECH, records.detectors("audio"), look, by_id, len(near))


def _on_list(
    name: str,
    detectors: Sequence[Any],
    look: Callable[[Any], VideoFinding | AudioFinding | None],
    by_id: dict[int, StoredRecord],
    listed: int,
) -> MarkResult | None:
    for marker in detectors:
        try:
            found = look(marker)
        except (UnmarkableInput, *NOT_AVAILABLE):
            continue
        if found is not None:
            return _read(name, marker, found, by_id[found.payload], listed)
    return None


def _read(
    name: str,
    marker: Any,
    found: VideoFinding | AudioFinding,
    record: StoredRecord | None,
    listed: int = 0,
) -> MarkResult:
    """What an authentic mark says, in words, and as a manifest would declare it."""
    alg = alg_of(marker).alg
    value = value_of(marker, found.payload)
    if record is None:
        finding = Finding(name, "found", "an authentic mark, but no published record answers to it")
    else:
        how = f", found among {listed} record(s) that the pictures resemble" if listed else ""
        other = "" if alg in OWN.values() else f" ({alg}; {found.confidence})"
        text = f"authentic, {found.geometry}{how}; leads to record {record.id}{other}"
        finding = Finding(name, "found", text, {"record": record.id, "alg": alg})
    return MarkResult(finding, found.payload, record, alg, value)


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

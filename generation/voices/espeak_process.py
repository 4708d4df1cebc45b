"""One utterance by espeak-ng, in a process of its own. Standard library only.

Run as a script: `python -I -S espeak_process.py LIBRARY DATA`, one JSON job on standard input, one
JSON header line and then raw 16-bit samples on standard output. It is a process of its own for three
reasons: the library keeps state between utterances (the same text then sounds different, which
breaks "same seed, same bytes"), it is C code that reads untrusted text, and it is GPL-3, while this
package is not: nothing of Byline is linked with it. The structures follow speak_lib.h revision 12.
"""

import ctypes
import json
import sys
from typing import Any

_SYNCHRONOUS = 2
_DO_NOT_EXIT = 0x8000  # return an error instead of ending the process when the data is missing
_UTF8, _END_PAUSE = 1, 0x1000
_RATE, _PITCH, _RANGE = 1, 3, 4
_WORD, _END = 1, 5


class _Identifier(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),  # characters, counted from 1
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),  # milliseconds
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Identifier),
    ]


class _Voice(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("languages", ctypes.c_char_p),  # one priority byte, then the tag
        ("identifier", ctypes.c_char_p),
        ("gender", ctypes.c_ubyte),
        ("age", ctypes.c_ubyte),
        ("variant", ctypes.c_ubyte),
        ("unused", ctypes.c_ubyte),
        ("score", ctypes.c_int),
        ("spare", ctypes.c_void_p),
    ]


def _languages(library: ctypes.CDLL) -> dict[str, str]:
    """Language tag -> identifier. Names made up from a tag are often refused, identifiers never are."""
    library.espeak_ListVoices.restype = ctypes.POINTER(ctypes.POINTER(_Voice))
    listed = library.espeak_ListVoices(None)
    found: dict[str, str] = {}
    index = 0
    while listed[index]:
        voice = listed[index].contents
        if voice.languages and voice.identifier:
            found.setdefault(voice.languages[1:].decode(), voice.identifier.decode())
        index += 1
    return found


def _speak(library: ctypes.CDLL, job: dict[str, Any]) -> tuple[bytes, list[list[int]]]:
    sound = bytearray()
    events: list[list[int]] = []
    callback_type = ctypes.CFUNCTYPE(
        ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
    )

    def receive(samples: Any, count: int, list_of_events: Any) -> int:
        if samples and count > 0:
            sound.extend(ctypes.string_at(samples, 2 * count))
        index = 0
        while list_of_events[index].type != 0:
            event = list_of_events[index]
            if event.type in (_WORD, _END):
                events.append([event.type, event.text_position, event.sample])
            index += 1
        return 1 if len(sound) > job["max_bytes"] else 0

    callback = callback_type(receive)
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(job["voice"].encode()) != 0:
        raise SystemExit(3)
    for parameter, value in ((_RATE, job["rate"]), (_PITCH, job["pitch"]), (_RANGE, job["range"])):
        library.espeak_SetParameter(parameter, value, 0)
    text = job["text"].encode() + b"\0"
    library.espeak_Synth.argtypes = [
        ctypes.c_char_p,
        ctypes.c_size_t,
        ctypes.c_uint,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.c_uint,
        ctypes.c_void_p,
        ctypes.c_void_p,
    ]
    if library.espeak_Synth(text, len(text), 0, 1, 0, _UTF8 | _END_PAUSE, None, None) != 0:
        raise SystemExit(4)
    library.espeak_Synchronize()
    return bytes(sound), events


def main() -> None:
    library = ctypes.CDLL(sys.argv[1])
    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, sys.argv[2].encode(), _DO_NOT_EXIT)
    if rate <= 0:
        raise SystemExit(2)
    job = json.loads(sys.stdin.buffer.read())
    if job["task"] == "languages":
        header: dict[str, object] = {"languages": _languages(library)}
        sound = b""
    else:
        sound, events = _speak(library, job)
        header = {"rate": rate, "events": events}
    sys.stdout.buffer.write(json.dumps(header).encode() + b"\n" + sound)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()

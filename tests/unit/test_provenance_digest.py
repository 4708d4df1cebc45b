"""Content digests: the rule of each format, unchanged by what a signer inserts, and hostile files."""

import hashlib
import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from byline.provenance.digest import Digest, DigestError, content_digest


def box(name, payload=b""):
    return struct.pack(">I4s", 8 + len(payload), name) + payload


def chunk(name, payload=b""):
    return struct.pack(">I4s", len(payload), name) + payload + struct.pack(">I", zlib.crc32(name + payload))


def riff(*chunks):
    body = b"WAVE" + b"".join(
        struct.pack("<4sI", name, len(data)) + data + b"\x00" * (len(data) & 1) for name, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body)) + body


FTYP = box(b"ftyp", b"isom\x00\x00\x02\x00")
MANIFEST = box(b"uuid", bytes(16) + b"a C2PA manifest store")


def sha(data):
    return hashlib.sha256(data).hexdigest()


def test_mp4_is_the_mdat_payload_wherever_it_stands():
    plain = FTYP + box(b"moov", b"index") + box(b"mdat", b"picture")
    signed = FTYP + MANIFEST + box(b"moov", b"other offsets") + box(b"mdat", b"picture")
    assert content_digest(plain) == content_digest(signed) == Digest("mp4-mdat-sha256", sha(b"picture"))
    changed = FTYP + box(b"moov", b"index") + box(b"mdat", b"picturE")
    assert content_digest(changed) != content_digest(plain)


def test_mp4_sizes_of_one_and_zero_and_several_mdats(tmp_path):
    large = struct.pack(">I4sQ", 1, b"mdat", 16 + 3) + b"one"
    rest = struct.pack(">I4s", 0, b"mdat") + b"two"
    file = tmp_path / "clip.mp4"
    file.write_bytes(FTYP + large + box(b"free") + rest)
    assert content_digest(file).hex == sha(b"onetwo")
    with file.open("rb") as stream:
        stream.seek(5)
        assert content_digest(stream).hex == sha(b"onetwo")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"plain text, nothing else",
        FTYP,  # no mdat
        FTYP + struct.pack(">I4s", 100, b"mdat") + b"short",
        FTYP + struct.pack(">I4s", 7, b"mdat"),  # smaller than its own header
        FTYP + struct.pack(">I4sQ", 1, b"mdat", 8),
        FTYP + struct.pack(">I4sQ", 1, b"mdat", 2**64 - 1),
        FTYP + struct.pack(">I4s", 1, b"mdat") + b"\x00",
        FTYP + box(b"mdat", b"x") + b"\x00\x00",
        FTYP + box(b"free") * 100_001 + box(b"mdat", b"x"),
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR") + chunk(b"IEND"),
        b"\x89PNG\r\n\x1a\n" + chunk(b"IDAT", b"x"),  # no IEND
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I4s", 2**31, b"IDAT"),
        b"\xff\xd8\xff\xd9",  # a JPEG without a scan
        b"\xff\xd8\xff\xe0\x00\x01",
        b"\xff\xd8\xff\xda\x00\x02scan",  # never ends
        b"\xff\xd8\xff" + b"\xff" * 50,
        riff((b"fmt ", b"x")),
        b"RIFF" + struct.pack("<I", 4) + b"WAVE" + b"data" + struct.pack("<I", 1) + b"x",  # outside the RIFF
    ],
)
def test_damaged_or_hostile_files(data):
    with pytest.raises(DigestError):
        content_digest(data)


def test_wav_ignores_other_chunks_and_padding():
    plain = riff((b"fmt ", b"f" * 16), (b"data", b"odd"))
    signed = riff((b"fmt ", b"f" * 16), (b"data", b"odd"), (b"C2PA", b"manifest"))
    assert content_digest(plain) == content_digest(signed) == Digest("wav-data-sha256", sha(b"odd"))


def picture(kind, colour=(200, 30, 60), **options):
    stream = io.BytesIO()
    image = Image.new("RGB", (40, 24), colour)
    image.putpixel((3, 4), (0, 255, 0))
    image.save(stream, kind, **options)
    return stream.getvalue()


def test_png_survives_a_manifest_chunk():
    plain = picture("PNG")
    at = plain.index(b"IDAT") - 4
    assert content_digest(plain[:at] + chunk(b"caBX", b"manifest") + plain[at:]) == content_digest(plain)
    assert content_digest(picture("PNG", (200, 30, 61))) != content_digest(plain)


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 2}])
def test_jpeg_survives_app_segments_and_sees_every_other_change(options):
    plain = picture("JPEG", quality=80, **options)
    digest = content_digest(plain)
    assert digest.rule == "jpeg-scan-sha256"
    segment = b"\xff\xeb" + struct.pack(">H", 2 + 300) + b"\xff\xd9" * 150  # APP11 with EOI bytes inside
    comment = b"\xff\xfe\x00\x04hi"
    assert content_digest(plain[:2] + segment + comment + plain[2:] + b"after the end") == digest
    for at in range(plain.index(b"\xff\xdb") + 4, len(plain) - 2, 7):
        changed = bytearray(plain)
        changed[at] ^= 0x10
        try:
            assert content_digest(bytes(changed)) != digest
        except DigestError:
            continue  # the change broke the structure: refused, also fine


HEADS = [FTYP, b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\x40\x00\x00\x00WAVE"]


@given(st.sampled_from(HEADS), st.binary(max_size=80))
def test_any_bytes_give_a_digest_or_a_digest_error(head, tail):
    try:
        digest = content_digest(head + tail)
    except DigestError:
        return
    assert len(digest.hex) == 64

"""Neural marks behind our Protocol: their codes, their stated chances, their weights, their limits."""

import math
import random
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import neural_marks_kit as kit  # by name: TorchScript keeps the module's
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from byline.audit.base.errors import ConfigurationError, MissingWeights
from byline.provenance import manifest
from byline.provenance.marks import algorithms, markers
from byline.provenance.marks.audio import AudioMark
from byline.provenance.marks.base import FALSE_ACCEPT, BadPayload, UnmarkableInput
from byline.provenance.marks.neural import bch, message
from byline.provenance.marks.neural.audioseal import AudioSeal
from byline.provenance.marks.neural.trustmark import UNBOUNDED, DataLayer, TrustMark
from byline.provenance.marks.neural.videoseal import VideoSeal
from byline.provenance.marks.video import VideoMark

KEY, OTHER = bytes(range(32)), bytes(range(1, 33))
ID = 0xFEDCBA9876543210

# Packets of TrustMark's own data layer (trustmark 0.9.2, DataLayer(100, False, mode).encode_binary).
TRUSTMARK_PACKETS = [
    (
        "BCH_5",
        "0100000101100100110110000011110011111011101100111110001000101",
        "0100000101100100110110000011110011111011101100111110001000101011010011101111100110111100000101010001",
    ),
    (
        "BCH_4",
        "11000101101111001000111110111011110010111101111001011100000010011001",
        "1100010110111100100011111011101111001011110111100101110000001001100110011000100011110111010110100010",
    ),
    (
        "BCH_3",
        "110101110111111000101000100011010111110101010110000110000010001111111011110",
        "1101011101111110001010001000110101111101010101100001100000100011111110111101010110001000011110110011",
    ),
    (
        "BCH_SUPER",
        "0000000000000000000000000000000000001101",
        "0000000000000000000000000000000000001101001110001010010011111100100011111100100111010000101100110101",
    ),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    folder = tmp_path_factory.mktemp("neural")
    return SimpleNamespace(
        folder=folder,
        videoseal=kit.videoseal(folder),
        trustmark=kit.trustmark(folder),
        audioseal=kit.audioseal(folder),
    )


def frames(count: int = 3) -> list[np.ndarray]:
    y, x = np.mgrid[:240, :320].astype(np.float32)
    return [
        np.stack([110 + 60 * np.sin(x / 90 + t + c) * np.cos(y / 70) for c in range(3)], -1).astype(np.uint8)
        for t in range(count)
    ]


# ---------------------------------------------------------------- codes


@pytest.mark.parametrize(("schema", "data", "packet"), TRUSTMARK_PACKETS)
def test_the_data_layer_writes_and_reads_what_trustmark_does(schema: str, data: str, packet: str):
    layer = DataLayer(schema)
    assert "".join(map(str, layer.encode(int(data, 2)))) == packet
    bits = [int(bit) for bit in packet]
    for place in range(0, 3 * 9, 9):  # three errors, which each schema corrects
        bits[place] ^= 1
    assert layer.decode(bits) == int(data, 2)


def test_a_packet_of_another_schema_or_with_too_many_errors_is_nothing():
    bits = DataLayer("BCH_4").encode(ID)
    assert DataLayer("BCH_5").decode(bits) is None
    for place in range(5):
        bits[place] ^= 1
    assert DataLayer("BCH_4").decode(bits) != ID


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([(6, 3), (7, 5), (8, 18)]), st.randoms(use_true_random=False))
def test_bch_corrects_up_to_t_errors_anywhere(shape: tuple[int, int], rng: random.Random):
    code = bch.code(*shape)
    data = [rng.randint(0, 1) for _ in range(rng.randint(1, code.length - code.check_bits))]
    word = data + code.encode(data)
    damaged = list(word)
    wrong = rng.sample(range(len(word)), min(rng.randint(0, code.t), len(word)))
    for place in wrong:
        damaged[place] ^= 1
    assert code.decode(damaged) == (word, len(wrong))


def test_chance_is_the_binomial_tail():
    assert message.chance(8, 8) == 1
    assert message.chance(10, 1) == 11 / 1024
    allowed = message.forgiven(255, 100)
    assert 100 * message.chance(255, allowed) <= FALSE_ACCEPT < 100 * message.chance(255, allowed + 1)
    assert message.forgiven(20, 1) == -1


def test_the_blind_bound_of_a_masked_message_holds_for_its_own_numbers():
    masked = message.MaskedMessage(256, 64, [KEY, OTHER], label="t", trials=2)
    assert 2.0**64 * 4 * message.chance(255, masked.errors) <= FALSE_ACCEPT
    rng = random.Random(1)
    for key_index in (0, 1):
        bits = masked.encode(ID, key_index)
        for place in rng.sample(range(255), masked.errors):
            bits[place] ^= 1
        assert masked.decode(bits) == (ID, key_index)


def test_random_bits_are_no_message():
    masked = message.MaskedMessage(256, 64, [KEY], label="t", trials=2)
    rng = random.Random(2)
    for _ in range(100):
        bits = [rng.randint(0, 1) for _ in range(256)]
        assert masked.decode(bits) is None
        assert masked.nearest(bits, [ID, 1, 2]) is None


def test_a_message_too_short_for_a_bound_is_refused():
    with pytest.raises(ConfigurationError, match="bound"):
        message.MaskedMessage(96, 64, [KEY], label="t", trials=2)  # VideoSeal v0.0 with our ids


# ---------------------------------------------------------------- weights


def test_missing_weights_are_one_error_at_the_check(files: SimpleNamespace):
    config = files.videoseal | {"weights": str(files.folder / "nowhere.jit")}
    with pytest.raises(MissingWeights, match=r"nowhere\.jit"):
        VideoSeal([KEY], **config).self_check()


def test_a_file_that_is_not_the_pinned_one_is_refused_before_it_is_read(files: SimpleNamespace):
    other = files.folder / "other.jit"
    other.write_bytes(Path(files.videoseal["weights"]).read_bytes() + b"\0")
    marker = VideoSeal([KEY], **files.videoseal | {"weights": str(other)})
    with pytest.raises(ConfigurationError, match="SHA-256"):
        marker.self_check()
    with pytest.raises(ConfigurationError, match="SHA-256"):
        marker.detect(frames())


@pytest.mark.parametrize("sha256", ["", "abc", "Z" * 64])
def test_weights_without_a_pin_are_refused(files: SimpleNamespace, sha256: str):
    with pytest.raises(ConfigurationError, match="not pinned"):
        VideoSeal([KEY], **files.videoseal | {"sha256": sha256})


def test_a_pinned_file_of_another_kind_is_refused(files: SimpleNamespace):
    swapped = files.trustmark | {
        "decoder": files.videoseal["weights"],
        "decoder_sha256": files.videoseal["sha256"],
    }
    with pytest.raises(ConfigurationError, match="no ONNX"):
        TrustMark([KEY], **swapped).detect(frames())


# ---------------------------------------------------------------- marks


def test_trustmark_states_no_bound_and_the_keyed_marks_state_theirs(files: SimpleNamespace):
    marker = TrustMark([KEY], **files.trustmark)
    found = marker.detect(list(marker.embed(frames(), ID)))
    assert found is not None
    assert found.payload == ID
    assert found.confidence == UNBOUNDED
    keyed = VideoSeal([KEY], **files.videoseal)
    sealed = keyed.detect(list(keyed.embed(frames(), ID)))
    assert sealed is not None
    assert "1e-09" in sealed.confidence


@pytest.mark.parametrize("kind", ["videoseal", "trustmark"])
def test_registry_mode_answers_only_what_is_on_the_list(files: SimpleNamespace, kind: str):
    cls = {"videoseal": VideoSeal, "trustmark": TrustMark}[kind]
    marker = cls([KEY], **getattr(files, kind))
    marked = list(marker.embed(frames(), ID))
    listed = marker.detect(marked, candidates=[5, ID])
    assert listed is not None
    assert listed.payload == ID
    assert marker.detect(marked, candidates=[5, 6]) is None
    assert marker.detect(marked, candidates=[]) is None
    with pytest.raises(BadPayload):
        marker.detect(marked, candidates=[2**marker.payload_bits])


def test_trustmark_with_five_corrections_carries_61_bits(files: SimpleNamespace):
    marker = TrustMark([KEY], schema="BCH_5", **files.trustmark)
    assert marker.payload_bits == 61
    found = marker.detect(list(marker.embed(frames(), 2**61 - 5)))
    assert found is not None
    assert found.payload == 2**61 - 5
    with pytest.raises(BadPayload):
        list(marker.embed(frames(), 2**61))


@pytest.mark.parametrize("mirrored", [False, True])
def test_neural_picture_marks_read_mirrored_frames(files: SimpleNamespace, mirrored: bool):
    for marker in (VideoSeal([OTHER, KEY], **files.videoseal), TrustMark([KEY], **files.trustmark)):
        writer = VideoSeal([KEY], **files.videoseal) if isinstance(marker, VideoSeal) else marker
        marked = [frame[:, :: -1 if mirrored else 1] for frame in writer.embed(frames(), ID)]
        found = marker.detect(marked)
        assert found is not None
        assert found.geometry == ("mirrored" if mirrored else "as embedded")
        assert found.key_index == (1 if isinstance(marker, VideoSeal) else 0)


def test_a_wide_picture_is_marked_in_its_centre_only(files: SimpleNamespace):
    before = np.full((160, 480, 3), 128, np.uint8)
    marked = next(TrustMark([KEY], **files.trustmark).embed([before], ID))
    changed = np.abs(marked.astype(int) - 128).max(2)
    assert changed[:, 160:320].mean() > 0.5
    assert not changed[:, :160].any()
    assert not changed[:, 320:].any()


def sound(seconds: float, rate: int = 24_000) -> np.ndarray:
    t = np.arange(int(seconds * rate)) / rate
    return (0.2 * np.sin(2 * np.pi * 150 * t) * (0.6 + 0.4 * np.sin(18 * t))).astype(np.float32)


def test_audioseal_carries_32_bits_in_time_and_survives_a_cut(files: SimpleNamespace):
    marker = AudioSeal([KEY], **files.audioseal)
    marked = marker.embed(sound(8), 24_000, 0xDEADBEEF)
    cut = marker.detect(marked[int(0.3 * 24_000) :], 24_000)
    assert cut is not None
    assert (cut.payload, cut.geometry) == (0xDEADBEEF, "cut")
    short = marked[: 3 * 24_000]
    assert marker.detect(short, 24_000) is None  # not all six words are there
    listed = marker.detect(short, 24_000, candidates=[7, 0xDEADBEEF])
    assert listed is not None
    assert listed.payload == 0xDEADBEEF
    assert marker.detect(short, 24_000, candidates=[7, 8]) is None
    assert AudioSeal([OTHER], **files.audioseal).detect(marked, 24_000) is None


@pytest.mark.parametrize(
    "bad", [np.zeros(0, np.float32), np.zeros(16_000), np.zeros((2, 16_000), np.float32)]
)
def test_audioseal_refuses_sound_of_a_wrong_shape(files: SimpleNamespace, bad: np.ndarray):
    with pytest.raises(UnmarkableInput):
        AudioSeal([KEY], **files.audioseal).detect(bad, 16_000)


@pytest.mark.parametrize("bad", [np.zeros((100, 100, 3), np.uint8), np.zeros((240, 320), np.uint8)])
def test_neural_picture_marks_refuse_frames_of_a_wrong_shape(files: SimpleNamespace, bad: np.ndarray):
    for marker in (VideoSeal([KEY], **files.videoseal), TrustMark([KEY], **files.trustmark)):
        with pytest.raises(UnmarkableInput):
            list(marker.embed([bad], 1))


def test_nothing_that_removes_a_mark_is_in_reach(files: SimpleNamespace):
    marker = TrustMark([KEY], **files.trustmark)
    public = {name for name in dir(marker) if not name.startswith("_")}
    assert public == {
        "alg",
        "detect",
        "embed",
        "payload_bits",
        "self_check",
        "signpost_payload",
        "soft_binding_value",
    }
    with pytest.raises(AttributeError):
        marker.remove_watermark  # noqa: B018
    with pytest.raises(TypeError):
        TrustMark([KEY], remover="trustmark_rm_P.onnx", **files.trustmark)  # type: ignore[call-arg]


# ---------------------------------------------------------------- signpost


def test_a_signpost_writes_the_list_number_of_a_registered_mark(files: SimpleNamespace, monkeypatch: Any):
    ours = algorithms.AlgInfo("org.example.mark", True, "a registered mark", "video", identifier=77)
    monkeypatch.setitem(algorithms.ALGORITHMS, ours.alg, ours)
    marker = TrustMark([KEY], signpost=True, points_to=ours.alg, **files.trustmark)
    assert marker.signpost_payload == 77
    found = marker.detect(list(marker.embed(frames(), 77)))
    assert found is not None
    assert found.payload == 77
    assert marker.soft_binding_value(77) == "5*" + format(77, "040b")
    with pytest.raises(BadPayload):
        list(marker.embed(frames(), 78))


@pytest.mark.parametrize("alg", ["", "io.byline.video.ss64.2", "com.adobe.trustmark.Q"])
def test_a_signpost_to_an_unregistered_mark_or_to_itself_is_refused(files: SimpleNamespace, alg: str):
    with pytest.raises(ConfigurationError, match="signpost"):
        TrustMark([KEY], signpost=True, points_to=alg, **files.trustmark)


# ---------------------------------------------------------------- what the manifest says


def test_our_marks_are_declared_under_the_names_that_the_manifest_writes():
    assert algorithms.alg_of(VideoMark).alg == manifest.VIDEO_MARK_ALG
    assert algorithms.alg_of(AudioMark([KEY])).alg == manifest.AUDIO_MARK_ALG
    assert not algorithms.alg_of(VideoMark).registered
    assert algorithms.value_of(VideoMark, ID) == f"{ID:016x}"
    assert algorithms.value_of(AudioMark, 5) == "00000005"
    with pytest.raises(BadPayload):
        algorithms.value_of(AudioMark, 2**32)


def test_only_trustmark_is_registered_for_us(files: SimpleNamespace):
    trustmark = algorithms.alg_of(TrustMark([KEY], **files.trustmark))
    assert (trustmark.alg, trustmark.registered, trustmark.identifier) == ("com.adobe.trustmark.P", True, 13)
    assert algorithms.value_of(TrustMark([KEY], **files.trustmark), ID) == "2*0000" + format(ID, "064b")
    for kind in (VideoSeal, AudioSeal):
        info = algorithms.alg_of(kind)
        assert not info.registered
        assert "another owner" in info.why
    with pytest.raises(algorithms.UnknownAlgorithm):
        algorithms.alg_of(object())


# ---------------------------------------------------------------- the setting


def use(settings: Any, **entries: Any) -> None:
    settings.BYLINE = {**settings.BYLINE, "WATERMARKERS": entries}


OURS = {
    "video": {"CLASS": "byline.provenance.marks.video.VideoMark", "CONFIG": {}},
    "audio": {"CLASS": "byline.provenance.marks.audio.AudioMark", "CONFIG": {}},
}
NEURAL = "byline.provenance.marks.neural."


def test_our_own_marks_are_the_default():
    assert isinstance(markers.load("video", [KEY], depth_db=9.0), VideoMark)
    assert isinstance(markers.load("audio", [KEY], depth_db=3.0), AudioMark)
    assert list(markers.check_watermarkers()) == []


def test_a_configured_neural_mark_is_made_with_its_weights(files: SimpleNamespace, settings: Any):
    entry = {"CLASS": NEURAL + "videoseal.VideoSeal", "CONFIG": files.videoseal}
    use(settings, **OURS | {"video": entry})
    assert isinstance(markers.load("video", [KEY]), VideoSeal)
    assert list(markers.check_watermarkers()) == []
    own, other = markers.detectors("video", [KEY])
    assert isinstance(own, VideoMark)  # earlier clips carry it: it comes first whatever is configured
    assert isinstance(other, VideoSeal)
    assert isinstance(markers.of_alg("io.byline.video.videoseal.1", "video", [KEY]), VideoSeal)
    assert markers.of_alg("com.adobe.trustmark.P", "video", [KEY]) is None


def test_a_retired_mark_is_looked_for_and_not_written(files: SimpleNamespace, settings: Any):
    entry = {"CLASS": NEURAL + "trustmark.TrustMark", "CONFIG": files.trustmark}
    use(settings, **OURS, retired={"video": [entry]})
    assert list(markers.check_watermarkers()) == []
    assert isinstance(markers.load("video", [KEY]), VideoMark)
    assert [type(marker) for marker in markers.detectors("video", [KEY])] == [VideoMark, TrustMark]
    assert set(markers.algs()) == {*algorithms.OWN.values(), "com.adobe.trustmark.P"}
    use(settings, **OURS, retired={"pictures": [entry]})
    (first, second) = markers.check_watermarkers()
    assert "retired" in first.msg
    assert "retired" in second.msg


def test_our_own_mark_with_another_strength_is_accepted(settings: Any):
    entry = {"CLASS": "byline.provenance.marks.audio.AudioMark", "CONFIG": {"depth_db": 3.0}}
    use(settings, **OURS | {"audio": entry})
    assert list(markers.check_watermarkers()) == []


@pytest.mark.parametrize(
    ("medium", "entry", "word"),
    [
        ("video", {"CLASS": "byline.nothing.Here"}, "cannot import"),
        ("video", {"CLASS": "byline.provenance.marks.video.VideoMark", "CONFIG": {"volume": 1}}, "CONFIG"),
        ("video", {"CLASS": "byline.provenance.marks.audio.AudioMark"}, "no mark for video"),
        ("video", {"CLASS": "builtins.list"}, "CONFIG|manifest"),
        ("video", {"CONFIG": {}}, "CLASS"),
    ],
)
def test_a_wrong_entry_is_one_error_at_start(settings: Any, medium: str, entry: dict[str, Any], word: str):
    use(settings, **OURS | {medium: entry})
    (error,) = markers.check_watermarkers()
    assert error.id == "byline.E030"
    assert re.search(word, error.msg), error.msg
    assert error.hint


def test_a_mark_too_narrow_for_our_ids_or_without_weights_is_an_error(files: SimpleNamespace, settings: Any):
    narrow = {"CLASS": NEURAL + "trustmark.TrustMark", "CONFIG": files.trustmark | {"schema": "BCH_5"}}
    absent = {
        "CLASS": NEURAL + "audioseal.AudioSeal",
        "CONFIG": files.audioseal | {"generator": str(files.folder / "gone.jit")},
    }
    use(settings, video=narrow, audio=absent)
    first, second = markers.check_watermarkers()
    assert "61 bits" in first.msg
    assert "gone.jit" in second.msg


def test_log2_of_the_audio_bound():
    """The docstring's numbers: 46 check bits, eight offsets, sixteen keys."""
    from byline.provenance.marks.neural import audioseal

    assert audioseal.CHECK_BITS == 46
    assert math.log2(16 * audioseal.OFFSETS) - audioseal.CHECK_BITS < math.log2(FALSE_ACCEPT)

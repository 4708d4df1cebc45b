"""Neural voices: tiny random checkpoints of the real classes, saved to disk and loaded as in production."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from byline.audit.base import heavy
from byline.audit.base.errors import ConfigurationError, MissingWeights
from byline.generation import captions
from byline.generation.voices import neural, sentences
from byline.generation.voices.base import Speech, UnknownLanguage, UnspeakableText, Word
from byline.generation.voices.espeak import EspeakVoice

TEXT = "The ferry leaves. It comes back!"
LETTERS = " abcdefghijklmnopqrstuvwxyzTI.,!?'"


def save_vits(folder: Path) -> dict[str, Any]:
    transformers = heavy.load("transformers")
    vocabulary = {letter: index for index, letter in enumerate("_" + LETTERS)}
    folder.mkdir(exist_ok=True)
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    transformers.VitsTokenizer(
        str(folder / "vocab.json"), pad_token="_", unk_token=" ", phonemize=False, normalize=False,
        is_uroman=False, language="eng", add_blank=True,
    ).save_pretrained(folder)  # fmt: skip
    config = transformers.VitsConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, window_size=2,
        ffn_dim=16, flow_size=8, spectrogram_bins=9, prior_encoder_num_flows=1,
        prior_encoder_num_wavenet_layers=1, posterior_encoder_num_wavenet_layers=1,
        upsample_initial_channel=16, upsample_rates=[8, 8],
        upsample_kernel_sizes=[16, 16], resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1]],
        wavenet_dilation_rate=1, duration_predictor_num_flows=1, duration_predictor_filter_channels=16,
        depth_separable_num_layers=1, depth_separable_channels=2,
    )  # fmt: skip
    transformers.VitsModel(config).save_pretrained(folder)
    return {"model": str(folder)}


def save_speecht5(folder: Path) -> dict[str, Any]:
    import sentencepiece

    transformers = heavy.load("transformers")
    folder.mkdir(exist_ok=True)
    text = folder / "text.txt"
    text.write_text("\n".join([TEXT, "the quick brown fox jumps over a lazy dog, or not?", LETTERS] * 20))
    sentencepiece.SentencePieceTrainer.train(
        input=str(text), model_prefix=str(folder / "spm_char"), model_type="char", vocab_size=40,
        hard_vocab_limit=False, pad_id=1, bos_id=0, eos_id=2, unk_id=3, minloglevel=2,
    )  # fmt: skip
    tokenizer = transformers.SpeechT5Tokenizer(str(folder / "spm_char.model"))
    features = transformers.SpeechT5FeatureExtractor(num_mel_bins=8)
    transformers.SpeechT5Processor(features, tokenizer).save_pretrained(folder)
    config = transformers.SpeechT5Config(
        vocab_size=max(60, len(tokenizer) + 2), hidden_size=16, encoder_layers=1, decoder_layers=1,
        encoder_attention_heads=2, decoder_attention_heads=2, encoder_ffn_dim=16, decoder_ffn_dim=16,
        num_mel_bins=8, speech_decoder_prenet_units=16, speech_decoder_postnet_layers=2,
        speech_decoder_postnet_units=16, speaker_embedding_dim=24,
        reduction_factor=2, max_speech_positions=200,
    )  # fmt: skip
    transformers.SpeechT5ForTextToSpeech(config).save_pretrained(folder)
    vocoder = transformers.SpeechT5HifiGanConfig(
        model_in_dim=8, upsample_initial_channel=16, upsample_rates=[8, 8], upsample_kernel_sizes=[16, 16],
        resblock_kernel_sizes=[3], resblock_dilation_sizes=[[1]], initializer_range=0.3,
    )  # fmt: skip
    transformers.SpeechT5HifiGan(vocoder).save_pretrained(folder / "vocoder")
    return {"model": str(folder), "vocoder": str(folder / "vocoder")}


FAMILIES: dict[str, tuple[Any, Callable[[Path], dict[str, Any]]]] = {
    "vits": (neural.VitsVoice, save_vits),
    "speecht5": (neural.SpeechT5Voice, save_speecht5),
}


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def voice(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    kind, save = FAMILIES[request.param]
    heavy.load("torch").manual_seed(0)
    config = save(tmp_path_factory.mktemp(request.param) / "voice")
    return kind(**config, languages=["en-us", "de"], licence="MIT", device="cpu", seed=3)


def test_it_speaks_by_sentences_and_the_same_each_time(voice: Any) -> None:
    voice.self_check()
    spoken = voice.speak(TEXT, language="de")
    assert spoken.samples.dtype == np.float32
    assert spoken.samples.ndim == 1
    assert 0.1 < np.abs(spoken.samples).max() <= 1.0
    assert spoken.rate == 16_000
    assert [word.text for word in spoken.words] == TEXT.split()
    assert spoken.timing == "sentence"
    edges = [edge for word in spoken.words for edge in (word.start, word.end)]
    assert edges == sorted(edges)
    assert spoken.words[3].start - spoken.words[2].end == pytest.approx(sentences.PAUSE_S, abs=0.01)
    assert np.array_equal(spoken.samples, voice.speak(TEXT, language="de").samples)
    assert voice.info.synthetic
    assert len(voice.info.weights_sha256) == 64
    assert voice.info.licence == "MIT"
    assert voice.info.name.startswith(voice.FAMILY)


def test_it_refuses_what_it_cannot_say(voice: Any) -> None:
    for text in ("", "...", "a" * 3001):
        with pytest.raises(UnspeakableText):
            voice.speak(text)
    with pytest.raises(UnknownLanguage):
        voice.speak("hello", language="tlh")
    with pytest.raises(UnspeakableText):
        voice.speak("hello", pitch=90)


def test_the_folder_must_hold_the_weights(tmp_path: Path) -> None:
    with pytest.raises(MissingWeights, match="not on this machine"):
        neural.VitsVoice(model=str(tmp_path / "nothing")).self_check()
    with pytest.raises(MissingWeights):
        neural.BarkVoice(model="example/none", revision="0" * 40).self_check()
    with pytest.raises(ConfigurationError, match="revision"):
        neural.VitsVoice(model="example/none")
    with pytest.raises(ConfigurationError):
        neural.VitsVoice(model="./x", device="abacus")


def test_a_rate_is_obeyed_where_the_family_has_one_and_refused_elsewhere(tmp_path: Path) -> None:
    heavy.load("torch").manual_seed(0)
    vits = neural.VitsVoice(**save_vits(tmp_path / "v"), device="cpu")
    assert vits.speak(TEXT, rate=300).seconds < vits.speak(TEXT, rate=100).seconds
    five = neural.SpeechT5Voice(**save_speecht5(tmp_path / "s"), device="cpu")
    with pytest.raises(UnspeakableText):
        five.speak(TEXT, rate=300)


def test_a_timbre_from_a_recording_is_no_synthetic_voice(tmp_path: Path) -> None:
    heavy.load("torch").manual_seed(0)
    config = save_speecht5(tmp_path / "s")
    vector = tmp_path / "person.npy"
    np.save(vector, np.random.default_rng(1).normal(size=24).astype(np.float32))
    person = neural.SpeechT5Voice(**config, speaker=str(vector), device="cpu")
    assert not person.info.synthetic
    assert len(person.info.speaker_sha256) == 64
    nobody = neural.SpeechT5Voice(**config, device="cpu")
    assert nobody.info.synthetic
    assert not np.array_equal(person.speak(TEXT).samples[:500], nobody.speak(TEXT).samples[:500])
    np.save(vector, np.zeros(7))
    with pytest.raises(ConfigurationError):
        neural.SpeechT5Voice(**config, speaker=str(vector), device="cpu").speak(TEXT)


def test_streaming_gives_the_first_sentence_before_the_second_is_made() -> None:
    made: list[str] = []

    class Watched(EspeakVoice):
        def speak(self, text: str, **options: Any) -> Speech:
            made.append(text)
            return super().speak(text, **options)

    heard = sentences.stream(Watched(), "The ferry leaves. ... It comes back. Who knows?", rate=200)
    first = next(heard)
    assert made == ["The ferry leaves. ..."]
    parts = [first, *heard]
    assert [text for text, _ in parts] == ["The ferry leaves. ...", "It comes back.", "Who knows?"]
    whole = sentences.join(speech for _, speech in parts)
    assert whole.timing == "engine"
    assert whole.seconds == pytest.approx(sum(s.seconds for _, s in parts) + 2 * sentences.PAUSE_S, abs=0.01)
    assert [word.text for word in whole.words][-2:] == ["Who", "knows?"]
    assert whole.words[-1].end <= whole.seconds
    with pytest.raises(UnspeakableText):
        next(sentences.stream(EspeakVoice(), "... !!"))
    with pytest.raises(ValueError, match="nothing"):
        sentences.join([])


def test_shared_times_are_aligned_where_the_language_allows_and_kept_elsewhere() -> None:
    spoken = EspeakVoice().speak("The ferry leaves the harbour at dawn.")
    shared = sentences.shared_times("The ferry leaves the harbour at dawn.", spoken.seconds)
    rough = Speech(spoken.samples, spoken.rate, shared, "sentence")
    cues = captions.from_speech(rough, "The ferry leaves the harbour at dawn.")
    assert abs(cues[0].start - spoken.words[0].start) < 0.15
    words = (Word("Ξένες", 0.1, 0.6), Word("λέξεις", 0.6, 1.2))
    foreign = Speech(spoken.samples, spoken.rate, words, "sentence")
    assert captions.from_speech(foreign, "Ξένες λέξεις")[0].text == "Ξένες λέξεις"

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


def save_bark(folder: Path) -> dict[str, Any]:
    from tokenizers import Tokenizer, models, pre_tokenizers

    transformers = heavy.load("transformers")
    words = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1, "ferry": 2}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]"
    ).save_pretrained(folder)
    seventeen = {"input_vocab_size": 17, "output_vocab_size": 17}
    small = {"block_size": 64, "num_layers": 1, "num_heads": 2, "hidden_size": 16}
    codec = transformers.EncodecConfig(
        sampling_rate=8000, hidden_size=8, num_filters=4, upsampling_ratios=[8, 4], codebook_size=16,
        codebook_dim=8, target_bandwidths=[4.0], num_lstm_layers=1, kernel_size=3, last_kernel_size=3,
    )  # fmt: skip
    model = transformers.BarkModel(
        transformers.BarkConfig(
            semantic_config={"input_vocab_size": 60, "output_vocab_size": 30, **small},
            coarse_acoustics_config={"input_vocab_size": 70, "output_vocab_size": 70, **small},
            fine_acoustics_config={"n_codes_total": 4, "n_codes_given": 1, **seventeen, **small},
            codec_config=codec.to_dict(),
        )
    )
    for layer in model.codec_model.quantizer.layers:
        layer.codebook.embed.normal_()  # made as zeros: every code would be silence
    model.save_pretrained(folder)
    generation = {
        "model_type": "bark", "sample_rate": 8000, "codebook_size": 16,
        "semantic_config": {
            "semantic_vocab_size": 20, "eos_token_id": 20, "semantic_pad_token": 20, "text_pad_token": 29,
            "semantic_infer_token": 59, "text_encoding_offset": 22, "max_input_semantic_length": 8,
            "max_new_tokens": 12, "semantic_rate_hz": 10.0,
        },
        "coarse_acoustics_config": {
            "coarse_semantic_pad_token": 69, "coarse_rate_hz": 15, "n_coarse_codebooks": 2,
            "coarse_infer_token": 68, "max_coarse_input_length": 16, "max_coarse_history": 16,
            "sliding_window_len": 8, "max_new_tokens": 8,
        },
        "fine_acoustics_config": {
            "max_fine_history_length": 16, "max_fine_input_length": 32, "n_fine_codebooks": 4,
        },
    }  # fmt: skip
    (folder / "generation_config.json").write_text(json.dumps(generation))
    return {"model": str(folder)}


def save_dia(folder: Path) -> dict[str, Any]:
    """Vocabulary, channels and codebooks are the released model's: its processor has them built in."""
    transformers = heavy.load("transformers")
    dac = transformers.DacConfig(
        encoder_hidden_size=8, downsampling_ratios=[4, 4], decoder_hidden_size=16, n_codebooks=9,
        codebook_size=1024, codebook_dim=4, sampling_rate=8000,
    )  # fmt: skip
    transformers.DacModel(dac).save_pretrained(folder / "dac")
    features = transformers.DiaFeatureExtractor(sampling_rate=8000, hop_length=16)
    codec = transformers.DacModel.from_pretrained(folder / "dac")
    transformers.DiaProcessor(features, transformers.DiaTokenizer(), audio_tokenizer=codec).save_pretrained(
        folder
    )
    small = {
        "num_hidden_layers": 1, "hidden_size": 16, "num_attention_heads": 2, "num_key_value_heads": 2,
        "head_dim": 8, "intermediate_size": 16,
    }  # fmt: skip
    cross = {"cross_num_attention_heads": 2, "cross_head_dim": 8, "cross_num_key_value_heads": 2}
    config = transformers.DiaConfig(
        encoder_config={"max_position_embeddings": 128, "vocab_size": 256, **small},
        decoder_config={
            "max_position_embeddings": 64, "vocab_size": 1028, "num_channels": 9, "cross_hidden_size": 16,
            **small, **cross,
        },
    )  # fmt: skip
    model = transformers.DiaForConditionalGeneration(config)
    model.generation_config.max_new_tokens, model.generation_config.guidance_scale = 40, None
    model.save_pretrained(folder)
    return {"model": str(folder)}


def save_csm(folder: Path) -> dict[str, Any]:
    from tokenizers import Tokenizer, models, pre_tokenizers

    transformers = heavy.load("transformers")
    words = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1, "a": 2, "b": 3, "c": 4}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = transformers.PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]")
    fast.add_special_tokens({"additional_special_tokens": ["<|AUDIO|>", "<|audio_eos|>"]})
    transformers.CsmProcessor(transformers.EncodecFeatureExtractor(sampling_rate=8000), fast).save_pretrained(
        folder
    )
    small = {
        "num_codebooks": 4, "vocab_size": 19, "hidden_size": 16, "intermediate_size": 16, "head_dim": 8,
        "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2,
    }  # fmt: skip
    codec = {
        "model_type": "mimi", "sampling_rate": 8000, "hidden_size": 16, "num_filters": 4,
        "upsampling_ratios": [4, 4], "codebook_size": 32, "codebook_dim": 8, "upsample_groups": 16,
        "vector_quantization_hidden_dimension": 8, "num_hidden_layers": 1, "intermediate_size": 16,
        "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 8, "num_quantizers": 4,
        "num_semantic_quantizers": 1, "kernel_size": 3, "last_kernel_size": 3, "residual_kernel_size": 3,
    }  # fmt: skip
    model = transformers.CsmForConditionalGeneration(
        transformers.CsmConfig(
            text_vocab_size=20, max_position_embeddings=64, codebook_pad_token_id=17,
            codebook_eos_token_id=16, bos_token_id=1, pad_token_id=0,
            audio_token_id=5, audio_eos_token_id=6, codec_config=codec,
            depth_decoder_config={"backbone_hidden_size": 16, "max_position_embeddings": 4, **small}, **small,
        )
    )  # fmt: skip
    model.generation_config.max_new_tokens = 12
    depth = model.depth_decoder.generation_config
    depth.max_new_tokens = depth.min_new_tokens = 3
    model.save_pretrained(folder)
    return {"model": str(folder)}


FAMILIES: dict[str, tuple[Any, Callable[[Path], dict[str, Any]]]] = {
    "bark": (neural.BarkVoice, save_bark),
    "csm": (neural.CsmVoice, save_csm),
    "dia": (neural.DiaVoice, save_dia),
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
    assert spoken.rate == (16_000 if voice.FAMILY in ("vits", "speecht5") else 8_000)
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

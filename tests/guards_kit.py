"""Tiny real guards: the libraries' own model classes with random weights, saved and loaded as real ones are.

The tokenizer is a byte-level BPE trained here, with the control tokens of the family, so that everything but
the judgement is real: template, tokens, one forward pass, label probabilities. `steer` gives the random model
an opinion by fixing the logits of its labels, without touching the code under test.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from byline.audit.base import heavy
from byline.safety.guards.weights import directory_digest

CORPUS = [
    "Safety: Safe Safety: Controversial Safety: Unsafe Categories: None",
    "Categories: Violent Non-violent Illegal Acts Sexual Content or Sexual Acts PII Suicide & Self-Harm",
    "Unethical Acts Politically Sensitive Topics Copyright Violation Jailbreak",
    "safe unsafe S1 S2 S3 S4 S5 S6 S7 S8 S9 S10 S11 S12 S13 S14 Yes No yes no",
    "a chef cooks pasta in a bright kitchen while waves break on black rocks at sunset",
    "You are a policy expert. Is the text of the user against the principle? <score>",
] * 20
QWEN = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n# Task: judge the text.\n<BEGIN CONVERSATION>\n\n"
    "USER: {{ m.content }}\n\n<END CONVERSATION><|im_end|>\n{% endfor %}<|im_start|>assistant\n"
)
LLAMA = (
    "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nTask: check the conversation.\n"
    "{% for m in messages %}User: {% if m.content is string %}{{ m.content }}{% else %}"
    "{{ m.content[0].text }}{% endif %}{% endfor %}\n<END CONVERSATION><|eot_id|>"
    "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>{% endif %}"
)
GEMMA = (
    "<bos>You are a policy expert.\n\n<start_of_turn>\nHuman Question: {{ messages[0].content }}\n"
    "<end_of_turn>\n\n"
    "{{ guideline }}\n\nYour answer must start with 'Yes' or 'No'.\n\n"
)
GRANITE = (
    "<|start_of_role|>user<|end_of_role|>{{ guardian_config.risk_name }}{{ guardian_config.criteria_id }}: "
    "{{ messages[0].content }}<|end_of_text|>"
    "{% if add_generation_prompt %}<|start_of_role|>assistant<|end_of_role|>{% endif %}"
)
TEMPLATES = {
    "qwen3": (QWEN, ["<|im_start|>", "<|im_end|>", "<|endoftext|>"]),
    "llama": (LLAMA, ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]),
    "llama4": (LLAMA, ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]),
    "gemma2": (GEMMA, ["<bos>", "<start_of_turn>", "<end_of_turn>"]),
    "bert": ("", ["[CLS]", "[SEP]"]),
    "granite": (GRANITE, ["<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>"]),
}


@functools.cache
def _bpe() -> str:
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    # As Llama 3 and Qwen do it: words with their space, numbers of up to three digits.
    split = Regex(r" ?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+|\s+")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(split, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=700, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    return str(tokenizer.to_str())


def tokenizer(family: str) -> Any:
    from tokenizers import Tokenizer

    transformers = heavy.load("transformers")
    template, control = TEMPLATES[family]
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_bpe()), additional_special_tokens=control, pad_token="<pad>"
    )
    # As in Qwen3: marks that steer the model although they are not flagged as special.
    made.add_tokens(["<think>", "</think>"])
    made.chat_template = template or None
    return made


def model(family: str, words: int) -> Any:
    transformers, torch = heavy.load("transformers"), heavy.load("torch")
    torch.manual_seed(7)
    size: dict[str, Any] = {
        "vocab_size": words,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 8,
        "max_position_embeddings": 4096,
        "tie_word_embeddings": False,
        "pad_token_id": 0,
        "bos_token_id": 0,
        "eos_token_id": 0,
    }
    auto = transformers.AutoModelForCausalLM
    if family == "llama4":
        text = {**size, "intermediate_size_mlp": 64, "num_local_experts": 2, "num_experts_per_tok": 1}
        eye = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
        eye |= {"image_size": 28, "patch_size": 14, "vision_output_dim": 16, "projector_input_dim": 16}
        eye |= {"projector_output_dim": 16}
        config = transformers.Llama4Config(text_config=text, vision_config=eye)
        return transformers.AutoModelForImageTextToText.from_config(config)
    if family == "bert":
        config = transformers.BertConfig(
            **{k: v for k, v in size.items() if k not in {"head_dim", "num_key_value_heads"}},
            id2label={0: "toxic", 1: "threat", 2: "neutral"},
            label2id={"toxic": 0, "threat": 1, "neutral": 2},
            problem_type="multi_label_classification",
        )
        return transformers.AutoModelForSequenceClassification.from_config(config)
    kind = {"qwen3": "Qwen3", "llama": "Llama", "gemma2": "Gemma2", "granite": "Granite"}[family]
    return auto.from_config(getattr(transformers, f"{kind}Config")(**size))


def save(family: str, directory: Path) -> dict[str, Any]:
    """A guard's directory, as a hub would deliver it, and the CONFIG that pins it."""
    made = tokenizer(family)
    made.save_pretrained(directory)
    model(family, len(made)).save_pretrained(directory)
    return {
        "path": str(directory),
        "sha256": directory_digest(str(directory)),
        "revision": "0123abc",
        "licence": "none",
    }


def steer(guard: Any, **wanted: float) -> None:
    """Make the model say `wanted` (label -> logit) whatever it reads: its head's bias, in effect."""
    made, network = guard._loaded
    ids = {made(label, add_special_tokens=False)["input_ids"][0]: v for label, v in wanted.items()}
    original = network.forward

    def forward(*args: Any, **kwargs: Any) -> Any:
        out = original(*args, **kwargs)
        for number, value in ids.items():
            out.logits[..., number] = value
        return out

    network.forward = forward

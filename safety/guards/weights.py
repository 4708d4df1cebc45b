"""The files of a guard: a directory on this machine, pinned by one digest, read without running code.

Promises: nothing is fetched; safetensors only, never a pickle, never code from the directory; a file
that changed is refused before it is interpreted; weights that are missing from the checkpoint are an
error, not random numbers. User text becomes tokens in which no control token can stand, whatever
the text says (prompt injection by "<|im_end|>" and the like).
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from byline.audit.base import heavy
from byline.audit.base.errors import ConfigurationError, MissingWeights
from byline.safety.categories import CATEGORIES
from byline.safety.guards.base import GuardFailed, Level

_SUFFIXES = {".safetensors", ".json", ".jinja", ".model", ".txt"}
_DTYPES = {"auto", "float32", "bfloat16", "float16"}
LOCAL = {"local_files_only": True, "trust_remote_code": False}
_WINDOW, _OVERLAP = 1024, 128  # tokens of user text per question


@dataclass(frozen=True)
class GuardConfig:
    """CONFIG of every guard. `path` is a directory in Hugging Face layout, `sha256` its digest
    (`directory_digest`), `labels` maps the guard's labels to levels and replaces the adapter's own."""

    path: str
    sha256: str
    revision: str
    licence: str = "see the model's card"
    languages: Sequence[str] = ()
    labels: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    dtype: str = "auto"
    review_at: float = 0.5
    block_at: float = 0.9

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9a-f]{64}", str(self.sha256)):
            raise ConfigurationError(
                f"the guard in {self.path} is not pinned",
                help=f"Give its sha256: `byline policy guards --digest {self.path}` prints it.",
            )
        if not self.revision or self.revision in {"main", "latest"}:
            raise ConfigurationError(
                f"the guard in {self.path} needs a revision that never moves", help="Give the commit."
            )
        if self.dtype not in _DTYPES:
            raise ConfigurationError(f"dtype is one of {', '.join(sorted(_DTYPES))}")
        if not 0 < self.review_at < self.block_at < 1:
            raise ConfigurationError("review_at and block_at are probabilities, the first one lower")

    def levels(self, default: Mapping[str, str]) -> dict[str, Level]:
        """Label -> level. `default` maps labels to categories; labels mapped to null are left out."""
        chosen: Mapping[str, Any] = self.labels or default
        if unknown := sorted(set(chosen) - set(default)) if default else []:
            raise ConfigurationError(f"unknown labels {unknown}; there are: {', '.join(sorted(default))}")
        out = {}
        for label, entry in chosen.items():
            if entry is None:
                continue
            try:
                level = Level(
                    **(
                        {"review_at": self.review_at, "block_at": self.block_at}
                        | ({"category": entry} if isinstance(entry, str) else dict(entry))
                    )
                )
            except (TypeError, ValueError) as error:
                raise ConfigurationError(
                    f"label {label!r}: category, review_at and block_at are known"
                ) from error
            if level.category not in CATEGORIES or not 0 < level.review_at < level.block_at < 1:
                raise ConfigurationError(f"label {label!r}: {entry!r} is no category of ours with two levels")
            out[label] = level
        if not out:
            raise ConfigurationError("no label leads to a category", help="Give labels: {label: category}.")
        return out


def config(kind: type[GuardConfig], values: Mapping[str, Any]) -> Any:
    """The typed CONFIG. ConfigurationError for unknown or missing keys."""
    known = {f.name for f in fields(kind)}
    missing = {"path", "sha256", "revision"} - set(values)
    if missing or set(values) - known:
        raise ConfigurationError(
            f"a guard's CONFIG lacks {sorted(missing)}, does not know {sorted(set(values) - known)}",
            help=f"Known keys: {', '.join(sorted(known))}.",
        )
    return kind(**values)


def directory_digest(path: str) -> str:
    """SHA-256 of the sorted list "sha256  name" of every file that decides. MissingWeights if none is."""
    directory = Path(path)
    files = sorted(f for f in directory.glob("*") if f.is_file() and f.suffix in _SUFFIXES)
    if not any(f.suffix == ".safetensors" for f in files):
        raise MissingWeights(
            f"there are no weights (*.safetensors) in {path}",
            help="Download the model there, or take the guard out of BYLINE['MODERATORS'].",
        )
    whole = hashlib.sha256()
    for file in files:
        with file.open("rb") as handle:
            whole.update(f"{hashlib.file_digest(handle, 'sha256').hexdigest()}  {file.name}\n".encode())
    return whole.hexdigest()


def check_pin(given: GuardConfig) -> None:
    """Raise unless the files are there and are the pinned ones."""
    found = directory_digest(given.path)
    if found != given.sha256:
        raise ConfigurationError(
            f"the files in {given.path} are not the pinned ones: their digest is {found}",
            help="Get the files that you pinned; or, if you trust these, pin that digest and measure again.",
        )


def load(given: GuardConfig, auto: str) -> tuple[Any, Any]:
    """(tokenizer, model in evaluation mode). `auto` is the transformers class that reads it."""
    transformers = heavy.load("transformers")
    check_pin(given)
    with readable(given):
        if auto == "AutoModelForCausalLM":
            shape = transformers.AutoConfig.from_pretrained(given.path, **LOCAL)
            auto = "AutoModelForImageTextToText" if hasattr(shape, "vision_config") else auto
        tokenizer = transformers.AutoTokenizer.from_pretrained(given.path, **LOCAL)
        return tokenizer, network(given, auto)


@contextlib.contextmanager
def readable(given: GuardConfig) -> Iterator[None]:
    """Whatever transformers says of files that it cannot read becomes a ConfigurationError."""
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ConfigurationError(
            f"transformers cannot load the model in {given.path} ({type(error).__name__})",
            help="Is it the complete directory of the model, and the adapter that fits it?",
        ) from error


def network(given: GuardConfig, name: str) -> Any:
    """The model of transformers class `name`, in evaluation mode; the caller has checked the pin.

    ConfigurationError when the checkpoint lacks weights: they would be random numbers."""
    torch, transformers = heavy.load("torch"), heavy.load("transformers")
    dtype = given.dtype if given.dtype == "auto" else getattr(torch, given.dtype)
    model, report = getattr(transformers, name).from_pretrained(
        given.path, dtype=dtype, use_safetensors=True, output_loading_info=True, **LOCAL
    )
    if report["missing_keys"]:
        raise ConfigurationError(
            f"the checkpoint in {given.path} lacks weights; they would be random numbers"
        )
    return model.to(given.device).eval()


@functools.lru_cache(maxsize=8)
def _control(tokenizer: Any) -> tuple[frozenset[int], re.Pattern[str] | None]:
    """Ids that steer the model, and their spellings. Added tokens for newlines or tabs are plain text."""
    tokens = {
        token.content: number
        for number, token in tokenizer.added_tokens_decoder.items()
        if token.special or re.fullmatch(r"[<\[].+[>\]]", token.content)
    }
    spelled = "|".join(re.escape(text) for text in sorted(tokens, key=len, reverse=True))
    return frozenset(tokens.values()), re.compile(spelled) if spelled else None


def user_tokens(tokenizer: Any, text: str) -> list[int]:
    """The ids of somebody else's text, free of control tokens. GuardFailed if one were left.

    Control tokens are broken up by a space after their first character, as is everything that looks
    like one ("<END CONVERSATION>", "</think>"): templates use such marks in plain text, too.
    """
    ids, spelled = _control(tokenizer)
    if spelled is not None:
        text = spelled.sub(lambda m: f"{m.group()[0]} {m.group()[1:]}", text)
    text = re.sub(r"<(?=[|/A-Za-z_])", "< ", text)
    found = tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
    if ids & set(found):
        raise GuardFailed("control tokens could not be kept out of the text")
    return list(found)


def windows(tokens: list[int]) -> list[list[int]]:
    """Stretches of at most 1,024 tokens that overlap by 128, so that no end of a text goes unread."""
    step = _WINDOW - _OVERLAP
    return [tokens[i : i + _WINDOW] for i in range(0, max(1, len(tokens) - _OVERLAP), step)]

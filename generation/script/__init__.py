"""Scripts: text in, storyboard out, by a writer of the setting SCRIPT_WRITERS.

`draft` is the one way in. The embedded writer stands behind every other one: what a language model gives
that is no storyboard is not used, and the storyboard says so.
"""

from dataclasses import replace

from byline.audit.base.errors import BylineError, InvalidInput
from byline.generation import plugins
from byline.generation.script import analysis
from byline.generation.script.base import ScriptWriter, Wish, spoken_seconds
from byline.generation.script.documents import Document
from byline.generation.script.extractive import ExtractiveWriter, split_spoken
from byline.generation.script.storyboard import Analysis, Source, Storyboard, as_dict, parse

_SUMMARY_S = 25.0  # what is said in so many seconds is a summary


def load(name: str = "default") -> ScriptWriter:
    """The writer configured under `name`. ConfigurationError names the setting that is wrong."""
    writer: ScriptWriter = plugins.load("SCRIPT_WRITERS", name, "script writer")
    return writer


def draft(document: Document, wish: Wish | None = None, *, writer: str = "default") -> Storyboard:
    """The storyboard of a document. DocumentRefused, TextTooLong or InvalidInput say what is wrong with
    the text or the wish; another writer's failure falls back to the embedded one and is recorded."""
    wish = wish or Wish()
    if wish.seconds is not None and not 5 <= wish.seconds <= 1200:
        raise InvalidInput(
            "a script is 5 to 1200 seconds long", help="Leave the seconds out to say everything."
        )
    language = wish.language or analysis.guess_language(document.text)
    if not language:
        raise InvalidInput(
            "the language of the text cannot be told", help="Give it, for example en-us or de."
        )
    wish = replace(wish, language=language)
    said = [
        each for block in document.blocks if block.kind == "text" for each in analysis.sentences(block.text)
    ]
    chosen, reason = load(writer), ""
    try:
        made = chosen.write(document, wish, said)
    except InvalidInput:
        raise
    except BylineError as error:
        if isinstance(chosen, ExtractiveWriter):
            raise
        reason = f"{writer}: {error}"[:300]
        made = ExtractiveWriter().write(document, wish, said)
    storyboard = Storyboard(
        title=made.title,
        language=language,
        shots=made.shots,
        analysis=analyse(document.text, language),
        source=Source(document.kind, document.sha256, len(said), made.used, document.address),
        writer=replace(made.writer, fallback=reason),
    )
    return parse(as_dict(storyboard))


def analyse(text: str, language: str) -> Analysis:
    """Summary, key phrases and sentiment of a text, with how they were found."""
    said = analysis.sentences(text)
    kept = analysis.pick(said, language, _SUMMARY_S, [spoken_seconds(each) for each in said]) if said else []
    summary = " ".join(said[index] for index in kept)
    if len(summary) > 4000:  # one endless sentence
        summary = split_spoken(summary)[0][:3990] + " [...]"
    method = "central sentences (LexRank), key phrases (RAKE)"
    method += "" if analysis.knows(language) else " without a list of function words"
    felt = analysis.sentiment(text, language)
    method += ", sentiment by VADER" if felt is not None else ", sentiment not checked in this language"
    return Analysis(summary, tuple(analysis.key_phrases(text, language, 10)), felt, method)

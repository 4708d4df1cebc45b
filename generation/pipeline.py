"""The order of the gates between a prompt and a clip: one list, read from top to bottom.

Nothing generated leaves unmarked, unsigned or unlogged because every clip takes this way and the
runner makes a request `ready` only when each of these stages has passed, in this order. `light`
stages run in a process without torch. A stage that needs frames or speech that a crash took from
memory sends the run back to the stage that gives them. A test holds a second copy of the names, so
that no stage is dropped or moved by accident.
"""

from byline.generation.contracts import Stage
from byline.generation.stages.consent import consent
from byline.generation.stages.debias import debias
from byline.generation.stages.engine import engine
from byline.generation.stages.inputs import inputs
from byline.generation.stages.marking import watermark
from byline.generation.stages.quality import quality
from byline.generation.stages.ready import ready
from byline.generation.stages.record import fingerprint, log, prove
from byline.generation.stages.screening import screen
from byline.generation.stages.sign import read_back, sign
from byline.generation.stages.speech import speech
from byline.generation.stages.texts import moderate, normalise

STAGES: tuple[Stage, ...] = (
    # May it be made?
    Stage("normalise", normalise, "light", weight=0.2),
    Stage("moderate", moderate, "light"),
    Stage("consent", consent, "light", weight=0.2),
    Stage("debias", debias, "light", weight=0.2),
    # Make it, look at it, mark it before it touches the disk.
    Stage("inputs", inputs, "gpu", gives=("inputs",), weight=0.2),
    Stage("speech", speech, "gpu", gives=("speech",)),
    Stage("engine", engine, "gpu", needs=("inputs",), gives=("shots",), weight=12.0),
    Stage("screen", screen, "gpu", needs=("shots", "speech"), weight=2.0),
    Stage("quality", quality, "gpu", needs=("shots",), weight=0.5),
    Stage("watermark", watermark, "gpu", needs=("shots", "speech"), weight=5.0),
    # Write down what it is, bind that to the bytes, and find it there again.
    Stage("fingerprint", fingerprint, "light"),
    Stage("log", log, "light", weight=0.2),
    Stage("prove", prove, "light"),
    Stage("sign", sign, "light"),
    Stage("read_back", read_back, "light", weight=2.0),
    Stage("ready", ready, "light", weight=0.2),
)

"""Settings of the installation, with their defaults: `BYLINE = {...}` in Django settings.

One table, so that an unknown name is an error at start (platform/checks.py) and a reader
finds every knob in one place. Times are seconds, paths are strings or Path.
"""

import os
from pathlib import Path
from typing import Any

_HOME = Path(os.environ.get("BYLINE_HOME") or Path.home() / ".byline")

DEFAULTS: dict[str, Any] = {
    "HOME": _HOME,  # keys/, media/, work/ and, when embedded, the database live below it
    "POLICY_FILE": None,  # None: the policy shipped in byline/safety/policies/default.yaml
    "REVIEW_FILE": None,  # None: duties and reasons of review in byline/safety/review/rules.yaml
    "REVIEW_MAIL_FROM": "",  # sender of mail about decisions; "": no mail is sent (docs/reviewer.md)
    "HASHLIST_MAX_ENTRIES": 1_000_000,  # hashes on all no-go lists together; they are held in memory
    "PROFILE": "newsroom",  # default policy profile
    "MODERATORS": {},  # name -> {"CLASS", "CONFIG"}: guard models beside the embedded tier (docs/policies.md)
    "LOG_ORIGIN": "byline.local/log",  # first line of every checkpoint (C2SP tlog-checkpoint)
    "SEAL_INTERVAL_S": 0.2,
    "PUBLIC_LOG_ENTRIES": False,  # hash tiles are public; entries tell when and how much was made
    "WITNESSES": [],  # [{"VKEY": "name+id+key", "URL": "https://..."}] asked to cosign (C2SP tlog-witness)
    "WITNESS_INTERVAL_S": 10.0,
    "RETENTION_REGIMES": ["eu"],  # whose minimum holds here: names of platform/ledger/retention.yaml
    "MODEL_OWNER": "",  # the desk or role that answers for the models in use; never a person's name
    "PROOF_TIMEOUT_S": 60.0,  # the prove stage waits this long for a covering checkpoint
    "LEASE_S": 60.0,  # a claimed job is free again when its lease ran out
    "HEARTBEAT_S": 10.0,
    "SWEEP_S": 30.0,
    "MAX_ATTEMPTS": 5,  # claims per job before it fails with a reason
    "VIDEO_ENGINES": {
        "default": {"CLASS": "byline.generation.engines.wan.WanEngine", "CONFIG": {}},
    },
    "PROMPT_EXPANDER": {},  # {"CLASS", "CONFIG"}; {}: prompts are used as they are (docs/models.md)
    "MODELS_DIR": None,  # None: $BYLINE_HOME/models; pulled by `byline models` (docs/models.md)
    "MODEL_POOL_GIB": 0.0,  # for loaded models, on each device; 0: nine tenths of a GPU, half of a machine
    "DEVICE_WATTS": 0.0,  # of a GPU board, or of a busy core, for the energy of a job; 0: docs/speed.md
    "GPU_JOBS": 1,  # of one GPU worker, side by side: one is marked and encoded while the next is sampled
    "WARM_UP": True,  # workers load what the first job would load, as soon as they start
    "MODEL_REGISTRY": None,  # a folder of registry entries of your own, beside the shipped ones
    # Who enlarges pictures for `enhance: upscale2` (docs/compose.md).
    "UPSCALERS": {
        "default": {"CLASS": "byline.generation.enhance.upscaling.ClassicUpscaler", "CONFIG": {}},
    },
    "INPUT_RETENTION_DAYS": 30.0,  # uploaded pictures, clips and songs are forgotten then (docs/controls.md)
    "VOICES": {
        "default": {"CLASS": "byline.generation.voices.espeak.EspeakVoice", "CONFIG": {}},
    },
    "SCRIPT_WRITERS": {
        "default": {"CLASS": "byline.generation.script.extractive.ExtractiveWriter", "CONFIG": {}},
    },
    "MUSIC": {
        "default": {"CLASS": "byline.generation.sound.music.ProceduralMusic", "CONFIG": {}},
    },
    "CAPTIONERS": {},  # image, video, merge -> {"CLASS", "CONFIG"}: who describes clips (docs/curation.md)
    "SEPARATORS": {},  # name -> {"CLASS", "CONFIG"}: voice from music in recordings (docs/sound.md)
    # Subjects from their backgrounds, and what is seen in pictures (docs/operations.md).
    "MATTES": {"default": {"CLASS": "byline.generation.operations.cutout.flat.FlatMatte", "CONFIG": {}}},
    "OBJECT_DETECTORS": {},  # name -> {"CLASS", "CONFIG"}; {}: naming objects is unavailable
    # Where C2PA signatures come from: a key-ring file, a PKCS#11 token or a command (docs/operator.md).
    "C2PA_SIGNER": {"CLASS": "byline.provenance.signers.KeyRingSigner", "CONFIG": {}},
    "C2PA_TSA_URL": "",  # an outside RFC 3161 authority, https only; "": the key ring's own
    # Which marks are written and looked for, one for pictures and one for speech (docs/detection.md).
    "WATERMARKERS": {
        "video": {"CLASS": "byline.provenance.marks.video.VideoMark", "CONFIG": {}},
        "audio": {"CLASS": "byline.provenance.marks.audio.AudioMark", "CONFIG": {}},
    },
    "FORENSIC_CLASSIFIERS": {},  # name -> {"CLASS", "CONFIG"}, further sources of POST /api/v1/detect
    "FAIRNESS": {},  # attributes, target shares and classifier; see byline/safety/fairness/attributes.py
    # Who looks at and listens to what was made, by role; see byline/safety/screen/base.py. A role without
    # an entry is "not checked", and the policy says whether that may be (docs/screening.md).
    "SCREENERS": {
        "frame_text": {"CLASS": "byline.safety.screen.ocr.Tesseract", "CONFIG": {}},
        "agreement": {"CLASS": "byline.safety.screen.agreement.StarterAgreement", "CONFIG": {}},
    },
    "MANIFEST": {},  # profile, producer, training, prompt; see byline/provenance/profiles.py
    "QUALITY": {},  # thresholds of agreement and motion; see byline/generation/quality/settings.py
    "KEEP_SHOTS_DAYS": 7.0,  # sealed shots of finished clips, for renditions and edits; 0: none are kept
    "LABELS": {},  # regimes whose labels are drawn, by brand; see byline/generation/compose/notices.py
    "FONT_DIRS": (),  # folders of fonts for scripts that a brand's font lacks, before the system's own
    "BRANDS": {},  # name -> brand kit, beside those shipped in byline/generation/brands/
    "VERIFY_MAX_BYTES": 200 * 1024 * 1024,
    "VERIFY_MAX_SECONDS": 60.0,
    # Hosts whose files may be verified by address: exact names, "*.example.org", or "*" for any public one.
    "VERIFY_URL_HOSTS": (),
    "PUBLIC_BASE_URL": "http://localhost:8000",
}


def get(name: str) -> Any:
    """The value of one setting. KeyError for a name that is not in `DEFAULTS`: a programming error."""
    from django.conf import settings

    default = DEFAULTS[name]
    return getattr(settings, "BYLINE", {}).get(name, default)


def home() -> Path:
    """Root of the installation's private files."""
    return Path(get("HOME"))

"""Brand kits: how a clip is dressed. Data, validated when loaded, never code.

A kit is a YAML file below `kits/` or an entry of the setting BRANDS (name -> the same mapping, or the
path of a YAML file), which wins over a shipped kit of the same name. The "AI-generated" label is not
part of a kit: a brand cannot move, shrink or hide it.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml

from byline.audit.base import conf
from byline.audit.base.errors import ConfigurationError, InvalidInput

if TYPE_CHECKING:
    from PIL import Image

DEFAULT = "byline"
_KITS = Path(__file__).with_name("kits")
FONTS = Path(__file__).with_name("fonts")
_NAME = re.compile(r"^[a-z0-9][a-z0-9-]{0,40}$")
_CONTRAST = 4.5  # WCAG 2.2, 1.4.3
NOT_STATED = "not stated"
_LOGO_SIDE = 4096
RGB = tuple[int, int, int]


class UnknownBrand(InvalidInput):
    code = "unknown_brand"
    help = "Use one of the installation's brand kits."


@dataclass(frozen=True)
class Brand:
    """A validated kit. Seconds are of the clip; `end_seconds` 0 means no end card."""

    name: str
    wordmark: str
    primary: RGB
    accent: RGB
    text: RGB
    title_style: Literal["lower-third", "none"]
    title_seconds: float
    burn_captions: bool
    end_text: str
    end_seconds: float
    regular_font: Path
    bold_font: Path
    licence: str = NOT_STATED
    font_licence: str = NOT_STATED
    sha256: str = ""  # of the kit as it was configured
    intro_text: str = ""
    intro_seconds: float = 0.0  # 0: no opening card
    grade: float = 0.5  # how far `enhance: colour` leans the picture towards the brand's colours
    lut: Path | None = None  # a .cube file instead
    logo: Path | None = None  # a PNG instead of the wordmark in the corner

    def read_logo(self) -> "Image.Image":
        """The logo as RGBA. ConfigurationError for a kit without one, or a file that is no small PNG."""
        from PIL import Image

        try:
            with Image.open(self.logo or "", formats=["PNG"]) as picture:
                if max(picture.size) > _LOGO_SIDE:
                    raise ConfigurationError(f"brand {self.name!r}: the logo is over {_LOGO_SIDE} pixels")
                return picture.convert("RGBA")
        except OSError as error:
            raise ConfigurationError(f"brand {self.name!r}: the logo cannot be read as a PNG") from error


@dataclass(frozen=True)
class Input:
    """One thing that the drawing is made from, for the manifest. `licence` is in the kit's own words."""

    title: str
    licence: str
    role: str
    sha256: str


def names() -> list[str]:
    """Every brand of this installation, sorted."""
    return sorted({path.stem for path in _KITS.glob("*.yaml")} | set(conf.get("BRANDS")))


def load(name: str = DEFAULT) -> Brand:
    """The kit called `name`. UnknownBrand; ConfigurationError naming the wrong key of the kit."""
    configured: Mapping[str, Any] = conf.get("BRANDS")
    source: Any = configured.get(name)
    if source is None:
        source = _KITS / f"{name}.yaml"
        if not _NAME.match(name) or not source.is_file():
            raise UnknownBrand(f"there is no brand {name[:40]!r}; there are: {', '.join(names())}")
    where = f"brand {name!r}"
    base = Path.cwd()
    if isinstance(source, str | Path):
        base = Path(source).parent
        try:
            source = yaml.safe_load(Path(source).read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as error:
            raise ConfigurationError(f"{where}: cannot read {source}: {error}") from error
    return parse(name, source, base=base, where=where)


def inputs(brand: Brand) -> list[Input]:
    """The kit, its fonts and its files, with licence and SHA-256; what it says is in the picture for all."""
    found = [Input(f"brand kit {brand.name}", brand.licence, "wordmark, colours and end card", brand.sha256)]
    for font in dict.fromkeys((brand.regular_font, brand.bold_font)):
        digest = hashlib.sha256(font.read_bytes()).hexdigest()
        found.append(Input(f"font {font.stem}", brand.font_licence, "typeface", digest))
    for role, file in (("logo", brand.logo), ("look-up table for colours", brand.lut)):
        if file is not None:
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            found.append(Input(f"{role} {file.name}", brand.licence, role, digest))
    return found


def parse(name: str, kit: Any, *, base: Path, where: str) -> Brand:
    """Validate one kit; relative font paths are relative to `base`."""
    sections = {
        "wordmark",
        "logo",
        "colours",
        "title",
        "captions",
        "intro",
        "end_card",
        "grade",
        "fonts",
        "licence",
    }
    top = _section(kit, sections, where)
    colours = _section(top.get("colours"), {"primary", "accent", "text"}, f"{where}, colours")
    title = _section(top.get("title", {}), {"style", "seconds"}, f"{where}, title")
    captions = _section(top.get("captions", {}), {"burn"}, f"{where}, captions")
    end = _section(top.get("end_card", {}), {"text", "seconds"}, f"{where}, end_card")
    intro = _section(top.get("intro", {}), {"text", "seconds"}, f"{where}, intro")
    grade = _section(top.get("grade", {}), {"strength", "lut"}, f"{where}, grade")
    fonts = _section(top.get("fonts", {}), {"regular", "bold", "licence"}, f"{where}, fonts")
    own_fonts = {"regular", "bold"} & set(fonts)
    brand = Brand(
        name=name,
        wordmark=_text(top, "wordmark", where, "", 24),
        primary=_colour(colours, "primary", where),
        accent=_colour(colours, "accent", where),
        text=_colour(colours, "text", where),
        title_style=_choice(title, "style", where, ("lower-third", "none")),  # type: ignore[arg-type]
        title_seconds=_number(title, "seconds", where, 3.0, 1.0, 10.0),
        burn_captions=_flag(captions, "burn", where, default=True),
        end_text=_text(end, "text", where, "", 120),
        end_seconds=_number(end, "seconds", where, 0.0, 0.0, 6.0),
        regular_font=_font(fonts, "regular", where, base, "OpenSans-Semibold.ttf"),
        bold_font=_font(fonts, "bold", where, base, "OpenSans-Bold.ttf"),
        licence=_licence(top, where, NOT_STATED),
        font_licence=_licence(fonts, f"{where}, fonts", NOT_STATED if own_fonts else "Apache-2.0"),
        intro_text=_text(intro, "text", where, "", 120),
        intro_seconds=_number(intro, "seconds", where, 0.0, 0.0, 6.0),
        grade=_number(grade, "strength", where, 0.5, 0.0, 1.0),
        lut=_file(grade["lut"], "grade.lut", where, base) if "lut" in grade else None,
        logo=_file(top["logo"], "logo", where, base) if "logo" in top else None,
        sha256=hashlib.sha256(json.dumps(kit, sort_keys=True, default=str).encode()).hexdigest(),
    )
    for key, colour in (("primary", brand.primary), ("accent", brand.accent)):
        other = brand.text if key == "primary" else brand.primary
        if contrast(colour, other) < (_CONTRAST if key == "primary" else 3.0):
            raise ConfigurationError(f"{where}: too little contrast between {key} and what sits on it")
    return brand


def contrast(one: RGB, other: RGB) -> float:
    """Contrast ratio of two sRGB colours, 1..21 (WCAG 2.2)."""

    def luminance(colour: RGB) -> float:
        parts = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in colour]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _section(value: Any, keys: set[str], where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ConfigurationError(f"{where}: expected a mapping with {sorted(keys)}")
    unknown = sorted(str(key) for key in value if key not in keys)
    if unknown:
        raise ConfigurationError(f"{where}: unknown {unknown}; known are {sorted(keys)}")
    return value


def _text(section: Mapping[str, Any], key: str, where: str, default: str, longest: int) -> str:
    value = section.get(key, default)
    if not isinstance(value, str) or len(value) > longest:
        raise ConfigurationError(f"{where}: {key} must be a text of at most {longest} characters")
    return value


def _licence(section: Mapping[str, Any], where: str, default: str) -> str:
    value = _text(section, "licence", where, default, 200)
    if not value.strip() or not value.isprintable():
        raise ConfigurationError(f"{where}: licence must be an SPDX id or one line of text")
    return value


def _colour(section: Mapping[str, Any], key: str, where: str) -> RGB:
    value = section.get(key)
    if not isinstance(value, str) or not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
        raise ConfigurationError(f"{where}: colours.{key} must be a quoted #rrggbb")
    return int(value[1:3], 16), int(value[3:5], 16), int(value[5:7], 16)


def _choice(section: Mapping[str, Any], key: str, where: str, choices: tuple[str, ...]) -> str:
    value = section.get(key, choices[0])
    if value not in choices:
        raise ConfigurationError(f"{where}: {key} must be one of {choices}")
    return str(value)


def _number(
    section: Mapping[str, Any], key: str, where: str, default: float, low: float, high: float
) -> float:
    value = section.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ConfigurationError(f"{where}: {key} must be a number from {low} to {high}")
    return float(value)


def _flag(section: Mapping[str, Any], key: str, where: str, *, default: bool) -> bool:
    value = section.get(key, default)
    if not isinstance(value, bool):
        raise ConfigurationError(f"{where}: {key} must be true or false")
    return value


def _font(section: Mapping[str, Any], key: str, where: str, base: Path, default: str) -> Path:
    value = section.get(key)
    return FONTS / default if value is None else _file(value, f"fonts.{key}", where, base)


def _file(value: Any, key: str, where: str, base: Path) -> Path:
    path = base / str(value)
    if not path.is_file():
        raise ConfigurationError(f"{where}: {key}: no file {path}")
    return path

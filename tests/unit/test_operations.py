"""The operations on an engine that draws: what each one keeps, measures and says."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import operations_kit as kit
import pytest
from operations_kit import DrawingEngine, brief

from byline.audit.base.errors import InvalidInput
from byline.generation.engines.base import Operation
from byline.generation.operations import OPERATIONS, Brief, Inputs, Made, chain, make, masks, measures
from byline.generation.operations.depicted import DepictedPerson
from byline.provenance.actions import ACTIONS, SOURCE_TYPES

SIZE = (128, 72)
CLIP = kit.scene(1, 16, SIZE)  # a second, at twice the engine's speed
MASK = np.zeros(SIZE[::-1], np.uint8)
MASK[16:50, 34:80] = 255
SONG = kit.clicks(120, 4)[0], 22_050
ALL = Inputs(
    first=CLIP[0], last=CLIP[-1], clip=CLIP, clip_fps=16, mask=MASK, references=(CLIP[5],), song=SONG
)
CONTROLS: dict[str, dict[str, Any]] = {
    "expand_canvas": {"aspect": "1:1"},
    "infill": {"missing_from": 0.4, "missing_to": 0.7},
}


def inputs_for(name: str) -> Inputs:
    """What the operation needs and takes, and nothing else."""
    spec = OPERATIONS[name]
    wanted = {one for names in (*spec.required, *spec.optional) for one in names.split("|")}
    given = {field: getattr(ALL, field) for field in wanted}
    if "clip" in wanted:
        given |= {"clip_fps": ALL.clip_fps}
    return Inputs(**given)


def run(
    name: str, engine: DrawingEngine | None = None, inputs: Inputs | None = None, **controls: Any
) -> Made:
    seconds = controls.pop("seconds", LASTS.get(name, 1.0))
    wanted = brief(seconds, **(CONTROLS.get(name, {}) | controls))
    given = inputs_for(name) if inputs is None else inputs
    return make(name, engine or DrawingEngine(), wanted, given, lambda f: None, lambda: None)


LASTS = {"extend": 2.0}  # a second more than the clip
RUNS = sorted(set(OPERATIONS) - {"list_objects"})  # that one needs a model, see test_operations_cutout.py


@pytest.mark.parametrize("name", RUNS)
def test_every_operation_gives_frames_facts_and_rising_progress_and_repeats_them(name: str) -> None:
    seen: list[float] = []
    wanted, given = brief(LASTS.get(name, 1.0), **CONTROLS.get(name, {})), inputs_for(name)
    made = make(name, DrawingEngine(noise=3), wanted, given, seen.append, lambda: None)
    assert all(shot.dtype == np.uint8 and shot.ndim == 4 and shot.shape[3] == 3 for shot in made.shots)
    assert made.fps > 0
    assert seen == sorted(seen)
    assert seen[-1] == 1
    facts = json.loads(json.dumps(dict(made.facts)))
    assert facts["operation"] == name
    assert facts["digital_source_type"] in SOURCE_TYPES
    assert facts["made_by"]
    own = any(getattr(given, field) is not None for field in ("first", "last", "clip"))
    assert facts["drawn"] is not (own or bool(given.references))
    again = make(name, DrawingEngine(noise=3), wanted, given, lambda f: None, lambda: None)
    assert all(np.array_equal(a, b) for a, b in zip(made.shots, again.shots, strict=True))
    assert made.facts == again.facts


@pytest.mark.parametrize(
    "name",
    ["text_to_video", "still", "image_to_video", "extend", "video_to_video", "restyle", "modify_region"],
)
def test_another_seed_gives_others(name: str) -> None:
    engine, wanted = DrawingEngine(noise=3), CONTROLS.get(name, {})
    made = [
        make(
            name,
            engine,
            brief(LASTS.get(name, 1.0), seed=seed, **wanted),
            inputs_for(name),
            lambda f: None,
            lambda: None,
        )
        for seed in (3, 4)
    ]
    assert not all(np.array_equal(a, b) for a, b in zip(made[0].shots, made[1].shots, strict=True))


class Cancelled(Exception):
    pass


@pytest.mark.parametrize("name", RUNS)
def test_every_operation_stops_when_it_is_cancelled(name: str) -> None:
    calls = 0

    def cancel() -> None:
        nonlocal calls
        calls += 1
        if calls > 1:  # not only before the work begins
            raise Cancelled

    with pytest.raises(Cancelled):
        make(
            name,
            DrawingEngine(),
            brief(LASTS.get(name, 1.0), **CONTROLS.get(name, {})),
            inputs_for(name),
            lambda f: None,
            cancel,
        )


@pytest.mark.parametrize("name", sorted(OPERATIONS))
def test_the_specification_can_stand_in_a_manifest(name: str) -> None:
    spec = OPERATIONS[name]
    assert spec.action in ACTIONS
    assert spec.source_type in SOURCE_TYPES
    assert spec.says.endswith(".")
    assert spec.opens == (spec.action != "c2pa.created")


@pytest.mark.parametrize("name", sorted(n for n, spec in OPERATIONS.items() if spec.required))
def test_missing_inputs_are_named(name: str) -> None:
    with pytest.raises(InvalidInput, match="needs") as caught:
        run(name, inputs=Inputs())
    assert all(one.split("|")[0] in str(caught.value) for one in OPERATIONS[name].required)


def test_an_unknown_operation_is_refused() -> None:
    with pytest.raises(InvalidInput):
        make("teleport", DrawingEngine(), brief(), Inputs(), lambda f: None, lambda: None)


# ---------------------------------------------------------------- continuing


def test_the_first_frame_is_the_given_picture() -> None:
    made = run("image_to_video", DrawingEngine(noise=8))
    assert made.facts["first_frame_ssim_of_model"] < made.facts["first_frame_ssim"] == 1.0
    assert made.facts["led_by_picture"]


def test_a_model_without_pictures_gets_a_cross_fade_and_the_facts_say_so() -> None:
    words_only = DrawingEngine((Operation.TEXT_TO_VIDEO,))
    noise = np.random.default_rng(0).integers(0, 256, CLIP[0].shape, dtype=np.uint8)
    made = run("image_to_video", words_only, Inputs(first=noise))
    assert made.facts["led_by_picture"] is False
    assert made.facts["anchor"] == "cross-fade"
    assert made.facts["first_frame_ssim"] == 1.0
    assert made.facts["first_frame_ssim_of_model"] < 0.5


def test_first_and_last_frame_are_the_given_pictures() -> None:
    made = run("first_last_frame", DrawingEngine(noise=4))
    assert made.facts["first_frame_ssim"] > 0.99
    assert made.facts["last_frame_ssim"] == 1.0
    with pytest.raises(InvalidInput, match="last frame"):
        run("first_last_frame", DrawingEngine(controls=("prompt", "image")))


def test_an_extended_clip_begins_with_the_clip_and_goes_on_without_a_jump() -> None:
    made = run("extend", seconds=1.75)
    (shot,) = made.shots
    assert np.array_equal(shot[: len(CLIP)], CLIP)
    assert len(shot) == len(CLIP) + round(0.75 * 16)
    assert made.facts["continuity"] >= measures.CONTINUOUS
    assert made.facts["continuity"] == round(measures.continuity(CLIP, shot[len(CLIP) :]), 3)


def test_a_long_clip_is_chained_and_has_its_length() -> None:
    engine = DrawingEngine()
    made = run("long_video", engine, Inputs(), seconds=4)
    assert len(made.shots[0]) == 32
    assert len(made.facts["links"]) == -(-(32 - kit.FRAMES) // (kit.FRAMES - chain.KNOWN))
    assert made.facts["worst_continuity"] >= measures.CONTINUOUS
    assert len({task.seed for task in engine.tasks}) == len(engine.tasks)


def test_a_broken_seam_is_made_again_at_most_twice_and_every_try_is_counted() -> None:
    once = run("long_video", DrawingEngine(breaks=1), Inputs(), seconds=1.6)
    assert once.facts["retries"] == 1
    assert once.facts["broken_seams"] == 0
    always = run("long_video", DrawingEngine(breaks=99), Inputs(), seconds=1.6)
    assert always.facts["retries"] == 2
    assert always.facts["broken_seams"] == 1
    assert [link["tries"] for link in always.facts["links"]] == [3]


@pytest.mark.parametrize("operations", [(Operation.IMAGE_TO_VIDEO,), (Operation.TEXT_TO_VIDEO,), ()])
def test_the_facts_name_how_a_link_was_led(operations: tuple[Operation, ...]) -> None:
    engine = DrawingEngine(operations)
    if not operations:
        with pytest.raises(InvalidInput):
            run("extend", engine)
        return
    by = {link["by"] for link in run("extend", engine).facts["links"]}
    assert by == {"last frame" if operations[0] is Operation.IMAGE_TO_VIDEO else "words alone"}


def test_an_extension_is_longer_than_the_clip() -> None:
    with pytest.raises(InvalidInput, match="longer"):
        run("extend", seconds=0.5)


@pytest.mark.parametrize("name", sorted(n for n, spec in OPERATIONS.items() if spec.lasts and n in RUNS))
def test_it_lasts_as_long_as_the_specification_says(name: str) -> None:
    made = run(name)
    lasting = {"clip": len(CLIP) / 16, "clip+seconds": 2.0}.get(OPERATIONS[name].lasts, 1.0)
    assert sum(len(shot) for shot in made.shots) / made.fps == pytest.approx(lasting, abs=1 / made.fps)


def test_too_long_is_refused() -> None:
    for name, given in (("long_video", Inputs()), ("extend", Inputs(clip=CLIP, clip_fps=16))):
        with pytest.raises(InvalidInput):
            run(name, inputs=given, seconds=600)


# ---------------------------------------------------------------- between


def test_interpolation_doubles_the_frames_and_keeps_those_that_were_there() -> None:
    made = run("interpolate", inputs=Inputs(clip=CLIP, clip_fps=16))
    assert made.fps == 32
    assert len(made.shots[0]) == 2 * len(CLIP)
    assert np.array_equal(made.shots[0][::2], CLIP)
    assert made.facts["made_by"] == "optical flow"
    assert made.facts["digital_source_type"] == "algorithmicallyEnhanced"


def test_moved_frames_are_nearer_to_the_truth_than_a_blend() -> None:
    smooth = kit.scene(2, 33, SIZE)[8:25]
    made = run("interpolate", inputs=Inputs(clip=smooth[::2], clip_fps=8)).shots[0]
    truth, ours = smooth[1:-1:2], made[1:-2:2]
    blend = (smooth[:-2:2].astype(int) + smooth[2::2] + 1) // 2
    assert measures.psnr(ours, truth) > measures.psnr(blend.astype(np.uint8), truth) + 1


def test_infilled_frames_leave_the_others_alone() -> None:
    for method in ("motion", "model"):
        made = run("infill", inputs=Inputs(clip=CLIP, clip_fps=16), method=method)
        (shot,) = made.shots
        assert np.array_equal(shot[:6], CLIP[:6])
        assert np.array_equal(shot[11:], CLIP[11:])
        assert made.facts["frames"] == 5
        assert (made.facts["made_by"] == "model") == (method == "model")


@pytest.mark.parametrize("gap", [(0.0, 0.5), (0.5, 9.0), (0.8, 0.4), (None, 0.5)])
def test_a_gap_lies_inside_the_clip(gap: tuple[float | None, float]) -> None:
    with pytest.raises(InvalidInput):
        run("infill", inputs=Inputs(clip=CLIP, clip_fps=16), missing_from=gap[0], missing_to=gap[1])


# ---------------------------------------------------------------- editing


@pytest.mark.parametrize("material", ["clip", "first"])
def test_outside_the_mask_not_one_grey_level_changes(material: str) -> None:
    given = {"clip": Inputs(clip=CLIP, clip_fps=16, mask=MASK), "first": Inputs(first=CLIP[0], mask=MASK)}
    made = run("modify_region", inputs=given[material])
    own = CLIP if material == "clip" else CLIP[:1]
    assert np.array_equal(made.shots[0][:, MASK == 0], own[:, MASK == 0])
    assert made.facts["outside_psnr"] == 99.0
    assert not np.array_equal(made.shots[0], own)
    assert made.fps == (16 if material == "clip" else kit.FPS)


@pytest.mark.parametrize("operation", [Operation.EDIT, Operation.VIDEO_TO_VIDEO])
def test_the_facts_say_whether_the_model_saw_the_surroundings(operation: Operation) -> None:
    made = run("modify_region", DrawingEngine((operation,)), Inputs(clip=CLIP, clip_fps=16, mask=MASK))
    assert ("around" in made.facts["made_by"]) == (operation is Operation.EDIT)
    assert made.facts["outside_psnr"] == 99.0


def test_a_larger_canvas_keeps_the_picture() -> None:
    made = run("expand_canvas", inputs=Inputs(clip=CLIP, clip_fps=16), aspect="1:1")
    (shot,) = made.shots
    assert shot.shape[1] == shot.shape[2]
    larger, mask = masks.extended(CLIP, (1, 1))
    assert np.array_equal(shot[:, mask == 0], larger[:, mask == 0])


@pytest.mark.parametrize("aspect", [None, "wide", "0:1", "99:1", "16:9"])
def test_a_canvas_needs_an_aspect_that_adds_something(aspect: str | None) -> None:
    with pytest.raises(InvalidInput):
        run("expand_canvas", inputs=Inputs(clip=CLIP, clip_fps=16), aspect=aspect)


def test_a_long_clip_is_redrawn_in_windows_without_seams() -> None:
    long = kit.scene(1, 30, SIZE)
    engine = DrawingEngine()
    made = run("video_to_video", engine, Inputs(clip=long, clip_fps=8))
    assert len(made.shots[0]) == 30
    assert len(engine.tasks) > 3
    changes = measures.steps(made.shots[0])
    assert changes.max() < 6 * max(1.0, float(np.median(changes)))


def test_an_edit_is_carried_to_every_frame() -> None:
    edited = CLIP[0].copy()
    edited[:14] = (250, 160, 60)
    made = run("propagate_edit", inputs=Inputs(clip=CLIP, clip_fps=16, first=edited))
    (shot,) = made.shots
    assert np.array_equal(shot[0], edited)
    assert np.abs(shot[-1][:8].astype(int) - (250, 160, 60)).mean() < 25
    assert np.abs(shot[-1][60:].astype(int) - CLIP[-1][60:]).mean() < 2
    with pytest.raises(InvalidInput):
        run("propagate_edit", inputs=Inputs(clip=CLIP, clip_fps=16, first=edited[:40]))


# ---------------------------------------------------------------- rhythm


@pytest.mark.parametrize("tempo", [72, 100, 150])
def test_pictures_change_on_the_beat(tempo: float) -> None:
    sound, times = kit.clicks(tempo, 6)
    plain = tuple(np.full((72, 128, 3), colour, np.uint8) for colour in ((200, 40, 40), (40, 40, 200)))
    made = run("music_cuts", inputs=Inputs(song=(sound, 22_050), references=plain), seconds=6)
    (shot,) = made.shots
    assert len(shot) == 6 * made.fps
    change = measures.steps(shot)
    seen = 1 + np.flatnonzero(change > 5 * max(1.0, float(np.median(change))))
    stated = np.round(np.array(made.facts["cuts_s"]) * made.fps).astype(int)
    assert len(stated) >= 3
    assert set(stated) <= set(seen)  # where it says that it cuts, the pictures do change
    assert all(np.abs(times * made.fps - cut).min() <= 1 for cut in stated)


def test_given_pictures_are_cut_between() -> None:
    others = tuple(kit.scene(seed, 1, SIZE)[0] for seed in (5, 6, 7))
    made = run("music_cuts", inputs=Inputs(song=SONG, references=others), seconds=4)
    assert made.facts["sources"] == 3
    assert made.facts["digital_source_type"] == "compositeWithTrainedAlgorithmicMedia"
    assert measures.ssim(made.shots[0][0], others[0][:, 1:-1]) > 0.8


def test_the_picture_swells_with_the_song() -> None:
    rate = 8_000
    loud = np.repeat([0.05, 0.9, 0.05, 0.9], rate) * np.sin(np.arange(4 * rate))
    still = np.repeat(kit.scene(1, 1, SIZE), 20, axis=0)
    given = Inputs(song=(loud.astype(np.float32), rate), clip=still, clip_fps=8)
    made = run("audio_pulse", inputs=given, seconds=4)
    light = made.shots[0].reshape(len(made.shots[0]), -1).mean(axis=1)
    assert made.facts["loudness_correlation"] > 0.8
    assert np.corrcoef(light, np.repeat([0.05, 0.9, 0.05, 0.9], 24))[0, 1] > 0.8


# ---------------------------------------------------------------- who is depicted


@pytest.mark.parametrize("name", ["image_to_video", "video_to_video", "modify_region", "restyle"])
def test_nobodys_demographics_are_changed_on_a_real_picture(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from byline.generation.operations import depicted

    looked: list[int] = []
    engine = DrawingEngine()

    def attempt(prompt: str, face: bool) -> None:
        monkeypatch.setattr(depicted, "_face", lambda pictures: looked.append(len(pictures)) or face)
        wanted = Brief(prompt, "", 1, LASTS.get(name, 1.0), CONTROLS.get(name, {}))
        make(name, engine, wanted, inputs_for(name), lambda f: None, lambda: None)

    with pytest.raises(DepictedPerson):
        attempt("make her look Asian", face=True)
    with pytest.raises(DepictedPerson):
        attempt("as a young Black man", face=True)
    assert not engine.tasks
    attempt("as a young Black man", face=False)  # a picture of nobody
    looked.clear()
    attempt("a storm over the sea", face=True)
    assert not looked  # no words that could change anybody: nobody was looked for


def test_a_face_that_could_not_be_looked_for_counts_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from byline.safety.screen import faces

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no detector")

    monkeypatch.setattr(faces, "faces", broken)
    with pytest.raises(DepictedPerson):
        make(
            "restyle",
            DrawingEngine(),
            brief(prompt="as a young Black man"),
            Inputs(first=CLIP[0]),
            print,
            lambda: None,
        )


def test_a_real_face_is_seen() -> None:
    from skimage import data

    picture = np.ascontiguousarray(data.astronaut()[:256, 64:400])
    with pytest.raises(DepictedPerson):
        make(
            "restyle", DrawingEngine(), brief(prompt="turn her into a man"), Inputs(first=picture),
            lambda f: None, lambda: None,
        )  # fmt: skip

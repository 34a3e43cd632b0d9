"""What an app does around inference, timed by the agent on pictures and a runtime's outputs."""

import json
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image

from edgebench.agent import answer
from edgebench.agent.stages import DECODE, LEAST, NO_PILLOW, NORMALIZE, POSTPROCESS, RESIZE, WARM_UP
from edgebench.tasks import classification, detection
from edgebench.tasks.detection import boxes

SIDE, CLASSES, PICTURES = 32, 10, 3
BEFORE = (DECODE, RESIZE, NORMALIZE)
PLAIN = {"divisor": 255.0, "mean": [0.5, 0.5, 0.5], "deviation": [0.5, 0.5, 0.5], "grey": False}
RECIPE = {"name": "whole", "first": "crop", "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}


def jpeg(size: tuple[int, int] = (224, 160)) -> bytes:
    file = BytesIO()
    Image.new("RGB", size, (200, 30, 90)).save(file, "JPEG")
    return file.getvalue()


def request(place: Path, task: str = "classification", *files: bytes) -> dict[str, Any]:
    """A request of the stages around a network that computes nothing, with these files of pictures."""
    values = {"classification": classification, "detection": detection}[task].values(CLASSES, SIDE)
    (place / "net.json").write_text(json.dumps({"delay_s": 0.0, "classes": values}))
    encoded = {f"picture{at}": numpy.frombuffer(content, numpy.uint8) for at, content in enumerate(files)}
    numpy.savez(place / "pictures.npz", pixels=numpy.zeros((PICTURES, 3, SIDE, SIDE), numpy.uint8), **encoded)
    return {
        "do": "measure", "purpose": "stages", "runtime": "null", "path": str(place / "net.json"), "threads": 1,
        "batch": 4, "options": [], "pictures": str(place / "pictures.npz"), "task": task, "values": values,
        "classes": CLASSES, "resolution": SIDE, "recipe": RECIPE, "normalization": PLAIN, "of_pictures": PLAIN,
    }  # fmt: skip


def stages(asked: dict[str, Any]) -> dict[str, Any]:
    given = answer(asked)
    assert given["ok"], given
    found: dict[str, Any] = given["value"]["stages"]
    assert found["images"] == PICTURES
    for times in found["took_s"].values():
        assert len(times) >= LEAST - WARM_UP and min(times) >= 0
    return found


@pytest.mark.lengthy
@pytest.mark.parametrize("task", ["classification", "detection"])
def test_every_stage_is_timed_where_there_are_files_of_pictures(place: Path, task: str) -> None:
    found = stages(request(place, task, *[jpeg()] * PICTURES))
    assert [*found["took_s"]] == [*BEFORE, POSTPROCESS]
    assert found["lacks"] == {}


@pytest.mark.lengthy
def test_without_files_only_the_answer_is_timed_and_its_thresholds_are_told(place: Path) -> None:
    found = stages(request(place, "detection"))
    assert [*found["took_s"]] == [POSTPROCESS]
    assert (found["lacks"], found["settings"]) == ({}, {"score": boxes.SCORE, "iou": boxes.OVERLAP})


@pytest.mark.lengthy
def test_without_pillow_the_reason_is_told_and_the_answer_is_timed(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = request(place, "detection", *[jpeg()] * PICTURES)
    monkeypatch.setitem(sys.modules, "PIL", None)
    found = stages(asked)
    assert (found["lacks"], [*found["took_s"]]) == (dict.fromkeys(BEFORE, NO_PILLOW), [POSTPROCESS])


@pytest.mark.lengthy
def test_a_picture_that_cannot_be_decoded_there_is_a_reason_too(place: Path) -> None:
    found = stages(request(place, "classification", *[b"no picture"] * PICTURES))
    assert set(found["lacks"]) == set(BEFORE) and "cannot identify image file" in found["lacks"][DECODE]
    assert [*found["took_s"]] == [POSTPROCESS]


@pytest.mark.lengthy
def test_pictures_of_several_sizes_and_grey_networks_are_timed(place: Path) -> None:
    asked = request(place, "classification", jpeg((32, 200)), jpeg((500, 40)), jpeg((33, 33)))
    asked |= {"recipe": RECIPE | {"first": "resize", "crop": 0.875}}
    asked |= dict.fromkeys(("normalization", "of_pictures"), PLAIN | {"grey": True})
    assert len(stages(asked)["took_s"]) == 4

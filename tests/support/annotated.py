"""Scenes in folders, as COCO, VOC and YOLO keep them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy
from PIL.Image import fromarray

from edgebench.images.datasets import scenes

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

SIDE = scenes.SIDE


draw = cache(scenes.draw)  # tests of three layouts need the same scenes, and change none of them


def drawn(count: int, split: str = "test") -> list[scenes.Scene]:
    return [draw(split, index) for index in range(count)]


def pictures(folder: Path, of: list[scenes.Scene], start: int = 0) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"{start + place:04}.png" for place in range(len(of))]
    for name, scene in zip(names, of, strict=True):
        fromarray(scene.pixels).save(folder / name)
    return names


def runs(inside: NDArray[Any]) -> dict[str, Any]:
    """The run lengths of a mask, down the columns."""
    flat = numpy.concatenate([[False], inside.T.ravel(), [False]])
    ends = numpy.flatnonzero(flat[1:] != flat[:-1])
    counts = numpy.diff(numpy.concatenate([[0], ends, [inside.size]])).tolist()
    return {"size": list(inside.shape), "counts": counts if counts[-1] else counts[:-1]}


def packed(counts: list[int]) -> str:
    """COCO's compressed form of run lengths."""
    text = ""
    for place, count in enumerate(counts):
        value, more = count - (counts[place - 2] if place > 2 else 0), True
        while more:
            digit = value & 0x1F
            value >>= 5
            more = value != (-1 if digit & 0x10 else 0)
            text += chr((digit | 0x20 * more) + 48)
    return text


def entries(scene: scenes.Scene) -> list[tuple[int, list[float], NDArray[Any]]]:
    """Class, box and the pixels of each digit."""
    truth = scene.truth
    assert truth.boxes is not None and truth.mask is not None
    found = []
    for label, box in zip(truth.classes.tolist(), truth.boxes.tolist(), strict=True):
        left, top, right, bottom = map(int, box)
        inside = numpy.zeros(truth.mask.shape, bool)
        inside[top:bottom, left:right] = truth.mask[top:bottom, left:right] == label + 1
        found.append((label, box, inside))
    return found


def coco(place: Path, of: list[scenes.Scene], *, compress: bool = False, gap: int = 3) -> dict[str, Any]:
    """Write COCO's layout; the ids of the categories have gaps. Return the content of the JSON."""
    names = pictures(place / "val", of)
    images = [{"id": 100 + at, "file_name": name, "width": SIDE, "height": SIDE} for at, name in enumerate(names)]
    annotations = list[dict[str, Any]]()
    for at, scene in enumerate(of):
        for label, (left, top, right, bottom), inside in entries(scene):
            mask = runs(inside)
            mask |= {"counts": packed(mask["counts"])} if compress else {}
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": 100 + at,
                    "category_id": 1 + gap * label,
                    "bbox": [left, top, right - left, bottom - top],
                    "segmentation": mask,
                    "iscrowd": 0,
                }
            )
    categories = [{"id": 1 + gap * label, "name": f"digit {label}"} for label in range(10)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (place / "annotations").mkdir(exist_ok=True)
    (place / "annotations" / "instances_val.json").write_text(json.dumps(content))
    return content


def voc(place: Path, of: list[scenes.Scene]) -> None:
    names = pictures(place / "JPEGImages", of)
    (place / "Annotations").mkdir()
    (place / "SegmentationClass").mkdir()
    for name, scene in zip(names, of, strict=True):
        objects = "".join(
            f"<object><name>{label}</name><difficult>0</difficult><bndbox><xmin>{left + 1:g}</xmin>"
            f"<ymin>{top + 1:g}</ymin><xmax>{right:g}</xmax><ymax>{bottom:g}</ymax></bndbox></object>"
            for label, (left, top, right, bottom), _ in entries(scene)
        )
        size = f"<size><width>{SIDE}</width><height>{SIDE}</height><depth>3</depth></size>"
        text = f"<annotation><filename>{name}</filename>{size}{objects}</annotation>"
        (place / "Annotations" / name).with_suffix(".xml").write_text(text)
        assert scene.truth.mask is not None
        picture = fromarray(scene.truth.mask, "P")
        picture.putpalette(bytes(range(256)) * 3)
        picture.save(place / "SegmentationClass" / name)
    (place / "classes.txt").write_text("\n".join(map(str, range(10))))


def yolo(place: Path, of: list[scenes.Scene]) -> None:
    names = pictures(place / "images" / "val", of)
    (place / "labels" / "val").mkdir(parents=True)
    for name, scene in zip(names, of, strict=True):
        lines = []
        for label, (left, top, right, bottom), _ in entries(scene):
            centre = (left + right) / 2 / SIDE, (top + bottom) / 2 / SIDE
            lines.append(
                f"{label} {centre[0]:.8f} {centre[1]:.8f} {(right - left) / SIDE:.8f} {(bottom - top) / SIDE:.8f}"
            )
        (place / "labels" / "val" / name).with_suffix(".txt").write_text("\n".join(lines))
    (place / "data.yaml").write_text("path: .\nnc: 10\nnames:\n" + "".join(f"  {n}: d{n}\n" for n in range(10)))


WRITERS: dict[str, Callable[[Path, list[scenes.Scene]], Any]] = {"coco": coco, "voc": voc, "yolo": yolo}

"""What is taken of a row: its very file, a card, and a script whose answers are the harness's own."""

import hashlib
import json
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest
from PIL import Image

from edgebench.agent import open_session
from edgebench.analysis.take import take
from edgebench.deploy import Deployed
from edgebench.export import custom, export
from edgebench.export.custom import data
from edgebench.foundation import cache
from edgebench.foundation.errors import RequestError
from edgebench.foundation.shelf import load
from edgebench.images import catalogue, splits
from edgebench.images.loader import Images
from edgebench.images.preprocessing import PRESETS, frame
from edgebench.networks.custom import channels
from edgebench.schema.artifact import Artifact
from edgebench.schema.cards import CustomModel
from edgebench.schema.case import Case
from edgebench.schema.runtime import Runtime
from edgebench.schema.variant import Variant
from edgebench.tasks import detection
from tests.analysis.test_export_script import (
    DATA,
    MODULES,
    OF_OPENVINO,
    agents,
    imported,
    keep,
    row_of,
    row_of_shelf,
    text_of,
    usual,
)
from tests.conftest import needs_torch
from tests.export.test_custom_onnx import write
from tests.export.test_custom_tflite import build
from tests.export.test_parts import decoder, encoder
from tests.hostile import flat
from tests.hostile.test_any_model import TFLITE, deployed, request, written
from tests.support.command import cli
from tests.support.scripts import names_of

pytestmark = pytest.mark.slow  # each script opens a model, and some run in processes of their own

LOW = 1e-9  # score of a box: the weights are random
CLASSES = ("an owl", "bee", "cat", "dög", "eel")


def photos(place: Path) -> None:
    """Two pictures per class, of several sizes and modes."""
    random = numpy.random.default_rng(0)
    for number, name in enumerate(CLASSES * 8):
        size = (20 + 7 * number, 90 - 2 * number, 3)
        (place / "photos" / name).mkdir(parents=True, exist_ok=True)
        picture = Image.fromarray(random.integers(0, 256, size, numpy.uint8))
        modes = ("RGB", "L", "RGBA", "P")
        picture.convert(modes[number % len(modes)]).save(place / "photos" / name / f"{number}.png")


def of_photos(card: CustomModel, runtime: str, preset: str) -> Case:
    """The row of a classifier on a folder of pictures, with its file in the cache."""
    pytest.importorskip(MODULES[runtime])
    known, engine = catalogue.adopt("image_folder:photos"), load("runtimes", runtime)
    own = replace(
        deployed(card).variant, dataset=known.name, dataset_sha256=known.sha256, dataset_classes=known.classes,
    )  # fmt: skip
    own = replace(own, preprocessing=own.preprocessing if "raw" in str(own.preprocessing) else PRESETS[preset])
    used = Runtime(name=runtime, version=engine.version(), options=usual(runtime))
    case = Case(variant=own, runtime=used, target="cpu", threads=1, batch=1)
    keep(case, export(own, engine.FORMAT, lambda _: None))
    return case


def file_of(images: Images, index: int) -> Path:
    """The file of a test image."""
    root: Path = images.pictures.root  # type: ignore[attr-defined]
    return root / images.pictures.name(int(images.kept[index]))


def taken(case: Case, folder: str = "taken") -> Path:
    take(f"results/mine:{case.variant}", Path(folder))
    return Path(folder)


def case_format(case: Case) -> str:
    return str(load("runtimes", case.runtime.name).FORMAT)


def of_harness(case: Case, own: Variant, count: int, values: int) -> tuple[Images, Any]:
    """The first test images, and the values that the harness's session makes of them."""
    (kept,) = (cache.path_of(one) for one in cache.cards(Artifact) if one.of == own and one.format == case_format(case))
    where = Deployed(variant=own, path=str(kept), sha256="")
    session = open_session(json.loads(json.dumps(where.request(case.runtime, 1, 1))))
    images = splits.split(own, "test", channels(own))
    inputs = [images.read([index]) for index in range(count)]
    return images, [numpy.frombuffer(session.infer(image.data, image.shape, classes=values), "<f4") for image in inputs]


@pytest.mark.parametrize(
    ("name", "preset", "runtime"),
    [
        ("planes.onnx", "torchvision", "onnxruntime"),
        ("planes.onnx", "tf_1000", "openvino"),
        ("planes.onnx", "caffe", "onnxruntime"),
        ("pixels.onnx", "torchvision", "onnxruntime"),
        ("pixels.onnx", "torchvision", "openvino"),
        ("float.tflite", "tf_1000", "litert"),
        ("unit.tflite", "torchvision", "litert"),
        ("int8u.tflite", "torchvision", "litert"),
    ],
)
def test_the_script_of_a_classifier_answers_as_the_harness_does(
    place: Path, name: str, preset: str, runtime: str
) -> None:
    photos(place)
    is_pixels = name == "pixels.onnx"
    if name.endswith(".tflite"):
        path = build(place / name) if name == "float.tflite" else DATA / name
    else:
        path = write(place / name, *((("n", 8, 8, 3),) if is_pixels else ()), dtype="UINT8" if is_pixels else "FLOAT")
    case = of_photos(custom.adopt(str(path), ""), runtime, preset)
    script = names_of(taken(case) / "run.py")
    images, wanted = of_harness(case, case.variant, 6, case.variant.classes)
    session = script["opened"]()
    for index, values in enumerate(wanted):
        file = file_of(images, index)
        with Image.open(file) as image:
            made = script["outputs_of"](session, script["_upright"](image))
        numpy.testing.assert_array_equal(made, values)
        names = CLASSES if case.variant.classes == len(CLASSES) else [*map(str, range(case.variant.classes))]
        assert script["likeliest"](made)[0][0] == names[int(values.argmax())]


def test_a_script_runs_in_a_process_of_its_own_on_numpy_pillow_and_its_runtime(place: Path) -> None:
    photos(place)
    write(place / "net.onnx")
    case = of_photos(custom.adopt("net.onnx", ""), "onnxruntime", "torchvision")
    done = cli("take", f"results/mine:{case.variant}", "taken")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [f"taken/{name}" for name in ("model.onnx", "run.py", "card.json", "card.md")]
    text = Path("taken/run.py").read_text()
    assert imported(text) == {"numpy", "onnxruntime", "PIL"}
    images, (values, _) = of_harness(case, case.variant, 2, 5)
    name = file_of(images, 0)
    ran = subprocess.run([sys.executable, "-I", "taken/run.py", str(name)], capture_output=True, text=True, check=True)
    shares = numpy.exp(values.astype("f8") - values.max())
    order = numpy.argsort(-shares, kind="stable")
    expected = [f"{name}\t{CLASSES[place]}\t{shares[place] / shares.sum():.6f}" for place in order]
    assert ran.stdout.splitlines() == expected and not ran.stderr


def test_the_card_has_the_file_s_hash_its_preprocessing_in_numbers_and_its_classes(place: Path) -> None:
    photos(place)
    write(place / "net.onnx")
    case = of_photos(custom.adopt("net.onnx", ""), "onnxruntime", "caffe")
    folder = taken(case)
    card = json.loads((folder / "card.json").read_text())
    (kept,) = (one for one in cache.cards(Artifact) if one.of == case.variant)
    assert (folder / "model.onnx").read_bytes() == cache.path_of(kept).read_bytes()
    hashes = {file["file"]: file["sha256"] for file in card["files"]}
    assert hashes["model.onnx"] == kept.sha256
    assert hashes["run.py"] == hashlib.sha256((folder / "run.py").read_bytes()).hexdigest()
    (steps,) = card["preprocessing"]
    assert (steps["first"], steps["shorter_side_pixels"], steps["side_pixels"]) == ("resize", 256, 8)
    assert (steps["channels"], steps["divisor"], steps["mean"]) == ("BGR", 1.0, [103.939, 116.779, 123.68])
    assert [entry["name"] for entry in card["classes"]] == [*CLASSES]
    assert card["inputs"] == [{"name": "image", "type": "float32", "shape": "[n]x3x8x8"}]
    assert card["expected"][0]["p50_ms"] == 1.0 and card["expected"][0]["p50_low_ms"] == 1.0
    page = (folder / "card.md").read_text()
    assert kept.sha256 in page and "latency, p50" in page and "103.939" in page


SOME = ("bfloat16", "float16", "no input", "several outputs", "inputs of several types", "an input that is an output")


@pytest.mark.parametrize("name", SOME)
def test_the_script_of_any_onnx_graph_makes_what_the_agent_does(place: Path, name: str) -> None:
    made_alike(row_of(written(place, name)[0]))


@pytest.mark.parametrize("name", OF_OPENVINO)
def test_the_script_of_any_onnx_graph_for_openvino_makes_what_the_agent_does(place: Path, name: str) -> None:
    made_alike(row_of(written(place, name)[0], "openvino"))


@pytest.mark.parametrize("name", TFLITE)
def test_the_script_of_any_tflite_graph_makes_what_the_agent_does(place: Path, name: str) -> None:
    graphs, signature, wanted, _ = TFLITE[name]
    flat.write_graphs(place / "net.tflite", graphs)
    made_alike(row_of(custom.adopt(f"net.tflite{signature}", wanted), "litert"))


def made_alike(case: Case) -> None:
    script = names_of(taken(case) / "run.py")
    if not case.variant.feed:
        pytest.skip("a classifier of pictures")
    wanted, made = agents(case, text_of(case)), script["outputs_of"](script["inputs"]())
    assert made.keys() == wanted.keys() or (made.keys() < wanted.keys() and "bfloat16" in str(case.variant.feed))
    for name, values in made.items():
        numpy.testing.assert_array_equal(values, wanted[name])
    ports = json.loads(Path("taken/card.json").read_text())
    assert {port["name"] for port in ports["outputs"]} >= {re.sub(r"\s", " ", name) for name in made} or not made


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_the_script_of_several_parts_makes_what_the_agent_does(place: Path, runtime: str) -> None:
    card = custom.adopt(f"{encoder(place)}|{decoder(place)}", "")
    case = row_of(card, runtime)
    script = names_of(taken(case) / "run.py")
    fed, own = script["inputs"](), request(card, runtime)
    session = open_session(own)
    session.run()
    numpy.testing.assert_array_equal(script["outputs_of"](fed)["mask"], session.outputs()["mask"])
    (kept,) = (one for one in cache.cards(Artifact) if one.of == case.variant)
    assert Path("taken/model.zip").read_bytes() == cache.path_of(kept).read_bytes()
    ports = json.loads(Path("taken/card.json").read_text())
    assert [port["name"] for port in ports["outputs"]] == ["encoder.onnx: latent", "decoder.onnx: mask"]
    numpy.savez("mine.npz", **{name: values + 1 for name, values in fed.items()})
    ran = subprocess.run([sys.executable, "-I", "taken/run.py", "mine.npz"], capture_output=True, text=True, check=True)
    first = script["outputs_of"]({name: values + 1 for name, values in fed.items()})["mask"].ravel()[:5].tolist()
    assert ran.stdout.strip().endswith(f"begins with {first}")


def test_a_model_fed_a_folder_s_arrays_takes_them_along(place: Path) -> None:
    card, _ = written(place, "inputs of several types")
    (place / "fed").mkdir()
    numpy.save(place / "fed" / "x.npy", numpy.array([[1, 2, 3, 4]], "f4"))
    numpy.save(place / "fed" / "mask.npy", numpy.array([[True, False, True, False]]))
    taken(row_of(card, fed=data.adopt("fed", card)))
    ran = subprocess.run([sys.executable, "-I", "taken/run.py"], capture_output=True, text=True, check=True)
    assert ran.stdout == "output 'y' float32 [1, 4] begins with [1.0, 0.0, 3.0, 0.0]\n"


@needs_torch
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino", "ncnn"])
def test_the_script_of_a_detector_finds_the_harness_s_boxes_in_the_picture_s_own_pixels(
    place: Path, runtime: str
) -> None:
    case = row_of_shelf(runtime, "mobilenet_v1_det", dataset="scenes", resolution=64)
    own = case.variant
    script = names_of(taken(case) / "run.py")
    files = {"model.bin", "model.param"} if runtime == "ncnn" else {"model.onnx"}
    assert {path.name for path in Path("taken").iterdir()} == files | {"run.py", "card.json", "card.md"}
    images, wanted = of_harness(case, own, 3, detection.values(10, 64))
    for index, values in enumerate(wanted):
        picture = images.pictures.picture(index)
        made = script["outputs_of"](script["opened"](), picture)
        numpy.testing.assert_array_equal(made, values)
        (boxes,) = detection.decode(values[None], 10, 64, LOW)
        found = script["found"](made, picture.size, LOW)
        left, top, right, bottom = frame(picture.size, images.recipe, 64)
        sides = numpy.array((right - left, bottom - top) * 2)
        assert boxes.scores.tolist() == [score for _, score, _ in found] and len(found)
        numpy.testing.assert_array_equal([place for *_, place in found], boxes.boxes * sides)
    picture.save("scene.png")
    command = [sys.executable, "-I", "taken/run.py", "--score", str(LOW), "scene.png"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.startswith("scene.png\t")


def test_a_file_that_left_the_cache_is_refused_with_the_command_that_makes_it(place: Path) -> None:
    write(place / "net.onnx", ("n", 3, 16, 16))
    case = row_of(custom.adopt("net.onnx", ""))
    for kept in cache.cards(Artifact):
        if kept.of == case.variant:
            cache.path_of(kept).unlink()
    done = cli("take", f"results/mine:{case.variant}", "taken")
    assert done.returncode == 2 and not Path("taken").exists()
    assert done.stderr.strip().endswith(
        "found none with its hash; make it again with `edgebench run --model net.onnx --precision fp32"
        " --runtime onnxruntime --target cpu`"
    )


def test_a_folder_with_other_files_is_refused_and_one_of_its_own_written_again(place: Path) -> None:
    write(place / "net.onnx")
    case = row_of(custom.adopt("net.onnx", ""))
    written = {path.name for path in taken(case).iterdir()}
    assert {path.name for path in taken(case).iterdir()} == written
    Path("taken/notes.txt").write_text("mine")
    with pytest.raises(RequestError, match="wanted a new or an empty folder, found notes.txt in taken"):
        taken(case)
    take(f"results/mine:{case.variant}")
    assert {path.name for path in Path("net.onnx-1@8-fp32").iterdir()} == written


def test_choose_prints_the_command_that_takes_its_choice(place: Path) -> None:
    write(place / "net.onnx")
    rows = [replace(row_of(custom.adopt("net.onnx", "")), threads=threads) for threads in (1, 2)]
    keep(rows[1], next(one for one in cache.cards(Artifact) if one.of == rows[1].variant))
    done = cli("choose", "results/mine", "--objective", "latency", "--json")
    options = [json.loads(done.stdout)[name] for name in ("chosen", "runner_up")]
    for option in options:
        made = cli(*shlex.split(option["take"])[1:], f"taken{option['configuration']}")
        assert made.returncode == 0, made.stderr
    assert {option["take"][-10:-1] for option in options} == {"threads=1", "threads=2"}
    shown = " ".join(cli("choose", "results/mine", "--objective", "latency").stdout.split())
    assert f"a card that describes it and a script that runs it: {options[0]['take']}" in shown

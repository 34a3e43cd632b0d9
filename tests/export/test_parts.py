"""Several files of one deployment are loaded together and run one after the other, each timed."""

from __future__ import annotations

import json
from collections.abc import Callable
from csv import DictReader
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy
import onnxruntime
import pytest

from edgebench.agent import open_session
from edgebench.agent.feed import arrays
from edgebench.analysis.export_script import script
from edgebench.export import custom
from edgebench.export.custom.inspect import inspect
from edgebench.export.custom.parts import Piece, adopt, linked, total, weighted
from edgebench.foundation import cache
from edgebench.foundation.errors import RequestError
from edgebench.results.measurement import summarize
from edgebench.results.reports import csv
from edgebench.results.table.columns import flat as columns
from edgebench.results.table.row import Table
from edgebench.results.table.rows import row
from edgebench.schema import names
from edgebench.schema.cards import CustomModel
from edgebench.schema.feed import Feed, Input, Link
from edgebench.schema.variant import Precision
from tests.conftest import case, run
from tests.hostile import flat
from tests.hostile.flat import Flat, Graph
from tests.hostile.graphs import floats, node
from tests.hostile.test_any_model import F, Port, request, save
from tests.results.test_measurement import evidence
from tests.support.command import cli

ENCODER = ([node("Conv", ["image", "w"], "c", pads=[1] * 4), node("Relu", ["c"], "latent")], {"w": floats(4, 3, 3, 3)})
DECODER = ([node("Conv", ["latent", "w"], "m"), node("Mul", ["m", "scale"], "mask")], {"w": floats(2, 4, 1, 1)})


def here(name: str, asked: str) -> CustomModel:
    """Adopt a file in this process, without a child that bounds it."""
    path = names.file_and_function(name)[0]
    card = cache.find(custom.keep(path, names.title(name), asked, ""), CustomModel)
    assert card
    return card


def encoder(place: Path, side: int | str = 8) -> Path:
    nodes, held = ENCODER
    return save(place / "encoder.onnx", nodes, [("image", F, ["n", 3, side, side])], [("latent", F, None)], held)


def decoder(place: Path, taken: str = "latent", side: int | str = 8) -> Path:
    nodes, held = DECODER
    nodes = [node("Identity", [taken], "latent"), *nodes] if taken != "latent" else nodes
    taken_in: list[Port] = [(taken, F, ["n", 4, side, side]), ("scale", F, [1])]
    return save(place / "decoder.onnx", nodes, taken_in, [("mask", F, None)], held)


def both(place: Path, taken: str = "latent", side: int | str = 8, asked: str = "") -> CustomModel:
    return adopt(f"{encoder(place, side)}|{decoder(place, taken, side)}", asked, here)


def session_of(card: CustomModel, batch: int = 1, runtime: str = "onnxruntime") -> Any:
    return open_session(request(card, runtime, batch))


@pytest.mark.parametrize(
    ("name", "is_custom", "is_file", "title"),
    [
        ("a.onnx", True, True, "a.onnx"),
        ("x/a.onnx|y/b.onnx", True, True, "a.onnx|b.onnx"),
        ("x/a.tflite:encode | a.tflite:decode", True, True, "a.tflite:encode|a.tflite:decode"),
        ("a.onnx|", True, False, "a.onnx|"),
        ("a.py:f|b.onnx", True, False, "a.py:f|b.onnx"),
        ("mobilenet_v1", False, False, "mobilenet_v1"),
        ("a|b", False, False, "a|b"),
    ],
)
def test_the_kind_of_a_name_is_that_of_all_its_parts(name: str, is_custom: bool, is_file: bool, title: str) -> None:
    assert (names.is_custom(name), names.is_model_file(name), names.title(name)) == (is_custom, is_file, title)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("a.onnx|", "wanted a file on both sides"),
        ("|a.onnx", "wanted a file on both sides"),
        ("a.onnx||b.onnx", "wanted a file on both sides"),
        ("a.onnx| ", "wanted a file on both sides"),
        ("a.onnx|b.tflite", "wanted files of one format"),
        ("a.onnx|nets.py:f", r"found nets\.py:f; convert it"),
        ("a.onnx|b", "found b; convert it"),
        ("|".join(["a.onnx"] * 9), "at most 8 files"),
        ("a.onnx|b.onnx", r"nothing is at a\.onnx\|b\.onnx"),
    ],
)
def test_parts_that_cannot_be_are_refused(name: str, why: str, place: Path) -> None:
    with pytest.raises(RequestError, match=why):
        custom.adopt(name, "")
    assert "\n" not in custom.refused(name, why).refused


@pytest.mark.lengthy
@pytest.mark.parametrize("content", [b"junk" * 50, b"", None])
def test_a_part_that_cannot_be_opened_is_named(content: bytes | None, place: Path) -> None:
    path = encoder(place)
    if content is not None:
        (place / "bad.onnx").write_bytes(content)
    for name in (f"{path}|bad.onnx", f"bad.onnx|{path}"):
        with pytest.raises(RequestError, match=r"bad\.onnx"):
            adopt(name, "", custom.adopt if content is None else here)


@pytest.mark.lengthy
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("taken", ["latent", "z"])
def test_parts_compute_what_they_compute_one_by_one(taken: str, batch: int, place: Path) -> None:
    card = both(place, taken)
    assert card.feed and card.feed.parts[1].links == (
        Link(input=taken, part=0, output="latent", by="name" if taken == "latent" else "shape"),
    )
    session = session_of(card, batch)
    for _ in range(4):
        session.run()
    image = session.sessions[0]._values["image"].numpy()
    scale = session.sessions[1]._values["scale"].numpy()
    (latent,) = onnxruntime.InferenceSession(place / "encoder.onnx").run(None, {"image": image})
    (mask,) = onnxruntime.InferenceSession(place / "decoder.onnx").run(None, {taken: latent, "scale": scale})
    assert image.shape[0] == batch
    numpy.testing.assert_array_equal(session.outputs()["mask"], mask)
    assert {*session.facts()} >= {"part_1_s", "part_2_s"} and len(session.took_s) == 4
    assert all(float(session.facts()[f"part_{place}_s"]) > 0 for place in (1, 2))


def test_an_open_input_takes_the_shape_of_the_output_that_it_takes(place: Path) -> None:
    card = both(place, side="side", asked="image:1x3x6x6")
    assert card.feed and card.feed.sizes == "1x3x6x6+1"
    session = session_of(card)
    session.run()
    assert session.outputs()["mask"].shape == (1, 2, 6, 6)
    with pytest.raises(RequestError, match=r"encoder\.onnx: input image is .* give its size"):
        both(place, side="side")


def test_an_option_for_an_input_of_no_part_is_refused(place: Path) -> None:
    with pytest.raises(RequestError, match="none of its files has input 'other'"):
        both(place, asked="other:1x3")


def test_costs_are_summed_and_the_copy_is_the_same_each_time(place: Path) -> None:
    card, again = both(place), both(place)
    alone = [here("encoder.onnx", ""), here("decoder.onnx", "")]
    assert (card.params, card.macs) == tuple(sum(getattr(one, name) for one in alone) for name in ("params", "macs"))
    assert card == again and card.batch == 0 and card.precision == Precision.FP32
    with ZipFile(cache.path_of(card)) as packed:
        assert packed.namelist() == ["0.onnx", "1.onnx"]
        assert packed.read("1.onnx") == cache.path_of(alone[1]).read_bytes()


Make = Callable[[], Piece]  # the test makes its pieces, because a card is kept in the cache


def piece(*inputs: tuple[str, str, tuple[int, ...]], **outputs: tuple[str, tuple[int, ...]]) -> Make:
    def make() -> Piece:
        entries = tuple(Input(name=name, dtype=dtype, shape=shape, low=0.0, high=1.0) for name, dtype, shape in inputs)
        card = replace(custom.refused("piece.onnx", "it stands for a part"), feed=Feed(inputs=entries))
        return Piece(card=card, inputs=entries, outputs=outputs)

    return make


X = ("x", "float32", (1, 4))
Y = ("y", "float32", (1, 4))


@pytest.mark.parametrize(
    ("first", "second", "links", "fed"),
    [
        (piece(X, y=Y[1:]), piece(Y), [("y", "y", "name")], ["x"]),
        (piece(X, z=Y[1:]), piece(Y), [("y", "z", "shape")], ["x"]),
        (piece(X, z=("float32", (0, 4))), piece(Y), [("y", "z", "shape")], ["x"]),
        (piece(X, z=Y[1:], w=Y[1:]), piece(Y), [], ["x", "y"]),  # two outputs fit, and none has the name
        (piece(X, y=("int64", (1, 4))), piece(Y), [], ["x", "y"]),
        (piece(X, y=("float32", (1, 5))), piece(Y), [], ["x", "y"]),
        (piece(X, y=("float32", (4,))), piece(Y), [], ["x", "y"]),
        (piece(X, z=Y[1:]), piece(X), [("x", "z", "shape")], ["x"]),
        (piece(X, x=Y[1:]), piece(X), [("x", "x", "name")], ["x"]),
        (piece(X, z=("int64", (1,))), piece(X), [], ["x"]),  # both take the same
        (piece(X), piece(("x", "float32", (1, 5))), [], ["x", "two:x"]),
        (piece(), piece(), [], []),
    ],
)  # fmt: skip
def test_inputs_take_outputs_by_name_then_by_type_and_shape(
    first: Make, second: Make, links: list[tuple[str, str, str]], fed: list[str], place: Path
) -> None:
    feed = linked(["one", "two"], [first(), second()])
    assert [(link.input, link.output, link.by) for link in feed.parts[1].links] == links
    assert [entry.name for entry in feed.inputs] == fed
    assert all(f"two:{name} takes one:{output}" in str(feed) for name, output, _ in links)


def test_sums_of_what_is_not_known_are_not_known() -> None:
    assert (total([1, 2]), total([1, None]), total([])) == (3, None, 0)
    assert (weighted([(1, 0.0), (3, 100.0)]), weighted([(1, None), (3, 1.0)]), weighted([(0, 1.0)])) == (75, None, None)


def test_mixed_precisions_are_int8_whose_float_parts_are_named(place: Path) -> None:
    alone = here(str(encoder(place)), "")
    int8 = replace(alone, precision=Precision.INT8, integer_share=100.0, float_nodes=("a",))

    def adopted(name: str, asked: str) -> CustomModel:
        return int8 if "encoder" in name else here(name, asked)

    card = adopt(f"{encoder(place)}|{decoder(place)}", "", adopted)
    assert card.precision == Precision.INT8 and card.float_nodes == ("encoder.onnx:a", "decoder.onnx")
    assert card.integer_share is not None and 0 < card.integer_share < 100


SIGNED = [
    Graph(tensors=[Flat(name="x", shape=(1, 6)), Flat(name="code", shape=(1, 6))], inputs=["x"],
          operators=[(flat.ABS, ["x"], ["code"])], outputs=["code"], signature="encode"),
    Graph(tensors=[Flat(name=one, shape=(1, 6)) for one in ("code", "bias", "image")],
          operators=[(flat.ADD, ["code", "bias"], ["image"])], inputs=["code", "bias"],
          outputs=["image"], signature="decode"),
]  # fmt: skip


@pytest.mark.parametrize("runtime", ["litert", "tflite_runtime"])
@pytest.mark.parametrize("name", ["net.tflite:encode|net.tflite:decode", "a.tflite|b.tflite"])
def test_parts_of_tflite_are_files_or_signatures(name: str, runtime: str, place: Path) -> None:
    pytest.importorskip("ai_edge_litert" if runtime == "litert" else "tflite_runtime")
    flat.write_graphs(place / "net.tflite", SIGNED)
    for file, graph in zip(("a.tflite", "b.tflite"), SIGNED, strict=True):
        flat.write_graphs(place / file, [replace(graph, signature="")])
    card = custom.adopt(name, "")
    assert card.format == "tflite" and card.feed and [entry.name for entry in card.feed.inputs] == ["x", "bias"]
    session = session_of(card, runtime=runtime)
    session.run()
    values = {
        entry: arrays(json.loads(json.dumps(request(card, runtime)["feed"])), 1)[entry] for entry in ("x", "bias")
    }
    numpy.testing.assert_allclose(session.outputs()["image"], abs(values["x"]) + values["bias"], rtol=1e-6)
    assert "delegate" in session.facts()


def feed_of_two() -> Feed:
    return linked(["one.onnx", "two.onnx"], [piece(X, y=Y[1:])(), piece(Y)()])


def test_a_row_has_the_median_of_each_part(place: Path) -> None:
    of = case(replace(case().variant, feed=feed_of_two(), classes=0, resolution=0))
    times = (("0.001", "0.002"), ("0.002", "0.004"), ("0.003", "0.009"))
    runs = [run(case=of, conditions={"part_1_s": one, "part_2_s": two}) for one, two in times]
    found = replace(evidence(*runs), case=of)
    made = row(found, summarize(found))
    assert columns(made)["parts"] == {"one.onnx": 2.0, "two.onnx": 4.0}
    (written,) = DictReader(StringIO(csv.render(Table(title="t", rows=(made,), notes=()))))
    assert written["parts"] == "one.onnx=2.0; two.onnx=4.0"


def test_a_row_of_one_file_has_no_parts() -> None:
    made = row(evidence(run()), summarize(evidence(run())))
    assert columns(made)["parts"] is None


def test_what_is_of_one_file_is_refused_in_one_line(place: Path) -> None:
    with pytest.raises(RequestError, match=r"wanted one file to inspect, found a\.onnx\|b\.onnx; inspect each"):
        inspect("a.onnx|b.onnx")


@pytest.mark.slow
def test_the_whole_way_of_two_files(place: Path) -> None:
    encoder(place)
    decoder(place)
    words = ("--precision", "fp32,int8", "--preset", "quick", "--name", "two", "--json")
    done = cli("run", "--model", "encoder.onnx|decoder.onnx", *words)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)["rows"]
    for measured in rows:
        assert [*measured["parts"]] == ["encoder.onnx", "decoder.onnx"]
        assert sum(measured["parts"].values()) == pytest.approx(measured["p50_ms"], rel=0.5)
        assert measured["peak_mib"] and "decoder.onnx:latent takes encoder.onnx:latent" in measured["inputs"]
    (rounded,) = [row for row in rows if row["precision"] == "int8"]  # the faster of the two rows comes first
    assert "decoder.onnx:mask" in rounded["reasons"] and rounded["sqnr_db"] > 20
    name = "encoder.onnx|decoder.onnx@1x3x8x8+1/fp32"
    why = cli("why", f"results/two:{name}")
    assert why.returncode == 0 and "the row has the time of each part" in why.stdout
    with pytest.raises(RequestError, match="wanted a row of one model file"):
        script(f"results/two:{name}")
    for command in (("choose", "results/two"), ("compare", "results/two", "results/two"), ("report", "results/two")):
        assert not cli(*command).stderr

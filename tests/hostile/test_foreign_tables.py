"""Tables that others made are read in their own spelling, or it is said what could not be; never silence."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

from edgebench.analysis import lint
from edgebench.analysis.lint import dialect, names, reading
from edgebench.analysis.lint.rules import CheckedRow
from edgebench.foundation.errors import EdgebenchError, RequestError
from tests.support.command import cli

INT8 = (
    "INT8",
    "int8",
    "Int-8",
    "uint8",
    "W8A8",
    "w8a8",
    "quantized",
    "Quantised",
    "QUANT",
    "8-bit",
    "qint8",
    "full-integer",
)
FP32 = ("FP32", "float32", "Float", "fp-32", "f32", "single", "32bit")
UNKNOWN = ("int4", "W4A16", "fp8", "mixed", "best", "?", "int16")


def rules(path: Path, columns: str = "") -> set[tuple[str, tuple[int, ...]]]:
    return {(finding.rule, finding.lines) for finding in lint.review(path, columns).findings}


def written(place: Path, text: str, encoding: str = "utf-8") -> Path:
    (place / "t.csv").write_bytes(text.encode(encoding))
    return place / "t.csv"


def table(place: Path, *rows: str) -> Path:
    return written(place, "\n".join(["architecture,width,resolution,precision,p50_ms", *rows, ""]))


@pytest.mark.parametrize(("fp32", "int8"), [*product(FP32, INT8[:1]), *product(FP32[:1], INT8)])
def test_slow_int8_is_found_however_both_are_spelt(fp32: str, int8: str, place: Path) -> None:
    assert rules(table(place, f"net,1,224,{fp32},10", f"net,1,224,{int8},20")) == {("int8 is slower", (3, 2))}


@pytest.mark.parametrize("word", [*UNKNOWN, ""])
def test_an_unknown_precision_is_a_finding(word: str, place: Path) -> None:
    path = table(place, "net,1,224,fp32,10", f"net,1,224,{word},20", f"net,0.5,224,{word},9")
    assert ("precision", (3, 4)) in rules(path)
    done = cli("lint", str(path))
    assert done.returncode == 1


def test_a_table_without_a_precision_says_so(place: Path) -> None:
    path = written(place, "architecture,width,resolution,p50_ms\nnet,1,224,10\n")
    assert any("No column has the precision" in note for note in lint.sheet(lint.review(path)).notes)


@pytest.mark.parametrize("heading", ["p50_us", "latency (us)", "Latency [s]", "fps", "images/s"])
def test_a_table_whose_times_are_not_read_says_so(heading: str, place: Path) -> None:
    path = written(place, f"architecture,width,resolution,precision,{heading},top1\nnet,1,224,fp32,10,60\n")
    assert lint.UNTIMED in lint.sheet(lint.review(path)).notes


@pytest.mark.parametrize(("cells", "is_said"), [(("0.6", "0.2"), True), (("0.6", "59"), False), (("60", "1"), False)])
def test_metrics_that_are_fractions_are_reported(cells: tuple[str, str], is_said: bool, place: Path) -> None:
    lines = [f"net,1,224,{precision},10,{cell}" for precision, cell in zip(("fp32", "int8"), cells, strict=True)]
    path = written(place, "\n".join(["architecture,width,resolution,precision,p50_ms,top1", *lines]))
    assert (lint.FRACTIONS in lint.sheet(lint.review(path)).notes) == is_said


NAMES = {
    "mlperf": {
        "mobilenet-v2-0.35-128-int8": ("mobilenet_v2", "0.35", "128", "int8"),
        "MobileNet-v1-1.0-224": ("mobilenet_v1", "1.0", "224", "fp32"),
        "mobilenet_v1_0.25_128_quant": ("mobilenet_v1", "0.25", "128", "int8"),
        "mobilenet-v3-large_224_1.0_float": ("mobilenet_v3_large", "1.0", "224", "fp32"),
        "resnet50-v1.5-INT8": ("resnet50", "1", "224", "int8"),
        "resnet50": ("resnet50", "1", "224", "fp32"),
    },
    "timm": {
        "mobilenetv2_050.lamb_in1k": ("mobilenet_v2", "0.5", "224", "fp32"),
        "mobilenetv2_110d.ra_in1k": ("mobilenetv2d", "1.1", "224", "fp32"),
        "mobilenetv1_100.ra4_e3600_r224_in1k": ("mobilenet_v1", "1", "224", "fp32"),
        "resnet50.a1_in1k": ("resnet50", "1", "224", "fp32"),
        "resnet50.a1_r160_in1k": ("resnet50", "1", "160", "fp32"),
        "tf_mobilenetv3_small_075.in1k": ("mobilenet_v3_small", "0.75", "224", "fp32"),
        "vit_base_patch16_384.augreg_in21k": ("vit_base_patch16", "1", "384", "fp32"),
        "vgg16_bn": ("vgg16_bn", "1", "224", "fp32"),
    },
    "ncnn": {
        "mobilenet": ("mobilenet_v1", "1", "224", "fp32"),
        "mobilenet_v2": ("mobilenet_v2", "1", "224", "fp32"),
        "squeezenet_int8": ("squeezenet", "1", "227", "int8"),
        "mobilenet_ssd_int8": ("mobilenet_ssd", "1", "300", "int8"),
        "vgg16_int8": ("vgg16", "1", "224", "int8"),
    },
    "{architecture}_a{percent}_r{resolution}[_{precision}]": {
        "MobileNetV2_a035_r96_W8A8": ("mobilenet_v2", "0.35", "96", "W8A8"),
        "net_a100_r224": ("net", "1", "224", ""),
    },
    "*/{architecture}-{width}@{resolution}": {"zoo/net-0.5@128": ("net", "0.5", "128", "")},
}


@pytest.mark.parametrize(
    ("pattern", "name", "parts"),
    [(pattern, name, parts) for pattern, known in NAMES.items() for name, parts in known.items()],
)
def test_a_whole_name_is_taken_apart(pattern: str, name: str, parts: tuple[str, ...]) -> None:
    read = names.pattern(pattern).read(name)
    assert read is not None
    found = tuple(read.get(field, "") for field in ("architecture", "width", "resolution", "precision"))
    precision = names.precision(found[-1]) if found[-1] else ""
    assert (*found[:-1], precision) == (*parts[:-1], names.precision(parts[-1]) if parts[-1] else "")


@pytest.mark.parametrize(
    ("pattern", "slow", "fast"),
    [
        ("mlperf", "mobilenet-v2-0.35-128-fp32", "mobilenet-v2-1.0-224-FP32"),
        ("timm", "mobilenetv2_050.lamb_in1k", "mobilenetv2_140.ra_in1k"),
        ("{architecture}_{percent}_{resolution}", "net_050_96", "net_100_96"),
    ],
)
def test_faults_are_found_in_a_column_of_whole_names(pattern: str, slow: str, fast: str, place: Path) -> None:
    path = written(place, f"model,latency\n{slow},20\n{fast},10\n")
    assert ("larger is faster", (2, 3)) in rules(path, f"model={pattern},p50_ms=latency")


def test_a_name_that_does_not_fit_is_a_finding(place: Path) -> None:
    path = written(place, "model,latency\nnet_050_96,20\nwhat is this,10\n")
    assert ("no number", (3,)) in rules(path, "model={architecture}_{percent}_{resolution},p50_ms=latency")


@pytest.mark.parametrize("pattern", ["", "resnet", "{width}", "{architecture}[", "{architecture}{architecture}", "("])
def test_a_pattern_that_names_no_network_is_refused(pattern: str, place: Path) -> None:
    path = written(place, "model,latency\nnet,20\n")
    with pytest.raises(EdgebenchError, match="wanted a pattern"):
        lint.review(path, f"model={pattern},p50_ms=latency")


def test_a_column_of_its_own_goes_before_what_a_name_says(place: Path) -> None:
    path = written(place, "model,img_size,latency\nresnet50.a1_in1k,128,20\nresnet50.a1_in1k,256,10\n")
    assert ("larger is faster", (2, 3)) in rules(path, "model=timm,resolution=img_size,p50_ms=latency")


SEPARATORS, ENCODINGS = (",", ";", "\t"), ("utf-8", "utf-8-sig", "utf-16", "utf-32")


@pytest.mark.parametrize(("separator", "encoding"), list(product(SEPARATORS, ENCODINGS)))
@pytest.mark.parametrize("decimal", [".", ","])
def test_a_spreadsheets_way_to_write_a_table_is_read(separator: str, encoding: str, decimal: str, place: Path) -> None:
    def line(*cells: str) -> str:
        return separator.join(f'"{cell}"' if separator in cell else cell for cell in cells)

    rows = [
        line("architecture", "width", "resolution", "precision", "p50_ms"),
        line("réseau", f"0{decimal}5", "224", "fp32", f"1234{decimal}5"),
        line("réseau", f"1{decimal}0", "224", "fp32", f"999{decimal}25"),
    ]
    path = written(place, "\r\n".join(rows), encoding)
    review = lint.review(path)
    assert {(finding.rule, finding.lines) for finding in review.findings} == {("larger is faster", (2, 3))}
    assert "réseau 0.5 @224" in review.findings[0].text


@pytest.mark.parametrize(
    ("cell", "separator", "value"),
    [
        ("12,5", ";", 12.5), ("1,234", ";", 1.234), ("1.234,5", ";", 1234.5), ("1,234.5", ";", 1234.5),
        ("0,123", ",", 0.123), ("12,5", ",", 12.5), (" 3.5 ", ",", 3.5), ("-1,5e3", "\t", -1500.0),
    ],
)  # fmt: skip
def test_a_number_is_what_it_was_meant_to_be(cell: str, separator: str, value: float) -> None:
    assert dialect.number(cell, separator) == value


@pytest.mark.parametrize(("cell", "separator"), [("1,234", ","), ("1,2,3", ";"), ("12 ms", ";"), ("1,234,567", ",")])
def test_a_number_that_may_be_two_is_none(cell: str, separator: str, place: Path) -> None:
    with pytest.raises(ValueError, match="two numbers|could not convert"):
        dialect.number(cell, separator)
    rows = [["architecture", "width", "resolution", "precision", "p50_ms"], ["net", "1", "224", "fp32", f'"{cell}"']]
    path = written(place, "\n".join(separator.join(row) for row in rows))
    assert rules(path) == {("no number", (2,))}


def test_a_heading_alone_is_refused_and_no_table_without_findings(place: Path) -> None:
    (place / "t.csv").write_text("width;resolution;precision;p50_ms\n\n")
    with reading.csv_rows(place / "t.csv", "") as (rows, _), pytest.raises(RequestError, match="found only a heading"):
        reading.read(rows)


def grids(path: Path, columns: str = "") -> set[tuple[str, tuple[int, ...]]]:
    """Return the network of each grid that rules look at, with the lines of its rows."""
    with reading.csv_rows(path, columns) as (rows, _):
        checked = reading.read(rows).entries.values()
    found = dict[object, list[CheckedRow]]()
    for row in checked:
        found.setdefault(row.grid, []).append(row)
    return {(some[0].architecture, tuple(row.line for row in some)) for some in found.values()}


# Tables as other tools write them: what is mapped, the lines, and which lines are one network's grid.
SHAPES: dict[str, tuple[str, tuple[str, ...], set[tuple[str, tuple[int, ...]]]]] = {
    "a plain column of models": (
        "",
        ("model,width,resolution,precision,p50_ms", "a,1,224,fp32,10", "b,1,224,fp32,20", "a,0.5,224,fp32,5"),
        {("a", (2, 4)), ("b", (3,))},
    ),
    "headings in other letters": (
        "",
        ("Model Name;Width;Resolution;Precision;P50 (ms)", "a;1;224;fp32;10", "b;1;224;fp32;20"),
        {("a", (2,)), ("b", (3,))},
    ),
    "family and member": (
        "",
        ("network,model,width,resolution,latency_ms", "vgg,11,1,224,10", "vgg,16,1,224,20"),
        {("vgg 11", (2,)), ("vgg 16", (3,))},
    ),
    "a heading that nobody knows": (
        "",
        ("candidate,alpha,rho,p50_ms,run", "a,1,224,10,1", "b,1,224,20,2", "b,0.5,224,20,3"),
        {("a", (2,)), ("b", (3, 4))},
    ),
    "commands, as hyperfine has them": (
        "p50_ms=median,mean_ms=mean",
        ("command,mean,stddev,median,width,resolution", "./a,10,1,10,1,224", "./b,20,1,20,1,224"),
        {("./a", (2,)), ("./b", (3,))},
    ),
    "ours between theirs": (
        "",
        ("architecture,model,width,resolution,p50_ms", "a,x,1,224,10", "b,x,1,224,20"),
        {("a", (2,)), ("b", (3,))},
    ),
    "one network without a name": (
        "", ("width,resolution,p50_ms", "1,224,10", "0.5,224,20"), {("", (2, 3))}
    ),
    "full names that fit no pattern, beside sizes": (
        "model={architecture}_{percent}_{resolution}",
        ("model,width,resolution,p50_ms", "a,1,224,10", "b,1,224,20", "c_050_96,1,224,20"),
        {("a", (2,)), ("b", (3,)), ("c", (4,))},
    ),
    "two recipes of one network": (
        "model=timm,p50_ms=latency",
        ("model,latency", "resnet50.a1_in1k,10", "resnet50.tv_in1k,11", "resnet50.a1_in1k,12"),
        {("resnet50", (2, 3))},
    ),
    "numbers that are no widths": (
        "model=timm,p50_ms=latency",
        ("model,latency", "regnetx_002.pycls_in1k,10", "regnetx_004.pycls_in1k,20", "levit_128.fb,5", "levit_192,6"),
        {("regnetx_002", (2,)), ("regnetx_004", (3,)), ("levit_128", (4,)), ("levit_192", (5,))},
    ),
    "MLPerf's": (
        "model=mlperf,p50_ms=ms",
        ("model\tms", "mobilenet-v2-0.35-128-int8\t1,5", "mobilenet-v1-0.35-128-int8\t2,5", "resnet50\t9,5"),
        {("mobilenet_v2", (2,)), ("mobilenet_v1", (3,)), ("resnet50", (4,))},
    ),
    "ncnn's": (
        "model=ncnn,p50_ms=avg",
        ("model,min,max,avg", "squeezenet,1,3,2", "squeezenet_int8,1,3,2", "squeezenet_ssd,4,6,5"),
        {("squeezenet", (2,)), ("squeezenet", (3,)), ("squeezenet_ssd", (4,))},
    ),
    "two devices and engines": (
        "",
        (
            "model,width,resolution,p50_ms,device,backend", "a,1,224,10,pi4,cpu", "a,0.5,224,20,pi5,cpu",
            "a,0.5,224,20,pi5,gpu",
        ),
        {("a", (2,)), ("a", (3,)), ("a", (4,))},
    ),
    "an unknown precision": (
        "",
        ("model,width,resolution,dtype,p50_ms", "a,1,224,int4,10", "a,1,224,fp32,20", "b,1,224,int4,30"),
        {("a", (2,)), ("a", (3,)), ("b", (4,))},
    ),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_rows_of_different_networks_are_never_one(shape: str, encoding: str, place: Path) -> None:
    columns, lines, wanted = SHAPES[shape]
    assert grids(written(place, "\r\n".join(lines), encoding), columns) == wanted


def test_what_names_the_networks_is_said(place: Path) -> None:
    path = written(place, "candidate,width,resolution,precision,p50_ms\na,1,224,fp32,9\n")
    assert any("The network is named by candidate" in note for note in lint.sheet(lint.review(path)).notes)
    path = written(place, "width,resolution,precision,p50_ms\n1,224,fp32,9\n")
    assert any("all rows count as one network" in note for note in lint.sheet(lint.review(path)).notes)


def test_rows_that_are_not_compared_are_counted(place: Path) -> None:
    path = written(place, "model,width,resolution,inputs,p50_ms\na,1,224,1x3x224x224,9\n")
    assert any("1 row is of a model without a width" in note for note in lint.sheet(lint.review(path)).notes)

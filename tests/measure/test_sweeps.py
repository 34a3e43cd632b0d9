"""Sweep files: read strictly, refused with file, line and key, and written so that they ask for the same again."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from edgebench.deploy.targets import catalogue
from edgebench.foundation import toml
from edgebench.foundation.errors import InvalidFile, UnknownName
from edgebench.foundation.units import parse_duration
from edgebench.measure.plan import sweeps
from edgebench.schema.sweep import Model, Sweep
from edgebench.schema.target import Target


def refused(text: str, path: Path) -> str:
    path.write_text(text)
    with pytest.raises(InvalidFile) as caught:
        sweeps.sweep(str(path))
    return str(caught.value).removeprefix(str(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("preset = 'quick'\nfoo = 1\n[[models]]\nname='a'", ":2: foo: unknown key"),
        ('[[models]]\nname="a"\n\n[[models]]\nname="b"\nwidht=[1]\n', ":6: models.1.widht: unknown key"),
        ('[[models]]\nname="a"\nwidths="x"\n', ":3: models.0.widths: Input should be a valid array, found 'x'"),
        ('threads=["a"]\n[[models]]\nname="a"\n', ":1: threads.0: Input should be a valid integer, found 'a'"),
        ('weights=1\n[[models]]\nname="a"\n', ":1: weights: Input should be a valid string, found 1"),
        ("[[models]]\nwidths=[1.0]", ":1: models.0.name: missing"),
        ("x = = 3", ": not TOML: Invalid value (at line 1, column 5)"),
        ("preset = 'quick'", ":1: models: missing"),
        ("resolutions = 2024-01-01\n[[models]]\nname='a'", ":1: resolutions: Input should be a valid array"),
    ],
)
def test_a_sweep_that_is_wrong_says_file_line_and_key(text: str, message: str, place: Path) -> None:
    assert refused(text, place / "my.toml").startswith(message)


def test_a_file_that_is_not_text_is_refused(place: Path) -> None:
    (place / "bad.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidFile, match="not TOML"):
        sweeps.sweep("bad.toml")


def test_a_missing_file_is_refused() -> None:
    with pytest.raises(InvalidFile, match=r"cannot read none\.toml: No such file"):
        sweeps.sweep("none.toml")


def test_an_unknown_sweep_or_target_suggests_the_nearest() -> None:
    with pytest.raises(UnknownName, match="no sweep 'gird' .* did you mean 'grid'"):
        sweeps.sweep("gird")
    with pytest.raises(UnknownName, match="no target 'cpuu' .* did you mean 'cpu'"):
        catalogue.target("cpuu")


@pytest.mark.parametrize("model", ["mobilenet_v1", "net.onnx", "nets/net.tflite:encode", "nets.py:build"])
def test_a_model_in_the_place_of_a_sweep_gets_the_option_for_models(model: str) -> None:
    with pytest.raises(UnknownName, match=re.escape(f"no sweep '{model}'") + f".*as --model {re.escape(model)}$"):
        sweeps.sweep(model)


def test_a_sweep_is_kept_as_the_toml_that_asks_for_it_again(place: Path) -> None:
    asked = sweeps.sweep("grid")
    sweeps.write_sweep(place, asked)
    (place / sweeps.SWEEP).rename(place / "grid.toml")
    assert sweeps.sweep("grid.toml") == asked


def keys(kind: type) -> list[str]:
    return [field.name for field in fields(kind)]


@pytest.mark.lengthy
@pytest.mark.parametrize(
    ("before", "key"),
    [
        *(("", key) for key in keys(Sweep) if key != "models"),
        *(("[[models]]\nname = 'lenet5'\n", key) for key in keys(Model)),
    ],
)
def test_an_unknown_key_of_a_sweep_names_the_nearest_known_key(before: str, key: str, place: Path) -> None:
    assert refused(f"{before}{key}z = 1\n", place / "my.toml").endswith(f"{key}z: unknown key; did you mean '{key}'?")


@pytest.mark.parametrize("key", [key for key in keys(Target) if key != "name"])
def test_an_unknown_key_of_a_target_names_the_nearest_known_key(key: str, place: Path) -> None:
    path = place / "my.toml"
    path.write_text(f"{key}z = 1\n")
    with pytest.raises(InvalidFile, match=f"my.toml:1: {key}z: unknown key; did you mean '{key}'"):
        toml.read(path, Target, "mine")


def test_a_key_like_no_other_lists_the_known_ones(place: Path) -> None:
    assert refused("[[models]]\nname='a'\nqqq=1\n", place / "my.toml").startswith(
        ":3: models.0.qqq: unknown key (has name, widths, resolutions"
    )


@pytest.mark.parametrize(
    ("value", "seconds"), [("90", 90), ("1.5", 1.5), ('"90"', 90), ('"90 s"', 90), ('"90s"', 90), ('"3 m"', 180)]
)
@pytest.mark.parametrize("key", sweeps.QUANTITIES)
def test_a_time_in_a_file_has_a_unit_or_is_a_number_of_seconds(
    key: str, value: str, seconds: float, place: Path
) -> None:
    (place / "my.toml").write_text(f"{key} = {value}\n[[models]]\nname = 'lenet5'\n")
    assert parse_duration(getattr(sweeps.sweep("my.toml"), key)) == seconds

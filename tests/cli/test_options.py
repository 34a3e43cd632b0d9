"""From options to a request: what the words of the command line ask for, and which of them are refused."""

from pathlib import Path

import pytest

from edgebench.cli import reader
from edgebench.cli.options import SweepOptions, TrainingOptions
from edgebench.foundation.errors import RequestError
from edgebench.foundation.shelf import load, names
from edgebench.measure.plan import sweeps
from edgebench.schema.sweep import Model, Sweep
from edgebench.schema.variant import Precision, WeightSource
from edgebench.train import Options


def asked(given: str = "", **flags: str) -> Sweep:
    return reader.sweep(given, SweepOptions(**flags))


def test_without_anything_it_is_the_default_sweep() -> None:
    sweep = asked()
    assert (sweep.name, sweep.time_limit, len(list(sweep.cells()))) == ("default", "3m", 16)


def test_models_make_a_sweep_of_their_own_named_after_them() -> None:
    sweep = asked(model="mobilenet_v1, mobilenet_v2", width="0.5,1", resolution="96")
    assert sweep.name == "mobilenet_v1-mobilenet_v2"
    assert sweep.models == (
        Model(name="mobilenet_v1", widths=(0.5, 1.0)),
        Model(name="mobilenet_v2", widths=(0.5, 1.0)),
    )
    assert sweep.resolutions == (96,)


def test_every_flag_replaces_what_it_names() -> None:
    sweep = asked(
        target="cpu,null", precision="int8", runtime="null", threads="1,2", batch="4", weights="random",
        dataset="null", preprocessing="tf", preset="quick", time_limit="90s", name="mine", width="1",
        resolution="32,64",
    )  # fmt: skip
    cells = list(sweep.cells())
    assert {cell.target for cell in cells} == {"cpu", "null"}
    assert {cell.threads for cell in cells} == {1, 2}
    assert {(cell.precision, cell.runtime, cell.batch) for cell in cells} == {(Precision.INT8, "null", 4)}
    assert {(cell.weights, cell.dataset, cell.width) for cell in cells} == {(WeightSource.RANDOM, "null", 1.0)}
    assert {cell.preprocessing for cell in cells} == {"tf"}
    assert {cell.resolution for cell in cells} == {32, 64}
    assert (sweep.preset, sweep.time_limit, sweep.name) == ("quick", "90s", "mine")


def test_a_flag_wins_over_what_a_block_of_a_file_says(place: Path) -> None:
    (place / "my.toml").write_text('[[models]]\nname = "mobilenet_v1"\nresolutions = [64, 96]\nweights = "random"\n')
    cells = list(asked("my.toml", resolution="32", weights="trained").cells())
    assert {(cell.resolution, cell.weights) for cell in cells} == {(32, WeightSource.TRAINED)}


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"width": "wide"}, "wanted a number for --width, found 'wide'"),
        ({"width": "0"}, "width 0 of mobilenet_v1_det: wanted more than 0"),
        ({"resolution": "64px"}, "wanted a whole number for --resolution, found '64px'"),
        ({"threads": "-1"}, "wanted a whole number for --threads, found '-1'"),
        ({"precision": "int4"}, "no precision 'int4' .*did you mean 'int8'"),
        ({"classes": "many"}, "wanted a whole number for --classes, found 'many'"),
        ({"precision": "fp32", "quantization": "qat"}, "wanted int8 for --quantization qat, found none; add"),
        ({"time_limit": "soon"}, "wanted a time such as 90s"),
    ],
)
def test_a_flag_that_cannot_be_is_refused(flags: dict[str, str], message: str) -> None:
    with pytest.raises(RequestError, match=message):
        list(asked(**flags).cells())


def test_a_sweep_and_models_exclude_each_other() -> None:
    with pytest.raises(RequestError, match="wanted a sweep or --model, found both"):
        asked("grid", model="mobilenet_v1")


def test_training_is_asked_for_in_the_words_of_the_field() -> None:
    nothing = reader.training(TrainingOptions())
    assert nothing == Options(requested=True)
    typed = TrainingOptions(epochs="40", optimizer="sgd", rate="5e-2", batch="128", augmentation="shift,flip")
    assert reader.training(typed) == Options(
        epochs=40, optimizer="sgd", rate=0.05, batch=128, augmentation=("flip", "shift"), requested=True
    )
    assert reader.training(TrainingOptions(augmentation="none")).augmentation == ()


@pytest.mark.parametrize(
    ("flag", "value", "message"),
    [
        ("epochs", "few", "wanted a whole number for --epochs, found 'few'"),
        ("optimizer", "adam", "no optimizer 'adam' .*did you mean 'adamw'"),
        ("epochs", "0", "wanted --epochs of at least 1, found 0; leave it out"),
        ("epochs", "9" * 5000, "wanted a whole number for --epochs, found '999"),
        ("rate", "nan", "wanted a --rate of more than 0 and at most 1, found 'nan'"),
        ("rate", "3", "wanted a --rate of more than 0 and at most 1, found '3'"),
        ("rate", "0", "wanted a --rate of more than 0 and at most 1, found '0'"),
        ("augmentation", "none,flip", "wanted --augmentation none or kinds of augmentation, found both: none,flip"),
        ("batch", "1", "wanted a --batch of 2 or more to train with, found 1"),
        ("augmentation", "flop", "no augmentation 'flop' .*did you mean 'flip'"),
    ],
)
def test_training_that_cannot_be_is_refused(flag: str, value: str, message: str) -> None:
    with pytest.raises(RequestError, match=message):
        reader.training(TrainingOptions(**{flag: value}))


@pytest.mark.slow
def test_every_network_is_measured_at_its_native_resolution_if_none_is_requested(place: Path) -> None:
    for network in names("architectures"):
        native = load("architectures", network).RESOLUTIONS[network][0]
        (place / "my.toml").write_text(f'[[models]]\nname = "{network}"\n')
        for sweep in (asked(model=network), asked("my.toml")):
            assert {cell.resolution for cell in sweep.cells()} == {native}, network
        assert {cell.resolution for cell in asked("my.toml", resolution="40").cells()} == {40}


@pytest.mark.lengthy
def test_several_networks_in_one_command_have_each_their_native_resolution(place: Path) -> None:
    text = '[[models]]\nname = "lenet5"\n[[models]]\nname = "inception_v3"\nresolutions = [96]\n'
    (place / "my.toml").write_text(text)
    models = "lenet5,inception_v3,mobilenet_v1_det,all_cnn,mobilenet_v2"
    sides = {cell.model: cell.resolution for cell in asked(model=models).cells()}
    assert sides == {"lenet5": 32, "inception_v3": 299, "mobilenet_v1_det": 96, "all_cnn": 32, "mobilenet_v2": 224}
    sides = {cell.model: cell.resolution for cell in asked("my.toml").cells()}
    assert sides == {"lenet5": 32, "inception_v3": 96}
    assert {cell.resolution for cell in asked().cells()} == {64, 96}  # the default sweep states its own


def test_a_sweep_at_native_resolutions_is_written_and_read_as_such(place: Path) -> None:
    sweeps.write_sweep(place, asked(model="lenet5,all_cnn"))
    (place / sweeps.SWEEP).rename(place / "again.toml")
    assert {cell.resolution for cell in asked("again.toml").cells()} == {32}

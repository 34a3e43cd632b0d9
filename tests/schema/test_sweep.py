"""A sweep's models: which variants they name, in which order, and which are refused."""

import pytest

from edgebench.foundation.errors import RequestError
from edgebench.foundation.shelf import literal, names
from edgebench.schema.names import task
from edgebench.schema.sweep import Model, Sweep
from edgebench.schema.variant import Precision
from tests.conftest import variant


def test_a_variant_prints_as_people_name_it() -> None:
    assert str(variant("mobilenet_v2", 0.5, 160)) == "mobilenet_v2-0.5@160/fp32"


@pytest.mark.parametrize("width", [0.0, -0.5, 5.0, float("nan"), float("inf")])
def test_a_width_that_cannot_be_is_refused(width: float) -> None:
    with pytest.raises(RequestError, match="width .* wanted more than 0, at most 4"):
        variant(width=width)


@pytest.mark.parametrize("resolution", [0, -224, 100_000])
def test_a_resolution_that_cannot_be_is_refused(resolution: int) -> None:
    with pytest.raises(RequestError, match="wanted 1 to 2048 pixels"):
        variant(resolution=resolution)


def test_a_sweep_is_the_product_of_its_lists_and_a_block_overrides_them() -> None:
    sweep = Sweep(
        models=(
            Model(name="mobilenet_v1", widths=(0.25, 0.5)),
            Model(name="mobilenet_v2", resolutions=(96,), precisions=(Precision.INT8,)),
        ),
        resolutions=(64, 128),
        threads=(1, 2),
    )
    cells = list(sweep.cells())
    assert len(cells) == 2 * 2 * 2 * 2 + 2
    assert {(cell.resolution, cell.precision) for cell in cells if cell.model == "mobilenet_v2"} == {(96, "int8")}


@pytest.mark.parametrize("name", names("architectures"))
def test_without_a_data_set_a_network_gets_bundled_images_with_labels_for_its_task(name: str) -> None:
    sweep = Sweep(models=(Model(name=name),), resolutions=(512,), precisions=(Precision.FP32,))
    (cell,) = sweep.cells()
    assert literal("datasets", cell.dataset, "PLACE") == ""
    if task(name) in ("detection", "segmentation", "localization"):
        assert task(name) in literal("datasets", cell.dataset, "TASKS")
    else:
        assert cell.dataset == "digits"


@pytest.mark.parametrize("block", ["coco:val", None])
@pytest.mark.parametrize("whole", ["voc:val", ""])
def test_a_data_set_that_is_stated_comes_before_the_bundled_one(block: str | None, whole: str) -> None:
    sweep = Sweep(models=(Model(name="mobilenet_v1_det", dataset=block), Model(name="lenet5")), dataset=whole)
    found = {cell.model: cell.dataset for cell in sweep.cells()}
    assert found == {"mobilenet_v1_det": block or whole or "scenes", "lenet5": whole or "digits"}


def test_a_model_of_the_users_own_gets_digits() -> None:
    assert {cell.dataset for cell in Sweep(models=(Model(name="net.onnx"),)).cells()} == {"digits"}


def test_a_cell_named_twice_is_one_case() -> None:
    sweep = Sweep(models=(Model(name="mobilenet_v1"), Model(name="mobilenet_v1")), threads=(1, 1))
    assert len(list(sweep.cells())) == 2  # float and int8


def test_int8_is_made_in_every_way_that_is_asked_and_float_in_one() -> None:
    sweep = Sweep(models=(Model(name="mobilenet_v1"),), quantizations=("per_tensor", "per_channel", "per_tensor"))
    assert [(cell.precision, cell.quantization) for cell in sweep.cells()] == [
        ("fp32", ""),
        ("int8", "per_tensor"),
        ("int8", "per_channel"),
    ]


def test_a_block_has_quantizations_of_its_own() -> None:
    sweep = Sweep(models=(Model(name="mobilenet_v1", quantizations=("qat",)),), precisions=(Precision.INT8,))
    assert [cell.quantization for cell in sweep.cells()] == ["qat"]

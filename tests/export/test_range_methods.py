"""Ranges of activations against onnxruntime's own calibrators on the same images."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy
import pytest
from numpy.typing import NDArray

from edgebench.export.formats import onnx
from edgebench.export.formats.onnx import calibrate, range_methods
from edgebench.foundation.errors import CaseError
from edgebench.networks import build
from edgebench.schema.quantization import parse
from tests.conftest import variant
from tests.support.images import split
from tests.support.networks import awake

pytestmark = pytest.mark.slow

IMAGES = 20
Batch = NDArray[numpy.float32]


@cache
def _digits() -> Batch:
    return split(variant("mobilenet_v2", 0.35, 64), "calibration").read(range(IMAGES))


def digits() -> Iterator[Batch]:
    return iter(_digits()[:, None])


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small MobileNetV2 as onnxruntime's quantizer takes it."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    folder, of = tmp_path_factory.mktemp("network"), variant("mobilenet_v2", 0.35, 64)
    onnx.write(folder / "float.onnx", of, build.channels(of), lambda: awake(build.build(of), _digits()))
    quant_pre_process(str(folder / "float.onnx"), str(folder / "prepared.onnx"), skip_symbolic_shape=True)
    return folder / "prepared.onnx"


def theirs(path: Path, method: str, bins: int) -> dict[str, tuple[float, float]]:
    """What onnxruntime's own calibrator finds."""
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, create_calibrator

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.left = digits()

        def get_next(self) -> dict[str, Batch] | None:
            batch = next(self.left, None)
            return None if batch is None else {"images": batch}

    kind = {"min-max": CalibrationMethod.MinMax, "percentile": CalibrationMethod.Percentile}[method]
    options = {} if method == "min-max" else {"num_bins": bins}
    calibrator = create_calibrator(path, None, str(path.with_name("augmented.onnx")), kind, extra_options=options)
    calibrator.collect_data(Reader())
    found = calibrator.compute_data().data
    return {
        tensor: (numpy.asarray(one.lowest).item(), numpy.asarray(one.highest).item()) for tensor, one in found.items()
    }


def test_min_max_ranges_are_onnxruntimes_own(network: Path) -> None:
    ours, wanted = calibrate.ranges(network, digits, parse("min-max")), theirs(network, "min-max", 0)
    folded = calibrate._folded(network)
    assert wanted.keys() <= ours.keys()
    for tensor in wanted.keys() - folded.keys():
        assert ours[tensor] == pytest.approx(wanted[tensor], rel=1e-4, abs=1e-5), tensor
    for tensor, output in folded.items():
        assert ours[tensor] == ours[output]


def test_percentile_ranges_are_onnxruntimes_own_to_a_bin(network: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours, wanted = calibrate.ranges(network, digits, parse("percentile")), theirs(network, "percentile", 2048)
    extremes = calibrate.ranges(network, digits, parse("min-max"))
    for tensor in wanted.keys() - calibrate._folded(network).keys():
        bin_width = max(map(abs, extremes[tensor])) / 2048
        assert ours[tensor] == pytest.approx(wanted[tensor], abs=1.1 * bin_width), tensor


@pytest.mark.parametrize("seed", range(4))
def test_entropy_thresholds_are_onnxruntimes_own(seed: int) -> None:
    from onnxruntime.quantization.calibrate import HistogramCollector

    draw = numpy.random.default_rng(seed)
    counted, edges = numpy.histogram(draw.laplace(0, 0.5 * (1 + seed), 20_000), 512, range=(-3, 3))
    histogram = (counted, edges, numpy.float64(-3), numpy.float64(3), numpy.float64(3))
    collector = HistogramCollector("entropy", False, 512, range_methods.LEVELS, 0, "same")
    wanted = collector.get_entropy_threshold(histogram, range_methods.LEVELS)
    assert range_methods.entropy(counted, edges) == pytest.approx(tuple(map(float, wanted)))


def test_the_least_squared_error_cuts_off_what_is_rare() -> None:
    values = numpy.random.default_rng(0).normal(0, 1, 1_000_000)
    outlier = numpy.append(values, 100.0)
    counted, edges = numpy.histogram(outlier, range_methods.BINS, range=(-100, 100))
    low, high = range_methods.mean_squared_error(counted, edges)
    assert high < 70, "one value in a million would take 20 times the steps of all others"
    counted, edges = numpy.histogram(values, range_methods.BINS, range=(-5, 5))
    low, high = range_methods.mean_squared_error(counted, edges)
    assert -5 <= low < -3.5 and 3.5 < high <= 5


@pytest.mark.parametrize("method", ["min-max", "percentile", "entropy", "mse", "mse+symmetric"])
def test_a_range_lies_within_what_was_seen(network: Path, method: str) -> None:
    seen = calibrate.ranges(network, digits, parse("min-max"))
    for tensor, (low, high) in calibrate.ranges(network, digits, parse(method)).items():
        assert seen[tensor][0] <= low <= high <= seen[tensor][1], tensor


def test_an_image_that_is_not_finite_is_named_by_what_it_does(network: Path) -> None:
    with pytest.raises(CaseError, match=r"activation images is not finite \(nan to nan\): check the weights"):
        calibrate.ranges(
            network, lambda: iter([numpy.full((1, 3, 64, 64), numpy.nan, numpy.float32)]), parse("min-max")
        )


def test_no_images_are_refused(network: Path) -> None:
    with pytest.raises(CaseError, match="no calibration images"):
        calibrate.ranges(network, lambda: iter(()), parse("entropy"))


def test_an_infinite_value_is_refused_wherever_it_is_unless_it_is_a_mask() -> None:
    assert range_methods.is_masked(-numpy.inf, 1.0)  # what attention masks; it stays in float
    for value in (numpy.inf, numpy.nan):
        with pytest.raises(CaseError, match="activation x is not finite"):
            range_methods.Outermost("x", 10).add(numpy.array([0.0, value, 1.0], numpy.float32))


def test_symmetric_steps_are_chosen_for_a_range_about_zero() -> None:
    """Of magnitudes, [0, h] has 255 steps and [-h, h] half as many: then a smaller h is worth what it cuts off."""
    magnitudes = numpy.abs(numpy.random.default_rng(0).laplace(0, 1, 200_000))
    counted, edges = numpy.histogram(magnitudes, range_methods.BINS, range=(-magnitudes.max(), magnitudes.max()))
    _, one_sided = range_methods.mean_squared_error(counted, edges)
    _, mirrored = range_methods.mean_squared_error(counted + counted[::-1], edges)
    assert mirrored < 0.95 * one_sided


def test_a_histogram_that_grew_is_the_one_of_all_values() -> None:
    draw = numpy.random.default_rng(0)
    parts = [
        numpy.zeros(10, numpy.float32),
        *(draw.normal(0, 10.0**power, 40_000).astype("f4") for power in (-3, 0, 1)),
    ]
    seen = list[tuple[NDArray[numpy.int64], NDArray[numpy.float64]]]()
    tally = range_methods.BinCounts("x", lambda *histogram: seen.append(histogram) or (-1e9, 1e9), mirrored=False)  # type: ignore[func-returns-value]
    for part in parts:
        tally.add(part)
    values = numpy.concatenate(parts)
    assert tally.range() == (values.min(), values.max())
    ((counts, edges),) = seen
    wanted, _ = numpy.histogram(values, edges)
    assert counts.sum() == len(values)
    off = numpy.abs(counts.cumsum() - wanted.cumsum())
    assert (off <= wanted + numpy.append(wanted[1:], 0)).all(), "each value within a bin of its own"

"""The published tables: whole, sourced, and in agreement with one another."""

import pytest

from edgebench.foundation import shelf
from edgebench.networks import published
from edgebench.networks.published import PublishedAccuracy, PublishedLatency, PublishedQuantization

EVERY: tuple[PublishedAccuracy | PublishedLatency | PublishedQuantization, ...] = (
    *published.accuracies(),
    *published.latencies(),
    *published.quantized(),
)
WIDTHS = {"mobilenet_v1": (0.25, 0.5, 0.75, 1.0), "mobilenet_v2": (0.35, 0.5, 0.75, 1.0)}
SIDES = {"mobilenet_v1": (128, 160, 192, 224), "mobilenet_v2": (96, 128, 160, 192, 224)}


def test_a_published_accuracy_is_found_by_network_width_and_resolution() -> None:
    assert published.top1("mobilenet_v2", 1.0, 224, "fp32") == 71.8
    assert published.top1("mobilenet_v1", 0.25, 128, "fp32") == 41.5
    assert published.top1("mobilenet_v2", 0.9, 224, "fp32") is None


def test_of_several_recipes_the_checkpoints_own_is_the_reference() -> None:
    recipes = {
        one.top1
        for one in published.accuracies()
        if (one.architecture, one.width, one.resolution, one.precision) == ("mobilenet_v1", 1.0, 224, "fp32")
    }
    assert {70.6, 70.9, 71.676} <= recipes
    assert published.top1("mobilenet_v1", 1.0, 224, "fp32") == 70.9
    assert published.top1("mobilenet_v1", 1.0, 224, "int8") == 69.7


@pytest.mark.parametrize("architecture", WIDTHS)
def test_the_whole_published_grid_is_there_in_float_and_int8(architecture: str) -> None:
    cells = [(width, side) for width in WIDTHS[architecture] for side in SIDES[architecture]]
    for precision in ("fp32", "int8"):
        assert all(published.reference(architecture, *cell, precision) for cell in cells)


def test_every_cell_of_the_grid_was_timed_on_a_raspberry_pi_4() -> None:
    cells = {(one.architecture, one.width, one.resolution) for one in published.latencies() if one.target == "rpi4"}
    assert {(name, width, side) for name in WIDTHS for width in WIDTHS[name] for side in SIDES[name]} <= cells


def test_every_row_has_a_source_and_a_network_of_the_shelf() -> None:
    for one in EVERY:
        assert one.architecture in shelf.names("architectures")
        assert one.source
        assert one.top1 is None or 0 < one.top1 < 100


def test_every_latency_row_has_a_latency_and_no_median_is_above_its_90th_percentile() -> None:
    for one in published.latencies():
        figures = [figure for figure in (one.p50_ms, one.p90_ms) if figure is not None]
        assert figures == sorted(figures)
        assert figures or one.mean_ms


def test_multiply_adds_are_those_of_the_network_whatever_its_precision() -> None:
    counts = {(one.architecture, one.width, one.resolution): one.macs for one in published.accuracies() if one.macs}
    assert counts["mobilenet_v1", 1.0, 224] == 568_740_352
    assert all(
        counts[one.architecture, one.width, one.resolution] == one.macs for one in published.accuracies() if one.macs
    )


def test_every_latency_of_a_detector_has_a_source_and_a_latency() -> None:
    for one in published.detections():
        figures = [figure for figure in (one.p50_ms, one.p90_ms) if figure is not None]
        assert one.source and figures == sorted(figures) and (figures or one.mean_ms)
        assert (one.map is None) == (one.dataset == "")
        assert one.top1 is None


def test_the_figures_of_detectors_are_those_of_their_sources() -> None:
    rows = {
        (one.target, one.architecture, one.precision, one.runtime, one.threads): one for one in published.detections()
    }
    assert len(published.detections()) == 1 + 7 * 4 * 2 + 6
    mlperf = rows["rpi4", "ssd_mobilenet_v1", "fp32", "tflite", 4]
    assert (mlperf.p90_ms, mlperf.map) == (170.99, 22.35)
    assert rows["rpi4", "mobilenet_ssd", "int8", "ncnn", 4].mean_ms == 71.1
    assert rows["rpi02w", "yolov4_tiny", "fp32", "ncnn", 1].mean_ms == 1258.7
    boards = {one.target for one in published.detections() if one.runtime == "ncnn"}
    assert boards == {"rpi3", "rpi4", "rpi5", "rpi02w"}

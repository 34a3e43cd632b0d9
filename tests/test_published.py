import csv
from pathlib import Path

from edgebench import published, shelf

TEXT = (Path(published.__file__).parent / "imagenet_top1.csv").read_text()
ROWS = list(csv.DictReader(TEXT.splitlines()))
GRID = [row for row in ROWS if row["architecture"].startswith("mobilenet")]


def test_a_published_accuracy_is_found_by_network_width_and_resolution() -> None:
    assert published.top1("mobilenet_v2", 1.0, 224, "fp32", "imagenet") == 71.8
    assert published.top1("mobilenet_v1", 0.25, 128, "fp32", "imagenet") == 41.5
    assert published.top1("mobilenet_v2", 0.9, 224, "fp32", "imagenet") is None


def test_no_published_accuracy_stands_beside_another_data_set() -> None:
    assert published.top1("mobilenet_v2", 1.0, 224, "fp32", "digits") is None


def test_the_whole_published_grid_is_there() -> None:
    cells = {(row["architecture"], row["width"], row["resolution"]) for row in GRID}
    assert len(cells) == len(GRID) == 16 + 22


def test_every_row_has_a_source_and_a_network_of_the_shelf() -> None:
    for row in ROWS:
        shelf.require("architectures", row["architecture"])
        assert row["source"]
        assert 0 < float(row["top1"]) < float(row["top5"]) < 100

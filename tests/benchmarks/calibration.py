"""Calibration beside onnxruntime's own calibrators: time an image, and memory that grows with the images.

    python -m tests.benchmarks.calibration [IMAGES]

Each method runs in a process of its own, the two sides of a pair one after the other, on MobileNetV2 1.0/224 and one
thread. Each time that it asks for an image, a plain inference of the network is timed, beside which an image's time is
put: the processor's clock moves. Memory is the process's peak beyond the peak that a single image needs.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy
from numpy.typing import NDArray

from edgebench.schema.variant import Precision, Variant

OURS, THEIRS = ("min-max", "percentile", "entropy", "mse"), ("min-max", "percentile")
THEIR_IMAGES = 20  # of percentile: it keeps 63 MB an image


def main() -> None:
    """Print one line a method."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with TemporaryDirectory() as folder:
        path = _network(Path(folder))
        for method in OURS:
            few, many = _measured("ours", method, 1, path), _measured("ours", method, count, path)
            print(f"{method:<10} {_an_image(few, many, count)}, {_growth(few, many):5.0f} MiB more", flush=True)
            if method in THEIRS:
                first, theirs = _measured("theirs", method, 1, path), _measured("theirs", method, THEIR_IMAGES, path)
                times = theirs["seconds"] / _measured("ours", method, THEIR_IMAGES, path)["seconds"]
                print(
                    f"  theirs, {THEIR_IMAGES} images: {_an_image(first, theirs, THEIR_IMAGES)},"
                    f" {_growth(first, theirs):5.0f} MiB more; all of it {times:.1f} times as long"
                )


def _an_image(few: dict[str, float], many: dict[str, float], count: int) -> str:
    seconds = (many["seconds"] - few["seconds"]) / (count - 1)
    return (
        f"{seconds * 1e3:6.1f} ms an image, {seconds / many['plain']:.2f} of a plain inference,"
        f" {(few['seconds'] - seconds) * 1e3:5.0f} ms once"
    )


def _growth(few: dict[str, float], many: dict[str, float]) -> float:
    return (many["peak_kib"] - few["peak_kib"]) / 1024


def _network(folder: Path) -> str:
    from onnxruntime.quantization.shape_inference import quant_pre_process

    from edgebench.export.formats import onnx
    from edgebench.networks import build

    of = Variant(
        architecture="mobilenet_v2",
        width=1.0,
        resolution=224,
        precision=Precision.FP32,
        classes=1000,
        weights="random",
        dataset="digits",
    )
    onnx.write(folder / "float.onnx", of, build.channels(of), lambda: build.build(of))
    quant_pre_process(str(folder / "float.onnx"), str(folder / "prepared.onnx"), skip_symbolic_shape=True)
    return str(folder / "prepared.onnx")


def _measured(whose: str, method: str, count: int, path: str) -> dict[str, float]:
    command = [sys.executable, "-m", __spec__.name, whose, method, str(count), path]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1]
    return dict(json.loads(answer))


class Images:
    """Noise, and before each image of it a plain inference; `away` are the seconds that all of this takes."""

    def __init__(self, path: str, count: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._count, self.away, self.plain = count, 0.0, list[float]()

    def __call__(self) -> Iterator[NDArray[numpy.float32]]:
        draw = numpy.random.default_rng(0)
        for _ in range(self._count):
            asked = perf_counter()
            image = draw.uniform(-1, 1, (1, 3, 224, 224)).astype(numpy.float32)
            started = perf_counter()
            self._session.run(None, {"images": image})
            self.plain.append(perf_counter() - started)
            self.away += perf_counter() - asked
            yield image


def _calibrate(whose: str, method: str, count: str, path: str) -> None:
    """Calibrate in this process; print its seconds, a plain inference's and the peak."""
    images, started = Images(path, int(count)), perf_counter()
    if whose == "ours":
        from edgebench.export.formats.onnx.calibrate import ranges
        from edgebench.schema.quantization import parse

        ranges(Path(path), images, parse(f"{method}+images={count}"))
    else:
        _theirs(method, images(), path)
    seconds = perf_counter() - started - images.away
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak = int(status["VmHWM"].split()[0])
    print(json.dumps({"seconds": seconds, "plain": fmean(images.plain), "peak_kib": peak}))


def _theirs(method: str, images: Iterator[NDArray[numpy.float32]], path: str) -> None:
    from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, create_calibrator

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def get_next(self) -> dict[str, NDArray[numpy.float32]] | None:
            batch = next(images, None)
            return None if batch is None else {"images": batch}

    kind = {"min-max": CalibrationMethod.MinMax, "percentile": CalibrationMethod.Percentile}[method]
    calibrator = create_calibrator(path, None, f"{path}.augmented.onnx", kind)
    calibrator.collect_data(Reader())
    calibrator.compute_data()


if __name__ == "__main__":
    main() if len(sys.argv) <= 2 else _calibrate(*sys.argv[1:])

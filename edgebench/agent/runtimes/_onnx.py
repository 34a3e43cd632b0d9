"""The inputs of an ONNX graph that takes a batch of images, shared by the runtimes that read ONNX files."""

from typing import Any

SEED = 0  # seed of the image for timing


def noise(shape: tuple[int, ...], integers: str) -> Any:
    """Draw random images in the range of normalized images, or of the type `integers` if the graph takes integers.

    No value is denormal, because denormals slow kernels; few are zero, because kernels could skip zeros.
    """
    import numpy

    random = numpy.random.default_rng(SEED)
    if integers:
        levels = numpy.iinfo(integers)
        return random.integers(levels.min, levels.max + 1, shape, levels.dtype)
    return random.uniform(-1, 1, shape).astype(numpy.float32)


def as_taken(images: Any, shape: tuple[Any, ...], integers: str) -> Any:
    """Convert images, (N, C, R, R) float32, to a graph's input: channels last for NHWC, rounded for integers.

    `shape` is the shape of one image in the graph, and `integers` the graph's integer type, empty if it takes floats.
    """
    import numpy

    if images.shape[1:] != shape:
        images = numpy.ascontiguousarray(images.transpose(0, 2, 3, 1))
    if not integers:
        return images
    levels = numpy.iinfo(integers)
    return images.round().clip(levels.min, levels.max).astype(levels.dtype)

"""A folder of Keras' weights files under their published names, and a network -> the path of the network's file."""

from __future__ import annotations

from pathlib import Path

from edgebench.foundation.errors import RequestError

_LONG = "_weights_tf_dim_ordering_tf_kernels"
_V1_WIDTHS = {1.0: "1_0", 0.75: "7_5", 0.5: "5_0", 0.25: "2_5"}
_LARGE = {"vgg16": "vgg16", "vgg19": "vgg19", "inception_v3": "inception_v3", "xception": "xception"} | {
    f"resnet{depth}_v1": f"resnet{depth}" for depth in (50, 101, 152)
}
_TOPLESS = {"mobilenet_v1": "_no_top", "mobilenet_v2": "_no_top"}  # other networks have "_notop"


def stem(name: str, width: float, resolution: int) -> str:
    """Return the published name, without suffix, of a network's file; an empty text if Keras publishes no such file."""
    if name == "mobilenet_v1" and width in _V1_WIDTHS:
        return f"mobilenet_{_V1_WIDTHS[width]}_{resolution}_tf"
    if name == "mobilenet_v2":
        return f"mobilenet_v2{_LONG}_{float(width)}_{resolution}"
    return f"{_LARGE[name]}{_LONG}" if name in _LARGE else ""


def find(folder: Path, name: str, width: float, resolution: int) -> Path:
    """Return the path of a network's file; if the file is missing, return the path at which it should be.

    Files in both of Keras' formats are found. A file without classifier is returned only if no file with a classifier
    exists.

    Raises:
        RequestError: there is no such folder, or Keras publishes no weights of the network.
    """
    if not folder.is_dir():
        raise RequestError(f"wanted a folder of Keras' weights for --weights-dir, found no folder {folder}")
    if not (wanted := stem(name, width, resolution)):
        raise RequestError(
            f"Keras publishes no weights of {name} {width:g}; wanted a network of keras.applications, or use --weights"
        )
    topless = f"{wanted}{_TOPLESS.get(name, '_notop')}"
    names = [f"{each}{suffix}" for each in (wanted, topless) for suffix in (".h5", ".weights.h5")]
    return next((folder / each for each in names if (folder / each).exists()), folder / names[0])

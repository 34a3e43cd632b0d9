"""A weights file of Keras -> the arrays of each layer; no code in the file is executed.

A child process with bounds of memory and time reads the file. There are two forms. In the legacy form, each layer has a
group, whose attribute `weight_names` lists the layer's arrays. In the form of Keras 3, `.weights.h5`, a layer's group
is named after its class and numbered: `layers/conv2d_1/vars/0`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench.foundation import bounded
from edgebench.foundation.bounded import Bounds, ChildError, OutOfBounds
from edgebench.foundation.errors import RequestError
from edgebench.foundation.unpack import TooLarge, most_unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator

Layers = dict[str, list[str]]  # mapping from a layer's name to the names of its arrays in order

_MEMORY_BYTES, _COPIES = 2**30, 6
_TIME_S, _SLOWEST_BYTES_PER_S = 60.0, 10 * 2**20
_FILTERS = (1, 2, 3)  # HDF5's deflate, shuffle and checksum; for other filters, HDF5 would load plug-ins
_MOST_LAYERS = 10_000
_NEEDS = "h5py, which is not installed here; run pip install 'edgebench[keras]'"


def read(path: Path, place: Path) -> Layers:
    """Write the file's arrays as float32 to `place`, a `.safetensors` file; return the arrays' names for each layer.

    If a file in the form of Keras 3 has no name for a layer, the layer is called by its class and number: `#conv2d_1`.

    Raises:
        RequestError: the file is not a weights file of Keras, is cut off, refers to other files, or declares larger
            arrays than it can hold; or h5py is not installed.
    """
    size = path.stat().st_size
    bounds = Bounds(memory_bytes=_MEMORY_BYTES + _COPIES * size, time_s=_TIME_S + size / _SLOWEST_BYTES_PER_S)
    try:
        layers: Layers = bounded.call(f"{__name__}:convert", {"path": str(path), "place": str(place)}, bounds)
    except OutOfBounds as error:
        raise RequestError(f"{path}: reading its weights failed: {error}; save them again") from error
    except ChildError as error:
        reason = str(error).strip().splitlines()[-1].partition(":")[0]
        raise RequestError(f"{path}: not a complete weights file of Keras: {reason}; fetch or save it again") from error
    return layers


def convert(path: str, place: str) -> Layers:
    """Read the file; the function `read` calls this function in a child process."""
    try:
        import h5py
    except ModuleNotFoundError:
        raise RequestError(f"{path}: reading weights of Keras needs {_NEEDS}") from None
    from safetensors.numpy import save_file

    if not h5py.is_hdf5(path):
        raise RequestError(
            f"{path}: wanted an HDF5 file, as Keras saves weights, found another format; fetch or save it again"
        )
    arrays, layers, left = dict[str, Any](), Layers(), most_unpacked(Path(path))
    with h5py.File(path, "r", locking=False) as file:
        for layer, datasets in _layers(path, file):
            for number, dataset in enumerate(datasets):
                left -= dataset.size * max(dataset.dtype.itemsize, 4)
                _require_plain(path, dataset, left)
                arrays[f"{layer}/{number}"] = dataset[()].astype("float32")
            layers[layer] = [f"{layer}/{number}" for number in range(len(datasets))]
    save_file(arrays, place)
    return layers


def _layers(path: str, file: Any) -> Iterator[tuple[str, list[Any]]]:
    """Yield the name of each layer that has weights, with its HDF5 datasets in order."""
    root = _inside(path, file, "model_weights") if "model_weights" in file else file
    if "layer_names" in root.attrs or "layer_names0" in root.attrs:
        for layer in _texts(root, "layer_names"):
            group = _inside(path, root, layer)
            if names := _texts(group, "weight_names"):
                yield layer, [_inside(path, group, name) for name in names]
    elif "layers" in file:
        yield from _counted(path, _inside(path, file, "layers"))
    else:
        raise RequestError(f"{path}: wanted layers with weights, as Keras saves them, found {_some(file)}")


def _counted(path: str, layers: Any) -> Iterator[tuple[str, list[Any]]]:
    """Yield the layers of a file in the form of Keras 3, whose early versions do not store the names of layers."""
    if len(layers) > _MOST_LAYERS:
        raise RequestError(f"{path}: wanted at most {_MOST_LAYERS} layers, found {len(layers)}")
    for counted in layers:
        group = _inside(path, layers, counted)
        values: Any = _inside(path, group, "vars") if "vars" in group else {}
        if len(values):
            name = values.attrs.get("name", "")
            name = name.decode() if isinstance(name, bytes) else str(name)
            yield name or f"#{counted}", [_inside(path, values, str(number)) for number in range(len(values))]


def _texts(group: Any, name: str) -> list[str]:
    """Read a list of texts; Keras splits a long list into several attributes."""
    values = group.attrs.get(name, [])
    part = 0
    while f"{name}{part}" in group.attrs:
        values, part = [*values, *group.attrs[f"{name}{part}"]], part + 1
    return [value.decode() if isinstance(value, bytes) else str(value) for value in values]


def _inside(path: str, group: Any, name: str) -> Any:
    """Return the file's object with this name; follow only hard links, because other links can leave the file."""
    import h5py

    for part in filter(None, name.split("/")):
        link = group.get(part, getlink=True) if isinstance(group, h5py.Group) else None
        if link is None:
            raise RequestError(f"{path}: not a complete weights file of Keras: it lacks {name}; fetch or save it again")
        if not isinstance(link, h5py.HardLink):
            raise RequestError(f"{path}: {name} is a link ({type(link).__name__}); wanted weights in the file itself")
        group = group[part]
    return group


def _require_plain(path: str, dataset: Any, left: int) -> None:
    """Refuse an object unless it is an array of floats in the file itself, and no larger than the file can hold.

    Raises:
        RequestError: the object is refused; the message has the reason.
    """
    import h5py

    if not isinstance(dataset, h5py.Dataset) or dataset.dtype.kind != "f":
        found = getattr(dataset, "dtype", type(dataset).__name__)
        raise RequestError(f"{path}: {dataset.name} is {found}, wanted an array of floats")
    if dataset.external or dataset.is_virtual:
        raise RequestError(f"{path}: {dataset.name} is in another file; wanted weights in the file itself")
    if left < 0:
        raise RequestError(f"{path}: {TooLarge(most_unpacked(Path(path)))}; save it again")
    plist = dataset.id.get_create_plist()
    filters = [plist.get_filter(number)[0] for number in range(plist.get_nfilters())]
    if unknown := [code for code in filters if code not in _FILTERS]:
        raise RequestError(f"{path}: {dataset.name} is compressed by HDF5's filter {unknown[0]}, wanted gzip or none")


def _some(group: Any) -> str:
    names = sorted(name for name in group if re.fullmatch(r"[\w.:-]{1,40}", name))[:3]
    return ", ".join(names) or "none"

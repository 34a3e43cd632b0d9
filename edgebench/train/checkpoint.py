"""A user-supplied weights file -> a copy of it with a card (record) in the cache, if every tensor fits the network.

No code in the file is executed: torch's `weights_only` unpickler reads pickles.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

from edgebench.foundation import cache, files, provenance
from edgebench.foundation.errors import RequestError
from edgebench.foundation.shelf import load, names
from edgebench.foundation.unpack import TooLarge, require_little
from edgebench.schema.cards import Weights
from edgebench.schema.names import DARKNET_FILES, KERAS_FILES
from edgebench.train import darknet, keras, timm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from edgebench.schema.variant import Preprocessing, Variant

_WRAPPERS = ("state_dict", "model_state_dict", "model")  # keys under which training scripts store a state dict
_PREFIX = "module."  # data-parallel training puts this prefix before every name
_COUNTERS = "num_batches_tracked"  # suffix of counters that older checkpoints lack, and that inference does not use

State = dict[str, "Tensor"]
Shapes = dict[str, tuple[int, ...]]


def find(variant: Variant) -> Weights | None:
    """Return the cached copy of the variant's weights file; None if there is no intact copy."""
    return cache.find_intact(_stem(variant.architecture, variant.weights, variant.weights_sha256), Weights)


def adopt(
    path: str, name: str, width: float, resolution: int, *, named: str = "", inputs: Preprocessing | None = None
) -> tuple[Weights, str]:
    """Copy a file's weights to the cache; return the card of the copy and the file's hash.

    `named` is the file's name in results, by default its own name; `inputs` is the preprocessing that the weights need.

    Raises:
        RequestError: the file is not a weights file, or does not fit the network. The message names the first keys that
            do not fit, and a network that the file fits, if any.
    """
    if is_keras := Path(path).suffix in KERAS_FILES:
        keras.require(path, name, resolution)
    file_sha256 = sha256(path)

    def make(place: Path) -> Weights:
        import torch

        state = _state(path, name, resolution)
        classes = _require_fit(path, _shapes(state), name, width, resolution)
        _require_finite(path, state)
        torch.save(state, place)
        return Weights(
            file="",
            sha256="",
            dataset="",
            recipe=named or Path(path).name,
            classes=classes,
            top1=0.0,
            images=0,
            network=_network(name, width, resolution),
            padding=keras.PADDING if is_keras else "",
            inputs=keras.inputs(name) if is_keras else inputs,
        )

    card = cache.once(_stem(name, named or Path(path).name, file_sha256), ".pt", Weights, make)
    if card.network != _network(name, width, resolution):  # the copy was made for a network of another size
        _require_fit(path, _shapes(_read(cache.path_of(card))), name, width, resolution)
    return card, file_sha256


def _state(path: str, name: str, resolution: int) -> State:
    """Read a weights file in any known format; return its tensors under the names that this package's network uses."""
    if Path(path).suffix in KERAS_FILES:
        return _with_counters(keras.read(path, name))
    if Path(path).suffix in DARKNET_FILES:
        return _with_counters(darknet.read(path, name, resolution))
    return timm.renamed(_read(Path(path)), name)


def _network(name: str, width: float, resolution: int) -> str:
    return f"{name}-{width:g}@{resolution}"


def _with_counters(state: State) -> State:
    """Add to the tensors, for every batch norm, the counter of batches that torch expects."""
    import torch

    norms = [key.removesuffix("running_var") for key in state if key.endswith("running_var")]
    return state | {f"{norm}{_COUNTERS}": torch.tensor(0) for norm in norms}


def sha256(path: str) -> str:
    """Return the hash of a weights file.

    Raises:
        RequestError: the file cannot be read.
    """
    try:
        return files.sha256(path)
    except OSError as error:
        raise RequestError(f"cannot read the weights {path}: {error.strerror}") from error


def _stem(name: str, file: str, sha256: str) -> str:
    """Return the name of a file's copy; for files of Keras and Darknet it contains a hash of the converting code."""
    readers: tuple[str, ...] = ()
    if Path(file).suffix in KERAS_FILES:
        readers = ("train/keras", "train/hdf5")
    elif Path(file).suffix in DARKNET_FILES:
        readers = ("train/darknet",)
    converted = f"-{provenance.source(*readers)}" if readers else ""
    return f"{name}-{Path(file).stem}-{sha256[:16]}{converted}"


def _read(path: Path) -> State:
    """Return a file's mapping from names to tensors, taken out of the dicts that training scripts put around it."""
    state: Any = _load(path)
    for key in _WRAPPERS:
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not state or not all(hasattr(value, "shape") for value in state.values()):
        raise RequestError(f"{path}: wanted tensors by name (a state dict), found {type(state).__name__}")
    return {str(key).removeprefix(_PREFIX): value for key, value in state.items()}


def _load(path: Path) -> Any:
    import torch

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        require_little(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # torch warns of old pickle formats, although it can read them
            return torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise RequestError(
            f"{path}: contains Python objects other than tensors, which are never loaded; save its state_dict()"
        ) from error
    except TooLarge as error:
        raise RequestError(f"{path}: {error}; save its state_dict() with torch.save") from error
    except Exception as error:  # the loaders raise different errors for truncated files and other formats
        raise RequestError(f"{path}: not a complete weights file: {type(error).__name__}") from error


def _shapes(state: State) -> Shapes:
    return {key: tuple(value.shape) for key, value in state.items() if not key.endswith(_COUNTERS)}


def _expected(shapes: Shapes, name: str, width: float, resolution: int) -> tuple[int, Shapes]:
    """Return the number of classes for which the file was trained, and the network's shapes for that number.

    The number follows from an axis whose length grows with the number of classes. The axis can be longer than the
    number of classes: for example, a detector also has a score of "there is an object".
    """
    few, more = (_network_shapes(name, width, resolution, count) for count in (1, 2))
    counts = [
        (file - size) // (larger - size) + 1
        for key, shape in few.items()
        if len(shapes.get(key, ())) == len(shape)
        for size, larger, file in zip(shape, more[key], shapes[key], strict=True)
        if larger > size
    ]
    count = max(1, counts[0]) if counts else 1
    return count, _network_shapes(name, width, resolution, count)


def _network_shapes(name: str, width: float, resolution: int, classes: int) -> Shapes:
    import torch

    with torch.device("meta"):
        network = load("architectures", name).build(name, width, classes=classes, resolution=resolution)
    return _shapes(network.state_dict())


def _require_fit(path: str, shapes: Shapes, name: str, width: float, resolution: int) -> int:
    """Refuse a file that does not fit the network; return its number of classes, which is 0 without a classifier."""
    count, expected = _expected(shapes, name, width, resolution)
    if Path(path).suffix in KERAS_FILES and not (top := keras.classifier(name)) & set(map(_module, shapes)):
        count, expected = 0, {key: shape for key, shape in expected.items() if _module(key) not in top}
    if shapes == expected:
        return count
    fitting = next(_fitting(shapes), None)
    hint = f"; it fits --model {fitting}" if fitting else "; it fits no network of this package"
    raise RequestError(f"{path} does not fit {name} {width:g}: {', '.join(_differences(shapes, expected))}{hint}")


def _module(key: str) -> str:
    """Return the name of the module to which a tensor belongs."""
    return key.rpartition(".")[0]


def _require_finite(path: str, state: State) -> None:
    for key, value in state.items():
        if not value.isfinite().all():
            raise RequestError(f"{path}: {key} contains NaN or infinite values; train or save it again")


def _differences(shapes: Shapes, expected: Shapes) -> Iterator[str]:
    """Describe the first missing key, the first unexpected key, and the first key whose tensor has another shape."""
    if missing := next((key for key in expected if key not in shapes), None):
        yield f"missing {missing}"
    if unexpected := next((key for key in shapes if key not in expected), None):
        yield f"unexpected {unexpected}"
    if key := next((key for key in expected if key in shapes and expected[key] != shapes[key]), None):
        yield f"{key} is {list(shapes[key])}, wanted {list(expected[key])}"


def _fitting(shapes: Shapes) -> Iterator[str]:
    """Yield every network of this package whose tensors have exactly these names and shapes."""
    for name in names("architectures"):
        family = load("architectures", name)
        for width in family.WIDTHS:
            if _expected(shapes, name, width, family.RESOLUTIONS[name][0])[1] == shapes:
                yield name if width == 1.0 else f"{name} --width {width:g}"

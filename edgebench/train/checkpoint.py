"""A file of weights that somebody gives -> a card in the cache, once every tensor fits the network.

Nothing in the file is executed: pickles are read by torch's `weights_only` unpickler.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

from edgebench.foundation import cache, files
from edgebench.foundation.errors import RequestError
from edgebench.foundation.shelf import load, names
from edgebench.schema.cards import Weights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from edgebench.schema.variant import Variant

SUFFIXES = (".pth", ".pt", ".bin", ".safetensors")
_WRAPPERS = ("state_dict", "model_state_dict", "model")  # what training scripts put a state dict under
_PREFIX = "module."  # what data-parallel training puts before every name
_MARK = 7919  # a number of classes that is no layer's width
_COUNTERS = "num_batches_tracked"  # older checkpoints have none, and inference reads none

State = dict[str, "Tensor"]
Shapes = dict[str, tuple[int, ...]]


def is_file(weights: str) -> bool:
    """Tell a file's name from a word such as `trained`."""
    return Path(weights).suffix in SUFFIXES


def find(variant: Variant) -> Weights | None:
    """Return the weights that the variant's file was adopted as, if they are intact."""
    return cache.find_intact(_stem(variant.architecture, variant.weights, variant.weights_sha256), Weights)


def adopt(path: str, name: str, width: float, resolution: int) -> tuple[Weights, str]:
    """Keep the file's weights in the cache; return them and the file's hash.

    Raises:
        RequestError: it is no file of weights, or another network's: the message has the first keys that do not fit,
            and the network that they would fit.
    """
    sha256 = _sha256(path)
    stem = _stem(name, Path(path).name, sha256)

    def make(place: Path) -> Weights:
        import torch

        state = _read(Path(path))
        classes = _require_fit(path, _shapes(state), name, width, resolution)
        _require_finite(path, state)
        torch.save(state, place)
        return Weights(
            file="",
            sha256="",
            dataset="",
            recipe=Path(path).name,
            classes=classes,
            top1=0.0,
            images=0,
            network=f"{name}-{width:g}@{resolution}",
        )

    return cache.once(stem, ".pt", Weights, make), sha256


def _sha256(path: str) -> str:
    try:
        return files.sha256(path)
    except OSError as error:
        raise RequestError(f"cannot read the weights {path}: {error.strerror}") from error


def _stem(name: str, file: str, sha256: str) -> str:
    return f"{name}-{Path(file).stem}-{sha256[:16]}"


def _read(path: Path) -> State:
    """Load tensors by name, without the wrappings that training scripts leave around them."""
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
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # about a pickle's age, which matters to nobody here
            return torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise RequestError(
            f"{path}: holds more than tensors, and nothing in it is executed; save its state_dict()"
        ) from error
    except Exception as error:  # every loader has errors of its own for a file that is cut off or something else
        raise RequestError(f"{path}: not a whole file of weights: {type(error).__name__}") from error


def _shapes(state: State) -> Shapes:
    return {key: tuple(value.shape) for key, value in state.items() if not key.endswith(_COUNTERS)}


def _wanted(found: Shapes, name: str, width: float, resolution: int) -> tuple[int, Shapes]:
    """Return as many classes as the file seems to have, and the network's shapes at that number.

    A number that no layer has shows which axis counts the classes; the file's size there is theirs.
    """
    marked = _network_shapes(name, width, resolution, _MARK)
    sizes = [
        found[key][shape.index(_MARK)]
        for key, shape in marked.items()
        if _MARK in shape and len(found.get(key, ())) == len(shape)
    ]
    count = sizes[0] if sizes else 1
    return count, _network_shapes(name, width, resolution, count)


def _network_shapes(name: str, width: float, resolution: int, classes: int) -> Shapes:
    import torch

    with torch.device("meta"):
        network = load("architectures", name).build(name, width, classes=classes, resolution=resolution)
    return _shapes(network.state_dict())


def _require_fit(path: str, found: Shapes, name: str, width: float, resolution: int) -> int:
    """Return how many classes the file's network answers, once it is known to be this one."""
    count, wanted = _wanted(found, name, width, resolution)
    if found == wanted:
        return count
    fitting = next(_fitting(found), None)
    hint = f"; it fits --model {fitting}" if fitting else "; it fits no network here"
    raise RequestError(f"{path} does not fit {name} {width:g}: {', '.join(_differences(found, wanted))}{hint}")


def _require_finite(path: str, state: State) -> None:
    for key, value in state.items():
        if not value.isfinite().all():
            raise RequestError(f"{path}: {key} holds values that are no finite numbers; train or save it again")


def _differences(found: Shapes, wanted: Shapes) -> Iterator[str]:
    """Name the first key of each kind that does not fit."""
    if missing := next((key for key in wanted if key not in found), None):
        yield f"missing {missing}"
    if unexpected := next((key for key in found if key not in wanted), None):
        yield f"unexpected {unexpected}"
    if key := next((key for key in wanted if key in found and wanted[key] != found[key]), None):
        yield f"{key} is {list(found[key])}, wanted {list(wanted[key])}"


def _fitting(found: Shapes) -> Iterator[str]:
    """Name every network of the shelf that the tensors are all of."""
    for name in names("architectures"):
        family = load("architectures", name)
        for width in family.WIDTHS:
            if _wanted(found, name, width, family.RESOLUTIONS[name][0])[1] == found:
                yield name if width == 1.0 else f"{name} --width {width:g}"

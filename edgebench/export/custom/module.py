"""Call a function in a user's Python file that returns an nn.Module; trace this network to an ONNX file.

No other module of edgebench runs a user's Python code. Here it is run because the user named the function.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager, redirect_stdout
from importlib.util import module_from_spec, spec_from_file_location
from typing import TYPE_CHECKING, Any

from edgebench.export.custom import inputs, shape
from edgebench.export.custom.inputs import Declared
from edgebench.export.formats.onnx import trace as trace_network
from edgebench.foundation.errors import EdgebenchError, RequestError
from edgebench.networks.build import SEED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from torch import nn


def trace(path: Path, function: str, asked: str, place: Path) -> None:
    """Write an ONNX file with the graph of the network that the function returns.

    Raises:
        RequestError: the function returns no network, or its network cannot be traced on images of the requested shape.
    """
    name = f"{path.name}:{function}"
    if not asked:
        raise RequestError(f"{name} needs the shape of its input: --input {shape.EXAMPLE}")
    (wanted,) = inputs.settle(name, (Declared(name="images", dtype="float32", axes=("", "", "", "")),), asked)
    image = shape.image(wanted)
    if image is None or image.layout != "NCHW":
        raise RequestError(
            f"{name}: wanted --input of square images in torch's order of axes, {shape.EXAMPLE}, found {asked}; for"
            " other inputs, export the network to an ONNX file yourself, and measure that file"
        )
    with _said(name, "cannot be exported"):
        trace_network(network(path, function), (image.channels, image.resolution, image.resolution), place)


def network(path: Path, function: str) -> nn.Module:
    """Import the file, call the function with a fixed seed, and return its network in evaluation mode.

    Raises:
        RequestError: the file raises an exception or lacks the function, or the function does not return an nn.Module.
    """
    import torch

    name = f"{path.name}:{function}"
    torch.manual_seed(SEED)
    with _said(name, "cannot be imported"):
        imported = _imported(path)
    if not callable(build := getattr(imported, function, None)):
        named = [one for one, value in vars(imported).items() if callable(value) and not one.startswith("_")]
        raise RequestError(f"no function {function} in {path.name} (has {', '.join(named) or 'none'})")
    with _said(name, "cannot be called without arguments"):
        built: Any = build()
    if not isinstance(built, torch.nn.Module):
        raise RequestError(f"{name}: wanted an nn.Module, found {type(built).__name__}; return the network")
    return built.eval()


def _imported(path: Path) -> Any:
    """Import a Python file with its folder on the import path, as if the file were run as a script."""
    found = spec_from_file_location(f"own_{path.stem}", path)
    assert found
    assert found.loader
    imported = module_from_spec(found)
    folder = str(path.parent.resolve())
    sys.path.insert(0, folder)
    try:
        found.loader.exec_module(imported)
    finally:
        sys.path.remove(folder)
    return imported


@contextmanager
def _said(name: str, what: str) -> Iterator[None]:
    """Turn any exception of the user's code into a one-line RequestError; send what the code prints to stderr."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except EdgebenchError:
        raise
    except (Exception, SystemExit) as error:
        raise RequestError(f"{name} {what}: {type(error).__name__}: {' '.join(str(error).split())[:200]}") from error

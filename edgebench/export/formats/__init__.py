"""Kinds of artifact, one file each: how a network becomes a file that a runtime reads.

A format offers
    SUFFIX                     of its files
    refuses(variant)           why it cannot hold the variant, empty where it can: asked before anything is trained
    SCHEME                     the Quantization that int8 is there, but for what a person's words change of it
    TOOLS                      installed packages whose version shapes the file, see `tool_version`
    write(path, variant, channels, network)
                               writes the float file of images of so many channels; `network()` gives the torch module,
                               and is not called in vain
    write_int8(parent, path, quantization, calibration) -> Written
                               writes the int8 form of a float file of this format, made here or by somebody, which it
                               leaves as it is; `calibration()` gives the images (1, C, R, R) float32, one at a time, or
                               of any other model an array for each input by its name.
                               A format that refuses int8 has none
    compared(parent, path, quantization, calibration) -> tuple[OutputNoise, ...]
                               compares the outputs of any model's int8 file with its float parent's
"""

from dataclasses import dataclass
from functools import cache
from importlib import metadata

from edgebench.agent.runtimes import onnxruntime
from edgebench.schema.artifact import LayerNoise, OutputNoise

OFFERS = ("SUFFIX", "SCHEME", "TOOLS", "refuses", "write")
MAY_OFFER = ("write_int8", "compared")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a format knows of the int8 file it wrote; nothing is said of a float one. See `record.Artifact`."""

    float_nodes: tuple[str, ...] = ()
    integer_share: float | None = None
    layers: tuple[LayerNoise, ...] = ()
    calibrated_on: int | None = None
    outputs: tuple[OutputNoise, ...] = ()


@cache
def version(package: str) -> str:
    """Return the version of an installed package; reading it again would parse its description again.

    Raises:
        PackageNotFoundError: it is not installed.
    """
    return metadata.version(package)


def tool_version(tool: str) -> str:
    """Return the version of an installed tool, in whichever package it came.

    Raises:
        PackageNotFoundError: it is not installed.
    """
    return onnxruntime.version() if tool in onnxruntime.NEEDS else version(tool)

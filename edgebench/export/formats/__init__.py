"""Formats of artifacts, one module each: a format turns a network into a file that a runtime reads.

The module of a format offers
    SUFFIX                     the suffix of its files
    refuses(variant)           why the format cannot store the variant, or an empty text; called before training
    SCHEME                     the format's default int8 Quantization, which a user's options change
    TOOLS                      names of installed packages whose versions affect the file; see `tool_version`
    PINS                       optional: names and versions of packages in an environment of the format's own
    write(path, variant, channels, network)
                               writes the float file for images with `channels` channels; `network()` builds the torch
                               module, and is called only if the format needs the module
    write_int8(parent, path, quantization, calibration) -> Written
                               writes the int8 form of `parent`, a float file of this format, which may be
                               user-supplied and is not changed; `calibration()` yields float32 images (1, C, R, R),
                               or mappings from input name to array; a format that refuses int8 lacks `write_int8`
    write_int8_of(path, variant, channels, network, calibration) -> Written
                               in place of `write_int8`, if float files cannot be quantized: writes the int8 form of the
                               torch module that `network()` builds
    compared(parent, path, quantization, calibration) -> tuple[OutputNoise, ...]
                               compares the outputs of any model's int8 file with the outputs of its float parent
"""

from dataclasses import asdict, dataclass, replace
from functools import cache

from edgebench.agent.runtimes import onnxruntime
from edgebench.foundation.provenance import version
from edgebench.schema.artifact import LayerNoise, OutputNoise
from edgebench.schema.quantization import Quantization

OFFERS = ("SUFFIX", "SCHEME", "TOOLS", "refuses", "write")
MAY_OFFER = ("PINS", "write_int8", "write_int8_of", "compared")

# Fields of an int8 scheme that differ from the default in formats with a scheme of their own.
FREE = ("granularity", "equalized", "bias_corrected", "aware", "images", "seed", "calibration", "calibration_sha256")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a format reports about an int8 file that it wrote, in fields of `Artifact`; all empty for a float file."""

    float_nodes: tuple[str, ...] = ()
    integer_share: float | None = None
    layers: tuple[LayerNoise, ...] = ()
    calibrated_on: int | None = None
    outputs: tuple[OutputNoise, ...] = ()


def unlike(scheme: Quantization, default: Quantization, engine: str) -> str:
    """Return why an engine lacks a scheme that differs from its default in more than the fields in `FREE`."""
    found = replace(default, **{name: getattr(scheme, name) for name in FREE})
    if found == scheme:
        return ""
    other = next(name for name, value in asdict(scheme).items() if value != getattr(found, name))
    return (
        f"{engine}'s int8 is s8s8 with min-max ranges, found {other}={getattr(scheme, other)},"
        f" wanted only the options per_channel or per_tensor, equalized, bias_corrected, qat, images=N, seed=N and"
        f" calibration=NAME"
    )


@cache  # each case needs the versions several times, and reading a package's metadata takes 2 ms
def tool_version(tool: str) -> str:
    """Return the version of an installed tool; several packages can provide the tool onnxruntime.

    Raises:
        PackageNotFoundError: the tool is not installed.
    """
    return onnxruntime.version() if tool in onnxruntime.NEEDS else version(tool)

"""Kinds of artifact, one file each: how a network becomes a file that a runtime reads.

A format offers
    SUFFIX                     of its files
    refuses(variant)           why it cannot hold the variant, empty where it can: asked before anything is trained
    SCHEME                     the Quantization that int8 is there, but for what a person's words change of it
    TOOLS                      installed packages whose version shapes the file
    write(path, variant, *, network, calibration) -> Written

`network()` gives the torch module and `calibration()` the images (N, 3, R, R) float32; a format that needs neither
calls neither, so that nothing is trained for it. A file that somebody gave in this format is taken as it is; where its
int8 can be made here, `quantize_given(given, path, quantization, calibration) -> Written` makes it.
"""

from dataclasses import dataclass

from edgebench.record import LayerNoise


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a format knows of the file it wrote; nothing, for a float one. See `record.Artifact`."""

    float_nodes: tuple[str, ...] = ()
    integer_share: float | None = None
    layers: tuple[LayerNoise, ...] = ()

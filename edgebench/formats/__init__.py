"""Kinds of artifact, one file each: how a network becomes a file that a runtime reads.

A format offers
    SUFFIX                     of its files
    refuses(variant)           why it cannot hold the variant, empty where it can: asked before anything is trained
    TOOLS                      installed packages whose version shapes the file
    write(path, variant, *, network, calibration) -> names of operators that an int8 file still computes in float

`network()` gives the torch module and `calibration()` the images (N, 3, R, R) float32; a format that needs neither
calls neither, so that nothing is trained for it.
"""

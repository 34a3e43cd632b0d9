"""Inference engines, one file each, as they run on the target.

A runtime offers
    FORMAT                     the artifact it reads, a name on the shelf of formats
    PACKAGE                    the package it comes in
    OPTIONS                    groups of words that it can be told, of which one holds: the first unless another is
                               asked for, or is the target's device; an empty word is one that goes without saying
    WARMS_UP                   whether its first inferences are slower than later ones
    version()                  the installed engine's version
    prepare()                  import the engine
    open(path, *, threads, batch, options) -> Session

and a Session
    run()                      one inference on bound inputs; returns when its outputs can be read on the host
    infer(data, shape)         raw float32 inputs of `shape` (N, ...) -> raw float32 outputs, row-major
    facts()                    may be left out: what this process's session is that others need not be, by name
"""

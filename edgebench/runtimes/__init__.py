"""Inference engines, one file each, as they run on the target.

A runtime offers
    FORMAT                     the artifact it reads, a name on the shelf of formats
    OPTIONS                    what it was told beyond its defaults, as shown in a row
    WARMS_UP                   whether its first inferences are slower than later ones
    version()                  the installed engine's version
    prepare()                  import the engine
    open(path, *, threads, batch) -> Session

and a Session
    run()                      one inference on bound inputs; returns when its outputs can be read on the host
    infer(data, shape)         raw float32 inputs of `shape` (N, ...) -> raw float32 outputs, row-major
"""

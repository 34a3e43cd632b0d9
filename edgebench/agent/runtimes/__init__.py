"""Inference engines, one file each, as they run on the target.

A runtime offers
    FORMAT                     the artifact it reads, a name on the shelf of formats
    NEEDS                      the packages that it needs beside numpy, the one that has its version first
    OPTIONS                    groups of words that it can be told, of which one holds: the first unless another is
                               asked for, or means the target's device; an empty word is one that goes without saying
    DEVICES                    words of these that mean a device, `cpu` or `cuda`: {"CUDAExecutionProvider": "cuda"}
    SCHEMES                    words whose int8 is made in another way than the format's own, and the words of that way
    NO_PROFILE                 why it gives no time of an operator; empty where it does, by `profile`
    WARMS_UP                   whether its first inferences are slower than later ones
    version()                  the installed engine's version
    prepare()                  import the engine
    refuses(variant, options)  why it does not compute the variant when it is told so, empty where it does: asked
                               before anything is trained or exported
    open(path, *, threads, batch, options) -> Session
    profile(path, *, threads, batch, options, warm_up, iterations)
                               `whole_s`, the median inference under the profiler, and `operators` in the order in
                               which they run: `name`, `operator`, `type`, `bytes` and the median `seconds` of each

and a Session
    run()                      one inference on bound inputs; returns when its outputs can be read on the host
    infer(data, shape)         raw float32 inputs of `shape` (N, ...) -> raw float32 outputs, row-major
    facts()                    what it knows of its runs beside their times, asked after the last; part of the run's
                               conditions: `kernel_s` and `transfer_s`, seconds by the device's own clock;
                               `gpu_allocated_peak_bytes`, the most that its allocator gave out there; `fallback`,
                               operators that ran on another device than it was told; `delegate`, what took them over
"""

OFFERS = (
    "FORMAT",
    "NEEDS",
    "OPTIONS",
    "DEVICES",
    "SCHEMES",
    "NO_PROFILE",
    "WARMS_UP",
    "version",
    "prepare",
    "refuses",
    "open",
)
MAY_OFFER = ("profile",)

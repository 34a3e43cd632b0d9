"""Inference engines, one file each, which run on the target.

A runtime defines
    FORMAT                     the format of artifacts it reads: a plug-in of `export/formats`
    NEEDS                      the packages it needs besides numpy; the first one's version is the runtime's
    OPTIONS                    groups of options; one option per group applies: the requested one, else the one of the
                               target's device, else the first; an empty option is not shown in the runtime's name
    DEVICES                    the options that select a device, `cpu` or `cuda`: {"CUDAExecutionProvider": "cuda"}
    SCHEMES                    the options that need a different int8 scheme from the format's default, with that scheme
    NO_PROFILE                 why it cannot report operator times; empty if it can, by `profile`
    WARMS_UP                   whether its first inferences are slower than later ones
    version()                  the installed engine's version
    prepare()                  import the engine
    refuses(variant, options)  why it cannot compute the variant with these options, empty if it can; called before
                               anything is trained or exported
    open(path, *, threads, batch, options, feed) -> Session
                               `feed`, by keyword, only for models other than image classifiers; see `agent.feed`
    profile(path, *, threads, batch, options, warm_up, iterations, feed)
                               `whole_s`, the median inference under the profiler, and `operators` in execution order:
                               `name`, `operator`, `type`, `bytes` and median `seconds` of each

and a Session
    run()                      run one inference on bound inputs; return when its outputs can be read on the host
    infer(data, shape, classes)
                               raw float32 inputs of `shape` (N, ...) -> raw float32 outputs, row-major, channels
                               before pixels; with several outputs, the one with `classes` values (0: the first); or
                               all outputs joined, if together they have `classes` values
    outputs()                  every output of the last run by its name, as arrays; of sessions that take a feed
    give(name, value), take(name)
                               of sessions that take a feed: set an input, and get an output of the last run, in the
                               runtime's own type, so that it can be the input of another part
    facts()                    facts about its runs, read after the last one and stored in the run's conditions:
                               `kernel_s` and `transfer_s`, seconds by the device's clock;
                               `gpu_allocated_peak_bytes`, the peak of its allocator on the GPU; `fallback`, operators
                               that ran on a different device from the requested one; `delegate`, the delegate that
                               took over operators
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

"""Inference engines, one file each, which run on the target.

A runtime defines
    FORMAT                     the format of the artifacts that it reads: a plug-in of `export/formats`
    NEEDS                      the packages it needs besides numpy; the first package's version is the runtime's version
    OPTIONS                    groups of options; in each group, one option applies: the requested option, otherwise the
                               option of the target's device, otherwise the first option of the group; an empty option
                               is not shown in the runtime's name
    DEVICES                    a mapping from each option that selects a device to that device, such as
                               {"CUDAExecutionProvider": "cuda"}; a device is `cpu` or `cuda`, or for a compiler, the
                               device for which it compiles
    SCHEMES                    a mapping from each option that needs an int8 scheme of its own to that scheme
    NO_PROFILE                 why the runtime cannot report operator times; an empty text if it has `profile`
    WARMS_UP                   whether the first inferences are slower than later inferences
    INSPECTS                   optional: whether a session's facts say what an int8 graph computes in float; if they do
                               not, the operators that the format's own runtime computes in float are reported
    ENVIRONMENT                optional: exact packages, the runtime's own first, such as ("executorch==1.5.1",), which
                               contradict edgebench's requirements; on first use, edgebench puts them into a folder of
                               their own; a process with this folder sees the installed packages, too, of which the
                               runtime needs the rest of NEEDS; such a runtime is not copied to boards
    GLIBC                      optional: the oldest glibc that its wheels support, by machine: {"aarch64": "2.35"}
    COMPILES_ONLY              optional: True for a vendor's compiler, whose devices are not at hand; such a
                               runtime defines `compile` in place of `open`; its cases have no time and no accuracy
    version()                  return the installed engine's version
    prepare()                  import the engine
    prepare_for(options)       optional: import what these options need besides the engine
    refuses(variant, options)  return why it cannot compute the variant with these options, or an empty text if it
                               can; the host calls this function before anything is trained or exported
    refuses_on(variant, machine)
                               optional: return why a machine, which the agent's facts describe, cannot compute the
                               variant, or an empty text if it can; for example, int8 on an old processor
    open(path, *, threads, batch, options, feed) -> Session
                               open the artifact; `feed`, a description of the model's inputs, is passed only for
                               models other than image classifiers, see `agent.feed`
    compile(path, *, batch, options) -> dict[str, str]
                               compile the artifact for the device that the options select; return the compiler's facts:
                               `configuration`, the device's configuration and the compiler's settings; `operators` and
                               `macs`, the numbers of operators and multiply-adds in the file; `npu_operators` and
                               `npu_macs`, how many of them run on the device; `host_operator_names`, the types of the
                               operators that the host's processor runs; and, optionally, `sram_bytes`, `flash_bytes`
                               and `dram_bytes`; raise a RuntimeError with one line if the artifact cannot be compiled
    profile(path, *, threads, batch, options, warm_up, iterations, feed)
                               return `whole_s`, the median time of an inference under the profiler, and `operators`,
                               which lists the operators in execution order, each with its `name`, `operator`, `type`,
                               `bytes` and median `seconds`

and a Session
    run()                      run one inference on bound inputs; return when its outputs can be read on the host
    infer(data, shape, classes)
                               run raw float32 inputs of `shape` (N, ...), and return raw float32 outputs, row-major,
                               channels before pixels; if the model has several outputs, return the output with
                               `classes` values (the first output if `classes` is 0), or return all outputs joined if
                               together they have `classes` values
    outputs()                  return every output of the last run, as a mapping from name to array; only for models
                               with a feed
    give(name, value), take(name)
                               set an input, and get an output of the last run; only for models with a feed; the values
                               have the runtime's own type, so that an output can become the input of another part
    facts()                    return facts about the session's runs; the agent calls this after the last run and stores
                               the facts with the run's conditions: `kernel_s` and `transfer_s`, seconds by the device's
                               clock; `gpu_allocated_peak_bytes`, the peak of the runtime's allocator on the GPU;
                               `fallback`, the operators that ran on a different device from the requested one;
                               `delegate`, the delegate that took over operators; `fully_accelerated`, whether the
                               accelerators take all operators; `weight_cache`, which is `read` if the process read a
                               file of packed weights, and `written` if the process wrote that file;
                               `weight_cache_bytes`, the file's size; `empty_cache_s`, how many seconds longer a load
                               takes without the file; for an int8 graph, if the runtime `INSPECTS`: `integer_share`,
                               the share of multiply-adds in integers, `float_operators`, the number of operators that
                               compute in float, and `float_operator_names`, separated by commas
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
    "open or compile",  # a runtime defines one of the two
)
MAY_OFFER = ("COMPILES_ONLY", "ENVIRONMENT", "GLIBC", "INSPECTS", "prepare_for", "profile", "refuses_on")

"""Facts about the GPU and its current conditions, from the CUDA driver and its management library (NVML).

The driver is called through ctypes, so that the agent can say why there is no device even if Python has no packages.
NVML needs the package nvidia-ml-py. A fact that the driver does not report is left out.
"""

import ctypes
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from edgebench.schema import throttle

DRIVER = "libcuda.so.1"
DEVICE = 0  # CUDA's number of the GPU in use; to use another GPU, set CUDA_VISIBLE_DEVICES
_NO_DEVICE = 100  # cuda.h, CUDA_ERROR_NO_DEVICE
_BUS_ID_BYTES = 32


def why_missing() -> str:
    """Return why CUDA cannot be used here; an empty text if it can be used."""
    try:
        driver = ctypes.CDLL(DRIVER)
    except OSError:
        return "driver not found"
    count = ctypes.c_int()
    if status := driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return "driver found, but no device" if status == _NO_DEVICE else f"driver error {status}"
    return "" if count.value else "driver found, but no device"


def identity() -> dict[str, str]:
    """Return facts that do not change between reboots: GPU, driver, maximum clock, power limit, memory."""
    return _facts(_identity)


def conditions() -> dict[str, str]:
    """Return facts that change from minute to minute: clocks, power, temperature, memory in use, throttling."""
    return _facts(_conditions)


Reader = Callable[[], object]


def _facts(readers: Callable[[Any, Any], dict[str, Reader]]) -> dict[str, str]:
    """Read facts about the device from NVML; return no facts if NVML or its package is missing."""
    try:
        import pynvml
    except ImportError:
        return {}
    try:
        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByPciBusId(_bus_id())
    except pynvml.NVMLError:
        return {}
    return answered(readers(pynvml, handle), pynvml.NVMLError)


def answered(readers: dict[str, Reader], refusal: type[Exception]) -> dict[str, str]:
    """Call the function that reads each fact; leave out the fact if the function raises `refusal`.

    Not every GPU has every sensor.
    """
    facts = dict[str, str]()
    for name, read in readers.items():
        with suppress(refusal):
            facts[name] = str(read())
    return facts


def _identity(nvml: Any, handle: Any) -> dict[str, Reader]:
    return {
        "gpu": lambda: nvml.nvmlDeviceGetName(handle),
        "gpu_driver": nvml.nvmlSystemGetDriverVersion,
        "gpu_max_clock_mhz": lambda: nvml.nvmlDeviceGetMaxClockInfo(handle, nvml.NVML_CLOCK_SM),
        "gpu_power_limit_w": lambda: f"{nvml.nvmlDeviceGetEnforcedPowerLimit(handle) / 1e3:.0f}",
        "gpu_memory_bytes": lambda: nvml.nvmlDeviceGetMemoryInfo(handle).total,
    }


def _conditions(nvml: Any, handle: Any) -> dict[str, Reader]:
    return {
        "gpu_clock_mhz": lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_SM),
        "gpu_memory_clock_mhz": lambda: nvml.nvmlDeviceGetClockInfo(handle, nvml.NVML_CLOCK_MEM),
        "gpu_power_w": lambda: f"{nvml.nvmlDeviceGetPowerUsage(handle) / 1e3:.1f}",
        "gpu_temperature_c": lambda: nvml.nvmlDeviceGetTemperature(handle, nvml.NVML_TEMPERATURE_GPU),
        "gpu_used_bytes": lambda: nvml.nvmlDeviceGetMemoryInfo(handle).used,
        "gpu_throttle": lambda: throttle.words(nvml.nvmlDeviceGetCurrentClocksEventReasons(handle), throttle.GPU),
        "gpu_too_hot_ns": lambda: (
            nvml.nvmlDeviceGetViolationStatus(handle, nvml.NVML_PERF_POLICY_THERMAL).violationTime
        ),
    }


def _bus_id() -> str:
    """Return the PCI address of CUDA's device; NVML needs it, because NVML numbers devices in a different order."""
    driver, device = ctypes.CDLL(DRIVER), ctypes.c_int()
    text = ctypes.create_string_buffer(_BUS_ID_BYTES)
    driver.cuInit(0)
    driver.cuDeviceGet(ctypes.byref(device), DEVICE)
    driver.cuDeviceGetPCIBusId(text, _BUS_ID_BYTES, device)
    return text.value.decode()

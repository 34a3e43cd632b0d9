"""The CUDA driver and its management library (NVML) -> which GPU this is, and how it is now.

CUDA's driver is asked by ctypes, so that a bare Python can say why there is no device; NVML by the package
nvidia-ml-py, and a fact that a driver does not offer is left out.
"""

import ctypes
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from edgebench.agent import throttle

DRIVER = "libcuda.so.1"
DEVICE = 0  # as CUDA counts them: CUDA_VISIBLE_DEVICES chooses another
_NO_DEVICE = 100  # cuda.h, CUDA_ERROR_NO_DEVICE
_BUS_ID_BYTES = 32


def why_missing() -> str:
    """Say why nothing can be computed on a GPU here; empty where it can."""
    try:
        driver = ctypes.CDLL(DRIVER)
    except OSError:
        return "driver not found"
    count = ctypes.c_int()
    if status := driver.cuInit(0) or driver.cuDeviceGetCount(ctypes.byref(count)):
        return "driver found, but no device" if status == _NO_DEVICE else f"driver error {status}"
    return "" if count.value else "driver found, but no device"


def identity() -> dict[str, str]:
    """Return what does not change while the machine is up: the GPU, its driver, greatest clock, power limit, memory."""
    return _seen(_identity)


def conditions() -> dict[str, str]:
    """Return what changes from minute to minute: clocks, power, temperature, memory in use, throttling."""
    return _seen(_conditions)


Reader = Callable[[], object]


def _seen(readers: Callable[[Any, Any], dict[str, Reader]]) -> dict[str, str]:
    """Ask NVML about the device; without the package, or its library, nothing is known."""
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
    """Read what there is to read: not every board has every sensor."""
    found = dict[str, str]()
    for name, read in readers.items():
        with suppress(refusal):
            found[name] = str(read())
    return found


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
    """Return the PCI address of CUDA's device: NVML counts devices in an order of its own."""
    driver, device = ctypes.CDLL(DRIVER), ctypes.c_int()
    text = ctypes.create_string_buffer(_BUS_ID_BYTES)
    driver.cuInit(0)
    driver.cuDeviceGet(ctypes.byref(device), DEVICE)
    driver.cuDeviceGetPCIBusId(text, _BUS_ID_BYTES, device)
    return text.value.decode()

"""Facts about this machine, its current conditions and this process's memory, from /proc and /sys.

A fact that the kernel does not report is left out, never guessed.
"""

import os
import platform
import sys
from pathlib import Path
from time import CLOCK_BOOTTIME, clock_gettime

from edgebench.agent import cgroup, counter, firmware

_DMI = "/sys/class/dmi/id/"
_CPUFREQ = "/sys/devices/system/cpu/cpu0/cpufreq/"
_ISA = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimd", "asimddp", "fphp", "i8mm", "sve")


def read(path: str) -> str:
    """Return the file's text without surrounding blanks; an empty text if the file cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip("\n\0 ")
    except OSError:
        return ""


def _field(text: str, *names: str) -> str:
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() in names:
            return value.strip()
    return ""


def identity() -> dict[str, str]:
    """Return facts that do not change between reboots: board, CPU, ISA flags, kernel, firmware, Python."""
    cpu = read("/proc/cpuinfo")
    flags = set(_field(cpu, "flags", "Features").split())
    facts = {
        "board": read("/proc/device-tree/model"),
        "serial": read("/proc/device-tree/serial-number"),
        "machine": platform.machine(),
        "cpu": _field(cpu, "model name", "Model"),
        "cores": str(os.cpu_count() or ""),
        "usable_cores": str(len(os.sched_getaffinity(0))),
        "cpuset": _cpuset(),
        "cpu_quota": "" if (quota := cgroup.cpu_quota()) is None else f"{quota:g}",
        "isa": " ".join(flag for flag in _ISA if flag in flags),
        "hypervisor": "yes" if "hypervisor" in flags else "",
        "emulator": emulator(),
        "counter": "yes" if counter.is_there() else "",
        "memory_bytes": str(int(_field(read("/proc/meminfo"), "MemTotal").split()[0]) * 1024),
        "os": _system(),
        "bits": "64" if sys.maxsize > 2**32 else "32",  # of Python: a 64-bit kernel can run 32-bit programs
        "kernel": f"{platform.system()} {platform.release()}",
        "libc": " ".join(platform.libc_ver()),
        "firmware": firmware.version() or _bios(),
        "microcode": _field(cpu, "microcode"),
        "governor": read(_CPUFREQ + "scaling_governor"),
        "max_clock_mhz": _megahertz(read(_CPUFREQ + "cpuinfo_max_freq")),
        "turbo_off": read("/sys/devices/system/cpu/intel_pstate/no_turbo"),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }
    return {key: value for key, value in facts.items() if value}


def _cpuset() -> str:
    """Return the cores that this process may use, such as `0-1,3`; an empty text if it may use all cores."""
    is_limited = len(os.sched_getaffinity(0)) < (os.cpu_count() or 0)
    return _field(read("/proc/self/status"), "Cpus_allowed_list") if is_limited else ""


def _bios() -> str:
    return " ".join(filter(None, (read(f"{_DMI}bios_{part}") for part in ("vendor", "version", "date"))))


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return ""


def emulator() -> str:
    """Return the name of the emulator that runs this process, such as `qemu-aarch64`; an empty text if there is none.

    Under QEMU, /proc/self/exe points to the emulated program, but /proc/thread-self/exe points to the emulator.
    """
    name = os.path.basename(os.readlink("/proc/thread-self/exe"))  # noqa: PTH115, PTH119  # pathlib sees no link there
    return name if name.startswith("qemu-") else ""


def conditions() -> dict[str, str]:
    """Return facts that change from minute to minute: clock and why it is lowered, temperature, load, memory, swap."""
    memory = read("/proc/meminfo")
    swap = [int((_field(memory, name) or "0").split()[0]) for name in ("SwapTotal", "SwapFree")]
    facts = {
        "clock_mhz": _megahertz(read(_CPUFREQ + "scaling_cur_freq")) or _field(read("/proc/cpuinfo"), "cpu MHz"),
        "governor": read(_CPUFREQ + "scaling_governor"),
        "temperature_c": _celsius(read("/sys/class/thermal/thermal_zone0/temp")),
        "load_1min": read("/proc/loadavg").partition(" ")[0],
        "available_bytes": str(int(_field(memory, "MemAvailable").split()[0]) * 1024),
        "swap_used_bytes": str((swap[0] - swap[1]) * 1024),
    } | firmware.conditions()
    return {key: value for key, value in facts.items() if value}


def _megahertz(kilohertz: str) -> str:
    return f"{int(kilohertz) / 1000:.0f}" if kilohertz else ""


def _celsius(millidegrees: str) -> str:
    return f"{int(millidegrees) / 1000:.1f}" if millidegrees else ""


def cpu_seconds() -> tuple[float, float, float]:
    """Return three sums of CPU seconds since boot: used by other processes, stolen by the hypervisor, and total.

    The time of other processes is the machine's busy time minus this process's CPU time; the kernel counts both in
    ticks of 10 ms.
    """
    ticks = [int(value) for value in read("/proc/stat").splitlines()[0].split()[1:9]]
    mine = os.times()
    user, nice, system, _idle, _iowait, irq, softirq, steal = ticks
    scale = os.sysconf("SC_CLK_TCK")
    busy = (user + nice + system + irq + softirq) / scale
    return busy - (mine.user + mine.system), steal / scale, sum(ticks) / scale


def since_process_start_s() -> float:
    """Return the seconds since the kernel started this process, including interpreter start and imports."""
    started_ticks = int(read("/proc/self/stat").rpartition(")")[2].split()[19])
    return clock_gettime(CLOCK_BOOTTIME) - started_ticks / os.sysconf("SC_CLK_TCK")


def reset_peak() -> None:
    """Reset this process's peak resident memory to its current resident memory (proc(5), clear_refs 5)."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def resident_bytes() -> int:
    """Return this process's resident memory (VmRSS)."""
    return _status_bytes("VmRSS")


def peak_bytes() -> int:
    """Return this process's peak resident memory since `reset_peak` (VmHWM)."""
    return _status_bytes("VmHWM")


def _status_bytes(name: str) -> int:
    return int(_field(read("/proc/self/status"), name).split()[0]) * 1024

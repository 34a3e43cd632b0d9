"""Turn a target's status into observations; an observation that would spoil a measurement comes with advice."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from packaging.version import Version

from edgebench.foundation.sheet import IDENTITY, OBJECTIVE, Column, Sheet
from edgebench.foundation.shelf import literal
from edgebench.foundation.units import MIB
from edgebench.schema.cards import Trial
from edgebench.schema.environment import name_of_machine
from edgebench.schema.target import Target
from edgebench.schema.throttle import NOTHING, UNDER_VOLTAGE, harmful

COOL_BELOW_C = 60.0  # a Raspberry Pi 4 lowers its clock when it is 20 °C hotter than this
SPARE_MEMORY_MIB = 256.0  # loading VGG16 in float needs four times this memory, loading a MobileNet a quarter of it
SPARE_DISK_MIB = 512.0  # free disk space that a runtime's unpacked packages and some artifacts need
MOST_USED_MIB = 1024.0  # if more GPU memory is in use, other programs than the desktop and the driver use it
MOST_LOAD = 0.5  # if other processes use more cores than this, they disturb measurements
WITH_WHEELS = ("aarch64", "x86_64")  # machines with wheels of onnxruntime, LiteRT and torch

SUPPLY = "use the power supply made for this board, and a short cable"
COOLER = "let it cool, or give it a fan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One observation about a target; if something is wrong, `advice` says what to do."""

    subject: str
    found: str
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """All observations about a target."""

    target: Target
    findings: tuple[Observation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A target's status as its agent reports it.

    Attributes:
        answered_s: the time until a fresh agent process has answered.
        offered: the version of each runtime that is missing on the target but can be copied there.
        trials: for these runtimes, whether they run on the target's processor.
    """

    machine: Mapping[str, str]
    conditions: Mapping[str, str]
    runtimes: Mapping[str, Mapping[str, str]]
    disk_free_bytes: int
    answered_s: float
    offered: Mapping[str, str] = field(default_factory=dict)
    trials: Mapping[str, Trial] = field(default_factory=dict)


def checkup(target: Target, status: Status) -> Checkup:
    """Check a target's status."""
    return Checkup(target=target, findings=tuple(_findings(target, status)))


def _findings(target: Target, status: Status) -> Iterator[Observation]:
    machine, now = status.machine, status.conditions
    if target.compiles_only:  # the state of this machine does not change what a compiler reports
        found = f"only compiled for {target.device} on this machine: no time, no memory and no accuracy is measured"
        yield Observation(subject="networks are", found=found)
        yield from _runtimes(target, status)
        return
    yield _board(target, machine)
    yield _system(machine)
    yield Observation(subject="Python", found=machine["python"])
    yield _memory(machine, now)
    yield _disk(status.disk_free_bytes)
    yield _clock(machine, now)
    yield from _heat(now)
    yield from _firmware(now)
    yield from _gpu(machine, now)
    yield _load(now)
    yield Observation(subject="answers in", found=f"{status.answered_s:.2f} s, a fresh process each time")
    yield from _runtimes(target, status)


def _runtimes(target: Target, status: Status) -> Iterator[Observation]:
    for name, runtime in status.runtimes.items():
        offered = _Offered(version=status.offered.get(name, ""), trial=status.trials.get(name))
        yield _runtime(name, runtime["version"], offered, target, status.machine)


def _board(target: Target, machine: Mapping[str, str]) -> Observation:
    reports = "" if "board" in machine else "reports no name; "
    serial = f", serial {machine['serial']}" if "serial" in machine else ""
    advice = f"the target's file says {target.board}: is that the right address?" if target.is_not(machine) else ""
    found = f"{reports}{name_of_machine(machine)}{serial}, {machine['usable_cores']} cores"
    return Observation(subject="board", found=found, advice=advice)


def _system(machine: Mapping[str, str]) -> Observation:
    bits = machine["bits"]
    found = f"{machine.get('os', 'unnamed')}, {bits} bits, {machine['kernel']} on {machine['machine']}"
    if emulator := machine.get("emulator"):
        return Observation(
            subject="system", found=found, advice=f"{emulator} emulates it: no time or memory is measured there"
        )
    advice = "" if bits == "64" else "install a 64-bit system: most runtimes have no 32-bit wheels"
    return Observation(subject="system", found=found, advice=advice)


def _memory(machine: Mapping[str, str], now: Mapping[str, str]) -> Observation:
    free, swapped = _mib(now["available_bytes"]), _mib(now["swap_used_bytes"])
    found = f"{free:.0f} of {_mib(machine['memory_bytes']):.0f} MiB free, {swapped:.0f} MiB in swap"
    if free < SPARE_MEMORY_MIB:
        return Observation(subject="memory", found=found, advice="free some memory: large networks will not load")
    return Observation(
        subject="memory", found=found, advice="free some memory: swapping spoils times" if swapped else ""
    )


def _disk(free_bytes: int) -> Observation:
    advice = "" if _mib(free_bytes) >= SPARE_DISK_MIB else f"free some space: a runtime needs {SPARE_DISK_MIB:.0f} MiB"
    return Observation(subject="disk", found=f"{_mib(free_bytes):.0f} MiB free", advice=advice)


def _clock(machine: Mapping[str, str], now: Mapping[str, str]) -> Observation:
    governor, highest = machine.get("governor", ""), machine.get("max_clock_mhz", "")
    clock = now.get("firmware_clock_mhz") or now.get("clock_mhz", "")
    parts = [f"{float(clock):.0f} MHz now" if clock else "", f"at most {highest} MHz" if highest else ""]
    found = ", ".join(filter(None, (*parts, f"governor {governor}" if governor else "governor unknown")))
    advice = (
        "" if governor in ("", "performance") else "set the governor to performance: sudo cpufreq-set -r -g performance"
    )
    return Observation(subject="clock", found=found, advice=advice)


def _heat(now: Mapping[str, str]) -> Iterator[Observation]:
    if celsius := now.get("temperature_c"):
        advice = COOLER if float(celsius) >= COOL_BELOW_C else ""
        yield Observation(subject="temperature", found=f"{celsius} °C", advice=advice)


def _firmware(now: Mapping[str, str]) -> Iterator[Observation]:
    if "clock_lowered" not in now:
        return
    lowered, before = now["clock_lowered"], now["clock_lowered_since_boot"]
    advice = ""
    if UNDER_VOLTAGE in lowered or UNDER_VOLTAGE in before:
        advice = SUPPLY
    elif lowered != NOTHING:
        advice = COOLER
    yield Observation(subject="clock lowered", found=f"now by {lowered}; since boot by {before}", advice=advice)


def _gpu(machine: Mapping[str, str], now: Mapping[str, str]) -> Iterator[Observation]:
    if "device" not in machine:  # a target that computes on its CPU has no GPU to check
        return
    if "gpu" not in machine:
        advice = "install nvidia-ml-py there, to read its name and clock"
        yield Observation(subject="GPU", found="a CUDA device of unknown name", advice=advice)
        return
    used, lowered = _mib(now.get("gpu_used_bytes", 0)), now.get("gpu_throttle", NOTHING)
    parts = (
        machine["gpu"],
        f"driver {machine['gpu_driver']}" if "gpu_driver" in machine else "",
        f"{used:.0f} of {_mib(machine['gpu_memory_bytes']):.0f} MiB in use" if "gpu_memory_bytes" in machine else "",
        f"{now['gpu_clock_mhz']} MHz now" if "gpu_clock_mhz" in now else "",
        f"clock lowered by {lowered}" if harmful(lowered) else "",
    )
    yield Observation(
        subject="GPU",
        found=", ".join(filter(None, parts)),
        advice="wait until other processes on it have ended" if used > MOST_USED_MIB else "",
    )


def _load(now: Mapping[str, str]) -> Observation:
    busy = float(now["load_1min"]) > MOST_LOAD
    advice = "wait until it is idle, or stop other processes there" if busy else ""
    return Observation(subject="load", found=f"{now['load_1min']} over the last minute", advice=advice)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offered:
    """The version of a runtime that can be copied to the target, and whether it runs there, if that was tried."""

    version: str
    trial: Trial | None


def _runtime(name: str, version: str, offered: _Offered, target: Target, machine: Mapping[str, str]) -> Observation:
    subject = f"runtime {name}"
    if version:
        return Observation(subject=subject, found=f"{version}, installed there")
    if environment := literal("runtimes", name, "ENVIRONMENT"):
        found = f"{environment[0].partition('==')[2]} is installed by the first run, in an environment of its own"
        return Observation(subject=subject, found=found)
    if not offered.version:
        return Observation(subject=subject, found="not installed", advice="install it there with pip, or leave it out")
    if machine["machine"] not in WITH_WHEELS:
        found, advice = "not installed", f"there may be no wheel for {machine['machine']}: try targets prepare"
        return Observation(subject=subject, found=found, advice=advice)
    if advice := _glibc(name, machine):
        return Observation(subject=subject, found="not installed", advice=advice)
    copied = f"{offered.version} is copied by the first run, or by targets prepare {target.name}"
    if offered.trial is None:
        return Observation(subject=subject, found=copied)
    if offered.trial.failed:
        advice = f"use another version, such as --runtime {name}==..., or leave it out"
        return Observation(subject=subject, found=str(offered.trial), advice=advice)
    return Observation(subject=subject, found=f"{copied}; {offered.trial}")


def _glibc(runtime: str, machine: Mapping[str, str]) -> str:
    """Return advice if the machine's glibc is older than the oldest for which the runtime has wheels."""
    oldest = (literal("runtimes", runtime, "GLIBC") or {}).get(machine["machine"], "")
    libc, _, found = machine.get("libc", "").partition(" ")
    if not oldest or libc != "glibc" or Version(found) >= Version(oldest):
        return ""
    return f"its wheels need glibc {oldest}, this system has {found}: install a newer system, or leave it out"


def _mib(count: str | int) -> float:
    return int(count) / MIB


def title(target: Target) -> str:
    """Return a target's name and address."""
    return f"{target.name} at {target.address}" if target.address else target.name


COLUMNS: tuple[Column[Observation], ...] = (
    Column.text("", lambda one: one.subject, IDENTITY, subject=lambda one: one.subject),
    Column.text("found", lambda one: one.found, OBJECTIVE),
    Column.text("what to do", lambda one: one.advice, OBJECTIVE, advice=lambda one: one.advice or None),
)


def sheet(result: Checkup) -> Sheet:
    """Return a checkup as a table, one row per observation."""
    wrong = sum(bool(finding.advice) for finding in result.findings)
    note = f"{wrong} of {len(result.findings)} need attention." if wrong else "No problem was found."
    return Sheet.of(title(result.target), COLUMNS, result.findings, (note,))

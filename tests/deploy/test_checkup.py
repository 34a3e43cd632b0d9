"""What is said of a target before it is measured on: what is there, and what to do about it."""

from dataclasses import replace
from typing import Any

import pytest

from edgebench.deploy.targets import catalogue, checkup
from edgebench.deploy.targets.checkup import COOLER, SUPPLY, Status
from edgebench.schema.target import Target

RPI4 = Target(name="rpi4", board="Raspberry Pi 4 Model B", connection="ssh", runtimes=(), address="pi@10.0.0.7")
GOOD = Status(
    machine={
        "board": "Raspberry Pi 4 Model B Rev 1.4", "serial": "1000", "usable_cores": "4", "os": "Debian 12",
        "bits": "64", "kernel": "Linux 6.6", "machine": "aarch64", "python": "CPython 3.11.2",
        "governor": "performance", "memory_bytes": str(4 << 30), "max_clock_mhz": "1800",
    },
    conditions={
        "available_bytes": str(3 << 30), "swap_used_bytes": "0", "load_1min": "0.10", "clock_mhz": "1800",
        "firmware_clock_mhz": "1750", "temperature_c": "48.2", "clock_lowered": "nothing",
        "clock_lowered_since_boot": "nothing",
    },
    runtimes={"onnxruntime": {"version": ""}, "null": {"version": "1"}},
    disk_free_bytes=8 << 30,
    answered_s=0.41,
    offered={"onnxruntime": "1.31.1"},
)  # fmt: skip


def findings(facts: dict[str, str]) -> dict[str, tuple[str, str]]:
    """What is found and advised, by subject, where some facts differ from a good board's."""
    machine = {key: value for key, value in facts.items() if key in GOOD.machine or key == "emulator"}
    now = {key: value for key, value in facts.items() if key not in machine}
    seen = replace(GOOD, machine={**GOOD.machine, **machine}, conditions={**GOOD.conditions, **now})
    return {one.subject: (one.found, one.advice) for one in checkup.checkup(RPI4, seen).findings}


def test_a_board_that_is_well_has_nothing_to_do() -> None:
    assert findings({}) == {
        "board": ("Raspberry Pi 4 Model B Rev 1.4, serial 1000, 4 cores", ""),
        "system": ("Debian 12, 64 bits, Linux 6.6 on aarch64", ""),
        "Python": ("CPython 3.11.2", ""),
        "memory": ("3072 of 4096 MiB free, 0 MiB in swap", ""),
        "disk": ("8192 MiB free", ""),
        "clock": ("1750 MHz now, at most 1800 MHz, governor performance", ""),
        "temperature": ("48.2 °C", ""),
        "clock lowered": ("now by nothing; since boot by nothing", ""),
        "load": ("0.10 over the last minute", ""),
        "answers in": ("0.41 s, a fresh process each time", ""),
        "runtime onnxruntime": ("1.31.1 is copied by the first run, or by targets prepare rpi4", ""),
        "runtime null": ("1, installed there", ""),
    }
    assert checkup.sheet(checkup.checkup(RPI4, GOOD)).notes == ("No problem was found.",)


@pytest.mark.parametrize(
    ("subject", "facts", "advice"),
    [
        ("board", {"board": "Raspberry Pi 5 Model B Rev 1.0"}, "the target's file says Raspberry Pi 4 Model B"),
        ("system", {"bits": "32"}, "install a 64-bit system"),
        ("system", {"emulator": "qemu-aarch64"}, "qemu-aarch64 emulates it: no time or memory is measured there"),
        ("memory", {"available_bytes": str(100 << 20)}, "free some memory: large networks will not load"),
        ("memory", {"swap_used_bytes": str(50 << 20)}, "swapping spoils times"),
        ("clock", {"governor": "ondemand"}, "set the governor to performance"),
        ("temperature", {"temperature_c": "71.0"}, COOLER),
        ("clock lowered", {"clock_lowered": "under-voltage, throttled"}, SUPPLY),
        ("clock lowered", {"clock_lowered_since_boot": "under-voltage"}, SUPPLY),
        ("clock lowered", {"clock_lowered": "soft temperature limit"}, COOLER),
        ("load", {"load_1min": "1.75"}, "stop other processes there"),
        ("runtime onnxruntime", {"machine": "armv7l"}, "there may be no wheel for armv7l"),
    ],
)
def test_what_would_spoil_a_number_comes_with_what_to_do(subject: str, facts: dict[str, str], advice: str) -> None:
    found = findings(facts)
    assert advice in found[subject][1]
    assert [one for one, (_, what) in found.items() if what] == [subject]


@pytest.mark.parametrize(
    ("target", "reported", "is_other"),
    [
        ("rpi3", "Raspberry Pi 3 Model B Plus Rev 1.3", False),
        ("rpi4", "Raspberry Pi 4 Model B Rev 1.5", False),
        ("rpi4", "Raspberry Pi 5 Model B Rev 1.0", True),
        ("rpi4", "", True),
        ("rpi4_emulated", "", False),
        ("jetson_orin_nano", "NVIDIA Orin Nano Developer Kit", False),
        ("jetson_orin_nano", "NVIDIA Jetson Orin Nano Engineering Reference Developer Kit Super", False),
        ("cpu", "", False),
    ],
)
def test_a_machine_is_not_the_board_if_its_name_lacks_a_word_of_it(target: str, reported: str, is_other: bool) -> None:
    machine = {"board": reported, "cpu": "AMD EPYC"} if reported else {"cpu": "AMD EPYC"}
    assert catalogue.target(target).is_not(machine) == is_other


def test_a_raspberry_pi_without_a_name_is_none() -> None:
    machine = {key: value for key, value in GOOD.machine.items() if key != "board"} | {"cpu": "AMD EPYC"}
    found = {one.subject: one for one in checkup.checkup(RPI4, replace(GOOD, machine=machine)).findings}
    assert found["board"].found.startswith("reports no name; AMD EPYC, ")
    assert found["board"].advice == "the target's file says Raspberry Pi 4 Model B: is that the right address?"


@pytest.mark.parametrize("missing", ["governor", "max_clock_mhz", "os"])
def test_what_a_machine_does_not_say_is_no_complaint(missing: str) -> None:
    machine = {key: value for key, value in GOOD.machine.items() if key != missing}
    assert not any(one.advice for one in checkup.checkup(RPI4, replace(GOOD, machine=machine)).findings)


def test_a_runtime_that_is_nowhere_is_to_be_installed() -> None:
    seen: Any = replace(GOOD, offered={})
    found = {one.subject: one for one in checkup.checkup(RPI4, seen).findings}
    assert found["runtime onnxruntime"].advice == "install it there with pip, or leave it out"


def test_a_full_disk_is_said() -> None:
    found = {one.subject: one for one in checkup.checkup(RPI4, replace(GOOD, disk_free_bytes=100 << 20)).findings}
    assert found["disk"].advice.startswith("free some")


H200 = {"device": "cuda", "gpu": "NVIDIA H200", "gpu_driver": "580.159.04", "gpu_memory_bytes": str(143771 << 20)}


@pytest.mark.parametrize(
    ("facts", "now", "found", "advice"),
    [
        (
            H200,
            {"gpu_used_bytes": str(1 << 20), "gpu_clock_mhz": "345", "gpu_throttle": "idle"},
            "NVIDIA H200, driver 580.159.04, 1 of 143771 MiB in use, 345 MHz now",
            "",
        ),
        (
            H200,
            {"gpu_used_bytes": str(9 << 30), "gpu_throttle": "power brake"},
            "NVIDIA H200, driver 580.159.04, 9216 of 143771 MiB in use, clock lowered by power brake",
            "wait until other processes on it have ended",
        ),
        (
            {"device": "cuda"},
            {},
            "a CUDA device of unknown name",
            "install nvidia-ml-py there, to read its name and clock",
        ),
    ],
)
def test_the_gpu_of_a_target_is_told(facts: dict[str, str], now: dict[str, str], found: str, advice: str) -> None:
    seen = replace(GOOD, machine={**GOOD.machine, **facts}, conditions={**GOOD.conditions, **now})
    assert {one.subject: (one.found, one.advice) for one in checkup.checkup(RPI4, seen).findings}["GPU"] == (
        found,
        advice,
    )


@pytest.mark.parametrize(("glibc", "is_enough"), [("2.31", False), ("2.34", False), ("2.35", True), ("2.41", True)])
def test_a_runtime_whose_wheels_need_a_newer_glibc_is_said_to(glibc: str, is_enough: bool) -> None:
    machine = {**GOOD.machine, "libc": f"glibc {glibc}"}
    status = replace(GOOD, machine=machine, runtimes={"openvino": {"version": ""}}, offered={"openvino": "2026.4.1"})
    (runtime,) = [one for one in checkup.checkup(RPI4, status).findings if one.subject == "runtime openvino"]
    advice = f"its wheels need glibc 2.35, this system has {glibc}: install a newer system, or leave it out"
    assert runtime.advice == ("" if is_enough else advice)

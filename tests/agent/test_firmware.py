"""What a Raspberry Pi's firmware says of its clock, and what a run under it is worth."""

from pathlib import Path

import pytest

from edgebench.agent import firmware, machine
from tests.conftest import run


@pytest.fixture
def says(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `vcgencmd` that is the real protocol: `name=value` on a line."""
    tool = place / "vcgencmd"
    tool.write_text(
        '#!/bin/sh\ncase $1 in get_throttled | version) cat said ;; *) echo "frequency(48)=1500345728" ;; esac\n'
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(place), prepend=":")
    return place / "said"


# 0x50005 is the documentation's own example: under-voltage and throttled, now and earlier.
@pytest.mark.parametrize(
    ("bits", "now", "since_boot"),
    [
        ("0x0", "nothing", "nothing"),
        ("0x50005", "under-voltage, throttled", "under-voltage, throttled"),
        ("0x20000", "nothing", "clock capped"),
        ("0x80008", "soft temperature limit", "soft temperature limit"),
    ],
)
def test_bits_are_told_in_words(says: Path, bits: str, now: str, since_boot: str) -> None:
    says.write_text(f"throttled={bits}\n")
    found = firmware.conditions()
    assert (found["clock_lowered"], found["clock_lowered_since_boot"]) == (now, since_boot)
    assert found["firmware_clock_mhz"] == "1500"


@pytest.mark.parametrize("nonsense", ["", "throttled=", 'error=1 error_msg="Command not registered"', "throttled=zz"])
def test_a_firmware_that_says_nothing_is_left_out(says: Path, nonsense: str) -> None:
    says.write_text(nonsense)
    assert "clock_lowered" not in firmware.conditions()


def test_another_machine_has_no_such_firmware() -> None:
    assert firmware.conditions() == {}


def test_its_version_is_its_build(says: Path) -> None:
    says.write_text(
        "Mar  2 2024 14:28:21 \nCopyright (c) 2012 Broadcom\n"
        "version 5d2ef8ee3a4ab5fb2e4b9d7c7e2d6a2b0a7e5c11 (clean) (release) (start)\n"
    )
    assert firmware.version() == "Mar 2 2024 14:28:21, 5d2ef8e"


def test_a_pcs_version_is_its_bios(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_DMI", f"{place}/")
    assert "firmware" not in machine.identity()
    (place / "bios_vendor").write_text("Example\n")
    (place / "bios_version").write_text("1.2.3\n")
    assert machine.identity()["firmware"] == "Example 1.2.3"


NAMES = (
    "clock_lowered_before",
    "clock_lowered_after",
    "clock_lowered_since_boot_before",
    "clock_lowered_since_boot_after",
)


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (("nothing", "nothing", "throttled", "throttled"), ()),
        (("nothing", "nothing", "nothing", "throttled"), ("throttled",)),
        (("under-voltage", "nothing", "under-voltage", "under-voltage"), ("under-voltage",)),
        (("nothing", "throttled, clock capped", "nothing", "throttled"), ("clock capped", "throttled")),
    ],
)
def test_a_run_is_spoilt_by_what_is_now_or_came_meanwhile_not_by_what_was(
    seen: tuple[str, ...], why: tuple[str, ...]
) -> None:
    assert run(conditions=dict(zip(NAMES, seen, strict=True))).clock_lowered == why

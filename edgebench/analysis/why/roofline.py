"""Operations and memory traffic of a network, and a machine's peak speeds -> the network's place below the roofline.

The functions are pure. The roofline model is from Williams, Waterman and Patterson, Communications of the ACM 52, 2009.
"""

from dataclasses import dataclass
from enum import StrEnum


class Bound(StrEnum):
    """The resource that limits the speed of a network."""

    COMPUTE = "compute"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Roof:
    """The peak speeds of a machine, in 10^9 operations/s and in 10^9 bytes/s, and the source of both numbers."""

    gops: float
    gbytes: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """The position of a network below the roofline: its speed, and the highest speed that its machine allows.

    Attributes:
        gops: measured speed, in 10^9 operations/s; a multiply-add counts as two operations.
        intensity: operations per byte of memory traffic.
        bound: the resource that limits the speed at the network's intensity.
        attainable_gops: the highest speed that the roofline allows at the network's intensity, in 10^9 operations/s.
    """

    gops: float
    intensity: float
    attainable_gops: float
    bound: Bound

    @property
    def share(self) -> float:
        """The measured speed as a share of the highest speed that the roofline allows."""
        return self.gops / self.attainable_gops


def position(*, macs: float, moved_bytes: float, time_s: float, roof: Roof) -> Position:
    """Return the position below the roofline of a network whose inference takes `time_s`."""
    intensity = 2 * macs / moved_bytes
    by_memory = intensity * roof.gbytes
    return Position(
        gops=2 * macs / time_s / 1e9,
        intensity=intensity,
        attainable_gops=min(roof.gops, by_memory),
        bound=Bound.MEMORY if by_memory < roof.gops else Bound.COMPUTE,
    )

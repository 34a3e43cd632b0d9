"""What a network computes and moves, and what a machine can do -> which of the two bounds it, and how near it comes.

Pure. Source of the model: Williams, Waterman and Patterson, Communications of the ACM 52, 2009.
"""

from dataclasses import dataclass
from enum import StrEnum


class Bound(StrEnum):
    """What keeps a network from being faster."""

    COMPUTE = "compute"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Roof:
    """10^9 operations a second, and 10^9 bytes a second, that a machine reaches at most, and who says so."""

    gops: float
    gbytes: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where a network lies under a roof.

    Attributes:
        gops: 10^9 operations a second that it reached; a multiply-add is two.
        intensity: operations a byte, were every value moved once.
        attainable_gops: what the roof allows at that intensity.
    """

    gops: float
    intensity: float
    attainable_gops: float
    bound: Bound

    @property
    def share(self) -> float:
        """What it reached of what the roof allows."""
        return self.gops / self.attainable_gops


def position(*, macs: float, moved_bytes: float, time_s: float, roof: Roof) -> Position:
    """Place a network that took so long under a roof."""
    intensity = 2 * macs / moved_bytes
    by_memory = intensity * roof.gbytes
    return Position(
        gops=2 * macs / time_s / 1e9,
        intensity=intensity,
        attainable_gops=min(roof.gops, by_memory),
        bound=Bound.MEMORY if by_memory < roof.gops else Bound.COMPUTE,
    )

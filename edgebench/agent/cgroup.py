"""/proc/self/cgroup and /sys/fs/cgroup -> how much CPU this process's control groups leave it, cgroup v1 and v2.

Whoever runs in a container or a service sees all of the machine's cores and gets a part of their time.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_MOUNTS = {"": ("", "unified"), "cpu": ("cpu", "cpu,cpuacct", "cpuacct,cpu")}  # by controller; v2 names none
UNLIMITED = ("max", "-1", "0")


def cpu_quota(root: Path = Path("/")) -> float | None:
    """Return the least quota of this process's group and those that it is part of, cores; None without one."""
    return min(_quotas(root), default=None)


def _quotas(root: Path) -> Iterator[float]:
    for folder in _groups(root):
        quota, _, period = _read(folder / "cpu.max").partition(" ")
        quota = quota or _read(folder / "cpu.cfs_quota_us")
        period = period or _read(folder / "cpu.cfs_period_us")
        if quota not in UNLIMITED and quota.isdecimal() and period.isdecimal() and int(period):
            yield int(quota) / int(period)


def _groups(root: Path) -> Iterator[Path]:
    """Yield the folder of each group that this process is in, and of those above it, up to the mount's own.

    In a container the path may be the host's, of which the mount shows the end only: a folder that is not there is
    passed over.
    """
    for line in _read(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        names = [name for name in _MOUNTS if name in controllers.split(",")]
        for mount in (mount for name in names for mount in _MOUNTS[name]):
            inner = PurePosixPath(path.lstrip("/"))
            for group in (inner, *inner.parents):
                yield root / "sys/fs/cgroup" / mount / group


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""

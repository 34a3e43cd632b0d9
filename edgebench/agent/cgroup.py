"""The CPU quota of this process's control groups (v1 or v2), read from /proc/self/cgroup and /sys/fs/cgroup.

A process in a container or a service sees all cores of the machine, but its quota can limit it to a part of their time.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

# For each controller, the folders in which it can be mounted. In cgroup v2 the controller's name is empty.
_MOUNTS = {"": ("", "unified"), "cpu": ("cpu", "cpu,cpuacct", "cpuacct,cpu")}
UNLIMITED = ("max", "-1", "0")


def cpu_quota(root: Path = Path("/")) -> float | None:
    """Return the lowest CPU quota of this process's group and its parent groups, in cores; None if no group has one."""
    return min(_quotas(root), default=None)


def _quotas(root: Path) -> Iterator[float]:
    for folder in _groups(root):
        quota, _, period = _read(folder / "cpu.max").partition(" ")
        quota = quota or _read(folder / "cpu.cfs_quota_us")
        period = period or _read(folder / "cpu.cfs_period_us")
        if quota not in UNLIMITED and quota.isdecimal() and period.isdecimal() and int(period):
            yield int(quota) / int(period)


def _groups(root: Path) -> Iterator[Path]:
    """Yield the folder of each group of this process and of its parent groups, up to the root of the mount.

    In a container, /proc/self/cgroup can show the full path on the host, although only the end of that path is mounted.
    Therefore some of the yielded folders may be missing.
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

"""The address of a scheduler -> a private connection to it: TLS, except on this machine itself."""

from __future__ import annotations

import ipaddress
import logging
import warnings
from typing import Any
from urllib.parse import urlsplit

from edgebench.foundation.errors import RequestError

CONFIGURED = "distributed.comm.tls"  # where dask's configuration has the files


def require_distributed() -> None:
    """Refuse a cluster if the package `distributed` is not installed; else keep its messages out of the terminal.

    Raises:
        RequestError: the package is not installed.
    """
    try:
        import distributed
    except ImportError:
        raise RequestError("a cluster needs distributed; run pip install 'edgebench[cluster]'") from None
    warnings.filterwarnings("ignore", category=distributed.versions.VersionMismatchWarning)  # refused with the versions
    for logger in [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == "distributed"]:
        logging.getLogger(logger).setLevel(logging.CRITICAL + 1)


def require_private(scheduler: str) -> None:
    """Refuse the address of a scheduler to which a connection would not be private.

    Raises:
        RequestError: the text is no address, or the address is not encrypted and leads to another machine.
    """
    where = urlsplit(scheduler)
    try:
        host, port = where.hostname, where.port
    except ValueError:
        host = port = None
    if where.scheme not in ("tls", "tcp") or not host or not port:
        raise RequestError(f"wanted a scheduler such as tls://host:8786, found {scheduler[:80]!r}")
    if where.scheme == "tcp" and not _is_loopback(host):
        raise RequestError(f"{scheduler} would send files unencrypted to another machine; use tls://{host}:{port}")


def secured(scheduler: str) -> Any:
    """Return the security of a connection to a scheduler: TLS with the files that dask's configuration names.

    Raises:
        RequestError: the connection would not be private, or the configuration lacks a file.
    """
    from distributed import Security

    require_private(scheduler)
    if scheduler.startswith("tcp:"):
        return Security(require_encryption=False)
    security = Security(require_encryption=True)
    if not (security.tls_ca_file and security.tls_client_cert and security.tls_worker_cert):
        raise RequestError(
            f"wanted {CONFIGURED}.ca-file, client.cert and worker.cert in dask's configuration for {scheduler},"
            " found not all of them; see edgebench guide measure"
        )
    return security


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

"""`hub:owner/name` -> a weights file, in the cache of the hub's own client, and the preprocessing for its network.

    hub:timm/mobilenetv2_100.ra_in1k    from Hugging Face, by huggingface_hub; `@revision` may follow
    hub:torchvision/MobileNet_V2_Weights.IMAGENET1K_V2    a file of torchvision, by torch.hub

A file that is already in the client's cache is used without a network connection.
"""

from __future__ import annotations

import csv
import functools
import json
import logging
import re
from contextlib import contextmanager, redirect_stderr, suppress
from dataclasses import dataclass, replace
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgebench.foundation import files
from edgebench.foundation.errors import RequestError
from edgebench.images.preprocessing import PRESETS
from edgebench.schema.names import HUB
from edgebench.schema.variant import Preprocessing
from edgebench.train import checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from edgebench.schema.cards import Weights

TORCHVISION = "torchvision"
NAME = re.compile(r"hub:[\w.-]{1,100}/[\w.-]{1,100}(@[\w./-]{1,100})?")
_FILES = ("model.safetensors", "pytorch_model.bin")
_CONFIG, _MOST_BYTES = "config.json", 2**20
_TRANSFORMED = ("googlenet", "inception_v3")  # networks of torchvision whose own code scales images to [-1, 1]


def adopt(weights: str, name: str, width: float, resolution: int) -> tuple[Weights, str]:
    """Fetch the weights unless the client has them; copy them to this program's cache.

    Returns:
        The card of the copy, and the hash of the file.

    Raises:
        RequestError: there are no weights of that name, they cannot be fetched, or they do not fit the network.
    """
    if not NAME.fullmatch(weights):
        raise RequestError(f"wanted hub:owner/name, such as hub:timm/mobilenetv2_100.ra_in1k, found {weights[:80]!r}")
    owner, _, entry = weights.removeprefix(HUB).partition("/")
    fetched = _of_torchvision(weights, entry) if owner == TORCHVISION else _of_hugging_face(weights, f"{owner}/{entry}")
    return checkpoint.adopt(str(fetched.path), name, width, resolution, named=weights, inputs=fetched.inputs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A weights file in a client's cache, and the preprocessing that its weights need."""

    path: Path
    inputs: Preprocessing


def _of_torchvision(weights: str, entry: str) -> Fetched:
    """Find a weights file of torchvision in the cache, or fetch it; its content must have the hash in its name."""
    import torch

    listed = _torchvision().get(entry)
    if listed is None:
        known = ", ".join(sorted(_torchvision())[:3])
        raise RequestError(f"torchvision has no weights {entry} for networks of this package; it has {known}, ...")
    file = listed["url"].rpartition("/")[2]
    digest = file.rpartition("-")[2].partition(".")[0]
    path = Path(torch.hub.get_dir()) / "checkpoints" / file
    if not path.exists():
        _download(weights, listed["url"], path, digest)
    if not files.sha256(path).startswith(digest):
        raise RequestError(f"{weights}: {path} is damaged: its content does not have the hash in its name; delete it")
    return Fetched(path=path, inputs=_torchvisions(entry, listed))


def _download(weights: str, url: str, path: Path, digest: str) -> None:
    import torch

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), digest, progress=False)
    except (OSError, RuntimeError) as error:  # there is no network connection or no disk space, or the hash is wrong
        raise RequestError(
            f"{weights} is not in {path.parent}, and cannot be fetched ({_short(error)}); download {url} where"
            f" there is a network, and put it into {path.parent}"
        ) from error


def _torchvisions(entry: str, listed: dict[str, str]) -> Preprocessing:
    """Return the preprocessing of torchvision's weights: resize the shorter side, then crop the centre."""
    recipe = PRESETS["tf" if listed["architecture"] in _TRANSFORMED else TORCHVISION]
    crop = int(listed["crop"]) / int(listed["resize"])
    resized = replace(PRESETS[TORCHVISION], mean=recipe.mean, std=recipe.std, crop=crop)
    return resized if resized == PRESETS[TORCHVISION] else replace(resized, name=f"torchvision {entry}")


@functools.cache
def _torchvision() -> dict[str, dict[str, str]]:
    """Return the URLs and image sizes of the weights that torchvision 0.29.1 has for networks of this package."""
    with Path(__file__).with_name("torchvision.csv").open(newline="", encoding="utf-8") as stream:
        return {row["weights"]: row for row in csv.DictReader(stream)}


def _of_hugging_face(weights: str, entry: str) -> Fetched:
    """Find a repository's weights and configuration in the client's cache, or fetch them."""
    repository, _, revision = entry.partition("@")
    config = _file(weights, repository, revision, _CONFIG)
    inputs = _timms(weights, repository, config) if config else None
    path = next(filter(None, (_file(weights, repository, revision, file) for file in _FILES)), None)
    if path is None or inputs is None:
        raise RequestError(f"{weights}: wanted {_CONFIG} and {' or '.join(_FILES)}; {repository} lacks one of them")
    return Fetched(path=path, inputs=inputs)


def _file(weights: str, repository: str, revision: str, file: str) -> Path | None:
    """Return the path of a repository's file in the client's cache, fetching it first if the cache lacks it.

    The path is None if the repository has no such file.

    Raises:
        RequestError: the client is not installed, or cannot reach the repository.
    """
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
    except ModuleNotFoundError:
        raise RequestError(f"{weights} needs huggingface_hub; run pip install 'edgebench[hub]'") from None
    with suppress(LocalEntryNotFoundError):
        return Path(hf_hub_download(repository, file, revision=revision or None, local_files_only=True))
    try:
        with _silent():
            return Path(hf_hub_download(repository, file, revision=revision or None))
    except LocalEntryNotFoundError as error:
        raise _unreachable(weights, repository, error) from error
    except EntryNotFoundError:
        return None
    except Exception as error:  # errors of the client and of its HTTP library
        raise _unreachable(weights, repository, error) from error


@contextmanager
def _silent() -> Iterator[None]:
    """Hide the client's progress bars and the warning that the client prints at every attempt."""
    logger = logging.getLogger("huggingface_hub")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with redirect_stderr(StringIO()):
            yield
    finally:
        logger.setLevel(before)


def _unreachable(weights: str, repository: str, error: Exception) -> RequestError:
    from huggingface_hub import constants

    return RequestError(
        f"{weights} is not in {constants.HF_HUB_CACHE}, and cannot be fetched ({_short(error)}); run `hf download"
        f" {repository}` where there is a network, and copy its cache folder here"
    )


def _timms(weights: str, repository: str, config: Path) -> Preprocessing:
    """Read the preprocessing from timm's configuration.

    Raises:
        RequestError: the configuration states no preprocessing, or one that this program does not support.
    """
    try:
        text = config.read_bytes()[: _MOST_BYTES + 1]
        stated = json.loads(text) if len(text) <= _MOST_BYTES else {}
        described: Any = stated.get("pretrained_cfg", stated)
        side = described["input_size"][-1]
        mean, std = (tuple(float(value) for value in described[name]) for name in ("mean", "std"))
        crop, interpolation, mode = float(described["crop_pct"]), described["interpolation"], described["crop_mode"]
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError) as error:
        raise RequestError(f"{weights}: its {_CONFIG} does not say how images are prepared; give a file") from error
    if not (len(mean) == len(std) == 3 and min(std) > 0 and 0 < crop <= 1 and isinstance(side, int)):
        raise RequestError(f"{weights}: its {_CONFIG} states an impossible mean, std or crop_pct; give a file")
    if mode != "center" or interpolation not in ("bilinear", "bicubic"):
        raise RequestError(
            f"{weights}: wanted bilinear or bicubic interpolation and a central crop, found {interpolation!r}"
            f" and {mode!r}; give a file and --preprocessing"
        )
    return Preprocessing(
        name=repository,
        first="resize",
        crop=crop,
        interpolation=interpolation,
        mean=mean,
        std=std,
    )


def _short(error: Exception) -> str:
    """Return an error's type and the beginning of its message."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:100]}".rstrip(": ")

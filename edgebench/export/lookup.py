"""An artifact's name as a user types it -> its card in the cache."""

from __future__ import annotations

import re
import shlex
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from edgebench.export import find, known_weights
from edgebench.foundation import cache
from edgebench.foundation.errors import RequestError, UnknownName
from edgebench.schema.artifact import Artifact
from edgebench.schema.quantization import parse
from edgebench.schema.variant import Precision

if TYPE_CHECKING:
    from collections.abc import Mapping


def named(asked: str) -> Artifact:
    """Return the only cached artifact with this name: a variant's name, or a file name with a full or shortened hash.

    Raises:
        RequestError: no artifact has this name (the message says how to make it), or several artifacts have it (the
            message lists them).
    """
    known = [card for card in cache.cards(Artifact) if card.of]
    said = asked.replace("/", "-")
    longer = [card for card in known if _is_meant(card, said.removesuffix(Path(card.file).suffix))]
    meant = [card for card in longer if card.variant.replace("/", "-") == said] or longer  # exact names take precedence
    # artifacts of the current source code take precedence over artifacts of an older edgebench
    today = [card for card in meant if card.of and find(card.of, card.format) == card]
    found = today or meant
    if not found:
        raise _missing(asked, tuple(dict.fromkeys(card.variant for card in known)))
    if len(found) > 1:
        listed = ", ".join(f"{Path(card.file).stem} ({card.quantization or 'float'}, {card.weights})" for card in found)
        raise RequestError(f"wanted one artifact, found {len(found)} named {asked}: {listed}; name one of these")
    return found[0]


def _is_meant(card: Artifact, asked: str) -> bool:
    name, stem = card.variant.replace("/", "-"), Path(card.file).stem
    return name == asked or name.startswith(f"{asked}-") or (len(asked) > len(name) and stem.startswith(asked))


def _missing(asked: str, known: tuple[str, ...]) -> RequestError:
    """Return the error for a missing artifact; if its name is a variant's name, the error says how to make it."""
    precision = "|".join(Precision)
    variant = re.fullmatch(rf"(\w+)-([\d.]+)@(\d+)(?:[/-]({precision})(?:-(.+))?)?", asked)
    if not variant:
        return UnknownName("artifact", asked, known)
    *sizes, words = variant.groups()
    with suppress(RequestError):  # the parser raises this if the rest of the name is not a scheme
        flags = zip(
            ("model", "width", "resolution", "precision", "quantization"), [*sizes, _scheme(words)], strict=True
        )
        return RequestError(f"no artifact {asked} in the cache; make it with `{_command(dict(flags))}`")
    return UnknownName("artifact", asked, known)


def _scheme(words: str | None) -> str:
    """Return the options of an int8 scheme from a file's name, without the hash that follows them."""
    said = re.sub(r"(^|-)[0-9a-f]{16}(\.\w+)?$", "", words or "")
    return str(parse(said)) if said else ""


def _command(flags: Mapping[str, str | None]) -> str:
    return " ".join(("edgebench run", *(f"--{name} {shlex.quote(value)}" for name, value in flags.items() if value)))


def require_todays(artifact: Artifact) -> None:
    """Refuse an artifact that has no accuracy, or whose float parent would now be made from different weights.

    Raises:
        RequestError: the artifact is refused; the message has the command that makes it again.
    """
    assert artifact.of is not None
    if artifact.of.feed:
        raise RequestError(f"{artifact.of} is not an image classifier, so its accuracy cannot be measured; use run")
    weights = known_weights(artifact.of)
    if artifact.weights_sha256 == (weights.sha256 if weights else ""):
        return
    of, found = artifact.of, "but the cache has different weights now" if weights else "but the cache lacks them now"
    flags = {"model": of.architecture, "width": f"{of.width:g}", "resolution": str(of.resolution)}
    flags |= {"precision": of.precision, "quantization": str(of.quantization or ""), "weights": of.weights}
    flags |= {"dataset": of.dataset, "preprocessing": of.preprocessing.name if of.preprocessing else ""}
    raise RequestError(f"wanted {of} and its float parent with the same weights, {found}; run `{_command(flags)}`")

"""Every file that is read or written as text, and every process whose output is, states its encoding."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import edgebench

PACKAGE = Path(edgebench.__file__).parent
CALLS = re.compile(r"\b(open|read_text|write_text|fdopen|run|Popen|check_output)\(")


def unstated(file: Path) -> Iterator[str]:
    """Yield calls that take the locale's encoding."""
    text = file.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)) if CALLS.search(text) else ():
        if not isinstance(node, ast.Call):
            continue
        keywords = {keyword.arg: keyword.value for keyword in node.keywords}
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        modes = [value for value in (*node.args, *keywords.values()) if isinstance(value, ast.Constant)]
        is_binary = any(isinstance(mode.value, str) and set("b:") & set(mode.value) for mode in modes)  # "r:" of a tar
        opens = name == "open" and (isinstance(node.func, ast.Name) or all(map(_is_word, node.args)))
        reads = name == "read_text" and not node.args  # the first one is the encoding, or a package's file in UTF-8
        is_text = reads or name in ("write_text", "fdopen") or (opens and not is_binary)
        is_process = name in ("run", "Popen", "check_output") and "text" in keywords
        if is_process or (is_text and "encoding" not in keywords):
            yield f"{file.relative_to(PACKAGE)}:{node.lineno}: {ast.unparse(node)[:80]}"


def _is_word(argument: ast.expr) -> bool:
    return isinstance(argument, ast.Constant) and isinstance(argument.value, str)


@pytest.mark.lengthy
def test_every_encoding_is_stated() -> None:
    assert [call for file in sorted(PACKAGE.rglob("*.py")) for call in unstated(file)] == []

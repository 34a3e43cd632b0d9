"""Sentences that count: no noun in the plural stands behind a number that can be 1."""

import ast
import re
from pathlib import Path

import pytest

import edgebench

PACKAGE = Path(edgebench.__file__).parent
NOUNS = "case|row|configuration|night|cell|finding|record|session|pair|image|process|run|file|input|class"
PLURAL = re.compile(rf"^ (more |older |other |valid |suspected |unchanged )?({NOUNS})(e?s)\b")


def counting(source: str) -> list[str]:
    """Texts such as `{len(rows)} rows`, whose number is computed and could be 1."""
    texts = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.JoinedStr):
            for number, text in zip(node.values, node.values[1:], strict=False):
                if isinstance(number, ast.FormattedValue) and isinstance(text, ast.Constant):
                    words = text.value if isinstance(text.value, str) else ""
                    expression = ast.unparse(number.value)
                    if expression.startswith("len(") and PLURAL.match(words):
                        texts.append(f"{{{expression}}}{words}")
    return texts


@pytest.mark.lengthy
def test_a_length_with_a_noun_is_written_by_counted() -> None:
    found = {path.name: texts for path in PACKAGE.rglob("*.py") if (texts := counting(path.read_text("utf-8")))}
    assert found == {}

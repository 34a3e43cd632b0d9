"""Names of functions and classes of this package -> source text of these and of all definitions that they need."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import edgebench

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

PACKAGE = Path(edgebench.__file__).parent


def excerpts(wanted: Mapping[str, Sequence[str]]) -> tuple[tuple[str, ...], str]:
    """Return the import statements and the source text of definitions.

    `wanted` maps modules, such as `tasks/detection/boxes`, to the names of definitions. Functions and constants of the
    same module that these definitions use are included. Names that are used only in annotations are left out, because
    the text is for a file that begins with `from __future__ import annotations`.
    """
    imports, parts = set[str](), list[str]()
    for module, names in wanted.items():
        text = (PACKAGE / f"{module}.py").read_text(encoding="utf-8")
        tree = ast.parse(text)
        needed = _needed(tree, names)
        imports |= {*_imports(tree, needed)}
        parts += [_lines(text, node) for node in tree.body if needed & _bound(node)]
    return tuple(sorted(imports)), "\n\n\n".join(parts)


def _needed(tree: ast.Module, names: Sequence[str]) -> set[str]:
    """Return the given names and all names of the module that they use, directly or indirectly."""
    uses = {name: _used(node) for node in tree.body for name in _bound(node)}
    needed, left = set[str](), {*names}
    while left:
        needed |= left
        left = set().union(*(uses.get(name, set()) for name in left)) - needed
    return needed


def _bound(node: ast.stmt) -> set[str]:
    """Return the names that a definition or an assignment binds; no names for an import statement."""
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)}


def _used(node: ast.stmt) -> set[str]:
    """Return the names that a statement uses, without the names in annotations."""
    parts = [*ast.walk(node)]
    annotations = [part.annotation for part in parts if isinstance(part, (ast.arg, ast.AnnAssign))]
    annotations += [part.returns for part in parts if isinstance(part, ast.FunctionDef)]
    hidden = {id(part) for annotation in annotations if annotation for part in ast.walk(annotation)}
    return {part.id for part in parts if isinstance(part, ast.Name) and id(part) not in hidden}


def _imports(tree: ast.Module, needed: set[str]) -> Iterator[str]:
    """Yield one import statement for each needed name that the module imports."""
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (f"import {alias.name}" for alias in node.names if alias.name in needed)
        if isinstance(node, ast.ImportFrom):
            yield from (f"from {node.module} import {alias.name}" for alias in node.names if alias.name in needed)


def _lines(text: str, node: ast.stmt) -> str:
    """Return the source lines of a statement with its decorators."""
    decorators = getattr(node, "decorator_list", [])
    first = min(part.lineno for part in (node, *decorators))
    return "\n".join(text.splitlines()[first - 1 : node.end_lineno])

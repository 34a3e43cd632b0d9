"""The program's data types: frozen, slotted, keyword-only dataclasses that do no I/O when constructed.

The unit is the last word of a field's name. The host decodes TOML and JSON into them with pydantic; the agent on a
board needs no pydantic.
"""

STRICT = {"extra": "forbid", "strict": True}  # pydantic refuses unknown keys and values of other types

"""The values that the program is about: frozen, slotted, keyword-only, nothing read or written when one is made.

The unit is the last word of a field's name. The host decodes TOML and JSON into them with pydantic; a board needs none.
"""

STRICT = {"extra": "forbid", "strict": True}  # how pydantic decodes: unknown keys and other types are refused

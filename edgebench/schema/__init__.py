"""The program's data types: frozen, slotted, keyword-only dataclasses that do no I/O when constructed.

The unit is the last word of a field's name. The host decodes TOML and JSON into them with pydantic; the agent on a
board needs no pydantic. `names` interprets names of models, weights and data sets without opening files.
"""

# pydantic refuses unknown keys, values of other types, NaN and infinity.
STRICT = {"extra": "forbid", "strict": True, "allow_inf_nan": False}

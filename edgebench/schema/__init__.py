"""The program's data types: frozen, slotted, keyword-only dataclasses that do no I/O when constructed.

The last word of a field's name is its unit, as in `took_s`. The host uses pydantic to decode TOML and JSON into these
classes. The agent, the part of the program that runs on a board, needs no pydantic. The module `names` interprets names
of models, weights and data sets without opening files.
"""

# pydantic refuses unknown keys, values of other types, NaN and infinity.
STRICT = {"extra": "forbid", "strict": True, "allow_inf_nan": False}

"""Questions that a person asks of results, one room each, named as its command.

A room reads what is there, computes its answer and lays it out as sheets. Only `evaluate` and `why` run anything.
"""

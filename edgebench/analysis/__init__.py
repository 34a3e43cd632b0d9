"""Analyses of results, one module or package per command.

Each reads existing data and returns its answer as sheets. Only `evaluate` and `why` run models; `doctor` opens the
smallest file of each format.
"""

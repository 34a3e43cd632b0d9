"""Analyses of results, one module or package per command.

Each analysis reads existing data and returns sheets (tables with notes). Only `evaluate` and `why` run models.
`doctor` opens a tiny model file of each format.
"""

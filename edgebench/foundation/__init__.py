"""What knows no networks: errors, units, statistics, sheets, shelves, progress, files and their provenance, locks.

Nothing here imports another wing.
"""

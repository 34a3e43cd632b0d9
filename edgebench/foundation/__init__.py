"""Code that is independent of networks: errors, units, statistics, sheets, plug-in shelves, progress, files, locks.

No module here imports another wing.
"""

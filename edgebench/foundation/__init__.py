"""Code that knows nothing of networks: errors, units, statistics, tables, plug-ins, progress, files and locks.

No module here imports code from another top-level folder (wing) of edgebench.
"""

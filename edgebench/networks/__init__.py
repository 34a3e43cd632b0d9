"""A network's name, width and resolution -> the torch network, its computed cost, and published figures about it.

`build` and the plug-ins in `architectures` are copied to targets; the rest runs on the host only.
"""

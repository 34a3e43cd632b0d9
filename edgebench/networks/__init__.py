"""A network's name, width and resolution -> the torch network, its computed cost, and figures published by others.

The modules `build` and `architectures` are copied to targets; all others run only on the host.
"""

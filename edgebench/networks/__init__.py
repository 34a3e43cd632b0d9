"""A name, a width and a resolution -> a torch network, what it costs on paper, and what others published of it.

`build` and the shelf `architectures` travel to targets; the rest stays here.
"""

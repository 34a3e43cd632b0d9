"""Boxes around objects, and their classes: COCO's mean average precision.

`boxes` is what a network's heads mean, `coco` what boxes are worth, `loss` what heads are trained with.
"""

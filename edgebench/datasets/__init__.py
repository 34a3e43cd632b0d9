"""Labelled images, one file a data set.

A data set offers
    CLASSES                    how many
    SOURCE                     where the images come from
    PREPROCESSING              what was done to them, in words, as shown with a row
    NOTE                       what a reader of its accuracies must know
    load(split, resolution)    (images (N, 3, R, R) float32 as the networks take them, labels (N,) int64)

`split` is `train`, `calibration` or `test`; the three share no image.
"""

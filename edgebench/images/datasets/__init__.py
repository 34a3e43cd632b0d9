"""Labelled images, one file a data set.

A data set offers
    CLASSES                    how many; 0 where only the opened one knows
    SOURCE                     where the images come from
    PLACE                      what to name after the colon of `--dataset name:path`, in words; empty for a bundled one
    PREPROCESSING              its own recipe
    AUGMENTATION               how its images may be varied in training: flip, shift
    NOTE                       what a reader of its accuracies must know
    TOOLS                      installed packages whose version shapes the images
    open(place)                what lies there, refused unless it is whole
"""

OFFERS = ("CLASSES", "SOURCE", "PLACE", "PREPROCESSING", "AUGMENTATION", "NOTE", "TOOLS", "open")

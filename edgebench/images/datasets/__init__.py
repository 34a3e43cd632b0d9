"""Data sets of labelled images, one file each.

A data set defines
    CLASSES                    number of classes; 0 if it is known only after opening
    TASKS                      tasks for which it has labels; empty if it has no labels
    SOURCE                     origin of the images
    PLACE                      what the path in `--dataset name:path` must contain, in words; empty if bundled
    PREPROCESSING              its default preprocessing
    AUGMENTATION               permitted augmentations in training: flip, shift
    NOTE                       what a reader of accuracies on it must know
    TOOLS                      installed packages whose versions affect the images
    open(place)                return the data set at a path; refuse an incomplete one
"""

OFFERS = ("CLASSES", "TASKS", "SOURCE", "PLACE", "PREPROCESSING", "AUGMENTATION", "NOTE", "TOOLS", "open")

"""Data sets of labelled images, one file each.

A data set defines
    CLASSES                    number of classes; 0 if it is known only after opening
    TASKS                      tasks that it has the truth for; empty if it has none
    SOURCE                     origin of the images
    PLACE                      what the path in `--dataset name:path` must contain, in words; empty if bundled
    PREPROCESSING              its default recipe
    AUGMENTATION               permitted augmentations in training: flip, shift
    NOTE                       what a reader of its accuracies must know
    TOOLS                      installed packages whose versions affect the images
    open(place)                return the data set at a path; refuse an incomplete one
"""

OFFERS = ("CLASSES", "TASKS", "SOURCE", "PLACE", "PREPROCESSING", "AUGMENTATION", "NOTE", "TOOLS", "open")

"""Data sets of labelled images, one file each.

A data set defines
    CLASSES                    number of classes; 0 if only the opened data set knows it
    TASKS                      tasks for which it has labels; an empty tuple if it has none
    SOURCE                     origin of the images
    PLACE                      what must be at the path in `--dataset name:path`, in words; an empty text if bundled
    PREPROCESSING              its default preprocessing
    AUGMENTATION               augmentations that training can use: flip, shift
    NOTE                       what to know when reading accuracies on this data set
    TOOLS                      installed packages whose versions change the images
    open(place)                return the data set at a path; refuse an incomplete data set
"""

OFFERS = ("CLASSES", "TASKS", "SOURCE", "PLACE", "PREPROCESSING", "AUGMENTATION", "NOTE", "TOOLS", "open")

"""The decision rule: tonight's figures, the history and pairs -> verdicts with their evidence.

    past (comparable nights) -> screen (suspects) -> confirm (by pairs) -> judge

`thresholds` holds the numbers of the rule; `offsets` carries the results of pairs over to later nights.

Pure: no I/O.
"""

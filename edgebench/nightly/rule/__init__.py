"""The decision rule: tonight's figures, the history and pairs -> verdicts with their evidence.

    past (comparable nights) -> screen (suspects) -> confirm (by pairs) -> judge

`thresholds` holds the numbers of the rule. `offsets` uses the results of pairs to compare nights whose components
differ.

This module does no I/O.
"""

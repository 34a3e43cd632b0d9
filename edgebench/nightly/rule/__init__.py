"""The decision rule: tonight's figures, the history and pairs -> verdicts with their evidence.

`past` selects comparable nights, `screen` finds suspected configurations, `confirm` compares their pairs, and `judge`
decides. `thresholds` holds the numbers of the rule. `offsets` uses the results of pairs to compare nights whose
components differ.

This module does no I/O.
"""

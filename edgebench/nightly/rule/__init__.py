"""The decision of a night: figures of tonight, its past and pairs -> what changed, and how sure that is.

    past (which nights count) -> screen (who is suspect) -> confirm (by pairs) -> judge

`thresholds` are what the rule goes by, `offsets` carry what pairs found over to later nights.

Pure: nothing is read, measured or printed here.
"""

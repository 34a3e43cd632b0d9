"""A requested sweep -> the cases of a session and their states.

    sweeps (read) -> check (valid?) -> custom, cases (completed by the target's facts) -> state (from the journal)

`training` lists the networks to train; `forecast` estimates the time for `--dry-run`.
"""

"""A requested sweep -> the cases of a session, and what is already measured of each.

    sweeps (reads the file) -> check (refuses invalid entries) -> custom, cases (add facts of models and target)
        -> state (adds what the journal already has)

`training` lists the networks to train; `forecast` estimates the time for `--dry-run`.
"""

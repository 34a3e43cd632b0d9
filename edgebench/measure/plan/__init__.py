"""Turn a requested sweep into the cases of a session, and find what has already been measured of each case.

    sweeps (reads the file) -> check (refuses invalid entries) -> custom, cases (add facts about models and target)
        -> state (adds what the journal already has)

`training` lists the networks to train; `forecast` estimates the time for `--dry-run`.
"""

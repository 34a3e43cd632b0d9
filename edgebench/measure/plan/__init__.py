"""Turn a requested sweep into the cases of a session, and find what has already been measured of each case.

The steps are:

    sweeps (read the file) -> check (refuse invalid entries) -> custom, cases (add facts about models and target)
        -> state (add what the journal already has).

The module `training` lists the networks to train; `forecast` estimates the time for `--dry-run`.
"""

"""What a person asks for -> what a session has to do.

    sweeps (read) -> check (can it be?) -> custom, cases (completed by the target's facts) -> state (what is known)

`training` names the networks to train, `forecast` guesses the time for `--dry-run`.
"""

"""The numbers of the nightly rule, shared by screen, confirmation and replay."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A loose screen against the history, confirmed the same night by interleaved pairs.

    `edgebench nightly replay` measures its error rates; its random seeds were fixed before these numbers were chosen.

    Attributes:
        nights: most recent nights that tonight is screened against.
        enough: degrees of freedom plus one that the spread of a configuration needs, from its own nights and from
            similar configurations.
        least: nights of its own that a configuration needs for a screen. With fewer, or if its spread is unknown and
            the screen would miss a change of `aim`, it is paired without a screen.
        screen_p, screen_effect: a suspect has a one-sided p below this and a median changed by at least this share.
        rare_p, aim, aim_power: the screen is stricter, down to `rare_p`, if a change of `aim` still passes it with
            `aim_power`: pairs of unchanged configurations are most of the cost.
        faster_p: upper limit on the p for improvements; one missed today is found on a later night.
        pairs, p, effect: pairs to take; a change is confirmed below this one-sided p and above this median, a share.
        interim_every, futile_p, futile_effect: an interim analysis after every so many pairs stops a run that misses
            these limits in both directions. It adds no false alarms, costs no power where 5 % are ten standard errors,
            and most suspects are unchanged. On a noisy host five pairs show too little: an interim analysis after every
            five finds a fifth less there.
        power: power at the minimum detectable effect.
        noisy: minimum detectable effect above which a host is noisy for a configuration; then the `noisy_*` values
            apply. An alarm needs one night. Two of three nights at p < .05 were tried on the simulated shared machine:
            fewer false alarms (0.3 against 1.1 per 1,000), but none found on the first night and fewer by each later
            one. On that machine, a screen of p < .10 needs half the pairs and finds a fifth fewer slowdowns on the
            first night.
        shifted_p: if the p of the screen is below this and pairs show no change, the change is attributed to the host.
        drift_nights: a week; its median is compared with that of the first week after the baseline.
    """

    nights: int = 30
    enough: int = 10
    least: int = 2
    screen_p: float = 0.10
    screen_effect: float = 0.02
    rare_p: float = 0.001
    aim: float = 0.05
    aim_power: float = 0.99
    faster_p: float = 0.02
    pairs: int = 20
    p: float = 0.01
    effect: float = 0.025
    interim_every: int = 5
    futile_p: float = 0.50
    futile_effect: float = 0.01
    power: float = 0.8
    noisy: float = 0.05
    noisy_pairs: int = 40
    noisy_interim_every: int = 10
    noisy_p: float = 0.005
    noisy_screen_p: float = 0.20
    shifted_p: float = 0.001
    drift_nights: int = 7

    def confirmation(self, *, is_noisy: bool) -> tuple[int, float]:
        """Return the number of pairs of a confirmation, and the p it requires."""
        return (self.noisy_pairs, self.noisy_p) if is_noisy else (self.pairs, self.p)

    def interim_every_for(self, *, is_noisy: bool) -> int:
        """Return the number of pairs between interim analyses."""
        return self.noisy_interim_every if is_noisy else self.interim_every


RULE = Rule()
# Load and first inference give one sample per process: only large changes of them are significant.
COLD = replace(
    RULE,
    screen_p=0.003,
    noisy_screen_p=0.003,
    screen_effect=0.10,
    aim=0.5,
    p=0.001,
    noisy_p=0.001,
    effect=0.10,
    futile_p=0.10,
    futile_effect=0.10,
)

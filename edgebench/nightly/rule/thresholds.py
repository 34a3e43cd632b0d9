"""The thresholds of the nightly rule, which the screen, the confirmation by pairs, and the replay use."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The numbers of the rule: a loose screen against the history, then confirmation by pairs in the same night.

    `edgebench nightly replay` measures the rule's error rates. The random seeds of the replay were fixed before these
    numbers were chosen.

    Attributes:
        nights: number of most recent nights that tonight is screened against.
        enough: the spread of a configuration is known from this number of nights on (degrees of freedom plus one). The
            nights of similar configurations count in part, in addition to the configuration's own nights.
        least: number of its own nights that a configuration needs for a screen. With fewer nights than `least`, pairs
            are run without a screen. Pairs are also run without a screen if the spread is unknown and the screen would
            miss a change of `aim`.
        screen_p, screen_effect: a configuration is suspected if its one-sided p is below `screen_p` and its median
            changed by at least the share `screen_effect`.
        rare_p, aim, aim_power: the screen's limit on p is made as strict as possible, down to `rare_p`, while a change
            of `aim` still passes with the power `aim_power`. A strict limit saves pairs of unchanged configurations,
            which cost the most time.
        faster_p: upper limit on the screen's p for improvements; an improvement that is missed today is found on a
            later night.
        pairs, p, effect: number of pairs to run. A change is confirmed if its one-sided p is below `p` and its median
            is above the share `effect`.
        interim_every, futile_p, futile_effect: after every `interim_every` pairs, an interim analysis stops the pairs
            of a configuration that seems neither slower nor faster by the two `futile_*` limits. This saves time,
            because most suspected configurations are unchanged. It adds no false alarms. If the noise is so small that
            5 % are ten standard errors, the analysis costs no power. On a noisy host five pairs are too few for a
            decision: an interim analysis after every five pairs would miss a fifth of the slowdowns.
        power: the power for which the minimum detectable effect is computed.
        noisy: a host is noisy for a configuration if the minimum detectable effect is above this share; then the
            `noisy_*` values apply. One night suffices for an alarm. A rule that requires p < .05 on two of three nights
            was tried on the simulated shared machine. It raised fewer false alarms (0.3 instead of 1.1 per 1,000). But
            it found no slowdown on the first night, and also fewer than the present rule by each later night. On that
            machine, a screen of p < .10 needs half the pairs and finds a fifth fewer slowdowns on the first night.
        shifted_p: if the p of the screen is below this and pairs show no change, the change is attributed to the host.
        drift_nights: number of nights in a week; the median of each week is compared with the first week after the
            baseline.
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
        """Return the number of pairs that a confirmation runs, and the p-value that it requires."""
        return (self.noisy_pairs, self.noisy_p) if is_noisy else (self.pairs, self.p)

    def interim_every_for(self, *, is_noisy: bool) -> int:
        """Return the number of pairs between interim analyses."""
        return self.noisy_interim_every if is_noisy else self.interim_every


RULE = Rule()
# Load time and first inference give only one sample per process, so only large changes are significant.
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

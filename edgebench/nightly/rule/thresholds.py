"""When a change of a nightly's figures counts: the numbers that screening, confirmation and replay share."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A loose screen on the history, and the same night's confirmation in interleaved pairs.

    Simulated and re-decided by `edgebench nightly replay`, whose seeds were fixed before any of these was chosen.

    Attributes:
        nights: of the same epoch that tonight is screened against, at most.
        enough: nights that tell how much a configuration alone varies. Where others vary alike from night to night they
            tell as much: then `least` will do. Before that, what would not show the aim is paired unscreened.
        screen_p, screen_effect: of the moderated t, one-sided, and the change of the median as a share.
        rare_p, aim, aim_power: the screen is stricter, down to this p, where a change of the aimed size passes it with
            this power all the same: pairs of what did not change are most of what deciding costs.
        faster_p: no improvement is screened at a looser p: one that is missed today is there tomorrow.
        pairs, p, effect: processes of each arm; the p of their differences, one-sided; their median as a share.
        look, futile_p, futile_effect: after every so many pairs, what does not even show this in either direction is
            given up. It costs no false alarm, and where 5 % are ten standard errors no power; most suspects are none.
            On a noisy host five pairs show too little: there a look after every five finds a fifth less.
        power: that the minimum detectable effect is found with.
        noisy: minimum detectable effect above which a host is noisy for a configuration: then the `noisy_*` hold. They
            alarm on the same night. Two of three nights at p < .05 were tried on the simulated shared machine: fewer
            false alarms (0.3 against 1.1 per 1,000), but nothing found on the first night and less by every later one.
            A screen of p < .10 takes half the pairs there and finds a fifth less the first night.
        shifted_p: of the screen, below which a change that pairs do not show is the host's own.
        drift_nights: a week, whose median is compared with that of the week after the baseline.
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
        """Return the pairs that a confirmation takes, and the p it needs."""
        return (self.noisy_pairs, self.noisy_p) if is_noisy else (self.pairs, self.p)

    def interim_every_for(self, *, is_noisy: bool) -> int:
        """Return after how many pairs each it is looked whether to go on."""
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

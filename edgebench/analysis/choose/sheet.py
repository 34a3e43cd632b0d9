"""A choice -> a table (or JSON) with the chosen configuration, the alternatives, and what each limit costs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from edgebench.analysis.choose.request import MEAN
from edgebench.foundation.sheet import DETAIL, IDENTITY, OBJECTIVE, Column, Sheet, Value
from edgebench.foundation.units import milliseconds, number
from edgebench.measure.budget.kinds import PREDICTED
from edgebench.results.table.choice import Candidate, Choice, Limit, Price, Quantity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from edgebench.analysis.choose import Answer

Q = Quantity
SHOWN, NAMED = 12, 4  # most rows in the table, and most names in a note; further rows or names are only counted
RANKS = {Q.P90: 7, Q.TOTAL: 8, Q.FILE: 6, Q.MACS: 5, Q.PEAK: 4, Q.AGREEMENT: 6} | dict.fromkeys(
    (Q.TOP1, Q.MAP, Q.MIOU, Q.IOU), 3
)
UNITS = {
    Q.LATENCY: "ms",
    Q.P90: "ms",
    Q.TOTAL: "ms",
    Q.PEAK: "MiB",
    Q.FILE: "MiB",
    Q.MACS: "M MACs",
    Q.INSTRUCTIONS: "M instructions",
    Q.DROP: "points",
}
NAMES = {
    Q.TOP1: "top-1", Q.TOP5: "top-5", Q.MAP: "mAP", Q.MIOU: "mIoU", Q.IOU: "IoU", Q.MACS: "MACs",
}  # fmt: skip
SUFFIXES = {  # endings of the keys in JSON
    quantity: "per_cent"
    if quantity.is_share
    else "m"
    if quantity in (Q.MACS, Q.INSTRUCTIONS)
    else UNITS[quantity].lower()
    for quantity in Quantity
}
WHY_LACKING = {
    Q.LATENCY: "no latency (an emulator and a compiler measure none)",
    Q.P90: "no p90 (there are fewer than 64 samples, or none was published; a p50 never replaces it)",
    Q.TOTAL: "no times before and after inference (--stages measures them; for detectors every run does)",
    Q.TOP1: "no top-1",
    Q.TOP5: "no top-5",
    Q.MAP: "no mAP",
    Q.MIOU: "no mIoU",
    Q.IOU: "no IoU",
    Q.INSTRUCTIONS: "no instructions (an emulator counts them: --target rpi4_emulated)",
    Q.AGREEMENT: "no float parent to compare the answers with",
    Q.DROP: "no accuracy, or its float parent has none on the same images",
}

NEAREST = "nothing keeps every limit; these come nearest"
LACKING = "no configuration has every figure that the limits and the objective need"


def sheet(answer: Answer) -> Sheet:
    """Lay out the chosen configuration, the runner-up, ties and the Pareto front.

    If no configuration keeps every limit, lay out the configurations that come nearest.
    """
    choice = answer.choice
    roles = _roles(choice) if choice.chosen else {miss.candidate.name: "miss" for miss in choice.misses}
    by_name = {
        candidate.name: candidate
        for candidate in (*choice.front, *choice.ties, *(miss.candidate for miss in choice.misses))
    }
    by_name |= {candidate.name: candidate for candidate in (choice.chosen, choice.runner_up) if candidate}
    shown = [by_name[name] for name in roles][:SHOWN]
    headline = f"take {choice.chosen.name}" if choice.chosen else NEAREST if choice.misses else LACKING
    columns = (
        Column[Candidate].text("", lambda candidate: roles[candidate.name], IDENTITY),
        Column[Candidate].text("configuration", lambda candidate: candidate.name, IDENTITY),
        *(
            _column(answer, quantity)
            for quantity in Quantity
            if any(quantity in candidate.figures for candidate in shown)
        ),
        Column[Candidate].text("accuracy", lambda candidate: answer.accuracies[candidate.name], rank=9),
    )
    title = " · ".join(filter(None, (headline, answer.shared)))
    notes = (*_notes(answer, len(roles)), *answer.notes)
    return Sheet.of(title, columns, shown, notes).closed(_conclusion(answer))


def _conclusion(answer: Answer) -> Iterator[str]:
    """Say which configuration to take and why, or which one comes nearest if no configuration keeps every limit."""
    choice, objective = answer.choice, answer.objective
    if choice.chosen:
        name, unit = _heading(objective).rsplit(" ", 1)
        best = f"{name} {_cell(answer, choice.chosen, objective)} {unit}"
        rest = (
            f" of {choice.feasible} that keep every limit"
            if choice.feasible > 1
            else ", the only one within the limits"
        )
        yield f"Take {choice.chosen.name}: {best}, the best{rest}."
        if choice.chosen.name in answer.remarks:
            yield "Read the remark about it above first."
        fastest = min(choice.ties, key=_latency, default=None)
        if fastest and _latency(fastest) < _latency(choice.chosen):
            times = _latency(choice.chosen) / _latency(fastest)
            yield f"{fastest.name} ties with it and is {times:.2f} times as fast."
    elif choice.misses:
        yield f"Nothing keeps every limit; {choice.misses[0].candidate.name} comes nearest."
    else:
        yield "Nothing can be chosen, because every configuration lacks a figure that the limits or the objective need."


def fields(answer: Answer) -> dict[str, Value]:
    """Lay out the answer for JSON. Figures are not nested, and the key of each figure ends with the figure's unit."""
    choice, request = answer.choice, answer.request
    misses = [
        (miss.candidate, {_named(limit.quantity): over for limit, over in miss.excesses}) for miss in choice.misses
    ]
    return {
        **{name: text or None for name, text in asdict(request.selection).items()},
        "dataset": request.dataset or None,
        "task": request.task or None,
        "accuracy": request.accuracy,
        "objective": str(answer.objective),
        "predicted": request.predicted,
        "any_published": request.any_published,
        "limits": {_named(limit.quantity): limit.bound for limit in request.limits},
        "shared": answer.shared,
        "feasible": choice.feasible,
        "chosen": _record(choice.chosen, answer),
        "runner_up": _record(choice.runner_up, answer),
        "ties": [_record(candidate, answer) for candidate in choice.ties],
        "front": [_record(candidate, answer) for candidate in choice.front],
        "prices": [_price(price, answer.objective) for price in choice.prices],
        "misses": [_record(candidate, answer, excesses=excesses) for candidate, excesses in misses],
        "withheld": [
            {"configuration": candidate.name, "lacks": [*map(str, lacks)]} for candidate, lacks in choice.withheld
        ],
        "notes": answer.notes,
    }


def _record(candidate: Candidate | None, answer: Answer, **more: Value) -> Mapping[str, Value] | None:
    """Lay out a configuration for JSON, with its figures and their intervals."""
    if candidate is None:
        return None
    figures = {
        _named(quantity, end): getattr(figure, end or "value")
        for quantity, figure in candidate.figures.items()
        for end in ("", "low", "high")
    }
    return {
        "configuration": candidate.name,
        "accuracy": answer.accuracies[candidate.name],
        "latency_is": answer.statistics.get(candidate.name),
        "note": answer.remarks.get(candidate.name),
        "take": answer.commands.get(candidate.name),
        "predicted": [str(quantity) for quantity, figure in candidate.figures.items() if figure.is_predicted],
        **figures,
        **more,
    }


def _price(price: Price, objective: Quantity) -> dict[str, Value]:
    quantity = price.limit.quantity
    return {
        "limit": str(quantity),
        f"more_{SUFFIXES[quantity]}": price.more,
        f"gain_{SUFFIXES[objective]}": price.gain,
        "is_tie": price.is_tie,
        "configuration": price.candidate.name,
    }


def _named(quantity: Quantity, end: str = "") -> str:
    """Return the JSON key of a quantity or of a bound of its interval: `latency_ms`, `latency_low_ms`."""
    return "_".join(filter(None, (quantity, end, SUFFIXES[quantity])))


def _column(answer: Answer, quantity: Quantity) -> Column[Candidate]:
    """Return the column of a quantity. A narrow table still shows the objective and quantities with a limit."""
    asked = {answer.objective, *(limit.quantity for limit in answer.request.limits)}
    rank = OBJECTIVE if quantity in asked else RANKS.get(quantity, DETAIL)
    return Column.number(_heading(quantity), lambda candidate: _cell(answer, candidate, quantity), rank)


def _roles(choice: Choice) -> dict[str, str]:
    """Map the name of each configuration to its role (such as the runner-up), in the order of the table."""
    assert choice.chosen
    runners = [choice.runner_up] if choice.runner_up else []
    roles = {choice.chosen.name: "chosen"} | {candidate.name: "runner-up" for candidate in runners}
    tied = {candidate.name for candidate in choice.ties}
    for candidate in (*choice.ties, *choice.front):
        roles.setdefault(candidate.name, "tie" if candidate.name in tied else "front")
    return {name: f"{role}, tie" if role == "runner-up" and name in tied else role for name, role in roles.items()}


def _heading(quantity: Quantity) -> str:
    return f"{NAMES.get(quantity, str(quantity))} {'%' if quantity.is_share else UNITS[quantity].split()[0]}"


def _cell(answer: Answer, candidate: Candidate, quantity: Quantity) -> str:
    """Format a figure with its interval. A latency that is a mean, or a predicted figure, is marked as such."""
    figure = candidate.figures.get(quantity)
    if figure is None:
        return "-"
    is_mean = quantity == Q.LATENCY and answer.statistics.get(candidate.name) == MEAN
    text = f"{MEAN} {_plain(figure.value, quantity)}" if is_mean else _plain(figure.value, quantity)
    text = f"{PREDICTED} {text}" if figure.is_predicted else text
    has_interval = figure.low < figure.high
    return f"{text} [{_plain(figure.low, quantity)}, {_plain(figure.high, quantity)}]" if has_interval else text


def _plain(value: float, quantity: Quantity) -> str:
    if UNITS.get(quantity) == "ms":
        return milliseconds(value)
    return number(value, 2 if quantity == Q.FILE else 1)


def _notes(answer: Answer, roles: int) -> Iterator[str]:
    choice, objective = answer.choice, answer.objective
    if choice.chosen:
        rule = f"The best by {objective} is chosen; of equally good ones, the fastest."
        yield f"Configurations that keep every limit: {choice.feasible}. {rule}"
        yield from _ties(choice, objective)
        if remark := answer.remarks.get(choice.chosen.name):
            yield f"About the chosen row: {remark}."
        yield from (_kept(answer, choice.chosen, limit) for limit in answer.request.limits)
        yield from (_priced(price, objective) for price in choice.prices)
        if answer.request.limits and not choice.prices:
            yield f"No limit binds: dropping any single limit gives no better {objective}."
    for miss in choice.misses[:3]:
        missed = " and ".join(f"{limit.quantity} by {_amount(over, limit.quantity)}" for limit, over in miss.excesses)
        yield f"{miss.candidate.name} misses {missed}."
    yield from _withheld(choice)
    if roles > SHOWN:
        yield f"{roles - SHOWN} more are not shown."
    if choice.chosen and (command := answer.commands.get(choice.chosen.name)):
        yield f"This command writes the chosen file, a card that describes it and a script that runs it: {command}"


def _ties(choice: Choice, objective: Quantity) -> Iterator[str]:
    if choice.ties:
        fastest = min(choice.ties, key=_latency)
        faster = f"; the fastest of them is {fastest.name}" if _latency(fastest) < _latency(choice.chosen) else ""
        yield f"Ties by {objective} (overlapping intervals): {len(choice.ties)}{faster}."


def _latency(candidate: Candidate | None) -> float:
    figure = candidate.figures.get(Q.LATENCY) if candidate else None
    return figure.value if figure else float("inf")


def _amount(value: float, quantity: Quantity) -> str:
    return f"{_plain(value, quantity)} {UNITS.get(quantity, 'points')}"


def _kept(answer: Answer, chosen: Candidate, limit: Limit) -> str:
    quantity, noise = limit.quantity, limit.is_within_noise(chosen)
    bound = f"{'at least' if quantity.is_share else 'at most'} {_plain(limit.bound, quantity)}"
    doubt = ", but the limit lies within the interval, so the true value may exceed it" if noise else ""
    if chosen.figures[quantity].is_predicted:
        doubt = ", and the worse end of the interval keeps this limit, too"
    return f"{_heading(quantity)}: {_cell(answer, chosen, quantity)} of {bound}{doubt}."


def _priced(price: Price, objective: Quantity) -> str:
    """Describe what a binding limit costs: name the nearest better configuration that only this limit excludes."""
    quantity = price.limit.quantity
    way = "less" if quantity.is_share else "more"
    unit = UNITS.get(quantity, "point")
    rate = f"{price.gain / price.more:.2g} {UNITS.get(objective, 'points')} per {unit}" if price.more else ""
    tie = "; a tie, because the intervals overlap" if price.is_tie else ""
    return (
        f"{quantity} binds: {_amount(price.more, quantity)} {way} buys {_amount(price.gain, objective)} of {objective}"
        f" ({rate}{tie}): {price.candidate.name}."
    )


def _withheld(choice: Choice) -> Iterator[str]:
    """Name the configurations that were left out because they lack a requested quantity."""
    for quantity in Quantity:
        names = [candidate.name for candidate, lacking in choice.withheld if quantity in lacking]
        if names:
            more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
            why = WHY_LACKING.get(quantity, f"no {quantity}")
            yield f"Left out, {why}: {'; '.join(names[:NAMED])}{more}."

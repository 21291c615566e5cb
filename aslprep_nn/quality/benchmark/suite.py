"""All tables on the gates: how often they close for nothing, and what they catch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from aslprep_nn.estimation.benchmark.scenarios import Row, Table
from aslprep_nn.quality.benchmark.faults import FAULTS
from aslprep_nn.quality.benchmark.simulated import VARIANTS, measure
from aslprep_nn.quality.findings import Gate
from aslprep_nn.quality.gates import find_implausible
from aslprep_nn.quality.territories import Territory, territory_strength
from aslprep_nn.simulation.motion import MotionLevel
from aslprep_nn.simulation.phantom import Phantom, draw_phantom
from aslprep_nn.simulation.scanner import Scan, scan

#: Faults are planted into these; the other variants are as clean, and differ in what is known.
PLANTED_INTO = ('several delays, 2-D', 'one delay, 3-D')


class Simulated(NamedTuple):
    """One subject scanned by one protocol."""

    name: str
    phantom: Phantom
    scan: Scan


def gate_tables(*, quick: bool) -> Mapping[str, Callable[[], Table]]:
    """List the tables by name; each is made when it is called.

    Parameters
    ----------
    quick
        2 and 1 subjects instead of 10 and 3.
    """
    return {
        'clean': lambda: clean_runs(2 if quick else 10),
        'faults': lambda: planted_faults(1 if quick else 3),
    }


def clean_runs(n_subjects: int) -> Table:
    """Count the alarms in runs without a fault, each subject scanned by every protocol."""
    measured = [(each.name, measure(each.scan)) for each in simulate(n_subjects)]
    rows: list[Row] = []
    for name in VARIANTS:
        runs = [run for variant, run in measured if variant == name]
        raised = [finding.gate.value for run in runs for finding in find_implausible(run)]
        shares = [_weakest_territory(territory_strength(run)) for run in runs]
        cbf = [run.grey_cbf for run in runs]
        rows.append(
            {
                'protocol': name,
                'runs': len(runs),
                'alarms': len(raised),
                'which': ', '.join(sorted(set(raised))) or '-',
                'negative, at most [%]': round(max(100 * (run.late < 0).mean() for run in runs), 1),
                'grey CBF': f'{min(cbf):.0f} to {max(cbf):.0f}',
                'weakest territory [%]': round(100 * min(shares)),
            }
        )
    return Table('clean', 'How often is a run without a fault called implausible?', tuple(rows))


def planted_faults(n_subjects: int) -> Table:
    """Count how often each planted fault is caught by the gate made for it."""
    caught: dict[str, list[tuple[Gate, ...]]] = {name: [] for name in FAULTS}
    for each in simulate(n_subjects, PLANTED_INTO):
        for name, (gate, plant) in FAULTS.items():
            if gate is Gate.ATT_AT_BOUND and len(each.scan.protocol.pld) == 1:
                continue
            found = find_implausible(plant(each.scan, each.phantom))
            caught[name].append(tuple(finding.gate for finding in found))
    rows: list[Row] = [
        {
            'fault': name,
            'runs': len(runs),
            'caught': sum(bool(found) for found in runs),
            'named rightly': sum(FAULTS[name][0] in found for found in runs),
            'as': ', '.join(sorted({gate.value for found in runs for gate in found})) or '-',
        }
        for name, runs in caught.items()
    ]
    return Table('faults', 'Is every planted fault caught, and by the right gate?', tuple(rows))


def simulate(n_subjects: int, variants: tuple[str, ...] = tuple(VARIANTS)) -> Iterator[Simulated]:
    """Scan subjects with mild motion; subject by subject, seeds 0, 1, 2, ..."""
    for seed in range(n_subjects):
        rng = np.random.default_rng(seed)
        phantom = draw_phantom(rng)
        for name in variants:
            run = scan(phantom, VARIANTS[name], motion_level=MotionLevel.MILD, rng=rng)
            yield Simulated(name, phantom, run)


def _weakest_territory(strength: Mapping[Territory, tuple[float, float]]) -> float:
    """Return delta M of the weakest territory over that of the strongest."""
    delta_m = [mean for mean, _ in strength.values()]
    return min(delta_m) / max(delta_m)

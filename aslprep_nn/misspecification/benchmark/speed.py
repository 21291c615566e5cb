"""The cost of the tests: by part, against the fit, and as the data grow."""

from __future__ import annotations

import cProfile
import pstats
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from aslprep_nn.acquisition import Acquisition
from aslprep_nn.estimation.benchmark.scenarios import (
    BRAIN,
    PCASL_6,
    PCASL_21,
    Row,
    Table,
    draw,
    pcasl,
)
from aslprep_nn.estimation.benchmark.speed import one_thread
from aslprep_nn.estimation.fit import Fit
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.misspecification.assessment import Assessment, assess

REPEATS = 12
#: What the tests of a chunk of voxels call, and what `assess` calls, by its name in the table.
PARTS = {
    'signal and directions': ('_statistics', ('linearize', 'assumption_directions')),
    'projections': ('_statistics', ('of', 'orthogonalized')),
    'noise': ('_statistics', ('noise_statistics',)),
    'misfit': ('_statistics', ('_misfit', '_lack_of_fit')),
    'scores, arterial': ('_statistics', ('student_t', '_score_statistics')),
    'early and late': ('_statistics', ('_consistency',)),
    'classes': ('assess', ('_classes',)),
}


def parts(n_voxels: int) -> Table:
    """Split the cost of all tests; `Table` of microseconds per voxel.

    The split is made by the profiler, which makes everything a few per cent slower.
    """
    rows: list[Row] = []
    with one_thread():
        for acquisition in (repeat(PCASL_21, 8), repeat(PCASL_6, 8)):
            data, fit = fitted(acquisition, n_voxels)
            profile = cProfile.Profile(time.process_time)
            assess(data, acquisition, fit)
            profile.runcall(assess, data, acquisition, fit)
            row: Row = {'PLDs': data.shape[1] // 8, 'repetitions': 8}
            row.update(_split(profile, n_voxels))
            rows.append(row)
    question = 'Where does the time go? Microseconds of processor time per voxel, one thread.'
    return Table('parts', question, tuple(rows))


def _split(profile: cProfile.Profile, n_voxels: int) -> Row:
    """Sum the time of functions by `PARTS`."""
    times: dict[tuple[str, int, str], Any] = vars(pstats.Stats(profile))['stats']
    spent: dict[tuple[str, str], float] = {}
    for (_, _, name), entry in times.items():
        for (_, _, caller), from_caller in entry[4].items():
            spent[caller, name] = spent.get((caller, name), 0) + from_caller[3]
    (total,) = (entry[3] for (_, _, name), entry in times.items() if name == 'assess')
    row: Row = {
        part: rounded(1e6 * sum(spent.get((caller, name), 0) for name in names) / n_voxels)
        for part, (caller, names) in PARTS.items()
    }
    everything = 1e6 * total / n_voxels
    rest = everything - sum(float(value) for value in row.values())
    return {**row, 'rest': rounded(rest), 'everything': rounded(everything)}


def scaling(largest: int) -> Table:
    """Time tests and fit against voxels, delays and repetitions, one at a time."""
    cases: list[tuple[str, int, int, int]] = []
    cases += [('voxels', 10**power, 21, 8) for power in range(3, 7) if 10**power <= largest]
    cases += [('delays', min(largest, 20_000), delays, 8) for delays in (6, 21, 40)]
    cases += [('repetitions', min(largest, 20_000), 21, count) for count in (4, 8, 50)]
    rows: list[Row] = []
    with one_thread():
        for varied, n_voxels, n_delays, count in cases:
            delays = torch.linspace(0.1, 3.0, n_delays).tolist()
            acquisition = repeat(pcasl(delays, 1.5), count)
            data, fit = fitted(acquisition, n_voxels)
            tests = least_seconds(partial(assess, data, acquisition, fit), REPEATS)
            fitting = least_seconds(partial(fit_cbf_att, data, acquisition), REPEATS)
            row: Row = {'varied': varied, 'voxels': n_voxels, 'PLDs': n_delays}
            row |= {'repetitions': count, 'tests [us/voxel]': rounded(1e6 * tests / n_voxels)}
            row |= {'fit [us/voxel]': rounded(1e6 * fitting / n_voxels)}
            row |= {'ratio': rounded(tests / fitting), 'peak memory [GB]': rounded(peak_memory())}
            rows.append(row)
    question = 'How does the cost grow, on one thread? Peak memory is the process so far.'
    return Table('scaling', question, tuple(rows))


def on_accelerator(n_voxels: int) -> Table:
    """Time tests and fit of resident data on a CUDA device."""
    rows: list[Row] = []
    for acquisition in (repeat(PCASL_21, 8), repeat(PCASL_6, 8)):
        data = fitted(acquisition, n_voxels)[0].cuda()
        fit = fit_cbf_att(data, acquisition, device='cuda')

        def test(data: Tensor = data, a: Acquisition = acquisition, fit: Fit = fit) -> Assessment:
            found = assess(data, a, fit, device='cuda')
            torch.cuda.synchronize()
            return found

        def refit(data: Tensor = data, a: Acquisition = acquisition) -> None:
            fit_cbf_att(data, a, device='cuda')
            torch.cuda.synchronize()

        test()
        tests, fitting = (least_seconds(task, REPEATS) for task in (test, refit))
        rows.append(
            {
                'PLDs': data.shape[1] // 8,
                'voxels': n_voxels,
                'tests [us/voxel]': rounded(1e6 * tests / n_voxels),
                'fit [us/voxel]': rounded(1e6 * fitting / n_voxels),
                'device': torch.cuda.get_device_name(),
            }
        )
    return Table('accelerator', 'What do the tests cost on a GPU?', tuple(rows))


def repeat(acquisition: Acquisition, count: int) -> Acquisition:
    """Run through a protocol several times."""
    return replace(
        acquisition,
        pld=acquisition.pld * count,
        labeling_duration=acquisition.labeling_duration * count,
    )


def fitted(acquisition: Acquisition, n_voxels: int) -> tuple[Tensor, Fit]:
    """Repeat a population of at most 10,000 voxels, and fit it."""
    acquisition_of_brain = replace(acquisition, t1_tissue=BRAIN.t1_tissue)
    signal = draw(acquisition_of_brain, BRAIN, min(n_voxels, 10**4))[2].float()
    data = signal.repeat(n_voxels // len(signal), 1)
    return data, fit_cbf_att(data, acquisition)


def least_seconds(task: Callable[[], object], repeats: int) -> float:
    """Time a task a few times: the least wall time is the one that nothing else disturbed."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        task()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def peak_memory() -> float:
    """Give the most memory this process has held [GB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def rounded(value: float) -> float:
    """Keep three digits."""
    return float(f'{value:.3g}')

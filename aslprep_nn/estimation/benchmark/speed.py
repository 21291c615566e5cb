"""Speed and memory, side by side with scipy in one run."""

from __future__ import annotations

import platform
import resource
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from scipy.optimize import OptimizeWarning
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
from aslprep_nn.estimation.benchmark.scipy_fit import fit_with_scipy
from aslprep_nn.estimation.least_squares import fit_cbf_att

REPEATS = 5
N_SCIPY = 200
#: Bytes that a fit must read and write per voxel at the least: float32 data, six float32 maps
#: (CBF, ATT, their standard deviations, residual, noise) and a status.
BYTES_PER_MEASUREMENT, BYTES_OF_RESULTS = 4, 25


@contextmanager
def one_thread() -> Iterator[None]:
    """Use one thread, whatever the machine has."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def against_scipy(n_voxels: int) -> Table:
    """Time the fit and scipy's curve_fit on the same voxels, taking turns."""
    rows: list[Row] = []
    for acquisition in (PCASL_6, PCASL_21):
        _, _, signal = draw(acquisition, BRAIN, n_voxels)
        single, few = signal.float(), signal[:N_SCIPY].numpy()
        ours, theirs = [], []
        with one_thread(), warnings.catch_warnings():
            warnings.simplefilter('ignore', (OptimizeWarning, RuntimeWarning))
            fit_cbf_att(single[:1000], acquisition)
            for _ in range(REPEATS):
                ours.append(_seconds(lambda: fit_cbf_att(single, acquisition)) / n_voxels)  # noqa: B023
                theirs.append(_seconds(lambda: fit_with_scipy(few, acquisition)) / N_SCIPY)  # noqa: B023
        fast, slow = statistics.median(ours), statistics.median(theirs)
        rows.append(
            {
                'PLDs': acquisition.n_measurements,
                'voxels': n_voxels,
                'fit [us/voxel]': _round(1e6 * fast),
                'fastest': _round(1e6 * min(ours)),
                'scipy [us/voxel]': _round(1e6 * slow),
                'ratio': round(slow / fast),
            }
        )
    question = f'What does a voxel cost on one thread of a {platform.machine()} processor?'
    return Table('speed', question, tuple(rows))


def compiled(n_voxels: int) -> Table:
    """Time the fit with and without its inner step compiled, taking turns."""
    rows: list[Row] = []
    with one_thread():
        for acquisition in (PCASL_6, PCASL_21):
            signal = draw(acquisition, BRAIN, n_voxels)[2].float()
            compiling = _seconds(lambda: fit_cbf_att(signal, acquisition, compiled=True))  # noqa: B023
            times: dict[bool, list[float]] = {True: [], False: []}
            for _ in range(REPEATS):
                for choice, found in times.items():
                    found.append(
                        _seconds(lambda: fit_cbf_att(signal, acquisition, compiled=choice))  # noqa: B023
                    )
            eager, fast = (1e6 * statistics.median(times[c]) / n_voxels for c in (False, True))
            rows.append(
                {
                    'PLDs': acquisition.n_measurements,
                    'voxels': n_voxels,
                    'eager [us/voxel]': _round(eager),
                    'compiled [us/voxel]': _round(fast),
                    'first call [s]': _round(compiling),
                }
            )
    return Table('compiled', 'What does compiling the inner step change?', tuple(rows))


def scaling(largest: int) -> Table:
    """Time the fit against voxels, delays and repetitions, one at a time."""
    cases: list[tuple[str, int, int, int]] = []
    cases += [('voxels', 10**power, 6, 1) for power in range(3, 8) if 10**power <= largest]
    cases += [('delays', min(largest, 10**5), delays, 1) for delays in (3, 6, 10, 20, 40)]
    cases += [('repetitions', min(largest, 10**4), 6, n) for n in (1, 5, 10, 25, 50)]
    rows = []
    with one_thread():
        for varied, n_voxels, n_delays, n_repetitions in cases:
            delays = torch.linspace(0.3, 3.0, n_delays).tolist() * n_repetitions
            acquisition = pcasl(delays, 1.8)
            signal = _simulate_in_single_precision(acquisition, n_voxels)
            repeats = REPEATS if n_voxels <= 10**5 else 1
            seconds = [_seconds(lambda: fit_cbf_att(signal, acquisition)) for _ in range(repeats)]  # noqa: B023
            row: Row = {
                'varied': varied,
                'voxels': n_voxels,
                'PLDs': n_delays,
                'repetitions': n_repetitions,
                'us/voxel': _round(1e6 * statistics.median(seconds) / n_voxels),
                'peak memory [GB]': _round(_peak_memory()),
            }
            rows.append(row)
    question = 'How does the cost grow? Peak memory is the process so far, data included.'
    return Table('scaling', question, tuple(rows))


def on_accelerator(n_voxels: int) -> Table:
    """Time the fit of resident data on a CUDA device, and the copying that it cannot avoid."""
    rows: list[Row] = []
    for acquisition in (PCASL_6, PCASL_21):
        signal = _simulate_in_single_precision(acquisition, n_voxels).cuda()
        fit_cbf_att(signal[: n_voxels // 10], acquisition, device='cuda')
        seconds = statistics.median(
            _seconds(lambda: _finished(fit_cbf_att(signal, acquisition, device='cuda').status))  # noqa: B023
            for _ in range(REPEATS)
        )
        copying = statistics.median(
            _seconds(lambda: _finished(signal.clone()))  # noqa: B023
            for _ in range(REPEATS)
        )
        bandwidth = 2 * signal.numel() * signal.element_size() / copying
        traffic = BYTES_PER_MEASUREMENT * signal.shape[1] + BYTES_OF_RESULTS
        rows.append(
            {
                'PLDs': acquisition.n_measurements,
                'voxels': n_voxels,
                'voxels/s': float(f'{n_voxels / seconds:.3g}'),
                'bandwidth floor [voxels/s]': float(f'{bandwidth / traffic:.3g}'),
                'device': torch.cuda.get_device_name(),
            }
        )
    return Table('accelerator', 'How fast is the fit on a GPU?', tuple(rows))


def _finished(result: Tensor) -> None:
    """Wait for the device."""
    torch.cuda.synchronize(result.device)


def _simulate_in_single_precision(acquisition: Acquisition, n_voxels: int) -> Tensor:
    """Repeat a population of at most 10,000 voxels, without large temporary arrays."""
    _, _, signal = draw(acquisition, BRAIN, min(n_voxels, 10**4))
    return signal.float().repeat(n_voxels // len(signal), 1)


def _seconds(task: Callable[[], object]) -> float:
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def _peak_memory() -> float:
    """Give the most memory this process has held [GB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def _round(value: float) -> float:
    return float(f'{value:.3g}')

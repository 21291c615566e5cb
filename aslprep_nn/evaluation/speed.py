"""How long the network takes for a whole volume, and how much memory."""

from __future__ import annotations

import resource
import statistics
import sys
import time

import torch

from aslprep_nn.estimation.benchmark.scenarios import Row, Table
from aslprep_nn.estimation.series import PerfusionSeries
from aslprep_nn.network.apply import estimate
from aslprep_nn.network.model import AmplitudeAwareNetwork
from aslprep_nn.network.samples import series_of
from aslprep_nn.simulation.dice import Dice
from aslprep_nn.simulation.kinds import Split
from aslprep_nn.simulation.training import TrainingSettings, draw_batch

#: Slices, and voxels along x and y.
VOLUME = (24, 64, 64)
N_THREADS, N_RUNS = 2, 5


def speed_table(network: AmplitudeAwareNetwork, seed: int) -> Table:
    """Time the network on a volume with a brain in it, on the processor and on a GPU."""
    generator = torch.Generator().manual_seed(seed)
    settings = TrainingSettings(n_phantoms=1, shape=VOLUME, split=Split.TEST)
    series = series_of(draw_batch(settings, Dice(generator).generator), 0, 0)
    before = _peak_memory()
    threads = torch.get_num_threads()
    torch.set_num_threads(N_THREADS)
    try:
        seconds = _median_time(network, series)
    finally:
        torch.set_num_threads(threads)
    rows = [
        _row(f'{N_THREADS} threads', series, seconds, _peak_memory()) | {'before [MiB]': before}
    ]
    if torch.cuda.is_available():
        rows.append(_on_accelerator(network, series) | {'before [MiB]': 0})
    question = (
        f'One {VOLUME[1]} × {VOLUME[2]} × {VOLUME[0]} volume, features included, median of '
        f'{N_RUNS} after a first; peak memory of the whole process, and its peak before.'
    )
    return Table('speed', question, tuple(rows))


def _median_time(network: AmplitudeAwareNetwork, series: PerfusionSeries) -> float:
    times = []
    for _ in range(N_RUNS + 1):
        start = time.perf_counter()
        estimate(network, series, 1.0)
        if series.mask.is_cuda:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def _on_accelerator(network: AmplitudeAwareNetwork, series: PerfusionSeries) -> Row:
    moved = PerfusionSeries(
        series.relative_delta_m.cuda(),
        series.mask.cuda(),
        series.noise.cuda(),
        series.acquisitions,
        slice_delay=None if series.slice_delay is None else series.slice_delay.cuda(),
        weights=None if series.weights is None else series.weights.cuda(),
    )
    torch.cuda.reset_peak_memory_stats()
    seconds = _median_time(network.cuda(), moved)
    network.cpu()
    memory = round(torch.cuda.max_memory_allocated() / 2**20)
    return _row(torch.cuda.get_device_name(), series, seconds, memory)


def _row(device: str, series: PerfusionSeries, seconds: float, memory: int) -> Row:
    return {
        'device': device,
        'voxels': int(series.mask.sum()),
        'measurements': series.relative_delta_m.shape[-1],
        'time [s]': f'{seconds:.3g}',
        'peak memory [MiB]': memory,
    }


def _peak_memory() -> int:
    """Return the most memory the process has held so far [MiB]."""
    unit = 2**20 if sys.platform == 'darwin' else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // unit

"""``aslprep_nn-tools simulate``: a digital phantom as a BIDS dataset, with its truth."""

from __future__ import annotations

import argparse
import logging
import math
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.logging import RichHandler

from aslprep_nn.cli.exit_code import ExitCode
from aslprep_nn.errors import UsageError
from aslprep_nn.simulation.dataset import Study, write_study
from aslprep_nn.simulation.motion import MotionLevel
from aslprep_nn.simulation.protocols import Preset


def add_simulate(tools: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command and its options."""
    parser = tools.add_parser(
        'simulate', help='write a simulated BIDS dataset', description=__doc__
    )
    parser.add_argument('output', type=Path, metavar='OUTPUT', help='a new or empty folder')
    parser.add_argument(
        '--preset', type=Preset, choices=list(Preset), default=Preset.DEMO, help='what to acquire'
    )
    parser.add_argument(
        '--n-subjects', type=_whole(1), metavar='N', help='default: one per protocol'
    )
    parser.add_argument(
        '--seed', type=_whole(0), default=0, help='of everything random (default: 0)'
    )
    noise = parser.add_mutually_exclusive_group()
    noise.add_argument(
        '--snr',
        type=_positive,
        help='mean M0 of the brain over the standard deviation of the noise in one volume '
        "(default: the preset's)",
    )
    noise.add_argument(
        '--noise-free', dest='snr', action='store_const', const=math.inf, help='no noise at all'
    )
    parser.add_argument(
        '--motion',
        type=MotionLevel,
        choices=list(MotionLevel),
        default=MotionLevel.MILD,
        help='how restless the subjects are (default: mild)',
    )
    parser.add_argument(
        '--deltam',
        action='store_true',
        help='give control minus label, as some scanners do, instead of both',
    )
    parser.set_defaults(run=simulate)


def simulate(options: argparse.Namespace) -> int:
    """Write the dataset and return the exit code."""
    console = Console(stderr=True)
    logging.basicConfig(
        level=logging.INFO,
        format='%(message)s',
        handlers=[RichHandler(console=console, show_path=False)],
    )
    study = Study(
        preset=options.preset,
        n_subjects=options.n_subjects,
        seed=options.seed,
        snr=options.snr,
        motion_level=options.motion,
        subtracted=options.deltam,
    )
    try:
        write_study(options.output, study)
    except UsageError as error:
        sys.stderr.write(f'{error}\n')
        return ExitCode.USAGE
    logging.getLogger(__name__).info('Wrote %s', options.output)
    return 0


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError(f'{text} is not above 0')
    return value


def _whole(least: int) -> Callable[[str], int]:
    """Make a reader of whole numbers that are not below the least."""

    def whole_number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f'{text} is not {least} or more')
        return value

    return whole_number

"""The command line of the app."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from aslprep_nn.cli import checks, values
from aslprep_nn.errors import UsageError
from aslprep_nn.settings import (
    Estimator,
    M0Method,
    M0Options,
    Macrovascular,
    Misspecification,
    NetworkOptions,
    Organ,
    PhysicsOptions,
    Plugin,
    ReferenceTissue,
    Settings,
    TrustOptions,
)
from aslprep_nn.version import __version__

EPILOG = """exit codes:
  0 all runs done     1 some run failed, the others are complete; with --strict, some is
  implausible     2 usage
  3 nothing to process     65 the dataset cannot be processed     130 interrupted"""
#: What is asked for by default.
STANDARD_ESTIMATORS = (Estimator.LEAST_SQUARES, Estimator.NETWORK)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line; exits with 2 and a message where it makes no sense."""
    return _parser().parse_args(arguments)


def build_settings(options: argparse.Namespace, arguments: Sequence[str]) -> Settings:
    """Turn options into settings.

    Raises
    ------
    UsageError
        If folders or estimators make no sense.
    """
    bids_dir = options.bids_dir.resolve()
    output_dir = options.output_dir.resolve()
    work_dir = options.work_dir.resolve() if options.work_dir else output_dir / '.work'
    to_write = {'OUTPUT_DIR': output_dir}
    if options.work_dir:
        to_write['--work-dir'] = work_dir
    estimators, weights = _estimators(options), options.weights and options.weights.absolute()
    problems = [
        *checks.folder_problems(bids_dir, to_write),
        *checks.estimator_problems(estimators, options.primary, weights),
        *checks.organ_problems(options.organ, options.m0_method),
        *checks.plugin_problems(options.nipype_plugin),
    ]
    if problems:
        raise UsageError(problems)
    return Settings(
        bids_dir=bids_dir,
        output_dir=output_dir,
        work_dir=work_dir,
        keep_work=options.work_dir is not None and not options.clean_workdir,
        participants=_labels(options.participant_label, 'sub-'),
        sessions=_labels(options.session_label, 'ses-'),
        estimators=estimators,
        network=NetworkOptions(options.nn_dial, weights),
        physics=PhysicsOptions(
            labeling_efficiency=options.labeling_efficiency,
            t1_blood=options.t1_blood,
            t1_tissue=options.t1_tissue,
            partition_coefficient=options.partition_coefficient,
            m0=M0Options(
                scale=options.m0_scale,
                method=M0Method(options.m0_method),
                reference=ReferenceTissue(options.m0_reference),
                smoothing=options.m0_smoothing,
            ),
            macrovascular=Macrovascular(options.macrovascular),
            hematocrit=options.hematocrit,
            organ=Organ(options.organ),
        ),
        trust=TrustOptions(
            misspecification=Misspecification(options.misspecification),
            n_draws=options.bootstrap,
            false_discovery_rate=options.fdr,
        ),
        plugin=values.plugin(options.nipype_plugin),
        n_processes=options.nprocs,
        memory=options.mem,
        n_threads=options.omp_nthreads,
        device=options.device,
        seed=options.seed,
        swap_label_control=options.swap_label_control,
        is_strict=options.strict,
        mask=options.mask and options.mask.absolute(),
        skip_bids_validation=options.skip_bids_validation,
        command=shlex.join(['aslprep_nn', *arguments]),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='aslprep_nn',
        description='CBF and ATT from arterial spin labelling, and how far to trust each voxel.',
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('bids_dir', type=Path, help='the BIDS dataset; never written to')
    parser.add_argument('output_dir', type=Path, help='where derivatives and reports go')
    parser.add_argument(
        'analysis_level',
        choices=['participant', 'group'],
        help='participant: process runs; group: one table and page over all that are done',
    )
    parser.add_argument('--version', action='version', version=f'%(prog)s {__version__}')
    parser.add_argument(
        '-v', '--verbose', action='count', default=0, help='say more; twice: everything Nipype says'
    )
    _add_filters(parser.add_argument_group('filters'))
    estimation = parser.add_argument_group('estimation')
    _add_estimators(estimation)
    _add_physics(estimation)
    _add_m0(estimation)
    _add_mask(estimation)
    trust = parser.add_argument_group('trust')
    _add_trust(trust)
    _add_plausibility(trust)
    _add_resources(parser.add_argument_group('resources'))
    return parser


def _add_filters(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        '--participant-label',
        nargs='+',
        default=[],
        metavar='LABEL',
        help='process these participants only, with or without "sub-"',
    )
    group.add_argument(
        '--session-label',
        nargs='+',
        default=[],
        metavar='LABEL',
        help='process these sessions only, with or without "ses-"',
    )
    group.add_argument(
        '--skip-bids-validation',
        action='store_true',
        help='start even if dataset_description.json is missing or incomplete',
    )
    group.add_argument(
        '--dry-run',
        action='store_true',
        help='show what would be done and every problem of the metadata, then stop',
    )


def _add_estimators(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        '--estimator',
        nargs='+',
        default=[estimator.value for estimator in STANDARD_ESTIMATORS],
        choices=[estimator.value for estimator in Estimator],
        help='one or more of lsq: voxelwise least squares; hyb: CBF at the ATT of smoothed data; '
        'nn: a network that looks at neighbours (default: lsq nn). One that cannot serve a run is '
        'named, and the run goes on without it',
    )
    group.add_argument(
        '--primary',
        choices=[estimator.value for estimator in Estimator],
        help='whose maps are _cbf and _att; those of the others are _desc-<estimator>_cbf, … '
        '(default: lsq, or the first of --estimator without it)',
    )
    group.add_argument(
        '--nn-dial',
        type=values.dial,
        default=NetworkOptions().dial,
        metavar='1..8',
        help='how many times as much bias of the network counts as scatter: 1 least error, '
        '8 least bias (default: 1)',
    )
    group.add_argument(
        '--weights',
        type=Path,
        metavar='FILE',
        help='weights of the network, <name>.safetensors with <name>.json beside it (default: '
        'those of the package)',
    )


def _add_physics(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        '--labeling-efficiency',
        type=values.fraction,
        metavar='ALPHA',
        help='in all, background suppression included (default: from the sidecar, '
        'or .85 PCASL, .68 CASL, .98 PASL, times .95 per suppression pulse)',
    )
    group.add_argument(
        '--t1-blood',
        type=values.positive,
        metavar='S',
        help='T1 of arterial blood (default: 1.122 at 0.55 T, 1.35 at 1.5 T, 1.65 at 3 T, 2.087 at '
        '7 T, between these by the formula of --hematocrit)',
    )
    group.add_argument(
        '--hematocrit',
        type=values.hematocrit,
        metavar='HCT',
        help='red cells as a fraction or in percent, or the column of participants.tsv that holds '
        'them: sets T1 of blood by Hales et al. 2016, 1.5 to 7 T',
    )
    group.add_argument(
        '--t1-tissue',
        type=values.positive,
        metavar='S',
        help='T1 of tissue (default: 1.2; kidney: 1.4)',
    )
    group.add_argument(
        '--partition-coefficient',
        type=values.positive,
        metavar='ML/G',
        help='lambda, blood to brain (default: .9)',
    )
    group.add_argument(
        '--organ',
        choices=[organ.value for organ in Organ],
        default=Organ.BRAIN.value,
        help='what was imaged; kidney: T1 of tissue 1.4 s, every voxel that is not air instead of '
        'a brain mask, and other usual values (default: brain)',
    )
    group.add_argument(
        '--macrovascular',
        choices=[choice.value for choice in Macrovascular],
        default=Macrovascular.OFF.value,
        help='label in arteries as part of the multi-delay model: auto adds it where the data '
        'call for it, at a calibrated rate of false positives (default: off)',
    )
    group.add_argument('--seed', type=int, default=1, help='of every random choice (default: 1)')


def _add_plausibility(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        '--strict',
        action='store_true',
        help='end with exit code 1 where a result cannot be right (negative perfusion, CBF out of '
        'range, M0 in another unit ...); it is marked in report and tables in any case',
    )
    group.add_argument(
        '--swap-label-control',
        action='store_true',
        help='read label as control and control as label in all runs chosen: for an aslcontext.tsv '
        'that has them the wrong way round',
    )


def _add_mask(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        '--mask',
        type=Path,
        metavar='PATH',
        help='the brain, instead of finding it: an image on the grid of the series, for all runs '
        'chosen, or a derivatives folder with sub-<label>/[ses-<label>/]perf/'
        '<name of the run>_desc-brain_mask.nii.gz, as this app writes them',
    )


def _add_m0(group: argparse._ArgumentGroup) -> None:
    standard = M0Options()
    group.add_argument(
        '--m0-scale',
        type=values.positive,
        default=standard.scale,
        metavar='FACTOR',
        help='multiply M0 by this, where its units differ from the series (default: 1)',
    )
    group.add_argument(
        '--m0-method',
        choices=[method.value for method in M0Method],
        default=standard.method.value,
        help='voxelwise: divide by M0 of the same voxel (default); reference: by one M0 of blood, '
        'from a region, where the receive field is even',
    )
    group.add_argument(
        '--m0-reference',
        choices=[tissue.value for tissue in ReferenceTissue],
        default=standard.reference.value,
        help='the region of --m0-method reference: cerebrospinal fluid of the ventricles '
        '(default) or deep white matter',
    )
    group.add_argument(
        '--m0-smoothing',
        type=values.not_negative,
        default=standard.smoothing,
        metavar='MM',
        help='smooth M0 within the brain by a Gaussian of this width at half height (default: 0)',
    )


def _add_trust(group: argparse._ArgumentGroup) -> None:
    standard = TrustOptions()
    group.add_argument(
        '--misspecification',
        choices=[choice.value for choice in Misspecification],
        default=standard.misspecification.value,
        help='test noise and signal model in every voxel: auto where delays and repetitions '
        'allow it (default); on refuses runs that do not',
    )
    group.add_argument(
        '--bootstrap',
        type=values.whole,
        default=standard.n_draws,
        metavar='N',
        help='subsets of the repetitions drawn for each number of them, to show how estimates '
        f'settle; 0 for none (default: {standard.n_draws})',
    )
    group.add_argument(
        '--fdr',
        type=values.share,
        default=standard.false_discovery_rate,
        metavar='Q',
        help='expected share of wrong claims in the map of classes '
        f'(default: {standard.false_discovery_rate:g})',
    )


def _add_resources(group: argparse._ArgumentGroup) -> None:
    n_cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else 1
    group.add_argument(
        '--device',
        type=values.device,
        default='auto',
        metavar='DEVICE',
        help='auto, cpu, cuda or cuda:N (default: auto)',
    )
    group.add_argument(
        '--nprocs',
        type=values.count,
        default=n_cores,
        metavar='N',
        help=f'runs processed at once (default: {n_cores}, the cores here)',
    )
    group.add_argument(
        '--mem',
        type=values.memory,
        metavar='SIZE',
        help='what all processes may take together, such as 8G or 900M (default: what the machine, '
        'container or job has, less a tenth); runs wait until there is room for them',
    )
    group.add_argument(
        '--omp-nthreads',
        type=values.count,
        default=1,
        metavar='N',
        help='threads of each process (default: 1)',
    )
    group.add_argument(
        '--nipype-plugin',
        nargs='+',
        default=[Plugin.LOCAL.value],
        metavar=('NAME', 'KEY=VALUE'),
        help='who does the work: Local, a process of its own for every run, as many at once as '
        '--nprocs and --mem allow (default); Linear, this process; MultiProc, steps on the cores '
        'of this machine without regard to memory; SLURM, a job per step, with sbatch_args="…" '
        'max_jobs=N poll=SECONDS; Dask, '
        'with scheduler=ADDRESS or scheduler_file=FILE, or cluster=SLURM|PBS|SGE|LSF jobs=N and '
        'what dask-jobqueue takes, or without arguments as many workers here as --nprocs',
    )
    group.add_argument(
        '-w',
        '--work-dir',
        type=Path,
        metavar='DIR',
        help='where intermediate files are kept (default: OUTPUT_DIR/.work, '
        'emptied of a run once it is done)',
    )
    group.add_argument(
        '--clean-workdir',
        action='store_true',
        help='empty --work-dir of a run once it is done',
    )


def _labels(given: Sequence[str], prefix: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(label.removeprefix(prefix) for label in given))


def _estimators(options: argparse.Namespace) -> tuple[Estimator, ...]:
    """List the estimators asked for, the primary one first."""
    asked = [Estimator(name) for name in dict.fromkeys(options.estimator)]
    primary = options.primary or Estimator.LEAST_SQUARES
    return tuple(sorted(asked, key=lambda estimator: estimator != primary))

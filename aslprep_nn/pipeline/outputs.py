"""The last steps of a run: derivatives, report, and the record that it is done."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np
import pandas as pd

from aslprep_nn.bids import derivatives as bids
from aslprep_nn.bids.kinds import KINDS, TRUST_MAPS, of_estimator
from aslprep_nn.calibration.evidence import M0Evidence
from aslprep_nn.maps import FloatArray, ParameterMap
from aslprep_nn.misspecification.summary import TrustSummary
from aslprep_nn.pipeline.facts import facts_of_map, is_flow, unit_of
from aslprep_nn.pipeline.images import Image, load, load_mask, load_series
from aslprep_nn.pipeline.offer import with_estimation
from aslprep_nn.pipeline.screen import pair_notes
from aslprep_nn.preprocessing.across_contrasts import RAS_TO_LPS
from aslprep_nn.preprocessing.mask import mask_doubts
from aslprep_nn.preprocessing.motion import registration_obstacle
from aslprep_nn.preprocessing.outliers import REASONS
from aslprep_nn.quality.template import TemplateOverlap
from aslprep_nn.report.plausibility import implausible
from aslprep_nn.report.quality import (
    describe_protocol,
    measure_quality,
    quality_columns,
    quality_table,
)
from aslprep_nn.report.results import RunResults, Trust
from aslprep_nn.report.run import write_run_report
from aslprep_nn.run import ASLRun, Estimation
from aslprep_nn.settings import Estimator, Settings
from aslprep_nn.version import __version__
from aslprep_nn.writing import write_atomically

TRUST_SUMMARY = '_desc-summary_misspec.json'


class Derivatives(NamedTuple):
    """The files written, and the maps in the units they were written in."""

    written: tuple[Path, ...]
    model_cbf_per_unit: float


def write_derivatives(
    *,
    run: ASLRun,
    settings: Settings,
    reference: Path,
    still: Path,
    fov_mask: Path,
    mask: Path,
    delta_m: Path,
    m0: tuple[Path, ...],
    maps: tuple[Path, ...],
    estimation: Estimation,
    trust_summary: Path | None = None,
    confounds: Path | None = None,
    transforms: Path | None = None,
) -> Derivatives:
    """Put everything under its BIDS name, each file whole or not at all.

    Parameters
    ----------
    run, settings
        What was processed, and how.
    reference, still, fov_mask, mask, delta_m, m0, maps
        Images; each file is named by its key in `bids.derivatives.KINDS`.
    estimation
        Which estimators made them.
    trust_summary
        What the tests of noise and model found, where they were made.
    confounds, transforms
        Of motion correction, where there was one.
    """
    run = with_estimation(run, estimation)
    cbf = next(path for path in maps if _name(path) == 'cbf')
    unit = 1.0 if run.has_m0 else float(np.nanmedian(load(cbf).data))
    written = []
    for path in (reference, still, fov_mask, mask, delta_m, *m0, *maps):
        name = _name(path)
        target = bids.derivative_path(settings, run, name)
        content = path.read_bytes()
        if is_flow(name) and unit != 1:
            content = _divided(path, unit)
        write_atomically(target, content)
        sidecar = target.with_name(target.name.replace('.nii.gz', '.json'))
        facts = facts_of_map(run, settings, name)
        write_atomically(sidecar, bids.sidecar(settings, run, name, facts))
        written += [target, sidecar]
    tables = [
        *_write_context(run, settings),
        *_write_motion(run, settings, confounds, transforms),
        *_write_trust(run, settings, trust_summary, unit),
    ]
    return Derivatives((*written, *tables), unit)


class Report(NamedTuple):
    """What the run leaves behind, what makes it implausible, and who estimated."""

    outputs: tuple[Path, ...]
    gates: tuple[str, ...]
    estimation: Estimation


def report_run(
    *,
    run: ASLRun,
    settings: Settings,
    estimation: Estimation,
    written: tuple[Path, ...],
    relative_delta_m: Path,
    m0_evidence: Path,
    model_cbf_per_unit: float,
    overlap: Path | None = None,
) -> Report:
    """Measure the quality of a run and draw its report."""
    found = M0Evidence.from_json(m0_evidence.read_text(encoding='utf-8'))
    results = _results(
        with_estimation(run, estimation),
        settings,
        written,
        relative_delta_m=relative_delta_m,
        model_cbf_per_unit=model_cbf_per_unit,
        m0_evidence=found,
        overlap=TemplateOverlap.from_json(overlap.read_text(encoding='utf-8'))
        if overlap
        else TemplateOverlap(),
    )
    numbers = measure_quality(results)
    findings = implausible(results)
    table = quality_table(numbers, describe_protocol(results), findings)
    target = bids.perf_dir(settings, run) / f'{run.name}_desc-qualitycontrol_cbf.tsv'
    write_atomically(target, _tsv(table))
    write_atomically(target.with_suffix('.json'), bids.as_json(quality_columns()))
    folder = bids.figures_dir(settings, run)
    report = write_run_report(results, folder, run.name, numbers=numbers, findings=findings)
    named = json.loads(report.read_text(encoding='utf-8'))
    pictures = [*named['figures'], *named['viewer']['maps']]
    figures = [report.parent / picture['file'] for picture in pictures]
    outputs = (*written, target, target.with_suffix('.json'), *figures, report)
    gates = tuple(finding.gate.value for finding in findings)
    return Report(outputs, gates, estimation)


def _results(
    run: ASLRun,
    settings: Settings,
    written: tuple[Path, ...],
    *,
    relative_delta_m: Path,
    model_cbf_per_unit: float,
    m0_evidence: M0Evidence,
    overlap: TemplateOverlap,
) -> RunResults:
    """Collect what the report shows, from the files that users get."""

    def image(name: str) -> FloatArray:
        return load(bids.derivative_path(settings, run, name)).data

    made = {name for name in KINDS if bids.derivative_path(settings, run, name) in written}
    confounds = bids.perf_dir(settings, run) / f'{run.name}_desc-confounds_timeseries.tsv'
    reference = load(bids.derivative_path(settings, run, 'reference'))
    table = pd.read_csv(confounds, sep='\t', na_values='n/a', keep_default_na=False)
    mask = load_mask(bids.derivative_path(settings, run, 'mask'))
    return RunResults(
        name=run.name,
        plan=run.plan,
        acquisition=run.acquisition,
        affine=reference.affine,
        reference=reference.data,
        mask=mask,
        relative_delta_m=load_series(relative_delta_m).data,
        maps=_maps_of(run.estimation.primary, run, made, image),
        status=image('fitstatus').astype(np.uint8),
        confounds=table if run.has_raw_volumes else None,
        has_m0=run.has_m0,
        model_cbf_per_unit=model_cbf_per_unit,
        m0=image('m0') if 'm0' in made else None,
        trust=_read_trust(run, settings, written, image),
        control_over_m0=m0_evidence.control_over_m0,
        white_over_fluid=m0_evidence.white_over_fluid,
        is_suppressed=run.is_suppressed,
        template_dice=overlap.dice,
        organ=settings.physics.organ,
        estimation=run.estimation,
        others={each: _maps_of(each, run, made, image) for each in run.estimation.others},
        notes=(
            *run.notes,
            *run.estimation.notes,
            *m0_evidence.notes,
            *_motion_notes(run, reference),
            *pair_notes(table),
            *mask_doubts(mask, reference.affine),
            *_overlap_notes(run, overlap),
        ),
        provenance={
            'Version': f'aslprep_nn {__version__}',
            'Command': settings.command,
            'Inputs': ', '.join(bids.bids_uri(path, settings) for path in run.inputs),
            'Seed': str(settings.seed),
            'Device': settings.device,
        },
    )


def _maps_of(
    estimator: Estimator, run: ASLRun, made: set[str], image: Callable[[str], FloatArray]
) -> dict[str, ParameterMap]:
    """Collect the maps of an estimator by quantity."""
    names = {
        quantity: of_estimator(quantity, estimator, primary=run.estimation.primary)
        for quantity in ('cbf', 'att', 'std_cbf', 'std_att')
    }
    return {
        quantity: ParameterMap(image(name), unit_of(run, name), KINDS[name].description)
        for quantity, name in names.items()
        if name in made
    }


def _motion_notes(run: ASLRun, reference: Image) -> list[str]:
    obstacle = registration_obstacle(reference.data.shape, reference.affine)
    return [obstacle] if obstacle and run.has_raw_volumes else []


def _overlap_notes(run: ASLRun, overlap: TemplateOverlap) -> list[str]:
    """Say why the mask could not be compared with the template."""
    if run.anatomy.t1w is None or not overlap.obstacle:
        return []
    return [
        f'The brain mask could not be compared with the template through {run.anatomy.t1w.name}: '
        f'{overlap.obstacle}. That says nothing about the mask; look at it.'
    ]


def _write_context(run: ASLRun, settings: Settings) -> list[Path]:
    """Write what each volume of the preprocessed series shows."""
    target = bids.perf_dir(settings, run) / f'{run.name}_aslcontext.tsv'
    write_atomically(target, '\n'.join(['volume_type', *run.volume_types, '']).encode())
    return [target]


def _write_motion(
    run: ASLRun, settings: Settings, confounds: Path | None, transforms: Path | None
) -> list[Path]:
    """Write what was found about each volume as a table, and motion as ITK transforms."""
    if confounds is None:
        return []
    folder = bids.perf_dir(settings, run)
    table = folder / f'{run.name}_desc-confounds_timeseries.tsv'
    content = confounds.read_bytes()
    write_atomically(table, content)
    columns = content.decode().split('\n', 1)[0].split('\t')
    dictionary = {column: _CONFOUND_COLUMNS[column] for column in columns}
    write_atomically(table.with_suffix('.json'), bids.as_json(dictionary))
    if transforms is None:
        return [table, table.with_suffix('.json')]
    matrices = RAS_TO_LPS @ np.load(transforms) @ RAS_TO_LPS
    itk = folder / f'{run.name}_from-orig_to-aslref_mode-image_xfm.txt'
    write_atomically(itk, bids.transforms_as_itk(matrices))
    return [table, table.with_suffix('.json'), itk]


def _write_trust(run: ASLRun, settings: Settings, summary: Path | None, unit: float) -> list[Path]:
    """Write the numbers beside the maps of trust."""
    if summary is None:
        return []
    found = TrustSummary.from_json(summary.read_text(encoding='utf-8')).with_cbf_over(unit)
    target = bids.perf_dir(settings, run) / f'{run.name}{TRUST_SUMMARY}'
    write_atomically(target, found.as_json().encode())
    return [target]


def _read_trust(
    run: ASLRun, settings: Settings, written: tuple[Path, ...], image: Callable[[str], FloatArray]
) -> Trust | None:
    """Collect what the tests found, from the files that users get."""
    summary = bids.perf_dir(settings, run) / f'{run.name}{TRUST_SUMMARY}'
    if summary not in written:
        return None
    return Trust(
        maps={name: image(name) for name in TRUST_MAPS if name != 'class'},
        classes=image('class'),
        summary=TrustSummary.from_json(summary.read_text(encoding='utf-8')),
    )


def _divided(path: Path, unit: float) -> bytes:
    image = nib.load(path)
    scaled = np.asarray(image.dataobj, dtype=np.float32) / np.float32(unit)
    content: bytes = nib.Nifti1Image(scaled, image.affine, image.header).to_bytes()
    return gzip.compress(content, mtime=0)


def _tsv(table: pd.DataFrame) -> bytes:
    return table.to_csv(sep='\t', na_rep='n/a', index=False).encode()


def _name(path: Path) -> str:
    return path.name.removesuffix('.nii.gz')


_CONFOUND_COLUMNS = {
    'volume_type': {'Description': 'What the volume shows.'},
    **{
        f'trans_{axis}': {'Description': f'Translation along {axis} (RAS).', 'Units': 'mm'}
        for axis in 'xyz'
    },
    **{
        f'rot_{axis}': {'Description': f'Rotation about {axis} (RAS).', 'Units': 'rad'}
        for axis in 'xyz'
    },
    'framewise_displacement': {
        'Description': 'Motion since the previous volume of the same type (Power et al. 2012).',
        'Units': 'mm',
    },
    'dvars': {
        'Description': "Root mean square over the brain of the change of the pair's difference "
        'since the repetition before of its timing (Power et al. 2012).',
        'Units': 'arbitrary',
    },
    'pair_weight': {'Description': 'What the pair of this volume counts: 1, or 0 if left out.'},
    'pair_outlier': {
        'Description': 'Why the pair of this volume is left out.',
        'Levels': {reason.value: text for reason, text in REASONS.items()},
    },
}

"""The report of one run as files: its figures, and everything a page says about it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aslprep_nn.quality.findings import Finding
from aslprep_nn.report.agreement import agreement_facts
from aslprep_nn.report.curves import histograms, motion, repetitions
from aslprep_nn.report.estimator_maps import estimator_figures
from aslprep_nn.report.figures import Figure
from aslprep_nn.report.kinetics import kinetic_curves, residuals_by_delay
from aslprep_nn.report.methods import describe_methods
from aslprep_nn.report.mosaics import (
    delta_m_by_delay,
    m0_image,
    maps_at_a_glance,
    maps_in_full,
    mask_over_reference,
)
from aslprep_nn.report.plausibility import implausible
from aslprep_nn.report.quality import describe_protocol, measure_quality
from aslprep_nn.report.quality_number import QualityNumber
from aslprep_nn.report.results import RunResults
from aslprep_nn.report.trust_section import trust_facts, trust_figures
from aslprep_nn.report.verdict import judge
from aslprep_nn.report.viewer import layout, sprites
from aslprep_nn.writing import write_atomically

#: The numbers of the first screen; a run shows the first five it can tell.
KEY_NUMBERS = (
    'gm_like_cbf',
    'att_median',
    'fd_mean',
    'fraction_identifiable',
    'fraction_consistent',
    'relative_sd_median',
    'tsnr_delta_m',
    'fraction_estimated',
    'spatial_cov',
    'mask_volume',
    'n_pairs',
)
N_KEY_NUMBERS = 5


def write_run_report(
    results: RunResults,
    figures_dir: Path,
    prefix: str,
    *,
    numbers: tuple[QualityNumber, ...] | None = None,
    findings: tuple[Finding, ...] | None = None,
) -> Path:
    """Write the figures of a run and the facts its page is made from.

    Parameters
    ----------
    results
        The finished run.
    figures_dir
        Where the files go; made if absent.
    prefix
        What their names start with: ``sub-01_ses-a_run-1``.
    numbers
        Of `measure_quality`, where they are known already; measured when absent.
    findings
        Of `implausible`, likewise.

    Returns
    -------
    ``<prefix>_desc-report_asl.json``, which names the figure files and appears last.
    """
    shown = []
    for section, figure in _figures(results):
        file_name = f'{prefix}_desc-{figure.name}_asl.{figure.mime.extension}'
        write_atomically(figures_dir / file_name, figure.data)
        shown.append(_about_figure(section, figure, file_name))
    viewer = {**layout(results), 'maps': []}
    for sprite in sprites(results):
        file_name = f'{prefix}_desc-{sprite.name}_asl.png'
        write_atomically(figures_dir / file_name, sprite.data)
        viewer['maps'].append({**sprite.legend, 'file': file_name})
    known = measure_quality(results) if numbers is None else numbers
    path = figures_dir / f'{prefix}_desc-report_asl.json'
    gates = implausible(results) if findings is None else findings
    report = {**_facts(results, known, gates), 'figures': shown, 'viewer': viewer}
    text = json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(path, text.encode())
    return path


def _figures(results: RunResults) -> Iterator[tuple[str, Figure]]:
    """Yield each figure with the section of the page it belongs to."""
    for figure in maps_at_a_glance(results):
        yield 'glance', figure
    for figure in maps_in_full(results):
        yield 'maps', figure
    for figure in histograms(results):
        yield 'maps', figure
    yield 'data', delta_m_by_delay(results)
    yield 'data', repetitions(results)
    for section, draw in (
        ('data', residuals_by_delay),
        ('data', kinetic_curves),
        ('motion', motion),
        ('mask', m0_image),
    ):
        figure_or_none = draw(results)
        if figure_or_none is not None:
            yield section, figure_or_none
    yield 'mask', mask_over_reference(results)
    for figure in trust_figures(results):
        yield 'trust', figure
    for figure in estimator_figures(results):
        yield 'estimators', figure


def _facts(
    results: RunResults, numbers: tuple[QualityNumber, ...], findings: tuple[Finding, ...]
) -> dict[str, Any]:
    verdict = judge(numbers, has_m0=results.has_m0, findings=findings)
    methods = describe_methods(results)
    known = {number.name for number in numbers if not math.isnan(number.value)}
    key_numbers = [name for name in KEY_NUMBERS if name in known][:N_KEY_NUMBERS]
    return {
        'run': results.name,
        'protocol': describe_protocol(results),
        'verdict': {
            'word': verdict.usability,
            'level': verdict.usability.name.lower(),
            'sentence': verdict.sentence,
            'reasons': verdict.reasons,
        },
        'gates': [
            {'gate': f.gate, 'meaning': f.gate.meaning, 'found': f.found, 'remedy': f.remedy}
            for f in findings
        ],
        'key_numbers': key_numbers,
        'quality': [_about_number(number) for number in numbers],
        'plan': [{'name': r.name, 'value': r.value, 'source': r.source} for r in results.plan],
        'notes': results.notes,
        'trust': trust_facts(results),
        'estimators': agreement_facts(results),
        'methods': {
            'paragraphs': methods.paragraphs,
            'references': [{'text': work.text, 'doi': work.doi} for work in methods.references],
            'markdown': methods.markdown,
        },
        'provenance': dict(results.provenance),
    }


def _about_number(number: QualityNumber) -> dict[str, Any]:
    return {
        'name': number.name,
        'label': number.label,
        'value': _json_number(number.value),
        'unit': number.unit,
        'text': number.text,
        'digits': number.digits(number.value),
        'suffix': number.suffix,
        'usual': number.usual_text,
        'usual_digits': number.usual_digits,
        'usual_low': _json_number(number.usual_low),
        'usual_high': _json_number(number.usual_high),
        'mark': number.mark,
        'meaning': number.meaning,
        'concern': number.concern,
    }


def _about_figure(section: str, figure: Figure, file_name: str) -> dict[str, Any]:
    return {
        'section': section,
        'name': figure.name,
        'file': file_name,
        'caption': figure.caption,
        'alt': figure.alt,
        'mime': figure.mime,
        'width': figure.width,
        'height': figure.height,
    }


def _json_number(value: float) -> float | None:
    return value if math.isfinite(value) else None

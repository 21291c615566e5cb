"""The section of the report on trust: its figures, and its words and numbers as facts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from aslprep_nn.misspecification.multiplicity import VoxelClass
from aslprep_nn.misspecification.summary import FixedT1Test, RegionTests
from aslprep_nn.report.drawn_map import percent
from aslprep_nn.report.figures import Figure
from aslprep_nn.report.painting import CLASSES
from aslprep_nn.report.results import RunResults, Trust
from aslprep_nn.report.trust_curves import convergence_curves, kappa_histogram, subset_curves
from aslprep_nn.report.trust_maps import classes_in_full, p_maps
from aslprep_nn.report.trust_sentences import (
    fixed_t1_sentence,
    p_words,
    test_sentences,
    trust_limits,
    trust_sentences,
)
from aslprep_nn.report.trust_tests import TrustTest, is_classified, is_tested, tests_made


def trust_figures(results: RunResults) -> Iterator[Figure]:
    """Yield the figures of the section: where, how much, and how it settles."""
    if not is_tested(results.trust):
        return
    in_full = classes_in_full(results)
    if in_full is not None:
        yield in_full
    yield from p_maps(results)
    for draw in (convergence_curves, kappa_histogram, subset_curves):
        figure = draw(results)
        if figure is not None:
            yield figure


def trust_facts(results: RunResults) -> dict[str, Any]:
    """Write everything the section says, as its page and programs read it."""
    facts: dict[str, Any] = {
        'sentences': trust_sentences(results),
        'tests': [
            {'title': f'{test.title} ({test.statistic})', 'found': found, 'meaning': test.meaning}
            for test, found in test_sentences(results)
        ],
        'limits': trust_limits(results),
        'regions': None,
        'fixed_t1': None,
    }
    if results.trust is None:
        return facts
    summary = results.trust.summary
    if summary.regions and is_classified(results.trust):
        facts['regions'] = _region_table(results.trust)
    if summary.fixed_t1 is not None:
        facts['fixed_t1'] = _about_t1(summary.fixed_t1, results)
    return facts


def _region_table(trust: Trust) -> dict[str, Any]:
    """Lay out one row per region: a cell per test that was made, and one per class."""
    tests = list(tests_made(trust))
    return {
        'tests': [{'name': test.p, 'title': test.title} for test in tests],
        'classes': [CLASSES.words[label] for label in VoxelClass],
        'rows': [_region_row(region, tests) for region in trust.summary.regions],
    }


def _region_row(region: RegionTests, tests: list[TrustTest]) -> dict[str, Any]:
    return {
        'region': region.region,
        'n_tested': region.n_tested,
        'n_voxels': region.n_voxels,
        'tests': [
            {
                'share': _share_words(region.rejected, test.p),
                'p': p_words(region.p.get(test.p, math.nan)),
            }
            for test in tests
        ],
        'claimed': [_share_words(region.claimed, label.name) for label in VoxelClass],
    }


def _about_t1(test: FixedT1Test, results: RunResults) -> dict[str, Any]:
    unit = 'mL/100 g/min' if results.has_m0 else 'over its median'
    rows = [
        ('T1 of tissue [s]', f'{test.t1_before:.3g}', f'{test.t1_after:.3g}'),
        (
            'Lack of fit, share of voxels with p < .05',
            percent(test.misfit_before),
            percent(test.misfit_after),
        ),
        (
            'Tissue decay, share of voxels with p < .05',
            percent(test.decay_before),
            percent(test.decay_after),
        ),
        (f'Median CBF [{unit}]', f'{test.cbf_before:.3g}', f'{test.cbf_after:.3g}'),
    ]
    if not math.isnan(test.kappa_before):
        about = 'Median kappa, which a wrong T1 leaves as it is'
        rows.append((about, f'{test.kappa_before:.3g}', f'{test.kappa_after:.3g}'))
    return {
        'sentence': fixed_t1_sentence(test, results),
        'rows': [{'what': what, 'before': before, 'after': after} for what, before, after in rows],
    }


def _share_words(shares: Mapping[str, float], name: str) -> str:
    share = shares.get(name, math.nan)
    return '–' if math.isnan(share) else percent(share)

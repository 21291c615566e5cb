"""What is usual for the numbers that say how far noise and model can be trusted.

None of the ranges has a source: how many voxels a test rejects grows with the signal and with
the number of repetitions, so they are this project's habit.
"""

from __future__ import annotations

import math

from aslprep_nn.report.quality_number import QualityNumber

_WRONG_MODEL = 'in {value} of grey-matter-like voxels the signal does not follow the model'


def _cause(name: str, words: str, meaning: str) -> QualityNumber:
    return QualityNumber(
        f'fraction_{name}',
        math.nan,
        '1',
        0,
        0.1,
        f'Share of the grey-matter-like voxels tested {meaning}.',
        label=f'Model: {words}',
        if_high=f'{_WRONG_MODEL} ({words})',
    )


TRUST_EXPECTATIONS = (
    QualityNumber(
        'fraction_consistent',
        math.nan,
        '1',
        0.9,
        1,
        'Share of the grey-matter-like voxels tested in which neither noise nor model was found '
        'wrong at the false discovery rate. Not proof that they are right.',
        label='Consistent with model',
        if_low='only {value} of grey-matter-like voxels are consistent with the model and its '
        'noise',
    ),
    QualityNumber(
        'fraction_noise',
        math.nan,
        '1',
        0,
        0.1,
        'Share of the same voxels whose repetitions scatter otherwise than assumed (kappa), and '
        'whose model was not found wrong.',
        label='Noise not as assumed',
        if_high='in {value} of grey-matter-like voxels the repetitions scatter more than assumed',
    ),
    QualityNumber(
        'fraction_noise_rim',
        math.nan,
        '1',
        0,
        0.2,
        'The same share of all voxels tested within 6 mm of the edge of the brain, where motion '
        'shows first.',
        label='Noise not as assumed, rim',
        if_high='in {value} of the rim of the brain the repetitions scatter more than assumed, as '
        'after motion',
    ),
    QualityNumber(
        'fraction_model',
        math.nan,
        '1',
        0,
        0.1,
        'Share of the grey-matter-like voxels tested whose signal does not follow the model, '
        'whatever the cause.',
        label='Model not as assumed',
        if_high=_WRONG_MODEL,
    ),
    _cause(
        'decay',
        'tissue decay',
        'that looks as if label decayed or left the tissue at another rate (T1 of tissue, outflow)',
    ),
    _cause(
        'duration', 'labelling duration', 'that looks as if the labelling duration were another'
    ),
    _cause('arterial', 'arterial blood', 'that looks as if label were still in arteries'),
    _cause(
        'unclear',
        'cause unclear',
        'with a wrong model whose cause could not be named, dispersed arrival included',
    ),
    QualityNumber(
        'noise_ratio',
        math.nan,
        '1',
        0,
        2,
        'Where noise was found not as assumed: how many times as much as assumed the estimates '
        'scatter along their worst direction, the median of √λmax in the brain.',
        label='Noise over assumed noise',
        if_high='where noise is not as assumed, the estimates scatter {value} times as much',
    ),
    QualityNumber(
        'kappa_ratio',
        math.nan,
        '1',
        0.8,
        1.25,
        'Median kappa of the grey-matter-like voxels over the median that correct noise has with '
        'as many repetitions: 1 where noise is as assumed.',
        label='kappa over its null',
        if_high='noise differs between repetitions (median kappa {value} times '
        'what correct noise gives)',
    ),
)

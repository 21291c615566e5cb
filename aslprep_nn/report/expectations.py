"""What is usual for each number of quality, and what it says when it is not."""

from __future__ import annotations

import math
from typing import Any

from aslprep_nn.preprocessing.outliers import LARGEST_SHARE
from aslprep_nn.report.quality_number import QualityNumber
from aslprep_nn.report.trust_expectations import TRUST_EXPECTATIONS

#: In the order in which they are shown. A range without a source is this project's habit.
EXPECTATIONS = (
    QualityNumber(
        'gm_like_cbf',
        math.nan,
        'mL/100 g/min',
        # Alsop et al. (2015): 40 to 100 can be normal; the gate is far outside of physiology.
        40,
        100,
        'Median CBF of the third of the brain with the strongest signal at the later delays, where '
        'the transit time can be told.',
        label='Grey-matter-like CBF',
        limit_low=10,
        limit_high=150,
        if_low='the grey-matter-like CBF is low ({value}): check M0, its scale and the labelling',
        if_high='the grey-matter-like CBF is high ({value}): check M0 and its scale',
    ),
    QualityNumber(
        'att_median',
        math.nan,
        's',
        0.4,
        1.8,
        'Median arterial transit time of the same voxels.',
        label='Arterial transit time',
        limit_low=0.05,
        limit_high=3.5,
        if_low='blood arrives early ({value}): check the delays',
        if_high='blood arrives late ({value}): CBF may be too low where the delays are too short',
    ),
    QualityNumber(
        'fd_mean',
        math.nan,
        'mm',
        0,
        0.5,
        'Mean framewise displacement (Power et al. 2012), label with label, control with control.',
        label='Head motion, mean',
        limit_high=2,
        if_high='the head moved much ({value} a volume)',
    ),
    QualityNumber(
        'fd_max',
        math.nan,
        'mm',
        0,
        3,
        'Largest framewise displacement.',
        label='Head motion, largest',
        limit_high=15,
        if_high='the head moved by {value} at once',
    ),
    QualityNumber(
        'fraction_estimated',
        math.nan,
        '1',
        0.9,
        1,
        'Share of brain voxels with a CBF.',
        label='Voxels with an estimate',
        limit_low=0.5,
        if_low='only {value} of the brain has an estimate',
    ),
    QualityNumber(
        'fraction_converged',
        math.nan,
        '1',
        0.8,
        1,
        'Share of brain voxels whose fit ended within its bounds, whether or not the transit time '
        'can be told.',
        label='Voxels converged',
        limit_low=0.3,
        if_low='the fit of only {value} of the brain ended within its bounds',
    ),
    QualityNumber(
        'fraction_identifiable',
        math.nan,
        '1',
        0.7,
        1,
        'Share of brain voxels whose fit converged with a transit time the delays can tell.',
        label='Voxels identifiable',
        limit_low=0.3,
        if_low='transit time can be told in only {value} of the brain',
    ),
    QualityNumber(
        'fraction_negative_delta_m',
        math.nan,
        '1',
        0,
        0.1,
        'Share of brain voxels whose delta M, averaged over all measurements, is below zero, which '
        'only noise explains.',
        label='Negative difference',
        limit_high=0.4,
        if_high='{value} of the brain has a negative mean difference',
    ),
    QualityNumber(
        'fraction_negative_cbf',
        math.nan,
        '1',
        0,
        0.2,
        'Share of the voxels with an estimate whose CBF is not above zero; a fit of several delays '
        'ends at zero where the signal is negative.',
        label='CBF not above zero',
        limit_high=0.5,
        if_high='CBF is not above zero in {value} of the brain',
    ),
    QualityNumber(
        'relative_sd_median',
        math.nan,
        '%',
        0,
        40,
        'Median standard deviation of CBF relative to CBF, grey-matter-like voxels.',
        label='Relative sd of CBF',
        limit_high=150,
        if_high='CBF is uncertain by {value} in a typical grey-matter-like voxel',
    ),
    QualityNumber(
        'tsnr_delta_m',
        math.nan,
        '1',
        0.5,
        math.inf,
        'Mean of delta M over its scatter between repetitions, grey-matter-like median.',
        label='Temporal SNR of delta M',
        if_low='the repetitions scatter much (temporal SNR {value})',
    ),
    QualityNumber(
        'dvars_delta_m',
        math.nan,
        '%',
        0,
        3,
        'Root mean square over the brain of the change of delta M since the repetition before '
        '(DVARS, Power et al. 2012), mean over the measurements, relative to M0.',
        label='DVARS of the difference',
        if_high='the difference changes much from one repetition to the next ({value} of M0)',
    ),
    QualityNumber(
        'perfusion_z',
        math.nan,
        '1',
        2,
        math.inf,
        'Mean delta M of a voxel over its standard error from the repetitions, median of the '
        'brain: about 0 where there is nothing but noise.',
        label='Perfusion above noise',
        limit_low=0.5,
        if_low='perfusion can hardly be told from noise (in a typical voxel the mean difference '
        'is {value} standard errors from zero)',
    ),
    QualityNumber(
        'mean_delta_m',
        math.nan,
        '%',
        0.05,
        2,
        'Mean of delta M over M0 in the brain; negative where label and control are swapped.',
        label='Mean difference',
        limit_low=0,
        limit_high=5,
        if_low='the mean difference is {value} of M0, low or negative: label and control may be '
        'swapped',
        if_high='the mean difference is high ({value} of M0): check M0 and its scale',
    ),
    QualityNumber(
        'spatial_cov',
        math.nan,
        '%',
        20,
        90,
        'Standard deviation of CBF over its mean in the brain (Mutsaerts et al. 2017), with '
        'several delays only where the transit time can be told; with one delay high where blood '
        'is still in the arteries.',
        label='Spatial variation of CBF',
        limit_high=300,
        if_low='CBF hardly differs between tissues (spatial variation {value})',
        if_high='CBF varies much from voxel to voxel (spatial variation {value})',
    ),
    QualityNumber(
        'gm_wm_ratio',
        math.nan,
        '1',
        1.5,
        4,
        'Mean CBF of voxels of grey over that of white matter, each more than 70 % of its tissue; '
        'not known without an anatomical image.',
        label='Grey over white matter',
        if_low='grey and white matter hardly differ in CBF (ratio {value})',
        if_high='white matter has little CBF (ratio {value})',
    ),
    QualityNumber(
        'qei',
        math.nan,
        '1',
        0.5,
        1,
        'Quality evaluation index (Dolui et al. 2017) within the brain: likeness to tissue, '
        'scatter within it, negative values; not known without an anatomical image.',
        label='Quality evaluation index',
        if_low='the quality evaluation index is low ({value})',
    ),
    QualityNumber(
        'asymmetry',
        math.nan,
        '%',
        -20,
        20,
        'CBF of the right half of the brain minus the left, over their mean.',
        label='Right minus left',
        limit_low=-150,
        limit_high=150,
        if_low='the right half has less CBF ({value}): check the labelling of the right arteries',
        if_high='the left half has less CBF ({value}): check the labelling of the left arteries',
    ),
    QualityNumber(
        'mask_volume',
        math.nan,
        'L',
        0.8,
        1.9,
        'Volume taken as brain; smaller where the slices do not cover it.',
        label='Brain mask',
        limit_low=0.05,
        limit_high=4,
        if_low='the brain mask is small ({value}): the slices may not cover the brain',
        if_high='the brain mask is large ({value}): it may hold more than brain',
    ),
    QualityNumber(
        'mask_template_dice',
        math.nan,
        '1',
        0.85,
        1,
        'Dice overlap, within the slices, of the brain mask with the brain of MNI152, which came '
        'to the series through the T1w; not known without one.',
        label='Overlap with the template',
        if_low='the brain mask overlaps little with the brain of a template (Dice {value}): look '
        'at the mask, and whether the T1w is of this head',
    ),
    QualityNumber(
        'n_pairs',
        math.nan,
        '1',
        1,
        math.inf,
        'Measurements of delta M, before any is left out.',
        label='Measurements',
        if_low='there are only {value} measurements',
    ),
    QualityNumber(
        'fraction_pairs_left_out',
        math.nan,
        '1',
        0,
        LARGEST_SHARE,
        'Share of the measurements that were left out because they do not belong.',
        label='Left out',
        if_high='{value} of the measurements were left out: what is left may be no better',
    ),
    *TRUST_EXPECTATIONS,
)

#: With one delay, arrival is not modelled: what a high number says then.
IF_HIGH_WITH_ONE_DELAY = {
    'spatial_cov': 'CBF is patchy (spatial variation {value}): blood may still be in the arteries',
}


def expectation(name: str) -> QualityNumber:
    """Look up what is usual for one number."""
    return next(number for number in EXPECTATIONS if number.name == name)


#: What differs where a kidney was imaged (Odudu et al. 2018).
OF_KIDNEY: dict[str, dict[str, Any]] = {
    'gm_like_cbf': {
        'label': 'Cortex-like flow',
        'usual_low': 100,
        'usual_high': 500,
        'limit_low': 30,
        'limit_high': 800,
        'if_low': 'the flow of cortex is low ({value}): check M0, its scale and the labelling',
        'if_high': 'the flow of cortex is high ({value}): check M0 and its scale',
    }
}
#: Numbers that only a head has: its volume, and its halves.
ONLY_OF_BRAIN = ('mask_volume', 'mask_template_dice', 'asymmetry')

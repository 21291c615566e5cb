"""The methods text of one run, ready to paste, and what it cites."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aslprep_nn.acquisition import BolusCutOff, LabelingType
from aslprep_nn.report.regions import measurements_by_timing
from aslprep_nn.report.results import RunResults
from aslprep_nn.run import M0Route
from aslprep_nn.version import __version__


@dataclass(frozen=True)
class Reference:
    """One entry of the list of references.

    Parameters
    ----------
    cited_as
        How the text names it.
    text
        The entry.
    doi
        '' where there is none.
    """

    cited_as: str
    text: str
    doi: str = ''

    def __str__(self) -> str:
        return f'{self.text} doi:{self.doi}' if self.doi else self.text


@dataclass(frozen=True)
class Methods:
    """What was done, in sentences, and the works they cite."""

    paragraphs: tuple[str, ...]
    references: tuple[Reference, ...]

    @property
    def markdown(self) -> str:
        """The text as Markdown."""
        works = [f'{number}. {work}' for number, work in enumerate(self.references, 1)]
        return '\n\n'.join([*self.paragraphs, '### References', '\n'.join(works)]) + '\n'


ALSOP = Reference(
    'Alsop et al., 2015',
    'Alsop DC, Detre JA, Golay X, et al. (2015). Recommended implementation of arterial '
    'spin-labeled perfusion MRI for clinical applications. Magn Reson Med 73(1):102-116.',
    '10.1002/mrm.25197',
)
BUXTON = Reference(
    'Buxton et al., 1998',
    'Buxton RB, Frank LR, Wong EC, et al. (1998). A general kinetic model for quantitative '
    'perfusion imaging with arterial spin labeling. Magn Reson Med 40(3):383-396.',
    '10.1002/mrm.1910400308',
)
AVANTS = Reference(
    'Avants et al., 2011',
    'Avants BB, Tustison NJ, Song G, et al. (2011). A reproducible evaluation of ANTs '
    'similarity metric performance in brain image registration. NeuroImage 54(3):2033-2044.',
    '10.1016/j.neuroimage.2010.09.025',
)
POWER = Reference(
    'Power et al., 2012',
    'Power JD, Barnes KA, Snyder AZ, Schlaggar BL, Petersen SE (2012). Spurious but systematic '
    'correlations in functional connectivity MRI networks arise from subject motion. NeuroImage '
    '59(3):2142-2154.',
    '10.1016/j.neuroimage.2011.10.018',
)
CLEMENT = Reference(
    'Clement et al., 2022',
    'Clement P, Castellaro M, Okell TW, et al. (2022). ASL-BIDS, the brain imaging data '
    'structure extension for arterial spin labeling. Sci Data 9:543.',
    '10.1038/s41597-022-01615-9',
)
GORGOLEWSKI = Reference(
    'Gorgolewski et al., 2011',
    'Gorgolewski K, Burns CD, Madison C, et al. (2011). Nipype: a flexible, lightweight and '
    'extensible neuroimaging data processing framework in Python. Front Neuroinform 5:13.',
    '10.3389/fninf.2011.00013',
)
ABRAHAM = Reference(
    'Abraham et al., 2014',
    'Abraham A, Pedregosa F, Eickenberg M, et al. (2014). Machine learning for neuroimaging '
    'with scikit-learn. Front Neuroinform 8:14.',
    '10.3389/fninf.2014.00014',
)
BRETT = Reference(
    'Brett et al.',
    'Brett M, Markiewicz CJ, Hanke M, et al. nibabel: access a cacophony of neuro-imaging '
    'file formats. Zenodo.',
    '10.5281/zenodo.591597',
)
PASZKE = Reference(
    'Paszke et al., 2019',
    'Paszke A, Gross S, Massa F, et al. (2019). PyTorch: an imperative style, high-performance '
    'deep learning library. Adv Neural Inf Process Syst 32:8024-8035.',
)

TUSTISON = Reference(
    'Tustison et al., 2010',
    'Tustison NJ, Avants BB, Cook PA, et al. (2010). N4ITK: improved N3 bias correction. IEEE '
    'Trans Med Imaging 29(6):1310-1320.',
    '10.1109/TMI.2010.2046908',
)
OTSU = Reference(
    'Otsu, 1979',
    'Otsu N (1979). A threshold selection method from gray-level histograms. IEEE Trans Syst Man '
    'Cybern 9(1):62-66.',
    '10.1109/TSMC.1979.4310076',
)
WONG = Reference(
    'Wong et al., 1998',
    'Wong EC, Buxton RB, Frank LR (1998). Quantitative imaging of perfusion using a single '
    'subtraction (QUIPSS and QUIPSS II). Magn Reson Med 39(5):702-708.',
    '10.1002/mrm.1910390506',
)
QIN = Reference(
    'Qin et al., 2022',
    'Qin Q, Alsop DC, Bolar DS, et al. (2022). Velocity-selective arterial spin labeling '
    'perfusion MRI: a review of the state of the art and recommendations for clinical '
    'implementation. Magn Reson Med 88(4):1528-1547.',
    '10.1002/mrm.29371',
)
WORKS = (
    ABRAHAM, ALSOP, AVANTS, BRETT, BUXTON, CLEMENT, GORGOLEWSKI, OTSU, PASZKE, POWER, QIN,
    TUSTISON, WONG,
)  # fmt: skip

#: What M0 of tissue is, by the plan's word for its route.
M0_SOURCES = {
    M0Route.SEPARATE: 'was measured by a separate M0 scan',
    M0Route.INCLUDED: 'was measured by the M0 volumes of the series',
    M0Route.CONTROL: 'is the mean of the control volumes, whose background was not suppressed',
    M0Route.ESTIMATE: 'is the M0 of blood that the metadata state times the partition coefficient',
}
#: Where differences come with one of these, the reference image shows tissue.
M0_IMAGES = (M0Route.SEPARATE, M0Route.INCLUDED)


def describe_methods(results: RunResults) -> Methods:
    """Write what was done to one run, from its own facts."""
    paragraphs = (
        ' '.join(_acquisition(results)),
        ' '.join(_processing(results)),
        ' '.join(_estimation(results)),
    )
    text = ' '.join(paragraphs)
    cited = [work for work in WORKS if work.cited_as in text]
    return Methods(paragraphs, tuple(sorted(cited, key=lambda work: text.index(work.cited_as))))


def _acquisition(results: RunResults) -> Iterator[str]:
    acquisition = results.acquisition
    timings = measurements_by_timing(acquisition)
    delays = sorted({pld for pld, _ in timings})
    durations = sorted({duration for _, duration in timings})
    delay_name = 'post-labelling delay' if acquisition.labeling.is_continuous else 'inversion time'
    yield (
        f'Arterial spin labelling data organised as BIDS (Clement et al., 2022) were processed '
        f'with aslprep_nn {__version__}.'
    )
    yield (
        f'The {acquisition.labeling} series held {acquisition.n_measurements} measurements of the '
        f'difference signal with a {delay_name} of {_listed(delays)} s and a labelling duration '
        f'of {_listed(durations)} s.'
    )
    if acquisition.slice_times:
        yield (
            'Slices were read out one after another, over '
            f'{max(acquisition.slice_times):g} s; each kept its own delay.'
        )
    suppression = _planned(results, 'Background suppression')
    if suppression.startswith('yes'):
        n_pulses = suppression.removeprefix('yes').strip(', ').removesuffix(' pulses')
        number = f' (number of inversion pulses: {n_pulses})' if n_pulses else ''
        yield f'The signal of static tissue was suppressed{number}.'
    elif suppression:
        is_known = suppression == 'no'
        yield (
            'The signal of static tissue was not suppressed.'
            if is_known
            else 'Whether the signal of static tissue was suppressed is not stated.'
        )


def _processing(results: RunResults) -> Iterator[str]:
    if results.confounds is not None:
        yield (
            'Every volume was aligned to a reference by a rigid transform that maximises mutual '
            'information, computed with ANTs (Avants et al., 2011), and resampled once. '
            'Framewise displacement (Power et al., 2012) compares volumes of one type.'
        )
    else:
        yield 'Only difference images were given, so head motion was not corrected.'
    yield _masking(results)
    if results.confounds is not None:
        yield 'Each label was subtracted from its control.'
    if results.has_m0:
        yield _calibration(results)
    else:
        yield (
            'There was no M0: the difference was divided by its own mean over the brain, and CBF '
            'is relative to its median.'
        )


def _masking(results: RunResults) -> str:
    if results.confounds is None and _planned(results, 'M0') not in M0_IMAGES:
        return (
            'The head was masked by the threshold of Otsu (Otsu, 1979) on the logarithm of the '
            'mean square of the differences, computed with ANTs (Avants et al., 2011).'
        )
    return (
        'The brain was masked by an EPI threshold in nilearn (Abraham et al., 2014) after '
        'bias-field correction with N4 (Tustison et al., 2010) in ANTs (Avants et al., 2011).'
    )


def _calibration(results: RunResults) -> str:
    """Say where M0 comes from, how its recovery was corrected, and what it was used for."""
    source = next(
        (words for route, words in M0_SOURCES.items() if route == _planned(results, 'M0')),
        'was given',
    )
    times, scale = _planned(results, 'M0 repetition time'), _planned(results, 'M0 scale')
    recovery = (
        f', divided by 1 − exp(−TR/T1) to correct its incomplete recovery (repetition time TR '
        f'{times}, T1 of tissue {results.acquisition.t1_tissue:g} s)'
        if times
        else ''
    )
    scaling = f' and multiplied by {scale} to bring it to the scale of the series' if scale else ''
    return (
        f'The equilibrium magnetisation M0 of tissue {source}{recovery}{scaling}. The difference '
        'was divided by it voxel by voxel.'
    )


def _planned(results: RunResults, name: str) -> str:
    """Look up a row of the plan; '' where there is none."""
    return next((row.value for row in results.plan if row.name == name), '')


def _estimation(results: RunResults) -> Iterator[str]:
    acquisition = results.acquisition
    # The formula for one delay holds while label has not decayed in tissue: no T1 of tissue.
    in_tissue = f' and {acquisition.t1_tissue:g} s in tissue' if 'att' in results.maps else ''
    constants = (
        f'a labelling efficiency of {acquisition.labeling_efficiency:g}, a T1 of '
        f'{acquisition.t1_blood:g} s in blood{in_tissue}, and a blood-brain partition coefficient '
        f'of {acquisition.partition_coefficient:g} mL/g'
    )
    if 'att' in results.maps:
        yield (
            'Cerebral blood flow and arterial transit time were estimated in every voxel by least '
            f'squares with the general kinetic model (Buxton et al., 1998; Alsop et al., 2015), '
            f'with {constants}.'
        )
    else:
        yield (
            f'Cerebral blood flow was computed with the formula {_formula(results)}, with '
            f'{constants}.'
        )
    if 'std_cbf' in results.maps:
        yield 'Each estimate comes with its standard deviation.'
    yield (
        'The work was run by Nipype (Gorgolewski et al., 2011) with nibabel (Brett et al.), '
        'nilearn (Abraham et al., 2014) and PyTorch (Paszke et al., 2019).'
    )


def _formula(results: RunResults) -> str:
    if results.acquisition.labeling is LabelingType.VSASL:
        return 'for velocity-selective labelling (Qin et al., 2022)'
    if results.acquisition.bolus_cut_off is BolusCutOff.QUIPSS:
        return 'for QUIPSS (Wong et al., 1998)'
    return 'of the consensus paper (Alsop et al., 2015)'


def _listed(values: list[float]) -> str:
    words = [f'{value:g}' for value in values]
    return words[0] if len(words) == 1 else f'{", ".join(words[:-1])} and {words[-1]}'

"""The methods text of one run, ready to paste, and what it cites."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from aslprep_nn.report.regions import measurements_by_timing
from aslprep_nn.report.results import RunResults
from aslprep_nn.version import __version__


@dataclass(frozen=True)
class Reference:
    """One entry of the list of references."""

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
    'Alsop DC, Detre JA, Golay X, et al. (2015). Recommended implementation of arterial '
    'spin-labeled perfusion MRI for clinical applications. Magn Reson Med 73(1):102-116.',
    '10.1002/mrm.25197',
)
BUXTON = Reference(
    'Buxton RB, Frank LR, Wong EC, et al. (1998). A general kinetic model for quantitative '
    'perfusion imaging with arterial spin labeling. Magn Reson Med 40(3):383-396.',
    '10.1002/mrm.1910400308',
)
AVANTS = Reference(
    'Avants BB, Tustison NJ, Song G, et al. (2011). A reproducible evaluation of ANTs '
    'similarity metric performance in brain image registration. NeuroImage 54(3):2033-2044.',
    '10.1016/j.neuroimage.2010.09.025',
)
POWER = Reference(
    'Power JD, Barnes KA, Snyder AZ, Schlaggar BL, Petersen SE (2012). Spurious but systematic '
    'correlations in functional connectivity MRI networks arise from subject motion. NeuroImage '
    '59(3):2142-2154.',
    '10.1016/j.neuroimage.2011.10.018',
)
CLEMENT = Reference(
    'Clement P, Castellaro M, Okell TW, et al. (2022). ASL-BIDS, the brain imaging data '
    'structure extension for arterial spin labeling. Sci Data 9:543.',
    '10.1038/s41597-022-01615-9',
)
GORGOLEWSKI = Reference(
    'Gorgolewski K, Burns CD, Madison C, et al. (2011). Nipype: a flexible, lightweight and '
    'extensible neuroimaging data processing framework in Python. Front Neuroinform 5:13.',
    '10.3389/fninf.2011.00013',
)
ABRAHAM = Reference(
    'Abraham A, Pedregosa F, Eickenberg M, et al. (2014). Machine learning for neuroimaging '
    'with scikit-learn. Front Neuroinform 8:14.',
    '10.3389/fninf.2014.00014',
)
BRETT = Reference(
    'Brett M, Markiewicz CJ, Hanke M, et al. nibabel: access a cacophony of neuro-imaging '
    'file formats. Zenodo.',
    '10.5281/zenodo.591597',
)
PASZKE = Reference(
    'Paszke A, Gross S, Massa F, et al. (2019). PyTorch: an imperative style, high-performance '
    'deep learning library. Adv Neural Inf Process Syst 32:8024-8035.'
)


def describe_methods(results: RunResults) -> Methods:
    """Write what was done to one run, from its own facts."""
    has_att = 'att' in results.maps
    has_motion = results.confounds is not None
    paragraphs = (
        ' '.join(_acquisition(results)),
        ' '.join(_processing(results)),
        ' '.join(_estimation(results)),
    )
    references = (
        CLEMENT,
        *((AVANTS, POWER) if has_motion else ()),
        BUXTON if has_att else ALSOP,
        *((ALSOP,) if has_att else ()),
        GORGOLEWSKI,
        ABRAHAM,
        BRETT,
        PASZKE,
    )
    return Methods(paragraphs, references)


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


def _processing(results: RunResults) -> Iterator[str]:
    if results.confounds is not None:
        yield (
            'Every volume was aligned to a reference by a rigid transform that maximises mutual '
            'information, computed with ANTs (Avants et al., 2011), and resampled once. '
            'Framewise displacement (Power et al., 2012) compares volumes of one type.'
        )
        yield (
            'The brain was masked by an EPI threshold (Abraham et al., 2014) after bias-field '
            'correction with N4. Each label was subtracted from its control.'
        )
    else:
        yield 'Only difference images were given, so head motion was not corrected.'
    if results.has_m0:
        yield 'The difference was divided by the equilibrium magnetisation M0 voxel by voxel.'
    else:
        yield (
            'There was no M0: the difference was divided by its own mean over the brain, and CBF '
            'is relative to its median.'
        )


def _estimation(results: RunResults) -> Iterator[str]:
    acquisition = results.acquisition
    constants = (
        f'a labelling efficiency of {acquisition.labeling_efficiency:g}, a T1 of '
        f'{acquisition.t1_blood:g} s in blood and {acquisition.t1_tissue:g} s in tissue, and a '
        f'blood-brain partition coefficient of {acquisition.partition_coefficient:g} mL/g'
    )
    if 'att' in results.maps:
        yield (
            'Cerebral blood flow and arterial transit time were estimated in every voxel by least '
            f'squares with the general kinetic model (Buxton et al., 1998; Alsop et al., 2015), '
            f'with {constants}.'
        )
    else:
        yield (
            'Cerebral blood flow was computed with the formula of the consensus paper (Alsop et '
            f'al., 2015), with {constants}.'
        )
    if 'std_cbf' in results.maps:
        yield 'Each estimate comes with its standard deviation.'
    yield (
        'The work was run by Nipype (Gorgolewski et al., 2011) with nibabel (Brett et al.), '
        'nilearn (Abraham et al., 2014) and PyTorch (Paszke et al., 2019).'
    )


def _listed(values: list[float]) -> str:
    words = [f'{value:g}' for value in values]
    return words[0] if len(words) == 1 else f'{", ".join(words[:-1])} and {words[-1]}'

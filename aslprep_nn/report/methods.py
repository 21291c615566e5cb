"""The methods text of one run, ready to paste, and what it cites."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from aslprep_nn.acquisition import BolusCutOff, LabelingType
from aslprep_nn.preprocessing.mask import BRAIN_LEVEL
from aslprep_nn.report.estimator_methods import describe_estimators
from aslprep_nn.report.references import WORKS, Reference
from aslprep_nn.report.regions import measurements_by_timing
from aslprep_nn.report.results import RunResults
from aslprep_nn.report.trust_methods import describe_tests
from aslprep_nn.run import M0Route
from aslprep_nn.settings import Organ
from aslprep_nn.version import __version__


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
    parts = (_acquisition, _processing, _estimation, describe_estimators, describe_tests)
    paragraphs = tuple(filter(None, (' '.join(part(results)) for part in parts)))
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
    yield from _suppression(_planned(results, 'Background suppression'))


def _suppression(planned: str) -> Iterator[str]:
    """Put the plan's words into a sentence; nothing where it has none."""
    if planned.startswith('yes'):
        n_pulses = planned.removeprefix('yes').strip(', ').removesuffix(' pulses')
        number = f' (number of inversion pulses: {n_pulses})' if n_pulses else ''
        yield f'The signal of static tissue was suppressed{number}.'
    elif planned == 'no':
        yield 'The signal of static tissue was not suppressed.'
    elif planned:
        yield 'Whether the signal of static tissue was suppressed is not stated.'


def _processing(results: RunResults) -> Iterator[str]:
    if results.confounds is not None:
        yield (
            'Head motion was corrected in two steps: the volumes of one timing were aligned to '
            'their mean by robust least squares, and the mean of each timing to the reference by a '
            'rigid transform that maximises mutual information, computed with ANTs (Avants et al., '
            '2011). Every volume was resampled once, by cubic splines. Framewise displacement '
            '(Power et al., 2012) compares volumes of one type. Pairs that scatter or shift unlike '
            'the others of their timing were left out.'
        )
    else:
        yield 'Only difference images were given, so head motion was not corrected.'
    yield _masking(results)
    if not math.isnan(results.template_dice):
        yield (
            'The mask was compared with the brain of the template MNI152 (Fonov et al., 2011), '
            'which was registered affinely to the T1-weighted image, and this rigidly to the '
            'series, by mutual information with ANTs (Avants et al., 2011); their Dice overlap '
            f'within the slices was {results.template_dice:.2f}.'
        )
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
    if _planned(results, 'Mask'):
        return 'The mask of the brain was supplied.'
    if results.organ is not Organ.BRAIN:
        return (
            'Everything but air was masked by the threshold of Otsu (Otsu, 1979) on the logarithm '
            'of the reference, computed with ANTs (Avants et al., 2011).'
        )
    if results.confounds is None and _planned(results, 'M0') not in M0_IMAGES:
        return (
            'The head was masked by the threshold of Otsu (Otsu, 1979) on the logarithm of the '
            'mean square of the differences, computed with ANTs (Avants et al., 2011).'
        )
    return (
        'The head was found in the reference by the threshold of Otsu (Otsu, 1979) on its '
        'logarithm, computed with ANTs (Avants et al., 2011), and the brain as what reaches '
        f'{BRAIN_LEVEL:.0%} of the smoothed brightness of what lies deep in the head nearby.'
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

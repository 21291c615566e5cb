"""The tables of an evaluation: what was measured, row by row."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from aslprep_nn.estimation.benchmark.scenarios import Row, Table
from aslprep_nn.evaluation.estimators import Family, Key
from aslprep_nn.evaluation.experiments import LesionResults
from aslprep_nn.evaluation.scores import Parameter, Region, Results, Score
from aslprep_nn.evaluation.suite import Evaluation

#: Factor and unit in which each parameter is told.
UNITS = {Parameter.CBF: (1.0, 'mL/100 g/min'), Parameter.ATT: (1000.0, 'ms')}
TISSUES = (Region.BRAIN, Region.GRAY_MATTER, Region.WHITE_MATTER, Region.BOUNDARY)
NETWORK = (Family.LEAST_ERROR, Family.LEAST_BIAS)
BASELINES = (Family.SMOOTHED, Family.TOTAL_VARIATION, Family.HYBRID)
NOT_MEASURED = '–'


def evaluation_tables(found: Evaluation) -> Iterator[Table]:
    """Lay everything out; losses stand beside wins."""
    for parameter in Parameter:
        for measure in ('rmse', 'mae', 'bias'):
            yield error_table(found.known, parameter, measure)
    yield setting_table(found.known)
    yield ratio_table('ratios', 'Physics known, independent noise.', found.known)
    yield ratio_table('correlated', 'Noise that neighbours share.', found.correlated)
    yield ratio_table('fine structure', 'Voxels that differ from their neighbours.', found.fine)
    yield bound_table(found.known)
    yield coverage_table(found)
    yield from (wrong_table(found.wrong, parameter) for parameter in Parameter)
    yield from (protocol_table(found.protocols, parameter) for parameter in Parameter)
    yield loss_table(found)
    yield lesion_table(found)
    yield nothing_table(found)


def error_table(results: Sequence[Results], parameter: Parameter, measure: str) -> Table:
    """Tabulate one measure of error by SNR and tissue."""
    factor, unit = UNITS[parameter]
    rows = [
        _row(
            {'SNR': f'{one.condition.snr:g}', 'where': region.words},
            _families(one, lambda score: factor * getattr(score, measure), parameter, region),
        )
        for one in results
        for region in TISSUES
    ]
    name = {'rmse': 'RMSE', 'mae': 'mean absolute error', 'bias': 'bias'}[measure]
    question = f'{name} of {parameter.name} [{unit}]; ** at the best setting for each row.'
    return Table(f'{name} of {parameter.name}', _sentence(question), tuple(rows))


def setting_table(results: Sequence[Results]) -> Table:
    """Say which settings were chosen with the truth."""
    rows = [
        _row(
            {'SNR': f'{one.condition.snr:g}', 'parameter': parameter.name, 'where': region.words},
            {
                str(family): _spell(one.best_setting(family, parameter, region))
                for family in BASELINES
                if family in one.families
            },
        )
        for one in results
        for parameter in Parameter
        for region in (Region.BRAIN, Region.GRAY_MATTER)
    ]
    question = (
        'Settings of the baselines with the least RMSE, chosen with the truth: sigma [voxel]; '
        'weight over noise; sigma of ATT / sigma of CBF [voxel].'
    )
    return Table('settings', question, tuple(rows))


def ratio_table(name: str, question: str, results: Sequence[Results]) -> Table:
    """Tabulate the network's RMSE over that of each baseline, with 95 % intervals."""
    rows: list[Row] = []
    for one in results:
        for parameter in Parameter:
            for region in (Region.BRAIN, Region.GRAY_MATTER):
                row: Row = {
                    'SNR': f'{one.condition.snr:g}',
                    'parameter': parameter.name,
                    'where': region.words,
                }
                for family in (Family.HYBRID, *NETWORK):
                    for other in BASELINES:
                        if family is other or not {family, other} <= set(one.families):
                            continue
                        row[f'{family} / {other}'] = str(
                            one.ratio(family, other, parameter, region)
                        )
                rows.append(row)
    question = f'{question} Ratios of RMSE with 95 % bootstrap intervals over phantoms.'
    return Table(name, question, tuple(rows))


def bound_table(results: Sequence[Results]) -> Table:
    """Tabulate the bias of single voxels in units of their bound."""
    rows = [
        _row(
            {'SNR': f'{one.condition.snr:g}', 'parameter': parameter.name},
            _families(one, lambda score: score.bias_per_bound, parameter, Region.BRAIN),
        )
        for one in results
        for parameter in Parameter
    ]
    question = (
        '|bias| / √CRB: root mean square over voxels, from products of the errors of two draws of '
        'the noise; CRB of a single voxel.'
    )
    return Table('bias per bound', question, tuple(rows))


def coverage_table(found: Evaluation) -> Table:
    """Tabulate how often the truth lies in the predictive intervals."""
    families = [
        family
        for family in found.typical.families
        if math.isfinite(found.typical.score(family, Parameter.CBF, Region.BRAIN).within_68)
    ]
    rows: list[Row] = []
    for region, results in (
        (Region.BRAIN, found.known),
        (Region.LESION, tuple(one.results for one in found.foci)),
    ):
        for one in results:
            for parameter in Parameter:
                row: Row = {
                    'SNR': f'{one.condition.snr:g}',
                    'where': 'foci' if region is Region.LESION else region.words,
                    'parameter': parameter.name,
                }
                for family in families:
                    row[str(family)] = _coverage(one, family, parameter, region)
                rows.append(row)
    question = 'Share of voxels whose truth lies in the 68 and 95 % predictive interval.'
    return Table('coverage', question, tuple(rows))


def wrong_table(results: Sequence[Results], parameter: Parameter) -> Table:
    """Tabulate the bias where a constant is wrong."""
    factor, unit = UNITS[parameter]
    rows = [
        _row(
            {'wrong': _wrong(one)},
            _families(one, lambda score: factor * score.bias, parameter, Region.BRAIN),
        )
        for one in results
    ]
    question = (
        f'Bias of {parameter.name} in the brain [{unit}] where the truth of one constant differs '
        'from what every estimator assumes, SNR 5.'
    )
    return Table(f'wrong physics, {parameter.name}', question, tuple(rows))


def protocol_table(results: Sequence[Results], parameter: Parameter) -> Table:
    """Tabulate the RMSE under every held-out protocol."""
    factor, unit = UNITS[parameter]
    rows = [
        _row(
            {'protocol': one.condition.protocol},
            _families(one, lambda score: factor * score.rmse, parameter, Region.BRAIN),
        )
        for one in results
    ]
    question = f'RMSE of {parameter.name} in the brain [{unit}], SNR 5.'
    return Table(f'protocols, {parameter.name}', question, tuple(rows))


def loss_table(found: Evaluation) -> Table:
    """Tabulate the loss relative to the bound where neighbours tell nothing."""
    rows = [
        _row(
            {'protocol': one.condition.protocol, 'parameter': parameter.name},
            {
                'least possible': _digits(least[parameter]),
                **_families(one, lambda score: score.loss, parameter, Region.BRAIN),
            },
        )
        for one, least in zip(found.voxelwise, found.least_losses, strict=True)
        for parameter in Parameter
    ]
    question = (
        'Mean squared error over the smoothed bound of a voxel, in phantoms that are random voxel '
        'by voxel, SNR 10: an efficient unbiased estimator scores 1. Least possible: what the '
        'best function of the data scores, which knows the noise and what voxels are drawn from.'
    )
    return Table('loss over bound', question, tuple(rows))


def lesion_table(found: Evaluation) -> Table:
    """Tabulate how much of the lesions is recovered, and the errors there."""
    groups: tuple[tuple[str, Sequence[LesionResults], tuple[Parameter, ...]], ...] = (
        ('foci of 1–3 voxels', found.foci, (Parameter.CBF,)),
        ('late foci', found.late_foci, (Parameter.ATT,)),
        ('tumours with a rim', found.tumours, (Parameter.CBF, Parameter.ATT)),
    )
    rows: list[Row] = []
    for name, lesions, parameters in groups:
        for one in lesions:
            for parameter in parameters:
                factor, _ = UNITS[parameter]
                row: Row = {
                    'lesions': name,
                    'SNR': f'{one.results.condition.snr:g}',
                    'parameter': parameter.name,
                }
                for family in one.results.families:
                    key = one.results.best_setting(family, parameter, Region.BRAIN)
                    score = one.results.sums[key].score(parameter, Region.LESION)
                    recovered = one.recovery(family, parameter)
                    row[str(family)] = f'{recovered}; {_digits(factor * score.rmse)}'
                rows.append(row)
    question = (
        'Share of the contrast that is recovered (95 % interval), and RMSE inside the lesions '
        '[mL/100 g/min, ms]; baselines at the best setting for the brain.'
    )
    return Table('lesions', question, tuple(rows))


def nothing_table(found: Evaluation) -> Table:
    """Tabulate the correlation of maps of nothing with anatomy."""
    shown = [key for key in found.correlation if key.family not in BASELINES]
    rows = tuple(
        _row(
            {'estimator': str(key.family)},
            {p.name: f'{found.correlation[key][p].item():.3f}' for p in Parameter},
        )
        for key in shown
    )
    question = (
        'Mean correlation, over uniform phantoms at SNR 5, of the map with the grey matter of the '
        'template: 0 where no anatomy is invented.'
    )
    return Table('uniform', question, rows)


def _row(head: Mapping[str, str], values: Mapping[str, str]) -> Row:
    return {**head, **values}


def _families(
    results: Results, measure: Callable[[Score], float], parameter: Parameter, region: Region
) -> dict[str, str]:
    return {
        str(family): _digits(measure(results.score(family, parameter, region)))
        for family in results.families
    }


def _coverage(one: Results, family: Family, parameter: Parameter, region: Region) -> str:
    """Spell out both shares, where the estimator took part and states intervals."""
    if family not in one.families:
        return NOT_MEASURED
    score = one.score(family, parameter, region)
    if not math.isfinite(score.within_68):
        return NOT_MEASURED
    return f'{score.within_68:.2f} / {score.within_95:.2f}'


def _wrong(one: Results) -> str:
    wrong = one.condition.wrong
    return '' if wrong is None else f'{wrong.constant} {100 * (wrong.factor - 1):+.0f} %'


def _digits(value: float) -> str:
    """Write three significant digits, and never an exponent."""
    if not math.isfinite(value):
        return NOT_MEASURED
    if abs(value) >= 100:
        return f'{value:.0f}'
    return f'{value:.1f}' if abs(value) >= 10 else f'{value:.2f}'


def _spell(key: Key) -> str:
    return ' / '.join(f'{number:g}' for number in key.setting)


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]

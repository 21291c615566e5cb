"""Several networks in one table: what each part, and each loss, is good for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from aslprep_nn.errors import Problem, UsageError
from aslprep_nn.estimation.benchmark.scenarios import Row, Table
from aslprep_nn.evaluation.amplitude import FACTORS, Sensitivity, amplitude_sensitivity
from aslprep_nn.evaluation.conditions import Condition
from aslprep_nn.evaluation.estimators import DIALS, Family
from aslprep_nn.evaluation.experiments import run_condition
from aslprep_nn.evaluation.phantoms import Phantoms, draw_brains
from aslprep_nn.evaluation.scores import Parameter, Region, Results
from aslprep_nn.evaluation.suite import TYPICAL_SNR, Effort, Progress
from aslprep_nn.evaluation.tables import UNITS
from aslprep_nn.network.model import AmplitudeAwareNetwork
from aslprep_nn.network.weights import TENSORS, LoadedNetwork, load_weights

#: Phantoms whose signal is scaled.
N_SCALED = 2


def load_all(folder: Path) -> list[LoadedNetwork]:
    """Load every file of weights in a folder, by name.

    Raises
    ------
    UsageError
        If there are none.
    WeightsError
        If one of them cannot be used.
    """
    paths = sorted(folder.glob(f'*{TENSORS}'))
    if not paths:
        problem = Problem(str(folder), '', 'without weights', f'some *{TENSORS}', 'Give another.')
        raise UsageError(problem)
    return [load_weights(path) for path in paths]


def ablation_tables(
    networks: Sequence[LoadedNetwork], effort: Effort, seed: int, progress: Progress
) -> tuple[Table, Table]:
    """Compare networks: their errors, and whether they see the amplitude.

    Parameters
    ----------
    networks
        With their cards.
    effort, seed
        How much is simulated, and its seed.
    progress
        Told about each network.

    Returns
    -------
    Errors of both ends of the dial, and the test of amplitude.
    """
    phantoms = draw_brains(effort.n_correlated, seed)
    errors: list[Row] = []
    amplitudes: list[Row] = []
    for network, card in networks:
        progress(card.name)
        about = {'network': card.name, 'amplitude': str(card.settings.amplitude_path)}
        about |= {'surroundings': str(card.settings.surroundings), 'loss': card.loss}
        results = run_condition(phantoms, Condition(TYPICAL_SNR), network, seed)
        errors += [{**about, **row} for row in _errors(results)]
        found = _sensitivity(network, phantoms, seed)
        amplitudes.append({'network': card.name, **sensitivity_row(found)})
    question = f'Errors in the brain at SNR {TYPICAL_SNR:g}, physics known.'
    return (
        Table('ablations', question, tuple(errors)),
        Table('amplitude', AMPLITUDE_QUESTION, tuple(amplitudes)),
    )


AMPLITUDE_QUESTION = (
    'Signal and noise are multiplied, M0 is not: by how much the mean amplitude (CBF but for its '
    'known nonlinearity) is multiplied, the slope of their logarithms, and the largest change of '
    'ATT; and the largest change of either where M0 is multiplied, too.'
)


def _sensitivity(network: AmplitudeAwareNetwork, phantoms: Phantoms, seed: int) -> Sensitivity:
    few = phantoms.at(slice(N_SCALED))
    return amplitude_sensitivity(network, few, TYPICAL_SNR, DIALS[Family.LEAST_ERROR], seed)


def sensitivity_row(found: Sensitivity) -> Row:
    """Spell out how estimates follow the amplitude."""
    ratios = zip(FACTORS, found.ratios, strict=True)
    return {
        **{f'× {factor:g}': f'{ratio:.3g}' for factor, ratio in ratios},
        'slope': f'{found.slope:.3f}',
        'ATT [ms]': f'{1000 * found.att_change:.2g}',
        'both': f'{found.common_change:.1e}',
    }


def _errors(results: Results) -> Iterator[Row]:
    """Give RMSE, bias and bias per bound at both ends of the dial."""
    for family, dial in DIALS.items():
        row: Row = {'dial': f'{dial:g}'}
        for parameter in Parameter:
            factor, unit = UNITS[parameter]
            score = results.score(family, parameter, Region.BRAIN)
            name = parameter.name
            row[f'RMSE {name} [{unit}]'] = f'{factor * score.rmse:.3g}'
            row[f'bias {name} [{unit}]'] = f'{factor * score.bias:.2g}'
            row[f'|bias| / √CRB {name}'] = f'{score.bias_per_bound:.2f}'
            row[f'loss {name}'] = f'{score.loss:.2f}'
        yield row

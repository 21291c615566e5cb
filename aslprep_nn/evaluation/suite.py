"""Every experiment of the evaluation, in full or quickly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

from aslprep_nn.evaluation.attainable import least_loss
from aslprep_nn.evaluation.conditions import (
    CORRELATED,
    MAIN_PROTOCOL,
    Condition,
    Constant,
    Wrong,
)
from aslprep_nn.evaluation.estimators import Key
from aslprep_nn.evaluation.experiments import (
    LesionResults,
    run_condition,
    run_lesions,
    template_correlation,
)
from aslprep_nn.evaluation.gallery import Gallery, make_gallery
from aslprep_nn.evaluation.phantoms import (
    Phantoms,
    draw_brains,
    uniform,
    voxelwise,
    with_fine_structure,
    with_lesions,
)
from aslprep_nn.evaluation.scores import Parameter, Results
from aslprep_nn.network.model import AmplitudeAwareNetwork
from aslprep_nn.simulation.held_out import HELD_OUT_PROTOCOLS
from aslprep_nn.simulation.kinds import LesionKind

#: Told about each experiment as it begins.
Progress = Callable[[str], None]

#: SNR of the experiments that are made at one, and of phantoms whose neighbours tell nothing.
TYPICAL_SNR, VOXELWISE_SNR = 5.0, 10.0
FOCI = (LesionKind.BRIGHT_FOCUS, LesionKind.DARK_FOCUS)
LATE_FOCI, TUMOURS = (LesionKind.LATE_FOCUS,), (LesionKind.RIM_TUMOR,)
#: At most so many foci, and tumours, in a phantom.
N_FOCI, N_TUMOURS = 24, 2


@dataclass(frozen=True)
class Effort:
    """How much is simulated.

    Parameters
    ----------
    snr
        Where physics is known and noise independent.
    central_snr
        Of correlated noise and of lesions.
    n_known, n_correlated, n_wrong, n_protocol, n_lesions
        Phantoms of each condition; those with fine structure are as many as with correlated noise.
    factors
        True over assumed constant, one at a time.
    total_variation
        Whether data are denoised by total variation where physics is known.
    """

    snr: tuple[float, ...]
    central_snr: tuple[float, ...]
    n_known: int
    n_correlated: int
    n_wrong: int
    n_protocol: int
    n_lesions: int
    factors: tuple[float, ...]
    total_variation: bool


FULL = Effort(
    snr=(2.0, 3.0, 5.0, 10.0, 25.0),
    central_snr=(3.0, 5.0, 10.0),
    n_known=48,
    n_correlated=24,
    n_wrong=8,
    n_protocol=8,
    n_lesions=16,
    factors=(0.8, 0.9, 1.1, 1.2),
    total_variation=True,
)
QUICK = Effort(
    snr=(2.0, 3.0, 5.0, 10.0),
    central_snr=(3.0, 5.0, 10.0),
    n_known=4,
    n_correlated=2,
    n_wrong=1,
    n_protocol=1,
    n_lesions=2,
    factors=(0.9, 1.1),
    total_variation=False,
)


@dataclass(frozen=True)
class Evaluation:
    """Everything that was found in simulation.

    Parameters
    ----------
    known
        Physics known and noise independent, by SNR.
    correlated
        Physics known and noise shared by neighbours, by SNR.
    fine
        Physics known, flow and arrival changing from voxel to voxel, by SNR.
    wrong
        One constant wrong at a time.
    protocols, voxelwise
        Every held-out protocol, on brains and on phantoms whose neighbours tell nothing.
    least_losses
        Loss over the bound that no estimator can go below, for each of ``voxelwise``.
    foci, late_foci, tumours
        Lesions by SNR.
    correlation
        Of maps of uniform phantoms with the grey matter that is not in them; see
        `template_correlation`.
    gallery
        Maps of one brain.
    """

    known: tuple[Results, ...]
    correlated: tuple[Results, ...]
    fine: tuple[Results, ...]
    wrong: tuple[Results, ...]
    protocols: tuple[Results, ...]
    voxelwise: tuple[Results, ...]
    least_losses: tuple[Mapping[Parameter, float], ...]
    foci: tuple[LesionResults, ...]
    late_foci: tuple[LesionResults, ...]
    tumours: tuple[LesionResults, ...]
    correlation: Mapping[Key, Tensor]
    gallery: Gallery

    @property
    def typical(self) -> Results:
        """Physics known at the typical SNR."""
        return at_snr(self.known, TYPICAL_SNR)

    @property
    def scattered(self) -> Results:
        """Phantoms whose neighbours tell nothing, under the protocol of the other conditions."""
        return next(one for one in self.voxelwise if one.condition.protocol == MAIN_PROTOCOL)


def at_snr(results: tuple[Results, ...], snr: float) -> Results:
    """Find the condition of an SNR."""
    return next(one for one in results if one.condition.snr == snr)


def evaluate(
    network: AmplitudeAwareNetwork | None, effort: Effort, seed: int, progress: Progress
) -> Evaluation:
    """Compare every estimator with the truth; the same seed gives the same numbers."""
    brains = draw_brains(effort.n_known, seed)
    bench = _Bench(network, effort, seed, progress)
    known = tuple(bench.known(brains, snr) for snr in effort.snr)
    central = [Condition(snr, correlation=CORRELATED) for snr in effort.central_snr]
    wrong = [
        Condition(TYPICAL_SNR, wrong=Wrong(constant, factor))
        for constant in Constant
        for factor in effort.factors
    ]
    few = brains.at(slice(effort.n_protocol))
    grainy = with_fine_structure(brains.at(slice(effort.n_correlated)), seed + 2)
    scattered = voxelwise(few, seed + 1)
    random = [Condition(VOXELWISE_SNR, name) for name in HELD_OUT_PROTOCOLS]
    foci, late_foci, tumours = (
        bench.lesions(brains.at(slice(effort.n_lesions)), kinds, n)
        for kinds, n in ((FOCI, N_FOCI), (LATE_FOCI, N_FOCI), (TUMOURS, N_TUMOURS))
    )
    progress('uniform phantoms')
    flat = uniform(few)
    return Evaluation(
        known=known,
        fine=tuple(bench.run(grainy, Condition(snr)) for snr in effort.central_snr),
        correlated=tuple(bench.run(brains.at(slice(effort.n_correlated)), c) for c in central),
        wrong=tuple(bench.run(brains.at(slice(effort.n_wrong)), c) for c in wrong),
        protocols=tuple(
            bench.run(few, Condition(TYPICAL_SNR, name)) for name in HELD_OUT_PROTOCOLS
        ),
        voxelwise=tuple(bench.run(scattered, condition) for condition in random),
        least_losses=tuple(bench.least_loss(scattered, condition) for condition in random),
        foci=foci,
        late_foci=late_foci,
        tumours=tumours,
        correlation=template_correlation(flat, Condition(TYPICAL_SNR), network, seed),
        gallery=make_gallery(
            with_lesions(brains.at(slice(1)), (*FOCI, *TUMOURS), 6, seed),
            Condition(TYPICAL_SNR),
            network,
            at_snr(known, TYPICAL_SNR),
            seed,
        ),
    )


@dataclass(frozen=True)
class _Bench:
    """What all experiments share."""

    network: AmplitudeAwareNetwork | None
    effort: Effort
    seed: int
    progress: Progress

    def known(self, phantoms: Phantoms, snr: float) -> Results:
        self.progress(f'physics known, SNR {snr:g}')
        return run_condition(
            phantoms,
            Condition(snr),
            self.network,
            self.seed,
            total_variation=self.effort.total_variation,
        )

    def run(self, phantoms: Phantoms, condition: Condition) -> Results:
        self.progress(str(condition))
        return run_condition(phantoms, condition, self.network, self.seed)

    def least_loss(self, phantoms: Phantoms, condition: Condition) -> Mapping[Parameter, float]:
        self.progress(f'{condition}: the least loss possible')
        return least_loss(phantoms, condition, self.seed)

    def lesions(
        self, healthy: Phantoms, kinds: tuple[LesionKind, ...], n_lesions: int
    ) -> tuple[LesionResults, ...]:
        diseased = with_lesions(healthy, kinds, n_lesions, self.seed)
        found = []
        for snr in self.effort.central_snr:
            self.progress(f'{", ".join(kinds)}, SNR {snr:g}')
            found.append(run_lesions(healthy, diseased, Condition(snr), self.network, self.seed))
        return tuple(found)

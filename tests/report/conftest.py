"""A small simulated run: what estimation would hand to the report, made from known truth."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.calibration.slice_timing import slice_delay
from aslprep_nn.estimation.least_squares import fit_cbf_att
from aslprep_nn.maps import FitStatus, ParameterMap
from aslprep_nn.misspecification.assessment import assess
from aslprep_nn.misspecification.limits import typical_count
from aslprep_nn.misspecification.summary import (
    Convergence,
    FixedT1Test,
    RegionTests,
    TrustSummary,
)
from aslprep_nn.report.results import PlanRow, RunResults, Trust
from aslprep_nn.run import Estimation, Weights
from aslprep_nn.settings import Estimator
from aslprep_nn.signal.kinetics import pcasl_delta_m
from aslprep_nn.signal.protocol import Protocol

DELAYS = (0.25, 0.5, 1.0, 1.5, 2.0, 2.5)


def anatomy(shape):
    """Return mask, grey-matter share and ATT of a folded ellipsoid."""
    x, y, z = np.meshgrid(*(np.linspace(-1.1, 1.1, n) if n > 1 else [0.0] for n in shape),
                          indexing='ij')  # fmt: skip
    radius = np.sqrt(x**2 + y**2 + (0.9 * z) ** 2)
    folds = 0.06 * np.sin(14 * np.arctan2(y, x)) * np.sin(5 * z + 9 * radius)
    mask = radius < 1
    cortex = 1 / (1 + np.exp(-(radius + folds - 0.8) / 0.04))
    deep = np.exp(-(((abs(x) - 0.22) / 0.12) ** 2 + (y / 0.2) ** 2 + (z / 0.3) ** 2))
    ventricle = np.exp(-(((abs(x) - 0.12) / 0.09) ** 2 + ((y - 0.1) / 0.3) ** 2 + (z / 0.35) ** 2))
    grey = np.clip(cortex + deep - ventricle, 0, 1)
    att = 0.7 + 0.5 * np.clip(-y, 0, 1) + 0.3 * (1 - grey) + 0.2 * np.clip(z, 0, 1)
    return mask, grey, ventricle, att


def motion(n_volumes, rng):
    walk = np.cumsum(rng.normal(0, [0.04] * 3 + [0.0006] * 3, (n_volumes, 6)), axis=0)
    names = ['trans_x', 'trans_y', 'trans_z', 'rot_x', 'rot_y', 'rot_z']
    table = pd.DataFrame(walk, columns=names)
    steps = np.abs(np.diff(walk, axis=0)) @ [1, 1, 1, 50, 50, 50]
    table['framewise_displacement'] = np.concatenate([[np.nan, np.nan], steps[1:]])
    table.insert(0, 'volume_type', ['control', 'label'] * (n_volumes // 2))
    return table


def simulate(
    name='sub-01',
    *,
    shape=(44, 52, 18),
    delays=DELAYS,
    repetitions=6,
    slice_seconds=0.03,
    has_m0=True,
    scale=1.0,
    affine=None,
    exact=False,
    seed=0,
):
    """Make one run.

    ``scale`` multiplies delta M and CBF: 0 leaves nothing but zeros. An ``exact`` run has no
    noise, and its maps are the truth.
    """
    rng = np.random.default_rng(seed)
    mask, grey, ventricle, att = anatomy(shape)
    true_cbf = mask * (65 * grey + 22 * (1 - grey)) * (1 - ventricle) + 1e-3
    acquisition = Acquisition(
        labeling=LabelingType.PCASL,
        pld=tuple(np.repeat(delays, repetitions).tolist()),
        labeling_duration=(1.4,) * len(delays) * repetitions,
        labeling_efficiency=0.85,
        slice_times=tuple((slice_seconds * np.arange(shape[2])).tolist()) if slice_seconds else (),
    )
    protocol = Protocol.of(
        acquisition,
        slice_delay=torch.as_tensor(
            np.broadcast_to(slice_seconds * np.arange(shape[2]), shape).copy()
        ),
    )
    clean = pcasl_delta_m(torch.as_tensor(true_cbf), torch.as_tensor(att), protocol).numpy()
    spread = 0.0 if exact else 1.0
    noise = spread * 0.0012 * rng.standard_normal(clean.shape)
    std_cbf = np.where(mask, 6 + 3 * rng.random(shape), np.nan)
    cbf = np.where(mask, true_cbf + spread * std_cbf * rng.standard_normal(shape), np.nan).clip(0)
    status = np.where(mask, FitStatus.CONVERGED, FitStatus.OUTSIDE)
    status[mask & (rng.random(shape) < 0.04)] = FitStatus.ON_KINK
    status[mask & (ventricle > 0.6)] = FitStatus.ATT_NOT_IDENTIFIABLE
    failed = mask & (ventricle > 0.75)
    status[failed] = FitStatus.FAILED
    per_unit = 1.0 if has_m0 else float(np.nanmedian(cbf))
    maps = {
        'cbf': ParameterMap(
            np.where(failed, np.nan, scale * cbf / per_unit),
            'mL/100 g/min' if has_m0 else '1',
            'Cerebral blood flow.',
        ),
    }
    if len(delays) > 1:
        told = mask & ~np.isin(status, (FitStatus.FAILED, FitStatus.ATT_NOT_IDENTIFIABLE))
        noisy_att = np.where(told, att + spread * 0.05 * rng.standard_normal(shape), np.nan)
        maps['att'] = ParameterMap(noisy_att, 's', 'Arterial transit time.')
        maps['std_cbf'] = ParameterMap(std_cbf / per_unit, maps['cbf'].unit, 'sd')
        maps['std_att'] = ParameterMap(np.where(told, 0.05, np.nan), 's', 'sd')
    reference = mask * (0.8 - 0.25 * grey + 0.4 * ventricle) + 0.02 * rng.random(shape)
    zooms = np.array([156, 188, 140]) / np.array(shape)
    zooms[2] = zooms[2] if shape[2] > 1 else 6.0
    if affine is None:
        affine = np.diag([*zooms, 1.0])
        affine[:3, 3] = -zooms * (np.array(shape) - 1) / 2
    return RunResults(
        name=name,
        plan=(
            PlanRow('Label type', 'PCASL', 'sidecar'),
            PlanRow('Delays', ', '.join(f'{d:g}' for d in delays) + ' s', 'sidecar'),
            PlanRow('Background suppression', 'yes, 2 pulses', 'BackgroundSuppression'),
            *(
                (
                    PlanRow('M0', 'separate m0scan', 'M0Type'),
                    PlanRow('M0 repetition time', '4.8 s', 'RepetitionTimePreparation'),
                )
                if has_m0
                else (PlanRow('M0', 'none: CBF is relative', 'M0Type'),)
            ),
            PlanRow('Labelling efficiency', '0.85', 'default for PCASL, Alsop et al. 2015'),
        ),
        acquisition=acquisition,
        affine=affine,
        reference=reference,
        mask=mask,
        relative_delta_m=np.where(mask[..., None], scale * (clean + noise), np.nan).astype('f4'),
        maps=maps,
        status=status,
        confounds=motion(2 * acquisition.n_measurements, rng),
        has_m0=has_m0,
        model_cbf_per_unit=per_unit,
        m0=1000 * reference if has_m0 else None,
        notes=() if has_m0 else ('There is no M0, so CBF is relative: 1 is the median.',),
        provenance={'Version': '0.1.0', 'Seed': '0', 'Device': 'cpu'},
    )


def add_trust(results, rate=0.05):
    """Make every test of a run and add what they found."""
    mask = results.mask
    signal = torch.as_tensor(results.relative_delta_m[mask])
    delay = torch.as_tensor(slice_delay(results.acquisition, mask.shape)[mask].copy())
    fit = fit_cbf_att(signal, results.acquisition, slice_delay=delay)
    found = assess(signal, results.acquisition, fit, slice_delay=delay, false_discovery_rate=rate)

    def image(values):
        volume = np.full(mask.shape, np.nan)
        volume[mask] = values.numpy()
        return volume

    maps = {name: image(values) for name, values in found.statistics.items()}
    tested = np.isfinite(maps['pnoise']) | np.isfinite(maps['pmodel'])
    classes = np.where(tested, image(found.classes.double()), np.nan)
    count = typical_count(found.n_repetitions)
    return replace(results, trust=Trust(maps, classes, TrustSummary(rate, found.limits, (), count)))


def add_network(results, *, factor=1.1, later=0.05, primary=Estimator.LEAST_SQUARES):
    """Add a network that sees more flow, later, is twice as sure, and blind in one slice."""
    changed = {
        'cbf': factor * results.maps['cbf'].values,
        'att': results.maps['att'].values + later,
        'std_cbf': results.maps['std_cbf'].values / 2,
        'std_att': results.maps['std_att'].values / 2,
    }
    changed['att'][..., 2] = np.nan
    other = {name: replace(results.maps[name], values=v) for name, v in changed.items()}
    both = (Estimator.LEAST_SQUARES, Estimator.NETWORK)
    mine, others = (results.maps, {both[1]: other})
    if primary is Estimator.NETWORK:
        both, mine, others = both[::-1], other, {both[0]: results.maps}
    weights = Weights(Path('tiny.safetensors'), 'tiny', '0123456789abcdef' * 4, 1.0)
    return replace(
        results, maps=mine, others=others, estimation=Estimation(both, both[0], weights=weights)
    )


def region(name, **p):
    return RegionTests(
        region=name,
        n_voxels=1200,
        n_tested=1000,
        rejected={test: 2 * value for test, value in p.items()},
        claimed={'CONSISTENT': 0.9, 'NOISE': 0.06, 'MODEL': 0.04},
        p=p,
    )


def settling(n_repetitions=(2, 4, 6)):
    series = {
        name: tuple(10.0 / n for n in n_repetitions)
        for name in Convergence.__dataclass_fields__
        if name not in ('n_voxels', 'n_draws', 'n_repetitions')
    }
    kappa = (np.inf, *(2.0 + 10.0 / n for n in n_repetitions[1:]))
    return Convergence(
        n_voxels=500, n_draws=20, n_repetitions=n_repetitions,
        **{**series, 'kappa': kappa, 'kappa_null_high': kappa},
    )  # fmt: skip


FIXED_T1 = FixedT1Test(
    region='brightest 10 %', n_voxels=700, t1_before=1.2, t1_after=1.44, p=0.0004,
    misfit_before=0.31, misfit_after=0.06, decay_before=0.52, decay_after=0.05,
    cbf_before=71.0, cbf_after=64.5,
    kappa_before=3.16, kappa_after=3.15,
)  # fmt: skip


@pytest.fixture(scope='session')
def simulate_run():
    return simulate


@pytest.fixture(scope='session')
def run(simulate_run):
    return simulate_run()


@pytest.fixture(scope='session')
def single_delay_run(simulate_run):
    return simulate_run('sub-02', delays=(1.8,), repetitions=30)


@pytest.fixture(scope='session')
def relative_run(simulate_run):
    return simulate_run('sub-03', has_m0=False)


@pytest.fixture(scope='session')
def network_in():
    return add_network


@pytest.fixture(scope='session')
def doubled_run(simulate_run):
    """A small run that two estimators served."""
    return add_network(simulate_run(shape=(20, 24, 6)))


@pytest.fixture(scope='session')
def trust_in():
    return add_trust


@pytest.fixture(scope='session')
def tested_run(simulate_run):
    """A run with its tests."""
    return add_trust(simulate_run(shape=(30, 36, 12)))


@pytest.fixture(scope='session')
def full_run(simulate_run):
    """A small run with everything a summary of its tests can hold."""
    small = add_trust(simulate_run(shape=(20, 24, 6), repetitions=8))
    regions = (
        region('brain', pnoise=0.4, pmodel=0.2),
        region('grey-matter-like', pnoise=0.04, pmodel=np.nan, pdecay=0.3),
    )
    limits = ('Early and late delays are compared for a single acquisition only.',)
    summary = TrustSummary(0.05, limits, regions, 8, settling(), FIXED_T1)
    return replace(small, trust=replace(small.trust, summary=summary))


@pytest.fixture(scope='session')
def with_classes():
    """Take a run whose tests gave these classes, ``(x, y, z)``."""

    def change(results, classes, **maps):
        trust = replace(results.trust, classes=classes, maps={**results.trust.maps, **maps})
        return replace(results, trust=trust)

    return change

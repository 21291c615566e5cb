"""A small simulated run: what estimation would hand to the report, made from known truth."""

import numpy as np
import pandas as pd
import pytest
import torch

from aslprep_nn.acquisition import Acquisition, LabelingType
from aslprep_nn.maps import FitStatus, ParameterMap
from aslprep_nn.report.results import PlanRow, RunResults
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

"""The steps of calibration turn scanner units into fractions of M0, by every route."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from aslprep_nn.acquisition import Acquisition, LabelingType, VolumeType
from aslprep_nn.calibration.evidence import M0Evidence
from aslprep_nn.calibration.m0 import NOMINAL_RELATIVE_SIGNAL
from aslprep_nn.pipeline import calibrate as step
from aslprep_nn.run import M0Plan, M0Route, Rival
from aslprep_nn.settings import M0Options

C, L, M, D = VolumeType.CONTROL, VolumeType.LABEL, VolumeType.M0SCAN, VolumeType.DELTAM
AFFINE = np.diag([4.0, 4.0, 5.0, 1.0])
GRID = (6, 6, 4)
TRUE_M0 = 2000.0
DELTA_M = 10.0
T1 = 1.2
ACQUISITION = Acquisition(LabelingType.PCASL, (1.8,), (1.8,), 0.85, t1_tissue=T1)


def save(path: Path, data: np.ndarray) -> Path:
    nib.save(nib.Nifti1Image(np.asarray(data, dtype=np.float32), AFFINE), path)
    return path


def load(path: Path) -> np.ndarray:
    return nib.load(path).get_fdata()


def notes(done: step.Calibrated) -> tuple[str, ...]:
    return M0Evidence.from_json(done.m0_evidence.read_text(encoding='utf-8')).notes


def calibrate(folder: Path, plan: M0Plan, types: tuple, volumes: list, **more: object):
    series = save(folder / 'series.nii.gz', np.stack(volumes, axis=-1))
    return step.calibrate_m0(
        delta_m=save(folder / 'dm.nii.gz', np.full((*GRID, 1), DELTA_M)),
        series=series,
        mask=save(folder / 'mask.nii.gz', np.ones(GRID)),
        volume_types=types,
        m0_plan=plan,
        acquisition=ACQUISITION,
        **{'options': M0Options(), 'folder': folder} | more,
    )


def seen_after(seconds: float) -> np.ndarray:
    return np.full(GRID, TRUE_M0 * (1 - np.exp(-seconds / T1)))


def test_an_included_m0_gives_the_true_fraction_at_any_repetition_time(tmp_path):
    for seconds in (1.0, 4.0, 10.0):
        plan = M0Plan(M0Route.INCLUDED, repetition_times=(seconds,))
        done = calibrate(tmp_path, plan, (M, C, L), [seen_after(seconds), *np.zeros((2, *GRID))])
        np.testing.assert_allclose(load(done.relative_delta_m), DELTA_M / TRUE_M0, rtol=1e-5)


def test_unsuppressed_controls_stand_in_for_m0(tmp_path):
    plan = M0Plan(M0Route.CONTROL, repetition_times=(4.0,))
    done = calibrate(tmp_path, plan, (C, L), [seen_after(4.0), np.zeros(GRID)])
    np.testing.assert_allclose(load(done.m0[0]), TRUE_M0, rtol=1e-5)


def test_a_separate_m0_is_used_and_scaled(tmp_path):
    plan = M0Plan(M0Route.SEPARATE, path=tmp_path / 'm0.nii.gz', repetition_times=(6.0,))
    m0scan = save(tmp_path / 'm0.nii.gz', seen_after(6.0)[..., None] / 10)
    done = calibrate(
        tmp_path, plan, (C, L), [*np.ones((2, *GRID))], m0scan=m0scan, options=M0Options(scale=10.0)
    )
    np.testing.assert_allclose(load(done.relative_delta_m), DELTA_M / TRUE_M0, rtol=1e-5)


def test_an_m0_estimate_is_of_blood_and_the_signal_relative_to_tissue(tmp_path):
    plan = M0Plan(M0Route.ESTIMATE, estimate=TRUE_M0 / ACQUISITION.partition_coefficient)
    done = calibrate(tmp_path, plan, (C, L), [*np.ones((2, *GRID))])
    np.testing.assert_allclose(load(done.relative_delta_m), DELTA_M / TRUE_M0, rtol=1e-5)


def test_without_m0_the_signal_is_nominal_and_there_is_no_m0_image(tmp_path):
    done = calibrate(tmp_path, M0Plan(M0Route.NONE), (D,), [np.full(GRID, DELTA_M)])
    assert done.m0 == ()
    np.testing.assert_allclose(load(done.relative_delta_m), NOMINAL_RELATIVE_SIGNAL, rtol=1e-5)


def test_a_separate_m0_is_brought_onto_the_grid_of_the_series(tmp_path):
    series = save(tmp_path / 's.nii.gz', np.ones((*GRID, 2)))
    fine = nib.Nifti1Image(np.full((12, 12, 8), 7.0), AFFINE @ np.diag([0.5, 0.5, 0.5, 1]))
    nib.save(fine, tmp_path / 'm0.nii.gz')
    done = step.regrid_m0scan(m0scan=tmp_path / 'm0.nii.gz', series=series, seed=1, folder=tmp_path)
    assert load(done.m0scan).shape == (*GRID, 1)
    np.testing.assert_allclose(load(done.m0scan), 7.0, rtol=1e-5)


def test_an_m0_of_a_later_echo_is_brought_to_the_echo_of_the_series(tmp_path):
    plan = M0Plan(
        M0Route.SEPARATE, tmp_path / 'm0.nii.gz', (6.0,), echo_correction=np.exp(0.01 / 0.066)
    )
    late = seen_after(6.0)[..., None] * np.exp(-0.01 / 0.066)
    done = calibrate(tmp_path, plan, (C, L), [*np.ones((2, *GRID))], m0scan=save(plan.path, late))
    np.testing.assert_allclose(load(done.m0[0]), TRUE_M0, rtol=1e-5)


def test_an_m0_that_was_not_taken_is_compared_with_the_one_that_was(tmp_path):
    taken = save(tmp_path / 'a_m0scan.nii.gz', seen_after(6.0)[..., None])
    other = save(tmp_path / 'b_m0scan.nii.gz', seen_after(2.0)[..., None] * 1.25)
    plan = M0Plan(M0Route.SEPARATE, taken, (6.0,), rivals=(Rival(other, (2.0,)),))
    done = calibrate(tmp_path, plan, (C, L), [*np.ones((2, *GRID))], m0scan=taken)
    assert notes(done) == (
        'b_m0scan.nii.gz gives an M0 1.25 times that of a_m0scan.nii.gz: with it CBF would be 20% '
        'lower.',
    )


def test_an_m0_that_was_not_taken_is_corrected_as_the_one_that_was(tmp_path):
    taken, other = (
        save(tmp_path / f'{name}_m0scan.nii.gz', seen_after(6.0)[..., None]) for name in 'ab'
    )
    rivals = (Rival(other, (6.0,), correction=1.4 * 2),)
    plan = M0Plan(
        M0Route.SEPARATE, taken, (6.0,), rivals=rivals, echo_correction=1.4, scale_correction=2.0
    )
    done = calibrate(tmp_path, plan, (C, L), [*np.ones((2, *GRID))], m0scan=taken)
    assert notes(done) == ('b_m0scan.nii.gz gives the same M0 as a_m0scan.nii.gz within 0%.',)


def test_controls_are_compared_with_an_m0_that_was_not_made_of_them(tmp_path):
    volumes = [seen_after(5.0), np.full(GRID, 0.3 * TRUE_M0), np.zeros(GRID)]
    plan = M0Plan(M0Route.INCLUDED, repetition_times=(5.0,))
    done = calibrate(tmp_path, plan, (M, C, L), volumes)
    found = M0Evidence.from_json(done.m0_evidence.read_text(encoding='utf-8'))
    assert found.control_over_m0 == pytest.approx(0.3, rel=1e-5)


def test_m0_volumes_that_disagree_are_named(tmp_path):
    volumes = [seen_after(5.0), 0.2 * seen_after(5.0), np.zeros(GRID), np.zeros(GRID)]
    plan = M0Plan(M0Route.INCLUDED, repetition_times=(5.0, 5.0))
    done = calibrate(tmp_path, plan, (M, M, C, L), volumes)
    assert any('2 M0 volumes differ by 400%' in note for note in notes(done))


def test_brain_without_m0_takes_that_of_its_neighbours_and_says_so(tmp_path):
    m0 = seen_after(6.0)
    m0[..., 3] = np.nan
    plan = M0Plan(M0Route.SEPARATE, tmp_path / 'm0.nii.gz', (6.0,))
    m0scan = save(plan.path, m0[..., None])
    done = calibrate(tmp_path, plan, (C, L), [*np.ones((2, *GRID))], m0scan=m0scan)
    np.testing.assert_allclose(load(done.relative_delta_m), DELTA_M / TRUE_M0, rtol=1e-5)
    assert any('not measured in 36 voxels of the brain (25.0%)' in note for note in notes(done))


def test_volumes_of_a_separate_m0_are_aligned_before_they_are_averaged(tmp_path):
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in (30, 32, 24)), indexing='ij')
    radius = np.sqrt((x / 0.8) ** 2 + (y / 0.7) ** 2 + (z / 0.75) ** 2)
    head = 800.0 / (1 + np.exp((radius - 1) / 0.05)) * (1.2 + 0.4 * np.sin(5 * x) * np.cos(4 * y))
    moved = np.roll(head, 2, axis=0)
    pair = np.stack([head, moved], axis=-1).astype(np.float32)
    nib.save(nib.Nifti1Image(pair, affine), tmp_path / 'm0.nii.gz')
    nib.save(nib.Nifti1Image(pair, affine), tmp_path / 's.nii.gz')
    done = step.regrid_m0scan(
        m0scan=tmp_path / 'm0.nii.gz', series=tmp_path / 's.nii.gz', seed=1, folder=tmp_path
    )
    first, second = np.moveaxis(load(done.m0scan), -1, 0)
    brain = (radius < 0.8) & np.isfinite(second)
    assert abs(moved - head)[brain].mean() > 40
    assert abs(second - first)[brain].mean() < 8

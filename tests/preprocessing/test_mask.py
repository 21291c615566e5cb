"""The mask holds the brain and little else."""

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from aslprep_nn.benchmark.scenes import Readout, Scene, Suppression, film
from aslprep_nn.errors import ImageError
from aslprep_nn.preprocessing.mask import brain_mask, difference_mask, mask_doubts
from aslprep_nn.preprocessing.reference import mean_control
from aslprep_nn.preprocessing.resample import resample_volume
from aslprep_nn.simulation.motion import MotionLevel

DEMO = Path(__file__).parents[2] / 'data' / 'demo'
AFFINE = np.diag([4.0, 4.0, 5.0, 1.0])


@pytest.fixture
def head() -> tuple[np.ndarray, np.ndarray]:
    """Return an image of brain, scalp and air, and where its brain is."""
    rng = np.random.default_rng(0)
    x, y, z = np.meshgrid(*(np.linspace(-1, 1, n) for n in (48, 48, 24)), indexing='ij')
    radius = np.sqrt((x / 0.75) ** 2 + (y / 0.85) ** 2 + (z / 0.9) ** 2)
    brain = radius < 0.8
    scalp = (radius > 0.95) & (radius < 1.02)
    image = 5 + 100 * brain + 60 * scalp + rng.normal(0, 3, brain.shape)
    return image, brain


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * (one & other).sum() / (one.sum() + other.sum())


def test_the_mask_of_an_epi_image_is_its_brain(head):
    image, brain = head
    assert dice(brain_mask(image, AFFINE), brain) > 0.94


def test_the_mask_of_differences_is_where_they_fluctuate(head):
    _, brain = head
    noise = np.random.default_rng(1).normal(0, 1, (*brain.shape, 12))
    assert dice(difference_mask(noise * np.where(brain, 5, 1)[..., None], AFFINE), brain) > 0.9


@pytest.mark.parametrize('csf', [0, 200])
@pytest.mark.parametrize('scalp', [-60, 60])
def test_neither_bright_fluid_nor_bright_scalp_is_taken_for_the_brain(head, csf, scalp):
    image, brain = head
    inner = np.zeros(brain.shape, dtype=bool)
    inner[20:28, 18:30, 10:14] = True
    on_scalp = (image > 40) & (image < 90)
    changed = image + csf * inner + scalp * on_scalp
    assert dice(brain_mask(changed, AFFINE), brain) > 0.94


@pytest.mark.parametrize(('m0', 'series'), [
    ('sub-01/perf/sub-01_m0scan.nii.gz', 'sub-01/perf/sub-01_asl.nii.gz'),
    ('sub-02/perf/sub-02_asl.nii.gz', 'sub-02/perf/sub-02_asl.nii.gz'),
])  # fmt: skip
def test_the_brain_of_a_simulated_head_with_scalp_is_found(m0, series):
    subject = m0[:6]
    truth = DEMO / f'derivatives/truth/{subject}/perf/{subject}_desc-brain_mask.nii.gz'
    brain = read(truth)[0] > 0
    image, affine = read(DEMO / m0)
    controls = read(DEMO / series)[0][..., 1::2].mean(
        axis=-1
    )  # in both, every second from the second
    assert dice(brain_mask(image if image.ndim == 3 else image[..., 0], affine), brain) > 0.94
    assert dice(brain_mask(controls, affine), brain) > 0.94


@pytest.mark.parametrize('readout', list(Readout))
def test_the_brain_is_found_in_what_suppression_leaves(readout):
    taken = film(Scene(readout, Suppression.STRONG, MotionLevel.NONE, n_pairs=1), seed=0)
    control = mean_control(taken.series, taken.volume_types)
    assert dice(brain_mask(control, taken.affine), taken.brain) > 0.94


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    image = nib.load(path)
    return np.asarray(image.dataobj, dtype=np.float32), image.affine


@pytest.fixture(scope='module')
def demo_m0() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the M0 volume of a subject with bright scalp, its affine and its mask."""
    series, affine = read(DEMO / 'sub-02/perf/sub-02_asl.nii.gz')
    return series[..., 0], affine, brain_mask(series[..., 0], affine)


@pytest.mark.parametrize('change', [
    lambda m0, _: m0 / 32,
    lambda m0, _: m0 * 1000,
    lambda m0, _: m0 * np.float32(1 + 1e-6),
    lambda m0, _: np.round(m0 / 0.37) * 0.37,
    lambda m0, _: m0 * (1 + np.random.default_rng(0).normal(0, 1e-3, m0.shape)),
    lambda m0, affine: resample_volume(m0, affine, m0.shape, affine),
], ids=['/ 32', 'x 1000', 'x 1.000001', 'rounded', '0.1 % noise', 'resampled'])  # fmt: skip
def test_the_mask_does_not_jump(
    demo_m0: tuple[np.ndarray, np.ndarray, np.ndarray],
    change: Callable[[np.ndarray, np.ndarray], np.ndarray],
):
    m0, affine, mask = demo_m0
    assert dice(brain_mask(change(m0, affine), affine), mask) > 0.99


def test_coarse_voxels_do_not_lose_the_brain(head):
    image, _ = head
    coarse = image.reshape(12, 4, 12, 4, 6, 4).mean(axis=(1, 3, 5))
    assert brain_mask(coarse, np.diag([16.0, 16.0, 20.0, 1.0])).sum() > 50


@pytest.mark.parametrize('make', [
    lambda: brain_mask(np.zeros((12, 12, 8)), AFFINE),
    lambda: difference_mask(np.zeros((12, 12, 8, 3)), AFFINE),
])  # fmt: skip
def test_an_image_of_nothing_has_no_brain_and_says_so(make):
    with pytest.raises(ImageError, match='brain mask is empty'):
        make()


def test_a_brain_raises_no_doubt(head):
    assert mask_doubts(head[1], AFFINE) == ()


def test_a_mask_that_leaves_its_slices_or_is_no_solid_is_doubted(head):
    _, brain = head
    moved = np.roll(brain, 16, axis=0)
    (doubt,) = mask_doubts(moved & (np.arange(48) < 48)[:, None, None] & ~brain, AFFINE)[:1]
    assert 'edge of its slices' in doubt
    shell = brain & ~ndimage.binary_erosion(brain, iterations=2)
    (doubt,) = mask_doubts(shell, AFFINE)
    assert 'convex hull' in doubt


def test_a_flat_mask_has_no_hull_to_compare_with():
    flat = np.zeros((12, 12, 4), dtype=bool)
    flat[3:9, 3:9, 2] = True
    assert mask_doubts(flat, AFFINE) == ()


@pytest.mark.parametrize('n_slices', [1, 4])
def test_few_slices_have_a_brain_too(head, n_slices):
    image, brain = head
    few = slice(12, 12 + n_slices)
    assert dice(brain_mask(image[..., few], AFFINE), brain[..., few]) > 0.94

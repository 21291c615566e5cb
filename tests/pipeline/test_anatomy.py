"""The step hands masks and images over as they lie, and writes down what was found."""

from pathlib import Path

import nibabel as nib
import numpy as np

from aslprep_nn.pipeline import anatomy
from aslprep_nn.quality.template import TemplateOverlap

AFFINE = np.diag([4.0, 4.0, 5.0, 1.0])
FINE = np.diag([1.0, 1.0, 1.0, 1.0])


def save(path: Path, data: np.ndarray, affine: np.ndarray) -> Path:
    nib.save(nib.Nifti1Image(data, affine), path)
    return path


def test_a_library_that_gives_up_costs_the_number_and_not_the_run(tmp_path, monkeypatch):
    def give_up(*_, **__):
        raise RuntimeError('no overlap')

    monkeypatch.setattr(anatomy, 'template_overlap', give_up)
    image = save(tmp_path / 'image.nii.gz', np.ones((4, 5, 6), dtype='u1'), AFFINE)
    done = anatomy.compare_mask(
        mask=image, fov_mask=image, reference=image, t1w=image, seed=0, folder=tmp_path
    )
    found = TemplateOverlap.from_json(done.overlap.read_text())
    assert np.isnan(found.dice)
    assert found.obstacle == 'its registration failed (no overlap)'


def test_the_step_compares_mask_and_template_through_the_first_volume_of_the_t1w(
    tmp_path, monkeypatch
):
    given = {}

    def overlap(mask, reference, t1w, **facts):
        given.update(facts, mask=mask, reference=reference, t1w=t1w)
        return TemplateOverlap(0.77)

    monkeypatch.setattr(anatomy, 'template_overlap', overlap)
    mask = np.zeros((4, 5, 6), dtype=np.uint8)
    mask[1:3, 1:3, 1:3] = 1
    echoes = np.stack([np.full((7, 8, 9), 3.0), np.full((7, 8, 9), 5.0)], axis=-1)
    done = anatomy.compare_mask(
        mask=save(tmp_path / 'mask.nii.gz', mask, AFFINE),
        fov_mask=save(tmp_path / 'fov.nii.gz', np.ones_like(mask), AFFINE),
        reference=save(tmp_path / 'reference.nii.gz', np.full(mask.shape, 2.0, 'f4'), AFFINE),
        t1w=save(tmp_path / 't1w.nii.gz', echoes.astype('f4'), FINE),
        seed=4,
        folder=tmp_path,
    )
    assert TemplateOverlap.from_json(done.overlap.read_text()).dice == 0.77
    np.testing.assert_array_equal(given['mask'], mask > 0)
    assert given['fov_mask'].all()
    assert given['seed'] == 4
    np.testing.assert_array_equal(given['t1w'].data, echoes[..., 0])
    np.testing.assert_array_equal(given['t1w'].affine, FINE)
    np.testing.assert_array_equal(given['reference'].affine, AFFINE)

"""Aligning volumes that look alike to each other, far more finely than to another contrast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation
from torch import Tensor

from aslprep_nn.maps import FloatArray
from aslprep_nn.preprocessing.across_contrasts import BLOCK, HEAD_RADIUS, voxels_across
from aslprep_nn.preprocessing.splines import FWHM_PER_SIGMA, read_splines, smooth_coefficients

#: Kernel [mm], every how manieth point is looked at, number of steps, and the largest step that
#: ends a level [mm]: first to come near, then to come close.
PYRAMID = ((12.0, 4, 6, 0.2), (6.0, 1, 8, 0.02))
#: How far around the brain volumes of one contrast are compared: skull and scalp move with it, and
#: their edges are the sharpest [voxels].
SURROUNDINGS = 3
#: Residuals of this many standard deviations count half (Cauchy's weight).
TYPICAL_RESIDUALS = 3.0


def align_alike(volumes: FloatArray, affine: FloatArray, brain: NDArray[np.bool_]) -> FloatArray:
    """Align the volumes of one contrast to their own mean.

    Gauss-Newton on six parameters per volume: each volume is its mean over the group, displaced
    and unevenly brighter or darker (`_brightness`). The mean is renewed at every step. Label and
    control share one mean: an image of their difference in the model would explain a
    displacement between them as well, and measured worse. What is found is kept only where it
    lowers the cost in voxels that were not used to find it by more than chance does.

    Parameters
    ----------
    volumes
        ``(volume, x, y, z)``, finite.
    affine
        Voxel to world, RAS [mm].
    brain
        Where the brain roughly is; it and its `SURROUNDINGS` are looked at.

    Returns
    -------
    Rigid transforms from the first volume to each, world to world, RAS [mm],
    ``(volume, 4, 4)``; the first is the identity.
    """
    still = np.tile(np.eye(4), (len(volumes), 1, 1))
    mask = ndimage.binary_dilation(brain, iterations=SURROUNDINGS)
    points = _Points.within(mask, affine)
    if len(volumes) < 2 or not points.used.any():
        return still
    transforms = still
    for fwhm, every, n_steps, smallest in PYRAMID:
        splines = smooth_coefficients(volumes, affine, fwhm)
        perfused = points.still(smooth_coefficients(brain[None].astype(float), affine, fwhm))
        design = _design(splines, points, transforms, perfused)[points.used][::every].double()
        looked_at = points.inner[points.used][::every]
        for _ in range(n_steps):
            residual = _residual(points.seen(splines, transforms, looked_at))
            step = _gauss_newton_step(design, residual.double())
            transforms = transforms @ points.about_centre(rigid_transforms(step))
            if _largest(step) < smallest:
                break
    costs = [_held_cost(splines, points, each, perfused) for each in (still, transforms)]
    if costs[1] > (1 - _least_gain(mask, affine, fwhm)) * costs[0]:
        return still
    return np.asarray(transforms @ np.linalg.inv(transforms[0]))


def rigid_transforms(parameters: FloatArray) -> FloatArray:
    """Build rigid transforms from translations and rotation vectors.

    Parameters
    ----------
    parameters
        ``(transform, 6)`` [mm, rad].

    Returns
    -------
    ``(transform, 4, 4)``.
    """
    transforms = np.tile(np.eye(4), (len(parameters), 1, 1))
    transforms[:, :3, 3] = parameters[:, :3]
    transforms[:, :3, :3] = Rotation.from_rotvec(parameters[:, 3:]).as_matrix()
    return transforms


@dataclass(frozen=True)
class _Points:
    """Voxels at which volumes are compared.

    Parameters
    ----------
    world
        Homogeneous coordinates of these and their neighbours [mm], ``(4, point)``.
    inner
        Which of them are compared, the rest being neighbours, ``(inner,)``.
    neighbours
        Indices of the next and the previous point along each axis, ``(3, 2, inner)``.
    used
        Compared points that the fit sees; the others judge it, ``(inner,)``.
    to_voxel
        World to voxel, ``(4, 4)``.
    centre
        Of the compared points [mm].
    """

    world: Tensor
    inner: Tensor
    neighbours: Tensor
    used: Tensor
    to_voxel: FloatArray
    centre: FloatArray

    @classmethod
    def within(cls, mask: NDArray[np.bool_], affine: FloatArray) -> _Points:
        """Take the voxels of a mask that have all their neighbours."""
        core = np.zeros_like(mask)
        core[1:-1, 1:-1, 1:-1] = mask[1:-1, 1:-1, 1:-1]
        voxels = np.argwhere(core)
        steps = [sign * unit for unit in np.eye(3, dtype=int) for sign in (1, -1)]
        needed = core.copy()
        for step in steps:
            needed[tuple((voxels + step).T)] = True
        number = np.full(mask.shape, -1)
        number[needed] = np.arange(needed.sum())
        world = np.argwhere(needed) @ affine[:3, :3].T + affine[:3, 3]
        inner = number[core]
        neighbours = np.stack([number[tuple((voxels + step).T)] for step in steps])
        return cls(
            world=torch.from_numpy(np.column_stack([world, np.ones(len(world))]).T).float(),
            inner=torch.from_numpy(inner),
            neighbours=torch.from_numpy(neighbours).view(3, 2, -1),
            used=torch.from_numpy((voxels // voxels_across(BLOCK, affine)).sum(axis=1) % 2 == 0),
            to_voxel=np.linalg.inv(affine),
            centre=world[inner].mean(axis=0) if len(inner) else np.zeros(3),
        )

    def about_centre(self, transforms: FloatArray) -> FloatArray:
        """Let transforms turn about the centre of the points."""
        shift = np.eye(4)
        shift[:3, 3] = self.centre
        return np.asarray(shift @ transforms @ np.linalg.inv(shift))

    def seen(
        self, splines: Tensor, transforms: FloatArray, which: Tensor | slice = slice(None)
    ) -> Tensor:
        """Read volumes at some of the points, each scaled to mean 1, ``(volume, point)``."""
        to_voxels = torch.from_numpy((self.to_voxel @ transforms)[:, :3]).float()
        values = read_splines(splines, to_voxels @ self.world[:, which])
        return values / values.mean(dim=1, keepdim=True)

    def still(self, splines: Tensor) -> Tensor:
        """Read one image that does not move at the compared points, ``(inner,)``."""
        return self.seen(splines, np.eye(4)[None], self.inner)[0]

    def offsets(self) -> Tensor:
        """Position of the compared points relative to their centre, ``(inner, 3)`` [mm]."""
        return self.world[:3, self.inner].T - torch.from_numpy(self.centre).float()

    def gradient(self, image: Tensor) -> Tensor:
        """Differentiate an image given at all points, ``(inner, 3)`` [1/mm]."""
        per_voxel = (image[self.neighbours[:, 0]] - image[self.neighbours[:, 1]]) / 2
        return per_voxel.T @ torch.from_numpy(self.to_voxel[:3, :3]).float()


def _design(splines: Tensor, points: _Points, transforms: FloatArray, perfused: Tensor) -> Tensor:
    """Return what motion and brightness do to the mean of a group, ``(inner, 15)``."""
    mean = points.seen(splines, transforms).mean(dim=0)
    offsets = points.offsets()
    gradient = points.gradient(mean)
    motion = torch.cat([gradient, torch.linalg.cross(offsets, gradient)], dim=1)
    return torch.cat([motion, _brightness(mean[points.inner], perfused, offsets)], dim=1)


def _residual(seen: Tensor) -> Tensor:
    return seen - seen.mean(dim=0)


def _gauss_newton_step(design: Tensor, residual: Tensor) -> FloatArray:
    """Find by how much each volume is off its group's mean, ``(volume, 6)`` [mm, rad]."""
    weight = _cauchy_weight(residual)
    normal = torch.einsum('pi,np,pj->nij', design, weight, design)
    right = torch.einsum('pi,np,np->ni', design, weight, residual)
    # NumPy's: the least squares of PyTorch differ in the last digits from process to process.
    inverse = np.linalg.pinv(normal.numpy(), hermitian=True)
    solved = (inverse @ right.unsqueeze(-1).numpy())[:, :6, 0]
    # A volume is part of the mean it is compared with, which hides a share 1/n of its offset.
    own_share = len(residual) / (len(residual) - 1)
    return np.asarray(-own_share * solved)


def _largest(step: FloatArray) -> float:
    """Bound the largest displacement of the brain by a step [mm]."""
    lengths = np.linalg.norm(step.reshape(-1, 2, 3), axis=-1) @ np.array([1, HEAD_RADIUS])
    return float(lengths.max())


def _brightness(mean: Tensor, perfused: Tensor, offsets: Tensor) -> Tensor:
    """Return what a change of brightness adds to an image, ``(point, 9)``.

    Slices recover from background suppression one after the other, and their shading stays with
    the scanner when the head tilts: the brightness of a volume may change along all axes, and by
    its square along the slices. Label takes signal away in the brain, none in the scalp: without
    an image of where there is perfusion a part of that passes for displacement.
    """
    x, y, z = (offsets / HEAD_RADIUS).T
    one = torch.ones_like(mean)
    shading = torch.stack([one, x, y, z, x * z, y * z, z**2], dim=1)
    return torch.cat([mean[:, None] * shading, perfused[:, None], one[:, None]], dim=1)


def _least_gain(mask: NDArray[np.bool_], affine: FloatArray, fwhm: float) -> float:
    """Return the part of the cost that moving volumes removes by chance, twice over.

    Fitting six parameters to n independent values of noise lowers their mean square by 6 / n
    and their mean deviation by half of that; smoothing leaves as many independent values as its
    kernel fits into the mask.
    """
    volume = float(mask.sum() * abs(np.linalg.det(affine[:3, :3])))
    kernel = float((2 * np.sqrt(np.pi) * fwhm / FWHM_PER_SIGMA) ** 3)
    return 6 * kernel / volume


def _cauchy_weight(residual: Tensor) -> Tensor:
    spread = 1.4826 * residual.abs().median(dim=-1, keepdim=True).values
    tiny = torch.finfo(residual.dtype).tiny
    return 1 / (1 + (residual / (TYPICAL_RESIDUALS * spread + tiny)).square())


def _held_cost(splines: Tensor, points: _Points, transforms: FloatArray, perfused: Tensor) -> float:
    """Measure disagreement with the mean in the voxels that the fit did not see."""
    held = ~points.used
    seen = points.seen(splines, transforms, points.inner[held])
    residual = _residual(seen)
    shading = _brightness(seen.mean(dim=0), perfused[held], points.offsets()[held])
    design = shading.double().numpy()
    explained = design @ np.linalg.lstsq(design, residual.T.double().numpy())[0]
    return float(np.abs(residual.numpy() - explained.T).mean())

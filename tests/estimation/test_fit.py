"""What an estimator hands on."""

import torch

from aslprep_nn.estimation.fit import Fit


def whole():
    return Fit.nothing(4, ['cbf', 'extra'], torch.float32, torch.device('cpu'))


def part(*values):
    column = torch.tensor(values)
    return Fit({'cbf': column}, {'cbf': column / 10}, column.to(torch.uint8), column, column)


def test_nothing_is_known_of_voxels_outside():
    fit = whole()
    assert fit.n_voxels == 4
    assert fit.parameters['cbf'].isnan().all()
    assert fit.status.tolist() == [0, 0, 0, 0]


def test_voxels_go_to_their_places():
    fit = whole()
    fit.put(torch.tensor([0, 3]), part(1.0, 2.0), torch.tensor([True, True]))
    assert fit.status.tolist() == [1, 0, 0, 2]
    assert fit.parameters['cbf'][[0, 3]].tolist() == [1.0, 2.0]
    assert fit.parameters['extra'].isnan().all()


def test_voxels_that_are_not_kept_stay_as_they_were():
    fit = whole()
    fit.put(slice(1, 4), part(1.0, 2.0, 3.0), torch.tensor([True, False, True]))
    assert fit.status.tolist() == [0, 1, 0, 3]
    assert fit.residual[2].isnan()
    assert fit.std['cbf'][3].item() == torch.tensor(0.3).item()

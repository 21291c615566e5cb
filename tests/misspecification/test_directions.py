from dataclasses import replace

import pytest
import torch
from voxels import pcasl

from aslprep_nn.acquisition import LabelingType
from aslprep_nn.misspecification.directions import assumption_directions
from aslprep_nn.signal.model import SignalModel

CBF, ATT = torch.tensor([60.0, 40.0]).double(), torch.tensor([0.75, 1.33]).double()


def directions(acquisition) -> tuple[SignalModel, tuple[torch.Tensor, ...]]:
    model = SignalModel.of([acquisition])
    return model, assumption_directions(model, CBF, ATT, model.linearize(CBF, ATT))


def alignment(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.cosine_similarity(one, other, dim=0)


def signal(acquisition) -> torch.Tensor:
    return SignalModel.of([acquisition]).linearize(CBF, ATT).delta_m


def test_each_direction_points_where_its_error_moves_the_signal():
    acquisition = pcasl(repetitions=1)
    model, (decay, duration, mixture) = directions(acquisition)
    here = signal(acquisition)
    hotter = signal(replace(acquisition, t1_tissue=1.2001)) - here
    torch.testing.assert_close(alignment(-decay, hotter), torch.ones(2).double())
    longer = signal(pcasl(repetitions=1, duration=1.50001)) - here
    torch.testing.assert_close(alignment(duration, longer), torch.ones(2).double())
    early, late = (model.linearize(CBF, ATT + shift).delta_m for shift in (-0.2, 0.2))
    torch.testing.assert_close(
        alignment(mixture, (early + late) / 2 - here), torch.ones(2).double()
    )


def test_the_labelling_duration_acts_on_all_measurements_that_have_seen_the_first_label():
    _, (_, duration, _) = directions(pcasl(repetitions=1))
    assert (duration > 0).all()


@pytest.mark.parametrize('labeling', [LabelingType.PASL, LabelingType.VSASL])
def test_every_way_of_labelling_has_directions(labeling):
    acquisition = replace(pcasl(repetitions=1), labeling=labeling)
    _, found = directions(acquisition)
    assert torch.isfinite(torch.stack(found)).all()
    assert found[0].any()

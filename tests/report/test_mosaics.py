"""Images show what the arrays hold, for every kind of run."""

import io
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from PIL import Image

from aslprep_nn.maps import FitStatus
from aslprep_nn.report.mosaics import (
    delta_m_by_delay,
    m0_image,
    maps_at_a_glance,
    maps_in_full,
    mask_over_reference,
)
from aslprep_nn.report.painting import NO_ESTIMATE, OUTLINE, STATUS
from aslprep_nn.report.sheet import Grid, draw_sheet


def pixels(figure):
    return np.asarray(Image.open(io.BytesIO(figure.data)).convert('RGB')) / 255


def share_of(figure, color):
    near = np.abs(pixels(figure) - np.array(to_rgb(color))).max(axis=-1) < 0.01
    return near.mean()


def names(figures):
    return [figure.name for figure in figures]


def test_a_multi_delay_run_shows_four_maps(run):
    expected = ['glancecbf', 'glanceatt', 'glancesd', 'glancestatus']
    assert names(maps_at_a_glance(run)) == expected


def test_the_classes_of_a_tested_run_take_the_fourth_place(full_run, with_classes):
    assert names(maps_at_a_glance(full_run))[3] == 'glanceclasses'
    nothing = with_classes(full_run, np.full(full_run.mask.shape, np.nan))
    assert names(maps_at_a_glance(nothing))[3] == 'glancestatus'
    assert 'fullstatus' in names(maps_in_full(full_run))


def test_a_single_delay_run_fills_the_first_screen_with_what_it_has(single_delay_run):
    expected = ['glancecbf', 'glancestatus', 'glancemask', 'glancedifference']
    assert names(maps_at_a_glance(single_delay_run)) == expected
    assert names(maps_in_full(single_delay_run)) == ['fullcbf', 'fullstatus']


def test_the_maps_of_the_first_screen_have_one_size(run):
    assert len({(f.width, f.height) for f in maps_at_a_glance(run)}) == 1


@pytest.mark.parametrize('n_slices', [1, 3, 40])
def test_any_number_of_slices_is_drawn(simulate_run, n_slices):
    results = simulate_run(shape=(20, 24, n_slices), repetitions=2)
    figures = maps_in_full(replace(results, maps={'cbf': results.maps['cbf']}))
    for figure in figures:
        height, width, _ = pixels(figure).shape
        assert (width, height) == (2 * figure.width, 2 * figure.height)
    assert f'{n_slices} slice' in figures[0].alt


def test_a_run_without_any_estimate_is_striped_not_black(run):
    nothing = {name: replace(each, values=np.full(run.mask.shape, np.nan))
               for name, each in run.maps.items()}  # fmt: skip
    status = np.where(run.mask, FitStatus.FAILED, FitStatus.OUTSIDE)
    figures = maps_at_a_glance(replace(run, maps=nothing, status=status))
    assert 'No voxel has an estimate' in figures[0].alt
    assert share_of(figures[0], NO_ESTIMATE[0]) > 0.1
    assert share_of(figures[3], STATUS.colors[FitStatus.FAILED]) > 0.3


def test_the_status_map_counts_every_label(run):
    alt = maps_at_a_glance(run)[-1].alt
    share = (run.status[run.mask] == FitStatus.CONVERGED).mean()
    assert f'converged {100 * share:.0f} %' in alt
    assert 'at a bound' not in alt


def test_the_mask_is_outlined_on_the_reference(run):
    assert share_of(mask_over_reference(run), OUTLINE) > 0.002
    bare = replace(run, mask=np.zeros_like(run.mask))
    assert share_of(mask_over_reference(bare), OUTLINE) < 0.001


def test_m0_is_drawn_where_there_is_one(run, relative_run):
    assert m0_image(relative_run) is None
    assert f'the median is {np.median(run.m0[run.mask]):.3g}' in m0_image(run).alt


def test_differences_have_a_column_for_each_delay(run, single_delay_run):
    assert 'at 6 delays in 4 slices' in delta_m_by_delay(run).alt
    assert 'at 1 delays in 12 slices' in delta_m_by_delay(single_delay_run).alt


def test_the_scale_of_the_differences_names_its_unit(run, relative_run, monkeypatch):
    titles = []

    def spy(*args, title, **options):
        titles.append(title)
        return draw_sheet(*args, title=title, **options)

    monkeypatch.setattr('aslprep_nn.report.mosaics.draw_sheet', spy)
    delta_m_by_delay(run)
    delta_m_by_delay(relative_run)
    assert titles == [
        'Mean difference by delay: delta M [% of M0]',
        'Mean difference by delay: delta M over its mean [1]',
    ]


def test_a_transit_time_that_cannot_be_told_is_striped(run):
    """CBF is there in every voxel, ATT in none."""
    att = replace(run.maps['att'], values=np.full(run.mask.shape, np.nan))
    status = np.where(run.mask, FitStatus.ATT_NOT_IDENTIFIABLE, FitStatus.OUTSIDE)
    cbf = replace(run.maps['cbf'], values=np.where(run.mask, 50.0, np.nan))
    unclear = replace(run, maps={**run.maps, 'att': att, 'cbf': cbf}, status=status)
    flow, time, _, _ = maps_at_a_glance(unclear)
    assert share_of(time, NO_ESTIMATE[0]) > 0.1
    assert share_of(flow, NO_ESTIMATE[0]) < 0.01
    assert 'No voxel has an estimate' in time.alt
    assert 'striped where these delays cannot tell it' in time.caption


def test_many_delays_fit_beside_each_other(simulate_run):
    delays = tuple(np.round(np.linspace(0.1, 3, 21), 2))
    results = simulate_run(shape=(16, 18, 5), delays=delays, repetitions=1)
    assert delta_m_by_delay(results).width == Grid(21, 21, 1120, 1.0).width


def test_captions_state_the_convention(run):
    for figure in (*maps_at_a_glance(run), mask_over_reference(run), delta_m_by_delay(run)):
        assert 'radiological convention' in figure.caption


def test_left_and_right_of_an_image_follow_the_affine(run):
    """The right half of the patient is bright: it has to be on the left."""
    x = np.arange(run.mask.shape[0])[:, None, None] > run.mask.shape[0] / 2
    cbf = np.where(run.mask, np.where(x, 90.0, 10.0), np.nan)
    lopsided = replace(run, maps={'cbf': replace(run.maps['cbf'], values=cbf)})
    picture = pixels(maps_at_a_glance(lopsided)[0]).mean(axis=-1)
    tile = picture[60:-100, : picture.shape[1] // 3]
    left, right = np.array_split(tile, 2, axis=1)
    assert left.mean() > 1.5 * right.mean()
    turned = replace(lopsided, affine=run.affine @ np.diag([-1, 1, 1, 1]))
    mirrored = pixels(maps_at_a_glance(turned)[0]).mean(axis=-1)
    left, right = np.array_split(mirrored[60:-100, : picture.shape[1] // 3], 2, axis=1)
    assert right.mean() > 1.5 * left.mean()


def test_tiles_of_a_grid_do_not_overlap_and_stay_inside():
    grid = Grid(11, 4, 300, 1.2)
    corners = [grid.corner(index) for index in range(11)]
    assert len(set(corners)) == 11
    assert max(left for left, _ in corners) + grid.tile_width <= 300
    assert max(top for _, top in corners) + grid.tile_height <= grid.height

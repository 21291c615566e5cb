"""Levels and power of regions, on few maps."""

import pytest

from aslprep_nn.misspecification.reproduction import region_levels
from aslprep_nn.misspecification.reproduction.region_levels import (
    N_PARTS,
    REGION_TESTS,
    SCANS,
    region_level_table,
    region_power_table,
)
from aslprep_nn.misspecification.reproduction.scenarios import Scenario


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    monkeypatch.setattr(region_levels, 'SHAPE', (6, 6, 6))
    monkeypatch.setattr('aslprep_nn.misspecification.reproduction.correlated.SHAPE', (6, 6, 6))


def test_every_protocol_has_rows_of_maps_and_of_their_parts():
    rows = region_level_table(1, seed=0).rows
    assert len(rows) == 4 * len(SCANS)
    assert {row['voxels'] for row in rows} == {216, 216 // N_PARTS}
    assert all(row['regions'] == (1 if row['voxels'] == 216 else N_PARTS) for row in rows)
    assert set(REGION_TESTS) <= set(rows[0])


def test_outflow_is_found_in_more_regions_than_voxels():
    rows = region_power_table(8, seed=0).rows
    of_outflow = [row for row in rows if row['truth'] == str(Scenario.OUTFLOW)]
    region, voxel = (float(row['decay']) for row in of_outflow)
    assert region > voxel > 0.2

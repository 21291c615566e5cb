"""What the tests of a voxel cost, measured beside the fit in one run."""

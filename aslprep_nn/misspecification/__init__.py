"""How far a voxel can be trusted: tests of the noise, of the model, and of each assumption."""

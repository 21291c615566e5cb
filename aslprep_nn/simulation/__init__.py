"""A digital phantom and the scanner that images it."""

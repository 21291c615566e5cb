"""Whether a run can be right at all, and numbers on how good it is."""

"""Kinetic models: what a perfusion signal looks like. Torch only, no files."""

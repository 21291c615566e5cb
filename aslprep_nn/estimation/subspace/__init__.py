"""Subspaces for a series of measurements that keep what it says about the parameters."""

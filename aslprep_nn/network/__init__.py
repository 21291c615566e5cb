"""The amplitude-aware network: what it is given, what it is, and what it learns from."""

"""How accurate and how fast the fit is, measured against truth, an exhaustive search and scipy."""

"""The experiments of Mao et al. in simulation, and what their method does for perfusion."""

"""The experiments of Wang, Tamir & Bush in simulation, and what the tests are worth."""

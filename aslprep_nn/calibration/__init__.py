"""From scanner units to fractions of the equilibrium magnetisation."""

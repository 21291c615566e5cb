"""How often the gates of plausibility open and close on simulated runs."""

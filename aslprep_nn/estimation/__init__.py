"""From the calibrated signal to CBF and ATT, with what the data allow to be known."""

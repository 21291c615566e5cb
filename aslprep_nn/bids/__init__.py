"""Reading and writing BIDS: the only package that knows its names."""

"""From raw volumes to a still series of differences."""

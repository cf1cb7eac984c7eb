"""Models: one file an algorithm, all of them Recommenders."""

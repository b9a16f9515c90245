"""Studies: a grid of settings, computed cell by cell, resumed where it stopped."""

"""Vectors of pictures: the ladder of representations from histogram to a network's last layer."""

"""Controls over what is made: how it moves, where the camera goes, what it looks like."""

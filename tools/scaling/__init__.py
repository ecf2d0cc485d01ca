"""What a data set costs on how many processors, where that stops to scale, and why: measured units and a model."""

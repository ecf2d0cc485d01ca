"""A campaign of faults against the generators and the training: what a machine, a person or a disk can do to a run."""

"""Ground floor: what every run needs, and nothing of physics or learning."""

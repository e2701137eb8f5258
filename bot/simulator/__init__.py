"""Linear, GitHub and a model to play with on one machine, and the demo that plays."""

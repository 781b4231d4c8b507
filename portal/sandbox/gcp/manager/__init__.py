"""What Infrastructure Manager does behind its API: reads a plan, and makes what stands there, one thing after another, as the builder."""

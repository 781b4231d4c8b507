"""The resource types that a deployment cell is made of, and what they do when they stand."""

"""Offboarding: leave an account cleanly, in order, with proof. What is counted and taken away comes from the parts (`parts.py`)."""

"""The reference agent of a deployment cell. It runs by itself and imports nothing of the portal."""

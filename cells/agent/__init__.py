"""The reference agent of a deployment cell. It runs by itself and imports nothing of the portal.

Python 3.9 or newer and `cryptography`, as distributions package them: it runs on the customer's machine, not on ours.
"""

VERSION = "1.2.0"

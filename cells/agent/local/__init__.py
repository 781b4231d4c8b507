"""A cluster of one machine without containers: releases are processes that really run, for the demo, the tests and trying things out."""

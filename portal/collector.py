"""Python's collector of rings of objects, for processes that serve: it passes by what was loaded at the start, and comes seldom."""

import gc

# Of its three rounds; Python's own are 700, 10, 10. Requests come and go by counting references alone, so there is little to collect.
SELDOM = (50_000, 20, 50)


def settle() -> None:
    """Once everything is loaded. Going through all of Django for each few hundred new objects took a third of what a report costs."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*SELDOM)

"""ARM's template language, as far as kits and cells speak it."""

"""The last backup of an instance before its deletion: taken once, put away outside of the cell, told by its place, size and hash."""

"""The fleet as lists and exports show it: filters from the address, rows a page at a time, the same for instances and cells."""

"""`az`, as far as kits use it: a program of its own that knows the shell's session and speaks HTTPS with the local Azure alone.

It sends what the real one sends. A command or an option that it does not know ends it with exit code 2 and leaves a note that fails a
test: a kit that needs more has to be looked at by the real program.
"""

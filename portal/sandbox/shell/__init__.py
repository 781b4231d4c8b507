"""The played Cloud Shell: runs a kit's command as the customer would, and nothing else.

`command.py` understands one form of command; `runs.py` fetches, checks and runs the script, by the real bash with an empty environment;
`gcloud/` and `curl.py` are what the script finds as `gcloud` and `curl`: programs of their own that know the session's file and speak
HTTP with this machine only. `aws.py` is AWS's own, made of the library that the real one is made of; the others need the standard
library alone.
"""

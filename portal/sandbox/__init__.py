"""The strict local clouds of the demo and the tests: one process, one state.

    python -m portal.sandbox --aws-port P --console-port C --smtp-port S \\
        --issuer-resolve https://id.portal.test=http://127.0.0.1:8000 --state-dir DIR

- The portal's port P knows no root keys, no control paths, no reset: what the portal can do there, it could do on AWS.
- The customer's port C takes a 12-digit access key as that account's root, and serves `/console/` (a played AWS
  console), `/mailbox/` (what the portal mailed) and `/_sandbox/` (control, JSON; see `control.py`).
- Port S takes mail by SMTP.
- `--gcp-port` and `--azure-port` are the local Google and the local Azure, to the portal and to the customer alike; see their packages.

It stands on `ministack`, which is depended on and patched from outside (`patches.py`), never copied. Product code never
imports this package; it reaches it over HTTP by endpoint settings alone.
"""

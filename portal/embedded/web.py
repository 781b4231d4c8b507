"""What gunicorn serves in the demo: loads Django while the database is being prepared, and begins to listen only after that."""

import os
from pathlib import Path

import django
from django.urls import get_resolver

from portal.embedded.lanes import wait_for

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
django.setup()
_ = get_resolver().url_patterns  # imports every view, once, before the workers are forked
for gate in os.environ["PORTAL_DEMO_GATES"].split(":"):
    wait_for(Path(gate))

from portal.embedded.reports import SendReportsOn  # noqa: E402  after Django is set up
from portal.wsgi import application as portal  # noqa: E402  reads the collected static files, which are there only now

application = SendReportsOn(portal, Path(os.environ["PORTAL_DEMO_REPORTS"]))
__all__ = ["application"]

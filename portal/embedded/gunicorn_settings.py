"""gunicorn in the demo: small, quick to stop. The addresses come on the command line."""

import gc
from typing import Any

worker_class = "gthread"
workers = 1
threads = 8
preload_app = True
graceful_timeout = 2
timeout = 60
keepalive = 5
worker_tmp_dir = None
control_socket_disable = True


def pre_fork(_server: Any, _worker: Any) -> None:
    """What was loaded before the fork stays shared: the collector would otherwise copy it by writing into it."""
    gc.freeze()

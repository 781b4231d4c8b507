"""Ten persisted steps of 200 ms by DBOS: a workflow whose steps are checkpointed by it. Runs in the peers' Python.

peer_dbos.py URL OPERATIONS THREADS  ->  seconds, CPU seconds, steps written
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

from dbos import DBOS, DBOSConfig

url, operations, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
config: DBOSConfig = {"name": "bench", "system_database_url": url, "run_admin_server": False, "log_level": "ERROR"}
DBOS(config=config)


@DBOS.step()
def step(number: int) -> int:
    time.sleep(0.2)
    return number


@DBOS.workflow()
def ten(operation: int) -> int:
    return sum(step(number) for number in range(10))


DBOS.launch()
begun, used = time.perf_counter(), time.process_time()
with ThreadPoolExecutor(threads) as pool:
    results = list(pool.map(ten, range(operations)))
sys.stdout.write(
    " ".join(map(str, (time.perf_counter() - begun, time.process_time() - used, sum(10 for result in results if result == 45))))
)
DBOS.destroy()

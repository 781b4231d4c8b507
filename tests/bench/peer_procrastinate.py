"""Ten persisted steps of 200 ms by procrastinate: each step is a job that writes its checkpoint and defers the next.

Runs in the peers' Python:

peer_procrastinate.py CONNINFO OPERATIONS CONCURRENCY  ->  seconds, CPU seconds, steps written
"""

import asyncio
import sys
import time

import procrastinate

conninfo, operations, concurrency = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=conninfo, min_size=4, max_size=20))


@app.task(name="step")
async def step(operation: int, number: int) -> None:
    await asyncio.sleep(0.2)
    await app.connector.execute_query_async("INSERT INTO steps_done VALUES (%(operation)s, %(number)s)", operation=operation, number=number)
    if number < 10:
        await step.defer_async(operation=operation, number=number + 1)


async def main() -> None:
    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        await app.connector.execute_query_async("CREATE TABLE steps_done (operation int, number int, PRIMARY KEY (operation, number))")
        for operation in range(operations):
            await step.defer_async(operation=operation, number=1)
        begun, used = time.perf_counter(), time.process_time()
        worker = asyncio.create_task(
            app.run_worker_async(concurrency=concurrency, wait=True, install_signal_handlers=False, fetch_job_polling_interval=0.5)
        )
        while True:
            await asyncio.sleep(0.05)
            row = await app.connector.execute_query_one_async("SELECT count(*) AS n FROM steps_done")
            if row["n"] >= 10 * operations or time.perf_counter() - begun > 180:
                break
        sys.stdout.write(" ".join(map(str, (time.perf_counter() - begun, time.process_time() - used, row["n"]))))
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)


asyncio.run(main())

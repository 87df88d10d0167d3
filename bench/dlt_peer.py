"""The same pages through dlt, in its own environment: REST client, cursor paging, load into PostgreSQL. Prints the seconds.

    python bench/dlt_peer.py BASE_URL DSN WORK_FOLDER

It is spared what the line does beyond loading: no privacy, no landing file, no comparison with held versions.
"""

import os
import sys
import time

os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR", "DO_NOT_TRACK": "1"}

import dlt
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator


def main(base_url: str, dsn: str, folder: str) -> None:
    """Collect and load every page once."""
    pager = JSONResponseCursorPaginator(cursor_path="nextAfterId", cursor_param="afterId")
    client = RESTClient(base_url=base_url, paginator=pager, data_selector="items")

    @dlt.resource(name="thesis", write_disposition="append", primary_key="src_record_id")
    def thesis():
        yield from client.paginate("/thesis", params={"limit": 5000})

    pipeline = dlt.pipeline(
        "peer", destination=dlt.destinations.postgres(dsn), dataset_name="peer", pipelines_dir=folder
    )
    started = time.perf_counter()
    pipeline.run(thesis(), loader_file_format="csv")  # the fastest format of its PostgreSQL destination
    print(time.perf_counter() - started)


if __name__ == "__main__":
    main(*sys.argv[1:])

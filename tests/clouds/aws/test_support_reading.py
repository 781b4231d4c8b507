"""What support reads of AWS: the newest lines of a log, as many as were asked for; and a line to AWS that breaks."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.stub import ANY, Stubber

from accounts.clouds.aws.clients import open_client
from accounts.clouds.aws.reading import read_cluster_log
from accounts.clouds.support import SupportGrant

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
GRANT = SupportGrant("g", "mia", "CASE-1", "logs", "eu-west-1", "byoc-main", NOW, NOW + timedelta(hours=1))
KEYS = {"AccessKeyId": "AKIAEXAMPLE", "SecretAccessKey": "x", "SessionToken": "x"}


def page(first: int, last: int, token: str = "") -> dict:
    events = [{"timestamp": 1_000 * number, "message": f"line {number}"} for number in range(first, last + 1)]
    return {"events": events} | ({"nextToken": token} if token else {})


@pytest.mark.parametrize(("lines", "first", "is_cut"), [("3", 8, True), ("10", 1, False), ("200", 1, False)])
def test_newest_lines_are_given_and_no_more_than_were_asked_for(lines, first, is_cut):
    logs = open_client("logs", region="eu-west-1", credentials=KEYS)
    asked = {"logGroupName": "/aws/eks/byoc-main/cluster", "startTime": ANY}
    with Stubber(logs) as stub:
        stub.add_response("filter_log_events", page(1, 6, "more"), asked)
        stub.add_response("filter_log_events", page(7, 10), asked | {"nextToken": "more"})

        result = read_cluster_log(lambda _service: logs, GRANT, {"lines": lines})

        stub.assert_no_pending_responses()
    shown = [line.split(" ", 1)[1] for line in result.text.splitlines()]
    assert shown == [f"line {number}" for number in range(first, 11)]
    assert (result.is_cut, list(result.traces)) == (is_cut, ["FilterLogEvents"])

"""Where the agent takes charts from: addresses that are encrypted, and under what its machine was told at its first start."""

import pytest

from cells.agent import sources
from tests.cells.test_helm import CHART, cluster, runtime, seen, verbs, wanted

__all__ = ["cluster", "runtime"]  # fixtures


@pytest.mark.parametrize(
    ("chart", "prefixes", "is_allowed"),
    [
        ("oci://registry.fernhill.example/charts/orders", (), True),
        ("https://charts.fernhill.example/orders-1.0.0.tgz", (), True),
        ("http://127.0.0.1:5000/orders.tgz", (), True),
        ("http://[::1]:5000/orders.tgz", (), True),
        ("http://charts.fernhill.example/orders-1.0.0.tgz", (), False),
        ("http://localhost.evil.example/orders.tgz", (), False),
        ("fernhill/orders", (), False),
        ("./orders", (), False),
        ("--post-renderer=/bin/sh", (), False),
        ("file:///etc/byoc-agent", (), False),
        ("oci://", (), False),
        ("oci://[", (), False),
        ("oci://somebody:secret@registry.fernhill.example/charts/orders", (), False),
        ("oci://registry.fernhill.example/charts/orders", ("oci://registry.fernhill.example/charts",), True),
        ("oci://registry.fernhill.example/charts/orders", ("oci://other.example/", "oci://registry.fernhill.example/"), True),
        ("oci://registry.fernhill.example/chartsofothers/x", ("oci://registry.fernhill.example/charts",), False),
        ("oci://registry.fernhill.example.evil.example/charts", ("oci://registry.fernhill.example",), False),
        ("oci://registry.fernhill.example@evil.example/charts", ("oci://registry.fernhill.example",), False),
        ("oci://registry.fernhill.example/charts/../x", ("oci://registry.fernhill.example/charts",), False),
        ("oci://registry.fernhill.example/charts/%2e%2e/x", ("oci://registry.fernhill.example/charts",), False),
    ],
)
def test_source_of_a_chart_is_one_that_the_machine_was_told(chart, prefixes, is_allowed):
    assert sources.is_allowed(chart, prefixes) == is_allowed


def test_chart_from_elsewhere_is_not_pulled(runtime, cluster):
    runtime.allowed_charts = ("oci://registry.other.example",)

    runtime.apply(wanted())

    assert seen(runtime)["problem"] == "chart_not_allowed"
    assert "helm pull" not in verbs(cluster)


@pytest.mark.parametrize("digest", ["", "../" * 8 + "x", "0" * 63])
def test_digest_that_is_none_is_no_name_of_a_file(runtime, cluster, digest):
    runtime.apply(wanted(release={"chart": CHART, "chart_version": "1.0.0", "digest": digest}))

    assert seen(runtime)["problem"] == "chart_digest_mismatch"
    assert "helm pull" not in verbs(cluster)

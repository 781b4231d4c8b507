"""Agents speak under /agent/v1/."""

from django.urls import path

from cells.views import agent

app_name = "cells"

urlpatterns = [
    path("agent/v1/openapi.json", agent.openapi_detail, name="agent_openapi"),
    path("agent/v1/agent.pyz", agent.package_detail, name="agent_package"),
    path("agent/v1/enrolments", agent.enrolment_create, name="agent_enrolment"),
    path("agent/v1/keys", agent.key_create, name="agent_key"),
    path("agent/v1/token", agent.token_create, name="agent_token"),
    path("agent/v1/desired", agent.desired_detail, name="agent_desired"),
    path("agent/v1/reports", agent.report_create, name="agent_reports"),
]

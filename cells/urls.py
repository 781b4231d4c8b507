"""Instances and deployment cells of an organisation, behind tenancy's gate; agents speak under /agent/v1/."""

from django.urls import path

from cells.views import agent, cell_agent, cells, fleet, instance_acts, instance_create, instances, leaving, metrics, resources

app_name = "cells"

# --- The protocol of agents ---
urlpatterns = [
    path("agent/v1/openapi.json", agent.openapi_detail, name="agent_openapi"),
    path("agent/v1/agent.pyz", agent.package_detail, name="agent_package"),
    path("agent/v1/enrolments", agent.enrolment_create, name="agent_enrolment"),
    path("agent/v1/keys", agent.key_create, name="agent_key"),
    path("agent/v1/token", agent.token_create, name="agent_token"),
    path("agent/v1/desired", agent.desired_detail, name="agent_desired"),
    path("agent/v1/orders", agent.order_list, name="agent_orders"),
    path("agent/v1/orders/results", agent.order_result, name="agent_order_results"),
    path("agent/v1/backups", agent.backup_result, name="agent_backups"),
    path("agent/v1/reports", agent.report_create, name="agent_reports"),
]

# --- Instances ---
INSTANCES = "o/<slug:slug>/instances/"
NEW = f"{INSTANCES}new/<uuid:pk>/"
INSTANCE = f"{INSTANCES}<uuid:pk>/"
urlpatterns += [
    path(INSTANCES, fleet.instance_list, name="instance_list"),
    path(f"{INSTANCES}export.csv", fleet.instance_export, {"kind": "csv"}, name="instance_export_csv"),
    path(f"{INSTANCES}export.json", fleet.instance_export, {"kind": "json"}, name="instance_export_json"),
    path(f"{INSTANCES}new/", instance_create.instance_new, name="instance_new"),
    path(f"{NEW}plan/", instance_create.instance_new_plan, name="instance_new_plan"),
    path(f"{NEW}place/", instance_create.instance_new_place, name="instance_new_place"),
    path(f"{NEW}settings/", instance_create.instance_new_settings, name="instance_new_settings"),
    path(f"{NEW}check/", instance_create.instance_new_check, name="instance_new_check"),
    path(f"{NEW}discard/", instance_create.instance_new_discard, name="instance_new_discard"),
    path(INSTANCE, instances.instance_detail, name="instance_detail"),
    path(f"{INSTANCE}live/", instances.instance_live, name="instance_live"),
    path(f"{INSTANCE}configuration/", instances.instance_configuration, name="instance_configuration"),
    path(f"{INSTANCE}metrics/", metrics.instance_metrics, name="instance_metrics"),
    path(f"{INSTANCE}activity/", instances.instance_activity, name="instance_activity"),
    path(f"{INSTANCE}modify/", instance_acts.instance_modify, name="instance_modify"),
    path(f"{INSTANCE}upgrade/", instance_acts.instance_upgrade, name="instance_upgrade"),
    path(f"{INSTANCE}stop/", instance_acts.instance_stop, name="instance_stop"),
    path(f"{INSTANCE}start/", instance_acts.instance_start, name="instance_start"),
    path(f"{INSTANCE}restart/", instance_acts.instance_restart, name="instance_restart"),
    path(f"{INSTANCE}delete/", instance_acts.instance_delete, name="instance_delete"),
    path(f"{INSTANCE}keep/", instance_acts.instance_keep, name="instance_keep"),
    path(f"{INSTANCE}protect/", instance_acts.instance_protect, name="instance_protect"),
]

# --- Deployment cells ---
CELLS = "o/<slug:slug>/cells/"
CELL = f"{CELLS}<uuid:pk>/"
urlpatterns += [
    path(CELLS, fleet.cell_list, name="cell_list"),
    path(f"{CELLS}export.csv", fleet.cell_export, {"kind": "csv"}, name="cell_export_csv"),
    path(f"{CELLS}export.json", fleet.cell_export, {"kind": "json"}, name="cell_export_json"),
    path(CELL, cells.cell_detail, name="cell_detail"),
    path(f"{CELL}live/", cells.cell_live, name="cell_live"),
    path(f"{CELL}resources/", cells.cell_resources, name="cell_resources"),
    path(f"{CELL}metrics/", metrics.cell_metrics, name="cell_metrics"),
    path(f"{CELL}visible/", metrics.cell_visible, name="cell_visible"),
    path("o/<slug:slug>/visible/", metrics.visible, name="visible"),
    path(f"{CELL}activity/", cells.cell_activity, name="cell_activity"),
    path(f"{CELL}update/", cells.cell_update, name="cell_update"),
    path(f"{CELL}agent/replace/", cell_agent.cell_agent_replace, name="cell_agent_replace"),
    path(f"{CELL}agent/off/", cell_agent.cell_agent_switch, {"is_on": False}, name="cell_agent_off"),
    path(f"{CELL}agent/on/", cell_agent.cell_agent_switch, {"is_on": True}, name="cell_agent_on"),
    path(f"{CELL}delete/", cells.cell_delete, name="cell_delete"),
    path(f"{CELL}keep/", resources.cell_keep, name="cell_keep"),
    path(f"{CELL}release/", resources.cell_release, name="cell_release"),
]

# --- An account that leaves ---
ACCOUNT = "o/<slug:slug>/accounts/<uuid:pk>/"
urlpatterns += [
    path(f"{ACCOUNT}instances/delete/", leaving.account_instances_delete, name="account_instances_delete"),
    path(f"{ACCOUNT}leftovers/keep/", leaving.account_leftovers_keep, name="account_leftovers_keep"),
]

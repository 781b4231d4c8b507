"""URLs of tenancy. Everything under /o/<slug>/ passes `accounts.access.requires`; a guard test looks for its mark."""

from django.urls import path

from accounts.access import Permission, requires
from accounts.sign_in import step_up_for_file
from accounts.views import (
    account_acts,
    cloud_accounts,
    connect,
    contacts,
    environment,
    home,
    invitations,
    kit_reports,
    organisations,
    people,
    preparations,
    regions,
    renewal,
    security,
    step_links,
    trust,
)
from portal.audit import views as audit
from portal.operations import views as operations

app_name = "accounts"

view_gate = requires(Permission.VIEW)
run_gate = requires(Permission.RUN_OPERATIONS)
export_gate = requires(Permission.EXPORT_ACTIVITY)

# --- Home, cloud accounts, connect wizard ---
urlpatterns = [
    path("o/<slug:slug>/", home.home, name="home"),
    path("o/<slug:slug>/accounts/", cloud_accounts.account_list, name="account_list"),
    path("o/<slug:slug>/accounts/connect/", connect.connect_start, name="connect_start"),
    path("o/<slug:slug>/accounts/<uuid:pk>/", cloud_accounts.account_detail, name="account_detail"),
    path("o/<slug:slug>/accounts/<uuid:pk>/permissions/", cloud_accounts.account_permissions, name="account_permissions"),
    path("o/<slug:slug>/accounts/<uuid:pk>/kit/", cloud_accounts.account_kit, name="account_kit"),
    path("o/<slug:slug>/accounts/<uuid:pk>/kit/files/<str:file>", cloud_accounts.account_kit_file, name="account_kit_file"),
    path("o/<slug:slug>/accounts/<uuid:pk>/kit/regions/", regions.account_kit_regions, name="account_kit_regions"),
    path("o/<slug:slug>/accounts/<uuid:pk>/kit/regions/check/", regions.account_kit_regions_check, name="account_kit_regions_check"),
    path("o/<slug:slug>/accounts/<uuid:pk>/kit/update/", renewal.account_kit_update, name="account_kit_update"),
    path("o/<slug:slug>/accounts/<uuid:pk>/kit/update/stay/", renewal.account_kit_stay, name="account_kit_stay"),
    path("o/<slug:slug>/accounts/<uuid:pk>/kit/update/run/", renewal.account_kit_run, name="account_kit_run"),
    path("o/<slug:slug>/accounts/<uuid:pk>/kit/update/waiting/", renewal.account_kit_waiting, name="account_kit_waiting"),
    path(
        "o/<slug:slug>/accounts/<uuid:pk>/kit/update/waiting/status/",
        renewal.account_kit_waiting_status,
        name="account_kit_waiting_status",
    ),
    path("o/<slug:slug>/accounts/<uuid:pk>/kit/update/report/", renewal.account_kit_report, name="account_kit_report"),
    path("o/<slug:slug>/accounts/<uuid:pk>/kit/update/stop/", renewal.account_kit_stop, name="account_kit_stop"),
    path("o/<slug:slug>/accounts/<uuid:pk>/trust/", trust.account_trust, name="account_trust"),
    path("o/<slug:slug>/accounts/<uuid:pk>/trust/status/", trust.account_trust_status, name="account_trust_status"),
    path("o/<slug:slug>/accounts/<uuid:pk>/trust/check/", trust.account_trust_check, name="account_trust_check"),
    path("o/<slug:slug>/accounts/<uuid:pk>/rename/", account_acts.account_rename, name="account_rename"),
    path("o/<slug:slug>/accounts/<uuid:pk>/kit/removed/", account_acts.account_kit_removed, name="account_kit_removed"),
    path("o/<slug:slug>/accounts/<uuid:pk>/disconnect/", account_acts.account_disconnect, name="account_disconnect"),
    path("o/<slug:slug>/accounts/<uuid:pk>/reconnect/", account_acts.account_reconnect, name="account_reconnect"),
    path("o/<slug:slug>/accounts/<uuid:pk>/activity/", cloud_accounts.account_activity, name="account_activity"),
    path("o/<slug:slug>/accounts/<uuid:pk>/record.json", cloud_accounts.account_record, name="account_record"),
    path("o/<slug:slug>/accounts/<uuid:pk>/connect/", connect.connect_resume, name="connect_resume"),
    path("o/<slug:slug>/accounts/<uuid:pk>/connect/terms/", preparations.connect_terms, name="connect_terms"),
    path("o/<slug:slug>/accounts/<uuid:pk>/connect/decline/", preparations.connect_decline, name="connect_decline"),
    path("o/<slug:slug>/accounts/<uuid:pk>/connect/account/", connect.connect_account, name="connect_account"),
    path("o/<slug:slug>/accounts/<uuid:pk>/connect/place/", connect.connect_place, name="connect_place"),
    path("o/<slug:slug>/accounts/<uuid:pk>/connect/review/", connect.connect_review, name="connect_review"),
    path("o/<slug:slug>/accounts/<uuid:pk>/connect/preflight/", connect.connect_preflight, name="connect_preflight"),
    path("o/<slug:slug>/accounts/<uuid:pk>/connect/run/", connect.connect_run, name="connect_run"),
    path("o/<slug:slug>/accounts/<uuid:pk>/connect/waiting/", connect.connect_waiting, name="connect_waiting"),
    path("o/<slug:slug>/accounts/<uuid:pk>/connect/waiting/status/", connect.connect_waiting_status, name="connect_waiting_status"),
    path("o/<slug:slug>/accounts/<uuid:pk>/connect/report/", connect.connect_report, name="connect_report"),
    path("o/<slug:slug>/accounts/<uuid:pk>/connect/done/", connect.connect_done, name="connect_done"),
    path("o/<slug:slug>/accounts/<uuid:pk>/connect/run-again/", connect.connect_run_again, name="connect_run_again"),
    path("o/<slug:slug>/accounts/<uuid:pk>/connect/stop/", connect.connect_stop, name="connect_stop"),
    path("o/<slug:slug>/accounts/<uuid:pk>/connect/discard/", connect.connect_discard, name="connect_discard"),
    path("o/<slug:slug>/accounts/<uuid:pk>/connect/send/", step_links.connect_send, name="connect_send"),
    path("o/<slug:slug>/accounts/<uuid:pk>/connect/send/status/", step_links.connect_send_status, name="connect_send_status"),
    path("o/<slug:slug>/accounts/<uuid:pk>/connect/send/withdraw/", step_links.connect_send_withdraw, name="connect_send_withdraw"),
    path("handover/<str:token>/", step_links.step_link, name="step_link"),
    path("handover/<str:token>/status/", step_links.step_link_status, name="step_link_status"),
    path("handover/<str:token>/files/<str:file>", step_links.step_link_file, name="step_link_file"),
    path("handover/<str:token>/report/", step_links.step_link_report, name="step_link_report"),
    path("kits/report/<str:token>/", kit_reports.kit_report, name="kit_report"),
]

# --- What is around an account ---
ENVIRONMENT = "o/<slug:slug>/accounts/<uuid:pk>/environment/"
urlpatterns += [
    path(ENVIRONMENT, environment.account_environment, name="account_environment"),
    path(f"{ENVIRONMENT}status/", environment.account_environment_status, name="account_environment_status"),
    path(f"{ENVIRONMENT}check/", environment.account_environment_check, name="account_environment_check"),
    path(f"{ENVIRONMENT}export.json", environment.account_environment_export, name="account_environment_export"),
]

# --- Operations and activity: the floor's pages, behind tenancy's gate ---
export = step_up_for_file("accounts:activity")(audit.activity_export)
urlpatterns += [
    path("o/<slug:slug>/operations/", view_gate(operations.operation_list), name="operation_list"),
    path("o/<slug:slug>/operations/<uuid:pk>/", view_gate(operations.operation_detail), name="operation_detail"),
    path("o/<slug:slug>/operations/<uuid:pk>/progress/", view_gate(operations.operation_progress), name="operation_progress"),
    path("o/<slug:slug>/operations/<uuid:pk>/retry/", run_gate(operations.operation_retry), name="operation_retry"),
    path("o/<slug:slug>/operations/<uuid:pk>/cancel/", run_gate(operations.operation_cancel), name="operation_cancel"),
    path("o/<slug:slug>/operations/<uuid:pk>/check/", run_gate(operations.operation_check), name="operation_check"),
    path("o/<slug:slug>/operations/<uuid:pk>/log/<slug:step>/", view_gate(operations.operation_log), name="operation_log"),
    path("o/<slug:slug>/activity/", view_gate(audit.activity_list), name="activity"),
    path("o/<slug:slug>/activity/verify/", view_gate(audit.activity_verify), name="activity_verify"),
    path("o/<slug:slug>/activity/verify.py", view_gate(audit.activity_verifier), name="activity_verifier"),
    path("o/<slug:slug>/activity/export/", export_gate(export), name="activity_export"),
]

# --- People: members, invitations, contacts, organisation, profile ---
urlpatterns += [
    path("auth/confirm-email-again/", people.confirmation_resend, name="confirmation_resend"),
    path("organisations/new/", organisations.organisation_create, name="organisation_create"),
    path("organisations/switch/", organisations.organisation_switch, name="organisation_switch"),
    path("profile/", people.profile, name="profile"),
    path("invitations/<uuid:pk>/accept/", invitations.invitation_accept, name="invitation_accept"),
    path("invitations/<str:token>/", invitations.invitation, name="invitation"),
    path("invitations/<str:token>/sign-up/", invitations.invitation_sign_up, name="invitation_sign_up"),
    path("contacts/confirm/<str:token>/", contacts.contact_confirm, name="contact_confirm"),
    path("o/<slug:slug>/settings/", organisations.organisation_settings, name="organisation_settings"),
    path("o/<slug:slug>/settings/security/", security.security_packages, name="security_packages"),
    path("o/<slug:slug>/security/<slug:cloud>/", security.security_package, name="security_package"),
    path("o/<slug:slug>/security/<slug:cloud>/package.json", security.security_package_file, name="security_package_file"),
    path("o/<slug:slug>/settings/members/", people.members, name="members"),
    path("o/<slug:slug>/settings/members/leave/", people.member_leave, name="member_leave"),
    path("o/<slug:slug>/settings/members/<uuid:pk>/role/", people.member_role, name="member_role"),
    path("o/<slug:slug>/settings/members/<uuid:pk>/remove/", people.member_remove, name="member_remove"),
    path("o/<slug:slug>/settings/invitations/new/", invitations.invitation_create, name="invitation_create"),
    path("o/<slug:slug>/settings/invitations/<uuid:pk>/resend/", invitations.invitation_resend, name="invitation_resend"),
    path("o/<slug:slug>/settings/invitations/<uuid:pk>/revoke/", invitations.invitation_revoke, name="invitation_revoke"),
    path("o/<slug:slug>/settings/contacts/", contacts.contacts, name="contacts"),
    path("o/<slug:slug>/settings/contacts/add/", contacts.contact_add, name="contact_add"),
    path("o/<slug:slug>/settings/contacts/<uuid:pk>/remove/", contacts.contact_remove, name="contact_remove"),
    path("o/<slug:slug>/settings/contacts/<uuid:pk>/resend/", contacts.contact_resend, name="contact_resend"),
]

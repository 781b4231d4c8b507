"""URLs of support access: the provider's desk under /support/, the customer's pages under /o/<slug>/support/."""

from django.urls import path

from accounts.support.views import bundles, cases, customer, decisions, devices, policies, receipts, reviews, sessions, viewings

app_name = "support"

# --- The desk: support engineers only ---
urlpatterns = [
    path("support/", cases.case_list, name="case_list"),
    path("support/new/", cases.case_new, name="case_new"),
    path("support/review/", reviews.review_queue, name="review_queue"),
    path("support/sessions/", cases.session_list, name="session_list"),
    path("support/sessions/<uuid:pk>/", sessions.session, name="session"),
    path("support/sessions/<uuid:pk>/transcript/", sessions.session_transcript, name="session_transcript"),
    path("support/sessions/<uuid:pk>/acts/", sessions.session_act, name="session_act"),
    path("support/sessions/<uuid:pk>/code/", devices.session_code, name="session_code"),
    path("support/byoc_credentials.py", devices.credential_helper, name="credential_helper"),
    path("support/viewing/end/", viewings.viewing_end, name="viewing_end"),
    path("support/viewing/<uuid:pk>/", viewings.viewing_start, name="viewing_start"),
    path("support/device/bind/", devices.device_bind, name="device_bind"),
    path("support/device/credentials/", devices.device_credentials, name="device_credentials"),
    path("support/history/", reviews.case_history, name="case_history"),
    path("support/history/export.<slug:kind>", reviews.case_export, name="case_export"),
    path("support/bundles/", bundles.case_bundles, name="case_bundles"),
    path("support/bundles/<uuid:pk>/", bundles.case_bundle, name="case_bundle"),
    path("support/cases/<uuid:pk>/", cases.case_detail, name="case_detail"),
    path("support/cases/<uuid:pk>/edit/", cases.case_edit, name="case_edit"),
    path("support/cases/<uuid:pk>/check/", reviews.case_check, name="case_check"),
    path("support/cases/<uuid:pk>/withdraw/", cases.case_withdraw, name="case_withdraw"),
    path("support/cases/<uuid:pk>/receipt/", receipts.case_receipt, name="case_receipt"),
    path("support/cases/<uuid:pk>/receipt/receipt.json", receipts.case_receipt_json, name="case_receipt_json"),
    path("support/cases/<uuid:pk>/end/", cases.case_end, name="case_end"),
]

# --- The customer ---
urlpatterns += [
    path("o/<slug:slug>/support/", customer.access_home, name="access_home"),
    path("o/<slug:slug>/support/history/", customer.access_history, name="access_history"),
    path("o/<slug:slug>/support/history/export.<slug:kind>", customer.access_export, name="access_export"),
    path("o/<slug:slug>/support/policy/", policies.access_policy, name="access_policy"),
    path("o/<slug:slug>/support/policy/change/", policies.access_policy_change, name="access_policy_change"),
    path("o/<slug:slug>/support/policy/<uuid:pk>/confirm/", policies.access_policy_confirm, name="access_policy_confirm"),
    path("o/<slug:slug>/support/policy/<uuid:pk>/drop/", policies.access_policy_drop, name="access_policy_drop"),
    path("o/<slug:slug>/support/requests/<uuid:pk>/", customer.access_request, name="access_request"),
    path("o/<slug:slug>/support/requests/<uuid:pk>/approve/", decisions.access_approve, name="access_approve"),
    path("o/<slug:slug>/support/requests/<uuid:pk>/decline/", decisions.access_decline, name="access_decline"),
    path("o/<slug:slug>/support/requests/<uuid:pk>/ask/", decisions.access_ask, name="access_ask"),
    path("o/<slug:slug>/support/requests/<uuid:pk>/end/", customer.access_end, name="access_end"),
    path("o/<slug:slug>/support/requests/<uuid:pk>/transcript/", sessions.access_transcript, name="access_transcript"),
    path("o/<slug:slug>/support/requests/<uuid:pk>/transcript/live/", sessions.access_transcript_live, name="access_transcript_live"),
    path("o/<slug:slug>/support/requests/<uuid:pk>/receipt/", receipts.access_receipt, name="access_receipt"),
    path("o/<slug:slug>/support/requests/<uuid:pk>/receipt/receipt.json", receipts.access_receipt_json, name="access_receipt_json"),
    path("o/<slug:slug>/support/requests/<uuid:pk>/receipt/compare/", receipts.access_receipt_compare, name="access_receipt_compare"),
    path("o/<slug:slug>/support/requests/<uuid:pk>/receipt/evidence.zip", receipts.access_evidence, name="access_evidence"),
    path("o/<slug:slug>/support/verify_access.py", receipts.access_verifier, name="access_verifier"),
    path("o/<slug:slug>/support/bundles/new/", bundles.bundle_new, name="bundle_new"),
    path("o/<slug:slug>/support/bundles/<uuid:pk>/", bundles.bundle, name="bundle"),
    path("o/<slug:slug>/support/bundles/<uuid:pk>/collect/", bundles.bundle_collect, name="bundle_collect"),
    path("o/<slug:slug>/support/bundles/<uuid:pk>/release/", bundles.bundle_release, name="bundle_release"),
    path("o/<slug:slug>/support/bundles/<uuid:pk>/discard/", bundles.bundle_discard, name="bundle_discard"),
]

"""The pages of support access, for the tests that look at every page: which are looked at in test_support, and what is none."""

# Of the customer, in every theme and width.
CUSTOMER = ("access_home", "access_history", "access_policy", "access_policy_change", "bundle_new")
CUSTOMER_OF_A_REQUEST = ("access_request", "access_approve", "access_decline", "access_ask", "access_end")
CUSTOMER_OF_A_GRANT = {"access_transcript": "active", "access_receipt": "ended"}
# Of the provider's desk.
DESK = ("case_list", "case_bundles", "case_new", "review_queue", "session_list", "case_history")
DESK_OF_A_GRANT = ("case_receipt",)
DESK_OF_A_REQUEST = ("case_detail", "case_edit", "case_check")
LOOKED_AT = (
    *CUSTOMER,
    *CUSTOMER_OF_A_REQUEST,
    *CUSTOMER_OF_A_GRANT,
    "bundle",
    "case_bundle",
    *DESK,
    *DESK_OF_A_REQUEST,
    *DESK_OF_A_GRANT,
    "session",
)

NO_PAGE = {
    **dict.fromkeys((f"support:{name}" for name in LOOKED_AT), "visited by tests/browser/test_support.py"),
    "support:access_export": "a file",
    **dict.fromkeys(
        (
            f"support:{name}"
            for name in (
                "access_receipt_json",
                "access_evidence",
                "access_verifier",
                "case_receipt_json",
                "case_export",
                "credential_helper",
            )
        ),
        "a file",
    ),
    **dict.fromkeys(("support:bundle_collect", "support:bundle_release", "support:bundle_discard"), "POST"),
    "support:access_receipt_compare": "POST",
    "support:access_transcript_live": "a fragment",
    "support:session_transcript": "a fragment",
    **dict.fromkeys((f"support:{name}" for name in ("session_act", "device_bind", "device_credentials", "viewing_end")), "POST"),
    "support:session_code": "POST; its answer is looked at by tests/browser/test_support.py",
    "support:access_policy_confirm": "POST",
    "support:access_policy_drop": "POST",
    "support:case_withdraw": "POST",
    "support:case_end": "POST",
}

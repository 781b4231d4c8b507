"""The strict local Google Cloud: one listener (`--gcp-port`), one path prefix an API.

    /sts /iamcredentials /iam /crm /serviceusage /compute /orgpolicy /container /config /storage /logging

What a caller may do is computed from the policies; nothing is switched by hand. Only tokens made here are taken: by the exchange of
a token of our issuer, by `generateAccessToken`, or for a person by the control endpoint. It says nothing at all about root.

Control, JSON, at `/_sandbox/gcp/` of the customer's port:

GET    /                  clock, knobs, projects, faults
POST   knobs              {"propagation_seconds": 3, "operation_seconds": 2}
POST   clock              {"advance": 3600}: access tokens, conditions, soft deletes, operations follow
POST   owner-token        {"project": "acme-data-prod"} or {"email": "viewer@acme.example"} -> {"token", "email"}
GET    projects           all of them, deleted ones too
POST   projects           {"id", "owner", "number"?, "organization"?, "services"?}
DELETE projects?id=x      asks for the deletion
POST   projects/recreate  {"id"}: the same id, a new number, nothing in it
POST   grants             {"project", "role", "member"}: a binding the owner added by hand
POST   org-policies       {"project" | "organization", "constraint", "spec": {"rules": [...]} or null}
POST   quotas             {"project", "region" or "", "metric", "limit", "usage"?}
POST   networks           {"project", "name", "subnetworks": [{"name", "region", "range"}]}; DELETE networks?project=&name=
POST   resources          {"project", "path": "global/firewalls/x", "body": {...} or null}: what somebody else made in compute, or
                          "locations/<region>/clusters/x", "locations/<region>/deployments/x"
POST   failures           {"type": "google_container_cluster" or "*", "action": "create|update|delete", "reason", "status"?, "address"?,
                          "count"?}: a resource that a plan orders fails
GET    builds             deployments of Infrastructure Manager and their state
POST   objects            {"bucket", "name", "content" in base 64}: a file that anybody may read
GET    state?project=x    services, resources and policies of a project
GET|POST|DELETE faults    as at /_sandbox/faults; service is the prefix, action Google's method id, account the project's id
GET    journal?after=n    the exchanges, without secrets; DELETE empties it
POST   reset              the demo's world; the global reset does it too

Seeded: acme-data-prod 123456789012, acme-sandbox 345678901234, acme-locked 456789012345 (its organisation policy knows only GitHub as
an issuer), all of owner@acme.example; globex-analytics 210987654321 of owner@globex.example; viewer@acme.example may look at the first.
fernhill-releases 567890123456 is the provider's own, with a token that does not end: it publishes plans.
A new API: a module in `apis/` with a function for each `@method`, its host in `methods.HOSTS`, one line in `apis/__init__.py`.
"""

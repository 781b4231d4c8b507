"""The strict local Azure: Entra, Resource Manager and the cloud's metadata on one TLS listener, `--azure-port`.

Nothing in it is told what the portal may do: rights follow from role assignments, sign-ins from federated credentials, both
written through ARM by whoever owns the subscription. What it does not play is refused and recorded as a violation.

Control, JSON, on the console port (`/_sandbox/azure/...`):

    GET    (nothing)      tenants, subscriptions, faults, the clock
    POST   owner-token    {"subscription", "role": "Owner" | "Contributor" | "Reader" | ...} -> {"token", "tenant", "name", "object_id"}
    POST   tenants        {"id", "name", "domain"}          POST subscriptions {"id", "tenant", "name", "state"}
    PATCH  subscriptions  {"id", "state": "Enabled" | "Warned" | "PastDue" | "Disabled" | "Deleted", "tenant", "registered": [...],
                          "location_denials": [...]}
    POST   policies       {"subscription", "kind": "issuers" | "locations", "allowed": [...]}, {"kind": "types", "forbidden": [...]},
                          {"kind": "rule", "name", "properties": {policyRule, parameters}, "parameters": {name: {"value"}}}
    POST   usages         {"subscription", "service": "compute" | "network", "name": "cores", "used": 90, "limit": 100}
    GET|DELETE resources  ?under=<scope> lists, ?id=<id> removes without a trace
    GET|POST|DELETE faults {"kind", "service": "entra" | "arm", "action": "token" | "Microsoft.X/y/read", "account": tenant | subscription,
                          "count", "seconds": Retry-After or delay}; kinds of portal/sandbox/faults.py, with 401_claims and read_only
    POST   clock          {"seconds": 3600} moves this Azure's clock: tokens expire, propagation ends, deployments go on
    POST   page-size      {"size": 2} makes every list come in pages; 0: all at once
    POST   removal        {"seconds": 300} from now on an assignment that is deleted is honoured for so long: Azure's cache
    POST   revoke         {"client": "*"} forgets access tokens        GET|DELETE journal  every exchange, secrets left out
    POST   reset          back to the demo's tenants; the sandbox's own reset does it too

Propagation (`propagation_seconds`), pace (`pace_seconds`) and deployments that fail on order (`failures`, by resource type) are
the sandbox's own knobs, `POST /_sandbox/knobs`; a reason "Code: text" fails with that code, and with action "delete" when a stack goes.
Workflows run by themselves at their times, on this clock.
Deployment stacks of a group, and all that a cell is made of, are played: machines start the agent that their data names. Tenants and
subscriptions of a fresh start stand in `seed.py`.
"""

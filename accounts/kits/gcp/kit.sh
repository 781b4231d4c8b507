#!/usr/bin/env bash
# Onboarding kit for Google Cloud. Read it before you run it: it is short, and it does nothing else than what stands here.
#
# It makes one workload identity pool with one provider, seven service accounts, twelve custom roles and four views of your log in one
# project, and binds the roles; those of support it only makes. It switches on your project's own log of who reads deployments and logs.
# No network, no machine, no key, no secret. It changes nothing else that it did not make, and it may be run any number of times: a run
# that was interrupted goes on where it stopped. Give it a project of its own: Google Cloud cannot hold what builds cells to single
# networks, nor to single deployments of Infrastructure Manager.
#
# Who runs it needs roles/owner on the project, or these together: roles/iam.workloadIdentityPoolAdmin, roles/iam.serviceAccountAdmin,
# roles/iam.roleAdmin, roles/resourcemanager.projectIamAdmin, roles/logging.configWriter and roles/serviceusage.serviceUsageAdmin.
#
# Your own switches, at any time:   --allow-changes no   --allow-support no     (run it again with "yes" to switch back)
# A switch that you do not name stays as it is; on the first run it is "yes".
# To take everything away again:    --remove             (only when the portal says that it is safe)
set -euo pipefail

KIT_VERSION="1.4.0"

# --- What the portal may do: the reason for every line stands on the portal's permissions page ---------------------------------------

# Read, to check this kit and to look before building. Bound to the operator always.
VERIFY=(
  compute.disks.list
  compute.firewalls.list
  compute.forwardingRules.list
  compute.globalAddresses.list
  compute.instances.list
  compute.networks.list
  compute.projects.get
  compute.regions.get
  compute.regions.list
  compute.routers.list
  compute.routes.list
  compute.subnetworks.list
  compute.zones.list
  config.deployments.list
  container.clusters.list
  iam.roles.get
  iam.serviceAccountKeys.list
  iam.serviceAccounts.get
  iam.serviceAccounts.getIamPolicy
  iam.workloadIdentityPoolProviders.list
  iam.workloadIdentityPools.get
  logging.views.get
  orgpolicy.policy.get
  resourcemanager.projects.get
  resourcemanager.projects.getIamPolicy
  serviceusage.services.list
)

# Order cells from Infrastructure Manager, which builds them as the builder. Bound to the operator while changes are allowed. It reads no
# state of a deployment.
CELLS=(
  config.deployments.create
  config.deployments.delete
  config.deployments.get
  config.deployments.update
  config.operations.get
  config.previews.create
  config.previews.delete
  config.previews.get
  config.resourcedrifts.list
  config.resources.list
  config.revisions.get
  config.revisions.list
)

# Build cells: networks and clusters, and what Infrastructure Manager needs of the account that it builds as. Bound to the builder while
# changes are allowed.
BUILD=(
  compute.globalOperations.get
  compute.networks.create
  compute.networks.delete
  compute.networks.get
  compute.networks.updatePolicy
  compute.networks.use
  compute.regionOperations.get
  compute.routers.create
  compute.routers.delete
  compute.routers.get
  compute.routers.update
  compute.subnetworks.create
  compute.subnetworks.delete
  compute.subnetworks.get
  compute.subnetworks.use
  compute.zoneOperations.get
  compute.zones.get
  config.artifacts.import
  config.deployments.deleteState
  config.deployments.getLock
  config.deployments.getState
  config.deployments.updateState
  config.previews.upload
  config.revisions.getState
  container.clusters.create
  container.operations.get
  container.operations.list
  logging.logEntries.create
)

# The same for what Google Cloud can hold to names. Bound to the builder while changes are allowed, and only for names that start with the
# account's prefix.
CLUSTERS=(
  compute.disks.create
  compute.disks.get
  compute.disks.setLabels
  compute.firewalls.create
  compute.firewalls.delete
  compute.firewalls.get
  compute.firewalls.update
  compute.instances.create
  compute.instances.delete
  compute.instances.get
  compute.instances.setLabels
  compute.instances.setMetadata
  compute.instances.setServiceAccount
  container.clusters.delete
  container.clusters.get
  container.clusters.update
)

# Infrastructure Manager's own store of what it built. Bound to the builder while changes are allowed, and only for the one bucket that
# Infrastructure Manager makes for this project and region.
STORE=(
  storage.buckets.create
  storage.buckets.delete
  storage.buckets.get
  storage.buckets.update
  storage.objects.create
  storage.objects.delete
  storage.objects.get
  storage.objects.list
  storage.objects.update
)

# Look at cells, in Infrastructure Manager. Bound to nobody by this script: the operator binds it to one of the support accounts for the
# time of an access that you approved, under a condition with its end, after which Google Cloud itself refuses.
SUPPORT=(
  config.deployments.get
  config.resources.list
  config.revisions.list
)

# Look at clusters. Bound in the same way, and only for the one cluster of the access, or for names that start with the account's prefix.
SUPPORT_CLUSTERS=(
  container.clusters.get
)

# Read what clusters write about themselves. Bound in the same way, and only for three of the views below, which show no workload of yours.
SUPPORT_LOGS=(
  logging.views.access
)

# Open and close support access. Bound to the operator while support is allowed, and only for giving and taking the three roles of support.
GRANT=(
  resourcemanager.projects.setIamPolicy
)

# Read what Google Cloud wrote down of support access. Bound to the operator always, and only for the one view below.
TRAIL=(
  logging.views.access
)

# Look at what runs in the clusters of cells, its log lines among it. Bound to the agent account always, and only for clusters whose names
# start with the account's prefix. The agent runs inside of a cell and calls the portal; nothing from outside opens its account.
AGENT=(
  container.clusters.get
  container.cronJobs.get
  container.cronJobs.list
  container.daemonSets.get
  container.daemonSets.list
  container.deployments.get
  container.deployments.list
  container.events.list
  container.horizontalPodAutoscalers.get
  container.horizontalPodAutoscalers.list
  container.ingresses.get
  container.ingresses.list
  container.jobs.get
  container.jobs.list
  container.namespaces.get
  container.namespaces.list
  container.nodes.get
  container.nodes.list
  container.persistentVolumeClaims.get
  container.persistentVolumeClaims.list
  container.pods.get
  container.pods.getLogs
  container.pods.list
  container.replicaSets.get
  container.replicaSets.list
  container.services.get
  container.services.list
  container.statefulSets.get
  container.statefulSets.list
)

# Install, change and remove what runs there. Bound to the agent account while changes are allowed, for the same clusters. None of these
# gives anybody a role in a cluster, runs a command in a pod, or changes a machine. What is installed may do more than the agent itself.
AGENT_CHANGE=(
  container.configMaps.create
  container.configMaps.delete
  container.configMaps.get
  container.configMaps.update
  container.cronJobs.create
  container.cronJobs.delete
  container.cronJobs.update
  container.daemonSets.create
  container.daemonSets.delete
  container.daemonSets.update
  container.deployments.create
  container.deployments.delete
  container.deployments.update
  container.deployments.updateScale
  container.horizontalPodAutoscalers.create
  container.horizontalPodAutoscalers.delete
  container.horizontalPodAutoscalers.update
  container.ingresses.create
  container.ingresses.delete
  container.ingresses.update
  container.jobs.create
  container.jobs.delete
  container.jobs.update
  container.limitRanges.create
  container.limitRanges.get
  container.limitRanges.update
  container.namespaces.create
  container.namespaces.delete
  container.namespaces.update
  container.networkPolicies.create
  container.networkPolicies.delete
  container.networkPolicies.get
  container.networkPolicies.update
  container.persistentVolumeClaims.create
  container.persistentVolumeClaims.delete
  container.persistentVolumeClaims.update
  container.podDisruptionBudgets.create
  container.podDisruptionBudgets.delete
  container.podDisruptionBudgets.get
  container.podDisruptionBudgets.update
  container.pods.delete
  container.resourceQuotas.create
  container.resourceQuotas.get
  container.resourceQuotas.update
  container.secrets.create
  container.secrets.delete
  container.secrets.get
  container.secrets.list
  container.secrets.update
  container.serviceAccounts.create
  container.serviceAccounts.delete
  container.serviceAccounts.get
  container.serviceAccounts.update
  container.services.create
  container.services.delete
  container.services.update
  container.statefulSets.create
  container.statefulSets.delete
  container.statefulSets.update
  container.statefulSets.updateScale
)

# The APIs that all this takes.
SERVICES=(
  iam.googleapis.com                   # service accounts, roles, the identity pool
  iamcredentials.googleapis.com        # turns the portal's sign-in into a short-lived token of the operator account
  sts.googleapis.com                   # checks the portal's signed token
  cloudresourcemanager.googleapis.com  # names the project, and who may do what in it
  serviceusage.googleapis.com          # tells which APIs are on
  orgpolicy.googleapis.com             # tells which rules of your organisation a cell would break
  compute.googleapis.com               # networks of cells
  container.googleapis.com             # clusters of cells
  config.googleapis.com                # Infrastructure Manager: builds a cell, and takes it away whole
  cloudbuild.googleapis.com            # Infrastructure Manager runs on it
  logging.googleapis.com               # the log of what Infrastructure Manager did, and of who read what
)

# What the four views of the log show: what clusters write about themselves, which is three since a view knows no OR, and who read what.
CLUSTERS_VIEW='resource.type="k8s_cluster"'
NODES_VIEW='resource.type="k8s_node"'
PLANE_VIEW='resource.type="k8s_control_plane_component"'
TRAIL_VIEW='LOG_ID("cloudaudit.googleapis.com/data_access")'

# Reading of these is written down in your log from now on. Google Cloud charges for logs beyond what is free each month; these are few.
AUDITED=(
  '{"service": "config.googleapis.com", "auditLogConfigs": [{"logType": "ADMIN_READ"}, {"logType": "DATA_READ"}]}'
  '{"service": "logging.googleapis.com", "auditLogConfigs": [{"logType": "DATA_READ"}]}'
)

# --- What it was told ----------------------------------------------------------------------------------------------------------------

say() { printf '%s\n' "$*"; }
stop() { printf '\nStopped: %s\n' "$*" >&2; exit 1; }

PROJECT_ID="" PROJECT_NUMBER="" ACCOUNT="" GENERATION="" SUFFIX="" ISSUER="" REGION="" REPORT=""
ALLOW_CHANGES="keep" ALLOW_SUPPORT="keep" REMOVE="no"

while [ "$#" -gt 0 ]; do
  if [ "$1" = "--remove" ]; then REMOVE="yes"; shift; continue; fi
  [ "$#" -ge 2 ] || stop "$1 needs a value."
  case "$1" in
    --project-id) PROJECT_ID="$2" ;;
    --project-number) PROJECT_NUMBER="$2" ;;
    --account) ACCOUNT="$2" ;;
    --generation) GENERATION="$2" ;;
    --suffix) SUFFIX="$2" ;;
    --issuer) ISSUER="$2" ;;
    --region) REGION="$2" ;;
    --report) REPORT="$2" ;;
    --allow-changes) ALLOW_CHANGES="$2" ;;
    --allow-support) ALLOW_SUPPORT="$2" ;;
    *) stop "$1 is not known." ;;
  esac
  shift 2
done

check() { [[ "$2" =~ ^$3$ ]] || stop "--$1 is not what the portal filled in. Copy the whole command again."; }
check project-id "$PROJECT_ID" '[a-z][a-z0-9-]{4,28}[a-z0-9]'
check project-number "$PROJECT_NUMBER" '[0-9]{6,19}'
check account "$ACCOUNT" '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'
check generation "$GENERATION" '[1-9][0-9]{0,3}'
check suffix "$SUFFIX" "${ACCOUNT%%-*}-g$GENERATION" # of this account and this generation, and of no other
check issuer "$ISSUER" 'https://[a-z0-9.:/-]+'
check region "$REGION" '[a-z]+-[a-z]+[0-9]+'
check allow-changes "$ALLOW_CHANGES" '(yes|no|keep)'
check allow-support "$ALLOW_SUPPORT" '(yes|no|keep)'
[ -z "$REPORT" ] || check report "$REPORT" "https?://[^\"'[:space:]]+"

POOL="byoc-$SUFFIX"
PROVIDER="portal"
OPERATOR="byoc-$SUFFIX-operator"
BUILDER="byoc-$SUFFIX-builder"
SUPPORTERS=("byoc-$SUFFIX-support" "byoc-$SUFFIX-support2" "byoc-$SUFFIX-support3") # each serves one access at a time
NODE="byoc-$SUFFIX-node"
AGENTS="byoc-$SUFFIX-agent"
PREFIX="byoc-${SUFFIX%%-*}-" # of everything a cell is made of; it outlives this kit
ROLE="byoc_${SUFFIX//-/_}"   # custom roles take no dashes
DOMAIN="$PROJECT_ID.iam.gserviceaccount.com"
POOL_PATH="iam.googleapis.com/projects/$PROJECT_NUMBER/locations/global/workloadIdentityPools/$POOL"
CELLS_VIEW="byoc-$SUFFIX-clusters" # begins the names of the three of the log that support may read
READS_VIEW="byoc-$SUFFIX-trail"    # of the log: what the operator may read

# The limits of the bindings that Google Cloud can hold to names: clusters and firewall rules of cells, the machine of the agent with its
# disk, the one bucket, the three roles of support, and the one view of the log.
OWN_NAMES="resource.name.extract('/clusters/{name}').startsWith('$PREFIX') || resource.name.extract('/firewalls/{name}').startsWith('$PREFIX') || resource.name.extract('/instances/{name}').startsWith('$PREFIX') || resource.name.extract('/disks/{name}').startsWith('$PREFIX')"
OWN_STORE="resource.name == 'projects/_/buckets/$PROJECT_NUMBER-$REGION-blueprint-config' || resource.name.startsWith('projects/_/buckets/$PROJECT_NUMBER-$REGION-blueprint-config/')"
OWN_SUPPORT="api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', []).hasOnly(['projects/$PROJECT_ID/roles/${ROLE}_support', 'projects/$PROJECT_ID/roles/${ROLE}_support_clusters', 'projects/$PROJECT_ID/roles/${ROLE}_support_logs'])"
OWN_TRAIL="resource.name.endsWith('/locations/global/buckets/_Default/views/$READS_VIEW')"

# gcloud must not ask, and must not take another project for this one.
export CLOUDSDK_CORE_DISABLE_PROMPTS=1
export CLOUDSDK_CORE_PROJECT="$PROJECT_ID"

# --- The right project, or nothing ---------------------------------------------------------------------------------------------------

found="$(gcloud projects describe "$PROJECT_ID" --format='value(projectNumber,lifecycleState)')" \
  || stop "Project $PROJECT_ID cannot be read by the account that you are signed in with. Nothing was changed."
read -r number state <<<"$found"
if [ "$number" != "$PROJECT_NUMBER" ]; then
  # The portal is told the number that it was not given, so that its page can name both. A hint, as below.
  [ -z "$REPORT" ] || [ "$REMOVE" = "yes" ] || curl -fsS -m 20 -X POST -H 'Content-Type: application/json' \
    -d "{\"kit\": \"gcp\", \"version\": \"$KIT_VERSION\", \"generation\": $GENERATION, \"project_id\": \"$PROJECT_ID\", \"project_number\": \"$number\", \"region\": \"$REGION\"}" \
    "$REPORT" >/dev/null || true
  stop "This kit was made for project $PROJECT_ID with number $PROJECT_NUMBER. The project of this name has number $number. Nothing was changed. In the portal, stop connecting, correct the project number to $number, and make the kit again."
fi
[ "$state" = "ACTIVE" ] || stop "Project $PROJECT_ID is $state. Nothing was changed."

# --- How each kind of thing is made --------------------------------------------------------------------------------------------------

# A folder of its own, which nobody else may open: what Google Cloud says is written there, and it goes with this script.
WORK="$(mktemp -d)"
trap 'rm -rf "$WORK"' EXIT
LOG="$WORK/log"
POLICY="$WORK/policy"

# What was just made is not known everywhere at once: the same call may work a moment later. Fails when it was refused for good.
attempt() {
  local try
  for try in 1 2 3 4 5 6; do
    if "$@" >/dev/null 2>"$LOG"; then return 0; fi
    [ "$try" != 6 ] || break
    grep -qiE 'does not exist|not found|concurrent policy changes|propagat' "$LOG" || break
    sleep "$((try * 3))"
  done
  return 1
}

refused() {
  cat "$LOG" >&2
  stop "Google Cloud refused: ${*:1:5} ... Mend the cause and run the same command again; it goes on from here."
}

patiently() { attempt "$@" || refused "$@"; }

# Prints what `describe` says, or nothing when there is no such thing. Any other refusal stops the script.
look() {
  if "$@" 2>"$LOG"; then return 0; fi
  grep -qiE 'NOT_FOUND|not found|does not exist|Unknown service account' "$LOG" || { cat "$LOG" >&2; stop "Google Cloud refused: ${*:1:4} ..."; }
}

commas() { local IFS=,; printf '%s' "$*"; }

# What was deleted is never brought back silently: somebody deleted it on purpose, and its name stays taken for 30 days.
gone() { stop "$1 was deleted, and Google Cloud keeps its name for 30 days. Press \"Run again\" in the portal to get a kit with new names."; }

ensure_role() { # name, title, permissions
  local id="${ROLE}_$1" state
  state="$(look gcloud iam roles describe "$id" --project="$PROJECT_ID" --format='value(name,deleted)')"
  case "$state" in
    *True* | *true*) gone "Role $id" ;;
    "") patiently gcloud iam roles create "$id" --project="$PROJECT_ID" --title="$2" --permissions="$3" --stage=GA ;;
    *) patiently gcloud iam roles update "$id" --project="$PROJECT_ID" --title="$2" --permissions="$3" --stage=GA ;;
  esac
  say "  role $id"
}

ensure_account() { # id, display name, description
  local email="$1@$DOMAIN" there
  there="$(look gcloud iam service-accounts describe "$email" --project="$PROJECT_ID" --format='value(email)')"
  [ -n "$there" ] || patiently gcloud iam service-accounts create "$1" --project="$PROJECT_ID" --display-name="$2" ${3:+"--description=$3"}
  say "  service account $email"
}

ensure_pool() {
  local state
  state="$(look gcloud iam workload-identity-pools describe "$POOL" --project="$PROJECT_ID" --location=global --format='value(state)')"
  case "$state" in
    DELETED) gone "Identity pool $POOL" ;;
    "") patiently gcloud iam workload-identity-pools create "$POOL" --project="$PROJECT_ID" --location=global \
      --display-name="BYOC portal $SUFFIX" --description="Lets the portal sign in without a key. Made by its onboarding kit." ;;
  esac
  say "  identity pool $POOL"
}

ensure_provider() {
  local state verb="update-oidc"
  state="$(look gcloud iam workload-identity-pools providers describe "$PROVIDER" --project="$PROJECT_ID" --location=global \
    --workload-identity-pool="$POOL" --format='value(state)')"
  case "$state" in
    DELETED) gone "Identity provider $PROVIDER of $POOL" ;;
    "") verb="create-oidc" ;;
  esac
  # No audience is named: Google then takes only tokens made for this very provider. A token for support names the access that you
  # approved, so that each line of your log does.
  patiently gcloud iam workload-identity-pools providers "$verb" "$PROVIDER" --project="$PROJECT_ID" --location=global \
    --workload-identity-pool="$POOL" --issuer-uri="$ISSUER" \
    --attribute-mapping="google.subject=assertion.sub + (has(assertion.grant) ? ':' + assertion.grant : ''),attribute.identity=assertion.sub" \
    --attribute-condition="assertion.sub in ['account:$ACCOUNT:ops', 'account:$ACCOUNT:support']"
  say "  identity provider $PROVIDER, which trusts $ISSUER"
}

let_in() { # service account, member, role
  patiently gcloud iam service-accounts add-iam-policy-binding "$1@$DOMAIN" --project="$PROJECT_ID" \
    --member="$2" --role="$3" --condition=None --format=none
}

bind() { # service account, role, condition
  local condition="None"
  [ -z "${3:-}" ] || condition="^;^expression=$3;title=byoc" # commas stand in expressions
  patiently gcloud projects add-iam-policy-binding "$PROJECT_ID" --member="serviceAccount:$1@$DOMAIN" --role="$2" \
    --condition="$condition" --format=none
}

# Whom the policy names of this account: itself, or what Google Cloud calls it once it was deleted.
members() { # service account
  grep -oE "(deleted:)?serviceAccount:$1@$DOMAIN(\?uid=[0-9]+)?" "$POLICY" | sort -u || true
}

# Fails when Google Cloud refuses; a binding that is not there is none to take away.
unbind() { # service account, role
  local member
  gcloud projects get-iam-policy "$PROJECT_ID" --format=json >"$POLICY" 2>"$LOG" || return 1
  grep -qF "\"$2\"" "$POLICY" || return 0
  for member in $(members "$1"); do
    gcloud projects remove-iam-policy-binding "$PROJECT_ID" --member="$member" --role="$2" --all --format=none >/dev/null 2>"$LOG" \
      || grep -qiE 'policy bindings? .*not found' "$LOG" || return 1
  done
}

bind_if() { # "yes" or "no", service account, role, condition
  if [ "$1" = "yes" ]; then bind "$2" "$3" "${4:-}"; else unbind "$2" "$3" || refused unbind "$2" "$3"; fi
}

# A view of the log that every project has.
ensure_view() { # name, filter, description
  local verb="update" there
  there="$(look gcloud logging views describe "$1" --project="$PROJECT_ID" --bucket=_Default --location=global --format='value(name)')"
  [ -n "$there" ] || verb="create"
  patiently gcloud logging views "$verb" "$1" --project="$PROJECT_ID" --bucket=_Default --location=global --log-filter="$2" --description="$3"
  say "  view $1 of the log"
}

# Adds to the project's audit configuration what is not there, and leaves all else in the policy as it is. What you have set for one of
# these services yourself stays.
write_down() { # entries of an audit configuration
  local entry added=""
  gcloud projects get-iam-policy "$PROJECT_ID" --format=json >"$POLICY" 2>"$LOG" || return 1
  for entry in "$@"; do
    grep -qF "\"service\": \"$(sed -E 's/.*"service": "([^"]+)".*/\1/' <<<"$entry")\"" "$POLICY" || added="$added$entry, "
  done
  [ -n "$added" ] || return 0
  if grep -qF '"auditConfigs": [' "$POLICY"; then
    sed "s|\"auditConfigs\": \[|\"auditConfigs\": [$added|" "$POLICY" >"$POLICY.new"
  else
    sed "1s|{|{\"auditConfigs\": [${added%, }],|" "$POLICY" >"$POLICY.new"
  fi
  gcloud projects set-iam-policy "$PROJECT_ID" "$POLICY.new" --format=none >/dev/null 2>"$LOG"
}

custom() { printf 'projects/%s/roles/%s_%s' "$PROJECT_ID" "$ROLE" "$1"; }

# --- Take everything away ------------------------------------------------------------------------------------------------------------

STAYS=""
stays() {
  cat "$LOG" >&2
  STAYS="$STAYS
  $1"
}

away() { # what it is, the command that takes it away
  local what="$1"
  shift
  if attempt "$@"; then say "  $what"; else stays "$what"; fi
}

# What cannot be read is tried to be taken away: the refusal then says why.
state_of() { "$@" 2>"$LOG" || { grep -qiE 'NOT_FOUND|not found|does not exist|Unknown service account' "$LOG" || printf 'UNKNOWN'; }; }

# The portal is shut out first. What is refused is named at the end and holds up nothing else. The names of the pool, the roles and the
# accounts stay taken for 30 days; that costs nothing.
remove_everything() {
  local account role view left
  say "Removing the kit $POOL from project $PROJECT_ID:"
  case "$(state_of gcloud iam workload-identity-pools describe "$POOL" --project="$PROJECT_ID" --location=global --format='value(state)')" in
    "" | DELETED) ;;
    *) away "identity pool $POOL" gcloud iam workload-identity-pools delete "$POOL" --project="$PROJECT_ID" --location=global ;;
  esac
  for role in verify cells grant trail; do unbind "$OPERATOR" "$(custom "$role")" || stays "role $role of $OPERATOR"; done
  for role in build clusters store; do unbind "$BUILDER" "$(custom "$role")" || stays "role $role of $BUILDER"; done
  for account in "${SUPPORTERS[@]}"; do
    for role in support support_clusters support_logs; do unbind "$account" "$(custom "$role")" || stays "role $role of $account"; done
  done
  for role in agent agent_change; do unbind "$AGENTS" "$(custom "$role")" || stays "role $role of $AGENTS"; done
  unbind "$NODE" roles/container.defaultNodeServiceAccount || stays "role container.defaultNodeServiceAccount of $NODE"
  for account in "$OPERATOR" "$BUILDER" "${SUPPORTERS[@]}" "$NODE" "$AGENTS"; do
    [ -z "$(state_of gcloud iam service-accounts describe "$account@$DOMAIN" --project="$PROJECT_ID" --format='value(email)')" ] \
      || away "service account $account@$DOMAIN" gcloud iam service-accounts delete "$account@$DOMAIN" --project="$PROJECT_ID"
  done
  for role in verify cells build clusters store support support_clusters support_logs grant trail agent agent_change; do
    case "$(state_of gcloud iam roles describe "${ROLE}_$role" --project="$PROJECT_ID" --format='value(name,deleted)')" in
      "" | *True* | *true*) ;;
      *) away "role ${ROLE}_$role" gcloud iam roles delete "${ROLE}_$role" --project="$PROJECT_ID" ;;
    esac
  done
  for view in "$CELLS_VIEW" "$CELLS_VIEW-nodes" "$CELLS_VIEW-plane" "$READS_VIEW"; do
    [ -z "$(state_of gcloud logging views describe "$view" --project="$PROJECT_ID" --bucket=_Default --location=global --format='value(name)')" ] \
      || away "view $view of the log" gcloud logging views delete "$view" --project="$PROJECT_ID" --bucket=_Default --location=global
  done
  say ""
  [ -z "$STAYS" ] || stop "Google Cloud refused to take these away, for the reasons above; the rest is gone. Run the same command again once they are mended:$STAYS"
  say "Done. The portal has no way into this project any more. APIs, and the log of who reads, were left on: others may use them."
  # Somebody may have given one of the kit's accounts more than the kit did.
  if gcloud projects get-iam-policy "$PROJECT_ID" --format=json >"$POLICY" 2>"$LOG"; then
    left="$(members "byoc-$SUFFIX-[a-z]+")"
    [ -z "$left" ] || say "The project's policy still names accounts that are gone, in bindings that the kit did not make: $left"
  fi
}

if [ "$REMOVE" = "yes" ]; then remove_everything; exit 0; fi

# --- Make it -------------------------------------------------------------------------------------------------------------------------

say "Onboarding kit $KIT_VERSION for project $PROJECT_ID ($PROJECT_NUMBER). This takes one to two minutes."
say "Switching on the APIs it needs"
patiently gcloud services enable "${SERVICES[@]}" --project="$PROJECT_ID"

# A switch that is not named keeps what stands in the operator account's description, or in that of this account's last kit before this
# one: your own "no" outlives the portal's command.
STANDING=""
for ((earlier = GENERATION; earlier > 0 && earlier > GENERATION - 5; earlier--)); do
  email="byoc-${SUFFIX%%-*}-g$earlier-operator@$DOMAIN"
  STANDING="$(look gcloud iam service-accounts describe "$email" --project="$PROJECT_ID" --format='value(email,description)')"
  [ -z "$STANDING" ] || break
done
switch() { # name, what was asked for
  local said
  if [ "$2" != "keep" ]; then printf '%s' "$2"; return 0; fi
  if [ -z "$STANDING" ]; then printf 'yes'; return 0; fi
  for said in yes no; do
    case " $STANDING " in *" $1=$said "*) printf '%s' "$said"; return 0 ;; esac
  done
  stop "The description of $email does not tell how --$1 stands. Run the same command again with --$1 yes or --$1 no at its end."
}
ALLOW_CHANGES="$(switch allow-changes "$ALLOW_CHANGES")"
ALLOW_SUPPORT="$(switch allow-support "$ALLOW_SUPPORT")"
say "Your switches: --allow-changes $ALLOW_CHANGES, --allow-support $ALLOW_SUPPORT"

say "Making roles"
ensure_role verify "BYOC $SUFFIX: read, to check the kit and to look before building" "$(commas "${VERIFY[@]}")"
ensure_role cells "BYOC $SUFFIX: order cells" "$(commas "${CELLS[@]}")"
ensure_role build "BYOC $SUFFIX: build cells" "$(commas "${BUILD[@]}")"
ensure_role clusters "BYOC $SUFFIX: change what is held to names of cells" "$(commas "${CLUSTERS[@]}")"
ensure_role store "BYOC $SUFFIX: Infrastructure Manager's own store" "$(commas "${STORE[@]}")"
ensure_role support "BYOC $SUFFIX: look at cells" "$(commas "${SUPPORT[@]}")"
ensure_role support_clusters "BYOC $SUFFIX: look at clusters of cells" "$(commas "${SUPPORT_CLUSTERS[@]}")"
ensure_role support_logs "BYOC $SUFFIX: read what clusters of cells write about themselves" "$(commas "${SUPPORT_LOGS[@]}")"
ensure_role grant "BYOC $SUFFIX: open and close support access" "$(commas "${GRANT[@]}")"
ensure_role trail "BYOC $SUFFIX: read what was written down of support access" "$(commas "${TRAIL[@]}")"
ensure_role agent "BYOC $SUFFIX: look into clusters of cells" "$(commas "${AGENT[@]}")"
ensure_role agent_change "BYOC $SUFFIX: run instances in clusters of cells" "$(commas "${AGENT_CHANGE[@]}")"

say "Making service accounts, none of them with a key"
# The switches are noted at once: a run that stops half-way forgets none. The portal takes a kit for finished by the line written below.
SWITCHES="allow-changes=$ALLOW_CHANGES allow-support=$ALLOW_SUPPORT"
ensure_account "$OPERATOR" "BYOC $SUFFIX operator" "unfinished $SWITCHES"
case " $STANDING " in
  "  " | *" $SWITCHES "*) ;;
  *) patiently gcloud iam service-accounts update "$OPERATOR@$DOMAIN" --project="$PROJECT_ID" --description="unfinished $SWITCHES" ;;
esac
ensure_account "$BUILDER" "BYOC $SUFFIX builder"
for account in "${SUPPORTERS[@]}"; do ensure_account "$account" "BYOC $SUFFIX ${account##*-}"; done
ensure_account "$NODE" "BYOC $SUFFIX machines of cells"
ensure_account "$AGENTS" "BYOC $SUFFIX agent"

say "Making views of the log, and switching on the log of who reads"
ensure_view "$CELLS_VIEW" "$CLUSTERS_VIEW" "BYOC $SUFFIX: what clusters write about themselves"
ensure_view "$CELLS_VIEW-nodes" "$NODES_VIEW" "BYOC $SUFFIX: what clusters write about themselves"
ensure_view "$CELLS_VIEW-plane" "$PLANE_VIEW" "BYOC $SUFFIX: what clusters write about themselves"
ensure_view "$READS_VIEW" "$TRAIL_VIEW" "BYOC $SUFFIX: who read what"
# Somebody else may have changed the policy in between: once more, then.
write_down "${AUDITED[@]}" || write_down "${AUDITED[@]}" || refused the audit configuration of "$PROJECT_ID"

say "Giving them their roles"
bind "$OPERATOR" "$(custom verify)"
bind_if "$ALLOW_CHANGES" "$OPERATOR" "$(custom cells)"
bind_if "$ALLOW_CHANGES" "$BUILDER" "$(custom build)"
bind_if "$ALLOW_CHANGES" "$BUILDER" "$(custom clusters)" "$OWN_NAMES"
bind_if "$ALLOW_CHANGES" "$BUILDER" "$(custom store)" "$OWN_STORE"
bind "$OPERATOR" "$(custom trail)" "$OWN_TRAIL"
bind_if "$ALLOW_SUPPORT" "$OPERATOR" "$(custom grant)" "$OWN_SUPPORT"
# An access that is open ends here too when you switch support off.
if [ "$ALLOW_SUPPORT" = "no" ]; then
  for account in "${SUPPORTERS[@]}"; do
    for role in support support_clusters support_logs; do unbind "$account" "$(custom "$role")" || refused unbind "$account" "$role"; done
  done
fi
bind "$NODE" roles/container.defaultNodeServiceAccount
bind "$AGENTS" "$(custom agent)" "$OWN_NAMES"
bind_if "$ALLOW_CHANGES" "$AGENTS" "$(custom agent_change)" "$OWN_NAMES"
# The operator may have Infrastructure Manager build as the builder, and the builder may hand machines their accounts. No token from
# outside opens any of them, and nobody may use the operator but the portal.
let_in "$BUILDER" "serviceAccount:$OPERATOR@$DOMAIN" roles/iam.serviceAccountUser
let_in "$NODE" "serviceAccount:$BUILDER@$DOMAIN" roles/iam.serviceAccountUser
let_in "$AGENTS" "serviceAccount:$BUILDER@$DOMAIN" roles/iam.serviceAccountUser

say "Making the identity pool"
ensure_pool
ensure_provider

# What the portal reads to know that this kit has finished, and how your switches stand.
say "Letting the portal in"
patiently gcloud iam service-accounts update "$OPERATOR@$DOMAIN" --project="$PROJECT_ID" \
  --description="byoc kit=$KIT_VERSION account=$ACCOUNT generation=$GENERATION $SWITCHES region=$REGION"
for account in "${SUPPORTERS[@]}"; do
  let_in "$account" "principalSet://$POOL_PATH/attribute.identity/account:$ACCOUNT:support" roles/iam.workloadIdentityUser
done
# Last, because the portal starts to look as soon as this account opens.
let_in "$OPERATOR" "principal://$POOL_PATH/subject/account:$ACCOUNT:ops" roles/iam.workloadIdentityUser

# A hint only: the portal asks Google Cloud itself and believes nothing of this.
if [ -n "$REPORT" ]; then
  curl -fsS -m 20 -X POST -H 'Content-Type: application/json' \
    -d "{\"kit\": \"gcp\", \"version\": \"$KIT_VERSION\", \"generation\": $GENERATION, \"project_id\": \"$PROJECT_ID\", \"project_number\": \"$PROJECT_NUMBER\", \"region\": \"$REGION\"}" \
    "$REPORT" >/dev/null || say "The portal could not be told, which does no harm: it looks by itself."
fi

say ""
say "Identity pool: projects/$PROJECT_NUMBER/locations/global/workloadIdentityPools/$POOL"
say "Done. The portal notices within a minute or two. You can close this window."

#!/usr/bin/env bash
# BYOC onboarding kit for Azure, version 1.4.0.
#
# Deploys kit.json into one subscription: identities that trust short-lived tokens of the portal, their roles, the janitor that ends
# support access, and one resource group for a deployment cell, with the identities and the empty key vault that the cell will use.
# With --add-region it makes such a group in a further location too, beside what stands: nothing is moved, and the same
# identities get the same roles there.
# Creates no key and no secret, and sends nothing anywhere but two client ids to the portal (--report), or the tenant where that is not the one that was said.
#
# Safe to run again: what kit.json makes and is missing or was changed is put back, and your two switches stay as you set them.
# It takes away nothing that was added beside that: another credential of an identity, another assignment. The portal finds those
# and refuses to work; remove them by hand.
#
# Needs the Azure CLI, signed in as somebody who may deploy and give roles in the subscription: Owner, or Contributor together
# with User Access Administrator. Azure's Cloud Shell has everything.
set -euo pipefail

subscription='' tenant='' account='' generation='' suffix='' issuer='' region='' template_url='' template_sha256='' report=''
allow_changes='keep' allow_support='keep' # your switches: yes, no, or keep what stands
more=()                                   # further locations, each with a group for a cell of its own

# What a deployment cell is made of. Azure has a subscription register each of these providers once; it costs nothing.
providers=(
  Microsoft.Resources          # resource groups and deployments: how the kit and the cells are made
  Microsoft.Authorization      # roles and their assignments: what the portal may do
  Microsoft.ManagedIdentity    # the identities that trust the portal
  Microsoft.Network            # the network of a cell
  Microsoft.Compute            # the machines of a cell, and your quota for them
  Microsoft.ContainerService   # the Kubernetes cluster of a cell
  Microsoft.KeyVault           # the encryption key of a cell
  Microsoft.Logic              # the janitor, which ends support access
)

stop() {
  printf '\nStopped: %s\n' "$1" >&2
  exit 1
}

say() {
  printf '%s\n' "$1" >&2
}

# Every value goes into a template or an address: nothing but what the portal hands out gets through.
demand() { # name, value, pattern
  [[ $2 =~ ^($3)$ ]] || stop "--$1 is missing or malformed. Copy the whole command from the portal."
}

while (($#)); do
  (($# > 1)) || stop "$1 has no value. Copy the whole command from the portal."
  case $1 in
    --subscription) subscription=${2,,} ;;
    --tenant) tenant=${2,,} ;;
    --account) account=$2 ;;
    --generation) generation=$2 ;;
    --suffix) suffix=$2 ;;
    --issuer) issuer=$2 ;;
    --region) region=$2 ;;
    --add-region) more+=("$2") ;;
    --template-url) template_url=$2 ;;
    --template-sha256) template_sha256=$2 ;;
    --allow-changes) allow_changes=$2 ;;
    --allow-support) allow_support=$2 ;;
    --report) report=$2 ;;
    *) stop "$1 is not known to this script. Copy the whole command from the portal." ;;
  esac
  shift 2
done

guid='[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'
demand subscription "$subscription" "$guid"
demand tenant "$tenant" "$guid"
demand account "$account" "$guid"
demand generation "$generation" '[1-9][0-9]{0,3}'
demand suffix "$suffix" "${account%%-*}-g$generation"
demand issuer "$issuer" 'https://[A-Za-z0-9./:_-]+'
for place in "$region" ${more[@]+"${more[@]}"}; do
  demand region "$place" '[a-z0-9]{4,40}'
done
demand template-url "$template_url" '(https?|file)://[A-Za-z0-9./:_~%-]+'
demand template-sha256 "$template_sha256" '[0-9a-f]{64}'
demand allow-changes "$allow_changes" 'yes|no|keep'
demand allow-support "$allow_support" 'yes|no|keep'
[[ -z $report ]] || demand report "$report" 'https?://[A-Za-z0-9./:_~%?=&-]+'

# Every command names the subscription, so that no other one can be touched, whichever the shell is set to.
found=$(az account show --subscription "$subscription" --query tenantId --output tsv) ||
  stop "this shell does not see subscription $subscription. Sign in to it: az login --tenant $tenant"
if [[ ${found,,} != "$tenant" ]]; then
  # The portal is told the tenant that it was not given, so that its page can name both. A hint, as at the end.
  [[ -z $report ]] || curl -fsS -o /dev/null -m 20 -X POST -H 'Content-Type: application/json' -d \
    "{\"kit\": \"azure\", \"subscription_id\": \"$subscription\", \"tenant_id\": \"${found,,}\", \"region\": \"$region\"}" \
    "$report" || true
  stop "subscription $subscription belongs to tenant ${found,,}, and this kit was made for tenant $tenant. Nothing was changed. In the portal, stop connecting, correct the tenant ID to ${found,,}, and make the kit again."
fi

name="byoc-$suffix-kit" cell_group="byoc-${account%%-*}-cell-$region"

# The kit writes its switches down as tags of its groups. A switch that the command leaves alone stays as this kit's own group says;
# a newer kit takes over a "no" from any group of the same account. Where nothing stands yet it is "yes".
groups=$(az group list --subscription "$subscription" --tag "byoc-account=$account" --output tsv \
  --query '[].[name, tags."byoc-allow-changes", tags."byoc-allow-support"]') ||
  stop "this shell cannot read the resource groups of subscription $subscription. Nothing was changed."

standing() { # switch
  local group changes support value found='yes'
  while IFS=$'\t' read -r group changes support; do
    # The group of a further location says what was so when that location was last run for.
    [[ ${group,,} != byoc-*-cell-* || ${group,,} == "$cell_group" ]] || continue
    value=$changes
    [[ $1 == allow-changes ]] || value=$support
    if [[ ${group,,} == "$name" ]]; then
      found=$value
      break
    fi
    [[ $value != no ]] || found='no'
  done <<<"$groups"
  printf '%s' "$found"
}

decide() { # switch, what the command says, what it is for
  local value=$2 why='as the command says'
  if [[ $value == keep ]]; then
    value=$(standing "$1")
    why="to change it, add --$1 yes or --$1 no"
  fi
  [[ $value =~ ^(yes|no)$ ]] ||
    stop "resource group $name no longer says how your switch $1 stands. Add --$1 yes or --$1 no to the command. Nothing was changed."
  say "$3: $value ($why)."
  printf '%s' "$value"
}

allow_changes=$(decide allow-changes "$allow_changes" 'Changes by the operator identity')
allow_support=$(decide allow-support "$allow_support" 'Support access, once you approve it')

for provider in "${providers[@]}"; do
  state=$(az provider show --subscription "$subscription" --namespace "$provider" --query registrationState --output tsv)
  if [[ $state != Registered ]]; then
    say "Registering $provider ..."
    az provider register --subscription "$subscription" --namespace "$provider" --wait --output none
  fi
done

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
curl -fsSLo "$folder/kit.json" "$template_url" || stop "the template could not be fetched from $template_url. Nothing was changed."
printf '%s  %s\n' "$template_sha256" "$folder/kit.json" | sha256sum --check --status ||
  stop "the template at $template_url is not the one that the portal has shown you. Nothing was changed."

deploy() { # where the cell goes
  az deployment sub create --subscription "$subscription" --name "$name" --location "$region" \
    --template-file "$folder/kit.json" --output none --parameters \
    "expectedSubscriptionId=$subscription" "expectedTenantId=$tenant" "accountRef=$account" "generation=$generation" \
    "suffix=$suffix" "issuerUrl=$issuer" "location=$region" "cellLocation=$1" "allowChanges=$allow_changes" \
    "allowSupport=$allow_support"
}

# Azure needs a moment until all of it knows a new role or identity. The same deployment again does no harm.
for place in "$region" ${more[@]+"${more[@]}"}; do
  say "Deploying $name for a cell in $place. This takes 1 to 2 minutes ..."
  for pause in 20 0; do
    deploy "$place" && break
    ((pause)) || stop "Azure could not finish the deployment for $place; it says why above. Mend that and run the same command again."
    say "Once more in $pause seconds ..."
    sleep "$pause"
  done
done

output() {
  az deployment sub show --subscription "$subscription" --name "$name" --query "properties.outputs.$1.value" --output tsv
}

client_id=$(output clientId)
support_client_id=$(output supportClientId)
message=$(printf '{"kit": "azure", "subscription_id": "%s", "tenant_id": "%s", "client_id": "%s", "support_client_id": "%s", "region": "%s"}' \
  "$subscription" "$tenant" "$client_id" "$support_client_id" "$region")

say ''
if [[ -n $report ]] && curl -fsS -o /dev/null -X POST -H 'Content-Type: application/json' -d "$message" "$report"; then
  say 'Done. The portal has been told, and its page goes on by itself. This is what it was told:'
else
  say 'Done. Copy the next line into the portal:'
fi
printf '%s\n' "$message"

#!/usr/bin/env bash
# What is left of the portal in your cloud: AWS, Google Cloud or Azure. Version 1.2.0.
#
# It only lists. Nothing is created, changed or deleted, and nothing is sent to anybody: the report is printed here, and stays with you.
# It uses your own sign-in and the tool of your cloud: aws, gcloud or az. Each cloud's shell has everything. To read is right enough.
#
# It looks for what bears the account's mark (a tag, a label, a description) and for what is named as the kit names it.
# Exit code: 0 nothing is left · 1 something is left · 2 it could not look at everything, so it does not say that nothing is left.
# AWS: its list of tags remembers deleted things for hours to days, so each service is asked about what the list names.
set -ufo pipefail

cloud='' account='' place='' regions='' kept='' is_json=''
# gcloud asks whether it may switch on a service that is off. This script switches nothing on, and waits for no answer.
export CLOUDSDK_CORE_DISABLE_PROMPTS=1

stop() {
  printf 'Stopped: %s\n' "$1" >&2
  exit 2
}

demand() { # name, value, pattern
  [[ $2 =~ ^($3)$ ]] || stop "--$1 is missing or malformed. Copy the whole command from the portal."
}

while (($#)); do
  if [[ $1 == --json ]]; then
    is_json=yes
    shift
    continue
  fi
  (($# > 1)) || stop "$1 has no value. Copy the whole command from the portal."
  case $1 in
    --cloud) cloud=$2 ;;
    --account) account=$2 ;;
    --place) place=$2 ;;
    --regions) regions=$2 ;;
    --kept) kept=$2 ;;
    *) stop "$1 is not known to this script. Copy the whole command from the portal." ;;
  esac
  shift 2
done
demand cloud "$cloud" 'aws|gcp|azure'
demand account "$account" '[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}'
demand place "$place" '[a-z0-9][a-z0-9:.-]{4,40}'
demand regions "$regions" '[a-z0-9-]+(,[a-z0-9-]+)*'
prefix="byoc-${account%%-*}-"
IFS=, read -r -a keep <<<"$kept"

# --- What was found: one entry in each list -----------------------------------------------------------------------------

kinds=() wheres=() names=() sorts=() troubles=() empties=()

note() { # kind, region, id; `named` where nobody but the list of tags tells of it
  local index sort=${4:-left} one
  for index in "${!names[@]}"; do
    [[ ${names[index]} == "$3" ]] && return
  done
  # The names of the kit bear its number: byoc-3f9a1c2e-g1. Its trust is in the address that it trusts.
  [[ $sort == left ]] && [[ $3 =~ ${prefix//-/[-_]}g[0-9] || $3 == *"/trust/$account/g"* ]] && sort=kit
  for one in ${keep[@]+"${keep[@]}"}; do
    is_same "$one" "$3" && sort=kept
  done
  kinds+=("$1") wheres+=("$2") names+=("$3") sorts+=("$sort")
}

# Whole ids of one kind only: a role may be called as a bucket is.
is_same() { # what is kept, id
  local kind rest=${2#arn:*:*:*:*:}
  # Google Cloud tells the same path with and without the address of its API.
  [[ ${1#https://*/v1/} == "${2#https://*/v1/}" ]] && return
  # AWS: what its service and its kind tell of an ARN, as in ec2:vpc/vpc-1.
  [[ $2 == arn:* ]] || return 1
  kind=$(cut -d: -f3 <<<"$2"):${rest%%[/:]*}
  [[ $1 == "${kind//-/}/${rest#*[/:]}" ]]
}

# Runs one list command. Prints its lines; a command that fails is told in the report, as what it would have listed is not known.
ask() {
  local told
  # gcloud ends well where a part of a list was refused; only its warning tells.
  if told=$("$@" 2>"$errors") && ! grep -qi 'did not succeed' "$errors"; then
    printf '%s\n' "$told"
  elif [[ $1 == gcloud ]] && is_switched_off; then
    printf '%s\n' "$service" >>"$off"
  elif [[ -n ${by_id-} ]] && grep -qE '\((ResourceNotFound|NotFound)Exception\)|\(ValidationError\).* does not exist' "$errors"; then
    return 0
  else
    told=$(grep -v '^[[:space:]]*$' "$errors" | tail -n 1 | tr -d '\r')
    printf '%s %s %s: %s\n' "$1" "${2-}" "${3-}" "${told:0:200}" >>"$failed"
    return 1
  fi
}

# Google Cloud: a service that is off in this project shows nothing. The same words tell of another project, whose quota gcloud was told
# to use: there they say nothing about this one. So the words must name this project alone, and its own list of services must agree.
is_switched_off() {
  local project projects
  projects=$(grep -oE '(has not been used in project |consumer: "?projects/|\?project=)[a-z0-9:.-]+[a-z0-9]' "$errors" | sed -E 's#^.*[ /=]##' | sort -u)
  service=$(grep -oE '[a-z0-9-]+\.googleapis\.com' "$errors" | grep -vE '^(console|type|developers)\.' | sort -u)
  grep -qE 'SERVICE_DISABLED|has not been used in project' "$errors" && [[ -n $projects && $service =~ ^[a-z0-9-]+\.googleapis\.com$ ]] || return 1
  for project in $projects; do
    [[ $project == "$place" || $project == "$number" ]] || return 1
  done
  [[ -n $switched_on ]] && ! grep -qxF "$service" <<<"$switched_on"
}

ours() { # Only the lines that bear the mark or the kit's names; of each line the first column.
  local line
  while IFS= read -r line; do
    [[ $line == *"$account"* || $line == *"$prefix"* || $line == *"${prefix//-/_}"* ]] && printf '%s\n' "${line%%$'\t'*}"
  done
}

each() { # kind, region; ids on the input
  local id
  while IFS= read -r id; do
    [[ -n $id && $id != None ]] && note "$1" "$2" "$id"
  done
}

# --- AWS ----------------------------------------------------------------------------------------------------------------

look_aws() {
  local region arn here
  here=$(aws sts get-caller-identity --region "${regions%%,*}" --query Account --output text 2>"$errors") || stop "AWS does not say who you are. Sign in first."
  [[ $here == "$place" ]] || stop "You are signed in to account $here. This is about account $place."
  for region in ${regions//,/ }; do
    while IFS= read -r arn; do
      [[ -n $arn && $arn != None ]] && aws_named "$arn" "$region"
    done < <(ask aws resourcegroupstaggingapi get-resources --region "$region" --tag-filters "Key=byoc:account,Values=$account" \
      --query 'ResourceTagMappingList[].[ResourceARN]' --output text)
    each cloudformation "$region" < <(ask aws cloudformation describe-stacks --region "$region" \
      --query "Stacks[?starts_with(StackName, '$prefix')].[StackId]" --output text)
  done
  each iam-role global < <(ask aws iam list-roles --region "${regions%%,*}" --query "Roles[?starts_with(RoleName, '$prefix')].[Arn]" --output text)
  each iam-policy global < <(ask aws iam list-policies --region "${regions%%,*}" --scope Local --query "Policies[?starts_with(PolicyName, '$prefix')].[Arn]" --output text)
  each iam-identity-provider global < <(ask aws iam list-open-id-connect-providers --region "${regions%%,*}" \
    --query "OpenIDConnectProviderList[?contains(Arn, '/trust/$account/')].[Arn]" --output text)
}

# The list of tags remembers for a while what is gone. Where a service can tell, it has the last word.
aws_named() { # arn, region
  local told sort=left
  told=$(aws_shows "$1" "$2") || sort=named
  [[ $sort == left ]] && ! grep -qvE '^(terminated|shutting-down|deleted|deleting|PendingDeletion|DELETE_COMPLETE|None)?$' <<<"$told" && return
  note "$(cut -d: -f3 <<<"$1")" "$2" "$1" "$sort"
}

# What its service shows of it: a state or an id, and nothing where it is not there. Fails where no service can be asked.
aws_shows() { # arn, region
  local by_id=yes id=${1##*/} name=${1#arn:*:*:*:*:}
  case $1 in
    arn:*:ec2:*:instance/*) aws_ec2 "$2" instances instance-id "$id" 'Reservations[].Instances[] | ' InstanceId State.Name ;;
    arn:*:ec2:*:natgateway/*) aws_ec2 "$2" nat-gateways nat-gateway-id "$id" NatGateways NatGatewayId State --filter ;;
    arn:*:ec2:*:vpc/*) aws_ec2 "$2" vpcs vpc-id "$id" Vpcs VpcId ;;
    arn:*:ec2:*:subnet/*) aws_ec2 "$2" subnets subnet-id "$id" Subnets SubnetId ;;
    arn:*:ec2:*:security-group/*) aws_ec2 "$2" security-groups group-id "$id" SecurityGroups GroupId ;;
    arn:*:ec2:*:volume/*) aws_ec2 "$2" volumes volume-id "$id" Volumes VolumeId State ;;
    arn:*:ec2:*:elastic-ip/*) aws_ec2 "$2" addresses allocation-id "$id" Addresses AllocationId ;;
    arn:*:ec2:*:internet-gateway/*) aws_ec2 "$2" internet-gateways internet-gateway-id "$id" InternetGateways InternetGatewayId ;;
    arn:*:ec2:*:network-interface/*) aws_ec2 "$2" network-interfaces network-interface-id "$id" NetworkInterfaces NetworkInterfaceId ;;
    arn:*:ec2:*:route-table/*) aws_ec2 "$2" route-tables route-table-id "$id" RouteTables RouteTableId ;;
    arn:*:ec2:*:launch-template/*)
      ask aws ec2 describe-launch-templates --region "$2" --query "LaunchTemplates[?LaunchTemplateId=='$id'].[LaunchTemplateId]" --output text ;;
    arn:*:eks:*:cluster/* | arn:*:eks:*:nodegroup/* | arn:*:eks:*:addon/* | arn:*:eks:*:access-entry/*)
      name=${name#*/} # without its cluster nothing of it is there
      ask aws eks describe-cluster --region "$2" --name "${name%%/*}" --query 'cluster.[name]' --output text ;;
    arn:*:kms:*:key/*) ask aws kms describe-key --region "$2" --key-id "$id" --query 'KeyMetadata.[KeyState]' --output text ;;
    arn:*:cloudformation:*:stack/*)
      ask aws cloudformation describe-stacks --region "$2" --stack-name "$1" --query 'Stacks[].[StackStatus]' --output text ;;
    arn:*:iam::*:role/*) ask aws iam list-roles --region "$2" --query "Roles[?Arn=='$1'].[Arn]" --output text ;;
    arn:*:iam::*:policy/*) ask aws iam list-policies --region "$2" --scope Local --query "Policies[?Arn=='$1'].[Arn]" --output text ;;
    arn:*:iam::*:oidc-provider/*)
      ask aws iam list-open-id-connect-providers --region "$2" --query "OpenIDConnectProviderList[?Arn=='$1'].[Arn]" --output text ;;
    arn:*:elasticloadbalancing:*:loadbalancer/*/*)
      ask aws elbv2 describe-load-balancers --region "$2" --query "LoadBalancers[?LoadBalancerArn=='$1'].[LoadBalancerArn]" --output text ;;
    *) return 1 ;;
  esac
}

aws_ec2() { # region, what, filter, id; in the answer: list, name of the id, what is told; the word for a filter where it is another
  ask aws ec2 "describe-$2" --region "$1" "${8:---filters}" "Name=$3,Values=$4" --query "$5[?$6=='$4'].[${7:-$6}]" --output text
}

# --- Google Cloud -------------------------------------------------------------------------------------------------------

look_gcp() {
  local region what here number switched_on tab=$'\t'
  here=$(gcloud projects describe "$place" --format='value(projectId,projectNumber)' 2>"$errors") || stop "Google Cloud does not show you project $place."
  number=${here#*"$tab"}
  [[ ${here%%"$tab"*} == "$place" ]] || stop "This is about project $place."
  # Where this cannot be read, no service counts as off.
  switched_on=$(gcloud services list --enabled --project="$place" --format='value(config.name)' 2>"$errors") || switched_on=''
  for what in networks 'networks subnets' firewall-rules instances disks addresses; do
    # shellcheck disable=SC2086 # two words are two words
    each "compute $what" "$place" < <(ask gcloud compute $what list --project="$place" --format='value(selfLink,description,labels)' | ours)
  done
  for region in ${regions//,/ }; do
    for what in routers forwarding-rules; do
      each "compute $what" "$region" < <(ask gcloud compute "$what" list --project="$place" --regions="$region" \
        --format='value(selfLink,description)' | ours)
    done
    each deployment "$region" < <(ask gcloud infra-manager deployments list --project="$place" --location="$region" --format='value(name)' | ours)
  done
  each cluster "$place" < <(ask gcloud container clusters list --project="$place" --format='value(name,location,resourceLabels)' |
    sed -E "s|^([^$tab]*)$tab([^$tab]*)|projects/$place/locations/\\2/clusters/\\1|" | ours)
  each identity-pool global < <(ask gcloud iam workload-identity-pools list --project="$place" --location=global --format='value(name)' | ours)
  each service-account global < <(ask gcloud iam service-accounts list --project="$place" --format='value(email)' | ours)
  each role global < <(ask gcloud iam roles list --project="$place" --format='value(name)' | ours)
  each log-view global < <(ask gcloud logging views list --project="$place" --bucket=_Default --location=global \
    --format='value(name)' | sed 's|.*/||' | ours)
  each role-binding global < <(ask gcloud projects get-iam-policy "$place" --format=json |
    grep -oE '"(deleted:)?serviceAccount:[^"]*"' | tr -d '"' | ours | sort -u)
}

# --- Azure --------------------------------------------------------------------------------------------------------------

look_azure() {
  local here mine
  here=$(az account show --subscription "$place" --query id --output tsv 2>"$errors") || stop "Azure does not show you subscription $place."
  [[ $here == "$place" ]] || stop "This is about subscription $place."
  mine="tags.\"byoc-account\" == '$account' || contains(id, '/$prefix')"
  each resource-group "$place" < <(ask az group list --subscription "$place" --query "[?$mine].[id]" --output tsv)
  each resource "$place" < <(ask az resource list --subscription "$place" --query "[?$mine].[id]" --output tsv)
  each role-definition "$place" < <(ask az role definition list --subscription "$place" --custom-role-only \
    --query "[?starts_with(roleName, '$prefix')].[roleName]" --output tsv)
}

# --- The report ---------------------------------------------------------------------------------------------------------

quoted() {
  local text=${1//[[:cntrl:]]/ }
  text=${text//\\/\\\\}
  printf '"%s"' "${text//\"/\\\"}"
}

listed() { # sort, title
  local index is_told=''
  for index in "${!names[@]}"; do
    [[ ${sorts[index]} == "$1" ]] || continue
    [[ -n $is_told ]] || printf '\n%s\n' "$2"
    is_told=yes
    printf '  %s  %s  %s\n' "${wheres[index]}" "${kinds[index]}" "${names[index]}"
  done
}

as_json() {
  local index separator=''
  printf '{"format":"byoc-leftovers/1","cloud":"%s","account":"%s","place":"%s","looked_at":"%s",' \
    "$cloud" "$account" "$place" "$(date -u +%Y-%m-%dT%H:%M:%SZ)"
  printf '"regions":["%s"],"is_clean":%s,"is_whole":%s,"found":[' "${regions//,/\",\"}" "$is_clean" "$is_whole"
  for index in "${!names[@]}"; do
    printf '%s{"sort":"%s","kind":%s,"where":%s,"id":%s}' \
      "$separator" "${sorts[index]}" "$(quoted "${kinds[index]}")" "$(quoted "${wheres[index]}")" "$(quoted "${names[index]}")"
    separator=','
  done
  separator=''
  printf '],"not_looked_at":['
  for index in "${!troubles[@]}"; do
    printf '%s%s' "$separator" "$(quoted "${troubles[index]}")"
    separator=','
  done
  separator=''
  printf '],"switched_off":['
  for index in "${!empties[@]}"; do
    printf '%s%s' "$separator" "$(quoted "${empties[index]}")"
    separator=','
  done
  printf ']}\n'
}

count() {
  local one number=0
  for one in ${sorts[@]+"${sorts[@]}"}; do
    [[ $one == "$1" ]] && number=$((number + 1))
  done
  printf '%s' "$number"
}

folder=$(mktemp -d) || stop "There is no room for a note of what fails."
trap 'rm -rf "$folder"' EXIT
errors=$folder/errors failed=$folder/failed off=$folder/off
: >"$failed" >"$off"
"look_$cloud"
while IFS= read -r line; do troubles+=("$line"); done <"$failed"
while IFS= read -r line; do empties+=("$line"); done < <(sort -u "$off")
left=$(count left) of_kit=$(count kit) on_purpose=$(count kept) named=$(count named)
is_clean=false is_whole=true code=1
((${#troubles[@]} + named)) && is_whole=false
((left + of_kit == 0)) && [[ $is_whole == true ]] && is_clean=true code=0
[[ $is_whole == false ]] && code=2

if [[ -n $is_json ]]; then
  as_json
  exit "$code"
fi
printf 'What is left of the portal in %s, regions %s\n' "$place" "${regions//,/, }"
listed left 'Left over, and may cost:'
listed kit 'Of the kit. Remove it last, with the command on the page of the offboarding:'
if [[ " ${names[*]-}" == *' deleted:'* ]]; then
  printf '\nA name that begins with deleted: is an account that was deleted before its roles were taken away. The command on that page does not\n'
  printf 'reach it. Look up its roles, and take each away:\n'
  printf '  gcloud projects get-iam-policy %s --format=json\n' "$place"
  printf "  gcloud projects remove-iam-policy-binding %s --member='THE WHOLE NAME' --role=ITS_ROLE --all\n" "$place"
fi
listed kept 'Kept on purpose, as you have decided:'
listed named "Named by AWS's list of tags alone, so not counted as left over. AWS forgets deleted things within hours to days: run this again."
if ((${#troubles[@]})); then
  printf '\nNot looked at, so it is not known whether something is left there:\n'
  printf '  %s\n' "${troubles[@]}"
fi
if ((${#empties[@]})); then
  printf '\nSwitched off in this project, so it counts as empty. If you switched it off while it was in use, switch it on and look again:\n'
  printf '  %s\n' "${empties[@]}"
fi
printf '\n%s left over, %s of the kit, %s kept on purpose. ' "$left" "$of_kit" "$on_purpose"
case $code in
  0) printf 'Nothing of the portal is left here.\n' ;;
  1) printf 'Something is left.\n' ;;
  2) printf 'It could not look at everything.\n' ;;
esac
printf '\nAs JSON:\n'
as_json
exit "$code"

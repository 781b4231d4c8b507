say "Recovery kit $KIT_VERSION for project $PROJECT_ID ($PROJECT_NUMBER). This takes one to two minutes."
[ "$ALLOW_CHANGES" != "keep" ] || ALLOW_CHANGES="yes"
[ "$ALLOW_SUPPORT" != "yes" ] || stop "The recovery kit gives no support access."
SWITCHES="allow-changes=$ALLOW_CHANGES allow-support=no allow-creation=no"

say "Switching on the APIs it needs"
patiently gcloud services enable "${SERVICES[@]}" --project="$PROJECT_ID"

# What may still stand of the kit is cut first: nobody is let in before. A binding that is not there is none to take away.
say "Taking away what is left of the kit's other rights"
for role in grant trail; do unbind "$OPERATOR" "$(custom "$role")" || refused unbind "$OPERATOR" "$role"; done
for role in agent agent_change; do unbind "$AGENTS" "$(custom "$role")" || refused unbind "$AGENTS" "$role"; done
for account in "${SUPPORTERS[@]}"; do
  for role in support support_clusters support_logs; do unbind "$account" "$(custom "$role")" || refused unbind "$account" "$role"; done
done

# Whoever deleted an account left its roles with it, under the name that Google Cloud gives to what is deleted. The one that is made here is
# another one, and the lines that remove the kit would not find them.
unbind_deleted() { # service account, role
  local member
  gcloud projects get-iam-policy "$PROJECT_ID" --format=json >"$POLICY" 2>"$LOG" || return 1
  grep -qF "\"$2\"" "$POLICY" || return 0
  for member in $(members "$1" | grep '^deleted:'); do
    gcloud projects remove-iam-policy-binding "$PROJECT_ID" --member="$member" --role="$2" --all --format=none >/dev/null 2>"$LOG" \
      || grep -qiE 'policy bindings? .*not found' "$LOG" || return 1
  done
}
for role in verify cells; do unbind_deleted "$OPERATOR" "$(custom "$role")" || refused unbind "$OPERATOR" "$role"; done
for role in build clusters store; do unbind_deleted "$BUILDER" "$(custom "$role")" || refused unbind "$BUILDER" "$role"; done

say "Making roles"
%(roles)s

say "Making service accounts, none of them with a key"
ensure_account "$OPERATOR" "BYOC $SUFFIX operator" "unfinished $SWITCHES"
patiently gcloud iam service-accounts update "$OPERATOR@$DOMAIN" --project="$PROJECT_ID" --description="unfinished $SWITCHES"
ensure_account "$BUILDER" "BYOC $SUFFIX builder"

say "Giving them their roles"
bind "$OPERATOR" "$(custom verify)"
bind_if "$ALLOW_CHANGES" "$OPERATOR" "$(custom cells)"
bind_if "$ALLOW_CHANGES" "$BUILDER" "$(custom build)"
bind_if "$ALLOW_CHANGES" "$BUILDER" "$(custom clusters)" "$OWN_NAMES"
bind_if "$ALLOW_CHANGES" "$BUILDER" "$(custom store)" "$OWN_STORE"
# The operator may have Infrastructure Manager take cells away as the builder. Nobody from outside opens the builder.
let_in "$BUILDER" "serviceAccount:$OPERATOR@$DOMAIN" roles/iam.serviceAccountUser

say "Making the identity pool"
ensure_pool
ensure_provider

# What the portal reads to know that this kit has finished, and which it is.
say "Letting the portal in"
patiently gcloud iam service-accounts update "$OPERATOR@$DOMAIN" --project="$PROJECT_ID" \
  --description="byoc kit=$KIT_VERSION account=$ACCOUNT generation=$GENERATION $SWITCHES region=$REGION"
let_in "$OPERATOR" "principal://$POOL_PATH/subject/account:$ACCOUNT:ops" roles/iam.workloadIdentityUser

say ""
say "Identity pool: projects/$PROJECT_NUMBER/locations/global/workloadIdentityPools/$POOL"
say "Done. The removal goes on by itself within some minutes. You can close this window."

# Onboarding kit. Creates one identity pool with one provider, seven service accounts, twelve custom roles and four views of the log in one
# project, and binds the roles; those of support it only makes. It switches on the project's own log of who reads deployments and logs. No
# network, no machine, no key, no secret. Give it a project of its own: Google Cloud cannot hold what builds cells to single networks, nor
# to single deployments of Infrastructure Manager.
# Destroy it only when the portal says that it is safe: the operator account is what removes deployment cells.

# Checked while planning, so before anything is created.
data "google_project" "here" {
  project_id = var.project_id

  lifecycle {
    precondition {
      condition     = var.suffix == "${split("-", var.account_ref)[0]}-g${var.generation}"
      error_message = "suffix is of another account or generation than account_ref and generation. Copy the whole snippet again. Nothing was created."
    }

    postcondition {
      condition     = self.number == var.project_number
      error_message = "This kit was made for project ${var.project_id} with number ${var.project_number}. The project of this name has number ${self.number}. Nothing was created."
    }
  }
}

locals {
  kit_version = trimspace(file("${path.module}/VERSION"))
  # Of everything a cell is made of; it outlives this kit.
  prefix = "byoc-${split("-", var.suffix)[0]}-"

  # The same lists as in kit.sh, which they are made from; not edited by hand.
  roles    = jsondecode(file("${path.module}/roles.json"))
  services = jsondecode(file("${path.module}/services.json"))
  views    = jsondecode(file("${path.module}/views.json"))
  role     = "byoc_${replace(var.suffix, "-", "_")}" # custom roles take no dashes
  named    = replace(replace(replace(file("${path.module}/limits.json"), "$${prefix}", local.prefix), "$${project_number}", var.project_number), "$${region}", var.region)
  limits   = jsondecode(replace(replace(replace(local.named, "$${project_id}", var.project_id), "$${role}", local.role), "$${suffix}", var.suffix))
  titles   = jsondecode(replace(file("${path.module}/titles.json"), "$${suffix}", var.suffix))

  # Which custom role is bound to whom: not at all while its switch is "no". Those of support are bound to nobody here: the operator does
  # so for the time of an access that you approved, under a condition with its end.
  bindings = merge(
    {
      verify = { member = google_service_account.operator.member, limit = "" }
      trail  = { member = google_service_account.operator.member, limit = local.limits.trail }
      agent  = { member = google_service_account.agent.member, limit = local.limits.names }
    },
    var.allow_changes == "yes" ? {
      cells        = { member = google_service_account.operator.member, limit = "" }
      build        = { member = google_service_account.builder.member, limit = "" }
      clusters     = { member = google_service_account.builder.member, limit = local.limits.names }
      store        = { member = google_service_account.builder.member, limit = local.limits.store }
      agent_change = { member = google_service_account.agent.member, limit = local.limits.names }
    } : {},
    var.allow_support == "yes" ? {
      grant = { member = google_service_account.operator.member, limit = local.limits.support }
    } : {},
  )

  # Each serves one access at a time.
  supporters = toset(["support", "support2", "support3"])
  pool       = "iam.googleapis.com/${google_iam_workload_identity_pool.portal.name}"
}

resource "google_project_service" "needed" {
  for_each = toset(local.services)

  project            = data.google_project.here.project_id
  service            = each.value
  disable_on_destroy = false
}

resource "google_project_iam_custom_role" "kit" {
  for_each = local.roles

  project     = data.google_project.here.project_id
  role_id     = "${local.role}_${each.key}"
  title       = local.titles[each.key]
  permissions = each.value
  stage       = "GA"

  depends_on = [google_project_service.needed]
}

# What the portal reads stands in the description: the kit's version and your switches.
resource "google_service_account" "operator" {
  project      = data.google_project.here.project_id
  account_id   = "byoc-${var.suffix}-operator"
  display_name = "BYOC ${var.suffix} operator"
  description  = "byoc kit=${local.kit_version} account=${var.account_ref} generation=${var.generation} allow-changes=${var.allow_changes} allow-support=${var.allow_support} region=${var.region}"

  depends_on = [google_project_service.needed]
}

# What Infrastructure Manager builds as. Nothing outside of this project opens it.
resource "google_service_account" "builder" {
  project      = data.google_project.here.project_id
  account_id   = "byoc-${var.suffix}-builder"
  display_name = "BYOC ${var.suffix} builder"

  depends_on = [google_project_service.needed]
}

resource "google_service_account" "support" {
  for_each = local.supporters

  project      = data.google_project.here.project_id
  account_id   = "byoc-${var.suffix}-${each.key}"
  display_name = "BYOC ${var.suffix} ${each.key}"

  depends_on = [google_project_service.needed]
}

resource "google_service_account" "node" {
  project      = data.google_project.here.project_id
  account_id   = "byoc-${var.suffix}-node"
  display_name = "BYOC ${var.suffix} machines of cells"

  depends_on = [google_project_service.needed]
}

# What the machine of the agent runs as, inside of a cell.
resource "google_service_account" "agent" {
  project      = data.google_project.here.project_id
  account_id   = "byoc-${var.suffix}-agent"
  display_name = "BYOC ${var.suffix} agent"

  depends_on = [google_project_service.needed]
}

resource "google_project_iam_member" "kit" {
  for_each = local.bindings

  project = data.google_project.here.project_id
  role    = google_project_iam_custom_role.kit[each.key].name
  member  = each.value.member

  dynamic "condition" {
    for_each = each.value.limit == "" ? [] : [each.value.limit]

    content {
      title      = "byoc"
      expression = condition.value
    }
  }
}

resource "google_project_iam_member" "node" {
  project = data.google_project.here.project_id
  role    = "roles/container.defaultNodeServiceAccount"
  member  = google_service_account.node.member
}

# The operator may have Infrastructure Manager build as the builder, and the builder may hand machines their accounts. No token
# from outside opens any of them, and nobody may use the operator but the portal.
resource "google_service_account_iam_member" "use" {
  for_each = {
    builder = { account = google_service_account.builder.name, member = google_service_account.operator.member }
    node    = { account = google_service_account.node.name, member = google_service_account.builder.member }
    agent   = { account = google_service_account.agent.name, member = google_service_account.builder.member }
  }

  service_account_id = each.value.account
  role               = "roles/iam.serviceAccountUser"
  member             = each.value.member
}

# Four views of the log that every project has: three that support may read during an access, and what the operator may read.
resource "google_logging_log_view" "kit" {
  for_each = local.views

  parent      = "projects/${data.google_project.here.project_id}"
  location    = "global"
  bucket      = "_Default"
  name        = "byoc-${var.suffix}-${each.key}"
  description = each.key == "trail" ? "BYOC ${var.suffix}: who read what" : "BYOC ${var.suffix}: what clusters write about themselves"
  filter      = each.value

  depends_on = [google_project_service.needed]
}

# Reading of these is written down in your log from now on. It replaces what you have set for these two services yourself.
resource "google_project_iam_audit_config" "reads" {
  for_each = { "config.googleapis.com" = ["ADMIN_READ", "DATA_READ"], "logging.googleapis.com" = ["DATA_READ"] }

  project = data.google_project.here.project_id
  service = each.key

  dynamic "audit_log_config" {
    for_each = each.value

    content {
      log_type = audit_log_config.value
    }
  }
}

resource "google_iam_workload_identity_pool" "portal" {
  project                   = data.google_project.here.project_id
  workload_identity_pool_id = "byoc-${var.suffix}"
  display_name              = "BYOC portal ${var.suffix}"
  description               = "Lets the portal sign in without a key. Made by its onboarding kit."

  depends_on = [google_project_service.needed]
}

# No audience is named: Google then takes only tokens made for this very provider. A token for support names the access that you
# approved, so that each line of your log does.
resource "google_iam_workload_identity_pool_provider" "portal" {
  project                            = data.google_project.here.project_id
  workload_identity_pool_id          = google_iam_workload_identity_pool.portal.workload_identity_pool_id
  workload_identity_pool_provider_id = "portal"
  attribute_mapping = {
    "google.subject"     = "assertion.sub + (has(assertion.grant) ? ':' + assertion.grant : '')"
    "attribute.identity" = "assertion.sub"
  }
  attribute_condition = "assertion.sub in ['account:${var.account_ref}:ops', 'account:${var.account_ref}:support']"

  oidc {
    issuer_uri = var.issuer_url
  }
}

resource "google_service_account_iam_member" "support" {
  for_each = google_service_account.support

  service_account_id = each.value.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principalSet://${local.pool}/attribute.identity/account:${var.account_ref}:support"
}

# Last, because the portal starts to look as soon as this account opens.
resource "google_service_account_iam_member" "operator" {
  service_account_id = google_service_account.operator.name
  role               = "roles/iam.workloadIdentityUser"
  member             = "principal://${local.pool}/subject/account:${var.account_ref}:ops"

  depends_on = [
    google_iam_workload_identity_pool_provider.portal,
    google_logging_log_view.kit,
    google_project_iam_audit_config.reads,
    google_project_iam_member.kit,
    google_project_iam_member.node,
    google_service_account_iam_member.support,
    google_service_account_iam_member.use,
  ]
}

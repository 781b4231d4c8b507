# Onboarding kit. Creates one identity provider, two roles for the portal, three for AWS's own services, and their limits, and nothing
# else: no network, no compute, no secret.
# Destroy it only when the portal says that it is safe: the operator role is what removes deployment cells.

data "aws_partition" "here" {}

# Checked while planning, so before anything is created.
data "aws_caller_identity" "here" {
  lifecycle {
    postcondition {
      condition     = self.account_id == var.account_id
      error_message = "This kit was made for AWS account ${var.account_id}. You are signed in to account ${self.account_id}. Nothing was created."
    }
  }
}

data "aws_region" "here" {
  lifecycle {
    postcondition {
      condition     = self.id == var.region
      error_message = "This kit was made for region ${var.region}. Your AWS provider is set to ${self.id}. Nothing was created."
    }
  }
}

locals {
  kit_version = trimspace(file("${path.module}/VERSION"))
  prefix      = "byoc-${var.suffix}"

  # What stands for the template's parameters in policies/, which is made from the CloudFormation template and not edited by hand.
  values = {
    account_id  = data.aws_caller_identity.here.account_id
    account_ref = var.account_ref
    audience    = var.audience
    issuer_path = trimprefix(var.issuer_url, "https://")
    partition   = data.aws_partition.here.partition
    short       = split("-", var.suffix)[0]
    suffix      = var.suffix
  }

  tags = {
    "byoc:account"     = var.account_ref
    "byoc:generation"  = var.generation
    "byoc:kit-version" = local.kit_version
  }

  # What the portal reads instead of a stack's outputs.
  report = {
    "byoc:kit-region"    = data.aws_region.here.id
    "byoc:kit-stack"     = "terraform"
    "byoc:allow-changes" = var.allow_changes
    "byoc:allow-support" = var.allow_support
  }

  operator_policies = {
    read    = "operator-read"
    network = "operator-network"
    cells   = "operator-cells"
    switch  = "operator-switch-${var.allow_changes}"
  }

  support_policies = {
    diagnose = "support-diagnose"
    logs     = "support-logs"
    switch   = "support-switch-${var.allow_support}"
  }

  cell_roles = {
    cluster = "Taken by EKS to run the clusters of your cells. Nobody else can take it."
    node    = "Taken by EC2 for the machines of your cells. Nobody else can take it."
    storage = "Taken by the disk add-on of your cells through EKS. Nobody else can take it."
    agent   = "Taken by EC2 for the machine of the agent in each cell. Nobody else can take it."
  }

  # AWS's own policies, each within the cell boundary.
  cell_policies = {
    "AmazonEKSClusterPolicy"                = "cluster"
    "AmazonEC2ContainerRegistryPullOnly"    = "node"
    "AmazonEKSWorkerNodePolicy"             = "node"
    "AmazonEKS_CNI_Policy"                  = "node"
    "service-role/AmazonEBSCSIDriverPolicy" = "storage"
  }

  cell_switches = {
    cluster = "cell-cluster-switch-${var.allow_changes}"
    storage = "cell-storage-switch-${var.allow_changes}"
  }
}

resource "aws_iam_openid_connect_provider" "portal" {
  url            = var.issuer_url
  client_id_list = [var.audience]
  tags           = local.tags
}

# The most that clusters and their machines can ever do. AWS's own policies, which their roles carry, act on everything in an account:
# here every change is held to what carries our tag, or the cluster's name as EKS itself writes it.
resource "aws_iam_policy" "cell_boundary" {
  name        = "${local.prefix}-cell-boundary"
  description = "The most that the roles of clusters and machines can ever do. Belongs to the onboarding kit."
  policy      = templatefile("${path.module}/policies/cell-boundary.json.tftpl", local.values)
}

# The cell roles are made here and nowhere else: only AWS's own services can take them, for clusters of this account.
resource "aws_iam_role" "cell" {
  for_each = local.cell_roles

  name                 = "${local.prefix}-cell-${each.key}"
  description          = each.value
  max_session_duration = 3600
  permissions_boundary = aws_iam_policy.cell_boundary.arn
  assume_role_policy   = templatefile("${path.module}/policies/cell-${each.key}-trust.json.tftpl", local.values)
  tags                 = local.tags
}

resource "aws_iam_role_policy_attachment" "cell" {
  for_each = local.cell_policies

  role       = aws_iam_role.cell[each.value].name
  policy_arn = "arn:${data.aws_partition.here.partition}:iam::aws:policy/${each.key}"
}

resource "aws_iam_role_policy" "cell" {
  for_each = local.cell_switches

  name   = "switch"
  role   = aws_iam_role.cell[each.key].name
  policy = templatefile("${path.module}/policies/${each.value}.json.tftpl", local.values)
}

# It can look its cluster up, and has no other right in this account.
resource "aws_iam_role_policy" "agent" {
  name   = "own-cluster"
  role   = aws_iam_role.cell["agent"].name
  policy = templatefile("${path.module}/policies/cell-agent-own-cluster.json.tftpl", local.values)
}

resource "aws_iam_instance_profile" "agent" {
  name = aws_iam_role.cell["agent"].name
  role = aws_iam_role.cell["agent"].name
}

# The most that support can ever do: read the state of cells and their logs. No data, no change, no other role.
resource "aws_iam_policy" "support_boundary" {
  name        = "${local.prefix}-support-boundary"
  description = "The most that the support role can ever do. Belongs to the onboarding kit."
  policy      = templatefile("${path.module}/policies/support-boundary.json.tftpl", local.values)
}

resource "aws_iam_role" "support" {
  name                 = "${local.prefix}-support"
  description          = "Read-only look at deployment cells during support access that you approved. Cannot change anything."
  max_session_duration = 3600
  permissions_boundary = aws_iam_policy.support_boundary.arn
  assume_role_policy   = templatefile("${path.module}/policies/support-trust.json.tftpl", local.values)
  tags                 = local.tags

  depends_on = [aws_iam_openid_connect_provider.portal]
}

resource "aws_iam_role_policy" "support" {
  for_each = local.support_policies

  name   = each.key
  role   = aws_iam_role.support.name
  policy = templatefile("${path.module}/policies/${each.value}.json.tftpl", local.values)
}

# The most that the operator role can ever do, whatever is attached to it: a list of single actions and the denials.
resource "aws_iam_policy" "operator_boundary" {
  name        = "${local.prefix}-operator-boundary"
  description = "The most that the operator role can ever do. Belongs to the onboarding kit."
  policy      = templatefile("${path.module}/policies/operator-boundary.json.tftpl", local.values)
}

# Last, because the portal starts to look as soon as this role opens.
resource "aws_iam_role" "operator" {
  name                 = "${local.prefix}-operator"
  description          = "Creates, updates and deletes deployment cells. Cannot open support access."
  max_session_duration = 3600
  permissions_boundary = aws_iam_policy.operator_boundary.arn
  assume_role_policy   = templatefile("${path.module}/policies/operator-trust.json.tftpl", local.values)
  tags                 = merge(local.tags, local.report)

  depends_on = [
    aws_iam_instance_profile.agent,
    aws_iam_openid_connect_provider.portal,
    aws_iam_role_policy.agent,
    aws_iam_role_policy.cell,
    aws_iam_role_policy.support,
    aws_iam_role_policy_attachment.cell,
  ]
}

resource "aws_iam_role_policy" "operator" {
  for_each = local.operator_policies

  name   = each.key
  role   = aws_iam_role.operator.name
  policy = templatefile("${path.module}/policies/${each.value}.json.tftpl", local.values)
}

output "kit_version" {
  description = "Version of this kit."
  value       = local.kit_version
}

output "operator_role_arn" {
  description = "The role that creates, updates and deletes deployment cells."
  value       = aws_iam_role.operator.arn
}

output "support_role_arn" {
  description = "The role that approved support access opens."
  value       = aws_iam_role.support.arn
}

output "kit_version" {
  description = "Version of this kit."
  value       = local.kit_version
}

output "operator_account" {
  description = "The service account that orders deployment cells and checks this kit."
  value       = google_service_account.operator.email
}

output "builder_account" {
  description = "The service account that Infrastructure Manager builds as."
  value       = google_service_account.builder.email
}

output "support_account" {
  description = "The service account that approved support access opens."
  value       = google_service_account.support.email
}

output "pool" {
  description = "The identity pool through which the portal signs in."
  value       = google_iam_workload_identity_pool.portal.name
}

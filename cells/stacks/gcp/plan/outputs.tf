output "network" {
  description = "The cell's network."
  value       = google_compute_network.cell.id
}

output "cluster" {
  description = "The cell's cluster."
  value       = google_container_cluster.cell.id
}

output "endpoint" {
  description = "Where the cluster's API answers, inside the cell's network only."
  value       = google_container_cluster.cell.endpoint
}

output "agent" {
  description = "The machine of the agent."
  value       = google_compute_instance.agent.id
}

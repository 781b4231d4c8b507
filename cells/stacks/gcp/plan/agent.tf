# The machine of the agent: no public address, no key, no sign-in. What it is told is read once, when it starts first; told something
# else, it is another machine, so a part of the hash stands in its name.
resource "google_compute_instance" "agent" {
  name         = "${var.name}-agent-${substr(nonsensitive(sha256(var.user_data)), 0, 6)}"
  description  = local.marked
  zone         = local.zones[0]
  machine_type = "e2-small"
  labels       = local.labels

  boot_disk {
    auto_delete = true

    initialize_params {
      image  = "ubuntu-os-cloud/ubuntu-2404-lts-amd64"
      size   = 20
      type   = "pd-balanced"
      labels = local.labels
    }
  }

  network_interface {
    subnetwork = google_compute_subnetwork.agent.id
  }

  service_account {
    email  = var.agent_account
    scopes = ["https://www.googleapis.com/auth/cloud-platform"]
  }

  shielded_instance_config {
    enable_secure_boot          = true
    enable_vtpm                 = true
    enable_integrity_monitoring = true
  }

  metadata = {
    block-project-ssh-keys = "true"
    enable-oslogin         = "true"
    serial-port-enable     = "false"
    user-data              = var.user_data
  }

  # It looks for the cluster when it starts, and fetches what it needs through the way out.
  depends_on = [
    google_compute_router_nat.out,
    google_container_node_pool.machines,
  ]
}

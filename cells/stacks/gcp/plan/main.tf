# One deployment cell: a network of its own, a private cluster, and the machine of the agent. Nothing in it has a public address, and
# nothing dials in: machines reach out through Cloud NAT, and the agent reaches the cluster from inside.
# Names start with var.name, which is what the kit's limits ask for; everything that takes labels has them, the rest says the same in
# its description.

locals {
  zones = split(",", var.zones)

  labels = {
    "byoc-account" = var.account
    "byoc-cell"    = var.cell
    "byoc-managed" = "cell"
  }

  marked = "byoc-account=${var.account} byoc-cell=${var.cell} byoc-managed=cell"
}

resource "google_compute_network" "cell" {
  name                    = var.name
  description             = local.marked
  auto_create_subnetworks = false
}

# The cluster's machines, its pods and its services.
resource "google_compute_subnetwork" "machines" {
  name                     = "${var.name}-machines"
  description              = local.marked
  region                   = var.region
  network                  = google_compute_network.cell.id
  ip_cidr_range            = cidrsubnet(var.cidr, 4, 0)
  private_ip_google_access = true

  secondary_ip_range {
    range_name    = "pods"
    ip_cidr_range = cidrsubnet(var.cidr, 2, 1)
  }

  secondary_ip_range {
    range_name    = "services"
    ip_cidr_range = cidrsubnet(var.cidr, 4, 2)
  }
}

# The agent's machine, apart from the cluster's, so that only this range needs to reach the cluster's API.
resource "google_compute_subnetwork" "agent" {
  name                     = "${var.name}-agent"
  description              = local.marked
  region                   = var.region
  network                  = google_compute_network.cell.id
  ip_cidr_range            = cidrsubnet(var.cidr, 8, 16)
  private_ip_google_access = true
}

# The way out. There is none in.
resource "google_compute_router" "out" {
  name        = "${var.name}-out"
  description = local.marked
  region      = var.region
  network     = google_compute_network.cell.id
}

resource "google_compute_router_nat" "out" {
  name                               = "${var.name}-out"
  region                             = var.region
  router                             = google_compute_router.out.name
  nat_ip_allocate_option             = "AUTO_ONLY"
  source_subnetwork_ip_ranges_to_nat = "ALL_SUBNETWORKS_ALL_IP_RANGES"

  log_config {
    enable = true
    filter = "ERRORS_ONLY"
  }
}

# What Google Cloud denies by itself, said again where the customer sees it. The rules that the cluster needs come with the cluster, and
# go before this one.
resource "google_compute_firewall" "closed" {
  name          = "${var.name}-closed"
  description   = local.marked
  network       = google_compute_network.cell.id
  direction     = "INGRESS"
  priority      = 65000
  source_ranges = ["0.0.0.0/0"]

  deny {
    protocol = "all"
  }
}

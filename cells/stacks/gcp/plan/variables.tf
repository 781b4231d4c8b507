variable "project" {
  description = "The customer's project."
  type        = string
}

variable "region" {
  description = "Where the cell stands."
  type        = string
}

variable "zones" {
  description = "The zones of its machines, with a comma between. The agent's machine stands in the first."
  type        = string
}

variable "name" {
  description = "Starts every name. At most 40 characters, as the name of a cluster may have."
  type        = string
}

variable "account" {
  description = "The portal's own number of the cloud account, for labels."
  type        = string
}

variable "cell" {
  description = "The portal's own number of the cell, for labels."
  type        = string
}

variable "cidr" {
  description = "The cell's whole address range, a /16."
  type        = string
}

variable "machine_type" {
  description = "Of the cluster's machines."
  type        = string
}

variable "machines_per_zone" {
  description = "How many machines the cluster has in each zone."
  type        = number
}

variable "node_account" {
  description = "Address of the kit's account that the cluster's machines run as."
  type        = string
}

variable "agent_account" {
  description = "Address of the kit's account that the agent's machine runs as."
  type        = string
}

variable "user_data" {
  description = "What the agent's machine is told when it starts first, as cloud-init reads it. Holds a token that can be used once."
  type        = string
  sensitive   = true
}

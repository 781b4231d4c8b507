# Your switches: you may change these at any time.

variable "allow_changes" {
  description = "Set to \"no\" to stop every change by the operator role at once, also in sessions that are already open. Clusters that run can then create and delete no disks, snapshots, firewall groups or load balancers either. What runs keeps running and reading goes on."
  type        = string
  default     = "yes"

  validation {
    condition     = contains(["yes", "no"], var.allow_changes)
    error_message = "allow_changes must be \"yes\" or \"no\"."
  }
}

variable "allow_support" {
  description = "Set to \"no\" to refuse all support access at once, also in sessions that are already open and whatever was approved in the portal."
  type        = string
  default     = "yes"

  validation {
    condition     = contains(["yes", "no"], var.allow_support)
    error_message = "allow_support must be \"yes\" or \"no\"."
  }
}

# Filled in by the portal: leave as they are.

variable "account_id" {
  description = "The AWS account that you named in the portal. In any other account this kit refuses to run."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be the 12-digit account number that the portal filled in."
  }
}

variable "region" {
  description = "The region that you chose in the portal. In any other region this kit refuses to run."
  type        = string

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]+$", var.region))
    error_message = "region must be the region that the portal filled in."
  }
}

variable "account_ref" {
  description = "The portal's own number of this cloud account (a UUID). Tokens for any other account are refused."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", var.account_ref))
    error_message = "account_ref must be the UUID that the portal filled in."
  }
}

variable "generation" {
  description = "Counts the kits issued for this cloud account. A new kit replaces the one before."
  type        = string

  validation {
    condition     = can(regex("^[1-9][0-9]{0,3}$", var.generation))
    error_message = "generation must be the number that the portal filled in."
  }
}

variable "suffix" {
  description = "Ends every name that this kit creates, so that nothing of yours can collide with it."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{8}-g[1-9][0-9]{0,3}$", var.suffix))
    error_message = "suffix must be the suffix that the portal filled in."
  }
}

variable "issuer_url" {
  description = "Address of the token issuer that this account will trust, for this kit only."
  type        = string

  validation {
    condition     = can(regex("^https://[a-z0-9.:-]+(/[A-Za-z0-9._-]+)*$", var.issuer_url)) && length(var.issuer_url) <= 255
    error_message = "issuer_url must be the https address that the portal filled in."
  }
}

variable "audience" {
  description = "Whom the tokens must be meant for."
  type        = string
  default     = "sts.amazonaws.com"

  validation {
    condition     = can(regex("^[A-Za-z0-9.:/_-]{1,255}$", var.audience))
    error_message = "audience must be the one that the portal filled in."
  }
}

# Your switches: you may change these at any time. Terraform sets what stands in your configuration and remembers nothing else: when you
# replace it by a newer one of the portal, which says "yes" to both, carry your own values over.

variable "allow_changes" {
  description = "Set to \"no\" to stop every change by the operator and the builder account, also in sessions that are already open. What runs keeps running and reading goes on."
  type        = string
  default     = "yes"

  validation {
    condition     = contains(["yes", "no"], var.allow_changes)
    error_message = "allow_changes must be \"yes\" or \"no\"."
  }
}

variable "allow_support" {
  description = "Set to \"no\" to refuse all support access, also in sessions that are already open and whatever was approved in the portal."
  type        = string
  default     = "yes"

  validation {
    condition     = contains(["yes", "no"], var.allow_support)
    error_message = "allow_support must be \"yes\" or \"no\"."
  }
}

# Filled in by the portal: leave as they are.

variable "project_id" {
  description = "The project that you named in the portal. This kit works in no other."
  type        = string

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{4,28}[a-z0-9]$", var.project_id))
    error_message = "project_id must be the project id that the portal filled in."
  }
}

variable "project_number" {
  description = "The number of that project. A later project of the same id has another one, and is refused."
  type        = string

  validation {
    condition     = can(regex("^[0-9]{6,19}$", var.project_number))
    error_message = "project_number must be the number that the portal filled in."
  }
}

variable "account_ref" {
  description = "The portal's own number of this cloud account (a UUID). Tokens for any other account are refused."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", var.account_ref))
    error_message = "account_ref must be the UUID that the portal filled in."
  }
}

variable "generation" {
  description = "Which of the kits for this account this is."
  type        = string

  validation {
    condition     = can(regex("^[1-9][0-9]{0,3}$", var.generation))
    error_message = "generation must be the number that the portal filled in."
  }
}

variable "suffix" {
  description = "Ends every name that this kit creates."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{8}-g[1-9][0-9]{0,3}$", var.suffix))
    error_message = "suffix must be what the portal filled in."
  }
}

variable "issuer_url" {
  description = "The address whose signed tokens this project will accept. It belongs to this kit alone."
  type        = string

  validation {
    condition     = can(regex("^https://[a-z0-9.:/-]+$", var.issuer_url))
    error_message = "issuer_url must be the address that the portal filled in."
  }
}

variable "region" {
  description = "Where the first cell will stand. The kit itself belongs to no region."
  type        = string

  validation {
    condition     = can(regex("^[a-z]+-[a-z]+[0-9]+$", var.region))
    error_message = "region must be the region that the portal filled in."
  }
}

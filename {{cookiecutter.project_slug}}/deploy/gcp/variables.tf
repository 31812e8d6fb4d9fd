variable "project" {
  type        = string
  description = "The id of the project in Google Cloud."
}

variable "region" {
  type        = string
  description = "For example europe-west3."
}

variable "network" {
  type        = string
  description = "The network of the database, with private services access: projects/<id>/global/networks/<name>."
}

variable "database_tier" {
  type        = string
  description = "The machine of the database."
  default     = "db-custom-1-3840"
}
{% if cookiecutter.kubernetes == "yes" %}
variable "workload_identity" {
  type        = bool
  description = "Whether the project has a GKE cluster with workload identity, whose pods get rights."
  default     = false
}
{% else %}
variable "training" {
  type        = list(string)
  description = "Who trains: user:..., group:... or serviceAccount:..."
  default     = []
}
{% endif -%}

variable "project" {
  type        = string
  description = "The id of the project in Google Cloud."
}

variable "region" {
  type        = string
  description = "For example europe-west3."
}

variable "training" {
  type        = list(string)
  description = "Who else may write the bucket, such as people who train: user:..., group:... or serviceAccount:..."
  default     = []
}
{% if cookiecutter.kubernetes == "yes" %}
variable "workload_identity" {
  type        = bool
  description = "Whether the project has a GKE cluster with workload identity, whose pods get rights."
  default     = false
}

variable "node_service_account" {
  type        = string
  description = "The e-mail address of the service account of the cluster's nodes, which pull images; empty without one."
  default     = ""
}
{% endif -%}

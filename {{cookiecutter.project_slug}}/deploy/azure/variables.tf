variable "location" {
  type        = string
  description = "For example westeurope, a region with a pair."
}
{% if cookiecutter.kubernetes == "yes" %}
variable "oidc_issuer_url" {
  type        = string
  description = "The OIDC issuer of the AKS cluster; empty without one."
  default     = ""
}

variable "node_principal_id" {
  type        = string
  description = "The object id of the kubelet identity of the AKS cluster, which pulls images; empty without one."
  default     = ""
}
{% endif -%}

variable "location" {
  type        = string
  description = "For example westeurope."
}

variable "database_subnet_id" {
  type        = string
  description = "A subnet that is delegated to Microsoft.DBforPostgreSQL/flexibleServers."
}

variable "database_dns_zone_id" {
  type        = string
  description = "A private DNS zone that ends in postgres.database.azure.com, linked to the network."
}

variable "database_sku" {
  type        = string
  description = "The machine of the database."
  default     = "B_Standard_B2s"
}
{% if cookiecutter.kubernetes == "yes" %}
variable "oidc_issuer_url" {
  type        = string
  description = "The OIDC issuer of the AKS cluster; empty without one."
  default     = ""
}

variable "node_principal_id" {
  type        = string
  description = "The kubelet identity of the AKS cluster, which pulls images; empty without one."
  default     = ""
}
{% endif -%}

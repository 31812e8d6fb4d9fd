# PostgreSQL for the prediction log and the runs of MLflow. Its password is in a vault, not in the state.
{%- if cookiecutter.kubernetes == "no" %}
# Delete this file if no server but the endpoint runs: Azure Machine Learning needs no database.
{%- endif %}

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

data "azurerm_client_config" "current" {}

resource "azurerm_key_vault" "project" {
  name                       = local.short
  resource_group_name        = azurerm_resource_group.project.name
  location                   = azurerm_resource_group.project.location
  tenant_id                  = data.azurerm_client_config.current.tenant_id
  sku_name                   = "standard"
  rbac_authorization_enabled = true
  purge_protection_enabled   = true
  soft_delete_retention_days = 90
}

resource "azurerm_role_assignment" "vault" {
  scope                = azurerm_key_vault.project.id
  role_definition_name = "Key Vault Secrets Officer"
  principal_id         = data.azurerm_client_config.current.object_id
}

ephemeral "random_password" "database" {
  length  = 32
  special = false
}

resource "azurerm_key_vault_secret" "database" {
  name             = "database-password"
  key_vault_id     = azurerm_key_vault.project.id
  content_type     = "password of the user project"
  value_wo         = ephemeral.random_password.database.result
  value_wo_version = 1
  depends_on       = [azurerm_role_assignment.vault]
}

ephemeral "azurerm_key_vault_secret" "database" {
  name         = azurerm_key_vault_secret.database.name
  key_vault_id = azurerm_key_vault.project.id
}

resource "azurerm_postgresql_flexible_server" "project" {
  name                              = local.short
  resource_group_name               = azurerm_resource_group.project.name
  location                          = azurerm_resource_group.project.location
  version                           = "17"
  sku_name                          = var.database_sku
  storage_mb                        = 32768
  auto_grow_enabled                 = true
  administrator_login               = "project"
  administrator_password_wo         = ephemeral.azurerm_key_vault_secret.database.value
  administrator_password_wo_version = 1
  delegated_subnet_id               = var.database_subnet_id
  private_dns_zone_id               = var.database_dns_zone_id
  public_network_access_enabled     = false
  backup_retention_days             = 14
  geo_redundant_backup_enabled      = true # which needs a region with a pair
  lifecycle {
    prevent_destroy = true
    ignore_changes  = [zone] # which Azure chooses
  }
}

resource "azurerm_postgresql_flexible_server_database" "project" {
  for_each  = toset(["predictions", "mlflow"])
  name      = each.key
  server_id = azurerm_postgresql_flexible_server.project.id
}

output "log_url" {
  description = "LOG_URL, with the password in place of PASSWORD."
  value       = "postgresql://project:PASSWORD@${azurerm_postgresql_flexible_server.project.fqdn}/predictions"
}

output "mlflow_url" {
  description = "MLFLOW_BACKEND_STORE_URI, in the same way."
  value       = "postgresql+psycopg://project:PASSWORD@${azurerm_postgresql_flexible_server.project.fqdn}/mlflow"
}

output "vault" {
  description = "The vault with the secret database-password."
  value       = azurerm_key_vault.project.name
}

# Storage and registry of the project, in a resource group of its own.
terraform {
  required_version = ">= 1.11" # OpenTofu too
  required_providers {
    azurerm = { source = "hashicorp/azurerm", version = "~> 4.50" }
    random  = { source = "hashicorp/random", version = "~> 3.7" }
  }
  backend "azurerm" { # terraform init -backend-config="resource_group_name=..." and others
    key              = "{{ cookiecutter.project_slug }}.tfstate"
    container_name   = "tfstate"
    use_azuread_auth = true
  }
}

provider "azurerm" {
  features {}
  storage_use_azuread = true
}

locals {
  name = "{{ cookiecutter.project_slug }}"
  # Names of accounts, registries and vaults are unique in all of Azure, and short.
  short = "${substr(replace(local.name, "-", ""), 0, 14)}${random_string.suffix.result}"
}

resource "random_string" "suffix" {
  length  = 6
  upper   = false
  special = false
}

resource "azurerm_resource_group" "project" {
  name     = local.name
  location = var.location
}

# Models and the files of MLflow, for identities only: the account has no keys in use.
resource "azurerm_storage_account" "project" {
  name                              = local.short
  resource_group_name               = azurerm_resource_group.project.name
  location                          = azurerm_resource_group.project.location
  account_tier                      = "Standard"
  account_replication_type          = "ZRS"
  min_tls_version                   = "TLS1_2"
  shared_access_key_enabled         = false
  default_to_oauth_authentication   = true
  allow_nested_items_to_be_public   = false
  infrastructure_encryption_enabled = true
  blob_properties {
    versioning_enabled = true
    delete_retention_policy { days = 90 }
    container_delete_retention_policy { days = 90 }
  }
  sas_policy { expiration_period = "01.00:00:00" }
}

resource "azurerm_storage_management_policy" "project" {
  storage_account_id = azurerm_storage_account.project.id
  rule {
    name    = "old-versions"
    enabled = true
    filters { blob_types = ["blockBlob"] }
    actions {
      version { delete_after_days_since_creation = 90 }
    }
  }
}

resource "azurerm_storage_container" "project" {
  for_each           = toset(["models", "mlflow"])
  name               = each.key
  storage_account_id = azurerm_storage_account.project.id
}

# Images: `make push REGISTRY=<registry of the outputs> TAG=v1.0.0`.
resource "azurerm_container_registry" "project" {
  name                = local.short
  resource_group_name = azurerm_resource_group.project.name
  location            = azurerm_resource_group.project.location
  sku                 = "Standard"
  admin_enabled       = false
}

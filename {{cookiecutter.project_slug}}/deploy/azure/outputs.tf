output "account" {
  description = "For AZURE_STORAGE_ACCOUNT_NAME; models are in az://models, files of MLflow in its container mlflow."
  value       = azurerm_storage_account.project.name
}

output "registry" {
  description = "For make push."
  value       = azurerm_container_registry.project.login_server
}

output "identities" {
  description = "The client ids of server and training."
  value       = { for name, identity in azurerm_user_assigned_identity.project : name => identity.client_id }
}

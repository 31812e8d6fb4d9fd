# What pods may do: the server reads models, training and MLflow write both containers.
resource "azurerm_user_assigned_identity" "project" {
  for_each            = toset(["server", "training"])
  name                = "${local.name}-${each.key}"
  resource_group_name = azurerm_resource_group.project.name
  location            = azurerm_resource_group.project.location
}

resource "azurerm_role_assignment" "server" {
  scope                = azurerm_storage_container.project["models"].id
  role_definition_name = "Storage Blob Data Reader"
  principal_id         = azurerm_user_assigned_identity.project["server"].principal_id
}

resource "azurerm_role_assignment" "training" {
  for_each             = azurerm_storage_container.project
  scope                = each.value.id
  role_definition_name = "Storage Blob Data Contributor"
  principal_id         = azurerm_user_assigned_identity.project["training"].principal_id
}
{% if cookiecutter.kubernetes == "yes" %}
# Pods with these service accounts get the identities; the cluster needs its OIDC issuer and workload
# identity enabled.
resource "azurerm_federated_identity_credential" "project" {
  for_each            = var.oidc_issuer_url == "" ? {} : azurerm_user_assigned_identity.project
  name                = each.key
  resource_group_name = azurerm_resource_group.project.name
  parent_id           = each.value.id
  issuer              = var.oidc_issuer_url
  subject             = "system:serviceaccount:${local.name}:${each.key}"
  audience            = ["api://AzureADTokenExchange"]
}

resource "azurerm_role_assignment" "nodes" {
  for_each             = toset(compact([var.node_principal_id]))
  scope                = azurerm_container_registry.project.id
  role_definition_name = "AcrPull"
  principal_id         = each.key
}
{% endif -%}

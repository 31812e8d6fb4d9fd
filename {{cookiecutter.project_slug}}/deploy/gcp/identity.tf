# What pods and endpoints may do: the server reads models, training and MLflow write the bucket.
resource "google_service_account" "server" {
  account_id   = "${substr(local.name, 0, 20)}-server"
  display_name = "The server of ${local.name} on Vertex AI"
}

locals {
  endpoint = ["serviceAccount:${google_service_account.server.email}"]
{%- if cookiecutter.kubernetes == "yes" %}
  # Pods with a service account of this namespace; the cluster needs workload identity enabled.
  pods     = "principal://iam.googleapis.com/projects/${data.google_project.current.number}/locations/global/workloadIdentityPools/${var.project}.svc.id.goog/subject/ns/${local.name}/sa"
  servers  = concat(local.endpoint, var.workload_identity ? ["${local.pods}/server"] : [])
  training = concat(var.training, var.workload_identity ? ["${local.pods}/training"] : [])
{%- else %}
  servers  = local.endpoint
  training = var.training
{%- endif %}
}
{% if cookiecutter.kubernetes == "yes" %}
data "google_project" "current" {}
{% endif %}
resource "google_storage_bucket_iam_member" "server" {
  for_each = toset(local.servers)
  bucket   = google_storage_bucket.project.name
  role     = "roles/storage.objectViewer"
  member   = each.key
  condition {
    title      = "models"
    expression = "resource.name.startsWith(\"projects/_/buckets/${google_storage_bucket.project.name}/objects/models/\") || resource.type == \"storage.googleapis.com/Bucket\""
  }
}

resource "google_storage_bucket_iam_member" "training" {
  for_each = toset(local.training)
  bucket   = google_storage_bucket.project.name
  role     = "roles/storage.objectUser"
  member   = each.key
}
{%- if cookiecutter.kubernetes == "yes" %}

resource "google_artifact_registry_repository_iam_member" "nodes" {
  for_each   = toset(compact([var.node_service_account]))
  location   = var.region
  repository = google_artifact_registry_repository.project.name
  role       = "roles/artifactregistry.reader"
  member     = "serviceAccount:${each.key}"
}
{%- endif %}

output "bucket" {
  description = "For MODEL_STORE=gs://<bucket>/models, and the files of MLflow in gs://<bucket>/mlflow."
  value       = google_storage_bucket.project.name
}

output "registry" {
  description = "For make push."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.project.repository_id}"
}

output "service_account" {
  description = "Of endpoints on Vertex AI."
  value       = google_service_account.server.email
}

output "bucket" {
  description = "For MODEL_STORE=gs://<bucket>/models, and the files of MLflow in gs://<bucket>/mlflow."
  value       = google_storage_bucket.project.name
}

output "registry" {
  description = "For make push."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.project.repository_id}"
}

output "database" {
  description = "The private address of PostgreSQL; its user is `project`."
  value       = google_sql_database_instance.project.private_ip_address
}

output "database_secret" {
  description = "The secret with the password of the database."
  value       = google_secret_manager_secret.database.secret_id
}

output "service_account" {
  description = "Of endpoints on Vertex AI."
  value       = google_service_account.server.email
}

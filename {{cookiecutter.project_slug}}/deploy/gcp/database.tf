# PostgreSQL for the prediction log and the runs of MLflow. Its password is in Secret Manager, not in the
# state.
{%- if cookiecutter.kubernetes == "no" %}
# Delete this file if no server but the endpoint runs: Vertex AI needs no database.
{%- endif %}

variable "network" {
  type        = string
  description = "The network of the database, with private services access: projects/<id>/global/networks/<name>."
}

variable "database_tier" {
  type        = string
  description = "The machine of the database."
  default     = "db-custom-1-3840"
}

resource "google_sql_database_instance" "project" {
  name                = local.name
  region              = var.region
  database_version    = "POSTGRES_17"
  deletion_protection = true
  settings {
    tier                        = var.database_tier
    edition                     = "ENTERPRISE"
    availability_type           = "REGIONAL"
    deletion_protection_enabled = true
    ip_configuration {
      ipv4_enabled    = false
      private_network = var.network
      ssl_mode        = "ENCRYPTED_ONLY"
    }
    backup_configuration {
      enabled                        = true
      point_in_time_recovery_enabled = true
      backup_retention_settings { retained_backups = 14 }
    }
  }
}

resource "google_sql_database" "project" {
  for_each = toset(["predictions", "mlflow"])
  name     = each.key
  instance = google_sql_database_instance.project.name
}

ephemeral "random_password" "database" {
  length  = 32
  special = false
}

resource "google_secret_manager_secret" "database" {
  secret_id = "${local.name}-database-password"
  replication {
    auto {}
  }
}

resource "google_secret_manager_secret_version" "database" {
  secret                 = google_secret_manager_secret.database.id
  secret_data_wo         = ephemeral.random_password.database.result
  secret_data_wo_version = 1
}

ephemeral "google_secret_manager_secret_version" "database" {
  secret  = google_secret_manager_secret.database.id
  version = google_secret_manager_secret_version.database.version
}

resource "google_sql_user" "project" {
  name                = "project"
  instance            = google_sql_database_instance.project.name
  password_wo         = ephemeral.google_secret_manager_secret_version.database.secret_data
  password_wo_version = 1
}

output "log_url" {
  description = "LOG_URL, with the password in place of PASSWORD."
  value       = "postgresql://project:PASSWORD@${google_sql_database_instance.project.private_ip_address}/predictions"
}

output "mlflow_url" {
  description = "MLFLOW_BACKEND_STORE_URI, in the same way."
  value       = "postgresql+psycopg://project:PASSWORD@${google_sql_database_instance.project.private_ip_address}/mlflow"
}

output "database_secret" {
  description = "The secret with the password."
  value       = google_secret_manager_secret.database.secret_id
}

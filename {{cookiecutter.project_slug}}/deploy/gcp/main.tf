# Bucket, registry and database of the project, in an existing project and network of Google Cloud.
terraform {
  required_version = ">= 1.11" # OpenTofu too
  required_providers {
    google = { source = "hashicorp/google", version = ">= 6.50, < 8.0" }
    random = { source = "hashicorp/random", version = "~> 3.7" }
  }
  backend "gcs" { # terraform init -backend-config="bucket=..."
    prefix = "{{ cookiecutter.project_slug }}"
  }
}

provider "google" {
  project = var.project
  region  = var.region
}

locals {
  name = "{{ cookiecutter.project_slug }}"
}

# Models and the files of MLflow. An old version of an object can be restored for 90 days.
resource "google_storage_bucket" "project" {
  name                        = "${var.project}-${local.name}"
  location                    = var.region
  uniform_bucket_level_access = true
  public_access_prevention    = "enforced"
  versioning { enabled = true }
  lifecycle_rule {
    condition { days_since_noncurrent_time = 90 }
    action { type = "Delete" }
  }
}

# Images: `make push REGISTRY=<registry of the outputs> TAG=v1.0.0`.
resource "google_artifact_registry_repository" "project" {
  repository_id = local.name
  location      = var.region
  format        = "DOCKER"
  docker_config { immutable_tags = true }
}

# The prediction log and the runs of MLflow.
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

# The password of the database is in Secret Manager only, not in the state.
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

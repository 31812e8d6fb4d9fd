# Bucket and registry, in an existing project of Google Cloud.
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

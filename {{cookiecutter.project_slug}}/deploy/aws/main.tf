# Bucket and registry of the project, in an existing network (VPC).
terraform {
  required_version = ">= 1.11" # OpenTofu too
  required_providers {
    aws    = { source = "hashicorp/aws", version = "~> 6.0" }
    random = { source = "hashicorp/random", version = "~> 3.7" }
  }
  backend "s3" { # terraform init -backend-config="bucket=..."
    key          = "{{ cookiecutter.project_slug }}.tfstate"
    encrypt      = true
    use_lockfile = true
  }
}

provider "aws" {
  region = var.region
  default_tags { tags = { project = local.name } }
}

locals {
  name = "{{ cookiecutter.project_slug }}"
}

resource "aws_kms_key" "project" {
  description         = "Models, images and predictions of ${local.name}"
  enable_key_rotation = true
}

# Models and the files of MLflow. An old version of an object can be restored for 90 days.
resource "aws_s3_bucket" "project" {
  bucket_prefix = "${substr(local.name, 0, 36)}-"
}

resource "aws_s3_bucket_public_access_block" "project" {
  bucket                  = aws_s3_bucket.project.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_versioning" "project" {
  bucket = aws_s3_bucket.project.id
  versioning_configuration { status = "Enabled" }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "project" {
  bucket = aws_s3_bucket.project.id
  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.project.arn
    }
    bucket_key_enabled = true
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "project" {
  bucket = aws_s3_bucket.project.id
  rule {
    id     = "old-versions"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration { noncurrent_days = 90 }
    abort_incomplete_multipart_upload { days_after_initiation = 7 }
  }
}

# Images: `make push REGISTRY=<registry of the outputs> TAG=v1.0.0`.
resource "aws_ecr_repository" "image" {
  for_each             = toset(["serve", "train"])
  name                 = "${local.name}/${each.key}"
  image_tag_mutability = "IMMUTABLE"
  image_scanning_configuration { scan_on_push = true }
  encryption_configuration {
    encryption_type = "KMS"
    kms_key         = aws_kms_key.project.arn
  }
}

# Bucket, registry, identities and database of the project, in an existing VPC.
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

# The prediction log and the runs of MLflow. Its password is in Secrets Manager, not in the state.
resource "aws_db_subnet_group" "project" {
  name       = local.name
  subnet_ids = var.subnet_ids
}

resource "aws_security_group" "database" {
  name        = "${local.name}-database"
  description = "PostgreSQL, for the servers and the training"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  for_each                     = toset(var.client_security_group_ids)
  description                  = "PostgreSQL"
  security_group_id            = aws_security_group.database.id
  referenced_security_group_id = each.key
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

ephemeral "random_password" "database" {
  length  = 32
  special = false
}

resource "aws_secretsmanager_secret" "database" {
  name_prefix = "${local.name}-database-"
  kms_key_id  = aws_kms_key.project.arn
}

resource "aws_secretsmanager_secret_version" "database" {
  secret_id                = aws_secretsmanager_secret.database.id
  secret_string_wo         = ephemeral.random_password.database.result
  secret_string_wo_version = 1
}

ephemeral "aws_secretsmanager_secret_version" "database" {
  secret_id  = aws_secretsmanager_secret.database.id
  version_id = aws_secretsmanager_secret_version.database.version_id
}

resource "aws_db_instance" "project" {
  identifier                          = local.name
  engine                              = "postgres"
  engine_version                      = "17"
  instance_class                      = var.database_class
  allocated_storage                   = 20
  max_allocated_storage               = 200
  storage_encrypted                   = true
  kms_key_id                          = aws_kms_key.project.arn
  db_name                             = "predictions"
  username                            = "project"
  password_wo                         = ephemeral.aws_secretsmanager_secret_version.database.secret_string
  password_wo_version                 = 1
  iam_database_authentication_enabled = true
  db_subnet_group_name                = aws_db_subnet_group.project.name
  vpc_security_group_ids              = [aws_security_group.database.id]
  multi_az                            = true
  backup_retention_period             = 14
  copy_tags_to_snapshot               = true
  deletion_protection                 = true
  auto_minor_version_upgrade          = true
  performance_insights_enabled        = true
  performance_insights_kms_key_id     = aws_kms_key.project.arn
  enabled_cloudwatch_logs_exports     = ["postgresql", "upgrade"]
  final_snapshot_identifier           = "${local.name}-final"
}

# PostgreSQL for the prediction log and the runs of MLflow. Its password is in Secrets Manager, not in
# the state.
{%- if cookiecutter.kubernetes == "no" %}
# Delete this file if no server but the endpoint runs: SageMaker needs no database.
{%- endif %}

variable "client_security_group_ids" {
  type        = list(string)
  description = "Security groups that may reach the database{% if cookiecutter.kubernetes == 'yes' %}, such as that of the cluster's nodes{% endif %}."
  default     = []
}

variable "database_class" {
  type        = string
  description = "The machine of the database."
  default     = "db.t4g.small"
}

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

output "log_url" {
  description = "LOG_URL, with the password in place of PASSWORD."
  value       = "postgresql://project:PASSWORD@${aws_db_instance.project.endpoint}/predictions"
}

output "mlflow_url" {
  description = "MLFLOW_BACKEND_STORE_URI, in the same way; its tables have other names than those of the log."
  value       = "postgresql+psycopg://project:PASSWORD@${aws_db_instance.project.endpoint}/predictions"
}

output "database_secret" {
  description = "The secret with the password."
  value       = aws_secretsmanager_secret.database.arn
}

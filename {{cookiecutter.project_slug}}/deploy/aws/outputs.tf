output "bucket" {
  description = "For MODEL_STORE=s3://<bucket>/models, and the files of MLflow in s3://<bucket>/mlflow."
  value       = aws_s3_bucket.project.id
}

output "registry" {
  description = "For make push."
  value       = trimsuffix(aws_ecr_repository.image["serve"].repository_url, "/serve")
}

output "database" {
  description = "Host and port of PostgreSQL; its user is `project`."
  value       = aws_db_instance.project.endpoint
}

output "database_secret" {
  description = "The secret with the password of the database."
  value       = aws_secretsmanager_secret.database.arn
}

output "endpoint" {
  description = "The endpoint of SageMaker, if there is one."
  value       = one(aws_sagemaker_endpoint.server[*].name)
}

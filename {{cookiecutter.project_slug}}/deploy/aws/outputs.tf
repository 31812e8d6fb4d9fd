output "bucket" {
  description = "For MODEL_STORE=s3://<bucket>/models, and the files of MLflow in s3://<bucket>/mlflow."
  value       = aws_s3_bucket.project.id
}

output "registry" {
  description = "For make push."
  value       = trimsuffix(aws_ecr_repository.image["serve"].repository_url, "/serve")
}

output "endpoint" {
  description = "The endpoint of SageMaker, if there is one."
  value       = one(aws_sagemaker_endpoint.server[*].name)
}
{%- if "events" in cookiecutter._use_cases[cookiecutter.use_case].parts %}

output "endpoint_security_group" {
  description = "The security group of the endpoint, if there is one: a Redis has to allow it."
  value       = one(aws_security_group.server[*].id)
}
{%- endif %}

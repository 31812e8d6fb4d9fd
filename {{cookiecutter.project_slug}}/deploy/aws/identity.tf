# What pods and endpoints may do: the server reads models, training and MLflow write the bucket.
data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]
    principals {
      type        = "Service"
      identifiers = ["pods.eks.amazonaws.com", "sagemaker.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "server" {
  statement {
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.project.arn]
  }
  statement {
    actions   = ["s3:GetObject"]
    resources = ["${aws_s3_bucket.project.arn}/models/*"]
  }
  statement {
    actions   = ["kms:Decrypt"]
    resources = [aws_kms_key.project.arn]
  }
  statement { # of a SageMaker endpoint
    actions   = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]
    resources = [aws_ecr_repository.image["serve"].arn]
  }
  statement {
    actions   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["arn:aws:logs:*:*:log-group:/aws/sagemaker/Endpoints/*"]
  }
  statement {
    actions   = ["ecr:GetAuthorizationToken", "cloudwatch:PutMetricData"]
    resources = ["*"] # these two cannot be limited
  }
}

data "aws_iam_policy_document" "training" {
  statement {
    actions   = ["s3:ListBucket"]
    resources = [aws_s3_bucket.project.arn]
  }
  statement {
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    resources = ["${aws_s3_bucket.project.arn}/*"]
  }
  statement {
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [aws_kms_key.project.arn]
  }
}

locals {
  policies = {
    server   = data.aws_iam_policy_document.server.json
    training = data.aws_iam_policy_document.training.json
  }
}

resource "aws_iam_role" "project" {
  for_each           = local.policies
  name               = "${local.name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.trust.json
}

resource "aws_iam_role_policy" "project" {
  for_each = local.policies
  role     = aws_iam_role.project[each.key].name
  policy   = each.value
}
{% if cookiecutter.kubernetes == "yes" %}
# Pods with these service accounts get the roles; the cluster needs the add-on eks-pod-identity-agent.
resource "aws_eks_pod_identity_association" "project" {
  for_each        = var.cluster == "" ? {} : local.policies
  cluster_name    = var.cluster
  namespace       = local.name
  service_account = each.key
  role_arn        = aws_iam_role.project[each.key].arn
}
{% endif -%}

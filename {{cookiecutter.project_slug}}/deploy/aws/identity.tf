# What endpoints{% if cookiecutter.kubernetes == "yes" %} and pods{% endif %} may do: {% if cookiecutter.kubernetes == "yes" %}servers read models, training and MLflow write the bucket{% else %}read models{% endif %}.
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
}

data "aws_iam_policy_document" "endpoint" {
  source_policy_documents = [data.aws_iam_policy_document.server.json]
  statement {
    actions   = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer", "ecr:BatchCheckLayerAvailability"]
    resources = [aws_ecr_repository.image["serve"].arn]
  }
  statement {
    actions   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["arn:aws:logs:*:*:log-group:/aws/sagemaker/Endpoints/*"]
  }
  statement { # which cannot be limited; those of ec2 put the endpoint into the network
    actions = [
      "cloudwatch:PutMetricData",
      "ec2:CreateNetworkInterface",
      "ec2:CreateNetworkInterfacePermission",
      "ec2:DeleteNetworkInterface",
      "ec2:DeleteNetworkInterfacePermission",
      "ec2:DescribeDhcpOptions",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeSecurityGroups",
      "ec2:DescribeSubnets",
      "ec2:DescribeVpcs",
      "ecr:GetAuthorizationToken",
    ]
    resources = ["*"]
  }
}
{% if cookiecutter.kubernetes == "yes" %}
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
{% endif %}
locals {
  services = {
    endpoint = "sagemaker.amazonaws.com"
{%- if cookiecutter.kubernetes == "yes" %}
    server   = "pods.eks.amazonaws.com"
    training = "pods.eks.amazonaws.com"
{%- endif %}
  }
  policies = {
    endpoint = data.aws_iam_policy_document.endpoint.json
{%- if cookiecutter.kubernetes == "yes" %}
    server   = data.aws_iam_policy_document.server.json
    training = data.aws_iam_policy_document.training.json
{%- endif %}
  }
}

data "aws_iam_policy_document" "trust" {
  for_each = local.services
  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]
    principals {
      type        = "Service"
      identifiers = [each.value]
    }
  }
}

resource "aws_iam_role" "project" {
  for_each           = local.services
  name               = "${local.name}-${each.key}"
  assume_role_policy = data.aws_iam_policy_document.trust[each.key].json
}

resource "aws_iam_role_policy" "project" {
  for_each = local.policies
  role     = aws_iam_role.project[each.key].name
  policy   = each.value
}
{%- if cookiecutter.kubernetes == "yes" %}

# Pods with these service accounts get the roles; the cluster needs the add-on eks-pod-identity-agent.
resource "aws_eks_pod_identity_association" "project" {
  for_each        = toset(var.cluster == "" ? [] : ["server", "training"])
  cluster_name    = var.cluster
  namespace       = local.name
  service_account = each.key
  role_arn        = aws_iam_role.project[each.key].arn
}
{%- endif %}

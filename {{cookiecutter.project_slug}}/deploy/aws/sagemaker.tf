# An endpoint of SageMaker: two instances of the server, for clients with IAM rights. A new image
# gets half of the requests first, and is rolled back when the alarm is raised.
locals {
  endpoints = var.image == "" ? [] : [var.image]
}

resource "aws_security_group" "server" {
  count       = length(local.endpoints)
  name        = "${local.name}-server"
  description = "The SageMaker endpoint: it starts connections only"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_egress_rule" "server" {
  for_each          = length(local.endpoints) == 0 ? {} : { https = 443, redis = 6379 }
  description       = each.key
  security_group_id = aws_security_group.server[0].id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
}

resource "aws_sagemaker_model" "server" {
  count              = length(local.endpoints)
  execution_role_arn = aws_iam_role.project["endpoint"].arn
  primary_container {
    image = var.image
    environment = merge(var.settings, {
      AWS_REGION  = var.region
      MODEL_STORE = "s3://${aws_s3_bucket.project.id}/models"
      SERVE_KEYS  = "off" # clients need the right sagemaker:InvokeEndpoint
      SERVE_PORT  = "8080"
    })
  }
  vpc_config {
    subnets            = var.subnet_ids
    security_group_ids = [aws_security_group.server[0].id]
  }
  lifecycle { create_before_destroy = true }
}

resource "aws_sagemaker_endpoint_configuration" "server" {
  count       = length(local.endpoints)
  name_prefix = "${substr(local.name, 0, 36)}-"
  production_variants {
    variant_name           = "server"
    model_name             = aws_sagemaker_model.server[0].name
    instance_type          = var.instance_type
    initial_instance_count = 2
  }
  lifecycle { create_before_destroy = true }
}

resource "aws_cloudwatch_metric_alarm" "errors" {
  count               = length(local.endpoints)
  alarm_name          = "${local.name}-errors"
  alarm_description   = "The endpoint fails"
  namespace           = "AWS/SageMaker"
  metric_name         = "Invocation5XXErrors"
  dimensions          = { EndpointName = local.name, VariantName = "server" }
  statistic           = "Average"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0.01
  period              = 60
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
}

resource "aws_sagemaker_endpoint" "server" {
  count                = length(local.endpoints)
  name                 = local.name
  endpoint_config_name = aws_sagemaker_endpoint_configuration.server[0].name
  deployment_config {
    blue_green_update_policy {
      traffic_routing_configuration {
        type                     = "CANARY"
        wait_interval_in_seconds = 300
        canary_size {
          type  = "CAPACITY_PERCENT"
          value = 50
        }
      }
    }
    auto_rollback_configuration {
      alarms { alarm_name = aws_cloudwatch_metric_alarm.errors[0].alarm_name }
    }
  }
}

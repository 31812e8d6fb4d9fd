variable "region" {
  type        = string
  description = "For example eu-central-1."
}

variable "vpc_id" {
  type        = string
  description = "The network of the database and of the endpoint."
}

variable "subnet_ids" {
  type        = list(string)
  description = "Private subnets in two or more zones."
}
{% if cookiecutter.kubernetes == "yes" %}
variable "cluster" {
  type        = string
  description = "The EKS cluster whose pods get the roles; empty without one."
  default     = ""
}
{% endif %}
variable "image" {
  type        = string
  description = "The image of the server that SageMaker runs; empty without an endpoint."
  default     = ""
}

variable "instance_type" {
  type        = string
  description = "The machine of the SageMaker endpoint."
  default     = "ml.c7i.large"
}

variable "settings" {
  type        = map(string)
  description = "Settings of the server at the endpoint, without passwords: who can see the endpoint sees them."
  default     = { LOG_URL = "off" }
}

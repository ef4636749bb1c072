"""As whom API Gateway calls integrations and authorizers."""

# The service itself, which resource policies and trust policies name.
SERVICE = "apigateway.amazonaws.com"
# Stands for whoever called the API.
CALLER = "arn:aws:iam::*:user/*"
# What AWS calls its sessions of the roles that it takes.
SESSION = "BackplaneAssumeRoleSession"

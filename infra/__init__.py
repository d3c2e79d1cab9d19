"""What runs PaymentServer on AWS: the stack's template, made of what the code itself declares, and the deployment package."""

"""DynamoDB's expression language: parsed once per text, checked and evaluated per request."""

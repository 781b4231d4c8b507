"""Logic Apps: workflows that a subscription's owner deploys and Azure runs by itself, on the sandbox's clock."""
